"""Outboxes: tasks stored in the turn, handed to their workers after the commit, gone when an answer finishes them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, Final, Protocol

import structlog

from actors.messaging.codec import envelope_from, pack, unpack
from actors.messaging.envelope import Envelope
from actors.messaging.message import Task
from actors.runtime.breaker import CLOSED, HasCircuit
from actors.runtime.effects import OUTBOX
from actors.runtime.service import Answer, Handed, Worker
from actors.store.session import Migration, Session

MIGRATIONS = (
    Migration(
        "outbox",
        1,
        (
            "CREATE TABLE outbox (id INTEGER PRIMARY KEY, name TEXT NOT NULL, envelope BLOB NOT NULL)",
            "CREATE INDEX outbox_names ON outbox (name, id)",
        ),
    ),
)

WINDOW: Final = 4_096  # tasks a worker may have in memory; the others wait in the store
FIRST_PAUSE_S: Final = 0.05  # before a worker that failed tries again; doubled each time
LONGEST_PAUSE_S: Final = 5.0
CROWDED_PAUSE_S: Final = 0.05  # while the cell has enough answers to take in


class Runner(Protocol):
    """Performs what its worker is handed, outside the turn."""

    worker: Worker

    def start(self) -> None:
        """Begin; the worker opens."""

    def hand(self, tasks: list[Handed]) -> None:
        """Give it tasks; returns at once."""

    def hold(self, held: bool) -> None:
        """While it is held it begins nothing; returns at once."""

    def tell_to_stop(self) -> None:
        """Let it finish the batch in hand, and no other; returns at once."""

    def stop(self, timeout: float) -> None:
        """Wait until it has stopped, at most so many seconds."""


class Outboxes:
    """All outboxes of a cell. `_window` counts, per outbox, what its worker has and has not finished."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._next_id = 1
        self._new: list[tuple[int, str, Envelope]] = []
        self._finished: list[tuple[int]] = []
        self._finished_by: list[str] = []  # the outbox of each
        self._given: dict[str, dict[int, Envelope]] = {}
        self._behind: dict[str, int] = {}  # outboxes with stored tasks that wait for room: the last id given
        self._before: dict[str, int] = {}  # paused outboxes: up to this id a process before this one may have begun
        self.paused: frozenset[str] = frozenset()  # whose tasks wait in the store, and whose workers begin nothing
        self.workers: dict[str, Runner] = {}
        self.pending: dict[str, int] = {}  # tasks that are not done, in memory and in the store
        self.done: dict[str, int] = {}  # tasks finished since the start

    def open(self) -> None:
        """Read where numbering goes on, and take up every task that is not known to be done."""
        row = self._session.one("SELECT max(id) FROM outbox")
        self._next_id = (row[0] or 0) + 1 if row else 1
        for name in self.workers:
            self._given[name] = {}
            self._behind[name] = 0
            self._before[name] = self._next_id - 1
        self.pending = dict(self._session.all("SELECT name, count(*) FROM outbox GROUP BY name"))
        self.refill(again=True)
        self._before = {name: last for name, last in self._before.items() if name in self.paused}

    def hold(self, names: frozenset[str]) -> None:
        """These outboxes are paused, and no others."""
        if names == self.paused:
            return
        self.paused = names
        for name, runner in self.workers.items():
            runner.hold(name in names)

    def add(self, envelope: Envelope) -> None:
        """Put a task into an outbox, within this turn."""
        self._new.append((self._next_id, envelope.target[len(OUTBOX) :], envelope))
        self._next_id += 1

    def origin(self, name: str, outbox_id: int) -> Envelope | None:
        """The envelope that a task was handed over with, as long as its worker has it."""
        return self._given.get(name, {}).get(outbox_id)

    def finish(self, name: str, outbox_id: int) -> None:
        """A worker's answer says that a task is done; it goes with this turn's commit."""
        self._finished.append((outbox_id,))
        self._finished_by.append(name)

    def write(self) -> None:
        """Store the turn's changes; called once, before the commit."""
        if self._new:
            self._session.write_many(
                "INSERT INTO outbox VALUES (?, ?, ?)",
                [(number, name, pack(envelope)) for number, name, envelope in self._new],
            )
        if self._finished:
            self._session.write_many("DELETE FROM outbox WHERE id = ?", self._finished)

    def forget(self) -> None:
        """The turn was abandoned: its changes never happened (numbers may be left out)."""
        self._new, self._finished, self._finished_by = [], [], []

    def release(self) -> None:
        """After the commit: give the new tasks to their workers, as far as those have room."""
        for (outbox_id,), name in zip(self._finished, self._finished_by, strict=True):
            if self._given.get(name, {}).pop(outbox_id, None) is not None:
                self.pending[name] -= 1
                self.done[name] = self.done.get(name, 0) + 1
        batches: dict[str, list[Handed]] = {}
        for number, name, envelope in self._new:
            given = self._given.setdefault(name, {})
            self.pending[name] = self.pending.get(name, 0) + 1
            if name in self._behind or len(given) >= WINDOW or name in self.paused:
                self._behind.setdefault(name, number - 1)
                continue
            given[number] = envelope
            batches.setdefault(name, []).append(_handed(number, envelope, again=False))
        self._new, self._finished, self._finished_by = [], [], []
        for name, batch in batches.items():
            worker = self.workers.get(name)
            if worker is not None:
                worker.hand(batch)

    @property
    def hungry(self) -> bool:
        """Whether stored tasks wait and a worker has room again."""
        return any(len(self._given[name]) < WINDOW // 2 for name in self._behind if name not in self.paused)

    def refill(self, *, again: bool = False) -> None:
        """Give workers with room the tasks that wait in the store (inside a transaction: it reads)."""
        for name, last in list(self._behind.items()):
            given = self._given.setdefault(name, {})
            room = WINDOW - len(given)
            if room < WINDOW // 2 or name not in self.workers or name in self.paused:
                continue
            rows = self._session.all(
                "SELECT id, envelope FROM outbox WHERE name = ? AND id > ? ORDER BY id LIMIT ?", (name, last, room)
            )
            batch, before = [], self._before.get(name, 0)
            for number, data in rows:
                given[number] = envelope_from(unpack(data))
                batch.append(_handed(number, given[number], again=again or number <= before))
            if batch:
                self._behind[name] = batch[-1].outbox_id
                self.workers[name].hand(batch)
            if len(rows) < room:
                del self._behind[name]

    def waiting(self) -> dict[str, int]:
        """How many tasks each worker has that are not finished, for `status`."""
        return {name: len(given) for name, given in self._given.items()}

    def circuits(self, now: datetime) -> dict[str, dict[str, Any]]:
        """Workers that what they work for does not answer, or that come back to speed, for `status`."""
        found = {}
        for name, thread in self.workers.items():
            worker = thread.worker
            if isinstance(worker, HasCircuit) and (state := worker.circuit.state(now)) != CLOSED:
                found[name] = {"state": state, "failures": worker.circuit.failures, "batch": worker.circuit.batch}
        return found


def _handed(number: int, envelope: Envelope, *, again: bool) -> Handed:
    task = envelope.message
    assert isinstance(task, Task)
    return Handed(number, task, envelope.payment_id, again)


class WorkerThread:
    """Runs one worker: gathers what was handed over while it was busy, performs it as one batch.

    While the cell is `crowded` with answers that it has not taken in, the worker makes no more of them.
    """

    def __init__(
        self, worker: Worker, answers: Callable[[str, list[Answer]], None], now: Callable[[], datetime],
        chance: Random | None = None, crowded: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self.worker = self._worker = worker
        self._chance = chance or Random()
        self._crowded = crowded
        self._answers = answers
        self._now = now
        self._tasks: deque[Handed] = deque()
        self._wake = threading.Condition()
        self._stopping = self._held = False
        self._log = structlog.get_logger("worker").bind(outbox=worker.outbox)
        self._thread = threading.Thread(target=self._run, name=f"worker-{worker.outbox}", daemon=True)

    def start(self) -> None:
        """Start the thread; the worker opens in it."""
        self._thread.start()

    def hand(self, tasks: list[Handed]) -> None:
        """Give it tasks; returns at once."""
        with self._wake:
            self._tasks.extend(tasks)
            self._wake.notify()

    def hold(self, held: bool) -> None:
        """While it is held it begins nothing; returns at once."""
        with self._wake:
            self._held = held
            self._wake.notify()

    def tell_to_stop(self) -> None:
        """Let it finish the batch in hand, and no other; returns at once."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def stop(self, timeout: float) -> None:
        """Wait until it has stopped; what it has not done is handed over again after the next start."""
        self.tell_to_stop()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        """A worker's own defect, or a broken world, ends no thread: nothing is lost, all is tried again."""
        name = self._worker.outbox
        batch: list[Handed] = []
        is_open, pause = False, FIRST_PAUSE_S
        while not self._stopping:
            try:
                if not is_open:
                    self._worker.open(lambda answers: self._answers(name, answers))
                    is_open = True
                next_batch = self._next_batch()
                if next_batch is None:
                    break
                batch = next_batch
                self._worker.perform(batch)
                batch, pause = [], FIRST_PAUSE_S
            except Exception:
                self._log.exception("worker failed", tasks=len(batch))
                self._take_back(batch, pause)
                batch, pause = [], min(LONGEST_PAUSE_S, pause * 2)
        if is_open:
            self._worker.close()

    def _take_back(self, batch: list[Handed], pause: float) -> None:
        with self._wake:
            self._tasks.extendleft(Handed(task.outbox_id, task.task, task.payment_id, True) for task in reversed(batch))
            # Never the same pause for the workers of several cells that fail together.
            self._wake.wait_for(lambda: self._stopping, timeout=pause * self._chance.uniform(0.75, 1.25))

    def _next_batch(self) -> list[Handed] | None:
        with self._wake:
            while not self._stopping:
                if self._held:
                    self._wake.wait()
                    continue
                if self._crowded():
                    self._wake.wait(CROWDED_PAUSE_S)
                    continue
                if self._tasks:
                    batch = list(self._tasks)
                    self._tasks.clear()
                    return batch
                now = self._now()
                due = self._worker.due(now)
                if due is not None and due <= now:
                    return []
                self._wake.wait(None if due is None else max(0.0, (due - now).total_seconds()))
        return None
