"""AML's tables: screenings with their verdicts, cases for a person, lists in force. No rule about what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from actors.aml.messages import ListInForce
from actors.aml.model import OPEN, ReviewCase
from actors.messaging.codec import micros, moment
from actors.store.session import Migration, Session

MIGRATIONS: Final = (
    Migration(
        "aml",
        1,
        (
            # closed: the payment was stopped, nothing may be cleared under this id any more
            """CREATE TABLE aml_screenings (
                screening_id TEXT PRIMARY KEY,
                name TEXT NOT NULL,
                country TEXT,
                date_of_birth TEXT,
                verdict TEXT NOT NULL,
                reason TEXT NOT NULL,
                case_id TEXT,
                lists TEXT NOT NULL,
                at BIGINT NOT NULL,
                closed INTEGER NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE aml_cases (
                case_id TEXT PRIMARY KEY,
                payment_id TEXT NOT NULL,
                screening_id TEXT NOT NULL,
                name TEXT NOT NULL,
                hits TEXT NOT NULL,
                opened_at BIGINT NOT NULL,
                due_at BIGINT NOT NULL,
                status TEXT NOT NULL,
                reason TEXT,
                decided_at BIGINT,
                overdue INTEGER NOT NULL,
                country TEXT,
                date_of_birth TEXT,
                score REAL NOT NULL,
                reply_to TEXT NOT NULL,
                workflow TEXT NOT NULL,
                facts BLOB
            ) WITHOUT ROWID""",
            f"CREATE UNIQUE INDEX aml_open_cases ON aml_cases (screening_id) WHERE status = '{OPEN}'",
            """CREATE TABLE aml_lists (
                name TEXT PRIMARY KEY,
                source TEXT NOT NULL,
                version TEXT NOT NULL,
                entries INTEGER NOT NULL,
                path TEXT NOT NULL,
                format TEXT,
                loaded_at BIGINT NOT NULL
            ) WITHOUT ROWID""",
        ),
    ),
)

_RECORD: Final = (
    "INSERT INTO aml_screenings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (screening_id) DO NOTHING"
)
_CLOSE: Final = """INSERT INTO aml_screenings VALUES (?, '', NULL, NULL, '', '', NULL, '', ?, 1)
    ON CONFLICT (screening_id) DO UPDATE SET closed = 1"""
_CASE: Final = (
    "case_id, payment_id, screening_id, name, hits, opened_at, due_at, status, reason, decided_at, overdue,"
    " reply_to, workflow, facts"
)
_LIST: Final = """INSERT INTO aml_lists VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
    source = excluded.source, version = excluded.version, entries = excluded.entries, path = excluded.path,
    format = excluded.format, loaded_at = excluded.loaded_at"""


class Screened(NamedTuple):
    """A recorded screening; `case_id` is set where it was held."""

    name: str
    country: str | None
    date_of_birth: str | None
    verdict: str
    reason: str
    case_id: str | None
    closed: int


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A case, and how its payment goes on: who awaits the outcome ("" = publish), with which facts."""

    case: ReviewCase
    overdue: bool
    reply_to: str
    workflow: str
    facts: bytes | None


class AmlStore:
    """Reads and writes of AML."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, *row: object) -> bool:
        """Record a screening (in the table's order, without `closed`); False where its id was screened before."""
        return self._session.write(_RECORD, row) == 1

    def screened(self, screening_id: str) -> Screened | None:
        """What was recorded under this id."""
        row = self._session.one(
            "SELECT name, country, date_of_birth, verdict, reason, case_id, closed FROM aml_screenings"
            " WHERE screening_id = ?",
            (screening_id,),
        )
        return None if row is None else Screened(*row)

    def close(self, screening_id: str, now: int) -> None:
        """Nothing may be cleared under this id from now on, screened before or not."""
        self._session.write(_CLOSE, (screening_id, now))

    def open_case(self, held: HeldPayment, country: str | None, date_of_birth: str | None, score: float) -> None:
        """A new case."""
        case = held.case
        self._session.write(
            "INSERT INTO aml_cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0, ?, ?, ?, ?, ?, ?)",
            (case.case_id, case.payment_id, case.screening_id, case.name, case.hits, micros(case.opened_at),
             micros(case.due_at), case.status, country, date_of_birth, score, held.reply_to, held.workflow,
             held.facts),
        )  # fmt: skip

    def held(self, case_id: str) -> HeldPayment | None:
        """One case."""
        return self._held(f"SELECT {_CASE} FROM aml_cases WHERE case_id = ?", case_id)

    def open_case_of(self, screening_id: str) -> HeldPayment | None:
        """The open case of a screening, if it has one."""
        return self._held(f"SELECT {_CASE} FROM aml_cases WHERE screening_id = ? AND status = '{OPEN}'", screening_id)

    def end_case(self, case: ReviewCase) -> None:
        """Record how a case ended."""
        assert case.decided_at is not None
        self._session.write(
            "UPDATE aml_cases SET status = ?, reason = ?, decided_at = ? WHERE case_id = ?",
            (case.status, case.reason, micros(case.decided_at), case.case_id),
        )

    def decide(self, screening_id: str, verdict: str, reason: str) -> None:
        """A person's verdict takes the place of `held`."""
        self._session.write(
            "UPDATE aml_screenings SET verdict = ?, reason = ? WHERE screening_id = ?",
            (verdict, reason, screening_id),
        )

    def mark_overdue(self, case_id: str) -> None:
        """It has been said that nobody decided in time."""
        self._session.write("UPDATE aml_cases SET overdue = 1 WHERE case_id = ?", (case_id,))

    def lists(self) -> tuple[ListInForce, ...]:
        """The lists recorded as in force."""
        rows = self._session.all("SELECT name, source, version, entries, path, format FROM aml_lists ORDER BY name")
        return tuple(
            ListInForce(name=name, source=source, version=version, entries=entries, path=path, format=form)
            for name, source, version, entries, path, form in rows
        )

    def put_in_force(self, lists: Iterable[ListInForce], now: int) -> None:
        """Record lists, each in the place of its namesake."""
        rows = [(e.name, e.source, e.version, e.entries, e.path, e.format, now) for e in lists]
        self._session.write_many(_LIST, rows)

    def _held(self, sql: str, key: str) -> HeldPayment | None:
        row = self._session.one(sql, (key,))
        if row is None:
            return None
        (case_id, payment_id, screening_id, name, hits, opened_at, due_at, status, reason, decided_at, overdue,
         reply_to, workflow, facts) = row  # fmt: skip
        case = ReviewCase(
            case_id=case_id,
            payment_id=payment_id,
            screening_id=screening_id,
            name=name,
            hits=hits,
            opened_at=moment(opened_at),
            due_at=moment(due_at),
            status=status,
            reason=reason,
            decided_at=None if decided_at is None else moment(decided_at),
        )
        return HeldPayment(case, bool(overdue), reply_to, workflow, facts)
