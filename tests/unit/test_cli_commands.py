"""What each command asks of the system, what it says, and how it ends; over a fake client and made-up stores."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.admin.command import error_of
from actors.admin.command_line import sentence
from actors.aml.messages import DecideReview, LoadWatchlist, ReviewDecided, ReviewRefused, WatchlistLoaded
from actors.directory.messages import Replay, Subscribed, SubscriptionRefused
from actors.disbursement.messages import (
    BatchRegistered,
    CancellationRefused,
    CancellationTaken,
    CancelPayment,
    OrderRefused,
    PaymentAccepted,
    RefundPayment,
    RegisterBatch,
    SubmitPayment,
)
from actors.execution.messages import ExecutionSettled, SettleExecution, SettlementRefused
from actors.gateway.client import NoAnswer
from actors.ledger.messages import AccountOpened, AccountRefused, DepositMoney, MoneyDeposited, OpenAccount
from actors.messaging.system_messages import (
    ActorKilled,
    Busy,
    DeadLettersDone,
    DropDeadLetter,
    KillActor,
    RetryDeadLetters,
)
from actors.payment.faults import BadWorkflow
from actors.runtime.retries import Retries
from actors.vocabulary.money import Money
from actors.vocabulary.slots import slot_in, slot_of
from tests.fakes.desk import Desk
from tests.fakes.runtime_tables import saying
from tests.fakes.stores import keep_payment, open_store

PAYMENT = "P1-05"
PAY = ["pay", "--debtor", "ACC-1", "--creditor", "Somebody", "--creditor-account", "TEST-OK"]
PAY += ["--amount", "12.50", "--currency", "EUR"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with an empty data directory."""
    return Desk(tmp_path)


def with_payment(desk: Desk, status: str, reason: str | None = None) -> Desk:
    """The desk, with one payment in the stores."""
    session = open_store(desk.data)
    keep_payment(session, PAYMENT, status, reason)
    session.commit()
    session.close()
    desk.client.waited_status = status
    desk.client.answers[SubmitPayment] = lambda order: PaymentAccepted(
        payment_id=PAYMENT, idempotency_key=order.idempotency_key
    )
    return desk


# Accounts


def test_an_account_is_opened_in_minor_units_where_it_belongs(desk: Desk) -> None:
    """The slot is that of the account's id."""
    desk.client.answers[OpenAccount] = AccountOpened(account_id="ACC-1", currency="EUR")
    assert desk.run("account", "open", "ACC-1", "--currency", "EUR", "--deposit", "10.5", "--overdraft", "3") == 0
    target, slot, message = desk.client.asked[0]
    assert (target, slot) == ("ledger", slot_of("ACC-1"))
    assert (message.deposit, message.overdraft) == (1050, 300)
    assert desk.client.closed


def test_what_the_ledger_refuses_is_a_failure_with_its_sentence(desk: Desk) -> None:
    """Its words, not ours."""
    desk.client.answers[OpenAccount] = AccountRefused(account_id="ACC-1", error="it is open with other terms")
    assert desk.run("account", "open", "ACC-1", "--currency", "EUR") == 1
    assert desk.err == "paysaga: it is open with other terms\n"


def test_a_bad_amount_never_reaches_the_ledger(desk: Desk) -> None:
    """And the sentence says what to write."""
    assert desk.run("account", "open", "ACC-1", "--currency", "EUR", "--deposit", "1.234") == 1
    assert "decimals of EUR" in desk.err
    assert not desk.client.asked


def test_loading_accounts_takes_good_lines_and_reports_bad_ones(desk: Desk, tmp_path: Path) -> None:
    """A file with one bad line is not sent back whole."""
    file = tmp_path / "accounts.csv"
    file.write_text("account_id,currency,deposit\nA,EUR,1\nB,XXX,1\nC,EUR,2\n")

    def answer(command: OpenAccount) -> Any:
        if command.account_id == "C":
            return AccountRefused(account_id="C", error="not this one")
        return AccountOpened(account_id=command.account_id, currency=command.currency)

    desk.client.answers[OpenAccount] = answer
    document = desk.json("account", "load", str(file))
    assert document["opened"] == 1
    assert [line["line"] for line in document["refused"]] == [3, 4]
    assert "line 4: not this one" in desk.err


