"""Performs a worker's tasks when the scheduler says so, as `WorkerThread` does in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Final, Protocol

from actors.runtime.outbox import FIRST_PAUSE_S, LONGEST_PAUSE_S
from actors.runtime.service import Answer, Handed, Worker
from actors.simulation.clock import MILLISECOND, SECOND, Timeline

LATENCY: Final = (MILLISECOND, 20 * MILLISECOND)
_MICROSECOND: Final = timedelta(microseconds=1)


class Process(Protocol):
    """The process that a worker lives and dies with."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""

    @property
    def resumes_at(self) -> int:
        """Until when the whole process stands still."""

    def guarded(self, act: Callable[[], None]) -> None:
        """Do something that may end the process."""

    def handed(self, tasks: list[Handed]) -> None:
        """The turn has given tasks to a worker."""


class SimulatedRunner:
    """Implements `Runner`: one worker of one process."""

    def __init__(
        self, process: Process, timeline: Timeline, chance: Random, worker: Worker,
        answers: Callable[[str, list[Answer]], None], now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._process = process
        self._timeline = timeline
        self._chance = chance
        self.worker = self._worker = worker
        self._answers = answers
        self._now = now
        self._tasks: deque[Handed] = deque()
        self._is_open = self._held = False
        self._pause = FIRST_PAUSE_S
        self._not_before = 0
        self._planned: int | None = None  # the earliest moment at which it will look for work

    def start(self) -> None:
        """See `Runner.start`."""
        self._plan(self._timeline.now + self._latency())

    def hand(self, tasks: list[Handed]) -> None:
        """See `Runner.hand`."""
        self._process.handed(tasks)
        self._tasks.extend(tasks)
        self._plan(self._timeline.now + self._latency())

    def hold(self, held: bool) -> None:
        """See `Runner.hold`."""
        self._held = held
        if not held:
            self._plan(self._timeline.now + self._latency())

    def tell_to_stop(self) -> None:
        """Nothing is under way between two steps of the scheduler."""

    def stop(self, timeout: float) -> None:
        """See `tell_to_stop`."""

    @property
    def waiting(self) -> int:
        """Tasks that were handed over and not yet looked at."""
        return len(self._tasks)

    def _latency(self) -> int:
        return self._chance.randint(*LATENCY)

    def _plan(self, moment: int) -> None:
        moment = max(moment, self._not_before)
        if self._planned is None or moment < self._planned:
            self._planned = moment
            self._timeline.at(moment, lambda: self._work(moment))

    def _work(self, planned: int) -> None:
        if self._planned != planned or not self._process.alive:
            return
        self._planned = None
        if self._held:
            return
        if self._process.resumes_at > planned:
            self._plan(self._process.resumes_at)
            return
        self._process.guarded(self._perform)
        if not self._process.alive:
            return
        due = self._worker.due(self._now())
        if self._tasks:
            self._plan(self._timeline.now + self._latency())
        elif due is not None:
            self._plan(self._timeline.now + max(MILLISECOND, (due - self._now()) // _MICROSECOND))

    def _perform(self) -> None:
        name = self._worker.outbox
        batch = list(self._tasks)
        self._tasks.clear()
        try:
            if not self._is_open:
                self._worker.open(lambda answers: self._answers(name, answers))
                self._is_open = True
            self._worker.perform(batch)
            self._pause = FIRST_PAUSE_S
        except Exception:
            self._tasks.extendleft(Handed(task.outbox_id, task.task, task.payment_id, True) for task in reversed(batch))
            self._not_before = self._timeline.now + int(self._pause * SECOND)
            self._pause = min(LONGEST_PAUSE_S, self._pause * 2)
