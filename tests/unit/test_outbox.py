"""Outboxes: nothing is handed over before the commit, nothing is lost after it, and a worker's defect loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from actors.messaging.envelope import COMMAND, Envelope
from actors.runtime import outbox
from actors.runtime.outbox import Outboxes, WorkerThread
from actors.runtime.service import Answer, Handed
from actors.store.sqlite import SqliteSession
from tests.fakes.runtime_tables import Carve, runtime_store

DEADLINE_S = 10


class Bench:
    """In a worker's place: keeps what it is handed."""

    def __init__(self) -> None:
        self.handed: list[Handed] = []

    def hand(self, tasks: list[Handed]) -> None:
        self.handed += tasks

    def texts(self) -> list[str]:
        return [f"{each.task.text}{' again' if each.again else ''}" for each in self.handed]  # type: ignore[attr-defined]


@pytest.fixture
def session() -> SqliteSession:
    session = runtime_store()
    session.commit()
    return session


@pytest.fixture
def bench() -> Bench:
    return Bench()


def opened(session: SqliteSession, bench: Bench) -> Outboxes:
    outboxes = Outboxes(session)
    outboxes.workers["wood"] = bench  # type: ignore[assignment]
    session.begin()
    outboxes.open()
    session.commit()
    return outboxes


def turn(session: SqliteSession, outboxes: Outboxes, *texts: str, finish: tuple[int, ...] = ()) -> None:
    """One turn, as `Turns` runs it: refill, add, finish, write, commit, release."""
    session.begin()
    if outboxes.hungry:
        outboxes.refill()
    for text in texts:
        outboxes.add(Envelope(f"m-{text}", Carve(text=text), COMMAND, "me", "outbox/wood", "P1"))
    for outbox_id in finish:
        outboxes.finish("wood", outbox_id)
    outboxes.write()
    session.commit()
    outboxes.release()


def stored(session: SqliteSession) -> int:
    session.begin()
    (count,) = session.one("SELECT count(*) FROM outbox") or (0,)
    session.roll_back()
    return int(count)


def test_a_task_is_handed_over_after_the_commit(session: SqliteSession, bench: Bench) -> None:
    """Before it nobody outside may know."""
    outboxes = opened(session, bench)
    session.begin()
    outboxes.add(Envelope("m-1", Carve(text="a"), COMMAND, "me", "outbox/wood", "P1"))
    outboxes.write()
    assert bench.handed == []
    session.commit()
    outboxes.release()
    assert bench.texts() == ["a"]
    assert stored(session) == 1


def test_an_abandoned_turn_hands_nothing_over(session: SqliteSession, bench: Bench) -> None:
    """Nor does it finish anything."""
    outboxes = opened(session, bench)
    turn(session, outboxes, "a")
    session.begin()
    outboxes.add(Envelope("m-2", Carve(text="b"), COMMAND, "me", "outbox/wood", "P1"))
    outboxes.finish("wood", bench.handed[0].outbox_id)
    outboxes.write()
    session.roll_back()
    outboxes.forget()
    turn(session, outboxes)
    assert bench.texts() == ["a"]
    assert stored(session) == 1
    assert outboxes.origin("wood", bench.handed[0].outbox_id) is not None


def test_a_finished_task_is_gone_for_good(session: SqliteSession, bench: Bench) -> None:
    """From the store and from memory; finishing it twice is harmless."""
    outboxes = opened(session, bench)
    turn(session, outboxes, "a", "b")
    first, second = (each.outbox_id for each in bench.handed)
    turn(session, outboxes, finish=(first, first))
    turn(session, outboxes, finish=(first,))
    assert stored(session) == 1
    assert outboxes.waiting() == {"wood": 1}
    assert outboxes.origin("wood", first) is None
    assert outboxes.origin("wood", second) is not None


def test_after_a_restart_what_is_not_done_is_handed_over_again_and_said_to_be(
    session: SqliteSession, bench: Bench
) -> None:
    """The worker asks first what became of it."""
    outboxes = opened(session, bench)
    turn(session, outboxes, "a", "b")
    turn(session, outboxes, finish=(bench.handed[0].outbox_id,))
    again = Bench()
    turn(session, opened(session, again), "c")
    assert again.texts() == ["b again", "c"]


