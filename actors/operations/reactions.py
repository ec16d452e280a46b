"""What Operations asks of other services for each action, and what it makes of their answers, in both flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On, Reactions
from actors.disbursement.messages import CancellationRefused, CancellationTaken, CancelPayment, PaymentCancelled
from actors.execution.messages import ExecutionSettled, SettleExecution, SettlementRefused
from actors.messaging.message import Command, Message
from actors.messaging.system_messages import Failed
from actors.operations.messages import EndItem
from actors.operations.model import ASKED, FAILED, REFUSED, SUCCEEDED, Job
from actors.payment.messages import (
    MigrateSaga,
    PauseSaga,
    RestartSaga,
    ResumeSaga,
    RetrySaga,
    SagaSteered,
    SteeringRefused,
)
from actors.vocabulary.operators import CANCEL, MIGRATE, PAUSE, RESTART, RESUME, RETRY, SETTLE


class Ask(NamedTuple):
    """Which service does it, and the command for one payment."""

    to: str
    command: Callable[[str, Job], Command]


class Heard(NamedTuple):
    """What an answer says of the items of its payment: the action (of any), their state, and a sentence."""

    payment_id: str
    action: str
    state: str
    text: str


def cancel(payment_id: str, job: Job) -> CancelPayment:
    """Stop it before the bank has it."""
    return CancelPayment(payment_id=payment_id, reason=job.reason, by=job.people, job_id=job.job_id)


def settle(payment_id: str, job: Job) -> SettleExecution:
    """A person's evidence for a payment in doubt."""
    executed = job.argument == "executed"
    return SettleExecution(
        payment_id=payment_id, executed=executed, reason=job.reason, by=job.people, job_id=job.job_id
    )


def pause(payment_id: str, job: Job) -> PauseSaga:
    """Send nothing more for it."""
    return PauseSaga(payment_id=payment_id, by=job.people, reason=job.reason, job_id=job.job_id)


def resume(payment_id: str, job: Job) -> ResumeSaga:
    """Let it go on."""
    return ResumeSaga(payment_id=payment_id, by=job.people, reason=job.reason, job_id=job.job_id)


def retry(payment_id: str, job: Job) -> RetrySaga:
    """Do at once what would be tried again later."""
    return RetrySaga(payment_id=payment_id, by=job.people, reason=job.reason, job_id=job.job_id)


def restart(payment_id: str, job: Job) -> RestartSaga:
    """Send its commands again, from a step on."""
    return RestartSaga(
        payment_id=payment_id, step=job.argument, by=job.people, reason=job.reason, job_id=job.job_id
    )  # fmt: skip


def migrate(payment_id: str, job: Job) -> MigrateSaga:
    """Let it go on under another version of its workflow."""
    return MigrateSaga(payment_id=payment_id, to=job.argument, by=job.people, reason=job.reason, job_id=job.job_id)


ASKS: Final[Mapping[str, Ask]] = {
    CANCEL: Ask("disbursement", cancel),
    SETTLE: Ask("execution", settle),
    PAUSE: Ask("payment", pause),
    RESUME: Ask("payment", resume),
    RETRY: Ask("payment", retry),
    RESTART: Ask("payment", restart),
    MIGRATE: Ask("payment", migrate),
}


def _taken(reply: CancellationTaken) -> Heard:
    return Heard(reply.payment_id, CANCEL, ASKED, "")  # an event tells how it ends


def _not_cancelled(reply: CancellationRefused) -> Heard:
    return Heard(reply.payment_id, CANCEL, REFUSED, reply.error)


def _settled(reply: ExecutionSettled) -> Heard:
    return Heard(reply.payment_id, SETTLE, SUCCEEDED, f"settled as {'executed' if reply.executed else 'not executed'}")


def _not_settled(reply: SettlementRefused) -> Heard:
    return Heard(reply.payment_id, SETTLE, REFUSED, reply.error)


def _steered(reply: SagaSteered) -> Heard:
    return Heard(reply.payment_id, reply.action, SUCCEEDED, reply.done)


def _not_steered(reply: SteeringRefused) -> Heard:
    return Heard(reply.payment_id, reply.action, REFUSED, reply.error)


ANSWERS: Final[Mapping[type[Message], Callable[[Any], Heard]]] = {
    CancellationTaken: _taken,
    CancellationRefused: _not_cancelled,
    ExecutionSettled: _settled,
    SettlementRefused: _not_settled,
    SagaSteered: _steered,
    SteeringRefused: _not_steered,
}

# By the name of the command, since that is what a failure tells.
_ACTIONS: Final = {
    "CancelPayment": CANCEL, "SettleExecution": SETTLE, "PauseSaga": PAUSE, "ResumeSaga": RESUME, "RetrySaga": RETRY,
    "RestartSaga": RESTART, "MigrateSaga": MIGRATE,
}  # fmt: skip


def failed(payment_id: str, failure: Failed) -> Heard:
    """The command is in the dead letters; retried from there, its answer still counts."""
    action = _ACTIONS.get(failure.failed_type, "")
    return Heard(payment_id, action, FAILED, f"{failure.failed_type} failed: {failure.cause}")


def cancelled(event: PaymentCancelled) -> EndItem:
    """The wish was granted."""
    return EndItem(payment_id=event.order.payment_id, action=CANCEL, state=SUCCEEDED, text="cancelled")


def not_cancelled(event: CancellationRefused) -> EndItem:
    """It was not."""
    return EndItem(payment_id=event.payment_id, action=CANCEL, state=REFUSED, text=event.error)


REACTIONS: Reactions = {
    ANY_ORDER: (
        On(PaymentCancelled, EndItem, cancelled, flows=BOTH_FLOWS),
        On(CancellationRefused, EndItem, not_cancelled, flows=BOTH_FLOWS),
    ),
}