def test_a_deposit_without_a_key_gets_one_that_is_printed_before(desk: Desk) -> None:
    """Whoever is not sure whether it went through repeats it with that key."""
    open_store(desk.data).close()
    desk.client.answers[DepositMoney] = ConnectionError("gone")
    assert desk.run("account", "deposit", "ACC-1", "5", "--currency", "EUR") == 1
    assert f"--key {desk.asked.deposit_id}" in desk.err


def test_a_deposit_is_in_the_currency_given(desk: Desk) -> None:
    """Or else in the account's."""
    open_store(desk.data).close()
    desk.client.answers[DepositMoney] = MoneyDeposited(deposit_id="d", account_id="ACC-1")
    assert desk.run("account", "deposit", "ACC-1", "--amount", "5", "--currency", "JPY", "--key", "d") == 0
    assert desk.asked.amount == Money(5, "JPY")


# Paying


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [
        ("completed", 0),
        ("rejected", 3),
        ("cancelled", 3),
        ("returned", 3),
        ("held", 4),
        ("needs_attention", 4),
        ("executing", 4),
    ],
)
def test_waiting_for_a_payment_ends_with_what_became_of_it(desk: Desk, status: str, exit_status: int) -> None:
    """Scripts decide by the exit status alone."""
    with_payment(desk, status, "NARR")
    assert desk.run(*PAY, "--key", "k", "--wait") == exit_status
    assert desk.client.waited == [PAYMENT]


def test_without_waiting_an_accepted_payment_is_success(desk: Desk) -> None:
    """Whatever becomes of it."""
    with_payment(desk, "rejected", "AM04")
    assert desk.run(*PAY, "--key", "k") == 0
    assert not desk.client.waited


def test_a_payment_as_json_has_the_documented_fields(desk: Desk) -> None:
    """One document, with the names of the interface."""
    document = with_payment(desk, "rejected", "AM04").json(*PAY, "--key", "k")
    assert set(document) == {
        "paused",
        "payment_id", "idempotency_key", "duplicate", "status", "reason", "reason_text", "flow", "workflow",
        "workflow_version", "batch_id", "end_to_end_id", "uetr", "debtor_account", "creditor", "remittance", "amount",
        "currency", "created_at", "updated_at", "refund_of", "refunds", "execution_date",
    }  # fmt: skip
    assert set(document["creditor"]) == {"name", "account", "country", "email", "date_of_birth"}
    assert (document["reason"], document["amount"]) == ("AM04", "12.50")


def test_a_refund_is_asked_for_where_its_payment_lives(desk: Desk) -> None:
    """In the payment's currency; waited for, it ends with what became of the refund."""
    with_payment(desk, "completed")
    desk.client.answers[RefundPayment] = PaymentAccepted(payment_id=PAYMENT, idempotency_key="k")
    line = ("refund", PAYMENT, "--amount", "2.5", "--reason", "it came back", "--key", "k", "--flow", "choreographed")
    assert desk.run(*line, "--wait") == 0
    target, slot, message = desk.client.asked[0]
    assert (target, slot) == ("disbursement", slot_in(PAYMENT))
    assert message == RefundPayment(
        idempotency_key="k", refund_of=PAYMENT, amount=Money(250, "EUR"), reason="it came back", flow="choreographed"
    )
    assert set(desk.json(*line)) >= {"payment_id", "status", "duplicate", "refund_of", "refunds"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((PAYMENT, "--reason", " "), "reason is empty"),
        ((PAYMENT, "--reason", "x", "--amount", "0"), "must be more than zero"),
        (("P9-00", "--reason", "x"), "there is no payment P9-00"),
    ],
)
def test_a_refund_that_can_not_be_is_not_asked_for(desk: Desk, more: tuple[str, ...], says: str) -> None:
    """One sentence, before anything is sent."""
    with_payment(desk, "completed")
    assert desk.run("refund", *more) == 1
    assert says in desk.err
    assert not desk.client.asked


def test_a_known_key_is_called_a_duplicate(desk: Desk) -> None:
    """The same payment, not a second one."""
    with_payment(desk, "completed")
    desk.client.answers[SubmitPayment] = PaymentAccepted(payment_id=PAYMENT, idempotency_key="k", duplicate=True)
    assert desk.json(*PAY, "--key", "k")["duplicate"] is True


def test_a_key_is_made_and_printed_before_anything_is_sent(desk: Desk) -> None:
    """Whatever happens then, the order can be repeated without paying twice."""
    desk.client.answers[SubmitPayment] = KeyboardInterrupt()
    assert desk.run(*PAY) == 130
    assert desk.asked.idempotency_key in desk.err.splitlines()[0]
    assert desk.asked.idempotency_key in desk.err.splitlines()[1]


