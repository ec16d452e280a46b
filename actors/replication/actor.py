"""Replication: hands each end of a payment to the outbox whose worker writes it into another database."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from actors.messaging.codec import micros
from actors.replication.messages import CopyPayment, CopyPayments, ReplicatePayment
from actors.runtime.service import CellContext, Service, Turn

REPLICA: Final = "replica"


class Replication(Service):
    """Reacts to the ends of payments, in both flows; payments don't wait for it. A turn's copies go as one task."""

    name = "replication"

    def prepare(self, context: CellContext) -> None:
        """Nothing is stored here: what waits, waits in the outbox."""
        self._enabled = context.settings.replication.enabled
        self._copies: list[CopyPayment] = []

    def replicate(self, command: ReplicatePayment, turn: Turn) -> None:
        """Add the payment to this turn's copies; a repeat has the version that the first one had."""
        if not self._enabled:
            return
        self._copies.append(
            CopyPayment(
                status=command.status,
                order=command.order,
                reason=command.reason,
                version=_number_of(turn.envelope.message_id),
                at=micros(turn.now),
            )
        )
        turn.keep(self)

    def write_back(self, turn: Turn) -> None:
        """Hand the turn's copies over."""
        turn.hand_over(REPLICA, CopyPayments(copies=tuple(self._copies)))
        self._copies = []

    handlers: ClassVar[Any] = {ReplicatePayment: replicate}


def _number_of(message_id: str) -> int:
    """The event's number in its cell's log: a payment lives in one cell, so it orders the payment's events.

    >>> _number_of("cell-0.4711")
    4711
    """
    return int(message_id.rpartition(".")[2])
