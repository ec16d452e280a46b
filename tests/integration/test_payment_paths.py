"""What a payment's path says of everything that may become of a payment: nothing left out, nothing made up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import assembly
from actors.admin.reading import Reading
from actors.payment.messages import MigrateSaga, PauseSaga, ResumeSaga
from actors.pictures.payment import payment_diagram
from tests.fakes.bank import BLOCKED, DOUBTFUL, Bank, Way

ORCHESTRATED, CHOREOGRAPHED = Way("orchestrated", "debit-first"), Way("choreographed", "debit-first")
DAY = 86_400.0
LARGE, REFUND_LARGE = 1_000_001, 50_001  # cents: over the limits from which on people are asked

both_flows = pytest.mark.parametrize("way", [ORCHESTRATED, CHOREOGRAPHED], ids=lambda way: way.flow)


@contextmanager
def guarded(data: Path, **settings: Any) -> Iterator[Bank]:
    """A cell whose payments are guarded."""
    with Bank(data, Way("orchestrated", "guarded"), **({"ledger": {"hold_seconds": 30 * DAY}} | settings)) as bank:
        bank.open_account(deposit=5 * LARGE)
        yield bank


def drawn(bank: Bank, payment_id: str, format: str = "text") -> str:
    """The payment's path as it is now."""
    bank.rest()
    reading = Reading.open(bank.data)
    try:
        payment = reading.payment(payment_id)
    finally:
        reading.close()
    assert payment is not None
    return payment_diagram(payment, assembly.reactions(), "path", format)


TIMES = re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d+)?|\b[\d.]+ (ms|s|min)\b")


def lines(bank: Bank, payment_id: str) -> list[str]:
    """Its path in words, without the times."""
    return [" ".join(TIMES.sub("", line).split()) for line in drawn(bank, payment_id).splitlines()]


def starting(found: list[str], *words: str) -> list[str]:
    """Those lines that begin with one of these."""
    return [line for line in found if line.startswith(words)]


def test_a_wait_for_the_execution_date_is_a_step_of_the_path(tmp_path: Path) -> None:
    """While it waits one sees until when, and afterwards that it has waited."""
    with guarded(tmp_path) as bank:
        day = (bank.clock.now() + timedelta(days=3)).date().isoformat()
        payment_id, at_once = bank.pay(execution_date=day), bank.pay()
        found = lines(bank, payment_id)
        assert starting(found, "▶") == ["▶ execution-date until the execution date"]
        assert f"→ waits until {day} 00:00:00" in " ".join(drawn(bank, payment_id).split())
        for format in ("mermaid", "svg"):
            assert "execution-date" in drawn(bank, payment_id, format)
        assert "○ execution-date until the execution date left out" in lines(bank, at_once)
        bank.pass_time(4 * DAY)
        assert starting(lines(bank, payment_id), "✓ execution-date", "✓ execute-payment")
        assert f"ExecutePayment → execution {day} 00:00:0" in " ".join(drawn(bank, payment_id).split())


def test_every_try_and_every_wait_between_them_is_told(tmp_path: Path) -> None:
    """A refusal that is waited out is no refusal yet."""
    with guarded(tmp_path) as bank:
        bank.open_account("ACC-POOR", deposit=100)
        payment_id = bank.pay(debtor_account="ACC-POOR")
        assert starting(lines(bank, payment_id), "▶ debit-account")
        bank.pass_time(11 * 60)
        said = [line for line in lines(bank, payment_id) if line.startswith("→")]
        assert [line.split()[1] for line in said] == ["DebitRefused", "waits", "sent", "DebitRefused", "waits"]
        bank.pass_time(DAY)
        found = lines(bank, payment_id)
        assert starting(found, "✕ debit-account")
        assert not any("waits" in line for line in found[-4:])


def test_all_that_was_undone_is_named_with_its_step(tmp_path: Path) -> None:
    """Of checks at the same time too, whichever refused."""
    with guarded(tmp_path, limits={"per_payment": {"EUR": "20000"}}) as bank:
        blocked, denied = bank.pay(name=BLOCKED), bank.pay(amount=LARGE)
        bank.rest()
        bank.approve(denied, "anna", yes=False)
        for payment_id, refused in ((blocked, "✕ screen-beneficiary"), (denied, "✕ approve-payment")):
            found = lines(bank, payment_id)
            assert starting(found, "↩ Void", "↩ Release", "↩ debit", "↩ check") == [
                "↩ debit-account DebitAccount → ledger", "↩ VoidDebit", "↩ check-limits CheckLimits → limits",
                "↩ ReleaseLimit",
            ]  # fmt: skip
            assert starting(found, refused)
        assert "DecideApproval no, anna: looked at the receipt" in lines(bank, denied)


