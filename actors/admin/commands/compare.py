"""Both flows on the same work, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from actors.admin import arguments as kinds
from actors.admin.command import Command, Invocation


def compare(invocation: Invocation) -> int:
    """Measure both flows, read what each costs from the code, and check that they leave the same ledger."""
    from actors.admin.compare.run import run

    return run(invocation)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--payments", type=kinds.count, metavar="N", default=2_000, help="payments in each run; default: 2000"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a report with charts")


COMMANDS = (
    Command(
        name="compare",
        help="the same payments through both flows: speed, cost, what a change touches, how trouble is found",
        arguments=_arguments,
        run=compare,
        details="Starts throw-away systems of its own and touches no data directory. Exit 1 if the two flows did not"
        " leave the same ledger.",
    ),
)
