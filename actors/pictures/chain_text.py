"""A chain in words and as Mermaid: which event makes which service do what, and what that publishes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from actors.directory.reaction import On, Reactions
from actors.messaging.message import Message
from actors.payment.queries import outcomes
from actors.pictures.chain import of_order

Events = dict[type[Message], list[tuple[str, On]]]


class Row(NamedTuple):
    """A line of the tree; `again` says that what follows from it is shown elsewhere."""

    depth: int
    event: str
    reaction: str
    again: bool


def text(reactions: Mapping[str, Reactions], name: str) -> str:
    """The chain of one order of steps as a tree, the longest chain first."""
    lines: list[str] = []
    for row in _rows(_events(reactions, name)):
        seen = "  (as above)" if row.again else ""
        lines.append(f"{'    ' * row.depth}{row.event} → {row.reaction}{seen}")
        if row.depth == 0 and len(lines) > 1 and lines[-2].startswith(" "):
            lines.insert(-1, "")
    return "\n".join(lines)


def mermaid(reactions: Mapping[str, Reactions], name: str) -> str:
    """The chain as a flowchart: events round, what services do square."""
    events = _events(reactions, name)
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
                lines += [
                    f"    {node} --> {each.__name__}" for each in outcomes().get(on.command, ()) if each in events
                ]
            lines.append(f"    {event.__name__} --> {node}")
    return "\n".join(lines)


def _events(reactions: Mapping[str, Reactions], name: str) -> Events:
    events: Events = {}
    for service, on in of_order(reactions, name):
        events.setdefault(on.event, []).append((service, on))
    return events


def _rows(events: Events) -> Iterator[Row]:
    """Depth first from the events that no command here is answered by; the longest chain comes first."""
    caused = {given for reacting in events.values() for _, on in reacting for given in _given(on)}
    trees = [(root, list(_tree(events, root, 0, set()))) for root in events if root not in caused]
    drawn: set[type[Message]] = set()
    for root, _ in sorted(trees, key=lambda tree: -len(tree[1])):
        yield from _tree(events, root, 0, drawn)


def _tree(events: Events, event: type[Message], depth: int, drawn: set[type[Message]]) -> Iterator[Row]:
    again = event in drawn
    drawn.add(event)
    for service, on in events.get(event, ()):
        yield Row(depth, event.__name__, f"{service}: {_reaction(on)}", again)
        if not again:
            for given in _given(on):
                if given in events:
                    yield from _tree(events, given, depth + 1, drawn)


def _given(on: On) -> tuple[type[Message], ...]:
    return outcomes().get(on.command, ())


def _reaction(on: On) -> str:
    made = on.make.__name__
    return on.command.__name__ if on.command in outcomes() or made == "<lambda>" else f"{on.command.__name__} ({made})"
