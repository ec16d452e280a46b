"""The workflow that uses the whole language, through a whole cell: checks at once, approval, a date, further tries."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.admin import verify
from actors.execution.simulated_rail import journal_path
from actors.payment.messages import RestartSaga
from tests.fakes.bank import BLOCKED, CELL, DEPOSIT, DOUBTFUL, Bank, Way

GUARDED = Way("orchestrated", "guarded")
DAY = 86_400.0
LARGE = 1_000_001  # one cent more than people need not agree to


def bank_with(tmp_path: Path, **settings: Any) -> Bank:
    """A cell whose payments are guarded, with an account that can pay large ones."""
    return Bank(tmp_path, GUARDED, **({"ledger": {"hold_seconds": 30 * DAY}} | settings))


def test_a_small_payment_asks_nobody(tmp_path: Path) -> None:
    """The decision is on the amount alone, and both checks were made."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay()
        assert bank.until_status(payment_id, "completed")
        story = bank.story(payment_id)
        assert "RequestApproval" not in story
        assert abs(story.index("ScreenBeneficiary") - story.index("CheckLimits")) == 1


def test_a_large_payment_waits_for_two_people_and_then_is_made(tmp_path: Path) -> None:
    """One person is not enough, and the same person twice is one."""
    with bank_with(tmp_path) as bank:
        bank.open_account(deposit=2 * LARGE)
        payment_id = bank.pay(amount=LARGE)
        bank.until_status(payment_id, "held")
        bank.approve(payment_id, "anna")
        bank.approve(payment_id, "anna")
        bank.rest()
        assert bank.status(payment_id) == "held"
        bank.crash()
        bank.approve(payment_id, "bert")
        bank.until_status(payment_id, "completed")
        assert bank.balance() == (LARGE, 0)


def test_a_large_payment_that_one_person_denies_is_undone(tmp_path: Path) -> None:
    """The debit goes back, and so does what was counted against the limit."""
    with bank_with(tmp_path) as bank:
        bank.open_account(deposit=2 * LARGE)
        payment_id = bank.pay(amount=LARGE)
        bank.until_status(payment_id, "held")
        bank.approve(payment_id, "anna", yes=False)
        bank.until_status(payment_id, "rejected")
        assert bank.balance() == (2 * LARGE, 0)
        assert {"VoidDebit", "ReleaseLimit"} <= set(bank.story(payment_id))
        assert bank.gate(payment_id) == ""


@pytest.mark.parametrize(("name", "limit", "reason"), [(BLOCKED, 10**9, "RR04"), ("Greta Beispiel", 999, "AM02")])
def test_either_check_stops_the_payment_and_undoes_the_other(
    name: str, limit: int, reason: str, tmp_path: Path
) -> None:
    """Whichever answers first: nothing reaches the bank, nothing stays held or counted."""
    limits = {"per_payment": {"EUR": f"{limit / 100:.2f}"}}
    with bank_with(tmp_path, limits=limits) as bank:
        bank.open_account()
        payment_id = bank.pay(name=name)
        bank.until_status(payment_id, "rejected")
        assert bank.reason(payment_id)[0] == reason
        assert bank.balance() == (DEPOSIT, 0)
        assert bank.gate(payment_id) == ""


def test_a_payment_waits_for_its_day_and_is_not_taken_for_stuck(tmp_path: Path) -> None:
    """Nobody is called for it, it says what it waits for, and on the day it is made."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        day = (bank.clock.now() + timedelta(days=3)).date()
        payment_id = bank.pay(execution_date=day.isoformat())
        bank.until_status(payment_id, "held")
        assert bank.reason(payment_id)[1] == f"execution-date: until {day} 00:00 UTC"
        bank.pass_time(DAY)
        bank.crash(down_for=DAY / 2)
        bank.rest()
        assert (bank.status(payment_id), bank.gate(payment_id)) == ("held", "")
        bank.pass_time(2 * DAY)
        bank.until_status(payment_id, "completed")


def test_what_waits_for_its_day_or_for_another_try_is_no_violation(tmp_path: Path) -> None:
    """`verify` looks at every payment that is held: a date that is waited for is as good as a person who is."""
    with bank_with(tmp_path) as bank:
        bank.open_account(deposit=1_500)
        dated = bank.pay(execution_date=(bank.clock.now() + timedelta(days=3)).date().isoformat())
        bank.until_status(dated, "held")
        bank.until_status(bank.pay(amount=1_000), "held")
        assert verify.look(bank.data)[0] == []


def test_a_payment_that_waits_for_its_day_can_be_cancelled(tmp_path: Path) -> None:
    """The gate is closed, the money is back."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay(execution_date=(bank.clock.now() + timedelta(days=3)).date().isoformat())
        bank.until_status(payment_id, "held")
        bank.cancel(payment_id)
        bank.until_status(payment_id, "cancelled")
        assert bank.balance() == (DEPOSIT, 0)
        bank.pass_time(5 * DAY)
        assert bank.status(payment_id) == "cancelled"


