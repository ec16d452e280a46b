"""A whole installation, as its owner has it: `system.py` in processes of its own, a data directory, real kills."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from actors.admin.verify import verify_data
from actors.gateway.client import Client
from actors.runtime.launch import running_processes, start_system, stop_system
from actors.runtime.processes import Recorded, wait_for_exit
from config.settings import CONFIG, read_settings, write_effective
from system import process_plan
from tests.fakes.running import eventually

ROOT = Path(__file__).parents[2]
AT_RAIL = "('recorded', 'submitted', 'in_doubt', 'in_doubt_unsent')"


# Root without root's privilege to pass by permissions: what belongs to others is theirs.
ORDINARY_USER = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document it answered with."""
        return json.loads(self.out)


class Installation:
    """One data directory and its system; nothing of it runs any more when the `with` ends.

    `settings` go over the topology's configuration; `plan` changes what the processes are made of.
    """

    def __init__(
        self, data: Path, settings: dict[str, str] | None = None, *, cells: int = 2, topology: str = "partitioned",
        **plan: Any,
    ) -> None:  # fmt: skip
        self.data = data
        self.topology = topology
        own = {"topology.cells": str(cells)} if topology == "partitioned" else {}
        self.settings = {**own, **(settings or {})}
        self.plan = plan
        self._commands: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Installation:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for command in self._commands:
            if command.poll() is None:
                command.kill()
            command.communicate()
        stop_system(self.data, now=True, patience=timedelta(seconds=5))

    # Commands

    def start(self) -> None:
        """Start the system without the command line, which takes no changes of the plan."""
        settings = read_settings(CONFIG / f"{self.topology}.toml", self.settings)
        settings = settings.model_copy(update={"data": str(self.data)})
        self.data.mkdir(mode=0o700, exist_ok=True)
        write_effective(settings, self.data)
        start_system(replace(process_plan(settings, self.data), **self.plan))

    def stop(self, *, now: bool = False) -> bool:
        """Stop it; whether there was one."""
        return stop_system(self.data, now=now)

    def begin(self, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Begin a command, behind `prefix` if one is given; to be waited for with `end`."""
        command = subprocess.Popen(
            [*prefix, sys.executable, str(ROOT / "system.py"), *words, "--data", str(self.data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._commands.append(command)
        return command

    def run(self, *words: str, timeout: float = 60) -> Done:
        """Run a command to its end."""
        return end(self.begin(*words), timeout)

    def client(self) -> Client:
        """A connection to the running system."""
        return Client.connect(self.data)

    # Processes

    def pids(self) -> dict[str, int]:
        """Every living process on record."""
        return {entry.name: entry.pid for entry in running_processes(self.data)}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> Recorded:
        """Signal one process; answers which it was."""
        process = next(entry for entry in running_processes(self.data) if entry.name == name)
        assert process.send(number)
        if number == signal.SIGKILL:
            assert wait_for_exit(process, timedelta(seconds=10))
        return process

    def is_whole(self) -> bool:
        """Whether every cell is ready; only asked while the gateway can be reached."""
        with self.client() as client:
            return bool(client.control({"do": "ready"}, 5)["ready"])

    def cell(self, name: str) -> dict[str, Any]:
        """What the supervisor says of a cell."""
        with self.client() as client:
            cells: list[dict[str, Any]] = client.control({"do": "status"}, 5)["cells"]
        return next(cell for cell in cells if cell["name"] == name)

    # What is stored

    def rows(self, sql: str, *parameters: Any, of: str = "cells/*/store.db") -> list[tuple[Any, ...]]:
        """The rows of a query to every cell's store (or the rail's journals), as committed."""
        found: list[tuple[Any, ...]] = []
        for path in sorted(self.data.glob(of)):
            found += read(path, sql, *parameters)
        return found

    def number(self, sql: str, *parameters: Any, of: str = "cells/*/store.db") -> int:
        """The sum of a query's single figures."""
        return sum(int(row[0] or 0) for row in self.rows(sql, *parameters, of=of))

    def executing(self) -> int:
        """How many payments are at the bank just now."""
        return self.number(f"SELECT count(*) FROM executions WHERE state IN {AT_RAIL}")

    def statuses(self) -> Counter[str]:
        """How many payments have each status."""
        sql = "SELECT status, count(*) FROM tracker_payments GROUP BY status"
        total: Counter[str] = Counter()
        for status, number in self.rows(sql):
            total[status] += number
        return total

    def journal(self) -> dict[str, tuple[str, int]]:
        """What the rail's own journals say: payment to state and number of submissions."""
        rows = self.rows("SELECT payment_id, state, submissions FROM instructions", of="rail/*.db")
        assert len({row[0] for row in rows}) == len(rows), "a payment was instructed twice"
        return {payment_id: (state, submissions) for payment_id, state, submissions in rows}

    def violations(self) -> list[dict[str, Any]]:
        """What `verify` finds."""
        return list(verify_data(self.data)["violations"])


def end(command: subprocess.Popen[str], timeout: float = 60) -> Done:
    """Wait for a command's end."""
    out, err = command.communicate(timeout=timeout)
    return Done(command.returncode, out, err)


