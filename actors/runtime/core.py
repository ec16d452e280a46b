"""A cell's core: opens the store, gathers what arrives, runs turns, releases what they sent. No Thespian process here.

The shell (`cell.py`) gives it frames and watches its descriptor; a simulator drives it the same way.
"""

from __future__ import annotations

import contextlib
import sys
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
from actors.messaging.codec import CannotDecode, micros, moment, register
from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.frames import GATEWAY, joined, pack_frame, unpack_frame
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
from actors.runtime.housekeeping import Actors, DeadLetters, Waiting
from actors.runtime.inprocess import InProcessSystem
from actors.runtime.inputs import Inputs
from actors.runtime.links import Links
from actors.runtime.outbox import Outboxes
from actors.runtime.pauses import PauseKeeper, Pauses
from actors.runtime.retries import Backoff, Retries
from actors.runtime.rounds import Escalated, Rounds
from actors.runtime.service import NOTHING_OFFERED, Answer, CellContext, Service, Started, Worker
from actors.runtime.soundness import damaged, examine, hold_against_peers, hold_against_seals
from actors.runtime.supervision import GiveUp, RestartHistory, SupervisionSpec, after_failure
from actors.runtime.suspects import Suspects
from actors.runtime.timers import Timers
from actors.runtime.turn import Starting, Turns
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
BREATH: Final = timedelta(milliseconds=10)  # between two such times: for what is to be heard, and sent
ANSWERS: Final = 8_192  # of workers, not yet taken in; then they make no more


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
        self._session: SqliteSession = None  # type: ignore[assignment]  # until `open`
        self._head: Head = None  # type: ignore[assignment]
        self._history = RestartHistory()
        self._escalation = ""
        self._switch_interval = 0.0
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
            self._begin(services)
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
        left = self._rounds.pause_left()
        if left is not None:
            self._alarm.set(left)
            return []
        if self._starting is None:
            frames, self._unsent = self._unsent + self._rounds.run(), []
        else:
            frames = self._start_late()
        told_busy = self._arrivals.told_busy()
        if told_busy:
            frames.append(("gateway", pack_frame(GATEWAY, 0, 0, told_busy)))
        if len(frames) > len(self._placement.names):  # one input a turn makes a frame a turn
            frames = joined(frames)
        if self._escalation:
            raise Escalated(self._escalation)
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
            "store_refuses": self._rounds.paused_until is not None,
            "mailbox": arrivals.pop("mailbox") + len(self._rounds.singles),
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
        last = moment(max(row[0] if row else 0, self._marker.alive_at, link_tables.later_than(session)))
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

    def _begin(self, services: tuple[type[Service], ...]) -> None:
        """Start; on a full disk come up without, so that clients hear why and it goes on once there is room."""
        runtime = self._settings.runtime
        self._rounds = Rounds(
            name=self.name, turns=self._turns, arrivals=self._arrivals, suspects=self._suspects, marker=self._marker,
            clock=self._clock_now, collect=self._collect, damaged=lambda error: damaged(self._head, error),
            before_turn=self._yield_to_workers, due_at_once=runtime.turn_envelopes,
            suspect_limit=runtime.suspect_limit,
        )  # fmt: skip
        register(Started)  # one whose handler raises is parked like any other message
        self._starting = [
            service.name
            for service in services
            if Started in service.handlers and self._placement.hosts(self.name, service.name)
        ]
        try:
            self._unsent = self._start()
        except StoreFull as error:
            self._unsent = self._rounds.wait(error)
        self._ring()

    def _start(self) -> list[tuple[str, bytes]]:
        """Tell every service that wants to know that the cell is up, and let no timer count the time it was not.

        A turn of its own, before any other.
        """
        assert self._starting is not None
        since, now = self._down_since, self._clock_now()
        downtime = timedelta(0) if since is None else max(timedelta(0), now - since)
        told = [Envelope(f"start/{name}", Started(downtime=downtime), TIMER, name, name) for name in self._starting]
        frames = self._rounds.start(Starting(downtime, told))
        self._starting = None
        return frames

    def _start_late(self) -> list[tuple[str, bytes]]:
        try:
            return self._start()
        except StoreFailed as error:
            return self._rounds.wait(error)

    def _yield_to_workers(self, inputs: int) -> None:
        """Let a worker that has an answer wait no longer than it should: briefly in small turns, where somebody
        waits for one payment, longer in large ones, where changing threads takes a tenth of the time."""
        interval = SMALL_TURN_SWITCH_S if inputs <= SMALL_TURN else LARGE_TURN_SWITCH_S
        if interval != self._switch_interval:
            self._switch_interval = interval
            sys.setswitchinterval(interval)

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
        """Be woken when there is something to do, and not before."""
        left = self._rounds.pause_left()
        if left is not None:
            self._alarm.set(left)
        elif self._rounds.singles:
            self._alarm.set(BREATH)
        elif self._arrivals or self._subscriptions.lagging or self._outboxes.hungry:
            self._ring()
        else:
            self._alarm.set(self._until_due())

    def _until_due(self) -> timedelta | None:
        dues = [self._timers.next_due, self._retries.next_due, self._links.next_due()]
        due = min((due for due in dues if due is not None), default=None)
        return None if due is None else due - self._clock_now()

    def _clock_now(self) -> datetime:
        assert self._clock is not None
        return self._clock.now()

    def _ring(self) -> None:
        self._alarm.ring()

    def _quiet(self) -> None:
        self._alarm.quiet()
