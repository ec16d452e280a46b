"""One turn: run actors until no mailbox has mail, in one transaction; nothing leaves before the commit.

Reads no socket and knows no thread: inputs come as values, what may leave is returned as values. That makes a
turn the same under the operating system and under a simulator.

Its rooms: `intake` puts what has come and what is due into the mail, `delivery` brings it to the actors, `observers`
get the log's lines, `letters` are what nobody could take, `standstill` is for who is paused; `consequences` is what all
of that has led to within the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from actors.directory import log
from actors.directory.subscriptions import Subscriptions
from actors.messaging.codec import moment
from actors.messaging.envelope import Envelope
from actors.runtime.clock import Clock, Ids
from actors.runtime.consequences import Consequences
from actors.runtime.counters import Counters
from actors.runtime.crossing import Crossing
from actors.runtime.delivery import Delivery, HandlerFailed
from actors.runtime.effects import Effects
from actors.runtime.inprocess import InProcessSystem
from actors.runtime.inputs import Inputs
from actors.runtime.intake import Intake
from actors.runtime.letters import Letters
from actors.runtime.links import Links
from actors.runtime.observers import Observers
from actors.runtime.outbox import Outboxes
from actors.runtime.pauses import Pauses
from actors.runtime.retries import Backoff, Retries
from actors.runtime.seals import Seals
from actors.runtime.service import Record
from actors.runtime.standstill import Standstill
from actors.runtime.timers import Timers
from actors.runtime.void import UNPACKABLE, TurnVoid
from actors.runtime.waiters import Waiters
from actors.store.placement import Placement
from actors.store.sqlite import SqliteSession

CAREFUL_TURNS: Final = 50  # turns with savepoints after a handler has raised: failures come in flocks


class Starting(NamedTuple):
    """What a cell's first turn is told: how long the cell was down, and who is to hear that it is up."""

    downtime: timedelta
    told: list[Envelope]


