"""`workflow check`: the journals of a data directory's orchestrated payments, replayed by as many processes as help."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.admin.merged import between
from actors.admin.reading import Reading
from actors.messaging.codec import CannotDecode, envelope_from, moment, unpack
from actors.messaging.envelope import OPERATOR, Envelope
from actors.payment.model import State
from actors.payment.replay import INCOMPLETE, NOT_REPLAYED, UNREADABLE, Difference, Line, Workflows, replay, story
from actors.payment.saga import PREFIX
from actors.payment.store import state_of
from actors.payment.versions import Version
from actors.store.session import Reader

CHUNK: Final = 500  # payments that are read together: they share parts of the log
WORTH_A_PROCESS: Final = 3_000  # payments; for fewer the start of a process takes longer than it saves
LOOKS: Final = 3  # at what seems to differ while the system runs: the stores are not read at one moment
PAUSE_SECONDS: Final = 0.5

_MESSAGE_ID, _KIND, _SENDER, _TARGET, _PAYMENT = (
    Envelope._fields.index(name) for name in ("message_id", "kind", "sender", "target", "payment_id")
)


class Found(NamedTuple):
    """A payment whose journal the code at hand does not follow."""

    payment_id: str
    version: Version
    difference: Difference


@dataclass(slots=True)
class Checked:
    """What came of it: payments replayed by version, those that differ, and those that can't be replayed."""

    replayed: Counter[Version] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)

    @property
    def differing(self) -> list[Found]:
        """Those that would now behave differently."""
        return [each for each in self.found if each.difference.kind not in NOT_REPLAYED]

    @property
    def not_replayed(self) -> list[Found]:
        """Those of which this can't be said."""
        return [each for each in self.found if each.difference.kind in NOT_REPLAYED]

    def add(self, other: Checked) -> None:
        """Take in what another part of the work came to."""
        self.replayed += other.replayed
        self.found += other.found


def payments(
    reading: Reading, name: str | None = None, version: int | None = None, limit: int | None = None
) -> list[str]:
    """The orchestrated payments of a data directory, the newest `limit`, in the order of their ids."""
    conditions = {"workflow = ?": name, "version = ?": version}
    where = " AND ".join(each for each, value in conditions.items() if value is not None)
    sql = f"SELECT payment_id FROM sagas{' WHERE ' if where else ''}{where} ORDER BY payment_id DESC"
    parameters = [value for value in conditions.values() if value is not None]
    if limit is not None:
        sql, parameters = f"{sql} LIMIT ?", [*parameters, limit]
    ids = [row[0] for reader in _with_sagas(reading.readers).values() for row in reader.all(sql, parameters)]
    return sorted(sorted(ids)[-limit:] if limit is not None else ids)


