"""A cell's log: every envelope it sent, published or took in, numbered without gaps; appended once a turn.

A turn's lines are stored in parts, each holding the lines of some payments, so that one payment's timeline
reads few of them and a turn writes few rows. Each line carries its own number: a turn is read in order by
merging its parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from actors.messaging.codec import CannotDecode, envelope_from, micros, moment, pack, unpack
from actors.messaging.envelope import Envelope
from actors.runtime.service import Record
from actors.store.session import Migration, Reader, Row, Sealed, Session

PART_LINES: Final = 512  # lines in a part, about: what a timeline has to decode to find its own
PARTS_PER_TURN: Final = 1 << 12

MIGRATIONS = (
    Migration(
        "log",
        1,
        (
            "CREATE TABLE log_parts (part_id INTEGER PRIMARY KEY, first_offset INTEGER NOT NULL,"
            " last_offset INTEGER NOT NULL, at INTEGER NOT NULL, lines BLOB NOT NULL)",
            "CREATE INDEX log_offsets ON log_parts (last_offset)",
            "CREATE TABLE log_payments (payment_id TEXT NOT NULL, part_id INTEGER NOT NULL,"
            " PRIMARY KEY (payment_id, part_id)) WITHOUT ROWID",
        ),
    ),
)


def _payments_of(part: Row) -> set[str]:
    """The payments in a part; none where it can't be read any more."""
    try:
        return {str(line[3][_PAYMENT]) for line in unpack(part[4])} - {""}
    except (CannotDecode, TypeError, ValueError, LookupError):
        return set()


SEALED: Final = Sealed("log_parts", ("part_id", "first_offset", "last_offset", "at", "lines"), _payments_of)


def append(session: Session, turn: int, now: datetime, records: list[Record]) -> None:
    """Store one turn's lines. `turn` is the turn's number, which no other turn ever has."""
    by_payment: dict[str, list[Line]] = {}
    for offset, _, envelope, progress, receivers in records:
        line = (offset, progress, receivers, envelope)
        lines = by_payment.get(envelope.payment_id)
        if lines is None:
            by_payment[envelope.payment_id] = [line]
        else:
            lines.append(line)
    at = micros(now)
    parts: list[tuple[int, object, object, int, bytes]] = []
    index: list[tuple[str, int]] = []
    part: list[Line] = []
    part_id = turn * PARTS_PER_TURN
    for payment_id, lines in by_payment.items():
        part += lines
        if payment_id:
            index.append((payment_id, part_id))
        if len(part) >= PART_LINES and part_id % PARTS_PER_TURN < PARTS_PER_TURN - 1:
            parts.append(_part(part_id, part, at))
            part, part_id = [], part_id + 1
    if part:
        parts.append(_part(part_id, part, at))
    session.write_many("INSERT INTO log_parts VALUES (?, ?, ?, ?, ?)", parts)
    session.seal(SEALED.table, *parts)
    session.write_many("INSERT INTO log_payments VALUES (?, ?)", index)


def end(reader: Reader) -> int:
    """The offset that the next line will get; the first line ever has 1."""
    row = reader.one("SELECT max(last_offset) FROM log_parts")
    return (row[0] if row and row[0] is not None else 0) + 1


def last_turn(reader: Reader) -> int:
    """The number of the newest turn that wrote a line; 0 when none has."""
    row = reader.one("SELECT max(part_id) FROM log_parts")
    return int(row[0]) // PARTS_PER_TURN if row and row[0] is not None else 0


def read(reader: Reader, from_offset: int, limit: int) -> list[Record]:
    """Up to `limit` lines in order, beginning with `from_offset`."""
    records: list[Record] = []
    for lines in _turns(reader, from_offset):
        records += [_record(line, moment(at)) for at, line in lines[: limit - len(records)]]
        if len(records) >= limit:
            break
    return records


def timeline(reader: Reader, payment_id: str) -> list[Record]:
    """Every line of one payment in order."""
    rows = reader.all(
        "SELECT at, lines FROM log_payments JOIN log_parts USING (part_id) WHERE payment_id = ? ORDER BY part_id",
        (payment_id,),
    )
    return sorted(
        (_record(line, moment(at)) for at, lines in rows for line in unpack(lines) if line[3][_PAYMENT] == payment_id),
        key=lambda record: record.offset,
    )


Line = tuple[int, str | None, tuple[str, ...], Envelope]  # offset, progress, receivers, what was sent
_PAYMENT: Final = Envelope._fields.index("payment_id")


def _turns(reader: Reader, from_offset: int) -> Iterator[list[tuple[int, list[Any]]]]:
    """Turn by turn the lines from `from_offset` on, in order, not yet decoded, each with its moment."""
    row = reader.one(
        "SELECT part_id FROM log_parts WHERE last_offset >= ? ORDER BY last_offset LIMIT 1", (from_offset,)
    )
    turn = int(row[0]) // PARTS_PER_TURN if row else None
    while turn is not None:
        first = turn * PARTS_PER_TURN
        parts = reader.all(
            "SELECT at, lines FROM log_parts WHERE part_id >= ? AND part_id < ?", (first, first + PARTS_PER_TURN)
        )
        yield sorted(
            ((at, line) for at, lines in parts for line in unpack(lines) if line[0] >= from_offset),
            key=lambda each: int(each[1][0]),
        )
        row = reader.one("SELECT min(part_id) FROM log_parts WHERE part_id >= ?", (first + PARTS_PER_TURN,))
        turn = int(row[0]) // PARTS_PER_TURN if row and row[0] is not None else None


def _part(part_id: int, lines: list[Line], at: int) -> tuple[int, int, int, int, bytes]:
    offsets = [line[0] for line in lines]
    return part_id, min(offsets), max(offsets), at, pack(lines)


def _record(line: list[Any], at: datetime) -> Record:
    offset, progress, receivers, envelope = line
    try:
        return Record(offset, at, envelope_from(envelope), progress, tuple(receivers))
    except CannotDecode as error:
        raise CannotDecode(f"line {offset} of the log: {error}") from error
