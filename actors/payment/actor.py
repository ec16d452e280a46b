"""The Payment service: starts one saga per payment, and passes on a person's wish to stop it. Holds nothing."""

from __future__ import annotations

from actors.payment.messages import CancelSaga, StartSaga
from actors.payment.saga import PREFIX
from actors.runtime.service import Service, Turn


class Payment(Service):
    """Reacts to what starts and stops orchestrated payments (`workflow.REACTIONS`)."""

    name = "payment"

    def _start(self, command: StartSaga, turn: Turn) -> None:
        turn.send(PREFIX + command.order.payment_id, command)

    def _cancel(self, command: CancelSaga, turn: Turn) -> None:
        turn.send(PREFIX + command.payment_id, command)

    handlers = {StartSaga: _start, CancelSaga: _cancel}
