"""Versions of workflows side by side: which there are, who needs them, and what would differ."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, Command, CommandFailed, Invocation
from actors.admin.persons import by_argument
from actors.vocabulary.counts import counted
from actors.vocabulary.operators import MIGRATE

if TYPE_CHECKING:
    from actors.admin.checking import Checked, Found
    from actors.payment.versions import Version

SHOWN: Final = 30  # payments that differ; --json has all


def check_workflows(invocation: Invocation) -> int:
    """Whether the code at hand would do with recorded payments what was done with them."""
    from actors.admin.checking import check, payments
    from actors.assembly import load_messages

    given, screen = invocation.arguments, invocation.screen
    name, version = _chosen(given.name)
    load_messages()
    with invocation.reading() as reading:
        ids = payments(reading, name, version, given.limit)
        if not ids:
            _must_be_known(given.name, name, version)
        with screen.progress("payments replayed", len(ids)) as moved:
            checked = check(reading, ids, moved)
    document = _document(checked)
    screen.show(document, lambda _: _draw(invocation, checked))
    if checked.differing:
        raise CommandFailed(
            f"{len(checked.differing):,} of {counted(len(ids), 'payment')} would behave differently with this program;"
            " give the changed workflow a new version beside the old one (docs/how-to/change-the-workflow.md)",
            FAILED,
        )
    return DONE


def migrate_payments(invocation: Invocation) -> int:
    """Let payments under way go on under another version of their workflow."""
    from actors.admin.bulk import parsed, run_job
    from actors.payment.versions import BadVersion, version_in
    from actors.payment.workflow import WORKFLOWS

    given = invocation.arguments
    try:
        before, after = version_in(given.before), version_in(given.after)
    except BadVersion as error:
        raise CommandFailed(str(error), 2) from None
    if before == after:
        raise CommandFailed(f"{before} is what they run; name another version with --to", 2)
    if before.name != after.name:
        raise CommandFailed(
            f"{after} is another workflow, not a version of {before.name}: a payment keeps its workflow to its end", 2
        )
    if after not in WORKFLOWS:
        raise CommandFailed(f"this program has no {after}; workflow list shows what it has")
    if given.reason is None and not given.preview:
        raise CommandFailed("give the reason with --reason TEXT; it is kept in the timeline", 2)
    query = f"flow=orchestrated and workflow={before.name} and version={before.number}"
    query += " and not status in (completed, rejected, cancelled, returned)"
    given.only = given.where
    if given.where:
        parsed(given.where)  # by itself: a parenthesis too many must not reach beyond this version
    given.where = f"{query} and ({given.where})" if given.where else query
    given.payment_id = None
    if given.preview:
        return _preview_migration(invocation, before, after)
    return run_job(invocation, MIGRATE, str(after))


def _preview_migration(invocation: Invocation, before: Version, after: Version) -> int:
    """Who could be moved, and why others could not, decided by the rule that decides it then."""
    from actors.admin.bulk import parsed
    from actors.admin.journals import standing
    from actors.assembly import load_messages
    from actors.payment.migration import CannotMigrate, moved
    from actors.payment.workflow import WORKFLOWS

    load_messages()
    target = WORKFLOWS[after]
    movable: list[str] = []
    others: list[tuple[str, str]] = []
    with invocation.reading() as reading:
        ids = reading.payment_ids(parsed(invocation.arguments.where))
        states = standing(reading.readers, ids)
    for payment_id in ids:
        if payment_id not in states:
            others.append((payment_id, "has no saga yet"))
            continue
        state, version = states[payment_id]
        try:
            moved(WORKFLOWS[version].route(state.order), target.route(state.order), state)
        except KeyError:
            others.append((payment_id, f"runs {version}, which this program does not have"))
        except CannotMigrate as refusal:
            others.append((payment_id, str(refusal)))
        else:
            movable.append(payment_id)
    why = Counter(sentence for _, sentence in others)
    document = {
        "from": str(before),
        "to": str(after),
        "payments": len(ids),
        "movable": len(movable),
        "sample": movable[:SHOWN],
        "reasons": [{"reason": reason, "payments": number} for reason, number in why.most_common()],
        "not_movable": [{"payment_id": payment_id, "reason": reason} for payment_id, reason in others],
    }

    def draw(_: dict[str, Any]) -> None:
        screen = invocation.screen
        if not ids:
            screen.say(f"no payment under way runs {before}" + (" and meets this" if invocation.arguments.only else ""))
            return
        screen.say(f"{len(movable):,} of {counted(len(ids), 'payment')} can go on under {after}")
        if others:
            title = counted(len(others), "stays on its version", "stay on their version")
            screen.table(("payment", "why it stays"), [*others[:SHOWN]], title=title)
        if len(others) > SHOWN:
            screen.note(f"{len(others) - SHOWN:,} more; --json has them all")

    invocation.screen.show(document, draw)
    return DONE


def _document(checked: Checked) -> dict[str, Any]:
    return {
        "same": not checked.differing,
        "replayed": [
            {"name": version.name, "version": version.number, "payments": number}
            for version, number in sorted(checked.replayed.items())
        ],
        "differences": [_as_data(each) for each in checked.differing],
        "not_replayed": [_as_data(each) for each in checked.not_replayed],
    }


def _as_data(found: Found) -> dict[str, Any]:
    kind, after, journal, code = found.difference
    return {
        "payment_id": found.payment_id,
        "name": found.version.name,
        "version": found.version.number,
        "kind": kind,
        "after": after,
        "journal": journal,
        "code": code,
    }


def _draw(invocation: Invocation, checked: Checked) -> None:
    screen = invocation.screen
    totals = checked.replayed + Counter(each.version for each in checked.found)
    differ = Counter(each.version for each in checked.differing)
    left_out = Counter(each.version for each in checked.not_replayed)
    rows = [
        (str(version), f"{totals[version]:,}", f"{checked.replayed[version]:,}", differ[version], left_out[version])
        for version in sorted(totals)
    ]
    columns = ("workflow", ">payments", ">the same", ">differ", ">not replayed")
    name = invocation.arguments.name
    screen.table(columns, rows, empty=f"no payment runs {name}" if name else "there is no orchestrated payment yet")
    for title, found in (("would behave differently", checked.differing), ("not replayed", checked.not_replayed)):
        if not found:
            continue
        kinds_found = Counter((str(each.version), each.difference.kind) for each in found)
        screen.say("")
        screen.table(
            ("workflow", title, ">payments"),
            [(version, kind, f"{number:,}") for (version, kind), number in kinds_found.most_common()],
        )
        screen.say("")
        first = [(each.payment_id, str(each.version), _sentence(each)) for each in found[:SHOWN]]
        screen.table(("payment", "workflow", "the first point"), first)
        if len(found) > SHOWN:
            screen.note(f"{len(found) - SHOWN:,} more; --json has them all")


def _sentence(found: Found) -> str:
    kind, after, journal, code = found.difference
    where = f"after {after}: " if after else f"{kind}: "
    return where + (f"journal {journal}, code {code}" if code else journal)


def _must_be_known(text: str | None, name: str | None, version: int | None) -> None:
    """A name mistyped in a pipeline must not pass for one that nobody runs.

    Raises:
        CommandFailed: the program has no such workflow, or version, either.
    """
    from actors.payment.workflow import WORKFLOWS

    if name is not None and not any(name == known and version in (None, number) for known, number in WORKFLOWS):
        raise CommandFailed(f"neither a payment nor this program has {text}; workflow list shows what there is")


def _chosen(text: str | None) -> tuple[str | None, int | None]:
    """The workflow that is meant, and its version if one is.

    Raises:
        CommandFailed: it is none.
    """
    from actors.payment.versions import BadVersion, version_in

    if text is None or "@" not in text:
        return text, None
    try:
        return version_in(text)
    except BadVersion as error:
        raise CommandFailed(str(error), 2) from None


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME[@V]", nargs="?", type=kinds.workflow,
        help="one workflow, or one version of it; default: all",
    )  # fmt: skip
    parser.add_argument("--limit", type=kinds.count, metavar="N", help="only the newest N payments")


def _migrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="before", metavar="NAME@V", type=kinds.version, required=True, help="the version they run now"
    )
    parser.add_argument(
        "--to", dest="after", metavar="NAME@V", type=kinds.version, required=True, help="the one to go on under"
    )
    parser.add_argument("--where", metavar="QUERY", help='only those of them that it finds, such as "created>2d"')
    parser.add_argument("--preview", action="store_true", help="only show which can be moved, and why others can't")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--reason", type=kinds.reason, metavar="TEXT", help="why; it is kept in the timeline")
    by_argument(parser)


COMMANDS = (
    Command(
        name="workflow migrate",
        help="let payments under way go on under another version of their workflow",
        details="Each is moved if it is safe where it stands: nothing done is forgotten, nothing is left out. What "
        "can't be moved stays, with the reason. A payment keeps its workflow: both are versions of one name. "
        "Exit 1 if some stayed.",
        arguments=_migrate_arguments,
        run=migrate_payments,
    ),
    Command(
        name="workflow check",
        help="replay the journals of real payments against this program; exit status 1 if any would now differ",
        details="For a build pipeline: it reads a data directory or a backup of one, whether its system runs or not, "
        "and changes nothing. Each payment's saga is told again what it was told, and must say what it said.",
        arguments=_check_arguments,
        run=check_workflows,
    ),
)