def test_without_the_money_it_is_tried_again_and_made_when_there_is_some(tmp_path: Path) -> None:
    """AM04 gives hope; each try has its own number, and only one takes the money."""
    with bank_with(tmp_path) as bank:
        bank.open_account(deposit=100)
        payment_id = bank.pay(amount=1_000)
        bank.until_status(payment_id, "held")
        assert "debit-account is tried again at" in bank.reason(payment_id)[1]
        bank.deposit("ACC-1", 5_000)
        bank.pass_time(11 * 60)
        bank.until_status(payment_id, "completed")
        assert bank.balance() == (4_100, 0)
        assert bank.story(payment_id).count("DebitAccount") == 2


def test_without_the_money_for_too_long_it_is_rejected(tmp_path: Path) -> None:
    """Three further tries, each after twice the time, then the reason stands."""
    with bank_with(tmp_path) as bank:
        bank.open_account(deposit=100)
        payment_id = bank.pay(amount=1_000)
        bank.pass_time(3 * 60 * 60)
        assert bank.status(payment_id) == "rejected"
        assert bank.reason(payment_id)[0] == "AM04"
        assert bank.story(payment_id).count("DebitAccount") == 4
        assert bank.balance() == (100, 0)


def test_a_rejection_that_gives_hope_is_followed_by_another_instruction(tmp_path: Path) -> None:
    """The bank has proven that it did not pay; the second instruction has its own id, and only it executes."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-REJECT-ONCE-AM04")
        bank.until_status(payment_id, "held")
        bank.pass_time(11 * 60)
        bank.until_status(payment_id, "completed")
        assert bank.balance() == (DEPOSIT - 1_000, 0)


def test_a_closed_account_is_not_tried_again(tmp_path: Path) -> None:
    """AC04 means stop and undo, in the very moment."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-REJECT-AC04")
        bank.until_status(payment_id, "rejected")
        assert bank.balance() == (DEPOSIT, 0)


def test_after_the_cut_off_time_it_waits_for_the_next_window(tmp_path: Path) -> None:
    """TM01 names no moment: the workflow knows when the bank opens."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-REJECT-ONCE-TM01")
        bank.until_status(payment_id, "held")
        bank.pass_time(7 * DAY)
        bank.until_status(payment_id, "completed")


def test_a_doubtful_beneficiary_and_a_large_amount_are_two_decisions(tmp_path: Path) -> None:
    """The review's clearance is no approval."""
    with bank_with(tmp_path) as bank:
        bank.open_account(deposit=2 * LARGE)
        payment_id = bank.pay(name=DOUBTFUL, amount=LARGE)
        bank.until_status(payment_id, "held")
        bank.decide(payment_id, "clear")
        bank.rest()
        assert bank.status(payment_id) == "held"
        bank.approve(payment_id, "anna")
        bank.approve(payment_id, "bert")
        bank.until_status(payment_id, "completed")


def test_a_payment_that_waits_to_be_handed_over_again_can_be_cancelled(tmp_path: Path) -> None:
    """The bank has proven that it did not pay: the customer need not wait for another try, nor for a late refusal."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-REJECT-ONCE-AM04")
        bank.until_status(payment_id, "held")
        bank.crash()
        bank.cancel(payment_id)
        bank.until_status(payment_id, "cancelled")
        bank.pass_time(DAY)
        assert bank.status(payment_id) == "cancelled"
        assert bank.balance() == (DEPOSIT, 0)
        assert bank.story(payment_id).count("ExecutePayment") == 1


def test_a_bank_that_rejects_and_then_executes_before_the_next_try_is_paid_once(tmp_path: Path) -> None:
    """Nothing is instructed again; who restarts the payment has the bank asked, and its word completes it."""
    with bank_with(tmp_path) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-REJECT-ONCE-AM04")
        bank.until_status(payment_id, "held")
        executes_after_all(bank, payment_id)
        bank.rail_says(payment_id, "executed")
        assert bank.status(payment_id) == "needs_attention"
        bank.pass_time(DAY)
        assert bank.story(payment_id).count("SubmitInstruction") == 1
        restart = RestartSaga(payment_id=payment_id, step="execute-payment", by="Ada", reason="what does it say now?")
        bank.post("payment", restart, payment_id)
        bank.until_status(payment_id, "completed")
        bank.pass_time(DAY)
        assert bank.story(payment_id).count("SubmitInstruction") == 1
        assert bank.journal(payment_id) == ("executed", 1, True)
        assert bank.balance() == (DEPOSIT - 1_000, 0)


def executes_after_all(bank: Bank, payment_id: str) -> None:
    """The rail's own journal says so from now on."""
    with contextlib.closing(sqlite3.connect(journal_path(bank.data, CELL))) as journal:
        journal.execute(
            "UPDATE instructions SET state = 'executed', executed_at = received_at WHERE payment_id = ?", (payment_id,)
        )
        journal.commit()
