"""Checking what must always hold, measuring, and the reference pages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, VIOLATED, Command, CommandFailed, Invocation


def verify(invocation: Invocation) -> int:
    """Check the stores and the rail's journal against what must always hold."""
    from actors.admin.verify import verify_data

    document = verify_data(invocation.data, deep=invocation.arguments.deep)
    invocation.screen.show(document, lambda _: _verdict(invocation, document))
    return DONE if document["ok"] else VIOLATED


def bench(invocation: Invocation) -> int:
    """Measure on this machine."""
    from actors.admin.bench import run

    given = invocation.arguments
    status: int = run(
        invocation,
        scenario=given.scenario,
        flow=given.flow,
        topology=given.topology,
        payments=given.payments,
        watchlist=given.watchlist,
    )
    return status


def docs(invocation: Invocation) -> int:
    """Write the reference pages from the code, or say which are stale."""
    from actors.admin.reference import pages

    directory = Path(__file__).parents[3] / "docs" / "reference"
    stale = []
    for name, text in pages().items():
        path = directory / name
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not invocation.arguments.check:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if invocation.arguments.check and stale:
        raise CommandFailed(f"stale: {', '.join(stale)}; write them with: python system.py docs", FAILED)
    invocation.screen.say("the reference pages are up to date" if not stale else f"written: {', '.join(stale)}")
    return DONE


def _verdict(invocation: Invocation, document: dict[str, Any]) -> None:
    screen = invocation.screen
    screen.table(
        ("what must hold", "verdict", ">checked"),
        [(check["name"], "ok" if check["ok"] else "violated", check["checked"]) for check in document["checks"]],
    )
    for violation in document["violations"]:
        screen.say(f"violated: {violation['payment_id'] or violation['check']}: {violation['text']}")
    if not document["violations"]:
        screen.say("everything holds")


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deep", action="store_true", help="look at every page of every file as well")


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    scenarios = ("throughput", "latency", "start", "recovery", "in-flight", "growth", "overload", "bulk")
    parser.add_argument("--scenario", choices=scenarios, help="default: all of them")
    parser.add_argument("--flow", choices=kinds.FLOWS, help="default: both")
    parser.add_argument("--topology", choices=kinds.TOPOLOGIES, help="default: embedded and partitioned")
    parser.add_argument("--payments", type=kinds.count, metavar="N", help="payments in a run")
    parser.add_argument(
        "--watchlist", type=kinds.file, metavar="FILE", help="another list beside the sample list, for throughput"
    )


def _docs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")


COMMANDS = (
    Command(
        name="verify",
        help="check on live data what must always hold; exit 5 when something does not",
        details="The directory of a backup can be checked, too: --data BACKUP.",
        arguments=_verify_arguments,
        run=verify,
    ),
    Command(
        name="bench",
        help="measure on this machine, beside the bare-SQL limit",
        arguments=_bench_arguments,
        run=bench,
    ),
    Command(
        name="docs",
        help="write docs/reference/ from the code",
        arguments=_docs_arguments,
        run=docs,
        json=False,
        in_shell=False,
    ),
)
