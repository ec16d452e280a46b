"""Versions of workflows side by side: which there are, who needs them, and what would differ."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, Command, CommandFailed, Invocation

if TYPE_CHECKING:
    from actors.admin.checking import Checked, Found

SHOWN: Final = 30  # payments that differ; --json has all


def check_workflows(invocation: Invocation) -> int:
    """Whether the code at hand would do with recorded payments what was done with them."""
    from actors.admin.checking import check, payments
    from actors.assembly import load_messages
    from actors.runtime.launch import is_running

    given, screen = invocation.arguments, invocation.screen
    name, version = _chosen(given.name)
    load_messages()
    with invocation.reading() as reading:
        ids = payments(reading, name, version, given.limit)
        with screen.progress("payments replayed", len(ids)) as moved:
            checked = check(reading, ids, moved, running=is_running(invocation.data))
    document = _document(checked)
    screen.show(document, lambda _: _draw(invocation, checked))
    if checked.differing:
        raise CommandFailed(
            f"{len(checked.differing):,} of {len(ids):,} payments would behave differently with this program; give the"
            " changed workflow a new version beside the old one (docs/how-to/change-the-workflow.md)",
            FAILED,
        )
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
    screen.table(columns, rows, empty="there is no orchestrated payment yet")
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
        rows = [(each.payment_id, str(each.version), _sentence(each)) for each in found[:SHOWN]]
        screen.table(("payment", "workflow", "the first point"), rows)
        if len(found) > SHOWN:
            screen.note(f"{len(found) - SHOWN:,} more; --json has them all")


def _sentence(found: Found) -> str:
    kind, after, journal, code = found.difference
    where = f"after {after}: " if after else f"{kind}: "
    return where + (f"journal {journal}, code {code}" if code else journal)


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
    parser.add_argument("name", metavar="NAME", nargs="?", help="one workflow, or one version as NAME@V; default: all")
    parser.add_argument("--limit", type=kinds.count, metavar="N", help="only the newest N payments")


COMMANDS = (
    Command(
        name="workflow check",
        help="replay the journals of real payments against this program; exit status 1 if any would now differ",
        details="For a build pipeline: it reads a data directory or a backup of one, whether its system runs or not, and "
        "changes nothing. Each payment's saga is told again what it was told, and must say what it said.",
        arguments=_check_arguments,
        run=check_workflows,
    ),
)
