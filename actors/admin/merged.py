"""The stores of services that live apart, read as one: a copy in memory of what checks look at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from actors.store.session import Parameters, Row, StoreRefused

# What rules about a payment as a whole speak of; each table has its rows in the cells of one service.
TABLES: Final = (
    "accounts", "aml_cases", "aml_screenings", "debits", "executions", "orders", "postings", "returns",
    "tracker_payments",
)  # fmt: skip


class MergedReader:
    """A `Reader` over the rows of several cells."""

    def __init__(self, stores: Iterable[Path], journals: Iterable[Path], schema: str) -> None:
        """Copy the tables of `stores`, and as `rail.instructions` what the rail's `journals` hold.

        Raises:
            StoreRefused: one can't be read.
        """
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute("ATTACH ':memory:' AS rail")
        self._connection.execute(schema.replace("IF NOT EXISTS instructions", "rail.instructions"))
        for path in stores:
            self._copy(path, "main", TABLES)
        for path in journals:
            self._copy(path, "rail", ("instructions",))

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._connection.execute(sql, parameters).fetchone()
        return row

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row."""
        return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Forget the copy."""
        self._connection.close()

    def _copy(self, path: Path, into: str, tables: Iterable[str]) -> None:
        run = self._connection.execute
        try:
            run("ATTACH ? AS cell", (f"{path.as_uri()}?mode=ro",))
            run("BEGIN")  # every table as it was at the first
            for table in tables:
                made = run("SELECT sql FROM cell.sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
                if made is None:  # a cell that has just been made
                    continue
                if not run(f"SELECT 1 FROM {into}.sqlite_master WHERE name = ?", (table,)).fetchone():
                    run(made[0].replace("CREATE TABLE", f"CREATE TABLE {into}.", 1).replace(f"{into}. ", f"{into}."))
                run(f"INSERT INTO {into}.{table} SELECT * FROM cell.{table}")
            run("COMMIT")
            run("DETACH cell")
        except sqlite3.Error as error:
            raise StoreRefused(f"the store {path} can't be read ({error})") from error
