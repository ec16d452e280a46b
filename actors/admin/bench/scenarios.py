"""The scenarios of `bench`: each starts a system of its own and returns what it measured, as INTERFACE names it."""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from actors.admin.bench.bulk import PAYMENTS as BULK_PAYMENTS
from actors.admin.bench.bulk import bulk
from actors.admin.bench.limit import bare_sql
from actors.admin.bench.orders import OrderMix
from actors.admin.bench.overload import PAYMENTS, overload
from actors.admin.bench.system_under_test import BenchFailed, PeakMemory, SystemUnderTest
from config.settings import SAMPLES

SCENARIOS: Final = ("throughput", "latency", "start", "recovery", "in-flight", "growth", "overload", "bulk")
SILENT: Final = "TEST-SILENT"
QUIET_RAIL: Final = (  # a silent rail is not asked about every instruction while something else is measured
    "execution.query_after_seconds=3600", "execution.doubt_after_seconds=7200", "tracker.executing_after_seconds=86400",
)  # fmt: skip
Run = dict[str, Any]
Note = Callable[[str], None]


def throughput(
    flow: str, topology: str, payments: int, note: Note, settings: tuple[str, ...] = (), watchlist: Path | None = None
) -> Run:
    """Payments a second through the submission path, beside the bare-SQL limit in the same run.

    With `watchlist` that list is in force beside the sample list.
    """
    if watchlist is not None:
        lists = [str(SAMPLES / "watchlist.csv"), str(watchlist.absolute())]
        settings = (*settings, f"aml.watchlists={json.dumps(lists)}")
    with SystemUnderTest(topology, settings) as system, PeakMemory(system.memory_mb) as memory:
        mix = OrderMix(flow)
        system.open_accounts(mix.accounts)
        _warm_up(system, mix)
        note(f"{flow}, {topology}: {payments:,} payments")
        before = _limit(payments)
        done = sum(system.counts().values())
        orders = list(mix.orders(payments))
        began = time.perf_counter()
        system.submit(orders)
        took = system.wait_for(done + payments) - began
        cells = system.cells()
        entries = system.watchlist_entries()
    limit = (before + _limit(payments)) / 2
    rate = payments / took
    return _run(
        "throughput", flow, topology, payments, payments_per_s=round(rate), limit_payments_per_s=round(limit),
        ratio=round(rate / limit, 4), peak_rss_mb=round(memory.mb), cells=cells, watchlist_entries=entries,
    )  # fmt: skip


def latency(flow: str, topology: str, payments: int, note: Note) -> Run:
    """One payment at a time by a connected client: from submission until it is known to be completed."""
    with SystemUnderTest(topology) as system:
        mix = OrderMix(flow)
        system.open_accounts(mix.accounts)
        _warm_up(system, mix, 300)
        note(f"{flow}, {topology}: {payments:,} payments one at a time")
        times = []
        for _ in range(payments):
            order = mix.order(blocked=False)
            began = time.perf_counter()
            paid = system.client.pay(order)
            times.append((time.perf_counter() - began) * 1e3)
            if paid.status != "completed":
                raise BenchFailed(f"a payment ended as {paid.status}")
    times.sort()
    return _run(
        "latency", flow, topology, payments, payments_per_s=round(1e3 / statistics.mean(times)),
        latency_ms={"p50": round(statistics.median(times), 2), "p99": round(times[int(len(times) * 0.99)], 2)},
    )  # fmt: skip


def start(topology: str, note: Note, tries: int = 5) -> Run:
    """Seconds from the command to a system that takes payments."""
    note(f"{topology}: start to ready, {tries} times")
    times = []
    for _ in range(tries):
        with SystemUnderTest(topology) as system:
            times.append(system.start_s)
    return _run("start", None, topology, None, start_s=round(statistics.median(times), 2), worst_s=round(max(times), 2))


def recovery(flow: str, topology: str, payments: int, note: Note) -> Run:
    """Seconds from `kill -9` of a cell with payments in flight until it serves a new one."""
    with SystemUnderTest(topology, QUIET_RAIL) as system:
        mix = OrderMix(flow)
        system.open_accounts(mix.accounts)
        _warm_up(system, mix)
        note(f"{flow}, {topology}: kill -9 of a cell with {payments:,} payments in flight")
        silent = OrderMix(flow, SILENT, seed=2)
        system.submit(silent.orders(payments, blocked=False))
        system.wait_for(payments, ("executing",))
        fresh = OrderMix(flow, seed=3)
        began = time.perf_counter()
        os.kill(system.pids()[system.cell_of("ledger")], signal.SIGKILL)
        while system.client.pay(fresh.order(blocked=False), timeout=30).status != "completed":
            pass
        one = time.perf_counter() - began
        for _ in range(10):  # debtors of every cell
            system.client.pay(fresh.order(blocked=False), timeout=30)
        every = time.perf_counter() - began
    return _run("recovery", flow, topology, payments, recovery_s=round(one, 3), eleven_payments_s=round(every, 3))


