"""What a payment would do today with what it was told then: its journal, played through the code at hand. Pure.

A journal has every message that a saga took, ticks too, and each thing that it said names its cause. So nothing need be
guessed: the engine is given the same messages in the same order at the same moments, and must say the same. What has
left no trace is taken as it was: a tick that made the saga say nothing then (a service stood still, the payment was
paused), a message that was buried, or has not been taken yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.message import Message, Tick
from actors.messaging.system_messages import PaymentMigrated, PaymentPaused, PaymentResumed
from actors.payment.definition import Route, Workflow
from actors.payment.engine import advance, start
from actors.payment.messages import CancelSaga, MigrateSaga, PauseSaga, RestartSaga, ResumeSaga, RetrySaga, SteerSaga
from actors.payment.migration import moved
from actors.payment.model import Decision, State
from actors.payment.steering import Refused, steer
from actors.payment.versions import version_in
from actors.vocabulary.operators import PAUSE, RESTART, RESUME, RETRY
from actors.vocabulary.order import PaymentOrder

_STEERING: Final = {PauseSaga: PAUSE, ResumeSaga: RESUME, RetrySaga: RETRY, RestartSaga: RESTART}
_FAILURES: Final = frozenset(("ReactionFailed", "Failed"))  # said by the runtime in the saga's name
_STEERED: Final = frozenset(("SagaSteered", "SteeringRefused"))  # a person's answer, in words that may change

COMMAND: Final = "another command"
CONTENT: Final = "another content"
EVENT: Final = "another event"
MISSING: Final = "says less"
ADDED: Final = "says more"
CANNOT: Final = "can't take it"
STANDING: Final = "ends elsewhere"
NO_VERSION: Final = "no such version"
UNREADABLE: Final = "unreadable journal"
INCOMPLETE: Final = "incomplete journal"

# What says that the code can't be held against the journal, rather than that it differs.
NOT_REPLAYED: Final = frozenset((NO_VERSION, UNREADABLE, INCOMPLETE))

Workflows = Mapping[tuple[str, int], Workflow]


class Line(NamedTuple):
    """One line of a cell's log, with its cell: `place` orders lines of one cell, and roughly those of several."""

    place: tuple[datetime, str, int]  # moment, cell, offset
    envelope: Envelope


class Said(NamedTuple):
    """A command and its receiver, or an event, which has none."""

    target: str
    message: Message

    def __str__(self) -> str:
        name = type(self.message).__name__
        return f"{name} to {self.target}" if self.target else f"{name}, published"


class Taken(NamedTuple):
    """A message that the saga took, at which moment, and what it said because of it."""

    message: Message
    place: tuple[datetime, str, int]
    at: datetime
    said: tuple[Said, ...]


class Story(NamedTuple):
    """A payment's journal as its saga saw it: what it began with, then each message in the order they were taken."""

    began_at: datetime
    began: tuple[Said, ...]
    taken: tuple[Taken, ...]


class Difference(NamedTuple):
    """The first point at which the code at hand does something else: after which message, and both sides in words."""

    kind: str
    after: str
    journal: str
    code: str


def story(saga: str, lines: Iterable[Line]) -> Story | None:
    """What `saga` (`payment/<id>`) was told and said, from its payment's lines; None where its beginning is missing.

    The order in which messages were taken is that of what was said because of them, which stands in one cell's log.
    Those that made the saga say nothing are put between by their own place.
    """
    lines = sorted(lines)
    said: dict[str, list[Line]] = {}  # by cause, in the order of the first
    for line in lines:
        if line.envelope.sender == saga and line.envelope.kind != TIMER:  # a tick is told, whoever set its timer
            said.setdefault(line.envelope.causation_id, []).append(line)
    told = {
        line.envelope.message_id: line
        for line in lines
        if line.envelope.target == saga or (line.envelope.message.by_person and line.envelope.message_id in said)
    }
    if not said:
        return None
    first, *causes = said
    if first in told or any(cause not in told for cause in causes):
        return None
    speaking = [_taken(told[cause], said[cause]) for cause in causes]
    silent = [_taken(line, ()) for cause, line in told.items() if cause not in said]
    began = said[first]
    return Story(began[0].place[0], _said(began), tuple(_merged(speaking, silent)))


def replay(
    workflows: Workflows, order: PaymentOrder, story: Story, stored: State, *, under_way: bool = False
) -> Difference | None:
    """The first difference between the journal and what the code does with the same messages; None: there is none.

    `stored` is where the saga stands according to its row. `under_way` says that messages to it are known to wait
    somewhere (between cells, for another try, in the dead letters): one without an answer may not have been taken.
    """
    order = _as_it_began(order, story)
    name, version = order.workflow, order.workflow_version
    workflow = workflows.get((name, version))
    if workflow is None:
        return Difference(NO_VERSION, "", f"{name}@{version}", "")
    route = workflow.route(order)
    decision = start(route, order, story.began_at)
    found = _compare("its start", story.began, decision)
    if found is not None:
        return found
    state = decision.state
    for taken in story.taken:
        after = type(taken.message).__name__
        try:
            if isinstance(taken.message, MigrateSaga):
                route, decision = _migrated(workflows, route, state, taken)
            elif type(taken.message) in _STEERING:
                decision = _steered(route, state, taken)
            else:
                decision = advance(route, state, taken.message, taken.at)
        except Exception as error:  # whatever the code at hand does not survive is what is looked for
            if taken.said:
                return Difference(CANNOT, after, _all(taken.said), f"{type(error).__name__}: {error}")
            continue
        speaks = decision.sends or decision.events
        if speaks and not taken.said and (under_way or isinstance(taken.message, Tick)):
            continue
        found = _compare(after, taken.said, decision)
        if found is not None:
            return found
        state = decision.state
    return _standing(state, stored)


