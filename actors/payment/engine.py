"""What a message means to a payment: a pure function over the workflow's data. Knows no service's messages.

`advance` finds the role that the workflow gives to the message's class (`done` of step 2, `gate_closed`, …)
and asks the rule for that role. A rule that has nothing to say returns the state it was given: repeated and
late answers end there. No actor, SQL, clock, randomness, log.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.payment import together, trying
from actors.payment.clocks import NO_TIMER, clock_stopped, clocks
from actors.payment.definition import Route, Timer
from actors.payment.messages import CancelSaga, StepTimedOut
from actors.payment.model import (
    CANCELLED,
    COMPENSATING,
    COMPLETED,
    EXECUTED,
    FORWARD,
    HALTED,
    REJECTED,
    RETURNED,
    RETURNING,
    UNDONE,
    Decision,
    State,
)
from actors.payment.moves import (
    Events,
    ask_gate,
    attention,
    book_return,
    cancellation_refused,
    contradiction,
    enter,
    undo,
    wait_for_proof,
    wish_fails,
)
from actors.payment.route import BRANCH
from actors.payment.together import OwnRule, Rule
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import (
    NARRATIVE,
    REQUESTED_BY_CUSTOMER,
    TIMEOUT_AT_INSTRUCTED_AGENT,
    Reason,
)

AT_THE_BANK: Final = "already at the bank"


def start(route: Route, order: PaymentOrder, now: datetime) -> Decision:
    """The first step's command, with its timer."""
    state, timers = State(order, FORWARD, 0, 1), route.first_timers[0]
    if timers is None:
        return enter(route, state, 0, now)
    first: Any = route.steps[0]
    return Decision(state, ((first.to, first.command(order)),), timers)


def advance(route: Route, state: State, message: Message, now: datetime) -> Decision:
    """What follows from `message`; the given state itself is returned where nothing does.

    Raises:
        KeyError: the workflow gives messages of this class no role.
    """
    kind = type(message)
    role = route.roles.get(kind)
    if role is None:
        return OWN_RULES[kind](route, state, message, now)
    return RULES[role[0]](route, state, role[1], message, now)


def send_now(route: Route, state: State, now: datetime) -> Decision:
    """A person ends what the payment waits for by itself: a date, a further try, that person's word."""
    if state.phase != FORWARD or state.stopping:
        return Decision(state)
    if state.branches:
        return together.sent_now(trying.send_now, route, state, now)
    return trying.send_now(route, state, now) if state.waiting else Decision(state)


# -- answers to a step's command


