"""A cell's core: opens the store, gathers what arrives, runs turns, releases what they sent. No Thespian process here.

The shell (`cell.py`) gives it frames and watches its descriptor; a simulator drives it the same way.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from actors.directory import log
from actors.directory import subscriptions as directory_tables
from actors.directory.actor import BroadcastDirectory
from actors.directory.reaction import Reactions
from actors.directory.subscriptions import Subscriptions
from actors.messaging.codec import CannotDecode, envelope_fields, micros, moment, register
from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.frames import GATEWAY, joined, pack_frame, unpack_frame
from actors.messaging.system_messages import Busy
from actors.runtime import links as link_tables
from actors.runtime import outbox as outbox_tables
from actors.runtime import pauses as pause_tables
from actors.runtime import retries as retry_tables
from actors.runtime import seals
from actors.runtime import suspects as suspect_tables
from actors.runtime import timers as timer_tables
from actors.runtime.admission import Admission, Backlog
from actors.runtime.arrivals import Arrivals
from actors.runtime.breaker import CLOSED, HasCircuit
from actors.runtime.clock import Clock, Ids
from actors.runtime.effects import CLIENT
from actors.runtime.housekeeping import Actors, DeadLetters, Waiting
from actors.runtime.inprocess import InProcessSystem
from actors.runtime.inputs import ENDED_THE_PROCESS, Inputs
from actors.runtime.links import Links
from actors.runtime.outbox import Outboxes
from actors.runtime.pauses import PauseKeeper, Pauses
from actors.runtime.retries import Backoff, Retries
from actors.runtime.service import NOTHING_OFFERED, Answer, CellContext, Service, Started, Worker
from actors.runtime.soundness import damaged, examine, hold_against_peers, hold_against_seals
from actors.runtime.supervision import GiveUp, RestartHistory, SupervisionSpec, after_failure
from actors.runtime.suspects import Suspects
from actors.runtime.timers import Timers
from actors.runtime.turn import Starting, Turns
from actors.runtime.void import TurnVoid
from actors.runtime.world import REAL, STORE, World
from actors.store.head import Head, head_path
from actors.store.placement import Placement
from actors.store.session import Reader, Sealed, StoreBroken, StoreFailed, StoreFull, StoreLocked, StoreRefused
from actors.store.soundness import LOCKED
from actors.store.sqlite import SqliteSession
from actors.vocabulary.offers import Offers
from config.settings import Settings

RUNTIME_MIGRATIONS: Final = (
    *log.MIGRATIONS, *directory_tables.MIGRATIONS, *timer_tables.MIGRATIONS, *retry_tables.MIGRATIONS,
    *outbox_tables.MIGRATIONS, *link_tables.MIGRATIONS, *suspect_tables.MIGRATIONS, *seals.MIGRATIONS,
)  # fmt: skip
SMALL_TURN: Final = 16  # inputs
SMALL_TURN_SWITCH_S: Final = 0.0005
LARGE_TURN_SWITCH_S: Final = 0.005
OVERDUE_GRACE: Final = timedelta(milliseconds=500)  # after a start, queries go first and overdue timers after them
BUSY_RETRY_MS: Final = 250
CAUTION_AT_A_TIME: Final = timedelta(milliseconds=250)
BREATH: Final = timedelta(milliseconds=10)  # between two such times: for what is to be heard, and sent
ANSWERS: Final = 8_192  # of workers, not yet taken in; then they make no more
STORE_PAUSE: Final = timedelta(milliseconds=200)


class Escalated(RuntimeError):
    """Actors fail more often than supervision allows: the cell gives itself up, to be restarted whole."""


@dataclass(frozen=True)
class Hosting:
    """What a cell hosts: services, families of actors (prefix, class, parent), reactions, workers; what it offers.

    `resources` are there for its actors from the start, by name. `why_not` looks at the store before anybody is
    served: a sentence that refuses it, or "".
    """

    services: tuple[type[Service], ...]
    families: tuple[tuple[str, type[Service], str], ...] = ()
    reactions: dict[str, Reactions] = field(default_factory=dict)
    workers: tuple[Worker, ...] = ()
    replayable: tuple[str, ...] = ()
    offers: Offers = NOTHING_OFFERED
    resources: Mapping[str, Any] = field(default_factory=dict)
    why_not: Callable[[Reader], str] = lambda reader: ""


class CellCore:
    """One cell, from its store to the frames it sends."""

    def __init__(
        self, name: str, data: Path, settings: Settings, placement: Placement, hosting: Hosting,
        clock: Clock | None = None, world: World = REAL,
    ) -> None:  # fmt: skip
        self.name = name
        self._directory = data / "cells" / name
        self._settings = settings
        self._placement = placement
        self._hosting = hosting
        self._clock = clock
        self._world = world
        self._alarm = world.bell()
        self._singles: deque[Inputs] = deque()  # of the frames and answers that are run one input a turn
        self._to_acknowledge = 0  # the gateway's frame that they came with
        self._session: SqliteSession = None  # type: ignore[assignment]  # until `open`
        self._head: Head = None  # type: ignore[assignment]
        self._history = RestartHistory()
        self._escalation = ""
        self._switch_interval = 0.0
        self._paused_until: datetime | None = None
        self._unsent: list[tuple[str, bytes]] = []  # frames of the turn that starts the cell
        self._starting: list[str] | None = None  # services that have not been told yet that the cell is up
        self._down_since: datetime | None = None  # None: this is its first start
        overload = settings.overload
        admission = Admission(timedelta(seconds=overload.backlog_seconds), overload.backlog)
        self._arrivals = Arrivals(name, admission)
        self._log = structlog.get_logger("cell").bind(cell=name)

    def open(self) -> None:
        """Lock the store, bring it up to date, recover.

        Raises:
            StoreRefused: with a sentence.
        """
        self._unlock = self._world.lock(self._directory, self.name)
        try:
            self._open_store()
        except BaseException:
            self._let_go()
            raise

    def _open_store(self) -> None:
        path = self._directory / STORE
        self._head = self._world.head(head_path(self._directory.parent.parent, self.name), path)
        self._session = session = self._world.store(self._directory, self._settings.store)
        services: tuple[type[Service], ...] = (
            *self._hosting.services,
            BroadcastDirectory,
            DeadLetters,
            Actors,
            Waiting,
            PauseKeeper,
        )
        members = [member for _, member, _ in self._hosting.families]
        migrations = [*RUNTIME_MIGRATIONS]
        for service in (*services, *members):
            migrations += [migration for migration in service.migrations if migration not in migrations]
        sealed = (log.SEALED, *(each for service in services for each in service.sealed))
        examine(session, self._head, self._settings.store)
        session.migrate(migrations)
        self._marker = self._world.marker(self._directory)
        try:
            hold_against_seals(session, self._head, self._settings.store, sealed)
            hold_against_peers(session, self.name, self._directory.parent, self._placement.names)
            session.begin()
            refusal = self._hosting.why_not(session)
            session.roll_back()
            if refusal:
                raise StoreRefused(refusal)
            self._recover(services, sealed)
            self._start_if_it_can()
        except StoreBroken as error:
            raise damaged(self._head, error) from error
        except StoreLocked as error:
            raise StoreRefused(f"the store {path} is {LOCKED}") from error
        except StoreFailed as error:
            raise StoreRefused(f"the store of {self.name} can't be read ({error}); check the disk") from error
        self._head.begin()

    def _let_go(self) -> None:
        """The store is refused: leave it as it was found."""
        if self._session is not None:
            self._session.close()
        if self._head is not None:
            self._head.close(clean=False)
        self._unlock()

    def fileno(self) -> int:
        """Readable while there is work."""
        return self._alarm.fileno()

    def arrived(self, peer: str, payload: bytes) -> None:
        """Buffer a frame; never raises: what is no frame is logged and dropped."""
        try:
            self._arrivals.take(peer, unpack_frame(payload))
        except CannotDecode as error:
            self._log.error("not a frame", peer=peer, error=str(error))
            return
        self._ring()

    def answered(self, outbox: str, answers: list[Answer]) -> None:
        """Called by workers, in their threads."""
        self._arrivals.answered(outbox, answers)
        self._ring()

    def run(self) -> list[tuple[str, bytes]]:
        """Run one turn over what has arrived; returns the frames to send.

        Raises:
            Escalated: the cell should be restarted; what the turn committed stands.
        """
        self._quiet()
        if self._paused_until is not None:
            if self._clock_now() < self._paused_until:
                self._alarm.set(self._paused_until - self._clock_now())
                return []
            self._paused_until = None
        if self._starting is not None:
            refused = self._start_late()
            if self._starting is not None:
                return refused
        frames, self._unsent = self._unsent, []
        if self._marker.cautious or self._singles:
            self._run_cautiously(frames)
        else:
            self._run_once(frames)
        told_busy = self._arrivals.told_busy()
        if told_busy:
            frames.append(("gateway", pack_frame(GATEWAY, 0, 0, told_busy)))
        if len(frames) > len(self._placement.names):  # one input a turn makes a frame a turn
            frames = joined(frames)
        if self._escalation:
            raise Escalated(self._escalation)
        if self._singles:
            self._alarm.set(BREATH)
        elif self._arrivals or self._subscriptions.lagging or self._outboxes.hungry:
            self._ring()
        else:
            self._set_alarm()
        return frames

    def report(self) -> dict[str, Any]:
        """What `status` shows; asked for with every heartbeat, so that a restart knows how long nobody worked."""
        if self._starting is None:
            self._marker.alive(micros(self._clock_now()))
        counters, arrivals = self._turns.counters, self._arrivals.report()
        return {
            "actors": len(self._system.actorRegistry) - len(self._system._internalAddresses),
            "turns": counters.turns,
            "messages": counters.messages,
            "failures": counters.failures,
            "actor_restarts": counters.restarts,
            "dead_letters": counters.buried,
            "store_refuses": self._paused_until is not None,
            "mailbox": arrivals.pop("mailbox") + len(self._singles),
            "outboxes": self._outboxes.waiting(),
            "backlog": {name: number for name, number in self._outboxes.pending.items() if number},
            "circuits": self._outboxes.circuits(self._clock_now()),
            "retries_put_off": self._retries.put_off,
            "parked": len(self._retries.conversations),
            "lagging": dict(self._subscriptions.lagging),
            "log_end": self._turns.log_end(),
            **arrivals,
        }

    def blamed(self) -> str:
        """The message on which the process before this one ended; empty where none is known."""
        return self._suspects.blamed

    def close(self) -> None:
        """Stop the workers, close the store. What they had in hand is handed over again after the next start."""
        for worker in self._outboxes.workers.values():
            worker.tell_to_stop()
        for worker in self._outboxes.workers.values():
            worker.stop(2.0)
        self._alarm.stop()
        self._marker.close()
        with contextlib.suppress(StoreFailed):
            self._suspects.forget_all()
        self._session.close()
        self._head.close()
        self._unlock()

    def _recover(self, services: tuple[type[Service], ...], sealed: tuple[Sealed, ...]) -> None:
        session, settings = self._session, self._settings
        session.begin()
        row = session.one("SELECT at FROM log_parts ORDER BY part_id DESC LIMIT 1")
        # A cell that waits writes no log: without its last sign of life the wait would count as downtime.
        last = moment(max(row[0] if row else 0, self._marker.alive_at))
        clock = self._clock = self._clock or self._world.clock(last)
        chance = self._world.chance(settings.runtime.seed)
        placement = self._placement
        own_slots = placement.slots_of(self.name)
        resources: dict[str, Any] = dict(self._hosting.resources)
        context = CellContext(self.name, settings, session, resources, own_slots, self._hosting.offers)
        self._subscriptions = Subscriptions(
            session, self._hosting.reactions | {pause_tables.ACTOR: pause_tables.REACTIONS}
        )
        self._timers = Timers(session)
        self._retries = Retries(session, settings.runtime.retry_rate)
        self._outboxes = Outboxes(session)
        self._pauses = Pauses(session, self._outboxes)
        self._links = Links(session, [name for name in placement.names if name != self.name])
        self._suspects = Suspects(session, settings.runtime.suspect_limit)
        chain = seals.Seals(session)
        chain.adopt(sealed)
        chain.head = self._head
        self._system = InProcessSystem(self.name, context)
        runtime = settings.runtime
        self._turns = Turns(
            cell=self.name, session=session, system=self._system, subscriptions=self._subscriptions,
            retries=self._retries, timers=self._timers, outboxes=self._outboxes, pauses=self._pauses, links=self._links,
            seals=chain, clock=clock, ids=Ids(placement.number_of(self.name), chance, last), chance=chance,
            placement=placement, own_slots=own_slots, immediate_retries=runtime.immediate_retries,
            backoff=Backoff(
                runtime.delayed_retries, timedelta(seconds=runtime.retry_initial_seconds),
                timedelta(seconds=runtime.retry_maximum_seconds),
            ),
            budget=runtime.turn_budget, resident=runtime.resident_sagas, failed_actor=self._actor_failed,
        )  # fmt: skip
        resources |= {
            "subscriptions": self._subscriptions,
            "reactions": self._subscriptions,
            "retries": self._retries,
            "pauses": self._pauses,
            "services": tuple(service.name for service in self._hosting.services if not service.observes),
            "turns": self._turns,
            "system": self._system,
            "actor_names": lambda name: self._system.handlers_of(name) is not None,
            "log_end": self._turns.log_end,
            "replayable": self._hosting.replayable,
        }
        self._turns.open()
        self._suspects.open(clock.now())
        self._links.open()
        self._timers.look()
        self._retries.look()
        self._subscriptions.open(self._turns.log_end())
        for service in services:
            if placement.hosts(self.name, service.name):
                self._system.host(service)
            else:
                self._system.know(service)
        for prefix, member, parent in self._hosting.families:
            if placement.hosts(self.name, parent):
                self._system.host_family(prefix, member, parent)
            else:
                self._system.know_family(prefix, member)
        self._turns.observers.names = tuple(service.name for service in services if service.observes)
        for worker in self._hosting.workers:
            self._outboxes.workers[worker.outbox] = self._world.runner(
                worker, self.answered, clock.now, self._world.chance(runtime.seed),
                lambda: self._arrivals.answers >= ANSWERS,
            )  # fmt: skip
        now = clock.now()
        self._down_since = last if row else None
        self._timers.hold_until(now + OVERDUE_GRACE)
        self._pauses.look()
        self._outboxes.open()
        session.commit()
        for runner in self._outboxes.workers.values():
            runner.start()
        self._starting = [
            service.name
            for service in services
            if Started in service.handlers and placement.hosts(self.name, service.name)
        ]

    def _start_if_it_can(self) -> None:
        """Start; on a full disk come up without, so that clients hear why and it goes on once there is room."""
        try:
            self._start()
        except StoreFull as error:
            self._start_again_later(error)

    def _start(self) -> None:
        """Tell every service that wants to know that the cell is up, and let no timer count the time it was not.

        A turn of its own, before any other.
        """
        assert self._starting is not None
        register(Started)  # one whose handler raises is parked like any other message
        since, now = self._down_since, self._clock_now()
        downtime = timedelta(0) if since is None else max(timedelta(0), now - since)
        told = [Envelope(f"start/{name}", Started(downtime=downtime), TIMER, name, name) for name in self._starting]
        _, self._unsent = self._turns.run(Inputs(alone=True), starting=Starting(downtime, told))
        self._starting = None
        self._ring()

    def _start_late(self) -> list[tuple[str, bytes]]:
        """Try once more to start; where the store still refuses, whoever asks for something hears `Busy`."""
        frames: list[tuple[str, bytes]] = []
        try:
            self._start()
        except StoreFailed as error:
            self._unless_damaged(error)
            self._start_again_later(error)
            inputs, acknowledged = self._collect()
            self._give_back(inputs.singles(), frames, acknowledged)
        return frames

    def _start_again_later(self, error: StoreFailed) -> None:
        self._log.error("the store refuses the turn that starts the cell", error=str(error))
        self._abandon()
        self._pause()

    def _run_once(self, frames: list[tuple[str, bytes]]) -> None:
        inputs, acknowledged = self._collect()
        if self._suspects.condemned:
            inputs = self._without_condemned(inputs)
        self._marker.set(max(1, inputs.size()))
        self._yield_to_workers(inputs.size())
        try:
            self._turn(inputs, frames, acknowledged)
        except (StoreFailed, TurnVoid) as error:
            self._unless_damaged(error)
            self._log.error("turn abandoned", error=str(error) or type(error).__name__)
            self._one_by_one(inputs, frames, acknowledged, due=isinstance(error, TurnVoid))
        self._marker.clear()
        self._forgive()

    def _forgive(self) -> None:
        try:
            self._suspects.forgive(self._clock_now())
        except StoreFailed as error:
            self._abandon()
            self._log.error("suspects are still held", error=str(error))

    def _yield_to_workers(self, inputs: int) -> None:
        """Let a worker that has an answer wait no longer than it should: briefly in small turns, where somebody
        waits for one payment, longer in large ones, where changing threads takes a tenth of the time."""
        interval = SMALL_TURN_SWITCH_S if inputs <= SMALL_TURN else LARGE_TURN_SWITCH_S
        if interval != self._switch_interval:
            self._switch_interval = interval
            sys.setswitchinterval(interval)

    def _turn(self, inputs: Inputs, frames: list[tuple[str, bytes]], acknowledged: int) -> None:
        replies, link_frames = self._turns.run(inputs)
        frames += link_frames
        if replies or acknowledged:
            fields = [envelope_fields(reply) for reply in replies]
            frames.append(("gateway", pack_frame(GATEWAY, 0, acknowledged, fields)))

    def _one_by_one(
        self, inputs: Inputs, frames: list[tuple[str, bytes]], acknowledged: int, *, due: bool = False
    ) -> None:
        """The turn was void: run its inputs again, one a turn; who still can't be served hears `Busy`.

        With `due`, what was due of itself may be to blame, and is run one a turn after them.
        """
        self._abandon()
        singles = inputs.singles()
        done = 0
        try:
            if due:
                singles += self._turns.due_singles(self._settings.runtime.turn_envelopes)
                singles.append(Inputs(alone=True, lines=1))
            for single in singles:
                self._run_or_bury(single, frames)
                done += 1
        except StoreFailed as error:
            self._unless_damaged(error)
            self._log.error("turn abandoned", error=str(error))
            self._abandon()
            self._pause()
        self._give_back(singles[done:], frames, acknowledged)

    def _run_or_bury(self, single: Inputs, frames: list[tuple[str, bytes]]) -> None:
        """Run one input; where no turn can be made of it, it goes to the dead letters."""
        try:
            self._turn(single, frames, 0)
        except TurnVoid as error:
            self._log.error("turn abandoned", error=str(error), input=single.suspect())
            self._abandon()
            if single.suspect():
                self._turn(single.condemned(str(error)), frames, 0)

    def _give_back(self, singles: list[Inputs], frames: list[tuple[str, bytes]], acknowledged: int) -> None:
        """Tell clients that what they sent was not taken, and keep workers' answers; peers send again by themselves."""
        answer = Busy(retry_after_ms=BUSY_RETRY_MS, reason="the store refused the write; see the cell's log")
        fields = []
        answers = [answer for single in singles for answer in (*single.answers, *single.condemned_answers)]
        self._arrivals.put_back(answers)
        for single in singles:
            fields += [
                envelope_fields(Envelope("", answer, "reply", self.name, each.sender, "", each.message_id))
                for each in single.envelopes
                if each.sender[:7] == CLIENT
            ]
        if acknowledged or fields:
            frames.append(("gateway", pack_frame(GATEWAY, 0, acknowledged, fields)))

    def _unless_damaged(self, error: Exception) -> None:
        """A damaged store is not tried again: the cell gives itself up, and its next start names the damage."""
        if isinstance(error, StoreBroken):
            sentence = str(damaged(self._head, error))
            self._log.critical(sentence)
            raise Escalated(sentence) from error

    def _pause(self) -> None:
        self._paused_until = self._clock_now() + STORE_PAUSE
        self._alarm.set(STORE_PAUSE)

    def _abandon(self) -> None:
        try:
            self._turns.abandon()
        except StoreFailed as error:
            self._unless_damaged(error)
            # Not even reading works: what memory holds may be wrong, so the process starts anew from the store.
            raise Escalated(f"the store can't be read: {error}") from error

    def _run_cautiously(self, frames: list[tuple[str, bytes]]) -> None:
        """A turn before the last restart never ended: one input a turn, its attempts committed first.

        For some time only: who asks whether the cell still answers must not take its caution for a hang.
        """
        if not self._singles:
            inputs, self._to_acknowledge = self._collect()
            inputs = self._without_condemned(inputs)
            self._singles += _alternating(inputs.singles())
            self._singles += self._turns.due_singles(self._settings.runtime.turn_envelopes)
            self._singles += [] if self._singles else [Inputs(alone=True)]
        until = self._clock_now() + CAUTION_AT_A_TIME
        while self._singles:
            try:
                self._run_suspect(self._singles[0], frames)
            except StoreFailed as error:
                self._unless_damaged(error)
                self._abandon()
                self._log.error("turn abandoned", error=str(error))
                self._give_back(list(self._singles), frames, 0)
                self._singles.clear()
                self._pause()
                break
            self._singles.popleft()
            self._marker.step()
            if self._clock_now() >= until:
                break
        if self._to_acknowledge and not self._singles:
            frames.append(("gateway", pack_frame(GATEWAY, 0, self._to_acknowledge, [])))
            self._to_acknowledge = 0

    def _run_suspect(self, single: Inputs, frames: list[tuple[str, bytes]]) -> None:
        """Run one input that may be the guilty one; bury it once it has ended the process too often."""
        suspect = single.suspect()
        deaths = self._suspects.accuse(suspect) if suspect else 0
        if deaths > self._settings.runtime.suspect_limit:
            self._log.error("this message ended the process before", message_id=suspect, deaths=deaths - 1)
            self._turn(single.condemned(), frames, 0)
            if single.timers or single.parked:
                self._suspects.acquit(suspect)  # it can't be delivered again, and the next of its name is another
            else:
                self._suspects.condemned.add(suspect)
            return
        self._marker.set(1)
        self._run_or_bury(single, frames)
        if suspect:
            self._suspects.acquit(suspect)

    def _without_condemned(self, inputs: Inputs) -> Inputs:
        """Set aside what has been found to end the process: a repeat gets the same answer, and no further try."""
        condemned = self._suspects.condemned
        kept = Inputs(links=inputs.links, refused=inputs.refused)
        for envelope in inputs.envelopes:
            if Inputs(envelopes=[envelope]).suspect() in condemned:
                kept.refused.append((list(envelope), ENDED_THE_PROCESS))
            else:
                kept.envelopes.append(envelope)
        for answer in inputs.answers:
            guilty = Inputs(answers=[answer]).suspect() in condemned
            (kept.condemned_answers if guilty else kept.answers).append(answer)
        return kept

    def _collect(self) -> tuple[Inputs, int]:
        """Take what has arrived, up to what a turn may take; and the gateway's frame to acknowledge."""
        return self._arrivals.collect(self._settings.runtime.turn_envelopes, self._clock_now(), self._backlogs())

    def _backlogs(self) -> dict[str, Backlog]:
        """What is stored here and waits for somebody else, as far as new work would add to it."""
        backlogs = {"conversations wait for another try": Backlog(len(self._retries.conversations))}
        now = self._clock_now()
        for name, thread in self._outboxes.workers.items():
            if not getattr(thread.worker, "holds_intake", False):
                continue
            draining = not isinstance(thread.worker, HasCircuit) or thread.worker.circuit.state(now) == CLOSED
            draining = draining and name not in self._outboxes.paused
            done = self._outboxes.done.get(name, 0) if draining else None
            backlogs[f"tasks wait for the {name}"] = Backlog(self._outboxes.pending.get(name, 0), done)
        for peer, waiting in self._links.waiting().items():
            backlogs[f"envelopes wait for {peer}"] = Backlog(waiting)
        return backlogs

    def _actor_failed(self, actor: str, now: datetime) -> None:
        supervision = self._settings.supervision
        spec = SupervisionSpec(
            intensity=supervision.actor_intensity, period=timedelta(seconds=supervision.period_seconds)
        )
        service = actor.partition("/")[0]
        self._history, decision = after_failure(spec, self._history, (service,), service, now)
        if isinstance(decision, GiveUp):
            self._escalation = f"{service} failed {decision.failures} times within {decision.period}"

    def _set_alarm(self) -> None:
        dues = [self._timers.next_due, self._retries.next_due, self._links.next_due()]
        due = min((due for due in dues if due is not None), default=None)
        self._alarm.set(None if due is None else due - self._clock_now())

    def _clock_now(self) -> datetime:
        assert self._clock is not None
        return self._clock.now()

    def _ring(self) -> None:
        self._alarm.ring()

    def _quiet(self) -> None:
        self._alarm.quiet()


def _alternating(singles: list[Inputs]) -> list[Inputs]:
    """What clients send between what comes from elsewhere, each in its order: neither waits for all of the others."""
    theirs = [single for single in singles if single.envelopes]
    others = [single for single in singles if not single.envelopes]
    mixed = [single for pair in zip(others, theirs, strict=False) for single in pair]
    longer = max(others, theirs, key=len)
    return mixed + longer[len(mixed) // 2 :]
