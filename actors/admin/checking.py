"""`workflow check`: the journals of a data directory's orchestrated payments, replayed by as many processes as help."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.admin.backup import SETTINGS
from actors.admin.journals import CHUNK, Begun, Journal, journals, with_sagas
from actors.admin.reading import Reading
from actors.payment.journal import story
from actors.payment.replay import INCOMPLETE, NOT_REPLAYED, UNREADABLE, Difference, Workflows, replay
from actors.payment.saga import PREFIX
from actors.payment.versions import Version
from actors.store.sqlite import ConnectionReader
from config.settings import EFFECTIVE

WORTH_A_PROCESS: Final = 3_000  # payments; for fewer the start of a process takes longer than it saves


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
    ids = [row[0] for reader in with_sagas(reading.readers).values() for row in reader.all(sql, parameters)]
    return sorted(sorted(ids)[-limit:] if limit is not None else ids)


def check(
    reading: Reading, payment_ids: Sequence[str], moved: Callable[[int], None], *, workflows: Workflows | None = None
) -> Checked:
    """Replay these payments, whether the system is at work meanwhile or not; `moved` hears how many more are done.

    `workflows` are those of the program unless given, and then this process does all of it.
    """
    begun = Begun.now(reading.readers)
    chunks = [payment_ids[at : at + CHUNK] for at in range(0, len(payment_ids), CHUNK)]
    checked = Checked()
    processes = min(os.cpu_count() or 1, len(payment_ids) // WORTH_A_PROCESS, len(chunks))
    if processes > 1 and workflows is None:
        parts: Iterable[Checked] = _in_processes(reading.data, chunks, begun, processes)
    else:
        workflows = workflows or as_configured(reading.data)
        parts = (check_stores(reading.readers, chunk, begun, workflows) for chunk in chunks)
    for part in parts:
        checked.add(part)
        moved(part.replayed.total() + len(part.found))
    checked.found.sort()
    return checked


def _in_processes(data: Path, chunks: Sequence[Sequence[str]], begun: Begun, processes: int) -> Iterator[Checked]:
    """Spread over processes that are started afresh: what was forked from one with threads could hang."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(str(data), begun)) as pool:
        parts: list[Future[Checked]] = [pool.submit(_check_part, chunk) for chunk in chunks]
        for part in as_completed(parts):
            yield part.result()


_mine: dict[str, Any] = {}  # of a process that checks


def _begin(data: str, begun: Begun) -> None:
    from actors.assembly import load_messages

    load_messages()
    _mine.update(reading=Reading.open(Path(data)), begun=begun, workflows=as_configured(Path(data)))


def _check_part(chunk: Sequence[str]) -> Checked:
    return check_stores(_mine["reading"].readers, chunk, _mine["begun"], _mine["workflows"])


def check_stores(
    readers: Mapping[str, ConnectionReader], payment_ids: Sequence[str], begun: Begun, workflows: Workflows
) -> Checked:
    """Replay these payments, from these stores, in this process."""
    checked = Checked()
    for payment_id, journal in journals(readers, payment_ids, begun).items():
        found = difference(payment_id, journal, workflows)
        if found is None:
            checked.replayed[journal.version] += 1
        else:
            checked.found.append(Found(payment_id, journal.version, found))
    return checked


def difference(payment_id: str, journal: Journal, workflows: Workflows) -> Difference | None:
    """Where these workflows would not follow a payment's journal; None: nowhere."""
    if journal.unreadable is not None:
        return Difference(UNREADABLE, "", *journal.unreadable)
    told = story(PREFIX + payment_id, journal.lines)
    if told is None:
        return Difference(INCOMPLETE, "", "a cause is missing", "")
    return replay(workflows, journal.state.order, told, journal.state, under_way=journal.under_way)


def as_configured(data: Path) -> Workflows:
    """The program's workflows, with the waits as the system in this directory or backup was last configured."""
    from actors.payment.workflow import WORKFLOWS

    factor = 1.0
    for place in (data / EFFECTIVE, data / SETTINGS):
        with contextlib.suppress(OSError, ValueError, LookupError):
            factor = float(json.loads(place.read_bytes())["payment"]["timeout_factor"])
            break
    return {name: workflow.scaled(factor) for name, workflow in WORKFLOWS.items()}
