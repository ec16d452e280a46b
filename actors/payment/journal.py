"""A payment's journal as its saga saw it: what it was told, what it said because of it, and what is known of the order.

A saga's own cell logs what the saga says, each thing with its cause: so the order of the messages that made it speak is
known. What came over a link and made it say nothing stands in its sender's log alone. Of that is known that one cell's
messages arrive in the order in which they were sent, and what had been said before it was sent (`Told.after`). Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.message import Message

_FAILURES: Final = frozenset(("ReactionFailed", "Failed"))  # said by the runtime in the saga's name
_STEERED: Final = frozenset(("SagaSteered", "SteeringRefused"))  # a person's answer, in words that may change

Place = tuple[datetime, str, int]  # moment, cell, offset


class Line(NamedTuple):
    """One line of a cell's log, with its cell: `place` orders lines of one cell, and roughly those of several."""

    place: Place
    envelope: Envelope


class Said(NamedTuple):
    """A command and its receiver, or an event, which has none."""

    target: str
    message: Message

    def __str__(self) -> str:
        name = type(self.message).__name__
        return f"{name} to {self.target}" if self.target else f"{name}, published"


class Told(NamedTuple):
    """A message to the saga, and what the saga said because of it.

    `number` is its number among those that made the saga speak, from 0; None where it said nothing. `at` is the moment
    at which it was taken, or of one that said nothing was sent. When it arrived, `after` of those that spoke had been
    taken before. One that was `buried` was taken much later, if ever.
    """

    message: Message
    place: Place
    at: datetime
    said: tuple[Said, ...]
    number: int | None
    after: int
    buried: bool = False


class Wish(NamedTuple):
    """What a person wants, by way of another actor: it arrives behind so many of a channel's messages."""

    told: Told
    channel: int
    behind: int


class Start(NamedTuple):
    """When a saga began, and what it said then; its number is 0 unless the payment was paused before that."""

    number: int
    at: datetime
    said: tuple[Said, ...]


class Story(NamedTuple):
    """All that a saga was told, and what it said because of it.

    `start` is None where it has said nothing at its start, being paused. Messages of one channel arrived in this order.
    `wishes` are kept by their number: each made the saga say something, if only to the person.
    """

    start: Start | None
    channels: tuple[tuple[Told, ...], ...]
    wishes: Mapping[int, Wish]
    speaking: int  # messages that made the saga speak, its start with them


def story(saga: str, lines: Iterable[Line]) -> Story | None:
    """What `saga` (`payment/<id>`) was told and said, from its payment's lines; None where a cause is missing."""
    lines = sorted(lines)
    spoken, buried = _spoken(saga, lines)
    arrived = _Arrivals(saga, spoken, buried)
    for line in lines:
        arrived.add(line)
    # What starts a saga is no line of its own: the event that asked for the payment says the same.
    unknown = [number for number, (cause, _) in enumerate(spoken) if cause not in arrived.known]
    if len(unknown) > 1:
        return None
    start = None
    for number in unknown:
        said = spoken[number][1]
        start = Start(number, said[0].place[0], _said(said))
    channels = tuple(tuple(channel) for channel in arrived.channels)
    return Story(start, channels, arrived.wishes, len(spoken))


Spoken = tuple[str, list[Line]]  # a cause, and what was said because of it in one go


def _spoken(saga: str, lines: Iterable[Line]) -> tuple[list[Spoken], set[str]]:
    """All that the saga said, in its order; and what was buried in its name.

    A person's command is repeated under its id where nobody has answered it, and is answered each time, at the end.
    """
    spoken: list[Spoken] = []
    going_on: dict[str, list[Line]] = {}
    buried: set[str] = set()
    for line in lines:
        envelope, cause = line.envelope, line.envelope.causation_id
        if envelope.sender != saga or envelope.kind == TIMER:  # a tick is told, whoever set its timer
            continue
        name = type(envelope.message).__name__
        if name in _FAILURES:
            buried.add(cause)
            continue
        if cause not in going_on:
            going_on[cause] = []
            spoken.append((cause, going_on[cause]))
        going_on[cause].append(line)
        if name in _STEERED:
            del going_on[cause]
    return spoken, buried


class _Arrivals:
    """Sorts what a saga was told, line by line, by the way on which it came."""

    def __init__(self, saga: str, spoken: Sequence[Spoken], buried: set[str]) -> None:
        self._saga = saga
        self._spoken = [said for _, said in spoken]
        self._buried = buried
        self._numbers: dict[str, list[int]] = {}  # by cause: those that no message has been found for
        for number, (cause, _) in enumerate(spoken):
            self._numbers.setdefault(cause, []).append(number)
        places = [said[0].place for said in self._spoken]
        self._home = places[0][1] if places else ""
        self._moments = [place[0] for place in places]
        self._offsets = [place[2] for place in places]
        self._of_cell: dict[str, int] = {}
        self.channels: list[list[Told]] = []
        self.wishes: dict[int, Wish] = {}
        self.known: set[str] = set()  # ids of what was told

    def add(self, line: Line) -> None:
        """The next line in the order of places."""
        message_id = line.envelope.message_id
        numbers = self._numbers.get(message_id)
        number = numbers.pop(0) if numbers else None
        if line.envelope.target == self._saga:
            self._channel_for(line).append(self._told(line, number))
        elif number is not None and line.envelope.message.by_person:
            channel = self._channel_of(line.place[1])
            self.wishes[number] = Wish(self._told(line, number), channel, len(self.channels[channel]))
        else:
            return
        self.known.add(message_id)

    def _channel_for(self, line: Line) -> list[Told]:
        """What was buried waits for nobody, and nobody for it."""
        if line.envelope.message_id not in self._buried:
            return self.channels[self._channel_of(line.place[1])]
        self.channels.append([])
        return self.channels[-1]

    def _channel_of(self, cell: str) -> int:
        if cell not in self._of_cell:
            self._of_cell[cell] = len(self.channels)
            self.channels.append([])
        return self._of_cell[cell]

    def _told(self, line: Line, number: int | None) -> Told:
        moment, cell, offset = line.place
        said = () if number is None else self._spoken[number]
        # Whoever takes in what another cell has sent is later than that, by his own clock, too.
        here = cell == self._home
        after = bisect_left(self._offsets, offset) if here else bisect_right(self._moments, moment)
        at = said[0].place[0] if said else moment
        buried = line.envelope.message_id in self._buried
        return Told(line.envelope.message, line.place, at, _said(said), number, after, buried)


def _said(lines: Iterable[Line]) -> tuple[Said, ...]:
    return tuple(
        Said(line.envelope.target, line.envelope.message)
        for line in lines
        if type(line.envelope.message).__name__ not in _STEERED
    )