def test_an_order_with_a_form_error_is_not_sent(desk: Desk) -> None:
    """The form is checked here as it is there."""
    line = [*PAY, "--country", "XX", "--key", "k"]
    assert desk.run(*line) == 1
    assert "creditor_country" in desk.err
    assert not desk.client.asked


def test_a_refused_order_is_a_failure(desk: Desk) -> None:
    """A conflict of keys, say."""
    desk.client.answers[SubmitPayment] = OrderRefused(idempotency_key="k", error="another order has this key")
    assert desk.run(*PAY, "--key", "k") == 1
    assert desk.err == "paysaga: another order has this key\n"


# Files

HEADER = "idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency\n"


def orders(tmp_path: Path, *lines: str) -> str:
    """An order file."""
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return str(path)


def test_checking_a_file_sends_nothing(desk: Desk, tmp_path: Path) -> None:
    """It needs no running system."""
    file = orders(tmp_path, "k1,A,Somebody,TEST-OK,1.50,EUR", "k2,A,Somebody,TEST-OK,2,EUR")
    document = desk.json("submit", file, "--check")
    assert document == {"batch_id": None, "sums": {"EUR": "3.50"}, "accepted": 2, "duplicates": 0, "refused": []}
    assert not desk.client.asked


def test_a_bad_line_fails_the_command_and_the_good_ones_are_taken(desk: Desk, tmp_path: Path) -> None:
    """The exit status says that somebody has to look."""
    file = orders(
        tmp_path, "k1,A,Somebody,TEST-OK,1.50,EUR", "k2,A,Somebody,TEST-OK,-2,EUR", "k3,A,Other,TEST-OK,1,EUR"
    )
    desk.client.answers[RegisterBatch] = BatchRegistered(batch_id="B")

    def answer(order: SubmitPayment) -> Any:
        if order.idempotency_key == "k3":
            return OrderRefused(idempotency_key="k3", error="conflict", conflict=True)
        return PaymentAccepted(payment_id=PAYMENT, idempotency_key=order.idempotency_key)

    desk.client.answers[SubmitPayment] = answer
    assert desk.run("submit", file) == 1
    document = desk.json("submit", file)
    assert (document["accepted"], document["sums"]) == (1, {"EUR": "1.50"})
    assert [line["line"] for line in document["refused"]] == [3, 4]
    assert "line 3: amount '-2' must be more than zero" in desk.err


def test_the_same_file_is_the_same_batch(desk: Desk, tmp_path: Path) -> None:
    """Submitting it again repeats every order under its key, and names the same batch."""
    file = orders(tmp_path, "k1,A,Somebody,TEST-OK,1.50,EUR")
    desk.client.answers[RegisterBatch] = BatchRegistered(batch_id="B")
    desk.client.answers[SubmitPayment] = PaymentAccepted(payment_id=PAYMENT, idempotency_key="k1", duplicate=True)
    first, second = desk.json("submit", file), desk.json("submit", file)
    assert first == second
    assert first["batch_id"].startswith("B")
    assert (first["accepted"], first["duplicates"]) == (0, 1)
    assert desk.asked.batch_id == first["batch_id"]


@pytest.mark.parametrize(
    ("statuses", "exit_status"),
    [(["completed"], 0), (["completed", "rejected"], 3), (["rejected", "held"], 4), (["returned", "completed"], 3)],
)
def test_waiting_for_a_file_says_the_worst_of_its_payments(
    desk: Desk, tmp_path: Path, statuses: list[str], exit_status: int
) -> None:
    """What needs a person weighs more than what was not paid."""
    session = open_store(desk.data)
    for number, status in enumerate(statuses):
        keep_payment(session, f"P{number}-00", status)
    session.commit()
    session.close()
    desk.client.answers[RegisterBatch] = BatchRegistered(batch_id="B")
    desk.client.answers[SubmitPayment] = lambda order: PaymentAccepted(
        payment_id=f"P{order.idempotency_key}-00", idempotency_key=order.idempotency_key
    )
    file = orders(tmp_path, *(f"{number},A,Somebody,TEST-OK,1,EUR" for number in range(len(statuses))))
    assert desk.run("submit", file, "--wait", "--json") == exit_status
    assert sum(json.loads(desk.out)["by_status"].values()) == len(statuses)


