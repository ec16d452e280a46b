"""One cell without processes around it, fed with frames: what a payment costs inside a cell. Prints, asserts nothing.

python -m tests.benchmarks.in_cell --flow orchestrated --payments 20000 [--profile FILE]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import select
import tempfile
import time
from pathlib import Path

from actors import assembly
from actors.admin.bench.orders import OrderMix
from actors.ledger.messages import OpenAccount
from actors.messaging.codec import envelope_fields
from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.frames import GATEWAY, pack_frame
from actors.runtime.cell import _settle_memory
from actors.runtime.core import CellCore
from actors.store.placement import spread
from config.settings import Settings


def main() -> None:
    """Run the orders through one cell and print payments per second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flow", default="orchestrated")
    parser.add_argument("--payments", type=int, default=10_000)
    parser.add_argument("--profile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        _measure(given, Path(directory))


def _measure(given: argparse.Namespace, data: Path) -> None:
    settings = Settings(data=str(data), execution={"delay_ms": (0, 0)})  # type: ignore[arg-type]
    core = CellCore("cell-0", data, settings, spread(1), assembly.hosting(settings, "cell-0"))
    core.open()
    _settle_memory()
    mix = OrderMix(given.flow)
    frame = 0

    def send(messages: list[tuple[str, object]]) -> None:
        nonlocal frame
        frame += 1
        core.arrived(
            "gateway",
            pack_frame(GATEWAY, frame, 0, [
                envelope_fields(Envelope(f"r{frame}.{at}", message, COMMAND, "client/1/1", target))  # type: ignore[arg-type]
                for at, (target, message) in enumerate(messages)
            ]),
        )  # fmt: skip

    send([("ledger", OpenAccount(account_id=name, currency="EUR", deposit=10**12)) for name in mix.accounts])
    core.run()
    orders = list(mix.orders(given.payments))
    profile = cProfile.Profile() if given.profile else None
    began, cpu = time.perf_counter(), time.thread_time()
    if profile:
        profile.enable()
    for at in range(0, len(orders), 256):
        send([("disbursement", order) for order in orders[at : at + 256]])
        core.run()
    while _ended(core) < given.payments:
        select.select([core.fileno()], [], [], 0.5)
        core.run()
    if profile:
        profile.disable()
    took, cpu = time.perf_counter() - began, time.thread_time() - cpu
    rate, each = given.payments / took, cpu / given.payments * 1e6
    print(f"{given.flow}: {rate:,.0f} payments/s, {each:.0f} µs of the cell's thread each")
    print(core.report())
    if profile:
        pstats.Stats(profile).dump_stats(given.profile)
    core.close()


def _ended(core: CellCore) -> int:
    core._session.begin()
    rows = core._session.all("SELECT status, payments FROM tracker_counts")
    core._session.roll_back()
    return sum(count for status, count in rows if status in ("completed", "rejected"))


if __name__ == "__main__":
    main()
