"""The limit: what SQLite alone does with a payment's rows on this disk, committed in batches as a turn does."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

BATCH: Final = 256
ACCOUNTS: Final = 1_000


def bare_sql(path: Path, payments: int, synchronous: str = "FULL") -> float:
    """Payments a second for one balance update, two postings and one state row each, in batches of 256."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE balances (account TEXT PRIMARY KEY, posted INTEGER NOT NULL) WITHOUT ROWID")
    connection.execute("CREATE TABLE postings (id INTEGER PRIMARY KEY, account TEXT, payment TEXT, amount INTEGER)")
    connection.execute("CREATE TABLE states (payment TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID")
    connection.executemany("INSERT INTO balances VALUES (?, 0)", [(f"A{number}",) for number in range(ACCOUNTS)])
    began = time.perf_counter()
    for first in range(0, payments, BATCH):
        connection.execute("BEGIN IMMEDIATE")
        for number in range(first, min(first + BATCH, payments)):
            account, payment = f"A{number % ACCOUNTS}", f"P{number:012d}"
            connection.execute("UPDATE balances SET posted = posted - ? WHERE account = ?", (100, account))
            connection.execute(
                "INSERT INTO postings (account, payment, amount) VALUES (?, ?, -100)", (account, payment)
            )
            connection.execute("INSERT INTO postings (account, payment, amount) VALUES ('C', ?, 100)", (payment,))
            connection.execute("INSERT INTO states VALUES (?, 'completed')", (payment,))
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return payments / took
