"""The whole comparison, part after part, as one document."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from actors.admin.bench.system_under_test import ROOT, BenchFailed
from actors.admin.command import DONE, FAILED, CommandFailed, Interrupted, Invocation, Plan
from actors.admin.compare import books, measure, report, table
from actors.admin.compare.changes import changes
from actors.admin.compare.knowledge import knowledge
from actors.admin.compare.outcomes import every_outcome
from actors.admin.compare.source import FLOWS
from actors.admin.compare.stuck import FACTOR, stuck
from actors.topology import SERVICES

PAYMENTS: Final = 2_000
ROUNDS: Final = 3  # of each flow, in turns, so that what else the machine does hits both
FEW: Final = 500  # payments below which one round has to do
SINGLY: Final = 200  # payments for the latency, at most
_MIB: Final = 1 << 20


def run(invocation: Invocation) -> int:
    """Compare, show, write the report: 0 only if both flows left the same ledger.

    Raises:
        CommandFailed: a measurement could not be made, or the report not be written.
    """
    given, screen = invocation.arguments, invocation.screen
    target: Path | None = given.report
    if target is not None and not target.absolute().parent.is_dir():
        raise CommandFailed(f"the report can't be written: there is no directory {target.absolute().parent}")
    try:
        document = compare(given.payments, invocation.plan, screen.note)
    except BenchFailed as error:
        raise CommandFailed(f"{error}; run `compare` again") from error
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the throw-away systems were stopped and removed") from None
    if target is not None:
        try:
            target.write_text(report.html(document), encoding="utf-8")
        except OSError as error:
            raise CommandFailed(f"the report can't be written to {target}: {error.strerror}") from error
        screen.note(f"the report is in {target}")
    screen.show(document, lambda _: table.show(screen, document))
    return DONE if document["ledger"]["ok"] else FAILED


def compare(payments: int, plan: Plan, note: Callable[[str], None]) -> dict[str, Any]:
    """Everything that is compared, as one document of plain data."""
    began = time.monotonic()
    left, violations = {}, {}
    for flow in FLOWS:
        note(f"{flow}: {payments:,} payments of every outcome")
        left[flow], violations[flow] = every_outcome(flow, payments)
    same = books.check(left, violations)
    note("both flows left the same ledger" if same["ok"] else "the flows did not leave the same ledger")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "payments": payments,
        "ledger": same,
        "measured": _measured(payments, note),
        "knowledge": knowledge(ROOT, SERVICES),
        "changes": changes(ROOT, SERVICES),
        "stuck": {"deadlines_factor": FACTOR, "found": stuck(plan, note)},
        "seconds": round(time.monotonic() - began, 1),
    }


def _measured(payments: int, note: Callable[[str], None]) -> dict[str, Any]:
    rounds = ROUNDS if payments >= FEW else 1
    runs: dict[str, list[dict[str, Any]]] = {flow: [] for flow in FLOWS}
    for number in range(rounds):
        for flow in FLOWS if number % 2 == 0 else reversed(FLOWS):
            note(f"{flow}: speed, round {number + 1} of {rounds}")
            runs[flow].append(measure.speed(flow, payments, min(SINGLY, payments)))
    found = {}
    for flow in FLOWS:
        note(f"{flow}: kill -9 of the cell in the middle")
        found[flow] = measure.median(runs[flow]) | {"recovery": measure.recovery(flow, payments)}
    return found


def _machine() -> dict[str, Any]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mb": memory,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "durability": "synchronous=FULL",
        "topology": "embedded",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
