"""More orders than the system can take: it says so, forgets none that it acknowledged, and grows no memory by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.admin.bench.orders import OrderMix
from actors.admin.bench.overload import Offering, lost
from actors.admin.bench.system_under_test import pss_mb
from actors.ledger.messages import OpenAccount
from actors.vocabulary.slots import slot_of
from tests.fakes.installation import Installation
from tests.fakes.running import eventually

SECONDS = 3.0
RATE = 10_000.0  # a second: several times what a machine of two cores takes
ORDERS = 20_000  # more than can be taken in that time, or it would end early
QUEUED = 20_000  # at the gateway, at any time
GROWN_MB = 150  # of all processes together
SETTINGS = {"overload.queue_seconds": "0.1", "execution.delay_ms": "[0, 0]", "log.level": "warning"}


def test_an_overloaded_system_says_busy_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Orders that can't be served soon are refused before they are taken; those taken all come to their end."""
    mix = OrderMix("choreographed", accounts=20)
    seen_waiting: list[int] = []
    with Installation(tmp_path / "data", SETTINGS) as system:
        with system.client() as client:
            for name in mix.accounts:
                client.request(OpenAccount(account_id=name, currency="EUR", deposit=10**12), "ledger", slot_of(name))
            before = memory_mb(system)
            offering = Offering(system.data, list(mix.orders(ORDERS)), connections=4)
            try:
                looked = [0.0]

                def look(elapsed: float) -> None:
                    if elapsed - looked[0] > 0.5:
                        looked[0] = elapsed
                        gateway: dict[str, Any] = client.control({"do": "status"})["gateway"]
                        seen_waiting.append(sum(gateway.get("waiting", {}).values()))

                seen = offering.run(RATE, SECONDS, look)
            finally:
                offering.close()
        after = memory_mb(system)
        assert seen.busy > 0, "nobody was told to come again"
        assert seen.refused == 0
        assert min(seen.retry_after_ms) > 0
        assert len(seen.accepted) == len(set(seen.accepted)) > 0
        eventually(lambda: not lost(system.data, seen.accepted), 60)
        assert max(seen_waiting) <= QUEUED
        assert after - before < GROWN_MB
        assert system.violations() == []


def memory_mb(system: Installation) -> float:
    """Of all its processes; what they share counted once."""
    return sum(pss_mb(pid) for pid in system.pids().values())
