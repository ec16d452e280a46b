"""Steps under way together: each is played as if it were alone, and what follows is put together again. Pure.

The rules for a step are written once, in `engine.py` and `trying.py`; nothing here repeats them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.payment.clocks import alone, branch_key, branch_of, clocks, under_way, waiting_of
from actors.payment.definition import Route, Timer
from actors.payment.messages import StepTimedOut
from actors.payment.model import DONE, FORWARD, Decision, State
from actors.payment.moves import Events, enter, remembering, with_branch

Rule = Callable[[Route, State, int, Any, datetime], Decision]
OwnRule = Callable[[Route, State, Any, datetime], Decision]


def of_branch(rule: Rule) -> Rule:
    """The rule of a step alone, for a step under way together with others."""

    def of_one(route: Route, state: State, at: int, message: Any, now: datetime) -> Decision:
        if not _is_under_way(route, state, at):
            return rule(route, state, at, message, now)
        return _rejoined(route, state, at, lambda step: rule(route, step, at, message, now))

    return of_one


def done(rule: Rule) -> Rule:
    """A step's good outcome: the payment goes on with the last of them; `rule` is for when none of them is in hand."""

    def done_one(route: Route, state: State, at: int, message: Message, now: datetime) -> Decision:
        group = route.groups[at]
        if group is None or not _is_under_way(route, state, at):
            return rule(route, state, at, message, now)
        number = at - group.start
        branch = state.branches[number]
        if branch.outcome:
            return Decision(state)
        settled = branch._replace(outcome=DONE, held=False, waiting="")
        after = state._replace(branches=with_branch(state.branches, number, settled))
        if state.stopping:  # taken into account when the gate has answered
            return Decision(after)
        forgotten = (Timer(None, None, branch_key(route, at)),)
        if under_way(route, after):
            return Decision(after, (), forgotten)
        following = enter(route, remembering(route, after), group.stop, now)
        return following._replace(timers=forgotten + following.timers)

    return done_one


def timed_out(rule: OwnRule, route: Route, state: State, tick: StepTimedOut, now: datetime) -> Decision:
    """The tick is of one of them: its name says of which."""
    for at in under_way(route, state):
        name = route.steps[at].name
        if tick.step in (name, waiting_of(name)):
            return _rejoined(route, state, at, lambda step: rule(route, step, tick, now))
    return Decision(state)


def failed(rule: OwnRule, route: Route, state: State, failed: Failed, now: datetime) -> Decision:
    """The command in the dead letters is that of one of them."""
    for at in under_way(route, state):
        decision = _rejoined(route, state, at, lambda step: rule(route, step, failed, now))
        if decision.state is not state:
            return decision
    return Decision(state)


def resumed(route: Route, state: State, now: datetime, events: Events) -> Decision:
    """Nobody stops the payment any more: those without an outcome go on waiting, each from its beginning."""
    group = route.groups[state.step]
    assert group is not None
    if not under_way(route, state):
        return enter(route, remembering(route, state), group.stop, now, events)
    branches = tuple(branch if branch.waiting else branch._replace(attempt=1) for branch in state.branches)
    going_on = state._replace(stopping="", reason=None, attempt=1, branches=branches)
    return Decision(going_on, (), clocks(route, going_on), events)


def sent_now(rule: Callable[[Route, State, datetime], Decision], route: Route, state: State, now: datetime) -> Decision:
    """End the waits of all of them that wait before they are tried again."""
    together = Decision(state)
    for at in under_way(route, state):
        if alone(route, state, at).waiting:
            one = _rejoined(route, together.state, at, lambda step: rule(route, step, now))
            together = Decision(one.state, together.sends + one.sends, together.timers + one.timers)
    return together


def _is_under_way(route: Route, state: State, at: int) -> bool:
    group = route.groups[at]
    return bool(state.branches) and state.phase == FORWARD and group is not None and state.step == group.start


def _rejoined(route: Route, state: State, at: int, rule: Callable[[State], Decision]) -> Decision:
    group, single = route.groups[at], alone(route, state, at)
    assert group is not None
    decision = rule(single)
    after = decision.state
    if after is single:
        return decision._replace(state=state)
    if after.phase != FORWARD:
        return decision  # the payment is being undone as a whole
    branches = with_branch(state.branches, at - group.start, branch_of(after))
    key = branch_key(route, at)
    return decision._replace(
        state=state._replace(branches=branches, attention=after.attention),
        timers=tuple(timer._replace(key=key) for timer in decision.timers),
    )