@both_flows
def test_a_refund_below_the_limit_is_not_shown_as_if_people_had_been_asked(way: Way, tmp_path: Path) -> None:
    """Choreographed, the service hears of it and does nothing; nobody was asked."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(amount=2 * REFUND_LARGE)
        bank.rest()
        small = bank.refund(payment_id, 1)
        large = bank.refund(payment_id, REFUND_LARGE)
        bank.rest()
        for format in ("text", "mermaid", "svg"):
            assert ("RequestApproval" in drawn(bank, small, format)) == (way is ORCHESTRATED)
            assert "RequestApproval" in drawn(bank, large, format)
        if way is ORCHESTRATED:
            assert "○ approve-refund RequestApproval → approval left out" in lines(bank, small)
        else:
            assert not starting(lines(bank, large), "✓ on CreditReserved aml", "▶ on CreditReserved aml")
        assert f"refund: {small} 0.01 completed" in lines(bank, payment_id)
        assert f"refund of: {payment_id}" in lines(bank, small)


@both_flows
def test_what_came_in_between_and_afterwards_is_told(way: Way, tmp_path: Path) -> None:
    """A wish to cancel with its answer, money that came back, a person's evidence."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        returned, silent, held = bank.pay("TEST-RETURN-MD07"), bank.pay("TEST-SILENT"), bank.pay(name=DOUBTFUL)
        bank.rest()
        bank.cancel(held)
        bank.pass_time(200)
        assert any("BookReturn" in line and line.startswith("✓") for line in lines(bank, returned))
        stopped = lines(bank, held)
        assert any("StopExecution" in line and line.startswith("✓") for line in stopped)
        assert starting(stopped, "CancelPayment")
        assert any("ExecutePayment" in line and line.startswith("▶") for line in lines(bank, silent))
        bank.settle(silent, executed=False)
        found = lines(bank, silent)
        assert any("ExecutePayment" in line and line.startswith("✕") for line in found)
        assert starting(found, "PaymentNeedsAttention: AB05", "SettleExecution not executed: the bank said so") == [
            line for line in found if line.startswith(("PaymentNeeds", "Settle"))
        ]


@both_flows
def test_a_hold_and_what_ended_it_stand_with_the_step(way: Way, tmp_path: Path) -> None:
    """And who paused it, and let it go on."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        bank.cell.tell("payment", PauseSaga(payment_id=payment_id, by="Ada", reason="a look"), payment_id=payment_id)
        assert "paused by Ada: a look" in drawn(bank, payment_id)
        assert any("ScreenBeneficiary" in line and line.startswith("▶") for line in lines(bank, payment_id))
        bank.decide(payment_id, "clear")
        bank.cell.tell("payment", ResumeSaga(payment_id=payment_id, by="Ada", reason="seen"), payment_id=payment_id)
        bank.until_status(payment_id, "completed")
        found = lines(bank, payment_id)
        at = next(at for at, line in enumerate(found) if "ScreenBeneficiary" in line)
        assert [line.split()[1] for line in found[at + 1 : at + 3]] == ["BeneficiaryHeld", "BeneficiaryCleared"]
        assert starting(found, "Pause", "Decide", "Resume") == [
            "PauseSaga, Ada: a look", "DecideReview clear: looked at the passport", "ResumeSaga, Ada: seen"
        ]  # fmt: skip


def test_a_chains_picture_has_what_this_payment_met(tmp_path: Path) -> None:
    """The whole chain fits on no screen; what might have come of a reaction is there, faintly."""
    with Bank(tmp_path, CHOREOGRAPHED) as bank:
        bank.open_account()
        picture = drawn(bank, bank.pay("TEST-REJECT-AC04"), "svg")
        assert "PaymentExecuted" in picture
        assert "PostDebit" not in picture
        assert picture.index("VoidDebit") > picture.index("ExecutePayment")


def test_a_word_that_was_refused_is_told_with_why(tmp_path: Path) -> None:
    """Nobody may take a migration that was refused for one that was made."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        wish = MigrateSaga(payment_id=payment_id, to="guarded@1", by="Ada", reason="limits for all")
        bank.cell.tell("payment", wish, payment_id=payment_id)
        (found,) = starting(lines(bank, payment_id), "MigrateSaga")
        assert found.startswith("MigrateSaga guarded@1, Ada: limits for all (refused: ")
        assert "is another workflow" in found


@both_flows
def test_a_step_that_waits_for_a_person_has_taken_no_time_yet(way: Way, tmp_path: Path) -> None:
    """The time until it was held says nothing of how long it waits."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        (held,) = [line for line in drawn(bank, payment_id).splitlines() if line.startswith("▶")]
        assert not re.search(r"\d (ms|s|min)\b", held)
        bank.pass_time(60)
        bank.decide(payment_id, "clear")
        bank.until_status(payment_id, "completed")
        (cleared,) = [line for line in drawn(bank, payment_id).splitlines() if "ScreenBeneficiary" in line]
        assert re.search(r"\b6\d\.\d s\b", cleared)
