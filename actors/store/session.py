"""The interface to a cell's store; every backend must behave alike (tests/contract/)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]
Parameters = Sequence[Any]


class StoreFailed(Exception):
    """The store itself failed (full, locked, broken): the whole turn is void, whatever was done in it."""


class StoreBroken(StoreFailed):
    """The store is damaged: what it says can't be trusted, and trying again would not mend it."""


class StoreLocked(StoreFailed):
    """Another program has the store's lock."""


class StoreFull(StoreFailed):
    """The disk has no room for what the turn would store; what is stored can still be read."""


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


class Sealed(NamedTuple):
    """A table whose rows are only ever added, each by one turn, whose moment stands in the column `at`.

    Whoever adds a row tells the session (`seal`). `about` names the payments that a row concerns.
    """

    table: str
    columns: tuple[str, ...]
    about: Callable[[Row], Iterable[str]] = lambda row: ()
    at: str = "at"


class Reader(Protocol):
    """Reads; inside a turn it sees the turn's own uncommitted writes."""

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row."""

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Every row, one after the other: for tables too large for memory."""


class Session(Reader, Protocol):
    """What a service's store gets: reads and writes in the turn's transaction, `?` for parameters.

    The runtime opens a savepoint at a handler's first write; a handler never begins or commits anything.
    SQL is what SQLite and PostgreSQL have in common (`INSERT … ON CONFLICT …` is).
    """

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one INSERT, UPDATE or DELETE; returns the number of rows it changed."""

    def write_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run one statement for each of `rows`."""

    def seal(self, table: str, *rows: Row) -> None:
        """Rows that were added to a sealed table, complete and in the order of its columns."""
