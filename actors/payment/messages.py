"""What Payment and its sagas take; the payment process itself speaks the services' messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from actors.messaging.message import Command, Event, Reply, Tick
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSaga(Command):
    """Drive this payment from its first step to its end. The same again changes nothing."""

    logged: ClassVar[bool] = False  # the event that it comes of says the same

    order: PaymentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSaga(Command):
    """A person wants the payment stopped; `PaymentCancelled` or `CancellationRefused` follows."""

    payment_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimedOut(Tick):
    """No answer in time to try number `attempt` of what the saga calls `step`.

    A tick that names another step or attempt than the saga waits for is stale and means nothing.
    """

    step: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPostponed(Event):
    """Nothing is asked of anybody `until` then: the payment waits for its date, or to try `step` again."""

    unheard: ClassVar[str] = "people see it in the timeline; the saga's own timer goes on"
    progress: ClassVar[str | None] = "held"

    payment_id: str
    step: str
    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseSaga(Command):
    """Send nothing more for this payment, in either flow; what arrives is kept in order until `ResumeSaga`.

    Answered by `SagaSteered` or `SteeringRefused`, as the others that steer.
    """

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    by: str = ""
    reason: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeSaga(Command):
    """Take what has gathered while the payment was paused, and go on."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    by: str = ""
    reason: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySaga(Command):
    """Do at once what would be tried again later: the command without answer, parked messages, dead letters.

    Where the payment is in doubt the bank is asked, and nothing is executed again.
    """

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    by: str = ""
    reason: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartSaga(Command):
    """Send the commands again from `step` on, one at or before the step where the payment stands."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    step: str
    by: str = ""
    reason: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateSaga(Command):
    """Let the payment go on under the version `to` (`NAME@V`) of its workflow, if that is safe where it stands."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    to: str
    by: str = ""
    reason: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerSaga(Command):
    """What Payment passes on to a saga: one of `actors.vocabulary.operators.ACTIONS`, for whoever `asks`."""

    logged: ClassVar[bool] = False  # the person's own command says the same

    payment_id: str
    action: str
    argument: str
    by: str
    reason: str
    asks: str  # who hears what became of it


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaSteered(Reply):
    """Done; `done` is the sentence that says what."""

    payment_id: str
    action: str
    done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringRefused(Reply):
    """Nothing was done; `error` is the sentence to show."""

    payment_id: str
    action: str
    error: str
