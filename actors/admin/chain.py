"""The choreographed chain as a list, found in the services' reactions: who publishes what, and who reacts how.

Nothing here says what the order is: it is what the reactions add up to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.messaging.envelope import CHOREOGRAPHED

FIRST_EVENT: Final = "PaymentInitiated"


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


def _link(service: str, on: On) -> Link:
    publisher = on.event.__module__.split(".")[1]  # the service in whose messages.py the event stands
    publisher = "operations" if publisher == "messaging" else publisher  # people steer; no service publishes that
    return Link(publisher, on.event.__name__, service, on.command.__name__)


def _growing(reached: dict[str, None]) -> Iterator[str]:
    """The keys of a dict that grows while it is gone through."""
    done = 0
    while done < len(reached):
        yield list(reached)[done]
        done += 1
