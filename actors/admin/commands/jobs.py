"""Jobs over many payments, and what waits for a second person."""

from __future__ import annotations

import argparse
from typing import Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Invocation
from actors.admin.persons import by_argument, who


def list_jobs(invocation: Invocation) -> int:
    """Jobs, the newest first."""
    from actors.admin.tables import moment

    with invocation.reading() as reading:
        jobs = reading.jobs()[: invocation.arguments.limit]
    columns = ("job", "action", "state", "by", "why", ">payments", ">done", ">not done", "where", "asked for")
    rows = [
        (
            job["job_id"],
            _action(job),
            job["state"],
            job["requested_by"],
            job["reason"],
            job["payments"],
            job["done"],
            job["refused"] + job["failed"] + job["unanswered"],
            job["query"],
            moment(job["created_at"]),
        )
        for job in jobs
    ]
    _show(invocation, "jobs", jobs, columns, rows, "no job was started yet")
    return DONE


def list_actions(invocation: Invocation) -> int:
    """What waits for a second person: on which payment, or on how many."""
    from actors.admin.tables import moment

    with invocation.reading() as reading:
        jobs = [job for job in reading.jobs() if job["state"] == "requested"]
    columns = ("job", "action", "payment", "by", "why", ">payments", "where", "asked for")
    rows = [
        (
            job["job_id"],
            _action(job),
            job["payment_id"],
            job["requested_by"],
            job["reason"],
            job["payments"],
            "" if job["payment_id"] else job["query"],
            moment(job["created_at"]),
        )
        for job in jobs
    ]
    _show(invocation, "actions", jobs, columns, rows, "nothing waits for a second person")
    return DONE


def show_job(invocation: Invocation) -> int:
    """One job, and what became of its payments."""
    from actors.admin.bulk import described, draw_job

    with invocation.reading() as reading:
        job = described(reading, invocation.arguments.job_id)
    invocation.screen.show(job, lambda _: draw_job(invocation, job))
    return DONE


def pause_job(invocation: Invocation) -> int:
    """Take on no further payment."""
    from actors.operations.messages import PauseJob

    return _tell(invocation, PauseJob)


def resume_job(invocation: Invocation) -> int:
    """Go on."""
    from actors.operations.messages import ResumeJob

    return _tell(invocation, ResumeJob)


def cancel_job(invocation: Invocation) -> int:
    """Give it up."""
    from actors.operations.messages import CancelJob

    return _tell(invocation, CancelJob)


def deny_action(invocation: Invocation) -> int:
    """It is not done."""
    from actors.operations.messages import DenyJob

    _must_be_asked_for(invocation)
    return _tell(invocation, DenyJob)


def approve_action(invocation: Invocation) -> int:
    """Agree to it, and see what comes of it."""
    from actors.admin.bulk import watched
    from actors.admin.jobs import say
    from actors.operations.messages import ApproveJob

    _must_be_asked_for(invocation)
    given = invocation.arguments
    with invocation.system() as client:
        say(client, ApproveJob(job_id=given.job_id, by=who(given), reason=given.reason or ""))
    with invocation.reading() as reading:
        job = reading.job(given.job_id)
    return watched(invocation, given.job_id, job["payments"] if job else 0)


def _must_be_asked_for(invocation: Invocation) -> None:
    """Somebody asks for it under this id; a payment's id is most likely meant for what is asked for it.

    Raises:
        CommandFailed: nobody does; the sentence says which ids there are.
    """
    wanted = invocation.arguments.job_id
    with invocation.reading() as reading:
        if reading.job(wanted) is not None:
            return
        asked = [job["job_id"] for job in reading.jobs() if job["state"] == "requested" and job["payment_id"] == wanted]
        payment = bool(asked) or reading.payment_without_timeline(wanted) is not None
    if asked:
        raise CommandFailed(f"{wanted} is a payment; what is asked for it has an id of its own: {' or '.join(asked)}")
    what = "is a payment, for which nothing is asked" if payment else "is nothing that anybody has asked for"
    raise CommandFailed(f"{wanted[:40]} {what}; actions list shows what waits for a second person, with its ID (J…)")


def _tell(invocation: Invocation, message: Any) -> int:
    from actors.admin.jobs import say

    given, screen = invocation.arguments, invocation.screen
    with invocation.system() as client:
        say(client, message(job_id=given.job_id, by=who(given), reason=given.reason or ""))
    with invocation.reading() as reading:
        job = reading.job(given.job_id) or {"job_id": given.job_id, "state": "unknown"}
    screen.show(job, lambda _: screen.say(f"{job['job_id']} is {job['state']}"))
    return DONE


def _action(job: dict[str, Any]) -> str:
    return f"{job['action']} {job['argument']}".strip()


def _show(
    invocation: Invocation, name: str, jobs: list[dict[str, Any]], columns: tuple[str, ...], rows: list[Any], empty: str
) -> None:
    invocation.screen.show({name: jobs}, lambda _: invocation.screen.table(columns, rows, empty=empty))


def _one_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job_id", metavar="ID", type=kinds.job_id)


def _one_action(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job_id", metavar="ID", type=kinds.action_id, help="as actions list shows it")


def _decision_on_job(parser: argparse.ArgumentParser) -> None:
    _one_job(parser)
    parser.add_argument("--reason", type=kinds.reason, metavar="TEXT", help="why; it is kept with the job")
    by_argument(parser)


def _approval(parser: argparse.ArgumentParser) -> None:
    _one_action(parser)
    parser.add_argument("--reason", type=kinds.reason, metavar="TEXT", help="why; it is kept with the job")
    by_argument(parser)


def _denial(parser: argparse.ArgumentParser) -> None:
    _one_action(parser)
    parser.add_argument("--reason", type=kinds.reason, metavar="TEXT", required=True, help="why not")
    by_argument(parser)


def _limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=kinds.count, default=50, metavar="N", help="at most so many (50)")


COMMANDS = (
    Command(name="jobs list", help="what is, or was, done to many payments", arguments=_limit, run=list_jobs),
    Command(
        name="jobs show",
        help="one job, and what became of each of its payments",
        details="--json has every payment's result; without it those are shown that were not done.",
        arguments=_one_job,
        run=show_job,
    ),
    Command(
        name="jobs pause",
        help="take on no further payment of a job for now",
        arguments=_decision_on_job,
        run=pause_job,
    ),
    Command(name="jobs resume", help="go on with a paused job", arguments=_decision_on_job, run=resume_job),
    Command(
        name="jobs cancel",
        help="give a job up: what is done stays done",
        arguments=_decision_on_job,
        run=cancel_job,
    ),
    Command(name="actions list", help="what waits for a second person", run=list_actions),
    Command(
        name="actions approve",
        help="agree to what another person has asked for",
        details="Where settings operators.four_eyes names an action, it is done when a second person with another name "
        "agrees. Names are what people say they are called: nothing proves them.",
        arguments=_approval,
        run=approve_action,
    ),
    Command(
        name="actions deny",
        help="what another person has asked for is not done",
        arguments=_denial,
        run=deny_action,
    ),
)