def read(path: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Rows of one database, which may be in use, be replaced or not be there yet."""

    def attempt() -> list[tuple[Any, ...]] | None:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
                return connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            return None

    # A store whose process was killed has to be recovered by whoever reads it first, if its log may be written.
    return eventually(lambda: _Rows(attempt()), 5).rows


@dataclass(frozen=True)
class _Rows:
    found: list[tuple[Any, ...]] | None

    def __bool__(self) -> bool:
        return self.found is not None

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        assert self.found is not None
        return self.found


# Order files


HEADER = (
    "idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency,creditor_country,"
    "creditor_date_of_birth,flow\n"
)
ACCOUNTS = tuple(f"ACC-{number}" for number in range(12))
LISTED = ("Viktor Blockov", "RU", "1966-04-12")
ALIKE = ("V. Blockov", "RU", "")
# Creditor, creditor's account, debtor's account (None: one with enough money), status, what the rail's journal says.
ORDINARY = (("Ann Example", "DE", ""), "DE89370400440532013000", None, "completed", "executed")
OUTCOMES = {  # of every hundred
    3: (LISTED, "TEST-OK-1", None, "rejected", ""),
    11: (ALIKE, "TEST-OK-2", None, "held", ""),
    17: (("Nobody's Payee", "", ""), "TEST-OK-3", "ACC-NONE", "rejected", ""),
    23: (("Large Claimant", "", ""), "TEST-OK-4", "ACC-EMPTY", "rejected", ""),
    31: (("Euro Receiver", "", ""), "TEST-OK-5", "ACC-USD", "rejected", ""),
    37: (("Rejected Seller", "", ""), "TEST-REJECT-AC04", None, "rejected", "rejected"),
    43: (("Returning Author", "", ""), "TEST-RETURN-MD07", None, "returned", "returned"),
    53: (("Lost Payee", "", ""), "TEST-LOST", None, "completed", "executed"),
    61: (("Echo Payee", "", ""), "TEST-TWICE", None, "completed", "executed"),
    71: (("Resent Payee", "", ""), "TEST-NOTRECEIVED", None, "completed", "executed"),
    79: (("Silent Payee", "", ""), "TEST-SILENT", None, "needs_attention", "unknown"),
    83: (LISTED, "TEST-OK-6", None, "rejected", ""),
}


@dataclass(frozen=True)
class OrderFile:
    """A file of good orders, and what must become of them."""

    path: Path
    statuses: Counter[str]
    by_key: dict[str, str]
    at_bank: dict[str, str]  # what the rail's journal must say; "" where it must know nothing

    @classmethod
    def write(cls, path: Path, lines: int, name: str = "K", *, special: bool = True) -> OrderFile:
        """So many orders of many accounts, both flows mixed; with `special` of every outcome."""
        by_key: dict[str, str] = {}
        at_bank: dict[str, str] = {}
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEADER)
            for number in range(lines):
                outcome = OUTCOMES.get(number % 100, ORDINARY) if special else ORDINARY
                (creditor, country, birth), account, debtor, status, bank = outcome
                flow = ("orchestrated", "choreographed")[number // 7 % 2]
                debtor = debtor or ACCOUNTS[number % len(ACCOUNTS)]
                key = f"{name}-{number}"
                by_key[key], at_bank[key] = status, bank
                file.write(f"{key},{debtor},{creditor},{account},{1 + number % 5}.00,EUR,{country},{birth},{flow}\n")
        return cls(path, Counter(by_key.values()), by_key, at_bank)


def open_accounts(system: Installation) -> None:
    """The accounts that order files are paid from."""
    path = system.data.parent / "accounts.csv"
    lines = [f"{account},EUR,100000.00,," for account in ACCOUNTS]
    lines += ["ACC-EMPTY,EUR,0,,", "ACC-USD,USD,1000.00,,"]
    path.write_text("account_id,currency,deposit,overdraft,owner\n" + "\n".join(lines) + "\n")
    done = system.run("account", "load", str(path))
    assert done.status == 0, done.err


def by_key(system: Installation) -> dict[str, str]:
    """What has become of each order, by its idempotency key."""
    claims = dict(system.rows("SELECT payment_id, idempotency_key FROM claims"))
    statuses = dict(system.rows("SELECT payment_id, status FROM tracker_payments"))
    return {key: statuses.get(payment_id, "unknown") for payment_id, key in claims.items()}


def agree(system: Installation, orders: OrderFile) -> None:
    """What the stores, the rail's own journals and `verify` say is what the file asks for, order by order."""

    def wrong() -> dict[str, tuple[str | None, str]]:
        found = by_key(system)
        return {key: (found.get(key), status) for key, status in orders.by_key.items() if found.get(key) != status}

    with contextlib.suppress(AssertionError):  # a return comes some time after the completion
        eventually(lambda: not wrong(), 15)
    assert not wrong(), "(found, expected)"
    found = by_key(system)
    assert len(found) == len(orders.by_key)
    claims = system.rows("SELECT idempotency_key, payment_id FROM claims")
    assert len({payment_id for _, payment_id in claims}) == len(claims)
    journal = system.journal()
    said = {key: journal.get(payment_id, ("", 0))[0] for key, payment_id in claims}
    assert said == orders.at_bank
    assert system.violations() == []
