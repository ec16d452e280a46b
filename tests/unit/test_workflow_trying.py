"""Waiting for another try: how often it is tried, what ends the wait, and what a restarted payment sends again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from actors.payment.definition import Together, TryLater
from actors.payment.messages import SteerSaga
from actors.payment.steering import steer
from actors.payment.workflow import payment
from actors.vocabulary.operators import RESTART, RETRY
from tests.fakes import payment_answers as answers
from tests.fakes.made_up import a_pivot, a_step, words
from tests.fakes.workflow_script import WorkflowScript, an_order
from tests.unit.test_language_properties import kept

HOURLY = TryLater(timedelta(hours=1), tries=1)


def begun(*parts: Any, pivot: Any = None) -> WorkflowScript:
    """A payment over these parts before its pivot."""
    workflow = payment("any", version=1, steps=(*parts, pivot or a_pivot("pay")))
    return WorkflowScript(workflow, an_order(workflow="any"))


def sent(script: WorkflowScript) -> list[tuple[str, int]]:
    """The commands sent since this was last asked, by name, with their numbers."""
    commands = [(type(command).__name__, getattr(command, "attempt", 0)) for _, command in script.unanswered]
    script.unanswered.clear()
    return commands


def fails(script: WorkflowScript) -> WorkflowScript:
    """The command that was sent last is in the dead letters."""
    return script.expect(words("a").Do, to="service-a").fails()


def steered(script: WorkflowScript, action: str, step: str = "") -> WorkflowScript:
    """Ada wants it."""
    wish = SteerSaga(payment_id="P1-00", action=action, argument=step, by="Ada", reason="so", asks="client/1/1")
    script._take(steer(script.route, script.state, wish, script.now).decision)
    return script


def test_what_was_sent_again_since_nobody_answered_uses_up_no_try_after_a_failure() -> None:
    """The policy says how often a failure is waited out; silence has a count of its own."""
    script = begun(a_step("a", retries=2, on_failure=HOURLY))
    for _ in range(2):
        script.expect(words("a").Do, to="service-a").times_out()
    fails(script)
    assert script.state.waiting, "the one try that the policy gives"


def test_after_a_failure_that_was_waited_out_silence_is_borne_as_often_as_before() -> None:
    """And a second failure is one more than the policy allows."""
    script = begun(a_step("a", retries=1, on_failure=HOURLY))
    fails(script)
    script.time_passes()
    script.expect(words("a").Do, to="service-a", attempt=1).times_out()
    fails(script)
    assert sent(script) == [("Undo_a", 0)]


def test_of_steps_together_each_counts_its_own_failures() -> None:
    """One that fails twice is given up; another one's failure is none of its own."""
    both = Together("both", (a_step("a", on_failure=HOURLY), a_step("b", on_failure=HOURLY)))
    script = begun(both)
    script.expect(words("a").Do, to="service-a").fails()
    script.expect(words("b").Do, to="service-b").fails()
    assert [(branch.failures, bool(branch.waiting)) for branch in script.state.branches] == [(1, True), (1, True)]
    assert kept(script.state) == script.state


def test_a_person_who_retries_gives_back_every_try() -> None:
    """What was mended is not given up for what happened before."""
    script = begun(a_step("a", on_failure=HOURLY))
    fails(script)
    steered(script, RETRY)
    assert script.state.failures == 0
    fails(script)
    assert script.state.waiting


def at_second_debit() -> WorkflowScript:
    """The first step was refused once, and done at its second try; the next one is under way."""
    script = begun(a_step("a", on_reason={"AM04": HOURLY}), a_step("b"))
    script.hears(words("a").refused()).time_passes()
    script.hears(words("a").Done())
    assert sent(script) == [("Do_a", 1), ("Do_a", 2), ("Do_b", 1)]
    return script


def test_a_payment_that_is_restarted_asks_under_the_number_that_was_answered_well() -> None:
    """Under the first one a service would say again what it said first: a refusal that is past."""
    script = steered(at_second_debit(), RESTART, "a")
    assert sent(script) == [("Do_a", 2)]
    assert kept(script.state) == script.state
    script.hears(words("a").refused("AM04", attempt=1))  # what was said of the first is about nothing in hand
    assert sent(script) == []
    script.hears(words("a").Done())
    assert sent(script) == [("Do_b", 1)]


def test_of_steps_together_a_restart_keeps_each_ones_number() -> None:
    """In hand or done: neither begins again at its first."""
    both = Together("both", (a_step("a", on_reason={"AM04": HOURLY}), a_step("b")))
    script = begun(both, a_step("c"))
    script.hears(words("a").refused()).time_passes()
    sent(script)
    steered(script, RESTART, "b")
    assert sent(script) == [("Do_a", 2), ("Do_b", 1)]
    script.hears(words("a").Done()).hears(words("b").Done())
    assert sent(script) == [("Do_c", 1)]
    steered(script, RESTART, "a")
    assert sent(script) == [("Do_a", 2), ("Do_b", 1)]
    assert kept(script.state) == script.state


def test_who_waits_for_another_try_can_be_restarted_from_before() -> None:
    """When it comes there again, it asks under the number that was to be next."""
    script = begun(a_step("a"), a_step("b", on_reason={"AM04": HOURLY}))
    script.hears(words("a").Done()).hears(words("b").refused())
    sent(script)
    steered(script, RESTART, "a")
    script.hears(words("a").Done())
    assert sent(script) == [("Do_a", 1), ("Do_b", 2)]


def rejected_for_now() -> WorkflowScript:
    """The bank has rejected it, and it waits to be handed over once more."""
    script = begun(a_step("a"), pivot=a_pivot("pay", on_reason={"AM04": HOURLY}))
    script.hears(words("a").Done()).hears(words("pay").refused())
    sent(script)
    assert script.state.waiting
    return script


def undone(script: WorkflowScript) -> WorkflowScript:
    """Everything before the hand-over is undone, without a question to anybody."""
    assert sent(script) == [("Undo_a", 0)]
    return script.hears(words("a").Undone())


def test_a_payment_that_the_bank_has_rejected_is_cancelled_while_it_waits() -> None:
    """The gate would answer that it is at the bank, and the customer be paid for what was called off."""
    script = rejected_for_now().is_cancelled_by_a_person()
    undone(script).ends("cancelled", reason="CUST")


def test_a_hold_whose_time_is_up_ends_the_wait_for_another_try() -> None:
    """The money is held for nothing that is under way."""
    script = rejected_for_now().hears(answers.EXPIRY)
    undone(script).ends("rejected", reason="AB06")


def test_a_second_wish_while_it_is_undone_changes_nothing() -> None:
    """It is being cancelled already."""
    script = rejected_for_now().is_cancelled_by_a_person().is_cancelled_by_a_person()
    undone(script).ends("cancelled")


def test_a_wish_to_cancel_that_comes_before_the_rejection_is_not_forgotten_by_it() -> None:
    """The gate was asked while the bank had it, and refuses; the rejection has already decided."""
    script = begun(a_step("a"), pivot=a_pivot("pay", on_reason={"AM04": HOURLY}))
    script.hears(words("a").Done())
    sent(script)
    script.is_cancelled_by_a_person()
    assert sent(script) == [("StopExecution", 0)]
    script.hears(words("pay").refused())
    undone(script).hears(answers.STOP_REFUSED)
    assert script.events[-1].progress == "rejected"
