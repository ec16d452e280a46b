"""The figures of one flow on a fresh system: throughput, latency, what a payment costs, and a killed cell."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections import Counter
from typing import Any, Final, NamedTuple

from actors.admin.bench.orders import OrderMix
from actors.admin.bench.system_under_test import BenchFailed, SystemUnderTest
from actors.admin.reading import Reading
from actors.directory import log
from actors.gateway.client import Client
from actors.store.session import Reader

WARM_UP: Final = 200
ACCOUNTS: Final = 200
LATE: Final = "TEST-LATE-1"  # the bank answers after a second: these are under way when the cell is killed
_LINES: Final = 10_000
_KINDS: Final = {"command": "commands", "reply": "replies", "event": "events", "timer": "timers"}


class _Size(NamedTuple):
    """Where the log ends, and how large the store is."""

    end: int
    size: int


def speed(flow: str, payments: int, single: int) -> dict[str, Any]:
    """Payments a second, what each of them wrote, then the latency of `single` ones, one at a time."""
    with SystemUnderTest("embedded") as system:
        mix = OrderMix(flow, accounts=ACCOUNTS)
        system.open_accounts(mix.accounts)
        system.submit(mix.orders(WARM_UP))
        system.wait_for(WARM_UP)
        before = _size(system)
        orders = list(mix.orders(payments))
        began = time.perf_counter()
        system.submit(orders)
        took = system.wait_for(WARM_UP + payments) - began
        written = _written(system, before)
        times = []
        before = _size(system)
        for _ in range(single):
            order = mix.order(blocked=False)
            began = time.perf_counter()
            paid = system.client.pay(order)
            times.append((time.perf_counter() - began) * 1e3)
            if paid.status != "completed":
                raise BenchFailed(f"a payment ended as {paid.status}")
        singly = _written(system, before)
    per_payment = {name: round(number / payments, 5) for name, number in written.items()}
    return {"payments_per_s": payments / took, "latency_ms": times, "per_payment": per_payment,
            "commits_singly": round(singly["commits"] / single, 2)}  # fmt: skip


def recovery(flow: str, payments: int) -> dict[str, Any]:
    """`kill -9` of the cell in the middle of `payments`: seconds until a new one is served, and until all ended."""
    with SystemUnderTest("embedded") as system:
        mix = OrderMix(flow, accounts=ACCOUNTS)
        late = OrderMix(flow, LATE, seed=2, accounts=ACCOUNTS)
        system.open_accounts(mix.accounts)
        system.submit(mix.orders(WARM_UP))
        system.wait_for(WARM_UP)
        half = payments // 2
        orders = [*late.orders(payments - half, blocked=False), *mix.orders(half)]
        measured: dict[str, Any] = {}
        killer = threading.Thread(target=_kill, args=(system, flow, WARM_UP + half // 2, measured))
        killer.start()
        system.submit(orders)
        killer.join()
        if "killed" not in measured:
            raise BenchFailed(f"the cell could not be killed in the middle: {measured.get('error', 'nothing ended')}")
        ended = system.wait_for(WARM_UP + payments + measured["served"])
    return {
        "payments": payments,
        "in_flight": measured["in_flight"],
        "serving_s": round(measured["serving"], 3),
        "all_ended_s": round(ended - measured["killed"], 3),
    }


def median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One figure of several runs of `speed`; latencies are taken together."""
    times = sorted(each for run in runs for each in run["latency_ms"])
    rates = [run["payments_per_s"] for run in runs]
    return {
        "payments_per_s": round(statistics.median(rates)),
        "payments_per_s_of_each_run": [round(rate) for rate in rates],
        "latency_ms": {"p50": round(statistics.median(times), 2), "p99": round(times[int(len(times) * 0.99)], 2)},
        "per_payment": {
            name: round(statistics.median(run["per_payment"][name] for run in runs), 4)
            for name in runs[0]["per_payment"]
        },
        "commits_singly": statistics.median(run["commits_singly"] for run in runs),
    }


def _kill(system: SystemUnderTest, flow: str, ended: int, measured: dict[str, Any]) -> None:
    """Kill the cell as soon as so many have ended; then pay until one payment has been completed."""
    try:
        fresh = OrderMix(flow, seed=3, accounts=ACCOUNTS)
        with Client.connect(system.data) as client:
            system.wait_for(ended, patience_s=60)
            counts = system.counts()
            measured["in_flight"] = sum(counts.values()) - counts.get("completed", 0) - counts.get("rejected", 0)
            os.kill(system.pids()["cell-0"], signal.SIGKILL)
            measured["killed"] = time.perf_counter()
            tried, status = 0, None
            while status != "completed":
                status = client.pay(fresh.order(blocked=False), timeout=60).status
                tried += 1
            measured |= {"serving": time.perf_counter() - measured["killed"], "served": tried}
    except Exception as error:  # told by the thread that waits for this one
        measured.pop("killed", None)
        measured["error"] = error


def _size(system: SystemUnderTest) -> _Size:
    reading = Reading.open(system.data)
    try:
        (reader,) = reading.readers.values()
        return _Size(log.end(reader), _bytes(reader))
    finally:
        reading.close()


def _bytes(reader: Reader) -> int:
    pages, size = reader.one("PRAGMA page_count"), reader.one("PRAGMA page_size")
    return int(pages[0]) * int(size[0]) if pages and size else 0


def _written(system: SystemUnderTest, since: _Size) -> dict[str, int]:
    """What the log and the store have grown by: lines by kind, deliveries, turns (a commit each), bytes."""
    reading = Reading.open(system.data)
    try:
        (reader,) = reading.readers.values()
        counted: Counter[str] = Counter()
        offset = since.end
        while lines := log.read(reader, offset, _LINES):
            for line in lines:
                counted[line.envelope.kind] += 1
                counted["deliveries"] += len(line.receivers)
            offset = lines[-1].offset + 1
        turns = reader.one(
            "SELECT count(DISTINCT part_id / ?) FROM log_parts WHERE last_offset >= ?", (log.PARTS_PER_TURN, since.end)
        )
        return {
            "messages": sum(counted[kind] for kind in _KINDS),
            **{name: counted[kind] for kind, name in _KINDS.items()},
            "deliveries": counted["deliveries"],
            "commits": int(turns[0]) if turns else 0,
            "bytes": _bytes(reader) - since.size,
        }
    finally:
        reading.close()
