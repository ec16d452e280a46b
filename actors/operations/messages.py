"""What Operations takes and says: jobs of people over payments, chunk by chunk, and what became of each item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Reply, Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob(Command):
    """Open a job: `action` on payments that follow by `AddItems`. The same again changes nothing.

    A job lives in every cell that has some of its payments; `total` is how many there are in all of them. Answered by
    `JobStanding`, or `JobRefused`, as every command about a job.
    """

    from_clients: ClassVar[bool] = True

    job_id: str  # idempotency key
    action: str  # one of actors.vocabulary.operators.ACTIONS
    by: str
    reason: str
    total: int
    argument: str = ""  # the step to restart from, `executed` or `not-executed`, the version to migrate to
    query: str = ""  # how the payments were found, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItems(Command):
    """Payments of an open job; a chunk that comes twice adds nothing."""

    from_clients: ClassVar[bool] = True

    job_id: str
    chunk: int
    payment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob(Command):
    """All `items` payments of this cell are there: begin, or wait for a second person where the action takes two."""

    from_clients: ClassVar[bool] = True

    job_id: str
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseJob(Command):
    """Take on no further item; those under way are finished."""

    from_clients: ClassVar[bool] = True

    job_id: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeJob(Command):
    """Go on with a paused job."""

    from_clients: ClassVar[bool] = True

    job_id: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelJob(Command):
    """Give the job up: what is done stays done, items that have not begun never will."""

    from_clients: ClassVar[bool] = True

    job_id: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveJob(Command):
    """A second person agrees to a job that waits for one; whoever asked for it can't."""

    from_clients: ClassVar[bool] = True

    job_id: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyJob(Command):
    """A job that waits for a second person is not done."""

    from_clients: ClassVar[bool] = True

    job_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStanding(Reply):
    """Where a job stands in this cell, and how many payments of it are here."""

    job_id: str
    state: str
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRefused(Reply):
    """Nothing was done; `error` is the sentence to show. `unknown`: this cell has no such job."""

    job_id: str
    error: str
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndItem(Command):
    """An item that its service had taken on has ended, as an event of its payment tells."""

    payment_id: str
    action: str
    state: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOff(Tick):
    """Time for the next items."""

    logged: ClassVar[bool] = False
