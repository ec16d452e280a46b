"""Trying again after a refusal: under the next number, never while anything is open, never after a void."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from actors.execution.actor import Execution, instruction
from actors.execution.messages import (
    ACCEPTED,
    BY_QUERY,
    EXECUTED,
    REJECTED,
    RETURNED,
    UNKNOWN,
    ExecutionContradicted,
    ExecutionInDoubt,
    ExecutionRejected,
    PaymentExecuted,
    PaymentSubmitted,
    RailAnswered,
    SettleExecution,
    SubmitInstruction,
)
from actors.execution.rail import Submission
from actors.execution.simulated_rail import SimulatedRail
from actors.ledger import queries
from actors.ledger.actor import Ledger
from actors.ledger.messages import (
    AccountDebited,
    DebitAccount,
    DebitRefused,
    DepositMoney,
    OpenAccount,
    VoidDebit,
)
from actors.messaging.envelope import REPLY
from actors.messaging.message import Message
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.execution import PAY, PAYMENT
from tests.fakes.turn import FakeTurn, ServiceBench

AGAIN = replace(PAY, attempt=2)
SECOND = f"{PAYMENT}.2"
NO_COVER = Reason("AM04", "the cover for it is not there")
P1 = "P1-00"
DEBIT = DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(500, "EUR"))


@pytest.fixture
def ledger() -> ServiceBench:
    """A ledger with an account that has nothing yet."""
    bench = ServiceBench(Ledger)
    bench.tell(OpenAccount(account_id="ACC-1", currency="EUR"))
    return bench


@pytest.fixture
def execution() -> ServiceBench:
    """Execution, which has handed over a payment that the rail rejected."""
    bench = ServiceBench(Execution)
    bench.tell(PAY)
    says(bench, REJECTED)
    return bench


def debit(ledger: ServiceBench, attempt: int = 1) -> Message:
    """The answer to one attempt at the debit."""
    (answer,) = ledger.tell(replace(DEBIT, attempt=attempt)).answers
    return answer


def deposit(ledger: ServiceBench, amount: int = 500) -> None:
    """Money comes in."""
    ledger.tell(DepositMoney(deposit_id=f"D-{amount}", account_id="ACC-1", amount=Money(amount, "EUR")))


def says(bench: ServiceBench, verdict: str, instruction_id: str = PAYMENT, **more: str) -> FakeTurn:
    """The rail's word on one instruction."""
    reason = NO_COVER if verdict in (REJECTED, RETURNED) else None
    answer = RailAnswered(instruction_id=instruction_id, verdict=verdict, reason=reason, **more)
    return bench.tell(answer, sender="outbox/rail", kind=REPLY)


# -- the debit


def test_a_refused_debit_is_tried_anew_under_the_next_attempt_alone(ledger: ServiceBench) -> None:
    """The same number asks what was said; the next one asks whether it still holds."""
    assert isinstance(debit(ledger), DebitRefused)
    deposit(ledger)
    refused = debit(ledger)
    assert isinstance(refused, DebitRefused)
    assert (refused.reason.code, refused.attempt) == ("AM04", 1)
    turn = ledger.tell(replace(DEBIT, attempt=2))
    assert turn.answers == [AccountDebited(debit_id=P1)]
    assert f"expiry/{P1}" in turn.timers
    assert debit(ledger, 2) == debit(ledger, 1) == AccountDebited(debit_id=P1)
    account = queries.account(ledger.session, "ACC-1")
    assert account is not None
    assert account["pending"] == "5.00"
    assert list(queries.violations(ledger.session)) == []


def test_each_attempt_that_is_refused_says_which_one_it_was(ledger: ServiceBench) -> None:
    """A late answer to the first is not taken for one to the second."""
    for attempt in (1, 2, 3):
        refused = debit(ledger, attempt)
        assert isinstance(refused, DebitRefused)
        assert refused.attempt == attempt
    deposit(ledger)
    late = debit(ledger, 2)
    assert isinstance(late, DebitRefused), "an attempt that was overtaken holds no money"


def test_a_first_record_of_a_later_attempt_keeps_its_number(ledger: ServiceBench) -> None:
    """The first was lost; when it comes after all, it is answered from the record."""
    assert isinstance(debit(ledger, 3), DebitRefused)
    deposit(ledger)
    assert isinstance(debit(ledger, 1), DebitRefused)
    assert isinstance(debit(ledger, 4), AccountDebited)


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_after_a_void_no_attempt_holds_money(ledger: ServiceBench, asked: int) -> None:
    """Never made, refused or held before: what was given back stays given back."""
    if asked == 2:
        deposit(ledger)
    if asked:
        debit(ledger)
    ledger.tell(VoidDebit(debit_id=P1, reason=Reason("RR04", "on a watchlist")))
    deposit(ledger, 600)
    assert isinstance(debit(ledger, 2), DebitRefused)
    account = queries.account(ledger.session, "ACC-1")
    assert account is not None
    assert account["pending"] == "0.00"


def test_another_amount_is_no_further_attempt(ledger: ServiceBench) -> None:
    """One id stands for one debit, whatever its number."""
    debit(ledger)
    deposit(ledger)
    (refused,) = ledger.tell(replace(DEBIT, amount=Money(400, "EUR"), attempt=2)).answers
    assert isinstance(refused, DebitRefused)
    assert refused.reason.code == "NARR"


# -- the instruction


