"""Orchestrated payments' journals out of the cells' stores: each whole, though the system may be at work meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from actors.admin.merged import between
from actors.directory import log
from actors.messaging.codec import CannotDecode, envelope_from, moment, unpack
from actors.messaging.envelope import OPERATOR, Envelope
from actors.payment.journal import Line
from actors.payment.model import State
from actors.payment.saga import PREFIX
from actors.payment.store import state_of
from actors.payment.versions import Version
from actors.store.session import Reader
from actors.store.sqlite import ConnectionReader

_KIND, _SENDER, _TARGET, _PAYMENT = (
    Envelope._fields.index(name) for name in ("kind", "sender", "target", "payment_id")
)
CHUNK: Final = 500  # payments that are read together: they share parts of the log
# Messages to a saga that it may not have taken.
_WAITING: Final = (
    "SELECT conversation FROM parked WHERE actor LIKE 'payment/%' AND conversation",
    "SELECT payment_id FROM dead_letters WHERE actor LIKE 'payment/%' AND payment_id",
    "SELECT payment_id FROM dropped_letters WHERE actor LIKE 'payment/%' AND payment_id",
)


AReader = TypeVar("AReader", bound=Reader)


@dataclass(slots=True)
class Journal:
    """Where a payment's saga stands, and the lines that it took part in, of all cells.

    `under_way`: a message to it may not have been taken. `unreadable` says which line can't be read, and why.
    """

    state: State
    version: Version
    lines: list[Line] = field(default_factory=list)
    under_way: bool = False
    unreadable: tuple[str, str] | None = None


class Begun(NamedTuple):
    """How far the cells' logs went when the reading began, and of which payments something was between cells then."""

    ends: Mapping[str, int]
    between: frozenset[str]

    @classmethod
    def now(cls, readers: Mapping[str, Reader]) -> Begun:
        """The logs first: what is sent later is behind their ends, what was sent before has come or is between."""
        ends = {cell: log.end(reader) for cell, reader in readers.items()}
        return cls(ends, frozenset(between(readers)))


def journals(readers: Mapping[str, ConnectionReader], payment_ids: Sequence[str], begun: Begun) -> dict[str, Journal]:
    """The journals of these payments, but for those that have no saga.

    Where a saga stands and what it has said are of one moment. The other cells are read after that: they have at least
    what has led there, and what is known to be newer may not have been taken.
    """
    found: dict[str, Journal] = {}
    home: dict[str, str] = {}
    for cell, reader in with_sagas(readers).items():
        with reader.at_one_moment():
            here = {payment_id: Journal(*stands) for payment_id, stands in _standing(reader, payment_ids).items()}
            home |= dict.fromkeys(here, cell)
            for payment_id in _waiting(reader, list(here)):
                here[payment_id].under_way = True
            for payment_id, offset, at, envelope in _lines(reader, list(here)):
                _add(here[payment_id], cell, offset, at, envelope)
        found |= here
    for cell, reader in readers.items():
        for payment_id, offset, at, envelope in _lines(reader, [each for each in found if home[each] != cell]):
            _add(found[payment_id], cell, offset, at, envelope)
            found[payment_id].under_way |= offset >= begun.ends[cell]
    for payment_id in begun.between & found.keys():
        found[payment_id].under_way = True
    return found


def standing(readers: Mapping[str, Reader], payment_ids: Sequence[str]) -> dict[str, tuple[State, Version]]:
    """Where the sagas of these payments stand, and the version that each runs; those that have none are left out."""
    found: dict[str, tuple[State, Version]] = {}
    for start in range(0, len(payment_ids), CHUNK):
        for reader in with_sagas(readers).values():
            found |= _standing(reader, payment_ids[start : start + CHUNK])
    return found


def _standing(reader: Reader, payment_ids: Sequence[str]) -> dict[str, tuple[State, Version]]:
    sql = (
        "SELECT payment_id, workflow, version, start, phase, step, attempt, unusual FROM sagas"
        f" WHERE payment_id IN ({_marks(payment_ids)})"
    )
    return {
        payment_id: (state_of((*row, name, number)), Version(name, number))
        for payment_id, name, number, *row in reader.all(sql, payment_ids)
    }


def with_sagas(readers: Mapping[str, AReader]) -> dict[str, AReader]:
    """The cells that have sagas: where services live apart, most have none."""
    table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sagas'"
    return {cell: reader for cell, reader in readers.items() if reader.one(table) is not None}


def _waiting(reader: Reader, payment_ids: Sequence[str]) -> set[str]:
    marks = _marks(payment_ids)
    return {row[0] for sql in _WAITING for row in reader.all(f"{sql} IN ({marks})", payment_ids)}


def _add(journal: Journal, cell: str, offset: int, at: datetime, envelope: list[Any]) -> None:
    try:
        journal.lines.append(Line((at, cell, offset), envelope_from(envelope)))
    except CannotDecode as error:
        journal.unreadable = (f"line {offset} of {cell}", str(error))


def _lines(reader: Reader, payment_ids: Sequence[str]) -> Iterator[tuple[str, int, datetime, list[Any]]]:
    """The lines that these payments' sagas took part in: payment, offset, moment, and the envelope not yet decoded."""
    if not payment_ids:
        return
    wanted = frozenset(payment_ids)
    parts = reader.each(
        "SELECT at, lines FROM log_parts WHERE part_id IN"
        f" (SELECT part_id FROM log_payments WHERE payment_id IN ({_marks(payment_ids)}))",
        payment_ids,
    )
    for at, packed in parts:
        then = moment(at)
        for line in unpack(packed):
            envelope = line[3]
            payment_id = envelope[_PAYMENT]
            if payment_id in wanted and _concerns(PREFIX + payment_id, envelope):
                yield payment_id, line[0], then, envelope


def _concerns(saga: str, envelope: list[Any]) -> bool:
    return bool(envelope[_SENDER] == saga or envelope[_TARGET] == saga or envelope[_KIND] == OPERATOR)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
