"""What Replication takes; nobody reacts to what it does: its work is another database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Task
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatePayment(Command):
    """The payment has ended with `status` (or needs attention): copy it. Copying again changes nothing."""

    status: str
    order: PaymentOrder
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPayment:
    """One payment as it is to stand in the reporting database, unless a newer copy stands there.

    `version` orders the copies of one payment: it is its event's number in the log, the same in every repeat.
    `at` is when the event was heard, in microseconds since 1970.
    """

    status: str
    order: PaymentOrder
    reason: Reason | None
    version: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPayments(Task):
    """Write these payments, those of one turn, into the reporting database."""

    logged: ClassVar[bool] = False  # no part of any payment's story

    copies: tuple[CopyPayment, ...]
