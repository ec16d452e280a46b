"""Which versions of workflows payments run, and which payments still need one. Reads only; knows no screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from actors.payment.definition import Workflow
from actors.payment.model import CANCELLED, COMPLETED, REJECTED, RETURNED
from actors.store.session import Reader

_AT_ONCE: Final = 500  # ids in one statement
ENDED: Final = (COMPLETED, REJECTED, CANCELLED, RETURNED)  # what is late for these, any version of the name takes
_LIVE: Final = f"phase NOT IN ({', '.join(repr(phase) for phase in ENDED)})"


# What is seen of accepted payments that may not have begun, as id, workflow and version; True: with those, too, to
# which a person is called. Sagas know nothing of them; the tracker does.
Accepted = Callable[[Reader, bool], Sequence[tuple[str, str, int]]]


class Version(NamedTuple):
    """A workflow by its name and version; as text `debit-first@2`."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


class BadVersion(ValueError):
    """A text that names no version of a workflow; the message is a sentence."""


def version_in(text: str) -> Version:
    """The version that a text names.

    >>> version_in("debit-first@2")
    Version(name='debit-first', number=2)

    Raises:
        BadVersion: it names none.
    """
    name, at, number = text.rpartition("@")
    if not at or not name or not number.isdecimal() or not int(number):
        raise BadVersion(f"{text[:60]!r} is no version of a workflow; write it as NAME@V, such as debit-first@1")
    return Version(name, int(number))


def newest(workflows: Iterable[Workflow], name: str) -> Workflow | None:
    """The newest version of a workflow, or None where none has that name."""
    versions = [each for each in workflows if each.name == name]
    return max(versions, key=lambda each: each.version, default=None)


def recorded(reader: Reader) -> set[Version]:
    """The versions that living sagas of this store may run: those of the program that served it last."""
    if not _has(reader, "sagas"):
        return set()
    source = "saga_versions" if _has(reader, "saga_versions") else "sagas"
    return {Version(*row) for row in reader.all(f"SELECT DISTINCT workflow, version FROM {source}")}


def needed(reader: Reader) -> dict[Version, int]:
    """How many payments that have not ended run each version."""
    if not _has(reader, "sagas"):
        return {}
    rows = reader.all(f"SELECT workflow, version, count(*) FROM sagas WHERE {_LIVE} GROUP BY workflow, version")
    return {Version(name, number): count for name, number, count in rows}


def living(reader: Reader, payment_ids: Sequence[str]) -> int:
    """How many of these payments have a saga that has not ended."""
    if not _has(reader, "sagas"):
        return 0
    number = 0
    for at in range(0, len(payment_ids), _AT_ONCE):
        some = payment_ids[at : at + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        row = reader.one(f"SELECT count(*) FROM sagas WHERE payment_id IN ({marks}) AND {_LIVE}", some)
        number += row[0] if row else 0
    return number


def census(reader: Reader) -> tuple[dict[Version, int], dict[str, int]]:
    """Payments under way by version, and ended ones by the name of their workflow; looks at each saga once."""
    under_way: dict[Version, int] = {}
    ended: dict[str, int] = {}
    if _has(reader, "sagas"):
        sql = f"SELECT workflow, version, {_LIVE}, count(*) FROM sagas GROUP BY 1, 2, 3"
        for name, number, lives, count in reader.all(sql):
            if lives:
                under_way[Version(name, number)] = count
            else:
                ended[name] = ended.get(name, 0) + count
    return under_way, ended


def who_needs(reader: Reader, version: Version, limit: int, accepted: Accepted) -> list[str]:
    """The first of the payments that have not ended and run this version, or will."""
    rows: Sequence[Any] = ()
    if _has(reader, "sagas"):
        rows = reader.all(
            f"SELECT payment_id FROM sagas WHERE workflow = ? AND version = ? AND {_LIVE} ORDER BY payment_id LIMIT ?",
            (*version, limit),
        )
    waiting = not_begun({"": reader}, accepted).get(version, {}).get("", [])
    return sorted([row[0] for row in rows] + waiting)[:limit]


def lacking(
    readers: Mapping[str, Reader], workflows: Mapping[tuple[str, int], Any], accepted: Accepted
) -> dict[Version, dict[str, int]]:
    """Versions that live payments need and `workflows` lacks, with the number in each cell. Mostly reads a few rows."""
    found: dict[Version, dict[str, int]] = {}
    suspect = {}
    for cell, reader in readers.items():
        known = recorded(reader)
        if known and known <= set(workflows):
            continue  # whatever the last program began or took in, this one has
        suspect[cell] = reader
        for version, payments in needed(reader).items():
            if version not in workflows:
                found.setdefault(version, {})[cell] = payments
    for version, cells in not_begun(suspect, accepted).items():
        if version not in workflows:
            for cell, payment_ids in cells.items():
                there = found.setdefault(version, {})
                there[cell] = there.get(cell, 0) + len(payment_ids)
    return found


def not_begun(readers: Mapping[str, Reader], accepted: Accepted) -> dict[Version, dict[str, list[str]]]:
    """Accepted payments by version and cell that no saga of these stores knows: what begins them waits somewhere.

    Payment is paused, a message is between two cells or waits for another try: `accepted` has seen the order, wherever
    it is. Where sagas live in another store than it is seen in, those that a person has been called to are not looked
    at: most have one, and count there.
    """
    found: dict[Version, dict[str, list[str]]] = {}
    for cell, reader in readers.items():
        rows = accepted(reader, bool(recorded(reader)))
        begun = _begun(readers.values(), [row[0] for row in rows])
        for payment_id, name, number in rows:
            if payment_id not in begun:
                found.setdefault(Version(name, number), {}).setdefault(cell, []).append(payment_id)
    return found


def _begun(readers: Iterable[Reader], payment_ids: Sequence[str]) -> set[str]:
    begun: set[str] = set()
    for reader in readers:
        if not _has(reader, "sagas"):
            continue
        for at in range(0, len(payment_ids), _AT_ONCE):
            some = payment_ids[at : at + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            begun |= {row[0] for row in reader.all(f"SELECT payment_id FROM sagas WHERE payment_id IN ({marks})", some)}
    return begun


def _has(reader: Reader, table: str) -> bool:
    return reader.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)) is not None
