"""What is done to many payments at once, and what it leaves of the speed of running ones: both in the same run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from actors.admin.bench.orders import OrderMix
from actors.admin.bench.system_under_test import FINAL, BenchFailed, SystemUnderTest
from actors.admin.jobs import Wanted, follow, hand_over
from actors.admin.reading import Reading
from actors.disbursement.messages import SubmitPayment
from actors.gateway.client import Client
from actors.tracker.where import condition, parse

PAYMENTS: Final = 20_000
DOUBTFUL_NAME: Final = "V. Blockov"  # held for review
ALONE_S: Final = 5.0  # for which running payments are measured before the job
HELD: Final = "status=held"


def bulk(flow: str, topology: str, payments: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Cancel so many held payments by a job, while orders come as fast as they are taken; as `bench` reports it."""
    with SystemUnderTest(topology) as system:
        mix, held = OrderMix(flow), OrderMix(flow, seed=2)
        system.open_accounts(mix.accounts)
        note(f"{flow}, {topology}: {payments:,} held payments")
        system.submit(replace(order, creditor_name=DOUBTFUL_NAME) for order in held.orders(payments, blocked=False))
        system.wait_for(payments, ("held",))
        with _Others(system, mix) as others:
            note("other payments alone, then while the held ones are cancelled")
            others.wait_until_running()
            alone = others.rate(lambda: time.sleep(ALONE_S))
            took: list[float] = []
            beside = others.rate(lambda: took.append(_cancel_held(system, payments)))
    return {
        "payments_per_s": round(beside), "alone_payments_per_s": round(alone), "of_alone": round(beside / alone, 3),
        "bulk_payments_per_s": round(payments / took[0]),
    }  # fmt: skip


def _cancel_held(system: SystemUnderTest, payments: int) -> float:
    """Seconds from the query to the last result, as a person at the command line would wait."""
    began = time.perf_counter()
    reading = Reading.open(system.data)
    found = reading.payment_ids(condition(parse(HELD), datetime.now(UTC)))
    with Client.connect(system.data) as client:
        wanted = Wanted(action="cancel", by="bench", reason="measured", query=HELD)
        job_id, _ = hand_over(client, wanted, found, lambda by: None)
    job = follow(reading, job_id, lambda by: None)
    took = time.perf_counter() - began
    reading.close()
    if job["done"] != payments:
        raise BenchFailed(f"of {payments} held payments only {job['done']} were cancelled: {job}")
    return took


class _Others:
    """Orders that come as fast as they are taken, from a thread with a client of its own."""

    def __init__(self, system: SystemUnderTest, mix: OrderMix) -> None:
        self._system = system
        self._mix = mix
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._submit, daemon=True)

    def __enter__(self) -> _Others:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_until_running(self) -> None:
        """The first thousand are through."""
        self._system.wait_for(1_000)

    def rate(self, during: Callable[[], object]) -> float:
        """Payments that ended a second, while something is done."""
        before, began = self._ended(), time.perf_counter()
        during()
        return (self._ended() - before) / (time.perf_counter() - began)

    def _ended(self) -> int:
        counts = self._system.counts()
        return sum(counts.get(status, 0) for status in FINAL)

    def _submit(self) -> None:
        with Client.connect(self._system.data) as client:
            for _ in client.submit(self._orders(), timeout=120):
                pass

    def _orders(self) -> Iterator[SubmitPayment]:
        while not self._stop.is_set():
            yield self._mix.order()
