"""The simulated machine is as bad as a real one, and no worse: time, disk, network, processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

from actors.runtime.service import Answer, Handed
from actors.simulation.clock import SECOND, START, ProcessClock, Timeline, WallClock
from actors.simulation.disk import Crash, Disk, SimulatedMarker, SimulatedSession, commit_fails
from actors.simulation.faults import Faults
from actors.simulation.network import Network
from actors.simulation.workers import SimulatedRunner
from actors.store.session import StoreFailed


def test_what_is_planned_happens_in_order_and_within_a_moment_as_planned() -> None:
    """The order is the whole of determinism."""
    timeline, seen = Timeline(), []
    for moment, name in ((5, "c"), (1, "a"), (5, "d"), (1, "b")):
        timeline.at(moment, lambda name=name: seen.append(name))  # type: ignore[misc]
    while timeline.advance():
        pass
    assert seen == ["a", "b", "c", "d"]
    assert (timeline.now, timeline.step) == (5, 4)


def test_nothing_happens_in_the_past() -> None:
    """Simulated time never goes back."""
    timeline = Timeline()
    timeline.at(10, lambda: timeline.at(3, lambda: None))
    timeline.advance()
    timeline.advance()
    assert timeline.now == 10


def test_a_running_process_doesnt_see_the_clock_being_set() -> None:
    """Nor does a real one: it goes by the monotonic clock; the next one does, but never before its last commit."""
    timeline = Timeline()
    wall = WallClock(timeline)
    before = ProcessClock(wall)
    wall.ahead = -3_600 * SECOND
    assert before.now() == START
    assert ProcessClock(wall).now() == START  # not before the epoch of its world
    assert ProcessClock(wall, START + timedelta(seconds=5)).now() == START + timedelta(seconds=5)
    wall.ahead = 60 * SECOND
    assert ProcessClock(wall).now() == START + timedelta(minutes=1)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk with one table."""
    disk = Disk()
    disk.connection.execute("CREATE TABLE notes (what TEXT)")
    yield disk
    disk.close()


def session_on(disk: Disk) -> SimulatedSession:
    """A process's session that nobody watches."""
    return SimulatedSession(disk, lambda: None, lambda: None, lambda line: None)


def note(session: SimulatedSession, what: str) -> None:
    """Write it down."""
    session.write("INSERT INTO notes VALUES (?)", (what,))


def test_a_crash_before_the_commit_leaves_nothing(disk: Disk) -> None:
    """What survives is what was committed."""
    session = session_on(disk)
    session.begin()
    note(session, "lost")

    def end() -> None:
        raise Crash("before")

    session.before_commit = end
    with pytest.raises(Crash):
        session.commit()
    disk.power_off()
    assert disk.rows("SELECT * FROM notes") == []


def test_a_crash_after_the_commit_leaves_everything(disk: Disk) -> None:
    """The process dies before it has told anybody."""
    session = session_on(disk)
    session.begin()
    note(session, "kept")

    def end() -> None:
        raise Crash("after")

    session.after_commit = end
    with pytest.raises(Crash):
        session.commit()
    disk.power_off()
    assert disk.rows("SELECT * FROM notes") == [("kept",)]


def test_a_full_disk_ends_the_transaction_behind_the_savepoint(disk: Disk) -> None:
    """As SQLite does it: what other handlers did in the turn is gone as well, and the session knows."""
    session = session_on(disk)
    session.begin()
    note(session, "another handler's")
    session.guard()
    session.arm(1, session.disk_full_once)
    with pytest.raises(StoreFailed):
        note(session, "this one's")
    assert not session.whole
    session.roll_back()
    session.begin()
    assert session.all("SELECT * FROM notes") == []
    note(session, "there is room again")
    session.commit()


def test_a_commit_that_fails_leaves_the_turn_void(disk: Disk) -> None:
    """And the next one works."""
    session = session_on(disk)
    session.begin()
    note(session, "void")
    session.before_commit = commit_fails
    with pytest.raises(StoreFailed):
        session.commit()
    session.roll_back()
    assert disk.rows("SELECT * FROM notes") == []
    session.begin()
    session.commit()


