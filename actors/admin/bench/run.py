"""Runs the planned measurements and shows them as a table, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.admin.bench.scenarios import Run, planned
from actors.admin.bench.system_under_test import BenchFailed
from actors.admin.command import DONE, CommandFailed, Invocation

_SHOWN = ("scenario", "flow", "topology", "payments", "payments_per_s", "limit_payments_per_s", "ratio", "peak_rss_mb")


def run(
    invocation: Invocation,
    *,
    scenario: str | None,
    flow: str | None,
    topology: str | None,
    payments: int | None,
    watchlist: Path | None = None,
) -> int:
    """Measure, one scenario after the other, each on a system of its own.

    Raises:
        CommandFailed: a measurement could not be made.
    """
    runs: list[Run] = []
    try:
        for measure in planned(scenario, flow, topology, payments, invocation.screen.note, watchlist):
            runs.append(measure())
            invocation.screen.note(f"  {_words(runs[-1])}")
    except BenchFailed as error:
        raise CommandFailed(str(error)) from error
    invocation.screen.show({"runs": runs}, lambda document: _table(invocation, document))
    return DONE


def _table(invocation: Invocation, document: dict[str, Any]) -> None:
    columns = ("scenario", "flow", "topology", ">payments", ">payments/s", ">limit/s", ">ratio", ">memory MB", "beside")
    rows = [(*(each[name] for name in _SHOWN), _words(each)) for each in document["runs"]]
    invocation.screen.table(columns, rows)


def _words(measured: Run) -> str:
    known = {*_SHOWN, "latency_ms", "durability"}
    said = [f"{name} {value}" for name, value in measured.items() if name not in known]
    if measured["latency_ms"]["p50"] is not None:
        said.append("p50 {p50} ms, p99 {p99} ms".format(**measured["latency_ms"]))
    if measured["payments_per_s"] is not None:
        said.insert(0, f"{measured['payments_per_s']} payments/s")
    return ", ".join(said)
