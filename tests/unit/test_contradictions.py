"""What a person reads when facts contradict each other: what was heard and what was known, and no class."""

from __future__ import annotations

import re
from typing import Any

import pytest

from actors.messaging.message import Message
from actors.payment.engine import advance
from actors.payment.model import COMPENSATING, COMPLETED, FORWARD, HALTED, REJECTED, RETURNING, State
from actors.payment.workflow import DEBIT_FIRST
from actors.vocabulary.reason import Reason
from tests.fakes.payment_answers import CONTRADICTED, EXECUTED, IN_DOUBT, RETURN, STOPPED
from tests.fakes.payment_answers import REJECTED as REFUSED
from tests.fakes.workflow_script import NOW, an_order

SCREEN, EXECUTE, POST = 1, 2, 3
WHY = Reason("AC04", "account closed")
LATER = {"waiting": "2030-01-01T00:10:00+00:00", "tries": 2}


@pytest.mark.parametrize(
    ("phase", "step", "more", "message", "sentence"),
    [
        (FORWARD, SCREEN, {}, EXECUTED, "execute-payment is done, … the payment has only come to screen-beneficiary"),
        (COMPENSATING, 0, {"reason": WHY}, EXECUTED,
         "execute-payment is done, … the payment is being undone, at debit-account"),
        (REJECTED, 0, {"reason": WHY}, EXECUTED, "execute-payment is done, … the payment is rejected"),
        (FORWARD, EXECUTE, LATER, EXECUTED,
         "execute-payment is done, … the payment waits before execute-payment is tried again, since it was refused"),
        (FORWARD, EXECUTE, LATER, IN_DOUBT, "execute-payment is in doubt, … the payment waits before execute-payment"),
        (FORWARD, EXECUTE, {"answered": True, "stopping": "cancelled", "reason": WHY}, STOPPED,
         "the payment is stopped before the hand-over, … the payment was executed already"),
        (FORWARD, POST, {}, REFUSED, "execute-payment is refused, … the payment has gone on to post-debit"),
        (COMPLETED, 4, {}, REFUSED, "execute-payment is refused, … the payment is completed"),
        (RETURNING, 4, {"return_id": "R1", "return_reason": WHY}, REFUSED,
         "execute-payment is refused, … the payment was paid, and its money is coming back"),
        (FORWARD, SCREEN, {}, RETURN, "its money comes back, … the payment has only come to screen-beneficiary"),
        (HALTED, EXECUTE, {}, RETURN, "its money comes back, … the payment is halted, since facts contradict"),
        (FORWARD, SCREEN, {}, CONTRADICTED,
         "the bank corrects itself, … the payment has only come to screen-beneficiary: now it says otherwise"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_in_a_sentence(
    phase: str, step: int, more: dict[str, Any], message: Message, sentence: str
) -> None:
    """Whoever reads it decides about money, and knows neither the code nor its classes."""
    state = State(an_order(), phase, step, 1, **more)
    decision = advance(DEBIT_FIRST.route(state.order), state, message, NOW)
    told: Any = next(event for event in decision.events if event.progress == "needs_attention")
    assert told.reason.text.startswith(sentence.replace("…", "which contradicts that"))
    assert not re.search(r"\b[A-Z][a-z]+[A-Z]", told.reason.text), "a class is named"
