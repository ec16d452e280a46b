"""What a payment waits for, by what name its timers know it, and how long. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from actors.messaging.message import Message
from actors.payment.definition import Route, Step, Timer, wait
from actors.payment.messages import StepTimedOut
from actors.payment.model import COMPENSATING, DONE, FORWARD, PERSON, RETURNING, Branch, State

NO_TIMER: Final = (Timer(None, None),)


class Outstanding(NamedTuple):
    """A command that awaits its answer: what it is called, whose data rules it, how it is made again."""

    name: str
    of: Any
    make: Callable[[], Message]


def outstanding(route: Route, state: State) -> Outstanding | None:
    """The command that awaits its answer; of steps under way together see `all_outstanding`."""
    order, phase, reason = state.order, state.phase, state.reason
    if phase == FORWARD and not state.stopping:
        return None if state.waiting else _step(route, state)
    if phase == FORWARD and reason:
        gate, ending = route.gate, state.stopping
        return Outstanding(gate.name, gate, lambda: gate.command(order, reason, ending))
    if phase == COMPENSATING and reason:
        undoing: Any = route.steps[state.step]
        return Outstanding(undoing_of(undoing.name), undoing, lambda: undoing.compensation(order, reason, state.ending))
    back, why = route.returns, state.return_reason
    if phase == RETURNING and why and not isinstance(back, type):
        return Outstanding(back.name, back, lambda: back.command(order, state.return_id, why))
    return None


def all_outstanding(route: Route, state: State) -> tuple[Outstanding, ...]:
    """Every command that awaits its answer: more than one where steps are under way together."""
    if not state.branches or state.phase != FORWARD or state.stopping:
        one = outstanding(route, state)
        return () if one is None else (one,)
    each = (outstanding(route, alone(route, state, at)) for at in under_way(route, state))
    return tuple(one for one in each if one is not None)


def _step(route: Route, state: State) -> Outstanding:
    step: Any = route.steps[state.step]
    return Outstanding(step.name, step, lambda: command_of(step, state))


def command_of(step: Step, state: State) -> Message:
    """The step's command, under the number of this try."""
    return step.command(state.order) if state.tries == 1 or step.again is None else step.again(state.order, state.tries)


def alone(route: Route, state: State, at: int) -> State:
    """One of the steps under way together, as if it were the only one: what is true of it, and of the payment."""
    group = route.groups[at]
    assert group is not None
    branch = state.branches[at - group.start]
    return state._replace(
        step=at, attempt=branch.attempt, held=branch.held, answered=branch.outcome == DONE,
        tries=branch.tries, waiting=branch.waiting, failures=branch.failures,
    )  # fmt: skip


def branch_of(alone: State) -> Branch:
    """The inverse of `alone`: what is to be kept of that step."""
    outcome = DONE if alone.answered else ""
    return Branch(outcome, alone.attempt, alone.held, alone.tries, alone.waiting, alone.failures)


def under_way(route: Route, state: State) -> list[int]:
    """The steps under way together that have no outcome yet."""
    group = route.groups[state.step]
    assert group is not None
    return [group.start + number for number, branch in enumerate(state.branches) if not branch.outcome]


def silence(route: Route, state: State) -> tuple[Timer, ...]:
    """Every timer of the payment, forgotten."""
    if not state.branches or state.phase != FORWARD:
        return NO_TIMER
    return (*NO_TIMER, *(Timer(None, None, branch_key(route, at)) for at in under_way(route, state)))


def clocks(route: Route, state: State) -> tuple[Timer, ...]:
    """The timers of all that the payment waits for now, each from its beginning; none where it waits for a person."""
    if state.phase != FORWARD or state.stopping:
        out = outstanding(route, state)
        return NO_TIMER if out is None else (_timer(out.name, out.of, state.attempt),)
    if state.branches:
        return (*NO_TIMER, *(
            timer._replace(key=branch_key(route, at))
            for at in under_way(route, state)
            for timer in _clock(route, alone(route, state, at))
        ))  # fmt: skip
    return _clock(route, state)


def _clock(route: Route, state: State) -> tuple[Timer, ...]:
    step: Any = route.steps[state.step]
    if state.waiting:
        return NO_TIMER if state.waiting == PERSON else (waiting_timer(step.name, state),)
    # In doubt nothing is sent again: the service that was asked has the payment, and will speak.
    if state.held or state.attempt == 0 or (state.step == route.pivot and state.attention):
        return NO_TIMER
    return (_timer(step.name, step, state.attempt),)


def _timer(name: str, of: Any, attempt: int) -> Timer:
    return Timer(wait(of, max(attempt, 1)), StepTimedOut(step=name, attempt=attempt))


def waiting_timer(step: str, state: State) -> Timer:
    """What ends the wait that the state tells of."""
    return Timer(datetime.fromisoformat(state.waiting), StepTimedOut(step=waiting_of(step), attempt=state.attempt))


def branch_key(route: Route, at: int) -> str:
    """The key of the timer of one of several steps under way together."""
    return f"step {route.steps[at].name}"


def waiting_of(step: str) -> str:
    """What the saga calls a wait before a step is tried again, on timers."""
    return f"wait {step}"


def undoing_of(step: str) -> str:
    """What the saga calls the compensation of a step, on timers and in words."""
    return f"compensate {step}"


def clock_stopped(state: State) -> State:
    """The same state, for which a tick that is already under way is stale."""
    return state._replace(attempt=state.attempt + 1)
