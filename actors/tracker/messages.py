"""What the Tracker says: only that a payment has come to a halt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Event, Tick
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStalled(Event):
    """Nobody answered the payment's last message within its deadline; `reason.text` names what is missing."""

    unheard: ClassVar[str] = "for operators: what is missing, nobody can react to"
    progress: ClassVar[str | None] = "needs_attention"

    payment_id: str
    last_message: str
    missing: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepDeadlines(Tick):
    """It is time to look for payments whose deadline has passed."""
