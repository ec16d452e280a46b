"""A payment's journal as its saga saw it: what it was told, and in which order it took it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from actors.messaging.envelope import COMMAND, EVENT, OPERATOR, REPLY, TIMER, Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import PaymentPaused, PaymentResumed
from actors.payment.messages import PauseSaga, ResumeSaga, StepTimedOut
from actors.payment.replay import Line, Story, story

SAGA = "payment/P-1"


def told(*each: tuple[str, str, Message, str, str, str]) -> Story:
    """The story of lines of (id, kind, message, sender, target, cause), one a second."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    found = story(
        SAGA,
        [
            Line(
                (start + timedelta(seconds=number), "cell-0", number),
                Envelope(name, message, kind, sender, target, "P-1", cause),
            )
            for number, (name, kind, message, sender, target, cause) in enumerate(each)
        ],
    )
    assert found is not None
    return found


def tick(number: int) -> StepTimedOut:
    """Any message that tells one from another."""
    return StepTimedOut(step="debit-account", attempt=number)


PAUSE, RESUME = PauseSaga(payment_id="P-1"), ResumeSaga(payment_id="P-1")
PAUSED = PaymentPaused(payment_id="P-1", by="Ada", reason="to see")
RESUMED = PaymentResumed(payment_id="P-1", by="Ada", reason="seen")


def test_a_tick_is_told_to_a_saga_and_not_said_by_it() -> None:
    """A timer bears its owner's name as sender, and the cause of whatever set it."""
    found = told(
        ("m0", COMMAND, tick(0), SAGA, "ledger", "start"),
        ("m1", REPLY, tick(1), "ledger", SAGA, "m0"),
        ("m2", EVENT, tick(2), SAGA, "", "m1"),
        ("t1", TIMER, tick(3), SAGA, SAGA, "m1"),
        ("m3", COMMAND, tick(4), SAGA, "ledger", "t1"),
    )
    assert [(each.message, len(each.said)) for each in found.taken] == [(tick(1), 1), (tick(3), 1)]


def test_what_was_put_aside_is_taken_after_the_resumption_in_its_order() -> None:
    """A reply that made the saga say nothing does not overtake one that came before it."""
    found = told(
        ("m0", COMMAND, tick(0), SAGA, "ledger", "start"),
        ("p1", OPERATOR, PAUSE, "client", "payment", ""),
        ("m1", EVENT, PAUSED, SAGA, "", "p1"),
        ("m2", REPLY, tick(1), "ledger", SAGA, "m0"),
        ("m3", REPLY, tick(2), "ledger", SAGA, "m0"),
        ("p2", OPERATOR, RESUME, "client", "payment", ""),
        ("m4", EVENT, RESUMED, SAGA, "", "p2"),
        ("m5", COMMAND, tick(3), SAGA, "ledger", "m2"),
        ("m6", REPLY, tick(4), "ledger", SAGA, "m5"),
        ("m7", EVENT, tick(5), SAGA, "", "m6"),
    )
    assert [each.message for each in found.taken] == [PAUSE, RESUME, tick(1), tick(2), tick(4)]
