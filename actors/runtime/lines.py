"""Lines of a cell's log on their way to an observer in another cell: with the link's guarantees, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from actors.messaging.codec import envelope_from, micros, moment, pack, unpack
from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.system_messages import LinesSeen
from actors.runtime.service import Record

LINES: Final = 256  # in one envelope


def seen(observer: str, cell: str, records: Iterable[Record]) -> Iterator[Envelope]:
    """The lines about payments as envelopes to the observer, each with some of them."""
    lines = [_line(record) for record in records if record.envelope.payment_id]
    for start in range(0, len(lines), LINES):
        part = lines[start : start + LINES]
        yield Envelope(f"lines/{cell}/{part[0][0]}", LinesSeen(lines=pack(part)), TIMER, cell, observer)


def records_in(message: LinesSeen) -> list[Record]:
    """The lines as the observer gets them.

    Raises:
        CannotDecode: a line is of a message that this program doesn't know.
    """
    return [_record(line) for line in unpack(message.lines)]


def pack_record(record: Record) -> bytes:
    """One line as bytes."""
    return pack(_line(record))


def unpack_record(data: bytes) -> Record:
    """The inverse of `pack_record`.

    Raises:
        CannotDecode: it is of a message that this program doesn't know.
    """
    return _record(unpack(data))


def _line(record: Record) -> tuple[Any, ...]:
    offset, at, envelope, progress, receivers = record
    return offset, micros(at), progress, receivers, envelope


def _record(line: list[Any]) -> Record:
    offset, at, progress, receivers, envelope = line
    return Record(offset, moment(at), envelope_from(envelope), progress, tuple(receivers))
