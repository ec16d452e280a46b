"""The choreographed chain as a picture: which event makes which service do what, and what that publishes.

Nothing here knows the order: it is what the services' reactions add up to. What a command may be answered by
is taken from the workflows, which use the same commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.messaging.envelope import CHOREOGRAPHED
from actors.messaging.message import Message
from actors.payment.diagram import FAINT, FONT, FORMATS, INK, PAPER, box, line, words
from actors.payment.queries import outcomes

Events = dict[type[Message], list[tuple[str, On]]]


class Row(NamedTuple):
    """A line of the drawn tree; `again` says that what follows from it is drawn elsewhere."""

    depth: int
    event: str
    reaction: str
    again: bool


def choreography_diagram(reactions_by_service: Mapping[str, Reactions], order: str, format: str) -> str:
    """The chain of one order of steps (`debit-first`, `screen-first`), as text, Mermaid or SVG.

    Raises:
        ValueError: there is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"a diagram is {', '.join(FORMATS)}, not {format}")
    events = _events(reactions_by_service, order)
    if format == "mermaid":
        return _mermaid(events)
    rows = list(_rows(events))
    return _svg(rows, order) if format == "svg" else _text(rows)


def _events(reactions_by_service: Mapping[str, Reactions], order: str) -> Events:
    events: Events = {}
    for service, reactions in reactions_by_service.items():
        for on in (*reactions.get(order, ()), *reactions.get(ANY_ORDER, ())):
            if CHOREOGRAPHED in on.flows:
                events.setdefault(on.event, []).append((service, on))
    return events


def _rows(events: Events) -> Iterator[Row]:
    """Depth first from the events that no command here is answered by; the longest chain comes first."""
    answers = outcomes()
    caused = {outcome for reacting in events.values() for _, on in reacting for outcome in answers.get(on.command, ())}
    trees = [(root, list(_tree(events, root, 0, set()))) for root in events if root not in caused]
    drawn: set[type[Message]] = set()
    for root, _ in sorted(trees, key=lambda tree: -len(tree[1])):
        yield from _tree(events, root, 0, drawn)


def _tree(events: Events, event: type[Message], depth: int, drawn: set[type[Message]]) -> Iterator[Row]:
    again = event in drawn
    drawn.add(event)
    answers = outcomes()
    for service, on in events.get(event, ()):
        yield Row(depth, event.__name__, f"{service}: {_reaction(on)}", again)
        if not again:
            for outcome in answers.get(on.command, ()):
                if outcome in events:
                    yield from _tree(events, outcome, depth + 1, drawn)


def _reaction(on: On) -> str:
    made = on.make.__name__
    return on.command.__name__ if on.command in outcomes() or made == "<lambda>" else f"{on.command.__name__} ({made})"


def _text(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        seen = "  (as above)" if row.again else ""
        lines.append(f"{'    ' * row.depth}{row.event} → {row.reaction}{seen}")
        if row.depth == 0 and len(lines) > 1 and lines[-2].startswith(" "):
            lines.insert(-1, "")
    return "\n".join(lines)


def _mermaid(events: Events) -> str:
    answers = outcomes()
    lines = ["flowchart LR"]
    for event in events:
        lines.append(f'    {event.__name__}(["{event.__name__}"])')
    done: set[str] = set()
    for event, reacting in events.items():
        for service, on in reacting:
            node = f"{service}_{on.command.__name__}"
            if node not in done:
                done.add(node)
                lines.append(f'    {node}["{service}<br/>{on.command.__name__}"]')
                known = [outcome for outcome in answers.get(on.command, ()) if outcome in events]
                lines += [f"    {node} --> {outcome.__name__}" for outcome in known]
            lines.append(f"    {event.__name__} --> {node}")
    return "\n".join(lines)


_ROW, _INDENT, _EVENT_WIDTH = 34, 36, 190


def _svg(rows: list[Row], title: str) -> str:
    width = 40 + _INDENT * max((row.depth for row in rows), default=0) + _EVENT_WIDTH + 400
    height = 50 + _ROW * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT} role="img">',
        f"<title>{title}, choreographed</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        words(20, 30, f"{title}, choreographed", INK, bold=True),
    ]
    parents: dict[int, int] = {}
    for number, row in enumerate(rows):
        x, y = 20 + _INDENT * row.depth, 50 + _ROW * number
        parents[row.depth] = y
        if row.depth:
            above = parents[row.depth - 1]
            parts.append(line(f"M{x - _INDENT + 14},{above + 26} V{y + 13} H{x}", FAINT))
        colour = FAINT if row.again else INK
        parts.append(box(x, y, _EVENT_WIDTH, 26, colour, 1))
        parts.append(words(x + 10, y + 18, row.event, colour))
        seen = " (as above)" if row.again else ""
        parts.append(words(x + _EVENT_WIDTH + 12, y + 18, f"→ {row.reaction}{seen}", colour, bold=not row.again))
    return "\n".join([*parts, "</svg>"])
