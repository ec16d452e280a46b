"""A refusal (a rule said no) is never retried; a failure (nobody knows) is: shown for every handler there is."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import assembly
from actors.aml.messages import DecideReview, LoadWatchlist, WatchlistRefused
from actors.directory.messages import Replay
from actors.disbursement.messages import CancelPayment
from actors.execution.messages import StopExecution
from actors.ledger.messages import (
    DebitAccount,
    DepositMoney,
    OpenAccount,
    PostDebit,
    ReserveCredit,
    VoidCredit,
    VoidDebit,
)
from actors.messaging import codec
from actors.messaging.envelope import HERE, Envelope, kind_of
from actors.messaging.message import Message
from actors.messaging.system_messages import DropDeadLetter
from actors.operations.messages import StartJob
from actors.payment.messages import RestartSaga
from actors.runtime.core import CellCore, Hosting
from actors.runtime.inputs import Inputs
from actors.runtime.service import CellContext, Observed, Service, Turn
from actors.store.placement import spread
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from config.settings import Settings
from tests.fakes.bank import BLOCKED, DOUBTFUL, WAYS, Bank

EUR = Money(1_000, "EUR")
REASON = Reason("NARR", "because")
Refuse = Callable[[Bank, str], Message]  # told a completed payment


def void_refunded(bank: Bank, paid: str) -> Message:
    """The money is back already."""
    refund_id = bank.refund(paid)
    bank.until_status(refund_id, "completed")
    return bank.post("ledger", VoidCredit(credit_id=refund_id, reason=REASON, ending="rejected"), refund_id)


# What is refused, and how: one line for each rule that can say no.
REFUSALS: dict[str, tuple[str, Refuse]] = {
    "an order without a creditor": (
        "OrderRefused",
        lambda bank, _: bank.cell.tell("disbursement", bank.order(name="")),
    ),
    "a key with two contents": ("OrderRefused", lambda bank, _: two_orders_of_one_key(bank)),
    "cancelling what is unknown": (
        "CancellationRefused",
        lambda bank, _: bank.cell.tell("disbursement", CancelPayment(payment_id="P0-00", reason="x")),
    ),
    "an account of two currencies": (
        "AccountRefused",
        lambda bank, _: bank.cell.tell("ledger", OpenAccount(account_id="ACC-1", currency="JPY", deposit=0)),
    ),
    "closing an account with money": ("AccountRefused", lambda bank, _: bank.close_account("ACC-1")),
    "closing an unknown account": ("AccountRefused", lambda bank, _: bank.close_account("ACC-0")),
    "a deposit on an unknown account": ("AccountRefused", lambda bank, _: bank.deposit("ACC-0", 1)),
    "a deposit of nothing": ("AccountRefused", lambda bank, _: bank.deposit("ACC-1", 0)),
    "a deposit id with two contents": ("AccountRefused", lambda bank, _: two_deposits_of_one_id(bank)),
    "a debit of an unknown account": ("DebitRefused", lambda bank, _: debit(bank, "P1-01", "ACC-0", EUR)),
    "a debit in another currency": ("DebitRefused", lambda bank, _: debit(bank, "P1-02", "ACC-1", Money(1, "JPY"))),
    "a debit without cover": ("DebitRefused", lambda bank, _: debit(bank, "P1-03", "ACC-1", Money(10**12, "EUR"))),
    "a debit of nothing": ("DebitRefused", lambda bank, _: debit(bank, "P1-04", "ACC-1", Money(0, "EUR"))),
    "a debit of another amount than before": (
        "DebitRefused",
        lambda bank, paid: debit(bank, paid, "ACC-1", Money(7, "EUR")),
    ),
    "posting a debit never made": (
        "PostingRefused",
        lambda bank, _: bank.post("ledger", PostDebit(debit_id="P1-05"), "P1-05"),
    ),
    "voiding what is posted": (
        "VoidRefused",
        lambda bank, paid: bank.post("ledger", VoidDebit(debit_id=paid, reason=REASON, ending="rejected"), paid),
    ),
    "stopping what is at the bank": (
        "StopRefused",
        lambda bank, paid: bank.post(
            "execution", StopExecution(instruction_id=paid, reason=REASON, ending="cancelled"), paid
        ),
    ),
    "settling what is in no doubt": ("SettlementRefused", lambda bank, paid: bank.settle(paid, executed=True)),
    "deciding an unknown case": ("ReviewRefused", lambda bank, paid: decide(bank, paid, "C0-00", "clear")),
    "a decision that is none": ("ReviewRefused", lambda bank, _: decide_held(bank, "perhaps")),
    "deciding twice": ("ReviewRefused", lambda bank, _: decide_held(bank, "clear", "block")),
    "a watchlist that is none": (
        "WatchlistRefused",
        lambda bank, _: load_nothing(bank),
    ),
    "a replay to nobody": (
        "SubscriptionRefused",
        lambda bank, _: bank.cell.tell("directory", Replay(subscriber="nobody", from_offset=1)),
    ),
    "reserving more than was paid": (
        "CreditRefused",
        lambda bank, paid: bank.post(
            "ledger", ReserveCredit(credit_id="P1-06", debit_id=paid, amount=Money(10**9, "EUR")), "P1-06"
        ),
    ),
    "voiding a credit that is posted": ("CreditVoidRefused", void_refunded),
    "approving what nobody asked about": ("ApprovalRefused", lambda bank, paid: bank.approve(paid, "Ada")),
    "restarting from no step": (
        "SteeringRefused",
        lambda bank, paid: bank.cell.tell(
            "payment", RestartSaga(payment_id=paid, step="nowhere", by="Ada", reason="x"), payment_id=paid
        ),
    ),
    "a job that does nothing": (
        "JobRefused",
        lambda bank, _: bank.cell.tell(
            "operations", StartJob(job_id="J1", action="nothing", by="Ada", reason="x", total=1)
        ),
    ),
    "dropping no dead letter": (
        "DeadLettersDone",
        lambda bank, _: bank.cell.tell("dead-letters", DropDeadLetter(id="D0", reason="x")),
    ),
}
# Refusals that nobody is answered with: a rule of the bank's, or of the mail server's.
BY_OTHERS = {"MailRefused"}


def two_orders_of_one_key(bank: Bank) -> Message:
    """The second has another amount."""
    bank.cell.tell("disbursement", bank.order(amount=1, idempotency_key="twice"))
    return bank.cell.tell("disbursement", bank.order(amount=2, idempotency_key="twice"))


def two_deposits_of_one_id(bank: Bank) -> Message:
    """The second has another amount."""
    bank.cell.tell("ledger", DepositMoney(deposit_id="twice", account_id="ACC-1", amount=Money(1, "EUR")))
    return bank.cell.tell("ledger", DepositMoney(deposit_id="twice", account_id="ACC-1", amount=Money(2, "EUR")))


def load_nothing(bank: Bank) -> Message:
    """A list that isn't there; the answer comes when the worker has looked."""
    bank.cell.post("aml", LoadWatchlist(name="x", path=str(bank.data / "none.csv"), source="none.csv"))
    bank.cell.until(lambda: any(isinstance(reply.message, WatchlistRefused) for reply in bank.cell.replies))
    return bank.cell.replies[-1].message


