"""What shell, console and API read of cases and watchlists; never writes."""

from __future__ import annotations

from typing import Any

from actors.aml.model import OPEN
from actors.messaging.codec import moment
from actors.store.session import Reader, Row

_CASE = (
    "case_id, payment_id, screening_id, name, country, date_of_birth, score, hits, status, reason, opened_at,"
    " due_at, overdue, decided_at"
)


def reviews(reader: Reader) -> list[dict[str, Any]]:
    """Open cases, the longest waiting first."""
    rows = reader.all(f"SELECT {_CASE} FROM aml_cases WHERE status = '{OPEN}' ORDER BY opened_at, case_id")
    return [_shown(row) for row in rows]


def review(reader: Reader, case_id: str) -> dict[str, Any] | None:
    """One case, open or ended; None where this cell has none of that id."""
    row = reader.one(f"SELECT {_CASE} FROM aml_cases WHERE case_id = ?", (case_id,))
    return None if row is None else _shown(row)


def lists(reader: Reader) -> list[dict[str, Any]]:
    """The watchlists in force."""
    rows = reader.all("SELECT name, source, version, entries, path, loaded_at FROM aml_lists ORDER BY name")
    return [
        {
            "name": name,
            "source": source,
            "version": version,
            "entries": entries,
            "path": path,
            "loaded_at": moment(loaded_at).isoformat(),
        }
        for name, source, version, entries, path, loaded_at in rows
    ]


def screening(reader: Reader, screening_id: str) -> dict[str, Any] | None:
    """The recorded verdict of one screening, with the lists it was made with."""
    row = reader.one(
        "SELECT verdict, reason, case_id, lists, at, closed FROM aml_screenings WHERE screening_id = ?",
        (screening_id,),
    )
    if row is None:
        return None
    verdict, reason, case_id, in_force, at, closed = row
    return {
        "screening_id": screening_id,
        "verdict": verdict or None,
        "reason_text": reason,
        "case_id": case_id,
        "lists": in_force,
        "at": moment(at).isoformat(),
        "closed": bool(closed),
    }


def _shown(row: Row) -> dict[str, Any]:
    (case_id, payment_id, screening_id, name, country, born, score, hits, status, reason, opened_at, due_at,
     overdue, decided_at) = row  # fmt: skip
    return {
        "case_id": case_id,
        "payment_id": payment_id,
        "screening_id": screening_id,
        "name": name,
        "country": country,
        "date_of_birth": born,
        "score": score,
        "hits": hits,
        "status": status,
        "reason": reason,
        "opened_at": moment(opened_at).isoformat(),
        "due_at": moment(due_at).isoformat(),
        "overdue": bool(overdue),
        "decided_at": None if decided_at is None else moment(decided_at).isoformat(),
    }
