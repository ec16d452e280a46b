"""What Payment and its sagas take; the payment process itself speaks the services' messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Tick
from actors.vocabulary.order import PaymentOrder


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