def test_a_file_that_is_none_is_named(desk: Desk, tmp_path: Path) -> None:
    """Missing, of another kind, or with another header."""
    assert desk.run("submit", str(tmp_path / "absent.csv")) == 1
    assert "absent.csv" in desk.err
    (tmp_path / "a.txt").write_text("x")
    assert desk.run("submit", str(tmp_path / "a.txt")) == 1
    assert ".ndjson" in desk.err


# Looking


def test_csv_and_json_at_once_are_wrong_usage(desk: Desk) -> None:
    """A script that asked for one of them would choke on the other."""
    open_store(desk.data).close()
    assert desk.run("payments", "--csv", "--json") == 2
    assert "either --csv or --json" in desk.err


def test_payments_are_listed_as_a_table_as_csv_and_as_json(desk: Desk) -> None:
    """For people, for spreadsheets, for programs."""
    with_payment(desk, "rejected", "AM04")
    assert desk.run("payments") == 0
    assert PAYMENT in desk.out
    assert "\x1b" not in desk.out
    assert desk.run("payments", "--csv") == 0
    header, line = desk.out.splitlines()
    assert header.startswith("payment_id,idempotency_key,status,reason")
    assert line.startswith(f"{PAYMENT},key-{PAYMENT},rejected,AM04")
    assert [payment["payment_id"] for payment in desk.json("payments")["payments"]] == [PAYMENT]
    assert desk.json("payments", "--status", "completed") == {"payments": []}


def test_payments_of_all_cells_are_one_list_with_the_newest_first(desk: Desk) -> None:
    """Nobody needs to know which cell has which."""
    for number in range(4):
        session = open_store(desk.data, f"cell-{number % 2}")
        keep_payment(session, f"P{number}-00", "completed")
        session.commit()
        session.close()
    listed = desk.json("payments", "--limit", "3")["payments"]
    assert [payment["payment_id"] for payment in listed] == ["P3-00", "P2-00", "P1-00"]


def test_a_payment_that_does_not_exist_is_a_failure(desk: Desk) -> None:
    """With a sentence, not an empty page."""
    with_payment(desk, "completed")
    assert desk.run("payment", "P9-00") == 1
    assert desk.err.startswith("paysaga: there is no payment P9-00")


def test_where_nothing_is_stored_reading_says_so(desk: Desk) -> None:
    """And how to start."""
    for line in (["payments"], ["account", "list"], ["verify"], ["batch", "list"], ["review", "list"]):
        assert desk.run(*line) == 1
        assert "python system.py start" in desk.err


def test_looking_at_empty_stores_shows_that_there_is_nothing(desk: Desk) -> None:
    """An empty list is an answer."""
    open_store(desk.data).close()
    for line in (
        "payments",
        "batch list",
        "lists list",
        "review list",
        "dead-letters list",
        "directory",
        "account list",
    ):
        assert desk.run(*line.split()) == 0, line
        assert desk.out.strip(), line
        assert desk.json(*line.split())


# Overload


def test_pay_without_patience_says_busy_and_when_to_come_again(desk: Desk) -> None:
    """Nothing was taken: the same key may be given again, and the sentence says how."""
    desk.client.answers[SubmitPayment] = Busy(retry_after_ms=750, reason="too much is waiting for cell-0")
    assert desk.run(*PAY, "--key", "K-1") == 1
    assert desk.err.startswith("paysaga: busy, retry after 750 ms (too much is waiting for cell-0): nothing was taken")
    assert "--key K-1" in desk.err


def test_submit_says_that_it_was_slowed_down(desk: Desk, tmp_path: Path) -> None:
    """It waits as it was told, and takes all orders; somebody who watches should know why it takes long."""
    with_payment(desk, "completed")
    desk.client.answers[RegisterBatch] = BatchRegistered(batch_id="B1")
    desk.client.busy = [Busy(retry_after_ms=750, reason="too much is waiting for cell-0")] * 2
    orders = tmp_path / "orders.csv"
    orders.write_text(
        "idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency\nk1,ACC-1,Ann,TEST-OK,1.00,EUR\n"
    )
    assert desk.run("submit", str(orders)) == 0
    assert "the system was busy: it asked 2 times to come again later" in desk.err


# Operators