def _as_it_began(order: PaymentOrder, story: Story) -> PaymentOrder:
    """The order under the version that it started with, however often it was moved since."""
    for taken in story.taken:
        for said in taken.said:
            if isinstance(said.message, PaymentMigrated):
                name, number = version_in(said.message.before)
                return replace(order, workflow=name, workflow_version=number)
    return order


def _migrated(workflows: Workflows, route: Route, state: State, taken: Taken) -> tuple[Route, Decision]:
    """The route under the version that the payment was moved to, and what was said of it."""
    event = next((said.message for said in taken.said if isinstance(said.message, PaymentMigrated)), None)
    if event is None:
        return route, Decision(state)
    wish: Any = taken.message
    name, number = version_in(wish.to)
    order = replace(state.order, workflow=name, workflow_version=number)
    after = workflows[name, number].route(order)
    return after, Decision(moved(route, after, state)._replace(order=order), events=(event,))


def _steered(route: Route, state: State, taken: Taken) -> Decision:
    """What a person's wish came to; one that was refused changed nothing."""
    wish: Any = taken.message
    command = SteerSaga(
        payment_id=wish.payment_id, action=_STEERING[type(wish)], argument=getattr(wish, "step", ""), by=wish.by,
        reason=wish.reason, asks="",
    )  # fmt: skip
    try:
        return steer(route, state, command, taken.at).decision
    except Refused:
        return Decision(state)


def _taken(line: Line, said: Sequence[Line]) -> Taken:
    return Taken(line.envelope.message, line.place, said[0].place[0] if said else line.place[0], _said(said))


def _said(lines: Iterable[Line]) -> tuple[Said, ...]:
    return tuple(
        Said(line.envelope.target, line.envelope.message)
        for line in lines
        if type(line.envelope.message).__name__ not in _STEERED
    )


def _merged(speaking: list[Taken], silent: list[Taken]) -> Iterable[Taken]:
    waiting = silent[::-1]
    paused_at = resumed_at = None  # what came between was put aside, and is taken after the resumption, in its order
    for each in speaking:
        cancels = isinstance(each.message, CancelSaga) and resumed_at is not None and each.place < resumed_at
        while waiting and waiting[-1].place < each.place and (paused_at is None or waiting[-1].place < paused_at):
            if cancels:  # such a wish is the first of what was put aside
                break
            yield waiting.pop()
        said = {type(said.message) for said in each.said}
        if PaymentPaused in said:
            paused_at = each.place
        elif PaymentResumed in said:
            paused_at, resumed_at = None, each.place
        if not any(type(said.message).__name__ in _FAILURES for said in each.said):
            yield each  # what was buried was not taken; retried from there it speaks for itself
    yield from waiting[::-1]


def _compare(after: str, journal: tuple[Said, ...], decision: Decision) -> Difference | None:
    code = [Said(*send) for send in decision.sends] + [Said("", event) for event in decision.events]
    for was, now in zip(journal, code, strict=False):
        if type(was.message) is not type(now.message) or was.target != now.target:
            kind = COMMAND if was.target or now.target else EVENT
            return Difference(kind, after, str(was), str(now))
        if was.message != now.message:
            where, before, today = _first_difference(type(was.message).__name__, was.message, now.message)
            return Difference(CONTENT, after, f"{where} {before}", f"{where} {today}")
    if len(journal) > len(code):
        return Difference(MISSING, after, str(journal[len(code)]), "nothing")
    if len(code) > len(journal):
        return Difference(ADDED, after, "nothing", str(code[len(journal)]))
    return None


def _standing(state: State, stored: State) -> Difference | None:
    for name, now, was in zip(State._fields, state, stored, strict=True):
        if now != was:
            return Difference(STANDING, "all of its messages", f"{name} {_short(was)}", f"{name} {_short(now)}")
    return None


def _first_difference(name: str, was: Any, now: Any) -> tuple[str, Any, Any]:
    if type(was) is type(now) and is_dataclass(was):
        for field in fields(was):
            before, today = getattr(was, field.name), getattr(now, field.name)
            if before != today:
                return _first_difference(f"{name}.{field.name}", before, today)
    return name, _short(was), _short(now)


def _short(value: Any) -> str:
    text = str(value) if value != "" else "(empty)"
    return text if len(text) <= 80 else text[:79] + "…"


def _all(said: Iterable[Said]) -> str:
    return "; ".join(str(each) for each in said)
