"""A payment's sequence diagram, from its timeline: commands solid, events dashed, what undoes marked, times on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from actors.pictures.svg import BACK, DOUBT, FAINT, INK, PAPER, PERSON, opening, tip
from actors.pictures.svg import text as words

COMMAND, REPLY, EVENT, TIMER, OPERATOR = "command", "reply", "event", "timer", "operator"
_LEFT, _TOP, _ROW, _BETWEEN = 190, 60, 30, 170
_DASHES: Final = {EVENT: ' stroke-dasharray="7 5"', REPLY: ' stroke-dasharray="2 4"'}
_ARROWS: Final = {EVENT: "╌╌▷", REPLY: "┈┈▷"}  # others: ──▶
_LEGEND: Final = ((COMMAND, "command"), (EVENT, "event, published"), (REPLY, "reply"), ("undo", "compensation"))


@dataclass(frozen=True, slots=True)
class Told:
    """One message of a payment; without a receiver only observers heard it.

    `cause` is the id of the message it came of. `dated`: it came on a later day than the first, and its time says so.
    """

    at: datetime
    kind: str
    type: str
    sender: str
    receiver: str
    undoes: bool
    id: str = ""
    cause: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    dated: bool = False

    @property
    def time(self) -> str:
        """The time of day (UTC), to the millisecond; of a later day its date, and no more than seconds."""
        if self.dated:
            return f"{self.at:%Y-%m-%d %H:%M:%S}"
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03d}"

    @property
    def words(self) -> str:
        """What it is called, and of a wait how long it lasts."""
        return f"{self.type} until {moment(self.data['until'])}" if "until" in self.data else self.type


def told(timeline: Sequence[Mapping[str, Any]], undoing: frozenset[str]) -> list[Told]:
    """A timeline's messages, one for each receiver; `undoing` are the types that undo something."""
    found: list[Told] = []
    for entry in timeline:
        at = datetime.fromisoformat(entry["at"])
        first = found[0].at if found else at
        one = Told(
            at, entry["kind"], entry["type"], participant(entry["sender"]), "", entry["type"] in undoing,
            entry["message_id"], entry["causation_id"] or "", entry.get("data") or {}, at.date() > first.date(),
        )  # fmt: skip
        found += [replace(one, receiver=participant(receiver)) for receiver in entry["receiver"].split(", ")]
    return found


def moment(text: str) -> str:
    """A moment of a message's data, to the second (UTC)."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def participant(name: str) -> str:
    """Who an actor is to a reader: sagas, outboxes and clients have names that nobody knows."""
    if name.startswith("payment/"):
        return "saga"
    if name.startswith("client/"):
        return "a person"
    return name.removeprefix("outbox/")


def participants(messages: Sequence[Told]) -> list[str]:
    """Everybody in it, in the order of their first word."""
    return [name for name in dict.fromkeys(name for each in messages for name in (each.sender, each.receiver)) if name]


def as_text(title: str, messages: Sequence[Told]) -> str:
    """A line a message, with its time."""
    width = max((len(name) for name in participants(messages)), default=0)
    lines = [title, ""]
    for each in messages:
        arrow = _ARROWS.get(each.kind, "──▶")
        mark = "  ↩ undoes" if each.undoes else ""
        lines.append(f"{each.time}  {each.sender:>{width}} {arrow} {each.receiver or '·':<{width}}  {each.words}{mark}")
    return "\n".join([*lines, "", "──▶ command   ╌╌▷ event   ┈┈▷ reply   · only observers heard it"])


def as_mermaid(title: str, messages: Sequence[Told]) -> str:
    """A Mermaid sequence diagram."""
    names = {name: f"p{number}" for number, name in enumerate(participants(messages))}
    lines = ["sequenceDiagram", f"    title {title}"]
    lines += [f"    participant {alias} as {name}" for name, alias in names.items()]
    for each in messages:
        arrow = "-->>" if each.kind in (EVENT, REPLY) else "->>"
        to = names[each.receiver or each.sender]
        said = f"    {names[each.sender]}{arrow}{to}: {each.time} {each.words}"
        lines += ["    rect rgb(253, 233, 217)", f"    {said}", "    end"] if each.undoes else [said]
    return "\n".join(lines)


def as_svg(title: str, messages: Sequence[Told]) -> str:
    """Lifelines from left to right, time from top to bottom."""
    names = participants(messages)
    at = {name: _LEFT + number * _BETWEEN for number, name in enumerate(names)}
    bottom = _TOP + 40 + _ROW * len(messages)
    width, height = _LEFT + _BETWEEN * max(len(names), 3) + 10, bottom + 70
    parts = [*opening(title, width, height), *(tip(colour) for colour in (INK, BACK, PERSON, DOUBT, FAINT))]
    for name, x in at.items():
        parts.append(f'<path d="M{x},{_TOP + 14} V{bottom + 10}" stroke="{FAINT}" stroke-width="0.7"/>')
        parts.append(
            f'<rect x="{x - 60}" y="{_TOP - 12}" width="120" height="26" rx="6" fill="#eef4fb" stroke="{INK}"/>'
        )
        parts.append(words(x, _TOP + 6, name, INK, bold=True, middle=True))
    for number, each in enumerate(messages):
        parts += _message(each, at, _TOP + 48 + _ROW * number)
    return "\n".join([*parts, *_legend(bottom + 46), "</svg>"])


def _message(each: Told, at: Mapping[str, int], y: int) -> Iterator[str]:
    colour = BACK if each.undoes else {OPERATOR: PERSON, TIMER: DOUBT}.get(each.kind, INK)
    start, end = at[each.sender], at.get(each.receiver, 0)
    dashes = _DASHES.get(each.kind, "")
    yield words(16, y + 4, each.time, FAINT, size=11)
    label = f"↩ {each.words}" if each.undoes else each.words
    if not each.receiver:
        yield f'<circle cx="{start}" cy="{y}" r="4" fill="{PAPER}" stroke="{colour}"/>'
        yield words(start + 10, y + 4, label, FAINT)
        return
    if start == end:
        yield f'<path d="M{start},{y - 6} h24 v10 h-22" fill="none" stroke="{colour}"{dashes} {_end(colour)}/>'
        yield words(start + 30, y + 4, label, colour)
        return
    yield f'<path d="M{start},{y} H{end}" fill="none" stroke="{colour}" stroke-width="1.4"{dashes} {_end(colour)}/>'
    middle = (start + start + (_BETWEEN if end > start else -_BETWEEN)) // 2
    yield f'<text x="{middle}" y="{y - 5}" fill="{colour}" text-anchor="middle" {_HALO}>{label}</text>'


_HALO: Final = f'stroke="{PAPER}" stroke-width="4" paint-order="stroke" stroke-linejoin="round"'


def _end(colour: str) -> str:
    return f'marker-end="url(#tip{colour[1:]})"'


def _legend(y: int) -> Iterator[str]:
    x = 30
    for kind, meaning in _LEGEND:
        colour = BACK if kind == "undo" else INK
        yield f'<path d="M{x},{y} h44" stroke="{colour}" stroke-width="1.4"{_DASHES.get(kind, "")} {_end(colour)}/>'
        yield words(x + 52, y + 4, meaning, colour)
        x += 170
