"""People who do something to many payments at once, at random by seed: jobs handed over, paused, resumed, given up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from actors.directory import log
from actors.messaging.message import Message
from actors.operations.messages import (
    AddItems,
    ApproveJob,
    CancelJob,
    JobStanding,
    PauseJob,
    ResumeJob,
    RunJob,
    StartJob,
)
from actors.simulation.cells import SimulatedCell
from actors.simulation.clients import Clients
from actors.simulation.faults import Faults
from actors.store.placement import Placement
from actors.store.session import Reader
from actors.vocabulary.slots import slot_in

AT_WORK: Final = "SELECT job_id, state FROM operation_jobs WHERE state IN ('requested', 'running', 'paused')"
LOOSE: Final = """SELECT job_id, payment_id, operation_items.state
    FROM operation_items JOIN operation_jobs AS jobs USING (job_id)
    WHERE operation_items.state = 'asked' OR (jobs.state = 'done' AND operation_items.state = 'waiting')"""
BEGUN: Final = "SELECT job_id, payment_id FROM operation_items WHERE state <> 'waiting'"
NUMBERS: Final = """SELECT job_id, items, asked, done, refused, failed, unanswered,
    (SELECT count(*) FROM operation_items AS each WHERE each.job_id = jobs.job_id),
    (SELECT count(*) FROM operation_items AS each WHERE each.job_id = jobs.job_id AND each.state = 'done')
    FROM operation_jobs AS jobs"""
PART: Final = 3  # payments of a chunk


class Jobs:
    """Hands jobs over as the command line does, chunk by chunk, to each cell that has some of the payments."""

    def __init__(self, chance: Random, faults: Faults, clients: Clients, placement: Placement) -> None:
        self._chance = chance
        self._faults = faults
        self._clients = clients
        self._placement = placement
        self._number = 0

    def begin(self, action: str, argument: str, payment_ids: Sequence[str]) -> None:
        """One job over all these payments."""
        self._number += 1
        self._faults.count("job over many payments")
        job_id = f"J{self._number:04d}"
        by_cell: dict[str, list[str]] = {}
        for payment_id in payment_ids:
            by_cell.setdefault(self._placement.cell_for("operations", slot_in(payment_id)), []).append(payment_id)
        for cell, ids in by_cell.items():
            start = StartJob(
                job_id=job_id, action=action, argument=argument, by="Ada", reason="many at once", total=len(payment_ids)
            )
            chunks = [
                AddItems(job_id=job_id, chunk=number, payment_ids=tuple(ids[at : at + PART]))
                for number, at in enumerate(range(0, len(ids), PART))
            ]
            self._one_after_the_other(cell, [start, *chunks, RunJob(job_id=job_id, items=len(ids))])

    def meddle(self, cell: SimulatedCell) -> None:
        """Somebody looks at what is at work in a cell, and pauses it, lets it go on, or gives it up."""
        for job_id, state in cell.disk.rows(AT_WORK):
            if state == "requested":
                self._tell(cell, ApproveJob(job_id=job_id, by=self._chance.choice(("Ada", "Bob", "Bob"))))
            elif state == "paused":
                self._tell(cell, ResumeJob(job_id=job_id, by="Bob"))
            else:
                give_up = self._chance.random() < 0.3
                self._tell(cell, (CancelJob if give_up else PauseJob)(job_id=job_id, by="Bob"))

    def tidy_up(self, cell: SimulatedCell) -> bool:
        """Let everything at work come to its end; whether there was anything."""
        at_work = cell.disk.rows(AT_WORK)
        for job_id, state in at_work:
            if state == "requested":
                self._tell(cell, ApproveJob(job_id=job_id, by="Bob"))
            elif state == "paused":
                self._tell(cell, ResumeJob(job_id=job_id, by="Bob"))
        return bool(at_work)

    def _one_after_the_other(self, cell: str, messages: list[Message]) -> None:
        def heard(answer: Message) -> None:
            if isinstance(answer, JobStanding) and messages[1:]:
                self._one_after_the_other(cell, messages[1:])

        self._clients.ask(messages[0], f"operations@{cell}", 0, heard, operator=True)

    def _tell(self, cell: SimulatedCell, message: Message) -> None:
        self._clients.ask(message, f"operations@{cell.name}", 0, lambda answer: None, operator=True)


def violations(readers: Sequence[Reader]) -> Iterator[tuple[str, str | None]]:
    """Of jobs that have ended every item was done or answered once, and the numbers are those of the items."""
    for reader in readers:
        for job_id, payment_id, state in reader.all(LOOSE):
            yield f"item of job {job_id} is {state} for ever", payment_id
        for job_id, payment_id in reader.all(BEGUN):
            times = sum(
                record.envelope.sender == "operations" and getattr(record.envelope.message, "job_id", "") == job_id
                for each in readers
                for record in log.timeline(each, payment_id)
            )
            if times != 1:
                yield f"job {job_id} was carried out {times} times", payment_id
        for job_id, items, asked, done, refused, failed, unanswered, counted, succeeded in reader.all(NUMBERS):
            begun = asked + done + refused + failed + unanswered
            if items != counted or done != succeeded or begun > items:
                yield f"job {job_id} counts {done} of {items} done, there are {succeeded} of {counted}", None
