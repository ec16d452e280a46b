"""Gives the log's lines to those who read it: observers get every line, subscribers that are behind their events.

A turn's own lines are read when all mailboxes are empty; those of other cells come over links, in their order.
"""

from __future__ import annotations

from typing import Final

import structlog

from actors.directory import log
from actors.directory.messages import ReactionFailed
from actors.directory.subscriptions import Subscriptions
from actors.messaging.envelope import EVENT, TIMER, Envelope
from actors.messaging.system_messages import LinesSeen
from actors.runtime.consequences import Consequences
from actors.runtime.crossing import Crossing
from actors.runtime.delivery import DIRECTORY, Delivery
from actors.runtime.letters import Letters
from actors.runtime.lines import records_in, seen
from actors.runtime.service import Observed, Record
from actors.runtime.void import TurnVoid
from actors.store.session import Session

ROUNDS: Final = 100  # of one turn


class Observers:
    """One cell's. `names` are the services, here or in other cells, that observe; the cell says which."""

    def __init__(
        self, *, cell: str, session: Session, subscriptions: Subscriptions, crossing: Crossing,
        consequences: Consequences, delivery: Delivery, letters: Letters,
    ) -> None:  # fmt: skip
        self._cell = cell
        self._session = session
        self._subscriptions = subscriptions
        self._crossing = crossing
        self._consequences = consequences
        self._delivery = delivery
        self._letters = letters
        self._observed = self._rounds = 0  # of this turn's lines, and in this turn
        self._overdue: list[tuple[str, Record]] = []  # lines that an observer could not take before
        self._from_elsewhere: dict[str, list[Record]] = {}  # other cells' lines for the observers here, not yet taken
        self._log = structlog.get_logger("cell").bind(cell=cell)
        self.names: tuple[str, ...] = ()
        self.witnessed: list[Record] = []  # all of other cells' lines in this turn

    def begin(self) -> None:
        """A turn begins."""
        self._observed = self._rounds = 0
        self._overdue, self._from_elsewhere, self.witnessed = [], {}, []

    def see(self, observer: str, lines: LinesSeen) -> None:
        """Lines of another cell's log have come for an observer here.

        Raises:
            CannotDecode: one is of a message that this program doesn't know.
        """
        records = records_in(lines)
        self._from_elsewhere.setdefault(observer, []).extend(records)
        self.witnessed += records

    def take_up(self, actor: str, letter: Envelope) -> bool:
        """Take a dead letter that is delivered again, if it is an observer's line; false if it is a message."""
        if isinstance(letter.message, LinesSeen):
            self.see(actor, letter.message)
            return True
        if actor not in self.names:
            return False
        # What an observer takes is not the message but its line in the log; and what was said of the payment
        # since then once more, or an old line would have the last word.
        records = log.timeline(self._session, letter.payment_id)
        lines = [at for at, record in enumerate(records) if record.envelope._replace(kind=EVENT) == letter]
        self._overdue += [(actor, record) for record in (records[lines[0] :] if lines else ())]
        return True

    @property
    def unread(self) -> bool:
        """Whether there are lines in this turn that an observer has not had."""
        return bool(self._observed < len(self._consequences.records) or self._overdue or self._from_elsewhere)

    def tell(self) -> None:
        """Give every observer the lines that it has not had.

        Raises:
            TurnVoid: this comes to no end within the turn.
        """
        records = self._consequences.records
        fresh, self._observed = records[self._observed :], len(records)
        overdue, self._overdue = self._overdue, []
        for name, record in overdue:
            self._observe(name, [record])
        elsewhere, self._from_elsewhere = self._from_elsewhere, {}
        for name in self.names:
            mine = fresh if name not in self._subscriptions.lagging else []
            if mine or name in elsewhere:
                self._observe(name, elsewhere.get(name, []) + mine)
        self._rounds += 1
        if self._rounds > ROUNDS:
            raise TurnVoid("observers of the log had something to say about what they said, without end")

    def catch_up(self, lines: int) -> None:
        """Let subscribers that are behind read on; at the log's end they are live again."""
        stored_end = log.end(self._session)
        for subscriber, offset in list(self._subscriptions.lagging.items()):
            records = log.read(self._session, offset, lines)
            next_offset = records[-1].offset + 1 if records else stored_end
            observes = subscriber in self.names
            if observes and records:
                self._observe(subscriber, records)
            if next_offset >= stored_end and not observes:
                records += [record for record in self._consequences.records if record.offset >= next_offset]
            if not observes:
                for record in records:
                    if record.envelope.kind == EVENT:
                        self._post(subscriber, record.envelope)
            self._subscriptions.advance(subscriber, next_offset, stored_end)

    def _post(self, subscriber: str, event: Envelope) -> None:
        routes, _ = self._subscriptions.routes(type(event.message), event.flow, event.workflow)
        for name, on in routes:
            if name == subscriber:
                self._consequences.mail.append((name, event, on))

    def _observe(self, observer: str, records: list[Record]) -> None:
        """Give an observer the log's lines; a line it can't take is buried alone, the others are observed."""
        if not self._crossing.subscribes_here(observer):
            self._crossing.let_see(observer, records)
            return
        tick = Envelope("", Observed(records=tuple(records)), TIMER, DIRECTORY, observer)
        if not self._delivery.careful:
            self._delivery.deliver_at_ease(observer, tick, None)
            return
        _, error = self._delivery.attempt(observer, tick, None)
        if error is None:
            return
        if len(records) > 1:
            for record in records:
                self._observe(observer, [record])
        elif not isinstance(records[0].envelope.message, ReactionFailed):
            self._log.error("observer failed", actor=observer, exc_info=error)
            line = records[0].envelope._replace(kind=EVENT)
            letter = self._as_letter(observer, records[0])
            self._letters.bury(observer, line, 1, f"{type(error).__name__}: {error}", letter=letter)

    def _as_letter(self, observer: str, record: Record) -> Envelope | None:
        """The whole line, where it is of another cell's log and so can't be found in this one when it is retried."""
        if record not in self.witnessed:
            return None
        return next(seen(observer, self._cell, [record]))._replace(payment_id=record.envelope.payment_id)
