"""The Payment service and its sagas as actors: what they keep, reload, send and refuse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.aml.messages import BeneficiaryHeld, ScreenBeneficiary
from actors.disbursement.messages import PaymentCompleted
from actors.execution.messages import ExecutePayment, PaymentExecuted, StopExecution
from actors.ledger.messages import DebitAccount, VoidDebit
from actors.messaging.envelope import ORCHESTRATED
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.payment.actor import Payment
from actors.payment.messages import CancelSaga, PauseSaga, StartSaga, SteerSaga, StepTimedOut
from actors.payment.saga import PaymentSaga, UnknownSaga, UnknownWorkflow
from actors.payment.store import SagaStore
from actors.payment.workflow import DEBIT_FIRST, REACTIONS
from actors.runtime.service import CellContext, Started
from config.settings import PaymentSettings, Settings
from tests.fakes import payment_answers as answers
from tests.fakes.turn import FakeTurn, ServiceBench
from tests.fakes.workflow_script import an_order

SAGA = "payment/P1-00"


class SagaBench(ServiceBench):
    """One saga over an in-memory store."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(PaymentSaga, settings)
        self.service.name = SAGA  # type: ignore[misc]

    def drop_the_actor(self) -> None:
        """As after an idle time, a failure or a kill: a new instance over the same table."""
        self.service = PaymentSaga()
        self.service.name = SAGA  # type: ignore[misc]
        self.service.prepare(CellContext("cell-0", Settings(), self.session, {}, frozenset()))

    def begin(self) -> FakeTurn:
        """A payment is requested."""
        return self.tell(StartSaga(order=an_order()))


def sent(turn: FakeTurn) -> list[tuple[str, type[Message]]]:
    """To whom what was sent."""
    return [(target, type(message)) for target, message in turn.sent]


def test_payment_starts_a_saga_of_the_payments_name() -> None:
    """The name carries the id; the runtime makes the actor."""
    turn = ServiceBench(Payment).tell(StartSaga(order=an_order()), sender="disbursement")
    assert turn.sent == [(SAGA, StartSaga(order=an_order()))]


def test_payment_passes_on_a_wish_to_cancel() -> None:
    """The saga knows how far the payment is."""
    turn = ServiceBench(Payment).tell(CancelSaga(payment_id="P1-00", reason="no"), sender="disbursement")
    assert turn.sent == [(SAGA, CancelSaga(payment_id="P1-00", reason="no"))]


def test_payment_notes_the_versions_that_its_cell_has() -> None:
    """Those that its sagas run on: not the shipped ones, where a cell was given others."""
    bench = ServiceBench(Payment, **{"payment.workflows": {("debit-first", 7): DEBIT_FIRST}})
    bench.tell(Started(downtime=timedelta()))
    assert bench.session.all("SELECT workflow, version FROM saga_versions") == [("debit-first", 7)]


def test_who_pauses_a_payment_in_the_turn_in_which_it_began_reaches_its_saga() -> None:
    """Its row is written when the turn ends; until then nothing in the store tells that it has one."""
    bench = ServiceBench(Payment)
    bench.tell(StartSaga(order=an_order()), sender="disbursement")
    turn = bench.tell(PauseSaga(payment_id="P1-00", by="Ada", reason="a look"), sender="operations")
    assert [(target, type(message)) for target, message in turn.sent] == [("payment/P1-00", SteerSaga)]
    bench.now += timedelta(seconds=1)
    later = bench.tell(PauseSaga(payment_id="P1-00", by="Ada", reason="a look"), sender="operations")
    assert not later.sent, "a turn that was given up leaves no saga"


def test_payment_reacts_to_orchestrated_payments_alone() -> None:
    """One payment never has two drivers."""
    assert [on.flows for on in REACTIONS["*"]] == [(ORCHESTRATED,), (ORCHESTRATED,)]
    assert {on.command for on in REACTIONS["*"]} <= set(Payment.handlers)


def test_a_saga_sends_the_first_command_and_sets_its_one_timer() -> None:
    """From the start on somebody is awaited."""
    turn = SagaBench().begin()
    assert sent(turn) == [("ledger", DebitAccount)]
    after, tick = turn.timers["step"]  # type: ignore[misc]
    assert (after.total_seconds(), tick) == (5, StepTimedOut(step="debit-account", attempt=1))


def test_a_saga_is_started_once() -> None:
    """A repeated start sends no second command, wherever the payment stands."""
    bench = SagaBench()
    bench.begin()
    bench.tell(answers.DEBITED)
    again = bench.begin()
    assert (again.sent, again.timers) == ([], {})
    assert sent(bench.tell(answers.CLEARED)) == [("execution", ExecutePayment)]


