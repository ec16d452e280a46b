"""Answers that don't come, and answers after which a step may be tried again: the rules that follow its policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actors.messaging.system_messages import Failed
from actors.payment.clocks import NO_TIMER, clock_stopped, command_of, outstanding, waiting_of, waiting_timer
from actors.payment.definition import NextWindow, Policy, Route, Timer, TryLater, WaitUntil, wait
from actors.payment.messages import StepTimedOut
from actors.payment.model import FORWARD, PERSON, REJECTED, Decision, State
from actors.payment.moves import attention, enter, postponed, undo, wait_for_proof
from actors.vocabulary.reason import NARRATIVE, TIMEOUT_AT_INSTRUCTED_AGENT, Reason

# -- silence


def timed_out(route: Route, state: State, tick: StepTimedOut, now: datetime) -> Decision:
    """Send again; give up a step before the pivot, tell a person where nothing may be given up."""
    if state.waiting and state.phase == FORWARD and not state.stopping:
        return _wait_ends(route, state, tick, now)
    out = outstanding(route, state)
    if out is None or tick.step != out.name or tick.attempt != state.attempt:
        return Decision(state)
    name, of, command = out
    by, patience = f"{now:%Y-%m-%d %H:%M:%S} UTC", route.patience
    late = Reason(TIMEOUT_AT_INSTRUCTED_AGENT, f"{of.to} had not answered {name} by {by}, try {tick.attempt}")
    if state.phase == FORWARD and not state.stopping:
        if state.held:
            text = f"nobody had decided by {by} what {of.to} holds for review"
            return attention(route, state, Reason(NARRATIVE, text), timers=NO_TIMER)
        patience = of.retries + 1
        if state.step <= route.pivot and tick.attempt >= patience:
            if state.step < route.pivot:
                return undo(route, state, state.step, late, REJECTED, unanswered=True)
            return wait_for_proof(route, state, late)
    again = state._replace(attempt=state.attempt + 1)
    sends = ((of.to, command()),)
    timers = (Timer(wait(of, again.attempt), StepTimedOut(step=name, attempt=again.attempt)),)
    told = tick.attempt == patience
    return attention(route, again, late, sends, timers) if told else Decision(again, sends, timers)


def _wait_ends(route: Route, state: State, tick: StepTimedOut, now: datetime) -> Decision:
    name = waiting_of(route.steps[state.step].name)
    stale = tick.step != name or tick.attempt != state.attempt or state.waiting == PERSON
    return Decision(state) if stale else send_now(route, state, now)


def failed(route: Route, state: State, failed: Failed, now: datetime) -> Decision:
    """The command in hand is in the dead letters: no step before the pivot waits for a person to retry it."""
    out = outstanding(route, state)
    if out is None or type(out.make()).__name__ != failed.failed_type:
        return Decision(state)
    name, of, _ = out
    reason = Reason(TIMEOUT_AT_INSTRUCTED_AGENT, f"{of.to} failed at {name}: {failed.cause}")
    if state.phase != FORWARD or state.stopping:
        return attention(route, state, reason)  # its timer tries again
    if state.held:
        return Decision(state)
    if state.step < route.pivot:
        # It was never answered: the same number is still good. What was sent again for silence's sake is no such try.
        failures = state.failures + 1
        again = state._replace(failures=failures, attempt=0)
        later = _follow(of.on_failure, of.name, again, now, reason, tried=failures)
        if later is not None:
            return _told(route, later, reason)
        return undo(route, state, state.step, reason, REJECTED, unanswered=True)
    return wait_for_proof(route, state, reason)


# -- refusals


def after_refusal(route: Route, state: State, refusal: Any, now: datetime) -> Decision | None:
    """What the step's policy makes of a refusal; None where the payment is to be undone."""
    step: Any = route.steps[state.step]
    if step.again and refusal.attempt != state.tries:
        return Decision(state)  # of an earlier try, said again
    policy = step.on_reason.get(refusal.reason.code)
    if policy is None or state.stopping:
        return None
    # The same number would be answered as before. Whoever is called may want to send it again, too.
    number = state.tries + 1 if step.again else state.tries
    refused = state._replace(tries=number, attempt=0)
    later = _follow(policy, step.name, refused, now, refusal.reason, tried=state.tries)
    return None if later is None else _told(route, later, refusal.reason)


def _follow(policy: Policy, name: str, state: State, now: datetime, reason: Reason, *, tried: int) -> Decision | None:
    """Wait for the moment, or the person, that the policy names; None where it gives up."""
    if isinstance(policy, TryLater | NextWindow):
        if tried > policy.tries:
            return None
        moment = policy.again_at(now, tried)
        later = state._replace(waiting=moment.isoformat(), held=False)
        why = Reason(reason.code, f"{reason.text}; {name} is tried again at {moment:%Y-%m-%d %H:%M:%S} UTC")
        return Decision(later, (), (waiting_timer(name, later),), (postponed(later, name, moment, why),))
    if policy.calls_person:
        return Decision(state._replace(waiting=PERSON, held=False), (), NO_TIMER)
    return None


def _told(route: Route, later: Decision, reason: Reason) -> Decision:
    """A person who is waited for hears why."""
    if later.state.waiting != PERSON:
        return later
    return attention(route, later.state, reason, timers=later.timers)


def send_now(route: Route, state: State, now: datetime) -> Decision:
    """End the wait of a step: the next one begins, or the command that was put off is sent."""
    step: Any = route.steps[state.step]
    if isinstance(step, WaitUntil):
        return enter(route, state, state.step + 1, now)
    # Whoever was told before is told again, should it be refused again.
    again = clock_stopped(state)._replace(waiting="", attention="")
    timer = Timer(wait(step, again.attempt), StepTimedOut(step=step.name, attempt=again.attempt))
    return Decision(again, ((step.to, command_of(step, again)),), (timer,))
