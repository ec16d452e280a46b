"""What a payment would do today with what it was told then: its journal, played through the code at hand. Pure.

The engine is given the same messages in the same order at the same moments, and must say the same. Where the journal
leaves open in which order messages of several cells were taken that made the saga say nothing, every order that may
have been is tried: the code differs if it says the same in none of them. What has left no trace is taken as it was: a
tick that made the saga say nothing then (a service stood still, the payment was paused), a message that was buried, or
has not been taken yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, NamedTuple

from actors.messaging.message import Tick
from actors.messaging.system_messages import PaymentMigrated
from actors.payment.definition import Route, Workflow
from actors.payment.engine import advance, start
from actors.payment.journal import Said, Story, Told
from actors.payment.messages import (
    CancelSaga,
    MigrateSaga,
    PauseSaga,
    RestartSaga,
    ResumeSaga,
    RetrySaga,
    StartSaga,
    SteerSaga,
)
from actors.payment.migration import moved
from actors.payment.model import FORWARD, Decision, State
from actors.payment.steering import Refused, steer
from actors.payment.versions import Version, version_in
from actors.vocabulary.operators import PAUSE, RESTART, RESUME, RETRY
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

MOST_STEPS: Final = 20_000  # that are tried for one payment
WORDS: Final = "text"  # of a reason: for people, and may be put otherwise without a new version; its code may not
TOLD: Final = "attention"  # where a saga keeps the words that a person was told last
_STEERING: Final = {PauseSaga: PAUSE, ResumeSaga: RESUME, RetrySaga: RETRY, RestartSaga: RESTART}

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
UNORDERED: Final = "order unknown"

# What says that the code can't be held against the journal, rather than that it differs.
NOT_REPLAYED: Final = frozenset((NO_VERSION, UNREADABLE, INCOMPLETE, UNORDERED))

Workflows = Mapping[tuple[str, int], Workflow]


class Difference(NamedTuple):
    """The first point at which the code at hand does something else: after which message, and both sides in words."""

    kind: str
    after: str
    journal: str
    code: str


def replay(
    workflows: Workflows, order: PaymentOrder, story: Story, stored: State, *, under_way: bool = False
) -> Difference | None:
    """The first difference between the journal and what the code does with the same messages; None: there is none.

    `stored` is where the saga stands according to its row. `under_way` says that messages to it are known to wait
    somewhere (between cells, for another try, in the dead letters): one without an answer may not have been taken.
    Where several orders are possible, the difference is that of the order which comes furthest.
    """
    said = [said.message for _, wish in sorted(story.wishes.items()) for said in wish.told.said]
    migrations = [event for event in said if isinstance(event, PaymentMigrated)]
    order = _as_it_began(order, migrations)
    version = Version(order.workflow, order.workflow_version)
    for needed in (version, *(Version(event.workflow, event.version) for event in migrations)):
        if needed not in workflows:
            return Difference(NO_VERSION, "", str(needed), "")
    route, orders = workflows[version].route(order), _Orders(workflows, story, stored, under_way=under_way)
    if story.start is None and not _may_not_have_begun(story, stored):
        return Difference(INCOMPLETE, "", "its beginning is missing", "")
    if story.start is None or story.start.number:
        return orders.difference(_before_it_begins(order, route, story, stored))
    decision = start(route, order, story.start.at)
    found = _compare("its start", story.start.said, decision)
    return found or orders.difference(_Point(decision.state, route, spoken=1))


class _Point(NamedTuple):
    """Where an order of the messages has led: what has arrived of each channel, and what of it is put aside."""

    state: State
    route: Route
    spoken: int = 0
    heads: tuple[int, ...] = ()
    aside: tuple[Told, ...] = ()


class _Orders:
    """Looks for an order of a story's messages in which the code says what was said; mostly there is but one."""

    def __init__(self, workflows: Workflows, story: Story, stored: State, *, under_way: bool) -> None:
        self._workflows = workflows
        self._story = story
        self._stored = stored
        self._under_way = under_way
        self._found: Difference | None = None
        self._furthest = (-1, 0)

    def difference(self, begin: _Point) -> Difference | None:
        """None: there is such an order."""
        points = [begin._replace(heads=(0,) * len(self._story.channels))]
        known: set[tuple[Any, ...]] = set()
        for _ in range(MOST_STEPS):
            if not points:
                return self._found or Difference(UNORDERED, "", "its messages can't be put in an order", "")
            point = points.pop()
            if points:  # there are others, which may have come here, too
                key = (point.spoken, point.heads, tuple(map(id, point.aside)), point.state[1:])
                if key in known:
                    continue
                known.add(key)
            if self._explains(point):
                return None
            points += reversed([*self._continued(point)])
        return Difference(UNORDERED, "", f"none of {MOST_STEPS:,} steps through its messages' orders was the end", "")

    def _explains(self, point: _Point) -> bool:
        story = self._story
        if point.spoken < story.speaking:
            return False
        all_arrived = all(at == len(channel) for at, channel in zip(point.heads, story.channels, strict=True))
        if not all_arrived and not self._under_way:
            return False
        if point.aside and not point.state.paused:
            return False
        found = _standing(point.state, self._stored) if point.state != self._stored else None
        if found is not None and all_arrived:
            self._differs(point, found)
        return found is None

    def _continued(self, point: _Point) -> Iterator[_Point]:
        """What may come next, the likeliest first."""
        if point.aside and not point.state.paused:
            # A person has let it go on: what was put aside is taken before anything else, a wish to cancel first.
            first = next((told for told in point.aside if isinstance(told.message, CancelSaga)), point.aside[0])
            left = tuple(told for told in point.aside if told is not first)
            yield from self._taken(point._replace(aside=left), first)
            return
        for told, channel in sorted(self._arriving(point), key=lambda each: each[0].place):
            if channel is None:
                yield from self._taken(point, told)
                continue
            heads = point.heads
            after = point._replace(heads=(*heads[:channel], heads[channel] + 1, *heads[channel + 1 :]))
            if not point.state.paused:
                yield from self._taken(after, told)
            else:
                yield after._replace(aside=(*point.aside, told))

    def _arriving(self, point: _Point) -> Iterator[tuple[Told, int | None]]:
        """The messages that may come in now, each with its channel."""
        story = self._story
        for channel, (at, messages) in enumerate(zip(point.heads, story.channels, strict=True)):
            if at < len(messages) and messages[at].after <= point.spoken:
                yield messages[at], channel
        wish = story.wishes.get(point.spoken)
        if wish is not None and point.heads[wish.channel] >= wish.behind:
            yield wish.told, None

    def _taken(self, point: _Point, told: Told) -> Iterator[_Point]:
        """Where the code goes from here with a message, if it does what was done."""
        if told.number is not None and told.number != point.spoken:
            return  # its turn comes later
        if told.buried and told.number is None:
            yield point
        try:
            route, decision = self._decided(point, told)
        except Exception as error:  # whatever the code at hand does not survive is what is looked for
            failure = f"{type(error).__name__}: {error}"
            found: Difference | None = Difference(CANNOT, _name(told), _all(told.said), failure)
        else:
            found = _compare(_name(told), told.said, decision)
            if found is None:
                spoken = point.spoken + (told.number is not None)
                yield point._replace(state=decision.state, route=route, spoken=spoken)
                return
        if told.number is None and (self._under_way or told.buried or isinstance(told.message, Tick)):
            if not told.buried:
                yield point
            return
        self._differs(point, found)

    def _decided(self, point: _Point, told: Told) -> tuple[Route, Decision]:
        state, route = point.state, point.route
        if isinstance(told.message, StartSaga):
            return route, Decision(state) if state.stopping else start(route, state.order, told.at)
        if isinstance(told.message, MigrateSaga):
            return _migrated(self._workflows, route, state, told)
        if type(told.message) in _STEERING:
            return route, _steered(route, state, told)
        return route, advance(route, state, told.message, told.at)

    def _differs(self, point: _Point, found: Difference | None) -> None:
        come_so_far = point.spoken, sum(point.heads)
        if come_so_far > self._furthest:
            self._found, self._furthest = found, come_so_far


