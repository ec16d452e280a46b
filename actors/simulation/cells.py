"""A cell under simulation: a disk, and the process that runs on it now; it crashes, stands still, comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from actors.runtime.clock import Clock
from actors.runtime.core import CellCore, Hosting
from actors.runtime.marker import MARGIN, Marker
from actors.runtime.outbox import Runner
from actors.runtime.rounds import Escalated
from actors.runtime.service import Answer, Handed, Worker
from actors.runtime.world import Bell, World
from actors.simulation.clock import MILLISECOND, SECOND, ProcessClock, Timeline, WallClock
from actors.simulation.disk import Crash, Disk, SimulatedHead, SimulatedMarker, SimulatedSession, commit_fails
from actors.simulation.faults import Faults
from actors.simulation.rail import BETWEEN, Bank
from actors.simulation.workers import SimulatedRunner
from actors.store.placement import Placement
from actors.store.session import StoreFailed, StoreRefused
from config.settings import Settings, StoreSettings

GATHER: Final = (2 * MILLISECOND, 40 * MILLISECOND)  # from the bell to the turn
TURN: Final = (MILLISECOND, 20 * MILLISECOND)  # from a turn's commit to its release
RESTART: Final = (50 * MILLISECOND, 3 * SECOND)
SILENT: Final = 10 * SECOND  # then a cell that stands still is killed
STATEMENTS: Final = 400  # a turn's statement that fails is one of the next so many
RECOVERY_STATEMENTS: Final = 60
_MICROSECOND: Final = timedelta(microseconds=1)


class Violation(BaseException):
    """A promise is broken: the sentence, and the payment concerned where there is one. Nobody may catch it."""

    def __init__(self, sentence: str, payment_id: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.payment_id = payment_id


class Witness(Protocol):
    """Who looks at everything a cell does."""

    def begun(self, cell: SimulatedCell) -> None:
        """A transaction begins."""

    def committed(self, cell: SimulatedCell) -> None:
        """A transaction is durable, and nobody outside has seen anything of it."""

    def handed(self, cell: SimulatedCell, tasks: list[Handed]) -> None:
        """A worker gets tasks."""

    def released(self, cell: SimulatedCell, peer: str, payload: bytes) -> None:
        """A frame leaves."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all cells of one world share. `settings` are chosen anew at each start of a process."""

    timeline: Timeline
    wall: WallClock
    chance: Random
    faults: Faults
    placement: Placement
    settings: Callable[[], Settings]
    hosting: Callable[[SimulatedCell, Settings, Clock], Hosting]
    send: Callable[[SimulatedCell, str, bytes], None]
    record: Callable[[str, bytes], None]
    moved: Callable[[], None]  # a cell has come or gone
    witness: Witness
    haste: float = 1.0  # how many times shorter than in a real process caution is