def test_a_saga_that_was_dropped_goes_on_from_its_row() -> None:
    """Killed after every single message, a payment ends the same."""
    bench = SagaBench()
    bench.begin()
    turn = None
    for answer in (answers.DEBITED, answers.HELD, answers.CLEARED, answers.IN_DOUBT, answers.EXECUTED, answers.POSTED):
        bench.drop_the_actor()
        turn = bench.tell(answer)
    assert turn is not None
    assert [type(event) for event in turn.published] == [PaymentCompleted]
    assert turn.timers == {"step": None}
    assert bench.session.all("SELECT phase FROM sagas") == [("completed",)]


@pytest.mark.parametrize(
    "history",
    [
        (answers.DEBITED, answers.HELD, CancelSaga(payment_id="P1-00", reason="no"), answers.CLEARED),
        (answers.DEBITED, answers.CLEARED, answers.RETURN, answers.EXECUTED, answers.POSTED),
        (answers.DEBITED, answers.CLEARED, answers.REJECTED, answers.EXECUTED),
        (answers.DEBITED, answers.BLOCKED, answers.VOID_REFUSED),
    ],
)
def test_the_row_says_all_that_the_saga_knows(history: tuple[Message, ...]) -> None:
    """Nothing lives in memory alone."""
    bench = SagaBench()
    bench.begin()
    for message in history:
        bench.tell(message)
    service: Any = bench.service
    assert SagaStore(bench.session).load("P1-00") == service._state


def test_an_answer_that_changes_nothing_writes_nothing() -> None:
    """Progress and repeats are free."""
    bench = SagaBench()
    bench.begin()
    writes: list[str] = []
    session: Any = bench.session
    session.write = lambda sql, parameters=(): writes.append(sql)
    turn = bench.tell(answers.NO_FUNDS.__class__(debit_id="P1-00", reason=answers.NO_FUNDS.reason))
    assert len(writes) == 1
    assert [event.progress for event in turn.published] == ["rejected"]
    bench.tell(answers.NO_FUNDS)
    bench.tell(answers.SUBMITTED)
    assert len(writes) == 1


def test_a_payment_of_an_unknown_version_is_a_clear_failure() -> None:
    """Rather than run it in another order of steps than it started with."""
    bench = SagaBench()
    with pytest.raises(UnknownWorkflow, match="debit-first version 7"):
        bench.tell(StartSaga(order=an_order(workflow_version=7)))
    assert bench.session.all("SELECT * FROM sagas") == []


def test_an_answer_for_a_payment_without_a_saga_is_a_clear_failure() -> None:
    """It belongs into the dead letters, where somebody sees it."""
    with pytest.raises(UnknownSaga, match="P1-00"):
        SagaBench().tell(answers.DEBITED)


def test_the_timeout_factor_of_the_settings_holds_for_every_step() -> None:
    """A slow environment is configured, not programmed."""
    turn = SagaBench(Settings(payment=PaymentSettings(timeout_factor=2))).begin()
    assert turn.timers["step"] is not None
    assert turn.timers["step"][0].total_seconds() == 10


def test_a_timeout_sends_the_very_same_command_again() -> None:
    """The same id: a repeat is harmless."""
    bench = SagaBench()
    first = bench.begin()
    again = bench.tell(StepTimedOut(step="debit-account", attempt=1))
    assert again.sent == first.sent
    assert again.timers["step"] is not None
    assert again.timers["step"][1] == StepTimedOut(step="debit-account", attempt=2)


def test_a_failed_command_is_compensated() -> None:
    """What the ledger could not handle is voided as if it had been done."""
    bench = SagaBench()
    bench.begin()
    turn = bench.tell(Failed(failed_message_id="m-1", failed_type="DebitAccount", cause="disk full"))
    assert sent(turn) == [("ledger", VoidDebit)]


def test_a_wish_to_cancel_asks_the_gate() -> None:
    """Execution alone knows whether the payment has been handed over."""
    bench = SagaBench()
    bench.begin()
    assert sent(bench.tell(answers.DEBITED)) == [("aml", ScreenBeneficiary)]
    turn = bench.tell(CancelSaga(payment_id="P1-00", reason="wrong amount"))
    assert sent(turn) == [("execution", StopExecution)]


def test_a_saga_takes_every_message_that_its_workflows_name() -> None:
    """A vocabulary without a handler would vanish."""
    assert {StartSaga, CancelSaga, StepTimedOut, Failed, BeneficiaryHeld, PaymentExecuted} <= set(PaymentSaga.handlers)
