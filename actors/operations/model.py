"""The rules of jobs: which states follow which, who may approve, how many items a tick takes on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final, NamedTuple

from actors.messaging.message import Command
from actors.vocabulary.counts import counted
from actors.vocabulary.operators import MIGRATE, RESTART, SETTLE, OperatorRules, same_person

# A job
OPEN: Final = "open"  # its payments are still coming
REQUESTED: Final = "requested"  # waits for a second person
RUNNING: Final = "running"
PAUSED: Final = "paused"
CANCELLED: Final = "cancelled"
DENIED: Final = "denied"
DONE: Final = "done"
ENDED: Final = frozenset({CANCELLED, DENIED, DONE})

# An item
WAITING: Final = "waiting"
ASKED: Final = "asked"  # its service has the command
SUCCEEDED: Final = "done"
REFUSED: Final = "refused"
FAILED: Final = "failed"  # the command is in the dead letters
UNANSWERED: Final = "unanswered"
LATE: Final = frozenset({ASKED, FAILED, UNANSWERED})  # an answer that comes now still counts

MEANINGS: Final = ("executed", "not-executed")  # what `settle` may say
PATIENCE: Final = timedelta(seconds=60)  # for an answer
TICK: Final = timedelta(milliseconds=50)
LONGEST_TICK: Final = timedelta(milliseconds=250)  # what was missed in a longer pause is not made up for
MOST_PER_TICK: Final = 500
MOST_ASKED: Final = 2_000  # items under way in a cell, where services live elsewhere and answer later


class Refused(Exception):
    """The job can't be so; the text is one sentence."""


class Job(NamedTuple):
    """A job as one cell knows it. `position`: the last payment taken on; `items` are this cell's."""

    job_id: str
    action: str
    argument: str
    by: str
    reason: str
    query: str
    total: int
    items: int
    state: str
    approved_by: str
    position: str

    @property
    def people(self) -> str:
        """By whom, as the payments' timelines tell it."""
        return f"{self.by}, approved by {self.approved_by}" if self.approved_by else self.by


class Ask(NamedTuple):
    """Which service does it, and the command for one payment."""

    to: str
    command: Callable[[str, Job], Command]


class Heard(NamedTuple):
    """What an answer says of the items of its payment: the action (of any), their state, and a sentence."""

    payment_id: str
    action: str
    state: str
    text: str


def check(action: str, argument: str, by: str, reason: str, rules: OperatorRules, known: Collection[str]) -> None:
    """Whether such a job may be asked for at all; `known` are the actions that there are.

    Raises:
        Refused: with the sentence.
    """
    if action not in known:
        raise Refused(f"{action[:40]!r} is nothing that can be done to payments: {', '.join(known)} are")
    if action == SETTLE and argument not in MEANINGS:
        raise Refused(f"to settle says {' or '.join(MEANINGS)}, not {argument[:40]!r}")
    if action == RESTART and not argument:
        raise Refused("to restart names the step to go on from")
    if action == MIGRATE and not argument:
        raise Refused("to migrate names the version to go on under")
    if not by or not reason:
        raise Refused("a job says who asks for it and why")
    if sentence := rules.why_not(by):
        raise Refused(sentence)


def takes_more(job: Job, here: int, named: int) -> None:
    """Whether further payments may be added: `here` of the `named` ones are in the job already.

    Raises:
        Refused: the job has begun, or has ended, without them.
    """
    if job.state != OPEN and here < named:
        others = counted(named - here, "further payment")
        raise Refused(f"job {job.job_id} is {job.state} and takes no more: {others} came too late; start another job")


def says_otherwise(job: Job, other: Job, payment_id: str) -> Refused:
    """Why `job` may not ask for what `other` asks the opposite of, for the same payment."""
    return Refused(
        f"{other.by} has asked to settle {payment_id} as {other.argument} (job {other.job_id}); have that denied"
        f" (actions deny {other.job_id}) or cancelled (jobs cancel {other.job_id}) before you ask to settle it as"
        f" {job.argument}"
    )


def begun(job: Job, items: int, rules: OperatorRules) -> str:
    """The state of a job whose payments are all there.

    Raises:
        Refused: they are not.
    """
    if job.state != OPEN:
        return job.state
    if job.items != items:
        came = f"{job.items:,} of {counted(items, 'payment')}"
        raise Refused(f"{came} of job {job.job_id} came: send the others again")
    return REQUESTED if rules.takes_two(job.action, max(job.total, job.items)) else RUNNING


def approved(job: Job, by: str, rules: OperatorRules) -> str:
    """The state after `by` has agreed.

    Raises:
        Refused: this person may not.

    >>> asked = Job("J1", "settle", "executed", "Ada", "statement", "", 1, 1, "requested", "", "")
    >>> approved(asked, "Bob", OperatorRules())
    'running'
    >>> approved(asked, "ADA", OperatorRules())
    Traceback (most recent call last):
    ...
    actors.operations.model.Refused: ADA asked for job J1: another person must approve it
    """
    if job.approved_by and same_person(by, job.approved_by):
        return job.state  # said before
    if job.state != REQUESTED:
        raise Refused(f"job {job.job_id} is {job.state}: it waits for nobody's approval")
    if sentence := rules.why_not(by):
        raise Refused(sentence)
    if same_person(by, job.by):
        raise Refused(f"{by} asked for job {job.job_id}: another person must approve it")
    if not by:
        raise Refused("an approval says whose it is")
    return RUNNING


# wanted state: from which states, where it is no news
_FROM: Final = {
    PAUSED: frozenset({RUNNING}),
    RUNNING: frozenset({PAUSED}),
    CANCELLED: frozenset({OPEN, REQUESTED, RUNNING, PAUSED}),
    DENIED: frozenset({REQUESTED}),
}
_VERBS: Final = {PAUSED: "paused", RUNNING: "resumed", CANCELLED: "cancelled", DENIED: "denied"}


def moved(job: Job, wanted: str, by: str, rules: OperatorRules) -> str:
    """The state after a person has paused, resumed, cancelled or denied the job.

    Raises:
        Refused: it can't be.
    """
    if job.state == wanted:
        return wanted
    if job.state not in _FROM[wanted]:
        raise Refused(f"job {job.job_id} is {job.state}: it can't be {_VERBS[wanted]}")
    if sentence := rules.why_not(by):
        raise Refused(sentence)
    return wanted


def pause(per_second: float) -> timedelta:
    """How long after a tick the next one comes: at a pace of few a second each takes on one, less often.

    At least once in `PATIENCE`, since ticks also see who has not answered.

    >>> pause(2000), pause(2)
    (datetime.timedelta(microseconds=50000), datetime.timedelta(microseconds=500000))
    """
    return max(TICK, min(PATIENCE, timedelta(seconds=min(1 / per_second, 3600))))


def portion(per_second: float, since: timedelta, asked: int) -> int:
    """How many items a tick takes on, so long after the one before, with so many unanswered.

    >>> portion(2000, timedelta(milliseconds=50), 0), portion(2000, timedelta(seconds=9), 0), portion(2000, TICK, 2000)
    (100, 500, 0)
    """
    allowed = int(per_second * min(since, LONGEST_TICK).total_seconds()) or 1
    return max(0, min(allowed, MOST_PER_TICK, MOST_ASKED - asked))
