"""More orders than the machine can take: what becomes of the rate, the memory, and what was acknowledged."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from actors.admin.bench.orders import OrderMix
from actors.admin.bench.system_under_test import FINAL, BenchFailed, PeakMemory, SystemUnderTest
from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.gateway.client import Answered, Client
from actors.messaging.system_messages import Busy
from actors.store.sqlite import SqliteReader

CONNECTIONS: Final = 8
UNANSWERED: Final = 4_000  # of one connection: the gateway reads no more than 4,096 ahead
SECONDS: Final = 60.0
PAYMENTS: Final = 15_000  # from which the best rate is measured; a run's seconds are in proportion
WARM_UP_SHARE: Final = 0.1  # of the time, before the rate under overload is measured
WARM_UP: Final = 1_000  # payments
STEP_S: Final = 0.002


@dataclass(slots=True)
class Offered:
    """What became of the orders that were offered."""

    offered: int = 0
    held_back: int = 0  # not sent, since the gateway did not read: that is slowing down, too
    busy: int = 0
    refused: int = 0
    accepted: list[str] = field(default_factory=list)  # payment ids
    retry_after_ms: list[int] = field(default_factory=list)
    answered_ms: list[float] = field(default_factory=list)  # of accepted orders, from the offer to the answer


class Offering:
    """Offers orders at a rate of its own, whatever the answers are, over several connections.

    An order that was told `Busy` has not been taken: it goes to the end of those that are offered later.
    """

    def __init__(self, data: Path, orders: Iterable[SubmitPayment], connections: int = CONNECTIONS) -> None:
        self._orders = iter(orders)
        self._again: deque[SubmitPayment] = deque()
        self._clients = [Client.connect(data) for _ in range(connections)]
        self._inboxes: list[deque[Answered]] = [deque() for _ in range(connections)]
        self._unanswered = [0] * connections
        self.seen = Offered()

    def run(self, rate: float, seconds: float, watch: Callable[[float], None] = lambda elapsed: None) -> Offered:
        """Offer `rate` orders a second for so many seconds, then wait until each is answered.

        `watch` is called often, with the seconds that have passed.
        """
        began = time.monotonic()
        turn = itertools.cycle(range(len(self._clients)))
        due = 0
        while (elapsed := time.monotonic() - began) < seconds:
            wanted = int(rate * elapsed) - due
            due += wanted
            for _ in range(wanted):
                self._offer(next(turn))
            self._exchange()
            watch(elapsed)
            left = STEP_S - (time.monotonic() - began - elapsed)
            if left > 0:
                time.sleep(left)
        deadline = time.monotonic() + 60
        while any(self._unanswered) and time.monotonic() < deadline:
            self._exchange()
            time.sleep(STEP_S)
        return self.seen

    def close(self) -> None:
        """Disconnect."""
        for client in self._clients:
            client.close()

    def _offer(self, at: int) -> None:
        self.seen.offered += 1
        if self._unanswered[at] >= UNANSWERED:
            self.seen.held_back += 1
            return
        # Fresh ones while there are any: a repeat would be answered from its key, which is less work.
        order = next(self._orders, None) or (self._again.popleft() if self._again else None)
        if order is None:
            self.seen.held_back += 1
            return
        self._unanswered[at] += 1
        self._clients[at].offer(order, self._inboxes[at], (order, time.monotonic()))

    def _exchange(self) -> None:
        for at, client in enumerate(self._clients):
            client.exchange()
            inbox = self._inboxes[at]
            while inbox:
                answered, reply = inbox.popleft()
                self._unanswered[at] -= 1
                order, since = answered.item
                if isinstance(reply, PaymentAccepted):
                    self.seen.accepted.append(reply.payment_id)
                    self.seen.answered_ms.append((time.monotonic() - since) * 1e3)
                elif isinstance(reply, Busy):
                    self.seen.busy += 1
                    self.seen.retry_after_ms.append(reply.retry_after_ms)
                    self._again.append(order)
                else:
                    self.seen.refused += 1


def lost(data: Path, accepted: Iterable[str]) -> list[str]:
    """Acknowledged payments that no store knows, or that have not ended."""
    ended = set()
    for path in sorted(data.glob("cells/*/store.db")):
        reader = SqliteReader(path)
        rows = reader.all("SELECT payment_id FROM tracker_payments WHERE status IN ('completed', 'rejected')")
        ended |= {row[0] for row in rows}
        reader.close()
    return [payment_id for payment_id in accepted if payment_id not in ended]


def overload(flow: str, topology: str, payments: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Offer three times the best rate, and compare with it; `payments` measure the best rate, the time in proportion.

    Returns the figures; the caller names the scenario.
    """
    from actors.admin.verify import verify_data

    seconds = max(5.0, SECONDS * payments / PAYMENTS)
    with SystemUnderTest(topology) as system, PeakMemory(system.memory_mb) as memory:
        mix = OrderMix(flow)
        system.open_accounts(mix.accounts)
        system.submit(mix.orders(WARM_UP))
        system.wait_for(WARM_UP)
        note(f"{flow}, {topology}: the best rate, of {payments:,} payments")
        best = _best(system, mix, payments)
        rate = 3 * best
        note(f"{flow}, {topology}: {rate:,.0f} orders a second for {seconds:g} s, three times as many")
        before = sum(system.counts().values())
        # More than can be taken in the time; made beforehand, so that making them takes nobody's time.
        offering = Offering(system.data, list(mix.orders(int(best * (seconds + 5) * 1.5))))
        marks: list[tuple[float, int, float]] = []
        started_mb = system.memory_mb()

        def watch(elapsed: float) -> None:
            if not marks or elapsed - marks[-1][0] >= max(0.5, seconds / 30):
                marks.append((elapsed, _ended(system), system.memory_mb()))

        seen = offering.run(rate, seconds, watch)
        offering.close()
        ended_mb = system.memory_mb()
        system.wait_for(before + len(seen.accepted))
        missing = lost(system.data, seen.accepted)
        violations = len(verify_data(system.data)["violations"])
    first = next(mark for mark in marks if mark[0] >= seconds * WARM_UP_SHARE)
    under = (marks[-1][1] - first[1]) / (marks[-1][0] - first[0])
    if missing:
        raise BenchFailed(f"{len(missing)} acknowledged payments were lost, {missing[0]} is one")
    latencies = sorted(seen.answered_ms)
    return {
        "payments_per_s": round(under),
        "best_payments_per_s": round(best),
        "of_best": round(under / best, 3),
        "offered_per_s": round(rate),
        "seconds": round(seconds),
        "offered": seen.offered,
        "acknowledged": len(seen.accepted),
        "found": len(seen.accepted) - len(missing),
        "busy": seen.busy,
        "held_back": seen.held_back,
        "retry_after_ms": round(sum(seen.retry_after_ms) / max(1, len(seen.retry_after_ms))),
        "violations": violations,
        "start_mb": round(started_mb),
        "half_mb": round(marks[len(marks) // 2][2]),
        "end_mb": round(ended_mb),
        "peak_rss_mb": round(memory.mb),
        "latency_ms": {"p50": _at(latencies, 0.5), "p99": _at(latencies, 0.99)},
    }


def _best(system: SystemUnderTest, mix: OrderMix, payments: int) -> float:
    """Payments a second as `submit` gets them."""
    done = sum(system.counts().values())
    orders = list(mix.orders(payments))
    began = time.perf_counter()
    system.submit(orders)
    return payments / (system.wait_for(done + payments) - began)


def _ended(system: SystemUnderTest) -> int:
    return sum(number for status, number in system.counts().items() if status in FINAL)


def _at(ordered: list[float], share: float) -> float | None:
    return round(ordered[int(len(ordered) * share)], 1) if ordered else None