def _done(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    phase = state.phase
    if phase == FORWARD:
        if at == state.step and not state.answered:
            if state.stopping or state.waiting:
                return _done_meanwhile(route, state, message, now)
            return enter(route, state, at + 1, now)
        premature = at > state.step and at >= route.pivot
    else:
        premature = at >= route.pivot and (phase == COMPENSATING or phase in UNDONE)
    return contradiction(route, state, message) if premature else Decision(state)


def _done_meanwhile(route: Route, state: State, message: Any, now: datetime) -> Decision:
    """While the gate is asked, or after a refusal that is waited out."""
    if state.waiting and state.step == route.pivot:
        return contradiction(route, state, message)
    if state.stopping:  # taken into account when the gate has answered
        return Decision(state._replace(answered=True, held=False, waiting=""))
    return enter(route, state, state.step + 1, now)


def _refused(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    pivot = route.pivot
    if state.phase != FORWARD or at != state.step:
        return _never_executed(route, state, message) if at == pivot else Decision(state)
    if at > pivot:
        return wait_for_proof(route, state, message.reason)
    if at == pivot and _perhaps_executed(state):
        return contradiction(route, state, message)
    if state.answered or state.waiting:
        return Decision(state)
    step: Any = route.steps[at]
    if step.on_reason or step.again:
        tried = trying.after_refusal(route, state, message, now)
        if tried is not None:
            return tried
    return undo(route, state, at - 1, message.reason, REJECTED, wish_fails(route, state, message.reason))


def _held(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if not _awaited(state, at) or state.held:
        return Decision(state)
    if state.stopping:
        return Decision(state._replace(held=True))
    step: Any = route.steps[at]
    held = clock_stopped(state)._replace(held=True)
    # The service itself says when the review is overdue; this clock makes sure that somebody does.
    review = timedelta(seconds=message.review_seconds) + step.timeout
    return Decision(held, (), (Timer(review, StepTimedOut(step=step.name, attempt=held.attempt)),))


def _overdue(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if not _awaited(state, at):
        return Decision(state)
    if state.stopping:
        return attention(route, state._replace(held=True), message.reason)
    # A person has been told, by the service that knows the case: the saga's own clock has nothing to add.
    return attention(route, clock_stopped(state)._replace(held=True), message.reason, timers=NO_TIMER)


def _under_way(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    """Progress. After a resend it is proof that the service has the command and will speak: no further resend.

    What is held for a person keeps the review's clock: if the service fails now, nobody else would call anybody.
    """
    if state.attempt < 2 or state.held or state.stopping or not _awaited(state, at):
        return Decision(state)
    return Decision(state._replace(attempt=0), (), NO_TIMER)


def _in_doubt(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if _waits_after_rejection(route, state):
        return contradiction(route, state, message)
    if not _awaited(state, at):
        return Decision(state)
    if state.stopping:
        return attention(route, state, message.reason)
    return wait_for_proof(route, state, message.reason)


def _undone(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase == COMPENSATING and at == state.step and state.reason:
        return undo(route, state, at - 1, state.reason, state.ending)
    if state.phase != FORWARD or at > state.step:
        return Decision(state)
    text = f"{route.steps[at].name} was undone by somebody else while the payment was under way"
    reason = Reason(NARRATIVE, text)
    if state.step >= route.pivot and not _waits_after_rejection(route, state):
        return attention(route, state, reason)
    events, unanswered = wish_fails(route, state, reason), not state.answered
    return undo(route, state, state.step, reason, REJECTED, events, unanswered=unanswered)


def _undo_refused(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase != COMPENSATING or at != state.step:
        return Decision(state)
    return wait_for_proof(route, state, message.reason)


# -- the gate: before the hand-over a payment can be stopped


def _cancel(route: Route, state: State, message: CancelSaga, now: datetime) -> Decision:
    if state.phase == FORWARD and state.step <= route.pivot and not state.stopping:
        return _stop(route, state, CANCELLED, Reason(REQUESTED_BY_CUSTOMER, message.reason))
    being_cancelled = state.phase == COMPENSATING and state.ending == CANCELLED
    if state.stopping == CANCELLED or being_cancelled:
        return Decision(state)
    return Decision(state, events=(cancellation_refused(route, state, _why_not(state)),))


def _why_not(state: State) -> str:
    if state.phase == HALTED:
        return "facts contradict each other; a person must look at the payment first"
    if state.phase in UNDONE:
        return f"the payment is {state.phase} already"
    if state.reason:
        return f"the payment is being undone already: {state.reason.text}"
    return AT_THE_BANK


def _expiry(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase != FORWARD or state.step > route.pivot or state.stopping:
        return Decision(state)
    reason = Reason(TIMEOUT_AT_INSTRUCTED_AGENT, "the time for which the money may be held is up")
    return _stop(route, state, REJECTED, reason)


def _stop(route: Route, state: State, ending: str, reason: Reason) -> Decision:
    """Ask the gate; but for a payment that the bank has rejected and that waits for another try.

    The gate would say that it has been handed over, as it has. Its proof is there, and nothing is out.
    """
    if _waits_after_rejection(route, state):
        return undo(route, state, state.step - 1, reason, ending)
    return ask_gate(route, state, ending, reason)


def _gate_closed(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase != FORWARD or state.step > route.pivot:
        return _never_executed(route, state, message)
    if state.step == route.pivot and _perhaps_executed(state):
        return contradiction(route, state, message)
    unanswered = not state.answered
    return undo(route, state, state.step, message.reason, message.ending, unanswered=unanswered)


def _gate_refused(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase != FORWARD or not state.stopping:
        return Decision(state)
    events: Events = ()
    if state.stopping == CANCELLED:
        events = (cancellation_refused(route, state, AT_THE_BANK),)
    if state.answered:
        return enter(route, state, state.step + 1, now, events)
    if state.branches:
        return together.resumed(route, state, now, events)
    resumed = state._replace(stopping="", reason=None, attempt=1)
    return Decision(resumed, (), clocks(route, resumed), events)


# -- money that comes back


def _return_received(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.return_id and state.phase != HALTED:
        if state.return_id == message.return_id:
            return Decision(state)
        second = Reason(message.reason.code, f"a second return, {message.return_id}: {message.reason.text}")
        return attention(route, state, second)
    if state.phase == COMPLETED:
        return book_return(route, state, message.return_id, message.reason)
    if state.phase == FORWARD and state.step >= route.pivot and not _waits_after_rejection(route, state):
        return Decision(state._replace(return_id=message.return_id, return_reason=message.reason))
    return contradiction(route, state, message)


def _return_booked(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase != RETURNING or message.return_id != state.return_id:
        return Decision(state)
    event = route.endings.returned(order=state.order, reason=state.return_reason)
    return Decision(state._replace(phase=RETURNED), (), NO_TIMER, (event,))


def _return_suspended(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    if state.phase != RETURNING or message.return_id != state.return_id:
        return Decision(state)
    return attention(route, state._replace(phase=COMPLETED), message.reason, timers=NO_TIMER)


# -- answers that don't come


def _timed_out(route: Route, state: State, tick: StepTimedOut, now: datetime) -> Decision:
    if state.branches and state.phase == FORWARD and not state.stopping:
        return together.timed_out(trying.timed_out, route, state, tick, now)
    return trying.timed_out(route, state, tick, now)


def _failed(route: Route, state: State, failed: Failed, now: datetime) -> Decision:
    if state.branches and state.phase == FORWARD and not state.stopping:
        return together.failed(trying.failed, route, state, failed, now)
    return trying.failed(route, state, failed, now)


# -- facts that don't fit


def _alarm(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
    waiting_for_proof = _awaited(state, route.pivot) and state.tries == 1
    if waiting_for_proof or state.phase in EXECUTED or state.phase == HALTED:
        return attention(route, state, message.reason)
    return contradiction(route, state, message)


def _never_executed(route: Route, state: State, message: Any) -> Decision:
    """Proof that nothing was paid, though no step waits for it: a repeat, unless the payment was executed."""
    executed = state.phase in EXECUTED or (state.phase == FORWARD and state.step > route.pivot)
    return contradiction(route, state, message) if executed else Decision(state)


def _awaited(state: State, at: int) -> bool:
    return state.phase == FORWARD and state.step == at and not state.answered and not state.waiting


def _waits_after_rejection(route: Route, state: State) -> bool:
    """At the pivot, proven not to have been executed, and nothing is out: nobody may say otherwise."""
    return bool(state.waiting) and state.phase == FORWARD and state.step == route.pivot


def _perhaps_executed(state: State) -> bool:
    """At the pivot: the rail has paid already, or sends back what it can't have without paying."""
    return state.answered or bool(state.return_id)


STEP_RULES: Final[Mapping[str, Rule]] = {
    "done": _done,
    "refused": _refused,
    "waits_for_person": _held,
    "overdue": _overdue,
    "under_way": _under_way,
    "in_doubt": _in_doubt,
    "undone": _undone,
    "undo_refused": _undo_refused,
}
RULES: Final[Mapping[str, Rule]] = {
    **STEP_RULES,
    **{BRANCH + role: together.of_branch(rule) for role, rule in STEP_RULES.items()},
    BRANCH + "done": together.done(_done),
    "gate_closed": _gate_closed,
    "gate_refused": _gate_refused,
    "expiry": _expiry,
    "return_received": _return_received,
    "return_booked": _return_booked,
    "return_suspended": _return_suspended,
    "alarm": _alarm,
}
OWN_RULES: Final[Mapping[type[Message], OwnRule]] = {
    CancelSaga: _cancel,
    StepTimedOut: _timed_out,
    Failed: _failed,
}
