"""A throw-away system as a user starts it, and what is measured of it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.gateway.client import Client
from actors.ledger.messages import AccountOpened, OpenAccount
from actors.store.sqlite import SqliteReader
from actors.vocabulary.slots import slot_of

ROOT: Final = Path(__file__).parents[3]
DEPOSIT_MINOR: Final = 10**12
FINAL: Final = ("completed", "rejected")


class BenchFailed(Exception):
    """A measurement could not be made; the text says why."""


class SystemUnderTest:
    """Started by `system.py start` in a directory of its own; ended and removed on leaving."""

    def __init__(self, topology: str, settings: Iterable[str] = ()) -> None:
        self.topology = topology
        self._settings = ["execution.delay_ms=[0,0]", "log.level=warning", *settings]
        self._directory = tempfile.TemporaryDirectory(prefix="paysaga-bench-")
        self.data = Path(self._directory.name) / "data"
        self.start_s = 0.0

    def __enter__(self) -> Self:
        """Start it; the time to ready is kept."""
        began = time.perf_counter()
        try:
            self._system("start", "--config", str(ROOT / "config" / f"{self.topology}.toml"), "--set", *self._settings)
            self.start_s = time.perf_counter() - began
            self.client = Client.connect(self.data)
        except BaseException:  # an interrupt too: without this nobody would stop what has been started
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.client.close()
        self._end()

    def _end(self) -> None:
        self._system("stop")
        self._directory.cleanup()

    def open_accounts(self, names: Iterable[str]) -> None:
        """Accounts with more money than any measurement pays."""
        for name in names:
            command = OpenAccount(account_id=name, currency="EUR", deposit=DEPOSIT_MINOR)
            reply = self.client.request(command, "ledger", slot_of(name))
            if not isinstance(reply, AccountOpened):
                raise BenchFailed(f"account {name} could not be opened: {reply}")

    def submit(self, orders: Iterable[SubmitPayment]) -> int:
        """Submit through the gateway, as `submit` does; how many were accepted."""
        accepted = 0
        for _, reply in self.client.submit(orders, timeout=120):
            if not isinstance(reply, PaymentAccepted):
                raise BenchFailed(f"an order was not accepted: {reply}")
            accepted += 1
        return accepted

    def counts(self) -> dict[str, int]:
        """Payments by status, read from the stores."""
        total: dict[str, int] = {}
        for path in sorted(self.data.glob("cells/*/store.db")):
            reader = SqliteReader(path)
            for status, number in reader.all("SELECT status, payments FROM tracker_counts"):
                total[status] = total.get(status, 0) + number
            reader.close()
        return total

    def watchlist_entries(self) -> int:
        """How many entries the watchlists in force have."""
        reader = SqliteReader(self.data / "cells" / self.cell_of("aml") / "store.db")
        row = reader.one("SELECT sum(entries) FROM aml_lists")
        reader.close()
        return int(row[0] or 0) if row else 0

    def cell_of(self, service: str) -> str:
        """The first cell that hosts a service."""
        return self.client.placement.cells_of(service)[0]

    def cells(self) -> int:
        """How many cells there are."""
        return len(self.client.placement.names)

    def wait_for(self, number: int, statuses: tuple[str, ...] = FINAL, patience_s: float = 600) -> float:
        """Wait until `number` payments have one of `statuses`; the moment it was seen (`time.perf_counter`)."""
        deadline = time.perf_counter() + patience_s
        while time.perf_counter() < deadline:
            counts = self.counts()
            if sum(counts.get(status, 0) for status in statuses) >= number:
                return time.perf_counter()
            time.sleep(0.02)
        raise BenchFailed(f"after {patience_s:g} s only {self.counts()} of {number} payments are {statuses}")

    def pids(self) -> dict[str, int]:
        """The system's processes."""
        from actors.runtime.launch import running_processes

        return {process.name: process.pid for process in running_processes(self.data)}

    def memory_mb(self) -> float:
        """Memory of all processes together, a page that several share counted once (PSS)."""
        return sum(pss_mb(pid) for pid in self.pids().values())

    def _system(self, command: str, *arguments: str) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PAYSAGA_")}
        with subprocess.Popen(
            [sys.executable, str(ROOT / "system.py"), command, "--data", str(self.data), *arguments],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                _, said = process.communicate()
            except KeyboardInterrupt:
                process.communicate()  # half a start can't be stopped: let it come to its end first
                raise
        if process.returncode:
            raise BenchFailed(f"`{command}` failed: {said.strip()}")


class PeakMemory:
    """Samples the system's memory beside a measurement; `mb` is the highest seen."""

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.mb = 0.0

    def __enter__(self) -> Self:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """Take a last sample."""
        self._stop.set()
        self._thread.join()
        self.mb = max(self.mb, self._read())

    def _sample(self) -> None:
        while not self._stop.wait(1.0):
            self.mb = max(self.mb, self._read())


def pss_mb(pid: int) -> float:
    """A process's memory, with its share of what it shares (PSS); 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0) / 1024