def test_nobody_outside_reads_what_is_not_committed(disk: Disk) -> None:
    """The checks look at the disk as another process would."""
    session = session_on(disk)
    session.begin()
    with pytest.raises(AssertionError):
        disk.rows("SELECT * FROM notes")
    session.roll_back()


def test_the_mark_of_a_turn_survives_the_process(disk: Disk) -> None:
    """Or nobody would find the message that ends it."""
    SimulatedMarker(disk, lambda: 0.0).set(3)
    assert SimulatedMarker(disk, lambda: 0.0).cautious > 3


def send_all(faults: Faults, frames: int) -> list[bytes]:
    """What arrives of so many frames, in order."""
    timeline, arrived = Timeline(), []
    network = Network(timeline, Random(1), faults, lambda what, content: None)

    def arrive(payload: bytes) -> bool:
        arrived.append(payload)
        return True

    for number in range(frames):
        network.send("a", "b", b"%d" % number, arrive)
    while timeline.advance():
        pass
    return arrived


def test_a_calm_network_loses_and_reorders_nothing() -> None:
    """The faults are the only faults."""
    assert send_all(Faults(Random(1)), 100) == [b"%d" % number for number in range(100)]


def test_a_bad_network_drops_repeats_and_reorders_as_it_counts() -> None:
    """The report says what the worlds have been through."""
    faults = Faults(Random(1))
    faults.calm = False
    arrived = send_all(faults, 1_000)
    assert len(arrived) == 1_000 - faults.counts["frame dropped"] + faults.counts["frame repeated"]
    assert min(faults.counts[f"frame {fate}"] for fate in ("dropped", "repeated", "delayed", "reordered")) > 0
    assert arrived != sorted(arrived, key=int)


class Clumsy:
    """A worker that fails at its first batch."""

    outbox = "clumsy"

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool]] = []

    def open(self, deliver: object) -> None:
        """Nothing to open."""

    def perform(self, tasks: list[Handed]) -> None:
        """Remember, and fail once."""
        self.seen += [(task.outbox_id, task.again) for task in tasks]
        if len(self.seen) == 1:
            raise RuntimeError("clumsy")

    def due(self, now: object) -> None:
        """Never by itself."""

    def close(self) -> None:
        """Nothing to close."""


class OneProcess:
    """A process that lives until it is told not to."""

    alive = True
    resumes_at = 0

    def guarded(self, act: object) -> None:
        """Just do it."""
        act()  # type: ignore[operator]

    def handed(self, tasks: list[Handed]) -> None:
        """Nobody watches."""


def runner_of(worker: Clumsy, process: OneProcess, timeline: Timeline) -> SimulatedRunner:
    """The worker in its process."""

    def answers(outbox: str, given: list[Answer]) -> None:
        """Nobody listens."""

    return SimulatedRunner(process, timeline, Random(1), worker, answers, lambda: START)  # type: ignore[arg-type]


def test_a_worker_that_fails_gets_its_batch_again_after_a_pause() -> None:
    """As the thread does it in a real process."""
    timeline, worker = Timeline(), Clumsy()
    runner = runner_of(worker, OneProcess(), timeline)
    runner.hand([Handed(1, None, "", False)])  # type: ignore[arg-type]
    while timeline.advance():
        pass
    assert worker.seen == [(1, False), (1, True)]
    assert timeline.seconds >= 0.05


def test_a_worker_dies_with_its_process() -> None:
    """Nothing is done by those who are dead."""
    timeline, worker, process = Timeline(), Clumsy(), OneProcess()
    runner = runner_of(worker, process, timeline)
    runner.hand([Handed(1, None, "", False)])  # type: ignore[arg-type]
    process.alive = False
    while timeline.advance():
        pass
    assert worker.seen == []