class SimulatedBell:
    """Implements `Bell`: says when the cell wants a turn."""

    def __init__(self, timeline: Timeline, rung: Callable[[], None]) -> None:
        self._timeline = timeline
        self._rung = rung
        self._ringing = False
        self._setting = 0

    def fileno(self) -> int:
        """There is none: the scheduler knows."""
        return -1

    def ring(self) -> None:
        """See `Bell.ring`."""
        if not self._ringing:
            self._ringing = True
            self._rung()

    def quiet(self) -> None:
        """See `Bell.quiet`."""
        self._ringing = False

    def set(self, delay: timedelta | None) -> None:
        """See `Bell.set`."""
        self._setting += 1
        setting = self._setting
        if delay is not None:
            self._timeline.after(max(0, delay // _MICROSECOND), lambda: self._alarm(setting))

    def stop(self) -> None:
        """See `Bell.stop`."""
        self._setting += 1

    def _alarm(self, setting: int) -> None:
        if setting == self._setting:
            self.ring()


@dataclass(eq=False)
class Incarnation:
    """One process: everything in it is gone when it ends."""

    cell: SimulatedCell
    number: int
    alive: bool = True
    resumes_at: int = 0
    busy_until: int = 0
    session: SimulatedSession | None = None
    core: CellCore | None = None
    runners: list[SimulatedRunner] = field(default_factory=list)

    def guarded(self, act: Callable[[], None]) -> None:
        """See `Process.guarded`."""
        self.cell.guarded(self, act)

    def handed(self, tasks: list[Handed]) -> None:
        """See `Process.handed`."""
        self.cell.around.witness.handed(self.cell, tasks)


class SimulatedCell:
    """One cell, its disk and its bank."""

    def __init__(self, name: str, around: Surroundings, bank: Bank) -> None:
        self.name = name
        self.around = around
        self.bank = bank
        self.disk = Disk()
        self.incarnations = 0
        self.process: Incarnation | None = None
        self.turns = 0
        self.messages = 0

    # What the world does to it

    def start(self) -> None:
        """Begin a process, if none runs."""
        if self.process is not None:
            return
        around = self.around
        self.incarnations += 1
        process = self.process = Incarnation(self, self.incarnations)
        settings = around.settings()
        self.guarded(process, lambda: self._open(process, settings))
        if process.alive:
            around.moved()
            self._heartbeat(process)

    def die(self, kind: str) -> None:
        """The process ends at once; another comes after a while."""
        process = self.process
        if process is None:
            return
        process.alive = False
        self.process = None
        self._count(process)
        self.disk.power_off()
        around = self.around
        around.faults.count(kind)
        around.record(f"{self.name}: {kind}", b"")
        around.moved()
        around.timeline.after(around.chance.randint(*RESTART), self.start)

    def restart_in_order(self) -> None:
        """Stop the process as `stop` does, and start the next one."""
        process = self.process
        if process is None or process.core is None:
            return
        process.core.close()
        process.alive = False
        self.process = None
        self._count(process)
        self.around.record(f"{self.name} restarted", b"")
        self.around.moved()
        self.start()

    def arm(self, kind: str) -> bool:
        """Let a fault come over the process at its next opportunity; false where none runs."""
        process = self.process
        if process is None or process.session is None or process.core is None:
            return False
        around, session = self.around, process.session
        chance, faults = around.chance, around.faults
        if kind == "crash before the commit":
            session.before_commit = lambda: _end(kind)
        elif kind == "crash after the commit, before the release":
            session.after_commit = lambda: _end(kind)
        elif kind == "crash in the middle of a turn":
            session.arm(chance.randrange(STATEMENTS), lambda sql: _end(kind))
        elif kind == "crash between turns":
            self.die(kind)
        elif kind == BETWEEN:
            self.bank.crash_next = True
        elif kind == "commit failed":

            def refuse() -> None:
                faults.count(kind)
                commit_fails()

            session.before_commit = refuse
        elif kind == "disk full in a statement":
            faults.count(kind)
            session.arm(chance.randrange(STATEMENTS), session.disk_full_once)
        elif kind == "disk full for a while":
            faults.count(kind)
            session.arm(chance.randrange(STATEMENTS), session.disk_full)
            around.timeline.after(chance.randint(SECOND // 2, 6 * SECOND), session.disarm)
        elif kind == "cell paused":
            faults.count(kind)
            self._pause(process, chance.randint(SECOND // 10, SILENT - SECOND))
        elif kind == "cell silent, killed and replaced":
            self._pause(process, 2 * SILENT)
            around.timeline.after(SILENT, lambda: self.die(kind) if process.alive else None)
        else:
            raise ValueError(kind)
        return True

    def disarm(self) -> None:
        """Nothing more is to happen to it."""
        self.bank.crash_next = False
        if self.process is not None and self.process.session is not None:
            self.process.session.disarm()
            self.process.resumes_at = min(self.process.resumes_at, self.around.timeline.now)

    def arrived(self, peer: str, payload: bytes) -> bool:
        """A frame is there; false where no process is."""
        process = self.process
        if process is None or process.core is None:
            return False
        process.core.arrived(peer, payload)
        return True

    def guarded(self, process: Incarnation, act: Callable[[], None]) -> None:
        """Do something that may end the process."""
        try:
            act()
        except Crash as crash:
            self.die(crash.kind)
        except Escalated:
            self.die("crash: actors failed too often")
        except StoreRefused:
            self.die("crash: the store refused the start")
        except Exception as error:
            raise Violation(f"{self.name} ended itself: {type(error).__name__}: {error}") from error

    @property
    def core(self) -> CellCore | None:
        """The core of the process, where one runs."""
        return None if self.process is None else self.process.core

    def close(self) -> None:
        """Forget everything."""
        if self.process is not None:
            self._count(self.process)
            self.process.alive = False
            self.process = None
        self.disk.close()
        self.bank.close()

    # The process

    def _open(self, process: Incarnation, settings: Settings) -> None:
        around = self.around
        wall, timeline = around.wall, around.timeline
        chance = Random(around.chance.getrandbits(64))

        def store(directory: Path, given: StoreSettings) -> SimulatedSession:
            session = process.session = SimulatedSession(
                self.disk,
                lambda: around.witness.begun(self),
                lambda: around.witness.committed(self),
                lambda line: around.record(self.name, line),
            )
            if process.number > 1 and around.faults.rolls("crash during recovery"):
                session.arm(around.chance.randrange(RECOVERY_STATEMENTS), lambda sql: _end("crash during recovery"))
            elif process.number > 1 and around.faults.strikes("store failed during recovery"):
                session.arm(around.chance.randrange(RECOVERY_STATEMENTS), session.disk_full)
            return session

        def marker(directory: Path) -> Marker:
            # A world lasts for half a minute: caution after deaths, and good health after caution, are shorter in it.
            return SimulatedMarker(self.disk, lambda: timeline.seconds * around.haste, int(MARGIN / around.haste))

        def clock(not_before: datetime) -> Clock:
            return ProcessClock(wall, not_before)

        def bell() -> Bell:
            return SimulatedBell(timeline, lambda: self._want_turn(process))

        def runner(
            worker: Worker, answers: Callable[[str, list[Answer]], None], now: Callable[[], datetime],
            dice: Random, crowded: Callable[[], bool],
        ) -> Runner:  # fmt: skip
            made = SimulatedRunner(process, timeline, chance, worker, answers, now)
            process.runners.append(made)
            return made

        world = World(
            store=store, head=lambda path, file: SimulatedHead(self.disk, path, file),
            lock=lambda directory, name: _nothing, marker=marker, clock=clock, chance=lambda seed: chance, bell=bell,
            runner=runner,
        )  # fmt: skip
        hosting = around.hosting(self, settings, ProcessClock(wall))
        core = CellCore(self.name, Path("simulated"), settings, around.placement, hosting, world=world)
        process.core = core
        try:
            core.open()
        except StoreFailed as error:  # the shell reports it as it does a refusal, and the supervisor tries again
            raise StoreRefused(str(error)) from error
        assert process.session is not None
        process.session.disarm()

    def _want_turn(self, process: Incarnation) -> None:
        timeline = self.around.timeline
        moment = max(timeline.now + self.around.chance.randint(*GATHER), process.busy_until, process.resumes_at)
        timeline.at(moment, lambda: self._turn(process))

    def _turn(self, process: Incarnation) -> None:
        if not process.alive:
            return
        timeline = self.around.timeline
        moment = max(process.busy_until, process.resumes_at)
        if moment > timeline.now:
            timeline.at(moment, lambda: self._turn(process))
            return
        self.guarded(process, lambda: self._run(process))

    def _run(self, process: Incarnation) -> None:
        assert process.core is not None
        frames = process.core.run()
        around = self.around
        for peer, payload in frames:
            around.witness.released(self, peer, payload)
        process.busy_until = around.timeline.now + around.chance.randint(*TURN)
        if frames:
            around.timeline.at(process.busy_until, lambda: self._release(process, frames))

    def _release(self, process: Incarnation, frames: list[tuple[str, bytes]]) -> None:
        if process.alive:
            for peer, payload in frames:
                self.around.send(self, peer, payload)

    def _pause(self, process: Incarnation, duration: int) -> None:
        process.resumes_at = self.around.timeline.now + duration

    def _heartbeat(self, process: Incarnation) -> None:
        if process.alive:
            if process.core is not None and process.resumes_at <= self.around.timeline.now:
                process.core.report()
            self.around.timeline.after(2 * SECOND, lambda: self._heartbeat(process))

    def _count(self, process: Incarnation) -> None:
        turns: Any = getattr(process.core, "_turns", None)
        if turns is not None:
            self.turns += turns.counters.turns
            self.messages += turns.counters.messages


def _end(kind: str) -> None:
    raise Crash(kind)


def _nothing() -> None:
    """A lock that nobody else wants."""
