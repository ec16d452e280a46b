"""A data directory as each release has left it: two cells, killed with everything under way that can be.

`python -m tests.contract.released_data` makes the one of the version in setup.cfg, if there is none yet; `--again`
replaces it, which is right only as long as that version is in the making.
"""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

from actors import assembly
from actors.execution.actor import Execution
from actors.execution.messages import ExecutePayment
from actors.runtime.core import CellCore
from actors.store.placement import spread
from actors.vocabulary.slots import slot_of
from config.settings import SAMPLES
from tests.contract.released_messages import version
from tests.fakes.installation import ACCOUNTS, Installation, OrderFile, end, open_accounts
from tests.fakes.running import eventually

FOLDER = Path(__file__).parent
BROKEN = "BROKEN"  # remittance of what the failing cell can't execute
YEARS = str(10 * 365 * 86_400)  # what waits for a person or a date does so for as long as the fixture is kept
SETTINGS = {
    "ledger.hold_seconds": YEARS,
    "aml.review_seconds": YEARS,
    "execution.delay_ms": "[1500, 2500]",
    "execution.query_after_seconds": "1",
    "execution.query_every_seconds": "1",
    "execution.doubt_after_seconds": "3",
    "tracker.stalled_after_seconds": "600",
    "supervision.silent_seconds": "60",
}
NO_POST = {"notification.transport": "smtp", "notification.smtp_port": "1", "notification.attempts": "100"}
LEFT_OUT = {"key", "socket", "run", "logs", "mail"}  # made anew, or of no consequence
UNDER_WAY = ("links_out", "outbox", "parked", "dead_letters", "timers", "sagas", "aml_cases", "executions")


def build_failing_cell(name: str, data: Path, incarnation: int) -> CellCore:
    """A cell that can't execute some payments: what it can't do is parked, and some time later a dead letter."""
    handler = Execution.handlers[ExecutePayment]

    def failing(self: Any, message: ExecutePayment, turn: Any) -> None:
        if message.remittance.startswith(BROKEN):
            raise RuntimeError("the rail's own program has a defect")
        handler(self, message, turn)

    Execution.handlers = {**Execution.handlers, ExecutePayment: failing}
    return assembly.build_cell(name, data, incarnation)


def files() -> list[Path]:
    """Those of every release, the oldest first."""
    return sorted(FOLDER.glob("*.tar.xz"), key=lambda path: [int(part) for part in path.name[:-7].split(".")])


def unpack(path: Path, data: Path) -> None:
    """Lay a release's data directory out at `data`, with the sample watchlist where it is today."""
    data.mkdir(mode=0o700)
    with tarfile.open(path) as archive:
        archive.extractall(data, filter="data")
    for store in data.glob("cells/*/store.db"):
        with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute("UPDATE aml_lists SET path = ? || source", (f"{SAMPLES}/",))


def make(folder: Path) -> Path:
    """Run this version's system until everything is under way, kill it, pack what it leaves."""
    data = folder / "data"
    failing = {"core_factory": f"{__name__}:build_failing_cell"}
    with Installation(data, {**SETTINGS, "runtime.delayed_retries": "0"}, **failing) as system:
        open_accounts(system)
        for flow in ("orchestrated", "choreographed"):
            pay(system, f"DEAD-{flow}", flow, remittance=f"{BROKEN} for ever")
        eventually(lambda: system.number("SELECT count(*) FROM dead_letters") >= 2, 30)
        orders = OrderFile.write(folder / "ended.csv", 84)
        assert end(system.begin("submit", str(orders.path), "--wait", "--timeout", "60")).status == 4
        system.stop()
    with Installation(data, {**SETTINGS, **NO_POST, "runtime.retry_initial_seconds": "30"}, **failing) as system:
        for flow in ("orchestrated", "choreographed"):
            pay(system, f"PARKED-{flow}", flow, remittance=f"{BROKEN} for now")
        eventually(lambda: system.number("SELECT count(*) FROM parked") >= 2, 30)
        assert (
            system.run(*_words(ACCOUNTS[0], "MAIL", "orchestrated"), "--email", "ann@example.org", "--wait").status == 0
        )
        orders = OrderFile.write(folder / "under-way.csv", 60, "U")
        assert end(system.begin("submit", str(orders.path), "--json")).status == 0
        eventually(lambda: system.executing() >= 20)
        stopped = system.kill("cell-1", signal.SIGSTOP)
        for key in _claimed_apart(debtor := _of_the_second_cell()):
            system.begin(*_words(debtor, key, "orchestrated"))
        eventually(lambda: system.number("SELECT count(*) FROM links_out") > 0)
        system.kill("supervisor")
        stopped.send(signal.SIGKILL)
        eventually(lambda: not system.pids())
        found = {table: system.number(f"SELECT count(*) FROM {table}") for table in UNDER_WAY}
        assert all(found.values()), found
        return _pack(data, FOLDER / f"{version()}.tar.xz")


def pay(system: Installation, key: str, flow: str, remittance: str) -> None:
    """One order of the first account, not waited for."""
    paid = system.run(*_words(ACCOUNTS[0], key, flow), "--remittance", remittance)
    assert paid.status == 0, paid.err


def _words(debtor: str, key: str, flow: str) -> tuple[str, ...]:
    creditor = ("--creditor", "Ann", "--creditor-account", "TEST-OK", "--amount", "1", "--currency", "EUR")
    return ("pay", "--debtor", debtor, *creditor, "--key", key, "--flow", flow)


def _of_the_second_cell() -> str:
    return next(account for account in ACCOUNTS if spread(2).cell_for("ledger", slot_of(account)) == "cell-1")


def _claimed_apart(debtor: str) -> list[str]:
    """Keys that are claimed in another cell than that of the debtor, so that the order crosses a link."""
    home = spread(2).cell_for
    keys = (f"LINK-{number}" for number in range(20))
    return [key for key in keys if home("disbursement", slot_of(key)) != home("ledger", slot_of(debtor))][:4]


def _pack(data: Path, into: Path) -> Path:
    for path in data.rglob("*.db"):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            if "cells" in path.parts:
                connection.execute("UPDATE aml_lists SET path = source")  # where it lay is no concern of others
            connection.execute("VACUUM")  # which reads what the killed process left in its log, too
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with tarfile.open(into, "w:xz", preset=9) as archive:
        for path in sorted(data.iterdir()):
            if path.name not in LEFT_OUT and not path.name.startswith("."):
                archive.add(path, path.name, filter=_anonymous)
    return into


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Whose it was is nobody's business; what SQLite keeps beside a store is made anew."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if entry.name.endswith(("-wal", "-shm")) else entry
