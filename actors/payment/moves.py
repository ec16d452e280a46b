"""What can be done with a payment: each move is a pure function to a Decision. *When* it is done: `engine.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from actors.messaging.message import Event, Message
from actors.payment.clocks import (
    NO_TIMER,
    alone,
    clock_stopped,
    clocks,
    command_of,
    silence,
    undoing_of,
    waiting_timer,
)
from actors.payment.definition import Route, Timer, WaitUntil
from actors.payment.messages import PaymentPostponed, StepTimedOut
from actors.payment.model import (
    CANCELLED,
    COMPENSATING,
    COMPLETED,
    EXECUTED,
    FORWARD,
    HALTED,
    REFUSED,
    RETURNING,
    UNDONE,
    Branch,
    Decision,
    Numbered,
    State,
)
from actors.payment.route import BRANCH
from actors.vocabulary.reason import NARRATIVE, Reason

Sends = tuple[tuple[str, Message], ...]
Events = tuple[Event, ...]


def enter(route: Route, state: State, at: int, now: datetime, events: Events = ()) -> Decision:
    """Begin what stands at `at`: send its command; after the last step the payment is completed."""
    timers = route.first_timers[at]
    if timers is None:
        return _begin(route, state, at, now, events)
    order = state.order
    step: Any = route.steps[at]
    if state.return_id or state.reached or state.numbers or state.tries > 1:
        fresh = _fresh(route, state, at)
        return Decision(fresh, ((step.to, command_of(step, fresh)),), timers, events)
    return Decision(State(order, FORWARD, at, 1), ((step.to, step.command(order)),), timers, events)


def remembering(route: Route, state: State) -> State:
    """The same state, which keeps the numbers, other than 1, under which the steps in hand were sent.

    A payment that is restarted sends its earlier steps under these: an earlier number would be answered with a refusal
    that is past.
    """
    if state.tries == 1 and not [branch for branch in state.branches if branch.tries > 1]:
        return state
    numbers = dict(state.numbers)
    for at, branch in enumerate(state.branches, state.step):
        if branch.tries > 1:
            numbers[route.steps[at].name] = branch.tries
    if state.tries > 1:
        numbers[route.steps[state.step].name] = state.tries
    return state._replace(numbers=tuple(Numbered(*each) for each in numbers.items()))


def _fresh(route: Route, state: State, at: int) -> State:
    after = State(state.order, FORWARD, at, 1)
    if numbers := remembering(route, state).numbers:
        after = after._replace(numbers=numbers, tries=dict(numbers).get(route.steps[at].name, 1))
    if state.return_id:
        after = after._replace(return_id=state.return_id, return_reason=state.return_reason)
    if state.reached > at:
        after = after._replace(reached=state.reached)
    return after


def _begin(route: Route, state: State, at: int, now: datetime, events: Events) -> Decision:
    """The end; or a wait, which is passed over where there is nothing to wait for; or steps together."""
    if at == len(route.steps):
        return _complete(route, state, events)
    step, order = route.steps[at], state.order
    if isinstance(step, WaitUntil):
        moment = step.moment(order, now)
        if moment is None:
            return enter(route, state, at + 1, now, events)
        waiting = _fresh(route, state, at)._replace(waiting=moment.isoformat())
        why = Reason(NARRATIVE, f"{step.name}: until {moment:%Y-%m-%d %H:%M} UTC")
        told = (*events, postponed(waiting, step.name, moment, why))
        return Decision(waiting, (), (waiting_timer(step.name, waiting),), told)
    group = route.groups[at]
    assert group is not None
    steps: Any = route.steps[group.start : group.stop]
    fresh = _fresh(route, state, at)
    if not fresh.numbers:
        begun = fresh._replace(branches=(Branch(),) * len(steps))
        return Decision(begun, tuple((each.to, each.command(order)) for each in steps), clocks(route, begun), events)
    numbers = dict(fresh.numbers)
    begun = fresh._replace(branches=tuple(Branch(tries=numbers.get(each.name, 1)) for each in steps), tries=1)
    sends = tuple((each.to, command_of(each, alone(route, begun, at + nth))) for nth, each in enumerate(steps))
    return Decision(begun, sends, clocks(route, begun), events)


def postponed(state: State, step: str, until: datetime, reason: Reason) -> Event:
    """Whoever looks at the payment sees what it waits for, and that nobody has forgotten it."""
    return PaymentPostponed(payment_id=state.order.payment_id, step=step, until=until, reason=reason)


def undo(
    route: Route,
    state: State,
    at: int,
    reason: Reason,
    ending: str,
    events: Events = (),
    *,
    unanswered: bool = False,
) -> Decision:
    """Compensate the steps from `at` down to the first, one at a time; the payment ends with the last of them.

    `unanswered` says that `at` itself has no outcome yet: it is compensated as if it had been done. Of steps under way
    together all are undone, but for the one that was refused. Of a payment that was restarted from an earlier step all
    that it had `reached` is undone: nobody knows any more what of it had been done.
    """
    order, branches, reached = state.order, state.branches, state.reached
    group = None
    timers: tuple[Timer, ...] = NO_TIMER
    if branches:
        group = route.groups[state.step]
        assert group is not None
        if state.phase == FORWARD:
            timers = silence(route, state)
            if at < state.step:
                branches = with_branch(branches, state.step - group.start, Branch(REFUSED))
            at = group.stop - 1
    if reached and state.phase == FORWARD:
        at = max(at, reached)
    for index in range(at, -1, -1):
        step = route.steps[index]
        if step.compensation is None:
            continue
        together = group is not None and group.start <= index < group.stop
        if reached:
            leaves = True
        elif together and group is not None:
            outcome = branches[index - group.start].outcome
            leaves = outcome != REFUSED and (step.undo_when_done or not outcome)
        else:
            leaves = step.undo_when_done or (unanswered and index == at)
        if leaves:
            undoing = State(
                order, COMPENSATING, index, 1, ending=ending, reason=reason,
                branches=branches if together else (), reached=reached,
            )  # fmt: skip
            timer = Timer(step.timeout, StepTimedOut(step=undoing_of(step.name), attempt=1))
            return Decision(
                undoing, ((step.to, step.compensation(order, reason, ending)),), (*timers[1:], timer), events
            )
    end = route.endings.cancelled if ending == CANCELLED else route.endings.rejected
    ended = State(order, ending, 0, 1, ending=ending, reason=reason)
    return Decision(ended, (), timers, (*events, end(order=order, reason=reason)))


def with_branch(branches: tuple[Branch, ...], number: int, branch: Branch) -> tuple[Branch, ...]:
    """The same branches, but for one."""
    return (*branches[:number], branch, *branches[number + 1 :])


def ask_gate(route: Route, state: State, ending: str, reason: Reason) -> Decision:
    """Ask whether the payment can still be stopped; meanwhile the outstanding step's clock stands."""
    gate = route.gate
    stopping = state._replace(stopping=ending, reason=reason, attempt=1)
    timer = Timer(gate.timeout, StepTimedOut(step=gate.name, attempt=1))
    timers = (*silence(route, state)[1:], timer)
    return Decision(stopping, ((gate.to, gate.command(state.order, reason, ending)),), timers)


