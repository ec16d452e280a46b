"""What a turn sends to other cells, where services have cells of their own: messages, events, lines of the log.

Decides where each goes, by name and slot; the links carry it. No service knows of any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actors.messaging.envelope import HERE, Envelope
from actors.runtime.lines import seen
from actors.runtime.links import Links
from actors.runtime.pauses import ACTOR as PAUSES
from actors.runtime.service import Record
from actors.runtime.void import UNPACKABLE, CannotBeSent
from actors.store.placement import Placement
from actors.vocabulary.slots import slot_in


class Crossing:
    """One cell's. `hosts` says whether an actor of this name lives in the cell; `whole`: every service does."""

    def __init__(self, cell: str, placement: Placement, links: Links, hosts: Callable[[str], bool]) -> None:
        self._cell = cell
        self._placement = placement
        self._links = links
        self._hosts = hosts
        self._slots = placement.slots_of(cell)
        self._published: set[tuple[str, str]] = set()  # this turn's events that have gone to a subscriber elsewhere
        self.whole = placement.whole

    def begin(self) -> None:
        """A turn begins."""
        self._published = set()

    def is_here(self, envelope: Envelope) -> bool:
        """Whether the target is an actor of this cell."""
        slot = envelope.slot
        return (slot == HERE or slot in self._slots) and (self.whole or self._hosts(envelope.target))

    def subscribes_here(self, subscriber: str) -> bool:
        """Whether a subscriber, or an observer, lives in this cell."""
        return self.whole or self._hosts(subscriber)

    def send(self, envelope: Envelope) -> None:
        """To an actor in another cell: that of its slot, or of the payment's where it has none.

        Raises:
            CannotBeSent: nobody could decode it.
        """
        slot = envelope.slot
        if slot == HERE:
            slot = slot_in(envelope.payment_id) if envelope.payment_id else 0
        self._add(self._placement.cell_for(envelope.target, slot), [envelope])

    def publish(self, subscriber: str, event: Envelope) -> None:
        """An event to a subscriber in another cell, where all of its reactions to it are found: so it goes but once.

        One that is about no payment goes to every cell of the subscriber's; what is paused concerns all the others.
        """
        if (subscriber, event.message_id) in self._published:
            return
        self._published.add((subscriber, event.message_id))
        event = event._replace(target=subscriber)
        if event.payment_id and subscriber != PAUSES:
            self.send(event)
            return
        for cell in self._placement.cells_of(subscriber):
            if cell != self._cell:
                self._add(cell, [event])

    def let_see(self, observer: str, records: Iterable[Record]) -> None:
        """Lines of the log to an observer in other cells: each to that of its payment."""
        by_cell: dict[str, list[Record]] = {}
        for record in records:
            if record.envelope.payment_id:
                cell = self._placement.cell_for(observer, slot_in(record.envelope.payment_id))
                by_cell.setdefault(cell, []).append(record)
        for cell, lines in by_cell.items():
            self._add(cell, seen(observer, self._cell, lines))

    def _add(self, cell: str, envelopes: Iterable[Envelope]) -> None:
        try:
            for envelope in envelopes:
                self._links.add(cell, envelope)
        except UNPACKABLE as error:
            raise CannotBeSent(error) from error
