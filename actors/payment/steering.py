"""What a person may do with one orchestrated payment: pause, resume, retry, restart. Pure; `engine.py` does the rest.

Each rule gives the decision and the sentence that says what was done, or refuses with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from actors.messaging.message import Message
from actors.messaging.system_messages import PaymentPaused, PaymentResumed, PaymentRetried
from actors.payment.clocks import (
    Outstanding,
    alone,
    branch_key,
    branch_of,
    clocks,
    outstanding,
    silence,
    under_way,
)
from actors.payment.definition import Route, Timer, WaitUntil, wait
from actors.payment.messages import SteerSaga, StepTimedOut
from actors.payment.model import (
    COMPENSATING,
    COMPLETED,
    FORWARD,
    HALTED,
    RETURNED,
    RETURNING,
    UNDONE,
    Decision,
    State,
)
from actors.payment.moves import enter
from actors.payment.parts import THE_TIMER
from actors.vocabulary.operators import PAUSE, RESTART, RESUME, RETRY

ENDED: Final = UNDONE | {COMPLETED, RETURNED}


class Refused(Exception):
    """It can't be done; the text is one sentence."""


class Steered(NamedTuple):
    """What follows from a person's wish, and the sentence that says so."""

    decision: Decision
    done: str


def steer(route: Route, state: State, command: SteerSaga, now: datetime) -> Steered:
    """What a person's wish means to this payment; the given state itself where it changes nothing.

    Raises:
        Refused: it can't be done.
    """
    return RULES[command.action](route, state, command, now)


def pause(route: Route, state: State, command: SteerSaga, now: datetime) -> Steered:
    """Nothing more is decided until it is resumed. Saying it twice changes nothing."""
    payment_id = state.order.payment_id
    if state.paused:
        return Steered(Decision(state), f"{payment_id} is paused already, {state.paused}")
    if state.phase in ENDED:
        raise Refused(f"{payment_id} is {state.phase}: there is nothing to pause")
    paused = f"since {now:%Y-%m-%d %H:%M:%S} UTC, by {command.by or 'nobody named'}: {command.reason}"
    event = PaymentPaused(payment_id=payment_id, by=command.by, reason=command.reason)
    return Steered(
        Decision(state._replace(paused=paused), events=(event,)),
        f"{payment_id} is paused; what arrives for it, a cancellation too, waits until it is resumed",
    )


def resume(route: Route, state: State, command: SteerSaga, now: datetime) -> Steered:
    """It goes on where it stood; the command without answer gets its whole time again."""
    payment_id = state.order.payment_id
    event = PaymentResumed(payment_id=payment_id, by=command.by, reason=command.reason)
    if not state.paused:  # but somebody may have paused it before it had a saga, and cells think so
        return Steered(Decision(state, events=(event,)), f"{payment_id} is not paused")
    resumed = state._replace(paused="")
    return Steered(Decision(resumed, (), fresh_timers(route, resumed), (event,)), f"{payment_id} goes on")


def retry(route: Route, state: State, command: SteerSaga, now: datetime) -> Steered:
    """Every command without answer once more, as if for the first time; in doubt the bank is asked instead."""
    payment_id = state.order.payment_id
    _must_run(state)
    if state.phase in ENDED or state.phase == HALTED:
        where = "halted, since facts contradict each other" if state.phase == HALTED else state.phase
        raise Refused(f"{payment_id} is {where}: nothing waits for an answer (see also dead-letters retry)")
    event = PaymentRetried(payment_id=payment_id, by=command.by, reason=command.reason)
    if _in_doubt(route, state):
        step: Any = route.steps[state.step]
        done = f"{payment_id} is in doubt: {step.to} asks what became of it, and nothing is done twice"
        asking = ((step.to, step.ask(state.order)),) if step.ask else ()
        return Steered(Decision(state, asking, (), (event,)), done)
    again = state._replace(attention="")
    sends: list[tuple[str, Message]] = []
    timers: list[Timer] = []
    for at, key, each in _each(route, state):
        if isinstance(route.steps[at], WaitUntil):
            raise Refused(f"{payment_id} waits at {route.steps[at].name} until {each.waiting}: that can't be hastened")
        if each.held and not each.stopping:
            continue
        anew = each._replace(attempt=1, waiting="", failures=0)
        out = outstanding(route, anew)
        if out is None:
            continue
        again = _put_back(route, again, at, anew)
        sends.append((out.of.to, out.make()))
        timers.append(Timer(wait(out.of, 1), StepTimedOut(step=out.name, attempt=1), key))
    if not sends:
        name = route.steps[state.step].name
        raise Refused(f"{payment_id} waits for a person's decision at {name}: see review list or approvals list")
    names = ", ".join(tick.step for _, tick, _ in timers if tick)
    return Steered(Decision(again, tuple(sends), tuple(timers), (event,)), f"{payment_id}: {names} is sent again")


