"""What takes effect within a turn: mail, lines of the log, replies, tasks, timers. Runs no handler, writes nothing."""

from __future__ import annotations

from collections import deque

from actors.directory.reaction import On
from actors.directory.subscriptions import Subscriptions
from actors.messaging.envelope import Envelope
from actors.runtime.crossing import Crossing
from actors.runtime.effects import CLIENT, OUTBOX, UNLOGGED, Effects
from actors.runtime.outbox import Outboxes
from actors.runtime.service import Record
from actors.runtime.timers import Timers


class Consequences:
    """One object for all turns of a cell. `mail` is empty between them; `records` and `replies` are the turn's own."""

    def __init__(
        self, *, effects: Effects, mail: deque[tuple[str, Envelope, On | None]], subscriptions: Subscriptions,
        timers: Timers, outboxes: Outboxes, crossing: Crossing,
    ) -> None:  # fmt: skip
        self._effects = effects
        self._subscriptions = subscriptions
        self._timers = timers
        self._outboxes = outboxes
        self._crossing = crossing
        self.mail = mail  # target, envelope, and the reaction in hand where it is a published event
        self.records: list[Record] = []
        self.replies: list[Envelope] = []

    def begin(self) -> None:
        """A turn begins; the replies of the last one belong to whoever has them."""
        self.records, self.replies = [], []

    def note(self, envelope: Envelope) -> None:
        """Give what came from outside the cell its line in the log."""
        effects = self._effects
        self.records.append(
            Record(effects.number, effects.now, envelope, envelope.message.progress, (envelope.target,))
        )
        effects.number += 1

    def take(self) -> None:
        """The handler has returned: what it did takes effect within the turn."""
        effects = self._effects
        now = effects.now
        if effects.timers:
            for key, due, timed in effects.timers:
                self._timers.change(effects.actor, key, due, timed)
            effects.timers = []  # or the next handler would set them again, as its own
        outgoing = effects.outgoing
        if not outgoing:
            return
        number = effects.start
        records, mail = self.records, self.mail
        for envelope in outgoing:
            target = envelope.target
            if not target:
                routes, progress = self._subscriptions.routes(type(envelope.message), envelope.flow, envelope.workflow)
                records.append(Record(number, now, envelope, progress, tuple([route[0] for route in routes])))
                number += 1
                lagging = self._subscriptions.lagging
                for subscriber, on in routes:
                    if not lagging or subscriber not in lagging:
                        mail.append((subscriber, envelope, on))
                continue
            if envelope.message_id != UNLOGGED and envelope.message.logged:
                records.append(Record(number, now, envelope, envelope.message.progress, (target,)))
                number += 1
            if target[:7] == CLIENT:
                self.replies.append(envelope)
            elif target[:7] == OUTBOX:
                self._outboxes.add(envelope)
            elif self._crossing.is_here(envelope):
                mail.append((target, envelope, None))
            else:
                self._crossing.send(envelope)
        effects.outgoing = []