def check(
    reading: Reading,
    payment_ids: Sequence[str],
    moved: Callable[[int], None],
    *,
    running: bool,
    workflows: Workflows | None = None,
) -> Checked:
    """Replay these payments; `running` says that the system may be at work meanwhile.

    `workflows` are those of the program unless given, and then this process does all of it.
    """
    waiting = _waiting(reading.readers)
    chunks = [payment_ids[at : at + CHUNK] for at in range(0, len(payment_ids), CHUNK)]
    checked = Checked()
    processes = min(os.cpu_count() or 1, len(payment_ids) // WORTH_A_PROCESS, len(chunks))
    if processes > 1 and workflows is None:
        parts: Iterable[Checked] = _in_processes(reading.data, chunks, waiting, processes)
    else:
        parts = (_check(reading.readers, chunk, waiting, workflows or _shipped()) for chunk in chunks)
    for part in parts:
        checked.add(part)
        moved(part.replayed.total() + len(part.found))
    for _ in range(LOOKS if running else 0):
        if not checked.differing:
            break
        _look_again(reading, checked, workflows or _shipped())
    checked.found.sort()
    return checked


def _look_again(reading: Reading, checked: Checked, workflows: Workflows) -> None:
    time.sleep(PAUSE_SECONDS)
    again = [each.payment_id for each in checked.differing]
    checked.found = checked.not_replayed
    waiting = _waiting(reading.readers)
    for at in range(0, len(again), CHUNK):
        checked.add(_check(reading.readers, again[at : at + CHUNK], waiting, workflows))


def _in_processes(
    data: Path, chunks: Sequence[Sequence[str]], waiting: frozenset[str], processes: int
) -> Iterator[Checked]:
    """Spread over processes that are started afresh: what was forked from one with threads could hang."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(str(data), waiting)) as pool:
        parts: list[Future[Checked]] = [pool.submit(_check_part, chunk) for chunk in chunks]
        for part in as_completed(parts):
            yield part.result()


_mine: dict[str, Any] = {}  # of a process that checks: its readers, and what waits


def _begin(data: str, waiting: frozenset[str]) -> None:
    from actors.assembly import load_messages

    load_messages()
    _mine.update(reading=Reading.open(Path(data)), waiting=waiting)


def _check_part(chunk: Sequence[str]) -> Checked:
    return _check(_mine["reading"].readers, chunk, _mine["waiting"], _shipped())


def _shipped() -> Workflows:
    from actors.payment.workflow import WORKFLOWS

    return WORKFLOWS


def _check(
    readers: Mapping[str, Reader], payment_ids: Sequence[str], waiting: frozenset[str], workflows: Workflows
) -> Checked:
    checked = Checked()
    # What is stored first: a journal that is read later has at least what led there.
    standing = _standing(readers, payment_ids)
    lines, unreadable = _lines(readers, payment_ids)
    for payment_id, (state, version) in standing.items():
        difference = unreadable.get(payment_id)
        if difference is None:
            told = story(PREFIX + payment_id, lines.get(payment_id, ()))
            if told is None:
                difference = Difference(INCOMPLETE, "", "its beginning, or a cause, is missing", "")
            else:
                difference = replay(workflows, state.order, told, state, under_way=payment_id in waiting)
        if difference is None:
            checked.replayed[version] += 1
        else:
            checked.found.append(Found(payment_id, version, difference))
    return checked


def standing(reading: Reading, payment_ids: Sequence[str]) -> dict[str, tuple[State, Version]]:
    """Where the sagas of these payments stand, and the version that each runs; those that have none are left out."""
    found: dict[str, tuple[State, Version]] = {}
    for start in range(0, len(payment_ids), CHUNK):
        found |= _standing(reading.readers, payment_ids[start : start + CHUNK])
    return found


def _standing(readers: Mapping[str, Reader], payment_ids: Sequence[str]) -> dict[str, tuple[State, Version]]:
    sql = (
        "SELECT payment_id, workflow, version, start, phase, step, attempt, unusual FROM sagas"
        f" WHERE payment_id IN ({', '.join('?' * len(payment_ids))})"
    )
    return {
        payment_id: (state_of((*row, name, number)), Version(name, number))
        for reader in _with_sagas(readers).values()
        for payment_id, name, number, *row in reader.all(sql, payment_ids)
    }


def _lines(
    readers: Mapping[str, Reader], payment_ids: Sequence[str]
) -> tuple[dict[str, list[Line]], dict[str, Difference]]:
    """The lines of these payments that their sagas took part in, from all cells; and what can't be read."""
    lines: dict[str, list[Line]] = {payment_id: [] for payment_id in payment_ids}
    unreadable: dict[str, Difference] = {}
    for cell, reader in readers.items():
        for at, line in _raw_lines(reader, payment_ids):
            envelope = line[3]
            payment_id = envelope[_PAYMENT]
            if payment_id not in lines or not _concerns(PREFIX + payment_id, envelope):
                continue
            try:
                lines[payment_id].append(Line((at, cell, line[0]), envelope_from(envelope)))
            except CannotDecode as error:
                unreadable[payment_id] = Difference(UNREADABLE, "", f"line {line[0]} of {cell}", str(error))
    return lines, unreadable


def _concerns(saga: str, envelope: list[Any]) -> bool:
    return bool(envelope[_SENDER] == saga or envelope[_TARGET] == saga or envelope[_KIND] == OPERATOR)


def _raw_lines(reader: Reader, payment_ids: Sequence[str]) -> Iterator[tuple[datetime, list[Any]]]:
    marks = ", ".join("?" * len(payment_ids))
    parts = reader.each(
        "SELECT at, lines FROM log_parts WHERE part_id IN"
        f" (SELECT part_id FROM log_payments WHERE payment_id IN ({marks}))",
        payment_ids,
    )
    for at, packed in parts:
        then = moment(at)
        for line in unpack(packed):
            yield then, line


def _with_sagas(readers: Mapping[str, Reader]) -> dict[str, Reader]:
    """The cells that have sagas: where services live apart, most have none."""
    return {cell: reader for cell, reader in readers.items() if _has_sagas(reader)}


def _has_sagas(reader: Reader) -> bool:
    found: object = reader.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sagas'")
    return found is not None


def _waiting(readers: Mapping[str, Reader]) -> frozenset[str]:
    """Payments of which a message has been sent and perhaps not been taken: between cells, parked, dead."""
    found = between(readers)
    for reader in readers.values():
        found |= {row[0] for row in reader.all("SELECT payment_id FROM dead_letters WHERE actor LIKE 'payment/%'")}
        rows = reader.all("SELECT DISTINCT actor FROM parked WHERE actor LIKE 'payment/%'")
        found |= {row[0].removeprefix(PREFIX) for row in rows}
    return frozenset(found)
