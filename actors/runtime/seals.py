"""Seals: a hash chain over what is only ever added to (the log, the ledger's postings), one link a turn.

A changed, removed or added row breaks it, and so does a changed or removed link. Each link holds, for every sealed
table, how many rows the turn added and the sum of their hashes: a sum, so that neither order nor a further index is
needed to check it. Rows belong to a link by their moment, `at`, which is that of the turn.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgpack

from actors.messaging.codec import micros, moment
from actors.store.head import Head
from actors.store.session import Migration, Reader, Sealed, StatementFailed, StoreBroken, StoreFailed
from actors.store.sqlite import SqliteSession

MIGRATIONS: Final = (
    Migration(
        "seals",
        1,
        (
            "CREATE TABLE seals (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, rows BLOB NOT NULL,"
            " digest BLOB NOT NULL)",
        ),
    ),
)
START: Final = bytes(32)  # what the first link hangs on
ADOPTED: Final = 0  # the number of the link for rows that were there before there were seals
_MODULUS: Final = 1 << 128

Sums = dict[str, tuple[int, int]]  # table to number of rows and sum of their hashes


class Broken(NamedTuple):
    """A place where what is stored is not what was sealed. `payment_id` where it can be told."""

    text: str
    payment_id: str | None = None


class Checked(NamedTuple):
    """What a check of the chain has come to: how many rows it has seen, and what is wrong."""

    rows: int
    broken: list[Broken]


class Seals:
    """The chain of one cell as its turns carry it on."""

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._last = (ADOPTED, START)
        self._next: tuple[int, bytes] | None = None
        self.head: Head | None = None  # where the end of the chain is noted, outside the store

    def open(self) -> None:
        """Read where the chain ends (inside a transaction)."""
        row = self._session.one("SELECT number, digest FROM seals ORDER BY number DESC LIMIT 1")
        self._last, self._next = (row[0], row[1]) if row else (ADOPTED, START), None

    def adopt(self, tables: Iterable[Sealed]) -> None:
        """Seal what an older program has stored unsealed (inside a transaction); once."""
        if self._session.one("SELECT 1 FROM seals LIMIT 1") is not None:
            return
        self.open()
        sums, newest = Sums(), 0
        for table in tables:
            for at, group in _by_moment(self._session, table).items():
                newest = max(newest, at)
                sums[table.table] = _plus(sums.get(table.table, (0, 0)), group)
        if sums:
            self._add(ADOPTED, newest, sums)
            self.open()

    def write(self, now: datetime) -> None:
        """Seal the rows that the turn has added; called once, before the commit."""
        added = {table: rows for table, rows in self._session.take_sealed().items() if rows}
        if not added:
            return
        sums = Sums()
        pack, sha256, as_number = msgpack.packb, hashlib.sha256, int.from_bytes
        for table, rows in added.items():
            total = 0
            for row in rows:
                total += as_number(sha256(pack(row)).digest()[:16])
            sums[table] = (len(rows), total % _MODULUS)
        self._next = self._add(self._last[0] + 1, micros(now), sums)

    def committed(self) -> None:
        """The turn is durable: its link is the chain's end, and noted as such outside the store."""
        if self._next is not None:
            self._last, self._next = self._next, None
            if self.head is not None:
                self.head.note(*self._last)

    def _add(self, number: int, at: int, sums: Sums) -> tuple[int, bytes]:
        rows = _packed(sums)
        digest = _link(self._last[1], number, at, rows)
        self._session.write("INSERT INTO seals VALUES (?, ?, ?, ?)", (number, at, rows, digest))
        return number, digest


def check(reader: Reader, tables: Iterable[Sealed], head: tuple[int, bytes] | None) -> Checked:
    """Follow the chain from its start, and hold every sealed row against it.

    `head` is the chain's end as noted outside the store: what is stored may be newer, and never older.
    """
    by_name = {table.table: table for table in tables}
    broken: list[Broken] = []
    sealed: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in by_name}
    adopted_at = _follow(reader, head, sealed, broken)
    seen = 0
    for name, table in by_name.items():
        try:
            found = _by_moment(reader, table, adopted_at)
        except StoreBroken:
            raise
        except (sqlite3.OperationalError, StatementFailed, StoreFailed) as error:  # such as text that is none
            broken.append(Broken(f"{name} can't be read ({error})"))
            continue
        seen += sum(count for count, _ in found.values())
        for at in sorted(found.keys() | sealed[name].keys()):
            if found.get(at, (0, 0)) != sealed[name].get(at, (0, 0)):
                numbers = found.get(at, (0, 0))[0], sealed[name].get(at, (0, 0))[0]
                broken.append(_difference(reader, table, at, numbers, adopted_at))
    return Checked(seen, broken)