def restart(route: Route, state: State, command: SteerSaga, now: datetime) -> Steered:
    """The commands once more from a step on; services answer what they have done before from their records."""
    payment_id, wanted = state.order.payment_id, command.argument
    _must_run(state)
    if state.phase in ENDED:
        raise Refused(f"{payment_id} is {state.phase}: nothing of it can be done again")
    if state.phase == RETURNING:
        raise Refused(f"{payment_id} was paid, and its money is coming back: retry is what helps")
    if state.phase == COMPENSATING or state.ending:
        raise Refused(f"{payment_id} is being undone already: its steps can't be done again")
    if state.stopping:
        raise Refused(f"{payment_id} is being stopped: wait for the answer, or retry")
    names, standing = [step.name for step in route.steps], state.step
    present = route.groups[standing] if state.branches else None
    last = standing if present is None else present.stop - 1
    earliest = 0 if standing < route.pivot else min(standing, route.pivot + 1)
    there_are = f"it can be restarted from {' or '.join(names[earliest : last + 1])}"
    if wanted not in names:
        raise Refused(f"{payment_id} has no step {wanted[:40]}; {there_are}")
    at = names.index(wanted)
    group = route.groups[at]
    at = at if group is None else group.start  # steps together begin together
    if at > standing:
        raise Refused(f"{payment_id} has only come to {names[standing]}, and no step is left out; {there_are}")
    if at < route.pivot <= standing:
        raise Refused(f"{payment_id} stands at {names[standing]}, the bank may have it: {wanted} can't be done again")
    if at == route.pivot < standing:
        raise Refused(f"{payment_id} was paid: {wanted} is not done again")
    if state.answered:
        raise Refused(f"{payment_id} has had its answer at {names[standing]}: wait, or retry")
    if _in_doubt(route, state):
        raise Refused(f"{payment_id} is in doubt: retry asks the bank, settle says what you know")
    begun = enter(route, state._replace(reached=max(last, state.reached)), at, now)
    forgotten = silence(route, state) if state.branches else ()
    return Steered(begun._replace(timers=(*forgotten, *begun.timers)), f"{payment_id} goes on from {wanted}")


def fresh_timers(route: Route, state: State) -> tuple[Timer, ...]:
    """What the payment waits for gets its whole time again; a moment stays, and so does the clock of a review."""
    return tuple(timer for timer in clocks(route, state) if timer.tick is not None)


def late_timers(route: Route, state: State, tick: Message) -> tuple[Timer, ...]:
    """A review's tick that came while the payment was paused counts for nothing: it comes once more."""
    asked = asked_by(route, state, tick)
    if asked is None or not isinstance(tick, StepTimedOut):
        return ()
    key, out = asked
    return (Timer(wait(out.of, 1), tick, key),)


def asked_by(route: Route, state: State, tick: Message) -> tuple[str, Outstanding] | None:
    """The command whose time is up, with the key of its timer; None for a tick that is stale, or ends a mere wait."""
    if isinstance(tick, StepTimedOut):
        for _, key, each in _each(route, state):
            out = outstanding(route, each)
            if out is not None and (tick.step, tick.attempt) == (out.name, each.attempt):
                return key, out
    return None


def _each(route: Route, state: State) -> Iterator[tuple[int, str, State]]:
    """Each step that is under way, as if it were the only one; with the key of its timer."""
    if state.branches and state.phase == FORWARD and not state.stopping:
        for at in under_way(route, state):
            yield at, branch_key(route, at), alone(route, state, at)._replace(branches=())
    else:
        yield state.step, THE_TIMER, state


def _put_back(route: Route, state: State, at: int, each: State) -> State:
    group = route.groups[at] if state.branches else None
    if group is None:
        return each._replace(attention="")
    number = at - group.start
    return state._replace(branches=(*state.branches[:number], branch_of(each), *state.branches[number + 1 :]))


def _must_run(state: State) -> None:
    if state.paused:
        raise Refused(f"{state.order.payment_id} is paused, {state.paused}; resume it first")


def _in_doubt(route: Route, state: State) -> bool:
    asked = state.phase == FORWARD and state.step == route.pivot and not state.stopping and not state.waiting
    return asked and bool(state.attention)


Rule = Callable[[Route, State, SteerSaga, datetime], Steered]

RULES: Final[Mapping[str, Rule]] = {PAUSE: pause, RESUME: resume, RETRY: retry, RESTART: restart}