def debit(bank: Bank, debit_id: str, account: str, amount: Money) -> Message:
    """Hold money."""
    command = DebitAccount(debit_id=debit_id, account_id=account, amount=amount, expires_after=timedelta(days=1))
    return bank.post("ledger", command, debit_id)


def decide(bank: Bank, payment_id: str, case_id: str, decision: str) -> Message:
    """A person's decision."""
    return bank.post(
        "aml", DecideReview(case_id=case_id, decision=decision, reason="x", payment_id=payment_id), payment_id
    )


def decide_held(bank: Bank, *decisions: str) -> Message:
    """Decisions about one held payment, one after the other; the last answer."""
    payment_id = bank.pay(name=DOUBTFUL)
    case_id = bank.case(payment_id)
    return [decide(bank, payment_id, case_id, decision) for decision in decisions][-1]


@pytest.fixture(scope="module", params=WAYS[:3:2], ids=str)
def bank(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A bank of one flow, with an account and a payment that has been made."""
    one = Bank(tmp_path_factory.mktemp("bank"), request.param)
    one.open_account()
    yield one
    one.cell.close()


def untried(bank: Bank) -> tuple[int, int, int]:
    """How many messages failed, wait for another try, were given up."""
    report = bank.cell.core.report()
    return report["failures"], report["parked"], len(bank.letters())


@pytest.mark.parametrize("rule", REFUSALS)
def test_a_refusal_reaches_no_retry(bank: Bank, rule: str) -> None:
    """Asking again would bring the same answer; whoever asked has it, and nothing failed."""
    name, refuse = REFUSALS[rule]
    paid = bank.pay()
    bank.until_status(paid, "completed")
    answer = refuse(bank, paid)
    assert type(answer).__name__ == name
    assert untried(bank) == (0, 0, 0)


def test_a_payment_that_is_refused_on_its_way_reaches_no_retry(bank: Bank) -> None:
    """Sanctioned, without cover, of an unknown account, rejected at the bank: facts that end it."""
    ended = [
        bank.pay(name=BLOCKED),
        bank.pay(amount=10**12),
        bank.pay(debtor_account="ACC-0"),
        bank.pay("TEST-REJECT-AC04"),
    ]
    for payment_id in ended:
        bank.until_status(payment_id, "rejected")
    completed = bank.pay()
    bank.until_status(completed, "completed")
    bank.cancel(completed)
    bank.rest()
    assert bank.status(completed) == "completed"
    assert untried(bank) == (0, 0, 0)


def test_every_refusal_that_there_is_has_its_line_here() -> None:
    """A rule that is added says no here, too, or this list is no proof."""
    assembly.load_messages()
    known = {
        name
        for name, cls in codec.type_names.items()
        if name.endswith("Refused") and cls.__module__.startswith("actors.")
    }
    assert known - {name for name, _ in REFUSALS.values()} - BY_OTHERS == set()


# Failures

FAULTS = [KeyError("P01-2f"), ZeroDivisionError("division by zero"), AttributeError("None"), OSError(5, "I/O error")]


SIMPLE: dict[Any, Any] = {
    str: "x",
    int: 1,
    float: 1.0,
    bool: True,
    bytes: b"",
    dict: {},
    timedelta: timedelta(seconds=1),
    date: date(2030, 1, 1),
    datetime: datetime(2030, 1, 1, tzinfo=UTC),
    Money: EUR,
    Any: None,
}


def made_up(kind: Any) -> Any:
    """Some value of a type, as a message's field has it."""
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return None if type(None) in arguments else made_up(arguments[0])
    if origin is not None:
        return arguments[0] if origin is typing.Literal else origin()
    if kind in SIMPLE:
        return SIMPLE[kind]
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: made_up(hints[field.name]) for field in dataclasses.fields(kind)})


