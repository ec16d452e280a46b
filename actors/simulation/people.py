"""What takes people is not done without them, and nothing goes on that they have paused; seen after every commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.approval.messages import ApprovalGranted, RequestApproval
from actors.approval.model import GRANTED
from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.system_messages import PaymentPaused, PaymentResumed
from actors.simulation.cells import Violation
from actors.store.session import Row
from actors.vocabulary.operators import same_person

APPROVAL: Final = "SELECT status FROM approvals WHERE payment_id = ?"
AGREED: Final = "SELECT said_by FROM approval_words WHERE approval_id = ? AND approve = 1 ORDER BY at"
SAGA: Final = "payment/"
# What a saga says of people's wishes, and the runtime of what it could not take: nothing is done by it.
ANSWERS: Final = ("SagaSteered", "SteeringRefused", "Failed", "ReactionFailed")

Rows = Callable[..., list[Row]]


class People:
    """`where` gives the store in which a service keeps a payment; `needed` people approve unless others are asked."""

    def __init__(self, where: Callable[[str, str], Rows], needed: int) -> None:
        self._where = where
        self._needed = needed
        self._asked: dict[str, int] = {}  # approval: how many people it takes
        self._paused: set[str] = set()  # orchestrated payments

    def hear(self, envelope: Envelope) -> None:
        """One line of a log, in its order."""
        message: Any = envelope.message
        kind, payment_id = type(message), envelope.payment_id
        if kind is RequestApproval:
            self._asked[message.approval_id] = message.approvals or self._needed
        elif kind is ApprovalGranted:
            self._granted(message.approval_id, payment_id)
        if envelope.sender[: len(SAGA)] != SAGA or envelope.kind == TIMER:
            return
        if kind is PaymentResumed:
            self._paused.discard(payment_id)
        elif payment_id in self._paused and kind.__name__ not in ANSWERS:
            raise Violation(f"it is paused, and its saga says {kind.__name__}", payment_id)
        elif kind is PaymentPaused:
            self._paused.add(payment_id)

    def instructed(self, payment_id: str) -> None:
        """A bank gets the payment's instruction: whoever had to agree has agreed."""
        for (status,) in self._where("approval", payment_id)(APPROVAL, payment_id):
            if status != GRANTED:
                raise Violation(f"instructed, and its approval is {status}", payment_id)

    def _granted(self, approval_id: str, payment_id: str) -> None:
        needed = self._asked.get(approval_id, self._needed)
        people: list[str] = []
        for (name,) in self._where("approval", payment_id)(AGREED, approval_id):
            if not any(same_person(name, other) for other in people):
                people.append(name)
        if len(people) < needed:
            raise Violation(f"approved by {', '.join(people) or 'nobody'}, and needs {needed}", payment_id)
