"""The outbox's worker for a rail: keeps the order of tasks, asks before it repeats, waits while the rail is away."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from random import Random
from typing import Final

from actors.execution.messages import (
    NOT_RECEIVED,
    ConfirmAnswer,
    QueryInstruction,
    RailAnswered,
    SubmitInstruction,
)
from actors.execution.rail import Rail, RailUnreachable, Submission
from actors.execution.simulated_rail import SimulatedRail, journal_path
from actors.messaging.message import Message
from actors.runtime.breaker import Breaker, Ramp
from actors.runtime.clock import SystemClock
from actors.runtime.service import Answer, Handed
from config.settings import Settings

log = logging.getLogger(__name__)

TARGET: Final = "execution"
BATCH: Final = 256
FIRST_PAUSE: Final = timedelta(milliseconds=200)
LONGEST_PAUSE: Final = timedelta(seconds=10)

# Kinds of task that go to the rail together.
SUBMIT: Final = "submit"
RESUBMIT: Final = "resubmit"  # perhaps done before: ask first
QUERY: Final = "query"
CONFIRM: Final = "confirm"


class RailWorker:
    """Implements `actors.runtime.service.Worker` over a `Rail`.

    Tasks keep their order, so that a query never overtakes its submission: `not_received` proves what it
    says. A task that the rail chokes on (not `RailUnreachable`) is set aside, unfinished; Execution's own
    clock brings its payment before a person. A rail that comes back gets what has gathered in growing batches.
    """

    outbox = "rail"
    holds_intake = True  # what can't be handed over soon should not be accepted now

    def __init__(self, rail: Rail, now: Callable[[], datetime], chance: Random, ramp: Ramp | None = None) -> None:
        self._rail = rail
        self._now = now
        self._chance = chance
        self._waiting: deque[Handed] = deque()
        self.circuit = Breaker(ramp or Ramp(first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE))
        self._one_by_one = 0  # tasks still to be done singly, to find the one that the rail chokes on
        self._connected = False
        self._deliver: Callable[[list[Answer]], None] = lambda answers: None

    @classmethod
    def for_cell(cls, settings: Settings, cell: str) -> RailWorker:
        """The worker of one cell. Each cell has a journal of its own: an answer belongs to one cell."""
        clock, chance = SystemClock(), Random(settings.runtime.seed)
        rail = SimulatedRail(
            journal_path(Path(settings.data), cell),
            settings.execution.delay_ms,
            clock.now,
            chance,
            synchronous=settings.store.synchronous,
        )
        runtime = settings.runtime
        ramp = Ramp(
            first_pause=FIRST_PAUSE,
            longest_pause=LONGEST_PAUSE,
            first_batch=runtime.ramp_first,
            pause=timedelta(seconds=runtime.ramp_pause_seconds),
        )
        return cls(rail, clock.now, chance, ramp)

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        """Keep `deliver`, and connect; a rail that can't be reached yet is tried again later."""
        self._deliver = deliver
        self.perform([])

    def perform(self, tasks: list[Handed]) -> None:
        """Do a batch, in order, and deliver what the rail has to say by now."""
        self._waiting.extend(tasks)
        now = self._now()
        room = self.circuit.room(now)
        if self.circuit.is_open(now):
            return
        try:
            if not self._connected:
                self._rail.open()
                self._connected = True
            self._do_waiting(room)
            self._deliver_late()
        except RailUnreachable as error:
            self._back_off(error)
        else:
            if room != 0:
                self.circuit = self.circuit.succeeded(now, self._chance.random(), left=bool(self._waiting))

    def due(self, now: datetime) -> datetime | None:
        """When the rail has something to say, or when it is worth trying again, by the caller's clock."""
        mine = self._now()
        dues = [] if self.circuit.is_open(mine) else [self._rail.next_due()]
        if self._waiting or not dues:
            dues.append(self.circuit.next_at)
        due = min((due for due in dues if due is not None), default=None)
        return None if due is None else now + (due - mine)

    def close(self) -> None:
        """Disconnect; what is waiting stays in the outbox."""
        self._rail.close()

    def _do_waiting(self, room: int | None) -> None:
        """Do what waits, as far as there is room."""
        while self._waiting and (room is None or room > 0):
            done = self._do_next(BATCH if room is None else min(room, BATCH))
            room = None if room is None else room - done

    def _do_next(self, limit: int) -> int:
        """Do the tasks of one kind that are in front, up to `limit`; returns how many are done with."""
        limit = 1 if self._one_by_one else limit
        kind, group = next(groupby(islice(self._waiting, limit), _kind))
        tasks = list(group)
        try:
            answers = self._do(kind, tasks)
        except RailUnreachable:
            # It may have got them all the same.
            for at, task in enumerate(tasks):
                self._waiting[at] = replace(task, again=True)
            raise
        except Exception:
            if len(tasks) > 1:
                self._one_by_one = len(tasks)
                return 0
            log.exception("the rail can't take a task, which is set aside: %s", tasks[0])
            answers = []
        for _ in tasks:
            self._waiting.popleft()
        self._one_by_one = max(0, self._one_by_one - len(tasks))
        if answers:
            self._deliver(answers)
        return len(tasks)

    def _do(self, kind: str, tasks: list[Handed]) -> list[Answer]:
        if kind == SUBMIT:
            return self._submit(tasks)
        ids = [_instruction_id(handed.task) for handed in tasks]
        if kind == CONFIRM:
            self._rail.confirm(ids)
            return [Answer(TARGET, handed.payment_id, (), handed.outbox_id) for handed in tasks]
        said = list(zip(tasks, self._rail.query(ids), strict=True))
        if kind == QUERY:
            return [_answer(handed, answer) for handed, answer in said]
        missing = [handed for handed, answer in said if answer.verdict == NOT_RECEIVED]
        known = [_answer(handed, answer) for handed, answer in said if answer.verdict != NOT_RECEIVED]
        return known + (self._submit(missing) if missing else [])

    def _submit(self, tasks: list[Handed]) -> list[Answer]:
        batch = [Submission(handed.payment_id, handed.task) for handed in tasks]  # type: ignore[arg-type]
        said = self._rail.submit(batch)
        return [_answer(handed, answer) for handed, answer in zip(tasks, said, strict=True)]

    def _deliver_late(self) -> None:
        answers = [Answer(TARGET, payment_id, (answer,)) for payment_id, answer in self._rail.answers()]
        if answers:
            self._deliver(answers)

    def _back_off(self, error: RailUnreachable) -> None:
        self.circuit = self.circuit.failed(self._now(), self._chance.random())
        self._connected = False
        log.warning("the rail can't be reached (%s); %d tasks wait", error, len(self._waiting))


def _kind(handed: Handed) -> str:
    task = handed.task
    if isinstance(task, SubmitInstruction):
        return RESUBMIT if handed.again else SUBMIT
    return CONFIRM if isinstance(task, ConfirmAnswer) else QUERY


def _instruction_id(task: Message) -> str:
    assert isinstance(task, SubmitInstruction | QueryInstruction | ConfirmAnswer)
    return task.instruction_id


def _answer(handed: Handed, answer: RailAnswered | None) -> Answer:
    """The task is done, whatever the rail said of it; without a word the query's clock goes on."""
    task = handed.task
    payment_id = handed.payment_id or (task.payment_id if isinstance(task, QueryInstruction) else "")
    return Answer(TARGET, payment_id, () if answer is None else (answer,), handed.outbox_id)
