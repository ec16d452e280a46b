"""The interface to a cell's store; every backend must behave alike (tests/contract/)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = tuple[Any, ...]
Parameters = Sequence[Any]


class StoreFailed(Exception):
    """The store itself failed (full, locked, broken): the whole turn is void, whatever was done in it."""


class StatementFailed(Exception):
    """One statement was wrong (a programming error); the transaction around it stands."""


class StoreRefused(Exception):
    """The store can't be opened; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered change of a component's tables: `statements` run once, in order, in one transaction."""

    component: str
    version: int
    statements: tuple[str, ...]


class Reader(Protocol):
    """Reads; inside a turn it sees the turn's own uncommitted writes."""

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row."""


class Session(Reader, Protocol):
    """What a service's store gets: reads and writes in the turn's transaction, `?` for parameters.

    The runtime opens a savepoint at a handler's first write; a handler never begins or commits anything.
    SQL is what SQLite and PostgreSQL have in common (`INSERT … ON CONFLICT …` is).
    """

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one INSERT, UPDATE or DELETE; returns the number of rows it changed."""

    def write_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run one statement for each of `rows`."""