class Turns:
    """Runs turns over one cell's store. `failed_actor` hears of each message that a handler could not take."""

    def __init__(
        self, *, cell: str, session: SqliteSession, system: InProcessSystem, subscriptions: Subscriptions,
        retries: Retries, timers: Timers, outboxes: Outboxes, pauses: Pauses, links: Links, seals: Seals,
        clock: Clock, ids: Ids,
        chance: Random, placement: Placement, own_slots: frozenset[int], immediate_retries: int, backoff: Backoff,
        budget: int, resident: int, failed_actor: Callable[[str, datetime], None],
    ) -> None:  # fmt: skip
        self._session = session
        self._system = system
        self._subscriptions = subscriptions
        self._retries = retries
        self._timers = timers
        self._outboxes = outboxes
        self._pauses = pauses
        self._links = links
        self._seals = seals
        self._clock = clock
        self._resident = resident
        self._doomed: list[str] = []  # actors that a drill ends with this turn
        self._turn = 0
        self._careful_turns = 0  # how many more turns are to be so
        self.whole = placement.whole  # every service is here, and only slots decide
        self.waiters = Waiters()
        self.counters = Counters()
        self._effects = effects = Effects(cell, ids)
        self._crossing = crossing = Crossing(cell, placement, links, system.hosts)
        self._consequences = consequences = Consequences(
            effects=effects, mail=system._pendingSends, subscriptions=subscriptions, timers=timers, outboxes=outboxes,
            crossing=crossing,
        )  # fmt: skip
        letters = Letters(
            cell=cell, slot=min(own_slots), effects=effects, consequences=consequences, retries=retries, ids=ids,
            handlers_of=system.handlers_of, counters=self.counters,
        )  # fmt: skip
        standstill = Standstill(
            pauses=pauses, effects=effects, consequences=consequences, retries=retries, timers=timers
        )
        self._delivery = delivery = Delivery(
            cell=cell, session=session, system=system, subscriptions=subscriptions, crossing=crossing, effects=effects,
            consequences=consequences, retries=retries, pauses=pauses, standstill=standstill, letters=letters,
            counters=self.counters, chance=chance, immediate_retries=immediate_retries, backoff=backoff, budget=budget,
            failed_actor=failed_actor,
        )  # fmt: skip
        self.observers = Observers(
            cell=cell, session=session, subscriptions=subscriptions, crossing=crossing, consequences=consequences,
            delivery=delivery, letters=letters,
        )  # fmt: skip
        self._intake = Intake(
            cell=cell, effects=effects, consequences=consequences, delivery=delivery, observers=self.observers,
            letters=letters, retries=retries, timers=timers, outboxes=outboxes, links=links,
            subscriptions=subscriptions, pauses=pauses, standstill=standstill, chance=chance, backoff=backoff,
        )  # fmt: skip

    def open(self) -> None:
        """Read where the log ends; called inside a transaction."""
        self._turn = log.last_turn(self._session)
        self._effects.number = log.end(self._session)
        self._seals.open()

    def log_end(self) -> int:
        """The number that the log's next line will get, this turn's own lines counted."""
        return self._effects.number

    def run(
        self, inputs: Inputs, *, starting: Starting | None = None
    ) -> tuple[list[Envelope], list[tuple[str, bytes]]]:
        """Run one turn and commit it; returns replies for clients and frames for peers.

        Handlers that raise are rare, and a savepoint for each that writes is a fifth of a turn's time. So a
        turn is first run without; when one raises, all of it is rolled back and run again with savepoints.

        Raises:
            StoreFailed: the store refused; nothing of the turn counts. Call `abandon`, then try again.
            TurnVoid: likewise; the inputs are to blame.
        """
        if self._careful_turns == 0:
            try:
                return self._run(inputs, starting)
            except HandlerFailed:
                self.abandon()
                self._careful_turns = CAREFUL_TURNS
        self._careful_turns -= 1
        self._delivery.careful = True
        try:
            return self._run(inputs, starting)
        finally:
            self._delivery.careful = False

    def _run(self, inputs: Inputs, starting: Starting | None) -> tuple[list[Envelope], list[tuple[str, bytes]]]:
        consequences, delivery, observers = self._consequences, self._delivery, self.observers
        for _, content in (*inputs.links, *inputs.condemned_links):
            self._clock.witness(moment(content.at))
        now = self._begin()
        self._session.begin()
        if starting is not None:
            self._timers.prolong(starting.downtime)
            for envelope in starting.told:
                consequences.mail.append((envelope.target, envelope, None))
        self._intake.take(inputs, now)
        handled = 0
        while consequences.mail or delivery.unwritten or observers.unread:
            handled = delivery.drain(handled)
            delivery.write_back()
            if not consequences.mail:
                observers.tell()
        try:
            self._write(now)
        except UNPACKABLE as error:
            raise TurnVoid(f"it led to a message that can't be stored ({type(error).__name__}: {error})") from error
        frames = self._links.frames(now)
        self._session.commit()
        self._committed(handled)
        return consequences.replies, frames

    def _begin(self) -> datetime:
        now = self._effects.now = self._clock.now()
        self._consequences.begin()
        self.observers.begin()
        self.waiters.begin()
        self._crossing.begin()
        self._doomed = []
        return now

    def _write(self, now: datetime) -> None:
        records = self._consequences.records
        if records:
            self._turn += 1
            log.append(self._session, self._turn, now, records)
        self._timers.write()
        self._outboxes.write()
        self._links.write()
        self._seals.write(now)

    def _committed(self, handled: int) -> None:
        self._outboxes.release()
        self._links.committed()
        self._seals.committed()
        for name in self._doomed:
            self._system.kill(name)
        self._system.drop_idle(self._resident)
        if self.waiters:
            records = self._consequences.records + self.observers.witnessed
            self._consequences.replies += self.waiters.answers(records)
        self.counters.turns += 1
        self.counters.messages += handled

    def due_singles(self, limit: int) -> list[Inputs]:
        """What is due by now, to be run one a turn: timers and parked messages, up to `limit` of each."""
        now = self._clock.now()
        self._session.begin(to_read=True)
        try:
            timers = self._timers.due(now, limit)
            parked = self._retries.due(now, limit)
        finally:
            self._session.roll_back()
        return [Inputs(timers=[timer], alone=True) for timer in timers] + [
            Inputs(parked=[each], alone=True) for each in parked
        ]

    def abandon(self) -> None:
        """Forget a turn that did not come to its commit: roll back, and whatever memory it may have touched."""
        self._session.roll_back()
        self._delivery.forget()
        self._timers.forget()
        self._outboxes.forget()
        self._session.begin(to_read=True)
        try:
            self._links.forget()
            self._retries.look()
            self._timers.look()
            self._subscriptions.look()
            self._pauses.look()
            self.open()
        finally:
            self._session.roll_back()

    def records_of(self, payment_id: str) -> list[Record]:
        """This turn's own lines about a payment, not yet in the store."""
        return [record for record in self._consequences.records if record.envelope.payment_id == payment_id]

    def release_letters(self) -> int:
        """Have the next dead letters that a person wants retried delivered again; how many can't be read."""
        return self._intake.release_letters()

    def kill(self, name: str) -> None:
        """End the actor of this name with this turn: the next message brings it back from the store."""
        self._doomed.append(name)
