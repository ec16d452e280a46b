"""Handing a job over payments to the system, and following it: what a client does of it. Knows no screen."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.admin.command import CommandFailed, error_of
from actors.admin.reading import Reading, base32, slot_of_id
from actors.messaging.envelope import OPERATOR
from actors.operations.messages import AddItems, CancelJob, JobRefused, JobStanding, RunJob, StartJob

OPERATIONS: Final = "operations"
CHUNK: Final = 1_000  # payments a message
WINDOW: Final = 16  # messages unanswered
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be done to payments, by whom, why."""

    action: str
    by: str
    reason: str
    argument: str = ""
    query: str = ""


def new_job_id() -> str:
    """Ordered by time, and like no other."""
    return f"J{base32(time.time_ns() // 1_000_000, 10)}{base32(int.from_bytes(os.urandom(4)), 6)}"


def hand_over(client: Any, wanted: Wanted, payment_ids: Sequence[str], moved: Callable[[int], None]) -> tuple[str, str]:
    """Start a job over these payments in the cells that have them; its id and its state.

    Raises:
        CommandFailed: it was refused.
    """
    job_id = new_job_id()
    by_cell: dict[str, list[str]] = {}
    for payment_id in payment_ids:
        cell = client.home_of(OPERATIONS, slot_of_id(payment_id, "payment"))
        by_cell.setdefault(cell, []).append(payment_id)
    start = StartJob(
        job_id=job_id, action=wanted.action, argument=wanted.argument, by=wanted.by, reason=wanted.reason,
        total=len(payment_ids), query=wanted.query,
    )  # fmt: skip
    try:
        _tell_all(client, [(start, cell) for cell in by_cell], moved)
        _tell_all(client, _chunks(job_id, by_cell), moved)
        states = [_said(client, RunJob(job_id=job_id, items=len(ids)), cell).state for cell, ids in by_cell.items()]
    except CommandFailed as refusal:
        with contextlib.suppress(CommandFailed):  # no cell may have taken it at all
            say(client, CancelJob(job_id=job_id, by=wanted.by, reason=f"refused: {refusal}"))
        raise
    return job_id, states[0]


def _chunks(job_id: str, by_cell: dict[str, list[str]]) -> Iterator[tuple[AddItems, str]]:
    for cell, ids in by_cell.items():
        for chunk, at in enumerate(range(0, len(ids), CHUNK)):
            yield AddItems(job_id=job_id, chunk=chunk, payment_ids=tuple(ids[at : at + CHUNK])), cell


def _tell_all(client: Any, messages: Iterable[tuple[Any, str]], moved: Callable[[int], None]) -> None:
    """Several at once: where orders wait, each would wait for its turn."""
    addressed = ((message, f"{OPERATIONS}@{cell}", 0) for message, cell in messages)
    for message, reply in client.stream(addressed, window=WINDOW, kind=OPERATOR):
        _taken(reply)
        moved(len(getattr(message, "payment_ids", ())))


def say(client: Any, message: Any) -> None:
    """Tell every cell that has some of the job.

    Raises:
        CommandFailed: none has, or one refuses.
    """
    replies = client.broadcast(message, OPERATIONS, kind=OPERATOR)
    known = [reply for reply in replies if not (isinstance(reply, JobRefused) and reply.unknown)]
    for reply in known or replies:
        _taken(reply)


def follow(reading: Reading, job_id: str, moved: Callable[[int], None]) -> dict[str, Any]:
    """Wait until the job has ended; the job."""
    ended = 0
    while True:
        job = reading.job(job_id)
        if job is not None:
            now = job["done"] + job["refused"] + job["failed"] + job["unanswered"]
            moved(now - ended)
            ended = now
            if job["ended"] and not job["asked"]:
                return job
        time.sleep(_LOOK_SECONDS)


def _said(client: Any, message: Any, cell: str) -> JobStanding:
    return _taken(client.request(message, f"{OPERATIONS}@{cell}", 0, kind=OPERATOR))


def _taken(reply: Any) -> JobStanding:
    if isinstance(reply, JobStanding):
        return reply
    raise CommandFailed(error_of(reply))
