"""The choreographed chain, found in the services' reactions and drawn: who publishes what, and who reacts how.

Nothing here says what the order is: it is what the reactions add up to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.messaging.envelope import CHOREOGRAPHED

FIRST_EVENT: Final = "PaymentInitiated"
_COLUMN: Final = 170  # pixels between two services
_ROW: Final = 34  # and between two reactions


class Link(NamedTuple):
    """On `event`, which `publisher` publishes, `reactor` does `command`."""

    publisher: str
    event: str
    reactor: str
    command: str


def orders(reactions: Mapping[str, Reactions]) -> tuple[str, ...]:
    """The orders of steps that any service knows."""
    return tuple(dict.fromkeys(order for each in reactions.values() for order in each if order != ANY_ORDER))


def chain(reactions: Mapping[str, Reactions], order: str) -> list[Link]:
    """Every reaction of one order of steps, in the order in which a payment can come to it."""
    links = [
        _link(service, on)
        for service, each in reactions.items()
        for on in (*each.get(order, ()), *each.get(ANY_ORDER, ()))
        if CHOREOGRAPHED in on.flows
    ]
    reached = dict.fromkeys(link.publisher for link in links if link.event == FIRST_EVENT)
    found: list[Link] = []
    for service in _growing(reached):
        # What a service is told first comes first: its own reactions bring the next services in.
        for link in links:
            if link.publisher == service and link not in found:
                found.append(link)
                reached.setdefault(link.reactor)
    return found + [link for link in links if link not in found]


def as_dict(name: str, links: list[Link]) -> dict[str, Any]:
    """The chain as `workflow show --json` has it."""
    return {"name": name, "flow": CHOREOGRAPHED, "reactions": [link._asdict() for link in links]}


def text(links: list[Link]) -> str:
    """One reaction a line."""
    width = max((len(f"{link.publisher}: {link.event}") for link in links), default=0)
    return "\n".join(
        f"{f'{link.publisher}: {link.event}'.ljust(width)}  →  {link.reactor}: {link.command}" for link in links
    )


def mermaid(links: list[Link]) -> str:
    """A sequence diagram: services side by side, an arrow for each event."""
    lines = ["sequenceDiagram", *(f"    participant {service}" for service in _services(links))]
    for link in links:
        lines.append(f"    {link.publisher}->>{link.reactor}: {link.event}")
        lines.append(f"    Note over {link.reactor}: {link.command}")
    return "\n".join(lines)


def svg(links: list[Link], title: str) -> str:
    """The same as a picture."""
    services = _services(links)
    at = {service: 90 + _COLUMN * index for index, service in enumerate(services)}
    width, height = 180 + _COLUMN * (len(services) - 1), 90 + _ROW * len(links)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="11" role="img"><title>{escape(title)}</title>',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto">'
        '<path d="M0,0 L7,3 L0,6 z"/></marker></defs>',
    ]
    for service, x in at.items():
        parts.append(f'<line x1="{x}" y1="34" x2="{x}" y2="{height - 10}" stroke="#999" stroke-dasharray="3 3"/>')
        parts.append(f'<text x="{x}" y="24" text-anchor="middle" font-weight="bold">{escape(service)}</text>')
    for row, link in enumerate(links):
        parts += _arrow(at[link.publisher], at[link.reactor], 62 + _ROW * row, link)
    return "\n".join([*parts, "</svg>"])


def _arrow(start: int, end: int, y: int, link: Link) -> list[str]:
    label = f"{escape(link.event)} → {escape(link.command)}"
    if start == end:
        path = f"M{start},{y - 6} h26 v10 h-24"
        where, anchor = start + 32, "start"
    else:
        path = f"M{start},{y} L{end},{y}"
        where, anchor = (start + end) // 2, "middle"
    return [
        f'<path d="{path}" fill="none" stroke="#222" marker-end="url(#tip)"/>',
        f'<text x="{where}" y="{y - 5}" text-anchor="{anchor}">{label}</text>',
    ]


def _link(service: str, on: On) -> Link:
    publisher = on.event.__module__.split(".")[1]  # the service in whose messages.py the event stands
    return Link(publisher, on.event.__name__, service, on.command.__name__)


def _services(links: list[Link]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for link in links for name in (link.publisher, link.reactor)))


def _growing(reached: dict[str, None]) -> Any:
    """The keys of a dict that grows while it is gone through."""
    done = 0
    while done < len(reached):
        yield list(reached)[done]
        done += 1