def in_flight(flow: str, topology: str, payments: int, note: Note) -> Run:
    """Memory with many payments in flight on a silent rail, and the speed of new ones beside an empty system."""
    measured = max(2_000, payments // 10)
    empty = throughput(flow, topology, measured, note, QUIET_RAIL)
    with SystemUnderTest(topology, QUIET_RAIL) as system, PeakMemory(system.memory_mb) as memory:
        mix = OrderMix(flow)
        system.open_accounts(mix.accounts)
        _warm_up(system, mix)
        note(f"{flow}, {topology}: {payments:,} payments in flight, then {measured:,} new ones")
        system.submit(OrderMix(flow, SILENT, seed=2).orders(payments, blocked=False))
        system.wait_for(payments, ("executing",))
        done = sum(number for status, number in system.counts().items() if status != "executing")
        orders = list(mix.orders(measured))
        began = time.perf_counter()
        system.submit(orders)
        took = system.wait_for(done + measured) - began
    rate = measured / took
    return _run(
        "in-flight", flow, topology, payments, payments_per_s=round(rate), peak_rss_mb=round(memory.mb),
        empty_payments_per_s=empty["payments_per_s"], of_empty=round(rate / empty["payments_per_s"], 3),
    )  # fmt: skip


def growth(flow: str, topology: str, payments: int, note: Note) -> Run:
    """The same number of payments twice on one store: does the second lot cost more?"""
    with SystemUnderTest(topology) as system, PeakMemory(system.memory_mb) as memory:
        mix = OrderMix(flow)
        system.open_accounts(mix.accounts)
        _warm_up(system, mix)
        rates = []
        for lot in ("first", "second"):
            note(f"{flow}, {topology}: the {lot} {payments:,} payments")
            done = sum(system.counts().values())
            orders = list(mix.orders(payments))
            began = time.perf_counter()
            system.submit(orders)
            rates.append(payments / (system.wait_for(done + payments) - began))
    return _run(
        "growth", flow, topology, payments, payments_per_s=round(rates[1]), first_payments_per_s=round(rates[0]),
        second_of_first=round(rates[1] / rates[0], 3), peak_rss_mb=round(memory.mb),
    )  # fmt: skip


def overloaded(flow: str, topology: str, payments: int, note: Note) -> Run:
    """Three times as many orders as the machine takes: the rate beside its best, memory, what was acknowledged."""
    return _run("overload", flow, topology, payments, **overload(flow, topology, payments, note))


def in_bulk(flow: str, topology: str, payments: int, note: Note) -> Run:
    """One action on so many payments at once: its rate, and what running payments keep of theirs."""
    return _run("bulk", flow, topology, payments, **bulk(flow, topology, payments, note))


def planned(
    scenario: str | None,
    flow: str | None,
    topology: str | None,
    payments: int | None,
    note: Note,
    watchlist: Path | None = None,
) -> Iterator[Callable[[], Run]]:
    """The measurements that were asked for, to be run one after the other."""
    flows = (flow,) if flow else ("orchestrated", "choreographed")
    topologies = (topology,) if topology else ("embedded", "partitioned")
    wide = topology or "partitioned"
    for each in (scenario,) if scenario else SCENARIOS:
        if each == "throughput":
            for place in topologies:
                for kind in flows:
                    yield lambda kind=kind, place=place: throughput(  # type: ignore[misc]
                        kind, place, payments or 30_000, note, watchlist=watchlist
                    )
        elif each == "latency":
            for kind in flows:
                yield lambda kind=kind: latency(kind, topology or "embedded", payments or 1_000, note)  # type: ignore[misc]
        elif each == "start":
            for place in topologies:
                yield lambda place=place: start(place, note)  # type: ignore[misc]
        else:
            sizes: dict[str, tuple[Callable[[str, str, int, Note], Run], int]] = {
                "recovery": (recovery, 10_000),
                "in-flight": (in_flight, 100_000),
                "growth": (growth, 100_000),
                "overload": (overloaded, PAYMENTS),
                "bulk": (in_bulk, BULK_PAYMENTS),
            }
            measure, size = sizes[each]
            yield lambda measure=measure, size=size: measure(flows[0], wide, payments or size, note)  # type: ignore[misc]


def _warm_up(system: SystemUnderTest, mix: OrderMix, number: int = 1_000) -> None:
    system.submit(mix.orders(number))
    system.wait_for(number)


def _limit(payments: int) -> float:
    with TemporaryDirectory(prefix="paysaga-limit-") as directory:
        return bare_sql(Path(directory) / "limit.db", max(20_000, min(payments, 50_000)))


def _run(scenario: str, flow: str | None, topology: str, payments: int | None, **measured: Any) -> Run:
    run: Run = {
        "scenario": scenario,
        "flow": flow,
        "topology": topology,
        "payments": payments,
        "watchlist_entries": 1_000,
        "payments_per_s": None,
        "latency_ms": {"p50": None, "p99": None},
        "limit_payments_per_s": None,
        "ratio": None,
        "peak_rss_mb": None,
        "durability": "synchronous=FULL",
    }
    return run | measured
