"""The stores of services that live apart, read as one: a copy of what checks look at, and what is between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from actors.messaging.codec import CannotDecode, envelope_from, unpack
from actors.messaging.system_messages import LinesSeen
from actors.runtime.lines import records_in
from actors.store.session import Reader
from actors.store.sqlite import ConnectionReader

# What rules about a payment as a whole speak of; each table has its rows in the cells of one service.
TABLES: Final = (
    "accounts", "aml_cases", "aml_screenings", "approvals", "credits", "debits", "execution_attempts", "executions",
    "limit_checks", "limit_days", "orders", "postings", "returns", "sagas", "timers", "tracker_counts",
    "tracker_payments", "rail.instructions",
)  # fmt: skip


# What waits behind a message that is tried again has no moment either, but the first of them has.
_KEPT: Final = """SELECT conversation FROM parked
    WHERE due IS NULL AND seq IN (SELECT min(seq) FROM parked GROUP BY actor, conversation)"""


class MergedReader(ConnectionReader):
    """A `Reader` over the rows of several cells, as they were when it was made."""

    def __init__(self, readers: Iterable[Reader]) -> None:
        """Copy from `readers`, each in a transaction, with its cell's journal of the rail attached as `rail`."""
        super().__init__(sqlite3.connect(":memory:", isolation_level=None))
        self._connection.execute("ATTACH ':memory:' AS rail")
        for reader in readers:
            for table in TABLES:
                self._copy(reader, table)

    def _copy(self, reader: Reader, table: str) -> None:
        schema, _, name = table.rpartition(".")
        schema = schema or "main"
        made = reader.one(f"SELECT sql FROM {schema}.sqlite_master WHERE type = 'table' AND name = ?", (name,))
        if made is None:  # a cell that has just been made
            return
        run = self._connection.execute
        if not run(f"SELECT 1 FROM {schema}.sqlite_master WHERE name = ?", (name,)).fetchone():
            run(made[0].replace(f"CREATE TABLE {name}", f"CREATE TABLE {schema}.{name}", 1))
        rows = reader.all(f"SELECT * FROM {schema}.{name}")
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {schema}.{name} VALUES ({marks})", rows)


def between(cells: Mapping[str, Reader]) -> set[str]:
    """Payments of which something has left one cell and not reached another: what these know of them differs, rightly.

    The messages of all rooms must have been loaded.
    """
    taken = {
        (peer, cell): last_in
        for cell, reader in cells.items()
        for peer, last_in in reader.all("SELECT peer, last_in FROM links_state")
    }
    found: set[str] = set()
    for cell, reader in cells.items():
        for peer, number, packed in reader.all("SELECT peer, number, envelope FROM links_out"):
            if number > taken.get((cell, peer), 0):
                found |= _payments_in(packed)
    return found


def kept_back(cells: Iterable[Reader]) -> set[str]:
    """Payments of which a message waits until somebody resumes what is paused: what services know differs, rightly."""
    found: set[str] = set()
    for reader in cells:
        found |= {row[0] for row in reader.all(_KEPT)}
        if reader.one("SELECT 1 FROM sqlite_master WHERE name = 'saga_inbox'"):
            found |= {row[0] for row in reader.all("SELECT DISTINCT payment_id FROM saga_inbox")}
    return found


def _payments_in(packed: bytes) -> set[str]:
    try:
        envelope = envelope_from(unpack(packed))
        if isinstance(envelope.message, LinesSeen):
            return {record.envelope.payment_id for record in records_in(envelope.message)}
    except CannotDecode:
        return set()
    return {envelope.payment_id}
