"""The choreographed chain of one order of steps, found in the services' reactions: nobody has written it down.

What a command may be answered by is taken from the workflows, which use the same commands; of a command that no
workflow sends, from what its reactions make, and from its own description.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On, Reactions
from actors.messaging.envelope import CHOREOGRAPHED
from actors.messaging.message import Event, Message
from actors.payment.queries import outcomes
from actors.pictures import rehearsal

_NAMED: Final = re.compile(r"`(\w+)`")


@dataclass(frozen=True, slots=True)
class Reaction:
    """On any of `events`, `service` does `command`, and publishes one of `outcomes`."""

    service: str
    command: str
    events: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """What one payment may go through; `sources` are events that come from elsewhere, with their publishers."""

    name: str
    sources: tuple[tuple[str, str], ...]
    reactions: tuple[Reaction, ...]

    @property
    def title(self) -> str:
        """What stands above the picture."""
        return f"{self.name}, choreographed"

    def services(self) -> tuple[str, ...]:
        """Everybody in it, in the order in which a payment comes to them."""
        return tuple(dict.fromkeys([*(service for service, _ in self.sources), *(on.service for on in self.reactions)]))

    def heard(self) -> set[str]:
        """The events that somebody reacts to."""
        return {event for on in self.reactions for event in on.events}


def chain(reactions: Mapping[str, Reactions], name: str) -> Chain:
    """The chain of one order of steps (`debit-first`, `screen-first`)."""
    together: dict[tuple[str, str, tuple[str, ...]], Reaction] = {}
    publishers: dict[str, str] = {}
    told = {event for service, on in of_order(reactions, name) for event in answers(on, name)}
    for service, on in of_order(reactions, name):
        if on.flows == BOTH_FLOWS and on.event not in told and not carries_payment(on.event):
            continue  # not a payment's business: accounts and the like
        publishers[on.event.__name__] = publisher(on.event)
        given = tuple(each.__name__ for each in answers(on, name))
        key = (service, on.command.__name__, given)
        known = together.get(key, Reaction(service, on.command.__name__, (), given))
        together[key] = replace(known, events=(*known.events, on.event.__name__))
    found = list(together.values())
    caused = {event for on in found for event in on.outcomes}
    sources = {event: service for event, service in publishers.items() if event not in caused}
    first = [event for event in sources if event.endswith("Initiated")]
    ordered = _in_order(found, [*first, *(event for event in sources if event not in first)])
    return Chain(name, tuple((sources[event], event) for event in _as_met(sources, ordered)), tuple(ordered))


def only(chain: Chain, heard: frozenset[tuple[str, str]]) -> Chain:
    """The same chain without what these services did not hear, by service and event: the chain of one payment."""
    met = [
        replace(on, events=tuple(event for event in on.events if (on.service, event) in heard))
        for on in chain.reactions
    ]
    reactions = tuple(on for on in met if on.events)
    listened = {event for on in reactions for event in on.events}
    return replace(chain, reactions=reactions, sources=tuple(each for each in chain.sources if each[1] in listened))


def of_order(reactions: Mapping[str, Reactions], name: str) -> Iterator[tuple[str, On]]:
    """Every reaction that a choreographed payment of this order may meet."""
    for service, each in reactions.items():
        for on in (*each.get(name, ()), *each.get(ANY_ORDER, ())):
            if CHOREOGRAPHED in on.flows:
                yield service, on


def publisher(event: type[Message]) -> str:
    """The service in whose messages.py an event stands."""
    service = event.__module__.split(".")[1]
    return "operations" if service == "messaging" else service  # steering is nobody's own: people ask for it


def answers(on: On, name: str) -> tuple[type[Message], ...]:
    """The events that may come of a reaction's command."""
    known = tuple(each for each in outcomes().get(on.command, ()) if issubclass(each, Event))
    return known or tuple(_endings(on, name)) or tuple(_described(on.command))


def ending_of(command: Message) -> type[Message] | None:
    """The event that says what became of the payment, for a command that carries the status it gives."""
    status, room = getattr(command, "status", None), sys.modules[type(command).__module__]
    if status is None:
        return None
    return next(
        (each for each in vars(room).values()
         if isinstance(each, type) and issubclass(each, Event) and each.progress == status),
        None,
    )  # fmt: skip


def carries_payment(event: type[Message]) -> bool:
    """Whether an event is about one payment."""
    return bool({"facts", "order", "payment_id"} & set(event.__dataclass_fields__))


def _endings(on: On, name: str) -> Iterator[type[Message]]:
    order = rehearsal.order(name, CHOREOGRAPHED)
    made = [rehearsal.made(on, event) for event in rehearsal.variants(on.event, order)]
    found = [ending_of(command) for command in made if command is not None and publisher(on.command) == "disbursement"]
    yield from dict.fromkeys(each for each in found if each is not None)


def _described(command: type[Message]) -> Iterator[type[Message]]:
    room = vars(sys.modules[command.__module__])
    for name in dict.fromkeys(_NAMED.findall(command.__doc__ or "")):
        named = room.get(name)
        if isinstance(named, type) and issubclass(named, Event):
            yield named


def _in_order(found: list[Reaction], sources: list[str]) -> list[Reaction]:
    """As a payment comes to them: those that the first event causes, and what follows, before those of the next."""
    ordered: list[Reaction] = []
    waiting = list(sources)
    while waiting:
        event = waiting.pop(0)
        new = [on for on in found if event in on.events and on not in ordered]
        ordered += new
        waiting = [given for on in new for given in on.outcomes] + waiting
    return ordered + [on for on in found if on not in ordered]


def _as_met(sources: dict[str, str], ordered: list[Reaction]) -> list[str]:
    met = [event for on in ordered for event in on.events if event in sources]
    return list(dict.fromkeys(met))