def test_a_worker_has_no_more_in_memory_than_it_may(
    session: SqliteSession, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait in the store, and come in order as it gets on; nothing twice."""
    monkeypatch.setattr(outbox, "WINDOW", 4)
    outboxes = opened(session, bench)
    turn(session, outboxes, *"abcdef")
    turn(session, outboxes, "g")
    assert bench.texts() == list("abcd")
    assert not outboxes.hungry
    finished = 0
    while finished < len(bench.handed):
        done = tuple(each.outbox_id for each in bench.handed[finished:])
        finished += len(done)
        turn(session, outboxes, finish=done)
        turn(session, outboxes)
        assert outboxes.waiting()["wood"] <= 4
    assert bench.texts() == list("abcdefg")
    assert stored(session) == 0
    assert not outboxes.hungry


def test_a_backlog_larger_than_the_window_is_taken_up_after_a_restart(
    session: SqliteSession, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that had been handed over are said to be so; new ones go to the end."""
    monkeypatch.setattr(outbox, "WINDOW", 4)
    turn(session, opened(session, bench), *"abcdef")
    again = Bench()
    outboxes = opened(session, again)
    turn(session, outboxes, "g")
    assert again.texts() == ["a again", "b again", "c again", "d again"]
    turn(session, outboxes, finish=tuple(each.outbox_id for each in again.handed))
    turn(session, outboxes)
    assert again.texts()[4:] == ["e", "f", "g"]


class Carver:
    """A worker that fails as often as it is told to; every batch that it was given is in `batches`."""

    outbox = "wood"

    def __init__(self, *, open_fails: int = 0, perform_fails: int = 0, due_fails: int = 0) -> None:
        self.open_fails, self.perform_fails, self.due_fails = open_fails, perform_fails, due_fails
        self.batches: list[list[str]] = []
        self.again: list[bool] = []
        self.closed = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        if self.open_fails:
            self.open_fails -= 1
            raise OSError("no tools")
        self.deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        self.begun.set()
        self.gate.wait(DEADLINE_S)
        if self.perform_fails:
            self.perform_fails -= 1
            raise OSError("it broke")
        self.batches.append([each.task.text for each in tasks])  # type: ignore[attr-defined]
        self.again += [each.again for each in tasks]
        self.deliver([Answer("me", "", (), each.outbox_id) for each in tasks])

    def due(self, now: Any) -> None:
        if self.due_fails:
            self.due_fails -= 1
            raise ValueError("no clock")

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Carver], tuple[WorkerThread, Any]]]:
    """Starts a thread for a worker; `done(n)` waits until so many tasks are finished."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.001)
    threads: list[WorkerThread] = []

    def start(worker: Carver) -> tuple[WorkerThread, Any]:
        finished = threading.Semaphore(0)

        def answered(_: str, answers: list[Answer]) -> None:
            finished.release(len(answers))

        def done(count: int) -> bool:
            return all(finished.acquire(timeout=DEADLINE_S) for _ in range(count))

        thread = WorkerThread(worker, answered, lambda: datetime.now(UTC))
        threads.append(thread)
        thread.start()
        return thread, done

    yield start
    for thread in threads:
        thread.stop(DEADLINE_S)


def handed(*texts: str) -> list[Handed]:
    return [Handed(at, Carve(text=text), "", False) for at, text in enumerate(texts)]


def test_what_comes_while_a_worker_is_busy_is_its_next_batch(run: Any) -> None:
    """One connection, one transaction, for all of it."""
    worker = Carver()
    worker.gate.clear()
    thread, done = run(worker)
    thread.hand(handed("a"))
    assert worker.begun.wait(DEADLINE_S)
    thread.hand(handed("b"))
    thread.hand(handed("c"))
    worker.gate.set()
    assert done(3)
    assert worker.batches == [["a"], ["b", "c"]]


def test_a_batch_that_failed_is_handed_to_the_worker_again(run: Any) -> None:
    """In the same order, before what came later, and said to be a repeat."""
    worker = Carver(perform_fails=2)
    worker.gate.clear()
    thread, done = run(worker)
    thread.hand(handed("a", "b"))
    assert worker.begun.wait(DEADLINE_S)
    thread.hand(handed("c"))
    worker.gate.set()
    assert done(3)
    assert [text for batch in worker.batches for text in batch] == ["a", "b", "c"]
    assert worker.again[:2] == [True, True]


@pytest.mark.parametrize("fault", [{"open_fails": 2}, {"due_fails": 2}])
def test_a_worker_that_can_not_begin_tries_again(run: Any, fault: dict[str, int]) -> None:
    """A thread that ended would leave its outbox to itself for ever."""
    worker = Carver(**fault)
    thread, done = run(worker)
    thread.hand(handed("a"))
    assert done(1)


def test_a_worker_finishes_the_batch_in_hand_when_it_is_told_to_stop(run: Any) -> None:
    """And takes up no other: that one is handed over again after the next start."""
    worker = Carver()
    worker.gate.clear()
    thread, _ = run(worker)
    thread.hand(handed("a"))
    assert worker.begun.wait(DEADLINE_S)
    thread.hand(handed("b"))
    thread.tell_to_stop()
    worker.gate.set()
    thread.stop(DEADLINE_S)
    assert worker.closed.is_set()
    assert worker.batches == [["a"]]


def test_a_worker_that_fails_for_ever_can_be_stopped(run: Any) -> None:
    """Its pauses don't hold up the end of the process."""
    worker = Carver(open_fails=1_000_000)
    thread, _ = run(worker)
    thread.hand(handed("a"))
    thread.stop(DEADLINE_S)
    assert not thread._thread.is_alive()
    assert worker.batches == []
