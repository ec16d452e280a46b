"""One turn: run actors until no mailbox has mail, in one transaction; nothing leaves before the commit.

Reads no socket and knows no thread: inputs come as values, what may leave is returned as values. That makes a
turn the same under the operating system and under a simulator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

import structlog

from actors.directory import log
from actors.directory.messages import ReactionFailed
from actors.directory.reaction import On
from actors.directory.subscriptions import Subscriptions
from actors.messaging.codec import CannotDecode, envelope_from, moment
from actors.messaging.envelope import COMMAND, EVENT, OPERATOR, TIMER, Envelope
from actors.messaging.frames import FrameContent
from actors.messaging.message import Tick
from actors.messaging.system_messages import Failed, LinesSeen, ServicePaused
from actors.runtime.clock import Clock, Ids
from actors.runtime.crossing import Crossing
from actors.runtime.dispatch import Dispatch
from actors.runtime.effects import CLIENT, OUTBOX, UNLOGGED, Effects
from actors.runtime.inprocess import InProcessSystem
from actors.runtime.inputs import Inputs
from actors.runtime.lines import records_in, seen
from actors.runtime.links import Links
from actors.runtime.outbox import Outboxes
from actors.runtime.pauses import ACTOR as PAUSES
from actors.runtime.pauses import PUT_OFF, Pauses
from actors.runtime.retries import Backoff, Parked, Retries, conversation
from actors.runtime.seals import Seals
from actors.runtime.service import Answer, Observed, Record, Service, Started
from actors.runtime.timers import Timers
from actors.runtime.void import UNPACKABLE, TurnTooLong, TurnVoid
from actors.runtime.waiters import Waiters
from actors.store.placement import Placement
from actors.store.session import StoreFailed
from actors.store.sqlite import SqliteSession

TIMERS_PER_TURN: Final = 512
CAREFUL_TURNS: Final = 50  # turns with savepoints after a handler has raised: failures come in flocks
OBSERVER_ROUNDS: Final = 100
DIRECTORY: Final = "directory"  # the actor whose table `Subscriptions` mirrors
SENDER: Final = Envelope._fields.index("sender")
END_OF_TURN: Final = Tick()
NO_HANDLER: Final = "it has no handler for this message"


class HandlerFailed(Exception):
    """A handler raised in a turn without savepoints: the turn is run again with one for every handler."""


@dataclass(slots=True)
class Counters:
    """What `status` shows of a cell since it started."""

    turns: int = 0
    messages: int = 0
    failures: int = 0
    restarts: int = 0
    buried: int = 0


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
        self._cell = cell
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
        self._ids = ids
        self._chance = chance
        self._crossing = Crossing(cell, placement, links, system.hosts)
        self.whole = placement.whole  # every service is here, and only slots decide
        self._own_slots = own_slots
        self._immediate = immediate_retries
        self._backoff = backoff
        self._budget = budget
        self._resident = resident
        self._failed_actor = failed_actor
        self._effects = Effects(cell, ids)
        self._mail: deque[tuple[str, Envelope, On | None]] = system._pendingSends
        self._records: list[Record] = []
        self._replies: list[Envelope] = []
        self._overdue: list[tuple[str, Record]] = []  # lines that an observer could not take before
        self._from_elsewhere: dict[str, list[Record]] = {}  # other cells' lines for the observers here, not yet taken
        self._witnessed: list[Record] = []  # all of them in this turn
        self._doomed: list[str] = []  # actors that a drill ends with this turn
        self._turn = 0
        self._careful = False  # in this turn every handler runs in a savepoint
        self._careful_turns = 0  # how many more turns are to be so
        self._unwritten: dict[str, Service] = {}
        self._handle = Dispatch(system, subscriptions, self._effects).handle
        self._log = structlog.get_logger("cell").bind(cell=cell)
        self.waiters = Waiters()
        self.observers: tuple[str, ...] = ()
        self.counters = Counters()

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
        self._careful = True
        try:
            return self._run(inputs, starting)
        finally:
            self._careful = False

    def _run(self, inputs: Inputs, starting: Starting | None) -> tuple[list[Envelope], list[tuple[str, bytes]]]:
        session, effects = self._session, self._effects
        for _, content in inputs.links:
            self._clock.witness(moment(content.at))
        now = effects.now = self._clock.now()
        self._records, self._replies = [], []
        self.waiters.begin()
        self._overdue, self._doomed = [], []
        self._from_elsewhere, self._witnessed = {}, []
        self._crossing.begin()
        handled = 0
        session.begin()
        if starting is not None:
            self._timers.prolong(starting.downtime)
            for envelope in starting.told:
                self._mail.append((envelope.target, envelope, None))
        self._take_in(inputs, now)
        observed = rounds = 0
        while self._mail or self._unwritten or observed < len(self._records) or self._overdue or self._from_elsewhere:
            handled = self._drain(handled)
            self.write_back()
            if not self._mail:
                fresh, observed = self._records[observed:], len(self._records)
                self._let_observe(fresh)
                rounds += 1
                if rounds > OBSERVER_ROUNDS:
                    raise TurnVoid("observers of the log had something to say about what they said, without end")
        try:
            self._write(now)
        except UNPACKABLE as error:
            raise TurnVoid(f"it led to a message that can't be stored ({type(error).__name__}: {error})") from error
        frames = self._links.frames(now)
        session.commit()
        self._committed(handled)
        return self._replies, frames

    def _let_observe(self, fresh: list[Record]) -> None:
        overdue, self._overdue = self._overdue, []
        for name, record in overdue:
            self._observe(name, [record])
        elsewhere, self._from_elsewhere = self._from_elsewhere, {}
        for name in self.observers:
            mine = fresh if name not in self._subscriptions.lagging else []
            if mine or name in elsewhere:
                self._observe(name, elsewhere.get(name, []) + mine)

    def _write(self, now: datetime) -> None:
        if self._records:
            self._turn += 1
            log.append(self._session, self._turn, now, self._records)
        self._timers.write()
        self._outboxes.write()
        self._links.write()
        self._seals.write(now)

    def _take_in(self, inputs: Inputs, now: datetime) -> None:
        """Put what the turn is to handle into the mail: the inputs, and what is due by now."""
        for name, answer in inputs.answers:
            self._admit_answer(name, answer)
        for peer, content in inputs.links:
            self._admit_frame(peer, content)
        for envelope in inputs.envelopes:
            self._admit(envelope)
        for fields, reason in inputs.refused:
            self._refuse(fields, reason)
        self._condemn(inputs)
        if inputs.alone:
            timers, parked = self._timers.take(inputs.timers), inputs.parked
        else:
            timers = self._timers.take_due(now, TIMERS_PER_TURN)
            self.release_letters()
            parked = self._retries.take_due(now, TIMERS_PER_TURN, self._chance.random)
        for envelope in timers:
            if not self._pauses.active or not self._put_off(envelope):
                self._admit(envelope)
        for each in parked:
            self._deliver(each.actor, each.envelope, None, each)
        if self._subscriptions.lagging and not (inputs.alone and inputs.suspect()):
            self._catch_up(inputs.lines)
        if self._outboxes.hungry:
            self._outboxes.refill()

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
        self._mail.clear()
        self._effects.take_back()
        self._unwritten = {}
        self._system.drop_all()
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
        return [record for record in self._records if record.envelope.payment_id == payment_id]

    def write_back(self) -> None:
        """Let every actor store what it kept in this turn so far: at the turn's end, and before one may be dropped."""
        if self._unwritten:
            unwritten, self._unwritten = self._unwritten, {}
            try:
                for name, actor in unwritten.items():
                    self._effects.begin(name, Envelope("", END_OF_TURN, TIMER, name, name))
                    actor.write_back(self._effects)
                    self._take()
            except StoreFailed:
                raise
            except Exception as error:
                raise HandlerFailed from error

    def kill(self, name: str) -> None:
        """End the actor of this name with this turn: the next message brings it back from the store."""
        self._doomed.append(name)

    def release_letters(self) -> int:
        """Have the next dead letters that a person wants retried delivered again; how many can't be read.

        They go the way of every delayed retry (in their order, within the budget, found out if they end the
        process), with no further one to come: what fails again is a dead letter again.
        """
        letters, unreadable = self._retries.exhume(self._effects.now)
        for actor, envelope in letters:
            if isinstance(envelope.message, LinesSeen):
                self._see(actor, records_in(envelope.message))
                continue
            if actor in self.observers:
                # What an observer takes is not the message but its line in the log; and what was said of the payment
                # since then once more, or an old line would have the last word.
                records = log.timeline(self._session, envelope.payment_id)
                lines = [at for at, record in enumerate(records) if record.envelope._replace(kind=EVENT) == envelope]
                self._overdue += [(actor, record) for record in (records[lines[0] :] if lines else ())]
                continue
            behind = (actor, conversation(envelope)) in self._retries.conversations
            due = None if behind else self._effects.now
            attempt = self._backoff.attempts
            self._retries.park(actor, envelope, due=due, attempt=attempt, cause="retried by a person")
        return unreadable

    def bury(
        self, actor: str, envelope: Envelope, attempts: int, cause: str, *, letter: Envelope | None = None
    ) -> None:
        """Give a message up: into the dead letters (as `letter`, where that is another), and whoever waits hears so."""
        self.counters.buried += 1
        effects = self._effects
        letter_id = self._ids.new_id("D", min(self._own_slots), effects.now)
        self._retries.bury(letter_id, actor, letter or envelope, now=effects.now, attempts=attempts, cause=cause)
        name = type(envelope.message).__name__
        self._log.error(
            "dead letter", id=letter_id, actor=actor, type=name, cause=cause, payment_id=envelope.payment_id or None
        )
        effects.begin(actor, envelope)
        if envelope.kind in (COMMAND, OPERATOR) and self._hears_failures(envelope.sender):
            effects.answer(Failed(failed_message_id=envelope.message_id, failed_type=name, cause=cause))
        elif envelope.payment_id and not isinstance(envelope.message, ReactionFailed):  # or it would go on for ever
            effects.publish(ReactionFailed(subscriber=actor, event_type=name, dead_letter_id=letter_id, cause=cause))
        self._take()

    def _hears_failures(self, sender: str) -> bool:
        """Whether whoever sent a command does something about its failure; else the payment's watchers must."""
        handlers = None if sender[:7] == CLIENT else self._system.handlers_of(sender)
        return handlers is None or Failed in handlers

    def _committed(self, handled: int) -> None:
        self._outboxes.release()
        self._links.committed()
        self._seals.committed()
        for name in self._doomed:
            self._system.kill(name)
        self._system.drop_idle(self._resident)
        if self.waiters:
            self._replies += self.waiters.answers(self._records + self._witnessed)
        self.counters.turns += 1
        self.counters.messages += handled

    def _drain(self, handled: int) -> int:
        mail, budget = self._mail, self._budget
        while mail:
            target, envelope, on = mail.popleft()
            if not self.whole and not envelope.target and (target == PAUSES or not self._system.hosts(target)):
                self._crossing.publish(target, envelope)
                if target != PAUSES:
                    continue
            handled += 1
            if handled > budget:
                raise TurnTooLong(budget)
            if self._careful or self._retries.conversations or self._pauses.active:
                self._deliver(target, envelope, on, None)
            else:
                self._deliver_at_ease(target, envelope, on)
        return handled

    def _deliver_at_ease(self, target: str, envelope: Envelope, on: On | None) -> None:
        """What `_deliver` does where nothing is parked and no handler is expected to raise."""
        effects = self._effects
        effects.actor, effects.envelope, effects.start = target, envelope, effects.number
        try:
            handled = self._handle(target, envelope, on)
        except StoreFailed:
            raise
        except Exception as error:
            raise HandlerFailed from error
        if effects.kept is not None:
            self._unwritten[target] = effects.kept
            effects.kept = None
        if effects.outgoing or effects.timers:
            self._take()
        if not handled:
            self.bury(target, envelope, 1, NO_HANDLER)

    def _admit(self, envelope: Envelope) -> None:
        """Take an envelope that comes from outside the cell, or from a timer."""
        if envelope.payment_id and envelope.message.logged:
            if envelope.kind == COMMAND and envelope.sender[:7] == CLIENT:
                envelope = envelope._replace(kind=OPERATOR)
            self._note(envelope)
        self._mail.append((envelope.target, envelope, None))

    def _refuse(self, fields: list[Any], reason: str) -> None:
        """Tell a client that what it sent can't be read; where not even its name can be read, nobody is told."""
        if not isinstance(fields, list):
            return
        message_id, sender = (str(fields[at]) if len(fields) > at else "" for at in (0, SENDER))
        if sender[:7] == CLIENT:
            failed = Failed(failed_message_id=message_id, failed_type="", cause=reason)
            self._replies.append(Envelope("", failed, "reply", self._cell, sender, "", message_id))

    def _condemn(self, inputs: Inputs) -> None:
        """Bury inputs that have ended the process before; their places in links and outboxes are used up."""
        before = len(self._mail)
        for peer, content in inputs.condemned_links:
            self._admit_frame(peer, content, condemned=True)
        for name, answer in inputs.condemned_answers:
            self._admit_answer(name, answer)
        condemned = [self._mail.pop()[1] for _ in range(len(self._mail) - before)]
        timers = self._timers.take(inputs.condemned_timers)
        for envelope in [*reversed(condemned), *inputs.buried, *timers]:
            self.bury(envelope.target, envelope, 1, inputs.cause)
        for parked in inputs.condemned_parked:
            self.bury(parked.actor, parked.envelope, parked.attempt, inputs.cause)
            self._retries.done(parked, self._effects.now)

    def _admit_frame(self, peer: str, content: FrameContent, *, condemned: bool = False) -> None:
        """What a peer sends stands in its own log already, and gets no second line here."""
        self._links.acknowledge(peer, content.acknowledged)
        for fields in self._links.take(peer, content):
            try:
                envelope = envelope_from(fields)
                if isinstance(envelope.message, LinesSeen) and not condemned:
                    self._see(envelope.target, records_in(envelope.message))
                else:
                    self._mail.append((envelope.target, envelope, None))
            except CannotDecode as error:
                # The peer counts it as delivered, so it is kept: a program that knows it may take it up again.
                self.counters.buried += 1
                letter_id = self._ids.new_id("D", min(self._own_slots), self._effects.now)
                self._log.error("dead letter", id=letter_id, peer=peer, cause=str(error))
                self._retries.bury_unread(letter_id, fields, now=self._effects.now, cause=str(error))

    def _see(self, observer: str, records: list[Record]) -> None:
        self._from_elsewhere.setdefault(observer, []).extend(records)
        self._witnessed += records

    def _admit_answer(self, outbox: str, answer: Answer) -> None:
        origin = None
        if answer.finishes is not None:
            origin = self._outboxes.origin(outbox, answer.finishes)
            self._outboxes.finish(outbox, answer.finishes)
        for at, result in enumerate(answer.results):
            cause, flow, workflow = "", "", ""
            if origin is not None:
                cause, flow, workflow = origin.message_id, origin.flow, origin.workflow
            envelope = Envelope(
                f"{outbox}/{self._effects.number}/{at}", result, "reply", outbox, answer.target, answer.payment_id,
                cause, 0, flow, workflow,
            )  # fmt: skip
            if answer.payment_id:
                self._note(envelope)
            self._mail.append((answer.target, envelope, None))

    def _note(self, envelope: Envelope) -> None:
        effects = self._effects
        progress = envelope.message.progress
        self._records.append(Record(effects.number, effects.now, envelope, progress, (envelope.target,)))
        effects.number += 1

    def _deliver(self, target: str, envelope: Envelope, on: On | None, parked: Parked | None) -> None:
        retries = self._retries
        if self._pauses.active and self._keep(target, envelope, parked):
            return
        if retries.conversations and parked is None and (target, conversation(envelope)) in retries.conversations:
            retries.park(target, envelope, due=None, attempt=0, cause="waits behind an earlier message of its payment")
            return
        session, effects = self._session, self._effects
        self.write_back()
        failure: Exception | None = None
        for _ in range(1 + self._immediate):
            effects.begin(target, envelope)
            session.guard()
            try:
                handled = self._handle(target, envelope, on)
                if effects.kept is not None:
                    effects.kept.write_back(effects)
                    effects.kept = None
            except StoreFailed:
                raise
            except Exception as error:
                if not session.whole:
                    raise StoreFailed(f"the transaction is gone after {error}") from error
                self._take_back(target)
                self.counters.failures += 1
                failure = error
                continue
            session.release()
            self._take()
            if not handled:
                self.bury(target, envelope, 1, NO_HANDLER)
            if parked is not None:
                retries.done(parked, effects.now)
            return
        assert failure is not None
        self._give_way(target, envelope, failure, parked)

    def _keep(self, target: str, envelope: Envelope, parked: Parked | None) -> bool:
        """Put aside what would go to somebody who is paused; a client hears so instead."""
        if not self._pauses.keeps(target, envelope) or isinstance(envelope.message, Started):
            return False
        if parked is not None:
            self._retries.hold(parked)
            return True
        why = self._pauses.why(target)
        if envelope.sender[:7] == CLIENT and envelope.kind != EVENT:
            self._effects.begin(target, envelope)
            self._effects.answer(ServicePaused(service=target, error=why))
            self._take()
        else:
            self._retries.park(target, envelope, due=None, attempt=0, cause=why or "the payment is paused")
        return True

    def _put_off(self, timer: Envelope) -> bool:
        """Let a clock that would run out on a service which stands still begin again."""
        owner = timer.target
        if not self._pauses.stands_still(owner.partition("/")[0]):
            return False
        key = timer.message_id.removeprefix(f"timer/{owner}/").rpartition("/")[0]
        self._timers.change(owner, key, self._effects.now + PUT_OFF, timer._replace(message_id=""))
        return True

    def _take_back(self, actor: str) -> None:
        """The handler has raised: its writes and effects go, and what the actor has in memory."""
        self._session.take_back()
        self._effects.take_back()
        self._system.drop(actor)
        if actor == DIRECTORY:
            self._subscriptions.look()
        elif actor == PAUSES:
            self._pauses.look()

    def _give_way(self, target: str, envelope: Envelope, error: Exception, parked: Parked | None) -> None:
        """A handler has failed as often as it may at once: park the message, or bury it."""
        cause = f"{type(error).__name__}: {error}"
        now = self._effects.now
        attempt = (parked.attempt if parked else 0) + 1
        self.counters.restarts += 1
        self._log.warning(
            "handler failed", actor=target, type=type(envelope.message).__name__, attempt=attempt, cause=cause,
            payment_id=envelope.payment_id or None, exc_info=error,
        )  # fmt: skip
        if attempt > self._backoff.attempts:
            self.bury(target, envelope, attempt * (1 + self._immediate), cause)
            if parked is not None:
                self._retries.done(parked, now)
            return
        due = now + self._backoff.delay(attempt, self._chance.random())
        if parked is None:
            self._failed_actor(target, now)
            self._retries.park(target, envelope, due=due, attempt=attempt, cause=cause)
        else:
            self._retries.again(parked, due=due, cause=cause)

    def _take(self) -> None:
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
        records, mail = self._records, self._mail
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
                self._replies.append(envelope)
            elif target[:7] == OUTBOX:
                self._outboxes.add(envelope)
            elif self._crossing.is_here(envelope):
                mail.append((target, envelope, None))
            else:
                self._crossing.send(envelope)
        effects.outgoing = []

    def _catch_up(self, lines: int) -> None:
        """Let subscribers that are behind read on; at the log's end they are live again."""
        stored_end = log.end(self._session)
        for subscriber, offset in list(self._subscriptions.lagging.items()):
            records = log.read(self._session, offset, lines)
            next_offset = records[-1].offset + 1 if records else stored_end
            observes = subscriber in self.observers
            if observes and records:
                self._observe(subscriber, records)
            if next_offset >= stored_end and not observes:
                records += [record for record in self._records if record.offset >= next_offset]
            if not observes:
                for record in records:
                    if record.envelope.kind == EVENT:
                        self._deliver_logged(subscriber, record)
            self._subscriptions.advance(subscriber, next_offset, stored_end)

    def _deliver_logged(self, subscriber: str, record: Record) -> None:
        envelope = record.envelope
        routes, _ = self._subscriptions.routes(type(envelope.message), envelope.flow, envelope.workflow)
        for name, on in routes:
            if name == subscriber:
                self._mail.append((name, envelope, on))

    def _observe(self, observer: str, records: list[Record]) -> None:
        """Give an observer the log's lines; a line it can't take is buried alone, the others are observed."""
        if not self._crossing.subscribes_here(observer):
            self._crossing.let_see(observer, records)
            return
        tick = Envelope("", Observed(records=tuple(records)), TIMER, DIRECTORY, observer)
        if not self._careful:
            self._deliver_at_ease(observer, tick, None)
            return
        session, effects = self._session, self._effects
        effects.begin(observer, tick)
        session.guard()
        try:
            self._handle(observer, tick, None)
            if effects.kept is not None:
                effects.kept.write_back(effects)
                effects.kept = None
        except StoreFailed:
            raise
        except Exception as error:
            if not session.whole:
                raise StoreFailed(f"the transaction is gone after {error}") from error
            self._take_back(observer)
            if len(records) > 1:
                for record in records:
                    self._observe(observer, [record])
            elif not isinstance(records[0].envelope.message, ReactionFailed):
                self._log.error("observer failed", actor=observer, exc_info=error)
                line = records[0].envelope._replace(kind=EVENT)
                letter = self._as_letter(observer, records[0])
                self.bury(observer, line, 1, f"{type(error).__name__}: {error}", letter=letter)
            return
        session.release()
        self._take()

    def _as_letter(self, observer: str, record: Record) -> Envelope | None:
        """The whole line, where it is of another cell's log and so can't be found in this one when it is retried."""
        if record not in self._witnessed:
            return None
        return next(seen(observer, self._cell, [record]))._replace(payment_id=record.envelope.payment_id)
