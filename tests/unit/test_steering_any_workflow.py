"""What people do with a payment whose workflow has steps together, waits and further tries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.payment.definition import Together, TryLater, WaitUntil
from actors.payment.messages import SteerSaga
from actors.payment.steering import Refused, Steered, steer
from actors.payment.workflow import payment
from actors.vocabulary.operators import PAUSE, RESTART, RESUME, RETRY
from tests.fakes.made_up import a_pivot, a_step, words
from tests.fakes.workflow_script import NOW, WorkflowScript, an_order


def begun(*parts: Any) -> WorkflowScript:
    """A payment over these parts before its pivot."""
    script = WorkflowScript(payment("any", version=1, steps=(*parts, a_pivot("pay"))), an_order(workflow="any"))
    script.unanswered.clear()
    return script


def steered(script: WorkflowScript, action: str, argument: str = "") -> Steered:
    """Ada wants it."""
    wish = SteerSaga(payment_id="P1-00", action=action, argument=argument, by="Ada", reason="so", asks="client/1/1")
    return steer(script.route, script.state, wish, script.now)


def sent(of: Steered) -> list[str]:
    """The names of what is sent."""
    return [type(message).__name__ for _, message in of.decision.sends]


def test_retrying_steps_together_sends_those_that_have_no_answer() -> None:
    """What is done is not asked for again, and what waits for a person is left to that person."""
    script = begun(Together("both", (a_step("a"), a_step("b"), a_step("c"))))
    script.hears(words("a").Done()).hears(words("b").Held())
    assert sent(steered(script, RETRY)) == ["Do_c"]


def test_what_was_put_off_is_tried_at_once_under_its_own_number() -> None:
    """A refusal that the policy waits out: whoever has mended its cause need not wait."""
    script = begun(a_step("a", on_reason={"AM04": TryLater(timedelta(hours=1), tries=2)}))
    script.hears(words("a").refused())
    assert script.state.waiting
    retried = steered(script, RETRY).decision
    assert [message.attempt for _, message in retried.sends] == [2]  # type: ignore[attr-defined]
    assert retried.state.waiting == ""


def test_a_date_is_not_hastened() -> None:
    """The order says when it is to be executed; a retry is no other order."""
    script = begun(WaitUntil("date", lambda order: NOW + timedelta(days=3)))
    with pytest.raises(Refused, match="can't be hastened"):
        steered(script, RETRY)


def test_a_date_is_the_same_after_a_pause() -> None:
    """A pause moves no moment; one that has passed meanwhile is past."""
    script = begun(WaitUntil("date", lambda order: NOW + timedelta(days=3)))
    script.state = steered(script, PAUSE).decision.state
    assert [timer.after for timer in steered(script, RESUME).decision.timers] == [NOW + timedelta(days=3)]


def test_steps_together_have_their_whole_time_again_after_a_pause() -> None:
    """Each has a clock of its own."""
    script = begun(Together("both", (a_step("a"), a_step("b"))))
    script.hears(words("a").Done())
    script.state = steered(script, PAUSE).decision.state
    resumed = steered(script, RESUME).decision
    assert [timer.tick.step for timer in resumed.timers if timer.tick] == ["b"]


def test_steps_together_begin_together_again() -> None:
    """Restarting one of them restarts the group; undone then, all of it is undone."""
    script = begun(a_step("first"), Together("both", (a_step("a"), a_step("b"))))
    script.hears(words("first").Done())
    script.unanswered.clear()
    restarted = steered(script, RESTART, "b")
    assert sent(restarted) == ["Do_a", "Do_b"]
    script._take(restarted.decision)
    script.unanswered.clear()
    script.hears(words("a").Done()).hears(words("b").refused("AC04"))
    undone = []
    while script.unanswered:
        _, command = script.unanswered.pop()
        name = type(command).__name__
        undone.append(name)
        script.hears(words(name.removeprefix("Undo_")).Undone())
    assert undone == ["Undo_b", "Undo_a", "Undo_first"]
    script.ends("rejected")