def _may_not_have_begun(story: Story, stored: State) -> bool:
    told = [told.message for channel in story.channels for told in channel]
    return bool(stored.paused) or any(isinstance(message, CancelSaga) for message in told)


def _before_it_begins(order: PaymentOrder, route: Route, story: Story, stored: State) -> _Point:
    """Somebody had paused the payment before its saga came to be: what starts it is the first that is put aside."""
    number, at, said = story.start or (None, order.created_at, ())
    starts = Told(StartSaga(order=order), (at, "", 0), at, said, number, 0)
    # Who has paused it is not the saga's to say: the row knows it, while it is so.
    return _Point(State(order, FORWARD, 0, 1, paused=stored.paused or "before it began"), route, aside=(starts,))


def _as_it_began(order: PaymentOrder, migrations: list[PaymentMigrated]) -> PaymentOrder:
    """The order under the version that it started with, however often it was moved since."""
    if not migrations:
        return order
    name, number = version_in(migrations[0].before)
    return replace(order, workflow=name, workflow_version=number)


def _migrated(workflows: Workflows, route: Route, state: State, taken: Told) -> tuple[Route, Decision]:
    """The route under the version that the payment was moved to, and what was said of it."""
    event = next((said.message for said in taken.said if isinstance(said.message, PaymentMigrated)), None)
    if event is None:
        return route, Decision(state)
    order = replace(state.order, workflow=event.workflow, workflow_version=event.version)
    after = workflows[event.workflow, event.version].route(order)
    return after, Decision(moved(route, after, state)._replace(order=order), events=(event,))