def test_a_cancelled_payment_is_success(desk: Desk) -> None:
    """The wish went to the payment's own slot, and was waited for."""
    with_payment(desk, "cancelled", "CUST")
    desk.client.answers[CancelPayment] = CancellationTaken(payment_id=PAYMENT)
    assert desk.json("cancel", PAYMENT, "--reason", "mistake") == {"payment_id": PAYMENT, "status": "cancelled"}
    assert desk.client.asked[0][:2] == ("disbursement", 5)


def test_a_payment_at_the_bank_cannot_be_cancelled(desk: Desk) -> None:
    """The refusal's own words, exit 1."""
    desk.client.answers[CancelPayment] = CancellationRefused(payment_id=PAYMENT, error="already at the bank")
    assert desk.run("cancel", PAYMENT, "--reason", "mistake") == 1
    assert desk.err == "paysaga: already at the bank\n"


def test_an_id_that_is_none_of_ours_is_not_sent(desk: Desk) -> None:
    """There is no slot to ask."""
    for line in (["cancel", "nope"], ["settle", "nope", "--executed"], ["review", "clear", "nope"]):
        assert desk.run(*line, "--reason", "x") == 1
        assert "nope" in desk.err
    assert not desk.client.asked


def test_a_settlement_says_which_way(desk: Desk) -> None:
    """Executed or not; one of the two has to be given."""
    desk.client.answers[SettleExecution] = lambda command: ExecutionSettled(
        payment_id=command.payment_id, executed=command.executed
    )
    assert desk.json("settle", PAYMENT, "--executed", "--reason", "seen")["executed"] is True
    assert desk.json("settle", PAYMENT, "--not-executed", "--reason", "asked")["executed"] is False
    desk.client.answers[SettleExecution] = SettlementRefused(payment_id=PAYMENT, error="it is not in doubt")
    assert desk.run("settle", PAYMENT, "--executed", "--reason", "x") == 1
    assert desk.err == "paysaga: it is not in doubt\n"


@pytest.mark.parametrize("decision", ["clear", "block"])
def test_a_review_is_decided_where_its_case_lives(desk: Desk, decision: str) -> None:
    """The case's id carries the slot."""
    open_store(desk.data).close()
    desk.client.answers[DecideReview] = ReviewDecided(case_id="C1-07", payment_id=PAYMENT, decision=decision)
    assert desk.run("review", decision, "C1-07", "--reason", "known") == 0
    target, slot, message = desk.client.asked[0]
    assert (target, slot, message.decision, message.reason) == ("aml", 7, decision, "known")
    desk.client.answers[DecideReview] = ReviewRefused(case_id="C1-07", error="there is no such case")
    assert desk.run("review", decision, "C1-07", "--reason", "known") == 1


def test_a_list_is_copied_into_the_data_directory_and_put_in_force(desk: Desk, tmp_path: Path) -> None:
    """A restart finds it there, whatever becomes of the file."""
    file = tmp_path / "own.csv"
    file.write_text("entry_id,name\n1,Viktor Blockov\n")
    desk.client.answers[LoadWatchlist] = WatchlistLoaded(name="own", version="v", entries=1)
    assert desk.run("lists", "load", str(file)) == 0
    copy = Path(desk.asked.path)
    assert copy.is_relative_to(desk.data / "watchlists")
    assert copy.read_text() == file.read_text()


def test_a_list_that_cannot_be_read_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    """It is refused before the system is asked."""
    file = tmp_path / "own.csv"
    file.write_text("who,knows\n")
    assert desk.run("lists", "load", str(file)) == 1
    assert "own.csv" in desk.err
    assert not desk.client.asked


def test_dead_letters_are_retried_one_or_all_and_dropped_with_a_reason(desk: Desk) -> None:
    """Naming neither one nor all is wrong usage."""
    desk.client.answers[RetryDeadLetters] = DeadLettersDone(count=1)
    desk.client.answers[DropDeadLetter] = DeadLettersDone(count=1)
    assert desk.run("dead-letters", "retry", "D1") == 0
    assert desk.asked.ids == ("D1",)
    assert desk.run("dead-letters", "retry", "--all") == 0
    assert desk.asked.ids == ()
    assert desk.run("dead-letters", "retry", "--cause", "KeyError: …") == 0
    assert (desk.asked.ids, desk.asked.cause) == ((), "KeyError: …")
    assert desk.run("dead-letters", "retry") == 2
    assert desk.run("dead-letters", "retry", "D1", "--all") == 2
    assert desk.run("dead-letters", "drop", "D1", "--reason", "obsolete") == 0
    desk.client.answers[RetryDeadLetters] = DeadLettersDone(count=0)
    assert desk.run("dead-letters", "retry", "D1") == 1


