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
class CopyPayment(Task):
    """Write the payment into the reporting database, unless a newer copy stands there.

    `version` orders the copies of one payment: it is the moment, in microseconds since 1970, at which its
    event was first heard, the same in every repeat.
    """

    logged: ClassVar[bool] = False  # no part of the payment's story

    status: str
    order: PaymentOrder
    reason: Reason | None
    version: int
