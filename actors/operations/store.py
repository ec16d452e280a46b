"""Operations' tables: jobs with their numbers, and the payments of each. No rule about what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from actors.operations.model import ASKED, FAILED, PAUSED, REQUESTED, RUNNING, UNANSWERED, WAITING, Job
from actors.store.session import Migration, Session

_MAY_COME: Final = f"('{ASKED}', '{FAILED}', '{UNANSWERED}')"  # the answer, yet

MIGRATIONS: Final = (
    Migration(
        "operations",
        1,
        (
            # the last columns say how many of this cell's items are in each state; the others wait
            """CREATE TABLE operation_jobs (
                job_id TEXT PRIMARY KEY,
                action TEXT NOT NULL,
                argument TEXT NOT NULL,
                requested_by TEXT NOT NULL,
                reason TEXT NOT NULL,
                query TEXT NOT NULL,
                total INTEGER NOT NULL,
                items INTEGER NOT NULL,
                state TEXT NOT NULL,
                approved_by TEXT NOT NULL,
                position TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                changed_at BIGINT NOT NULL,
                changed_by TEXT NOT NULL,
                changed_reason TEXT NOT NULL,
                asked INTEGER NOT NULL,
                done INTEGER NOT NULL,
                refused INTEGER NOT NULL,
                failed INTEGER NOT NULL,
                unanswered INTEGER NOT NULL
            ) WITHOUT ROWID""",
            f"CREATE INDEX operation_running ON operation_jobs (state) WHERE state = '{RUNNING}'",
            """CREATE TABLE operation_items (
                job_id TEXT NOT NULL,
                payment_id TEXT NOT NULL,
                state TEXT NOT NULL,
                text TEXT NOT NULL,
                at BIGINT NOT NULL,
                PRIMARY KEY (job_id, payment_id)
            ) WITHOUT ROWID""",
            # what an answer may still come for; most items are asked and answered in one turn and never in here
            f"CREATE INDEX operation_late ON operation_items (payment_id) WHERE state IN {_MAY_COME}",
        ),
    ),
)

_JOB: Final = "job_id, action, argument, requested_by, reason, query, total, items, state, approved_by, position"
_COUNTED: Final = ("asked", "done", "refused", "failed", "unanswered")
_COUNT: Final = f"UPDATE operation_jobs SET {', '.join(f'{name} = {name} + ?' for name in _COUNTED)} WHERE job_id = ?"
_ITEM: Final = "UPDATE operation_items SET state = ?, text = ?, at = ? WHERE job_id = ? AND payment_id = ?"
_LATE: Final = f"""SELECT items.job_id, jobs.action, items.state
    FROM operation_items AS items JOIN operation_jobs AS jobs ON jobs.job_id = items.job_id
    WHERE items.payment_id = ? AND items.state IN {_MAY_COME}"""


class Asked(NamedTuple):
    """An item whose service has been asked and has not answered; `at` is when, in microseconds."""

    job_id: str
    action: str
    payment_id: str
    at: int


class Change(NamedTuple):
    """What has become of an item within a turn."""

    before: str
    after: str
    text: str


class OperationsStore:
    """Reads and writes of Operations; moments are microseconds since 1970."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, job: Job, now: int) -> None:
        """Keep a new job; one that is known stays."""
        self._session.write(
            "INSERT INTO operation_jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, 0, 0)"
            " ON CONFLICT (job_id) DO NOTHING",
            (*job, now, now, job.by),
        )

    def job(self, job_id: str) -> Job | None:
        """A job, or None."""
        row = self._session.one(f"SELECT {_JOB} FROM operation_jobs WHERE job_id = ?", (job_id,))
        return None if row is None else Job(*row)

    def running(self) -> list[Job]:
        """Jobs that are worked off, the oldest first."""
        rows = self._session.all(f"SELECT {_JOB} FROM operation_jobs WHERE state = '{RUNNING}' ORDER BY job_id")
        return [Job(*row) for row in rows]

    def add(self, job_id: str, payment_ids: Iterable[str], now: int) -> None:
        """More payments of a job; those that it has stay."""
        add = f"INSERT INTO operation_items VALUES (?, ?, '{WAITING}', '', ?) ON CONFLICT DO NOTHING"
        added = sum(self._session.write(add, (job_id, payment_id, now)) for payment_id in payment_ids)
        self._session.write("UPDATE operation_jobs SET items = items + ? WHERE job_id = ?", (added, job_id))

    def number_of(self, job_id: str, payment_ids: Iterable[str]) -> int:
        """How many of these payments the job has."""
        ask = "SELECT 1 FROM operation_items WHERE job_id = ? AND payment_id = ?"
        return sum(self._session.one(ask, (job_id, payment_id)) is not None for payment_id in payment_ids)

    def waiting(self, job_id: str) -> list[str]:
        """The job's payments to which nothing has been done."""
        rows = self._session.all(
            f"SELECT payment_id FROM operation_items WHERE job_id = ? AND state = '{WAITING}'", (job_id,)
        )
        return [row[0] for row in rows]

    def first_waiting(self, job_id: str, payment_ids: Iterable[str]) -> str:
        """The first of these payments for which the job has not had an answer, or ""."""
        ask = "SELECT state FROM operation_items WHERE job_id = ? AND payment_id = ?"
        for payment_id in payment_ids:
            row = self._session.one(ask, (job_id, payment_id))
            if row is not None and row[0] in (WAITING, ASKED):
                return payment_id
        return ""

    def opposing(self, job: Job) -> list[Job]:
        """Jobs of the same action with another argument that are to be, or are being, carried out."""
        rows = self._session.all(
            f"SELECT {_JOB} FROM operation_jobs WHERE action = ? AND argument <> ?"
            f" AND state IN ('{REQUESTED}', '{RUNNING}', '{PAUSED}') ORDER BY job_id",
            (job.action, job.argument),
        )
        return [Job(*row) for row in rows]

    def move(self, job_id: str, state: str, now: int, *, by: str = "", reason: str = "", approved_by: str = "") -> None:
        """The job's new state, and who brought it there."""
        self._session.write(
            "UPDATE operation_jobs SET state = ?, changed_at = ?, changed_by = ?, changed_reason = ?,"
            " approved_by = CASE ? WHEN '' THEN approved_by ELSE ? END WHERE job_id = ?",
            (state, now, by, reason, approved_by, approved_by, job_id),
        )

    def next_items(self, job: Job, limit: int) -> list[str]:
        """The payments after the last one taken on."""
        rows = self._session.all(
            f"SELECT payment_id FROM operation_items WHERE job_id = ? AND payment_id > ? AND state = '{WAITING}'"
            " ORDER BY payment_id LIMIT ?",
            (job.job_id, job.position, limit),
        )
        return [row[0] for row in rows]

    def advance(self, job_id: str, position: str) -> None:
        """Every payment up to this one has been taken on."""
        self._session.write("UPDATE operation_jobs SET position = ? WHERE job_id = ?", (position, job_id))

    def asked(self) -> list[Asked]:
        """Items whose service has not answered."""
        rows = self._session.all(
            "SELECT items.job_id, jobs.action, items.payment_id, items.at FROM operation_items AS items"
            f" JOIN operation_jobs AS jobs ON jobs.job_id = items.job_id WHERE items.state IN {_MAY_COME}"
            f" AND items.state = '{ASKED}'"  # with the index's own condition, so that it is used
        )
        return [Asked(*row) for row in rows]

    def late(self, payment_id: str) -> list[tuple[str, str, str]]:
        """Job, action and state of a payment's items for which an answer may still come."""
        return [(row[0], row[1], row[2]) for row in self._session.all(_LATE, (payment_id,))]

    def write(self, changes: Iterable[tuple[str, str, Change]], now: int) -> None:
        """A turn's changes of items, by job and payment, and what they do to the jobs' numbers."""
        rows: list[Sequence[object]] = []
        counts: dict[str, dict[str, int]] = {}
        for job_id, payment_id, change in changes:
            rows.append((change.after, change.text, now, job_id, payment_id))
            by_state = counts.setdefault(job_id, dict.fromkeys((*_COUNTED, WAITING), 0))
            by_state[change.before] -= 1
            by_state[change.after] += 1
        self._session.write_many(_ITEM, rows)
        self._session.write_many(
            _COUNT, [(*(by_state[name] for name in _COUNTED), job_id) for job_id, by_state in counts.items()]
        )

    def prolong(self, by: int) -> None:
        """Nobody could answer while the cell was down: it is as if items had been asked so much later."""
        self._session.write(
            f"UPDATE operation_items SET at = at + ? WHERE state IN {_MAY_COME} AND state = '{ASKED}'", (by,)
        )