def test_a_retry_that_a_cell_does_not_answer_reports_what_the_others_took_up(desk: Desk) -> None:
    """Their share goes on; the operator gives the command again for the rest."""
    done = (DeadLettersDone(count=7, waiting=3),)
    desk.client.answers[RetryDeadLetters] = NoAnswer("no answer to RetryDeadLetters within 30 s", done)
    assert desk.json("dead-letters", "retry", "--all") == {"retried": 7, "waiting": 3}
    assert desk.run("dead-letters", "retry", "--all") == 1
    assert "what other cells have taken up goes on" in desk.err


def test_dead_letters_are_listed_by_cause_with_a_sample(desk: Desk) -> None:
    """Ten thousand letters of one defect are one line, whatever ids are in their words."""
    session = open_store(desk.data)
    retries = Retries(session)
    for at, cause in enumerate(("KeyError: 'ACC-1'", "KeyError: 'ACC-2'", "ValueError: no")):
        moment = datetime(2030, 1, 1, 12, at, tzinfo=UTC)
        retries.bury(f"D{at}", "speaker", saying(str(at), payment_id="P1"), now=moment, attempts=3, cause=cause)
    session.commit()
    session.close()
    document = desk.json("dead-letters", "list", "--limit", "2")
    assert [(group["cause"], group["count"]) for group in document["groups"]] == [
        ("Say at speaker: KeyError: …", 2),
        ("Say at speaker: ValueError: no", 1),
    ]
    assert document["groups"][0]["sample"] == {"id": "D0", "payment_id": "P1", "cause": "KeyError: 'ACC-1'"}
    assert document["groups"][0]["first_at"] < document["groups"][0]["last_at"]
    assert (document["number"], len(document["dead_letters"])) == (3, 2)
    assert desk.run("dead-letters", "list") == 0
    assert "KeyError: …" in desk.out


def test_a_replay_is_asked_of_every_cell(desk: Desk) -> None:
    """A refusal is a failure with its sentence."""
    desk.client.answers[Replay] = Subscribed(subscriber="tracker", event_types=(), offset=3)
    assert desk.run("directory", "replay", "tracker", "--from", "3") == 0
    assert (desk.asked.subscriber, desk.asked.from_offset) == ("tracker", 3)
    desk.client.answers[Replay] = SubscriptionRefused(subscriber="ledger", error="the ledger is not replayable")
    assert desk.run("directory", "replay", "ledger", "--from", "3") == 1
    assert desk.err == "paysaga: the ledger is not replayable\n"


def test_a_drill_kills_a_process_or_an_actor_by_its_name(desk: Desk) -> None:
    """A name of neither is a failure that lists the processes."""
    desk.client.controls = {"status": {"cells": [{"name": "cell-0"}]}, "kill": {"killed": "cell-0", "pid": 7}}
    assert desk.json("kill", "cell-0")["kind"] == "process"
    desk.client.answers[KillActor] = lambda command: ActorKilled(name=command.name, found=command.name != "nobody")
    assert desk.json("kill", "ledger")["kind"] == "actor"
    assert desk.run("kill", f"payment/{PAYMENT}") == 0
    assert desk.client.asked[-1][:2] == ("actors@cell-0", 5)
    assert desk.run("kill", "nobody") == 1
    assert "cell-0, gateway" in desk.err


# Lifecycle


def test_stopping_what_does_not_run_is_success(desk: Desk) -> None:
    """`stop` is about how things are afterwards."""
    assert desk.json("stop") == {"state": "stopped", "was_running": False, "data": str(desk.data)}
    assert desk.run("stop", "--now") == 0


def test_the_status_of_what_does_not_run_is_a_failure_with_a_document(desk: Desk) -> None:
    """A script sees `stopped`, a person what to type."""
    assert desk.json("status")["state"] == "stopped"
    assert desk.run("status") == 1
    assert "python system.py start" in desk.err


def test_a_data_directory_that_is_a_file_is_refused(desk: Desk, tmp_path: Path) -> None:
    """In one sentence."""
    desk.data = tmp_path / "file"
    desk.data.write_text("")
    assert desk.run("start") == 1
    assert desk.err.count("\n") == 1
    assert "is a file" in desk.err


