"""The bank at the other end: the simulated rail's own code over a journal that outlives cells, and a bad line to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from actors.execution.messages import RailAnswered
from actors.execution.rail import LateAnswer, RailUnreachable, Submission
from actors.execution.simulated_rail import SCHEMA, SimulatedRail
from actors.simulation.disk import Crash
from actors.simulation.faults import Faults

BETWEEN: Final = "crash between the rail's journal and its answer"
LATEST_S: Final = 40
INSTRUCTED: Final = """SELECT instruction_id, state, executed_at, creditor_account FROM instructions
    WHERE payment_id = ?"""


class Instructed(NamedTuple):
    """One instruction as the bank knows it; `executed_at` in microseconds."""

    instruction_id: str
    state: str
    executed_at: int | None
    creditor_account: str


class WorkerBroke(Exception):
    """A defect in the rail's worker: it fails after the bank has got what it sent."""


class Bank:
    """A cell's rail as it stands whatever becomes of the cell. `watch` sees every submission before it is taken."""

    def __init__(self, watch: Callable[[Submission], None]) -> None:
        self.watch = watch
        self.journal = sqlite3.connect(":memory:", isolation_level=None)
        self.journal.executescript(SCHEMA + "CREATE INDEX instructions_payments ON instructions (payment_id);")
        self._execute = self.journal.cursor().execute
        self.crash_next = False  # the process ends once it has submitted, before it hears the answer

    def instructed(self, payment_id: str) -> list[Instructed]:
        """What it knows of a payment, one line for each instruction."""
        return [Instructed._make(row) for row in self._execute(INSTRUCTED, (payment_id,)).fetchall()]

    def close(self) -> None:
        """Forget it."""
        self.journal.close()


class RailOnTheLine(SimulatedRail):
    """The simulated rail as one process is connected to it: answers get lost, come twice, come late."""

    def __init__(
        self, bank: Bank, delay_ms: tuple[float, float], now: Callable[[], datetime], chance: Random, faults: Faults
    ) -> None:
        super().__init__(Path("journal"), delay_ms, now, chance)
        self._bank = bank
        self._now_of_line = now
        self._dice = chance
        self._faults = faults
        self._late: list[tuple[datetime, LateAnswer]] = []

    def open(self) -> None:
        """Connect to the bank."""
        self._connection = self._bank.journal
        self._first_due = self._earliest()

    def close(self) -> None:
        """Disconnect; the journal is the bank's."""
        self._connection = None

    def submit(self, batch: Sequence[Submission]) -> list[RailAnswered | None]:
        """See `Rail.submit`."""
        faults = self._faults
        if faults.strikes("rail unreachable before it has it"):
            raise RailUnreachable("the line is down")
        for submission in batch:
            self._bank.watch(submission)
        said = super().submit(batch)
        if self._bank.crash_next:
            self._bank.crash_next = False
            raise Crash(BETWEEN)
        if faults.strikes("rail unreachable after it has it"):
            raise RailUnreachable("the line went down")
        if faults.strikes("rail worker broke between journal and answer"):
            raise WorkerBroke("between journal and answer")
        return [None if answer is None or faults.strikes("rail answer lost") else answer for answer in said]

    def answers(self) -> list[LateAnswer]:
        """See `Rail.answers`."""
        faults, now = self._faults, self._now_of_line()
        said = [late for due, late in self._late if due <= now]
        self._late = [(due, late) for due, late in self._late if due > now]
        for answer in super().answers():
            if faults.strikes("rail answer lost"):
                continue
            if faults.strikes("rail answer late"):
                self._later(answer, now)
                continue
            said.append(answer)
            if faults.strikes("rail answer twice"):
                self._later(answer, now)
        return said

    def next_due(self) -> datetime | None:
        """See `Rail.next_due`."""
        dues = [due for due, _ in self._late]
        first = super().next_due()
        return min([*dues, first] if first is not None else dues, default=None)

    def _later(self, answer: LateAnswer, now: datetime) -> None:
        self._late.append((now + timedelta(seconds=LATEST_S * self._dice.random() ** 3), answer))
