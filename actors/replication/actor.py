"""Replication: hands each end of a payment to the outbox whose worker writes it into another database."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from actors.messaging.codec import micros
from actors.replication.messages import CopyPayment, ReplicatePayment
from actors.replication.store import MIGRATIONS, ReplicationStore
from actors.runtime.service import CellContext, Service, Turn

REPLICA: Final = "replica"


class Replication(Service):
    """Reacts to the ends of payments, in both flows; payments don't wait for it."""

    name = "replication"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store."""
        self._store = ReplicationStore(context.session)
        self._enabled = context.settings.replication.enabled

    def replicate(self, command: ReplicatePayment, turn: Turn) -> None:
        """Hand the copy over; a repeat gets the version that the first one had."""
        if not self._enabled:
            return
        version = self._store.first_heard(turn.envelope.message_id, micros(turn.now))
        copy = CopyPayment(status=command.status, order=command.order, reason=command.reason, version=version)
        turn.hand_over(REPLICA, copy)

    handlers: ClassVar[Any] = {ReplicatePayment: replicate}
