"""What Operations asks of other services for each action, and what it makes of their answers, in both flows.

What only the Payment service does stands in `steering.py`: where that service is absent, so are its actions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

from actors.disbursement.messages import CancellationRefused, CancellationTaken, CancelPayment
from actors.execution.messages import ExecutionSettled, SettleExecution, SettlementRefused
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.operations.model import ASKED, FAILED, REFUSED, SUCCEEDED, Ask, Heard, Job
from actors.vocabulary.operators import CANCEL, SETTLE


def cancel(payment_id: str, job: Job) -> CancelPayment:
    """Stop it before the bank has it."""
    return CancelPayment(payment_id=payment_id, reason=job.reason, by=job.people, job_id=job.job_id)


def settle(payment_id: str, job: Job) -> SettleExecution:
    """A person's evidence for a payment in doubt."""
    executed = job.argument == "executed"
    return SettleExecution(
        payment_id=payment_id, executed=executed, reason=job.reason, by=job.people, job_id=job.job_id
    )


def _taken(reply: CancellationTaken) -> Heard:
    return Heard(reply.payment_id, CANCEL, ASKED, "")  # an event tells how it ends


def _not_cancelled(reply: CancellationRefused) -> Heard:
    return Heard(reply.payment_id, CANCEL, REFUSED, reply.error)


def _settled(reply: ExecutionSettled) -> Heard:
    return Heard(reply.payment_id, SETTLE, SUCCEEDED, f"settled as {'executed' if reply.executed else 'not executed'}")


def _not_settled(reply: SettlementRefused) -> Heard:
    return Heard(reply.payment_id, SETTLE, REFUSED, reply.error)


_STEERING: Final[Any] = importlib.import_module("actors.operations.steering") if find_spec("actors.payment") else None

ASKS: Final[Mapping[str, Ask]] = {
    CANCEL: Ask("disbursement", cancel),
    SETTLE: Ask("execution", settle),
    **(_STEERING.ASKS if _STEERING else {}),
}
ANSWERS: Final[Mapping[type[Message], Callable[[Any], Heard]]] = {
    CancellationTaken: _taken,
    CancellationRefused: _not_cancelled,
    ExecutionSettled: _settled,
    SettlementRefused: _not_settled,
    **(_STEERING.ANSWERS if _STEERING else {}),
}

# By the name of the command, since that is what a failure tells.
_ACTIONS: Final = {
    "CancelPayment": CANCEL, "SettleExecution": SETTLE, **(_STEERING.ACTIONS if _STEERING else {}),
}  # fmt: skip


def failed(payment_id: str, failure: Failed) -> Heard:
    """The command is in the dead letters; retried from there, its answer still counts."""
    action = _ACTIONS.get(failure.failed_type, "")
    return Heard(payment_id, action, FAILED, f"{failure.failed_type} failed: {failure.cause}")
