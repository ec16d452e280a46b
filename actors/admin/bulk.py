"""One action on one payment or on all that a query finds: arguments, preview, confirmation, progress, results."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, UNDECIDED, WRONG_USAGE, CommandFailed, Interrupted, Invocation
from actors.admin.persons import by_argument, rules_of, who
from actors.vocabulary.counts import counted
from actors.vocabulary.operators import NOBODY

if TYPE_CHECKING:
    from actors.admin.reading import Reading
    from actors.tracker.where import Condition

MANY: Final = (
    "With --where it is done to all payments that the query finds, as a job: --preview shows which these are, "
    "jobs show how far it is. Exit 1 if it could not be done to one of them, 4 if it waits for a second person "
    "(actions list)."
)
SAMPLE: Final = 10
SHOWN: Final = 50  # items that were not done; --json has all


def target_arguments(parser: argparse.ArgumentParser) -> None:
    """`ID` or `--where "…"`, with all that goes with many; `--reason` and `--by`."""
    parser.add_argument("payment_id", metavar="ID", nargs="?", type=kinds.payment_id)
    parser.add_argument("--where", metavar="QUERY", help='all payments that it finds, "status=held and created>2d"')
    parser.add_argument("--preview", action="store_true", help="only show which ones these are")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--reason", type=kinds.reason, metavar="TEXT", help="why; it is kept in the timeline")
    by_argument(parser)


def is_job(invocation: Invocation, action: str) -> bool:
    """Whether it is done as a job: on many payments, or on one where it takes two people.

    Raises:
        CommandFailed: it isn't said on which, or why.
    """
    given = invocation.arguments
    if (given.payment_id is None) == (given.where is None):
        raise CommandFailed('name one payment, or give --where "…" for many', WRONG_USAGE)
    if given.reason is None and not given.preview:
        raise CommandFailed("give the reason with --reason TEXT; it is kept in the timeline", WRONG_USAGE)
    if given.preview and given.where is None:
        raise CommandFailed("--preview goes with --where; payment ID shows one", WRONG_USAGE)
    return given.where is not None or rules_of(invocation.data).takes_two(action)


def run_job(invocation: Invocation, action: str, argument: str = "") -> int:
    """Do it to all that the arguments mean: exit 0 if all was done, 1 if not, 4 if a second person must agree."""
    from actors.admin.jobs import Wanted, hand_over

    given, screen = invocation.arguments, invocation.screen
    if given.where is None:
        payment_ids = [given.payment_id]
    else:
        found = parsed(given.where)
        with invocation.reading() as reading:
            preview = _preview(reading, action, given.where, found)
            payment_ids = [] if given.preview else reading.payment_ids(found)
        if given.preview:
            screen.show(preview, lambda _: _draw_preview(invocation, preview))
            return DONE
        if not payment_ids:
            screen.show({"action": action, "payments": 0}, lambda _: screen.say("no payment meets this"))
            return DONE
        if not given.yes:
            _confirm(invocation, preview, len(payment_ids))
    query = given.where or f"payment={given.payment_id}"
    wanted = Wanted(action=action, argument=argument, by=who(given), reason=given.reason, query=query)
    with invocation.system() as client, screen.progress("handed over", len(payment_ids)) as moved:
        job_id, state = hand_over(client, wanted, payment_ids, moved)
    if state == "requested":
        document = {"job_id": job_id, "action": action, "state": state, "payments": len(payment_ids)}
        screen.show(
            document,
            lambda _: screen.say(f"{job_id} waits for another person: actions approve {job_id} --by NAME"),
        )
        return UNDECIDED
    return watched(invocation, job_id, len(payment_ids))


def watched(invocation: Invocation, job_id: str, total: int) -> int:
    """Follow a job to its end, with progress, and show what became of its items."""
    from actors.admin.jobs import follow

    screen = invocation.screen
    if total > 1:
        screen.note(f"job {job_id}: it goes on without this command; jobs show {job_id} tells how far it is")
    try:
        with invocation.reading() as reading, screen.progress("payments", total) as moved:
            follow(reading, job_id, moved)
            document = described(reading, job_id)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; job {job_id} goes on: jobs show {job_id} tells how far it is, jobs pause {job_id} stops it"
        ) from None
    screen.show(document, lambda _: draw_job(invocation, document))
    left = document["payments"] - document["done"]
    if left:
        raise CommandFailed(_not_done(document, left))
    return DONE


def _not_done(job: dict[str, Any], left: int) -> str:
    """The sentence for a job that has left payments out: it was given up, or could not be done to them."""
    sentence = f"{job['action']} was not done to {left:,} of {counted(job['payments'], 'payment')}"
    if job["waiting"] == left:
        why = f": {job['changed_reason']}" if job["changed_reason"] else ""
        return f"{sentence}, since {job['changed_by'] or NOBODY} has ended the job{why}"
    return f"{sentence}; jobs show {job['job_id']} says why"


def parsed(text: str) -> Condition:
    """The condition that a query means now.

    Raises:
        CommandFailed: it is none.
    """
    from actors.tracker.where import BadQuery, condition, parse

    try:
        return condition(parse(text), datetime.now(UTC))
    except BadQuery as error:
        raise CommandFailed(f"--where {error}", WRONG_USAGE) from None


def described(reading: Reading, job_id: str) -> dict[str, Any]:
    """A job with the result of each of its items.

    Raises:
        CommandFailed: there is none of that id.
    """
    job = reading.job(job_id)
    if job is None:
        raise CommandFailed(f"there is no job {job_id}; see jobs list")
    return job | {"results": reading.job_items(job_id)}


def draw_job(invocation: Invocation, job: dict[str, Any]) -> None:
    """A job, and those items that were not done."""
    from actors.admin.tables import moment

    screen = invocation.screen
    argument = f" {job['argument']}" if job["argument"] else ""
    screen.facts(
        [
            ("job", job["job_id"]),
            ("action", job["action"] + argument),
            ("state", job["state"]),
            ("by", job["requested_by"]),
            ("approved by", job["approved_by"]),
            ("why", job["reason"]),
            ("where", job["query"]),
            ("asked for", moment(job["created_at"])),
            ("changed", _changed(job)),
            ("payments", f"{job['payments']:,}"),
            *((name, f"{job[name]:,}") for name in _COUNTED if job[name]),
            ("never begun" if job["ended"] else "waiting", f"{job['waiting']:,}" if job["waiting"] else ""),
        ]
    )
    others = [item for item in job["results"] if item["result"] not in ("done", "waiting")]
    if others:
        screen.say("")
        columns = ("payment", "result", "why")
        screen.table(columns, [(each["payment_id"], each["result"], each["text"]) for each in others[:SHOWN]])
    if len(others) > SHOWN:
        screen.note(f"{len(others) - SHOWN:,} more were not done; --json has them all")


def _changed(job: dict[str, Any]) -> str:
    """When, by whom and why the job became what it is."""
    from actors.admin.tables import moment

    by_whom = " ".join(each for each in (moment(job["changed_at"]), job["changed_by"]) if each)
    return f"{by_whom}: {job['changed_reason']}" if job["changed_reason"] else by_whom


_COUNTED: Final = ("done", "refused", "failed", "unanswered", "asked")


def _preview(reading: Reading, action: str, query: str, found: Condition) -> dict[str, Any]:
    groups = reading.payments_summary(found)
    return {
        "action": action,
        "where": query,
        "payments": sum(group["payments"] for group in groups),
        "groups": groups,
        "sample": reading.payments(where=found, limit=SAMPLE),
    }


def _draw_preview(invocation: Invocation, preview: dict[str, Any]) -> None:
    from actors.admin.tables import payments_table

    screen = invocation.screen
    columns = ("status", "reason", "flow", ">payments", ">sum", "")
    rows = [
        (each["status"], each["reason"], each["flow"], f"{each['payments']:,}", each["amount"], each["currency"])
        for each in preview["groups"]
    ]
    screen.table(columns, rows, empty="no payment meets this")
    if rows:
        number = preview["payments"]
        screen.say(f"\n{counted(number, 'payment')}" + ("; the newest of them:" if number > 1 else ":"))
        payments_table(screen, preview["sample"])


def _confirm(invocation: Invocation, preview: dict[str, Any], number: int) -> None:
    """Ask whoever sits there.

    Raises:
        CommandFailed: nobody does, or the answer is another one.
    """
    screen = invocation.screen
    action = preview["action"]
    payments = counted(number, "payment")
    if not sys.stdin.isatty():
        raise CommandFailed(f"to {action} {payments} without being asked, give --yes; --preview shows them")
    if not screen.as_json:
        _draw_preview(invocation, preview)
    sums: dict[str, Decimal] = {}
    for group in preview["groups"]:
        sums[group["currency"]] = sums.get(group["currency"], Decimal()) + Decimal(group["amount"])
    total = " + ".join(f"{amount} {currency}" for currency, amount in sorted(sums.items()))
    screen.stderr.write(f"{action} {payments} ({total})? Type {number} or y: ")
    screen.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer not in ("y", "yes", str(number), f"{number:,}"):
        raise CommandFailed("nothing was done")