def test_a_data_directory_of_a_newer_program_is_refused(desk: Desk) -> None:
    """Before anything in it is touched."""
    (desk.data / "partitions.json").write_text('{"format": 99}')
    assert desk.run("start") == 1
    assert "newer program" in desk.err
    assert not (desk.data / "run").exists()


def test_a_wrong_setting_starts_nothing(desk: Desk) -> None:
    """The sentence names it."""
    assert desk.run("start", "--set", "ledger.hold=1") == 1
    assert desk.err.startswith("paysaga: setting ledger.hold does not exist")
    assert not (desk.data / "run").exists()


# Workflows


def test_workflows_and_chains_are_listed_shown_and_drawn_from_the_code(desk: Desk) -> None:
    """Every order of steps in both flows."""
    names = {each["name"] for each in desk.json("workflow", "list")["workflows"]}
    assert {"debit-first", "screen-first", "refund"} <= names
    assert {"choreographed-debit-first", "choreographed-screen-first", "choreographed-refund"} <= names
    (shown,) = desk.json("workflow", "show", "debit-first")["workflows"]
    assert shown["steps"][0]["name"] == "debit-account"
    (chain,) = desk.json("workflow", "show", "choreographed-screen-first")["workflows"]
    assert {"publisher": "aml", "event": "BeneficiaryCleared", "reactor": "ledger", "command": "DebitAccount"} in chain[
        "reactions"
    ]
    assert desk.run("workflow", "show") == 0
    for name in names:
        assert desk.run("workflow", "diagram", name, "--format", "svg") == 0
        assert desk.out.startswith("<svg")
        assert desk.run("workflow", "diagram", name, "--format", "mermaid") == 0
        assert desk.run("workflow", "diagram", name, "--format", "bpmn") == 0
        assert "<bpmndi:BPMNDiagram" in desk.out
    assert (
        desk.run("workflow", "diagram", "debit-first@1", "--format", "svg", "--output", str(desk.data / "a.svg")) == 0
    )
    assert (desk.data / "a.svg").read_text("utf-8").startswith("<svg")
    assert desk.run("workflow", "diagram", "debit-first", "--output", str(desk.data / "no" / "a.svg")) == 1
    assert "name another file" in desk.err
    assert desk.run("workflow", "diagram", "debit-first@9") == 1
    assert desk.run("diagram", "P9-00") == 1
    assert desk.run("workflow", "lint") == 0
    assert desk.json("workflow", "lint") == {"ok": True, "findings": []}
    rows = desk.json("workflow", "diff", "debit-first", "screen-first")["rows"]
    assert [row["left"] for row in rows if row["what"] == "moved"]
    assert desk.run("workflow", "diff", "debit-first", "choreographed-debit-first") == 1
    assert desk.run("workflow", "diagram", "--format", "svg") == 2
    assert desk.run("workflow", "show", "nothing") == 1


@pytest.mark.parametrize(
    "line",
    [
        [*PAY, "--key", ""],
        ["account", "deposit", "ACC-1", "5", "--key="],
        ["account", "deposit", "ACC-1", "5", "--amount", "6"],
        ["cancel", PAYMENT, "--reason", ""],
        ["cancel", PAYMENT, "--reason", "a\x1b[31m"],
        ["settle", PAYMENT, "--executed", "--reason", "r" * 501],
        ["payments", "--limit", "99999999999999999999"],
    ],
)
def test_what_can_only_be_a_mistake_is_wrong_usage_and_nothing_is_sent(desk: Desk, line: list[str]) -> None:
    """An unset variable must not pay twice, and nobody's terminal is painted by a stored reason."""
    assert desk.run(*line) == 2
    assert desk.client.asked == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (OrderRefused(idempotency_key="k", error="account ACC-9 is not known"), "account ACC-9 is not known"),
        (
            AccountOpened(account_id="ACC-1", currency="EUR"),
            "which this program can't take: run the one that the system",
        ),
    ],
)
def test_an_answer_that_is_not_understood_says_what_to_do(reply: Any, words: str) -> None:
    """A program older than the system that it speaks to is run by mistake; the class alone tells nobody."""
    assert words in error_of(reply)


def test_a_wrong_workflow_is_told_in_its_own_words() -> None:
    """Whoever has just changed the workflow is to correct it, not to look for a fault of the program."""
    assert sentence(BadWorkflow("large-payment leaves out a case")) == "large-payment leaves out a case"