def every_handler() -> list[tuple[str, type[Service], type[Message]]]:
    """Each service's name (a saga's: one of its own) with each message that it handles.

    The log's lines are left out: an observer that can't take one has it buried at once, for a person to retry.
    """
    assembly.load_messages()
    places = [(service.name, service) for service in assembly.services()]
    places += [(f"{prefix}P1-00", member) for prefix, member, _ in assembly.families()]
    return [
        (name, service, message) for name, service in places for message in service.handlers if message is not Observed
    ]


def broken(service: type[Service], error: Exception) -> type[Service]:
    """The same service, each of whose handlers raises."""

    def fail(me: Service, message: Message, turn: Turn) -> None:
        raise error

    def prepare(me: Service, context: CellContext) -> None:
        """Nothing is needed for that."""

    body = {"handlers": dict.fromkeys(service.handlers, fail), "prepare": prepare, "observes": False}
    return type(service.__name__, (service,), body)


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_a_failure_of_any_handler_is_tried_again(tmp_path: Path, error: Exception) -> None:
    """Whatever the programming error, or the unknown: it may pass, and the message is not lost until it does."""
    handlers = every_handler()
    families = tuple((prefix, broken(member, error), parent) for prefix, member, parent in assembly.families())
    hosting = Hosting(tuple(broken(service, error) for service in assembly.services()), families)
    core = CellCore("cell-0", tmp_path, Settings(store={"synchronous": "OFF"}), spread(1), hosting)  # type: ignore[arg-type]
    core.open()
    try:
        envelopes = []
        for at, (name, _, message) in enumerate(handlers):
            sample = made_up(message)
            codec.register(message)
            envelopes.append(Envelope(f"m-{at}", sample, kind_of(sample), "tester", name, f"P{at}-00", slot=HERE))
        core._turns.run(Inputs(envelopes=envelopes, alone=True))
        core._session.begin()
        parked = core._session.all("SELECT actor, conversation, cause FROM parked WHERE conversation LIKE 'P%'")
        letters = core._session.all("SELECT count(*) FROM dead_letters")
        core._session.roll_back()
    finally:
        core.close()
    assert sorted(row[:2] for row in parked) == sorted((name, f"P{at}-00") for at, (name, _, _) in enumerate(handlers))
    assert {cause.partition(":")[0] for _, _, cause in parked} == {type(error).__name__}
    assert letters == [(0,)]
