"""What Operations asks of the Payment service: to pause, resume, retry, restart and migrate payments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.messaging.message import Message
from actors.operations.model import REFUSED, SUCCEEDED, Ask, Heard, Job
from actors.payment.messages import (
    MigrateSaga,
    PauseSaga,
    RestartSaga,
    ResumeSaga,
    RetrySaga,
    SagaSteered,
    SteeringRefused,
)
from actors.vocabulary.operators import MIGRATE, PAUSE, RESTART, RESUME, RETRY


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


def _steered(reply: SagaSteered) -> Heard:
    return Heard(reply.payment_id, reply.action, SUCCEEDED, reply.done)


def _not_steered(reply: SteeringRefused) -> Heard:
    return Heard(reply.payment_id, reply.action, REFUSED, reply.error)


ASKS: Final[Mapping[str, Ask]] = {
    PAUSE: Ask("payment", pause),
    RESUME: Ask("payment", resume),
    RETRY: Ask("payment", retry),
    RESTART: Ask("payment", restart),
    MIGRATE: Ask("payment", migrate),
}
ANSWERS: Final[Mapping[type[Message], Callable[[Any], Heard]]] = {
    SagaSteered: _steered,
    SteeringRefused: _not_steered,
}
ACTIONS: Final = {
    "PauseSaga": PAUSE, "ResumeSaga": RESUME, "RetrySaga": RETRY, "RestartSaga": RESTART, "MigrateSaga": MIGRATE,
}  # fmt: skip