def test_after_a_proven_rejection_the_next_attempt_is_a_new_instruction(execution: ServiceBench) -> None:
    """Under an id of its own: the rail would answer the old one from its journal."""
    turn = execution.tell(AGAIN)
    ((outbox, task),) = turn.tasks
    assert outbox == "rail"
    assert isinstance(task, SubmitInstruction)
    assert task.instruction_id == SECOND
    assert f"query/{SECOND}" in turn.timers
    assert says(execution, ACCEPTED, SECOND).answers == [PaymentSubmitted(instruction_id=SECOND)]
    assert says(execution, EXECUTED, SECOND).answers == [PaymentExecuted(instruction_id=SECOND)]


def test_the_same_or_a_lower_attempt_is_answered_from_the_record(execution: ServiceBench) -> None:
    """With the number of the attempt that the answer is about."""
    first = ExecutionRejected(instruction_id=PAYMENT, reason=NO_COVER)
    assert execution.tell(PAY).answers == [first]
    execution.tell(AGAIN)
    turn = execution.tell(PAY)
    assert (turn.answers, turn.tasks) == ([first], [])
    assert execution.tell(AGAIN).tasks == []
    assert says(execution, REJECTED, SECOND).answers == [
        ExecutionRejected(instruction_id=SECOND, reason=NO_COVER, attempt=2)
    ]
    ((_, third),) = execution.tell(replace(PAY, attempt=3)).tasks
    assert isinstance(third, SubmitInstruction)
    assert third.instruction_id == f"{PAYMENT}.3"


@pytest.mark.parametrize("verdict", [None, ACCEPTED, UNKNOWN, EXECUTED])
def test_nothing_is_instructed_again_without_proof_of_a_rejection(verdict: str | None) -> None:
    """Else the rail could execute both."""
    bench = ServiceBench(Execution)
    bench.tell(PAY)
    if verdict:
        says(bench, verdict)
    assert bench.tell(AGAIN).tasks == []


def test_a_rejection_that_was_contradicted_is_no_proof(execution: ServiceBench) -> None:
    """A rail that rejects and then executes would be paid twice: now it is doubt, which only proof or a person ends."""
    assert isinstance(says(execution, EXECUTED).answers[0], ExecutionContradicted)
    turn = execution.tell(AGAIN)
    assert turn.tasks == []
    (doubt,) = turn.answers
    assert isinstance(doubt, ExecutionInDoubt)
    assert "it may have been paid and is not tried again" in doubt.reason.text
    settled = execution.tell(SettleExecution(payment_id=PAYMENT, executed=True, reason="statement"), sender="client/7")
    assert any(isinstance(each, PaymentExecuted) for each in settled.answers)


@pytest.mark.parametrize("verdict", [EXECUTED, RETURNED])
def test_a_late_contradiction_of_an_earlier_instruction_is_shown_once_and_books_nothing(
    execution: ServiceBench, verdict: str
) -> None:
    """The rail has executed what it had rejected, while the next instruction is there: a person must look."""
    execution.tell(AGAIN)
    more = {"return_id": "R-1"} if verdict == RETURNED else {}
    (shown,) = says(execution, verdict, **more).answers
    assert isinstance(shown, ExecutionContradicted)
    assert f"of {PAYMENT}, which it had rejected, and {SECOND} followed: it may be paid twice" in shown.reason.text
    assert says(execution, verdict, **more).answers == []
    executed, twice = says(execution, EXECUTED, SECOND).answers
    assert isinstance(executed, PaymentExecuted)
    assert isinstance(twice, ExecutionContradicted), "said again where the payment counts as paid"


@pytest.mark.parametrize("verdict", [REJECTED, ACCEPTED, UNKNOWN])
def test_an_earlier_instruction_repeated_says_nothing(execution: ServiceBench, verdict: str) -> None:
    """The rail's answer came twice, or late: it is what was believed."""
    execution.tell(AGAIN)
    turn = says(execution, verdict, source=BY_QUERY)
    assert (turn.answers, turn.tasks) == ([], [])


def test_a_query_of_an_earlier_instruction_asks_nothing_any_more(execution: ServiceBench) -> None:
    """Its timer went off as it was rejected; the next instruction has its own."""
    bench = ServiceBench(Execution)
    timer = bench.tell(PAY).timers[f"query/{PAYMENT}"]
    assert timer is not None
    says(bench, REJECTED)
    bench.tell(AGAIN)
    assert bench.tell(timer[1], kind="timer").tasks == []


# -- the simulated rail


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime.fromisoformat("2030-01-01T00:00:00+00:00")

    def now(self) -> datetime:
        """The moment."""
        return self.at


@pytest.fixture
def rail(tmp_path: Path) -> Iterator[SimulatedRail]:
    """One that answers at once."""
    rail = SimulatedRail(tmp_path / "rail.db", (0, 0), Clock().now, Random(1), synchronous="OFF")
    rail.open()
    yield rail
    rail.close()


def test_the_rail_that_rejects_once_executes_the_next_instruction(rail: SimulatedRail) -> None:
    """To try a policy by reason code out without a bank."""
    creditor = replace(PAY.creditor, account="TEST-REJECT-ONCE-TM01")
    verdicts = []
    for attempt in (1, 1, 2):
        task = instruction(replace(PAY, creditor=creditor, attempt=attempt))
        (answer,) = rail.submit([Submission(PAYMENT, task)])
        assert answer is not None
        verdicts.append((answer.verdict, answer.reason and answer.reason.code))
    assert verdicts == [(REJECTED, "TM01"), (REJECTED, "TM01"), (EXECUTED, None)]