def book_return(route: Route, state: State, return_id: str, reason: Reason, events: Events = ()) -> Decision:
    """Put the money that came back into the books."""
    back = route.returns
    assert not isinstance(back, type), "a workflow that books no returns never comes here"
    booking = state._replace(phase=RETURNING, attempt=1, return_id=return_id, return_reason=reason)
    timer = Timer(back.timeout, StepTimedOut(step=back.name, attempt=1))
    return Decision(booking, ((back.to, back.command(state.order, return_id, reason)),), (timer,), events)


def attention(
    route: Route, state: State, reason: Reason, sends: Sends = (), timers: tuple[Timer, ...] = ()
) -> Decision:
    """Tell a person, once for the same words; the payment waits on as `state` says."""
    if state.attention == reason.text:
        return Decision(state, sends, timers)
    event = route.endings.needs_attention(order=state.order, reason=reason)
    return Decision(state._replace(attention=reason.text), sends, timers, (event,))


def wait_for_proof(route: Route, state: State, reason: Reason) -> Decision:
    """Tell a person, and send nothing again: only an answer, late or a person's, moves the payment on."""
    return attention(route, clock_stopped(state), reason, timers=NO_TIMER)


def contradiction(route: Route, state: State, message: Message) -> Decision:
    """Nothing is done automatically from here on; a payment that has ended stays what it is in the books."""
    said = getattr(message, "reason", None)
    code, words = (said.code, f": {said.text}") if isinstance(said, Reason) else (NARRATIVE, "")
    reason = Reason(code, f"{_heard(route, message)}, which contradicts that the payment {_where(route, state)}{words}")
    if state.phase in EXECUTED or state.phase in UNDONE:
        return attention(route, state, reason)
    told = attention(route, state, reason, timers=silence(route, state))
    return told._replace(
        state=told.state._replace(phase=HALTED, stopping="", waiting="", branches=()),
        events=told.events + wish_fails(route, state, reason),
    )


def _heard(route: Route, message: Message) -> str:
    """What a message says, in the words of the workflow."""
    role, at = route.roles[type(message)]
    words = _ROLES_IN_WORDS.get(role.removeprefix(BRANCH))
    return words.format(route.steps[at].name) if words else "facts are told"


def _where(route: Route, state: State) -> str:
    """How far the payment had come, as a predicate to it."""
    if state.phase not in (FORWARD, COMPENSATING):
        return _PHASES_IN_WORDS.get(state.phase, f"is {state.phase}")
    name = route.steps[state.step].name
    if state.phase == COMPENSATING:
        return f"is being undone, at {name}"
    if state.answered or state.return_id:
        return "was executed already"
    if state.waiting:
        return f"waits before {name} is tried again, since it was refused"
    return f"has {'gone on' if state.step > route.pivot else 'only come'} to {name}"


_ROLES_IN_WORDS: Final = {
    "done": "{} is done",
    "refused": "{} is refused",
    "in_doubt": "{} is in doubt",
    "gate_closed": "the payment is stopped before the hand-over",
    "return_received": "its money comes back",
    "alarm": "the bank corrects itself",
}
_PHASES_IN_WORDS: Final = {
    RETURNING: "was paid, and its money is coming back",
    HALTED: "is halted, since facts contradict each other already",
}


def wish_fails(route: Route, state: State, reason: Reason) -> Events:
    """Whoever is waiting for a cancellation hears that something else came first."""
    if state.stopping != CANCELLED:
        return ()
    return (cancellation_refused(route, state, f"the payment is being undone already: {reason.text}"),)


def cancellation_refused(route: Route, state: State, error: str) -> Event:
    """The event that says why a payment is not cancelled."""
    return route.endings.cancellation_refused(payment_id=state.order.payment_id, error=error)


def _complete(route: Route, state: State, events: Events) -> Decision:
    completed = State(state.order, COMPLETED, state.step, 1)
    events += (route.endings.completed(order=state.order),)
    if state.return_reason is None:
        return Decision(completed, (), NO_TIMER, events)
    return book_return(route, completed, state.return_id, state.return_reason, events)