def _steered(route: Route, state: State, taken: Told) -> Decision:
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


def _compare(after: str, journal: tuple[Said, ...], decision: Decision) -> Difference | None:
    code = [Said(*send) for send in decision.sends] + [Said("", event) for event in decision.events]
    for was, now in zip(journal, code, strict=False):
        if type(was.message) is not type(now.message) or was.target != now.target:
            kind = COMMAND if was.target or now.target else EVENT
            return Difference(kind, after, str(was), str(now))
        if was.message != now.message:
            found = _first_difference(type(was.message).__name__, was.message, now.message)
            if found is not None:
                where, before, today = found
                return Difference(CONTENT, after, f"{where} {before}", f"{where} {today}")
    if len(journal) > len(code):
        return Difference(MISSING, after, str(journal[len(code)]), "nothing")
    if len(code) > len(journal):
        return Difference(ADDED, after, "nothing", str(code[len(journal)]))
    return None


def _standing(state: State, stored: State) -> Difference | None:
    for name, now, was in zip(State._fields, state, stored, strict=True):
        if now == was or (name == TOLD and now and was):
            continue
        found = _first_difference(name, was, now)
        if found is not None:
            where, before, today = found
            return Difference(STANDING, "all of its messages", f"{where} {before}", f"{where} {today}")
    return None


def _first_difference(name: str, was: Any, now: Any) -> tuple[str, Any, Any] | None:
    """Where two values differ, and both sides there; None where only a reason's words for people do."""
    if type(was) is type(now) and is_dataclass(was):
        for field in fields(was):
            before, today = getattr(was, field.name), getattr(now, field.name)
            if before == today or (isinstance(was, Reason) and field.name == WORDS):
                continue
            found = _first_difference(f"{name}.{field.name}", before, today)
            if found is not None:
                return found
        return None
    return name, _short(was), _short(now)


def _name(told: Told) -> str:
    return type(told.message).__name__


def _short(value: Any) -> str:
    text = str(value) if value != "" else "(empty)"
    return text if len(text) <= 80 else text[:79] + "…"


def _all(said: Iterable[Said]) -> str:
    return "; ".join(str(each) for each in said) or "nothing"