def end_of_chain(reader: Reader) -> tuple[int, bytes]:
    """Number and digest of the newest link."""
    row = reader.one("SELECT number, digest FROM seals ORDER BY number DESC LIMIT 1")
    return (row[0], row[1]) if row else (ADOPTED, START)


def lost_since(reader: Reader, head: tuple[int, bytes]) -> str | None:
    """What of the chain up to `head` is not in the store, as part of a sentence; None when all is there."""
    number, digest = head
    if digest == START:
        return None
    row = reader.one("SELECT digest FROM seals WHERE number = ?", (number,))
    if row is not None:
        return None if row[0] == digest else f"turn {number} is not the one that was committed"
    missing = number - end_of_chain(reader)[0]
    if missing < 1:
        return "turns that were committed are missing"
    return f"the last {missing} turns are missing" if missing > 1 else "the last turn is missing"


def _follow(
    reader: Reader, head: tuple[int, bytes] | None, sealed: dict[str, dict[int, tuple[int, int]]], broken: list[Broken]
) -> int:
    """Check the links themselves, and sum up what they say; the moment up to which rows were adopted."""
    adopted_at, expected, before = -1, None, START
    for number, stored_at, rows, digest in reader.all("SELECT number, at, rows, digest FROM seals ORDER BY number"):
        if expected is None and number not in (ADOPTED, ADOPTED + 1):
            broken.append(Broken(f"the seals before number {number} are missing"))
        elif expected is not None and number != expected:
            broken.append(Broken(f"{number - expected} seals before number {number} are missing"))
        elif _link(before, number, stored_at, rows) != digest:
            broken.append(Broken(f"the seal of turn {number} ({_when(stored_at)}) was changed"))
        at = stored_at if type(stored_at) is int else -1
        if number == ADOPTED:
            adopted_at = at
        for name, group in _unpacked(rows).items():
            moments = sealed.setdefault(name, {})
            moments[at] = _plus(moments.get(at, (0, 0)), group)
        expected, before = number + 1, digest
    if head is not None and (lost := lost_since(reader, head)) is not None:
        broken.append(Broken(lost))
    return adopted_at


def _by_moment(reader: Reader, table: Sealed, adopted_at: int = -1) -> dict[int, tuple[int, int]]:
    """Number of rows and sum of hashes for each moment; what was adopted counts as of one moment."""
    counts: defaultdict[int, int] = defaultdict(int)
    totals: defaultdict[int, int] = defaultdict(int)
    where = table.columns.index(table.at)
    pack, sha256, as_number = msgpack.packb, hashlib.sha256, int.from_bytes
    for row in reader.each(f"SELECT {', '.join(table.columns)} FROM {table.table}"):
        at = max(row[where], adopted_at) if type(row[where]) is int else adopted_at
        counts[at] += 1
        totals[at] += as_number(sha256(pack(row)).digest()[:16])
    return {at: (count, totals[at] % _MODULUS) for at, count in counts.items()}


def _difference(reader: Reader, table: Sealed, at: int, numbers: tuple[int, int], adopted_at: int) -> Broken:
    """One moment's rows are not those that were sealed: say what, and about whom."""
    stored, sealed = numbers
    condition = "<=" if at == adopted_at else "="
    rows = reader.all(f"SELECT {', '.join(table.columns)} FROM {table.table} WHERE {table.at} {condition} ?", (at,))
    what = f"{table.table} of {_when(at)}"
    if not sealed:
        text = f"{what}: {_rows(stored)} that no turn has written"
    elif stored < sealed:
        text = f"{what}: {_rows(sealed - stored)} of {sealed} removed"
    elif stored > sealed:
        text = f"{what}: {_rows(stored - sealed)} added to the {sealed} that were written"
    else:
        text = f"{what}: not as written ({_rows(sealed)})"
    concerned = sorted({each for row in rows for each in table.about(row)})
    if len(concerned) > 1:
        text += f"; the payments of that turn are {', '.join(concerned[:3])}{', …' if len(concerned) > 3 else ''}"
    return Broken(text, concerned[0] if len(concerned) == 1 else None)


def _when(at: Any) -> str:
    try:
        return moment(at).isoformat()
    except (OverflowError, TypeError, ValueError):
        return f"the impossible moment {at}"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], (one[1] + other[1]) % _MODULUS


def _link(before: bytes, number: int, at: int, rows: bytes) -> bytes:
    return hashlib.sha256(before + msgpack.packb((number, at, rows))).digest()


def _packed(sums: Sums) -> bytes:
    entries = [(name, count, total.to_bytes(16, "big")) for name, (count, total) in sorted(sums.items())]
    packed: bytes = msgpack.packb(entries)
    return packed


def _unpacked(rows: Any) -> Sums:
    try:
        return {str(name): (int(count), int.from_bytes(total, "big")) for name, count, total in msgpack.unpackb(rows)}
    except (ValueError, TypeError, msgpack.UnpackException):
        return {}  # its link was found broken
