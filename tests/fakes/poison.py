"""Cells in which some messages end the process, as a defect in a C library would, or never end themselves: for one
test's own hosting.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors import assembly
from actors.disbursement.actor import Disbursement
from actors.disbursement.messages import StartPayment, SubmitPayment
from actors.execution.actor import Execution
from actors.execution.messages import QueryDue, RailAnswered
from actors.runtime.core import CellCore

SUBMIT, START, ANSWER, TICK = "POISON-SUBMIT", "POISON-START", "POISON-ANSWER", "POISON-TICK"  # as remittance
ENDLESS = "ENDLESS"  # likewise: the handler never returns


def build_cell(name: str, data: Path, incarnation: int) -> CellCore:
    """The core of a cell as it is, but for what is poisonous in it."""

    def remittance(service: Any, payment_id: str) -> str:
        entry = service.store.load(payment_id)
        return entry.recorded_command().remittance if entry else ""

    poison(Disbursement, SubmitPayment, lambda _, message, turn: message.remittance == SUBMIT)
    poison(Disbursement, StartPayment, lambda _, message, turn: message.order.remittance == START)
    poison(Execution, RailAnswered, lambda me, _, turn: remittance(me, turn.envelope.payment_id) == ANSWER)
    poison(Execution, QueryDue, lambda me, message, _: remittance(me, message.payment_id) == TICK)
    poison(Execution, RailAnswered, lambda me, _, turn: remittance(me, turn.envelope.payment_id) == ENDLESS, _loop)
    return assembly.build_cell(name, data, incarnation)


def _die() -> None:
    os._exit(9)


def _loop() -> None:
    while True:
        pass


def poison(service: Any, message_type: type, is_poison: Any, harm: Callable[[], None] = _die) -> None:
    """Let the handler do `harm` at a message that `is_poison`."""
    handler = service.handlers[message_type]

    def poisoned(self: Any, message: Any, turn: Any) -> None:
        if is_poison(self, message, turn):
            harm()
        handler(self, message, turn)

    service.handlers = {**service.handlers, message_type: poisoned}
