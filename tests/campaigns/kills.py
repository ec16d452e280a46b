"""`python -m tests.campaigns.kills --kills N`: `kill -9` after `kill -9` on a real system under load, in each topology.

Starts a system of its own in a directory of its own, submits file after file of orders of every outcome in both flows,
and kills one of its processes (any cell, now and then the gateway) at a random moment, again and again. At the end each
order must have become what it must, once: in the stores, in the rail's own journals, by `verify`. The table says how
often each process was killed, and how long it took from a kill until all serve again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.gateway.client import NoAnswer, NotRunning
from tests.fakes.installation import HEADER, Installation, OrderFile, agree, end, open_accounts
from tests.fakes.running import eventually

TOPOLOGIES = ("embedded", "partitioned", "isolated")
LINES = 500  # of one file
GATEWAY_SHARE = 0.06  # of all kills
BETWEEN_S = (0.0, 1.0)  # from the last progress to the next kill
PROGRESS = (
    30  # orders taken or ended since the last kill: a system that is killed before it can do anything does nothing
)
SETTINGS = {
    "execution.delay_ms": "[200, 1500]",  # so that many payments are at the bank at any moment
    "execution.query_after_seconds": "4",
    "execution.query_every_seconds": "3",
    "execution.doubt_after_seconds": "10",
    "supervision.intensity": "100000",  # it is no process that fails, it is we who kill it
    "supervision.backoff_maximum_seconds": "0.1",
}


@dataclass(slots=True)
class Outcome:
    """What one topology has been through."""

    topology: str
    kills: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    back_s: list[float] = field(default_factory=list)  # from each kill until every process serves again
    seconds: float = 0.0


def campaign(folder: Path, topology: str, kills: int, seed: int = 1) -> Outcome:
    """Kill so often, and see that every order has become what it must.

    Raises:
        AssertionError: something is lost, doubled, wrong or not back.
    """
    chance = random.Random(f"{seed} {topology}")
    outcome = Outcome(topology)
    began = time.monotonic()
    orders: list[OrderFile] = []
    with Installation(folder / "data", SETTINGS, topology=topology) as system:
        open_accounts(system)
        submit: subprocess.Popen[str] | None = None
        before = 0
        while outcome.kills.total() < kills:
            if submit is None or submit.poll() is not None:
                _must_have_been_taken(submit)
                orders.append(OrderFile.write(folder / f"orders-{len(orders)}.csv", LINES, f"F{len(orders)}"))
                submit = system.begin("submit", str(orders[-1].path), "--json")
            eventually(lambda: _done(system) >= before + PROGRESS or submit.poll() is not None, 60)  # noqa: B023
            if submit.poll() is not None:
                continue
            time.sleep(chance.uniform(*BETWEEN_S))
            before = _done(system)
            cells = sorted(name for name in system.pids() if name not in {"admin", "logger", "supervisor", "gateway"})
            name = "gateway" if chance.random() < GATEWAY_SHARE else chance.choice(cells)
            system.kill(name)
            outcome.kills[name] += 1
            killed_at = time.monotonic()
            eventually(lambda: _whole(system), 60)
            outcome.back_s.append(time.monotonic() - killed_at)
        _must_have_been_taken(submit)
        outcome.orders = sum(len(each.by_key) for each in orders)
        eventually(lambda: _moving(system) == 0, 300)
        agree(system, _together(folder / "all.csv", orders))
    outcome.seconds = time.monotonic() - began
    return outcome


def _must_have_been_taken(submit: subprocess.Popen[str] | None) -> None:
    if submit is not None:
        done = end(submit, 300)
        assert done.status == 0, f"a submission ended with {done.status}: {done.err[-600:]}"


def _whole(system: Installation) -> bool:
    try:
        return system.is_whole()
    except (NoAnswer, NotRunning):
        return False


def _done(system: Installation) -> int:
    ended = "status NOT IN ('received', 'debiting', 'screening', 'executing', 'compensating')"
    sql = f"SELECT count(*) FROM tracker_payments WHERE {ended}"
    return system.number("SELECT count(*) FROM claims") + system.number(sql)


def _moving(system: Installation) -> int:
    moving = ("received", "debiting", "screening", "executing", "compensating")
    statuses = system.statuses()
    return sum(statuses[status] for status in moving) + (system.number("SELECT count(*) FROM claims") == 0)


def _together(path: Path, files: list[OrderFile]) -> OrderFile:
    """All files as one: what must have become of every order."""
    by_key = {key: status for each in files for key, status in each.by_key.items()}
    at_bank = {key: said for each in files for key, said in each.at_bank.items()}
    path.write_text(HEADER)
    return OrderFile(path, Counter(by_key.values()), by_key, at_bank)


def table(outcomes: list[Outcome]) -> str:
    """A line a topology."""
    lines = ["topology      kills  orders  lost  doubled  back after (median, most)  kills of each process"]
    for each in outcomes:
        of_each = ", ".join(f"{name} {number}" for name, number in sorted(each.kills.items()))
        lines.append(
            f"{each.topology:<12} {each.kills.total():>6} {each.orders:>7}     0        0"
            f"  {statistics.median(each.back_s):>8.2f} s {max(each.back_s):>8.2f} s     {of_each}"
        )
    return "\n".join(lines)


def document(outcomes: list[Outcome]) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "runs": [
            {
                "topology": each.topology,
                "kills": each.kills.total(),
                "kills_of": dict(each.kills),
                "orders": each.orders,
                "back_after_s": {
                    "median": round(statistics.median(each.back_s), 3),
                    "most": round(max(each.back_s), 3),
                },
                "seconds": round(each.seconds, 1),
            }
            for each in outcomes
        ]
    }


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=70, metavar="N", help="in each topology; default: 70")
    parser.add_argument("--topology", choices=TOPOLOGIES, help="default: all three, one after the other")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the kills; default: 1")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    outcomes = []
    for topology in [given.topology] if given.topology else TOPOLOGIES:
        with tempfile.TemporaryDirectory(prefix="paysaga-kills-") as folder:
            outcomes.append(campaign(Path(folder), topology, given.kills, given.seed))
            print(f"{topology}: {given.kills} kills survived", file=sys.stderr)
    print(json.dumps(document(outcomes), indent=1) if given.json else table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
