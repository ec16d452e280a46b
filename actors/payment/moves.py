"""What can be done with a payment: each move is a pure function to a Decision. *When* it is done: `engine.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.messaging.message import Event, Message
from actors.payment.definition import Timer, Workflow
from actors.payment.messages import StepTimedOut
from actors.payment.model import (
    CANCELLED,
    COMPENSATING,
    COMPLETED,
    EXECUTED,
    FORWARD,
    HALTED,
    RETURNING,
    UNDONE,
    Decision,
    State,
)
from actors.vocabulary.reason import NARRATIVE, Reason

NO_TIMER: Final = (Timer(None, None),)

Sends = tuple[tuple[str, Message], ...]
Events = tuple[Event, ...]


def next_step(workflow: Workflow, state: State, events: Events = ()) -> Decision:
    """Send the next step's command; after the last step the payment is completed."""
    at, order = state.step + 1, state.order
    if at == len(workflow.steps):
        return _complete(workflow, state, events)
    step = workflow.steps[at]
    after = State(order, FORWARD, at, 1)
    if state.return_id:
        after = after._replace(return_id=state.return_id, return_reason=state.return_reason)
    return Decision(after, ((step.to, step.command(order)),), workflow.first_timers[at], events)


def undo(
    workflow: Workflow,
    state: State,
    at: int,
    reason: Reason,
    ending: str,
    events: Events = (),
    *,
    unanswered: bool = False,
) -> Decision:
    """Compensate the steps from `at` down to the first, one at a time; the payment ends with the last of them.

    `unanswered` says that `at` itself has no outcome yet: it is compensated as if it had been done.
    """
    order = state.order
    for index in range(at, -1, -1):
        step = workflow.steps[index]
        if step.compensation and (step.undo_when_done or (unanswered and index == at)):
            undoing = State(order, COMPENSATING, index, 1, ending=ending, reason=reason)
            timer = Timer(step.timeout, StepTimedOut(step=undoing_of(step.name), attempt=1))
            return Decision(undoing, ((step.to, step.compensation(order, reason, ending)),), (timer,), events)
    end = workflow.endings.cancelled if ending == CANCELLED else workflow.endings.rejected
    ended = State(order, ending, 0, 1, ending=ending, reason=reason)
    return Decision(ended, (), NO_TIMER, (*events, end(order=order, reason=reason)))


def ask_gate(workflow: Workflow, state: State, ending: str, reason: Reason) -> Decision:
    """Ask whether the payment can still be stopped; meanwhile the outstanding step's clock stands."""
    gate = workflow.gate
    stopping = state._replace(stopping=ending, reason=reason, attempt=1)
    timer = Timer(gate.timeout, StepTimedOut(step=gate.name, attempt=1))
    return Decision(stopping, ((gate.to, gate.command(state.order, reason, ending)),), (timer,))


def book_return(workflow: Workflow, state: State, return_id: str, reason: Reason, events: Events = ()) -> Decision:
    """Put the money that came back into the books."""
    back = workflow.returns
    booking = state._replace(phase=RETURNING, attempt=1, return_id=return_id, return_reason=reason)
    timer = Timer(back.timeout, StepTimedOut(step=back.name, attempt=1))
    return Decision(booking, ((back.to, back.command(state.order, return_id, reason)),), (timer,), events)


def attention(
    workflow: Workflow, state: State, reason: Reason, sends: Sends = (), timers: tuple[Timer, ...] = ()
) -> Decision:
    """Tell a person, once for the same words; the payment waits on as `state` says."""
    if state.attention == reason.text:
        return Decision(state, sends, timers)
    event = workflow.endings.needs_attention(order=state.order, reason=reason)
    return Decision(state._replace(attention=reason.text), sends, timers, (event,))


def wait_for_proof(workflow: Workflow, state: State, reason: Reason) -> Decision:
    """Tell a person, and send nothing again: only an answer, late or a person's, moves the payment on."""
    return attention(workflow, clock_stopped(state), reason, timers=NO_TIMER)


def contradiction(workflow: Workflow, state: State, message: Message) -> Decision:
    """Nothing is done automatically from here on; a payment that has ended stays what it is in the books."""
    said = getattr(message, "reason", None)
    code, words = (said.code, f": {said.text}") if isinstance(said, Reason) else (NARRATIVE, "")
    where = state.phase
    if where in (FORWARD, COMPENSATING):
        where += f" at {workflow.steps[state.step].name}"
    reason = Reason(code, f"{type(message).__name__} contradicts what was known of the payment, {where}{words}")
    if state.phase in EXECUTED or state.phase in UNDONE:
        return attention(workflow, state, reason)
    told = attention(workflow, state, reason, timers=NO_TIMER)
    return told._replace(
        state=told.state._replace(phase=HALTED, stopping=""),
        events=told.events + wish_fails(workflow, state, reason),
    )


def wish_fails(workflow: Workflow, state: State, reason: Reason) -> Events:
    """Whoever is waiting for a cancellation hears that something else came first."""
    if state.stopping != CANCELLED:
        return ()
    return (cancellation_refused(workflow, state, f"the payment is being undone already: {reason.text}"),)


def cancellation_refused(workflow: Workflow, state: State, error: str) -> Event:
    """The event that says why a payment is not cancelled."""
    return workflow.endings.cancellation_refused(payment_id=state.order.payment_id, error=error)


def clock_stopped(state: State) -> State:
    """The same state, for which a tick that is already under way is stale."""
    return state._replace(attempt=state.attempt + 1)


def undoing_of(step: str) -> str:
    """What the saga calls the compensation of a step, on timers and in words."""
    return f"compensate {step}"


def outstanding(workflow: Workflow, state: State) -> tuple[str, Any, Callable[[], Message]] | None:
    """The command that awaits its answer: what it is called, whose data rules it, how it is made again."""
    order, phase, reason = state.order, state.phase, state.reason
    if phase == FORWARD and not state.stopping:
        step = workflow.steps[state.step]
        return step.name, step, lambda: step.command(order)
    if phase == FORWARD and reason:
        gate, ending = workflow.gate, state.stopping
        return gate.name, gate, lambda: gate.command(order, reason, ending)
    if phase == COMPENSATING and reason:
        step = workflow.steps[state.step]
        compensation: Any = step.compensation
        return undoing_of(step.name), step, lambda: compensation(order, reason, state.ending)
    if phase == RETURNING and state.return_reason:
        back, why = workflow.returns, state.return_reason
        return back.name, back, lambda: back.command(order, state.return_id, why)
    return None


def _complete(workflow: Workflow, state: State, events: Events) -> Decision:
    completed = State(state.order, COMPLETED, state.step, 1)
    events += (workflow.endings.completed(order=state.order),)
    if state.return_reason is None:
        return Decision(completed, (), NO_TIMER, events)
    return book_return(workflow, completed, state.return_id, state.return_reason, events)
