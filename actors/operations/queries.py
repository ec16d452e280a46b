"""Reading jobs and what became of their items; a job's rows of several cells are put together. Never writing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from actors.messaging.codec import moment
from actors.operations.model import DONE, ENDED, OPEN, PAUSED, REQUESTED, RUNNING
from actors.store.session import Reader

_JOB: Final = (
    "job_id", "action", "argument", "requested_by", "approved_by", "reason", "query", "state", "total", "items",
    "created_at", "changed_at", "changed_by", "changed_reason", "asked", "done", "refused", "failed", "unanswered",
)  # fmt: skip
# The payment, of a job that is about one.
_ONE: Final = """CASE total WHEN 1 THEN (SELECT min(payment_id) FROM operation_items AS items
    WHERE items.job_id = operation_jobs.job_id) END"""
_SUMMED: Final = ("items", "asked", "done", "refused", "failed", "unanswered")
_WORST_FIRST: Final = (OPEN, REQUESTED, RUNNING, PAUSED, DONE)  # where cells differ, the job is what is left to do


def jobs(readers: Iterable[Reader], job_id: str | None = None) -> list[dict[str, Any]]:
    """Jobs, the newest first, or the one of that id: its numbers are those of all cells."""
    found: dict[str, dict[str, Any]] = {}
    where, parameters = ("", ()) if job_id is None else (" WHERE job_id = ?", (job_id,))
    for reader in readers:
        for row in reader.all(f"SELECT {', '.join(_JOB)}, {_ONE} FROM operation_jobs{where}", parameters):
            part = dict(zip((*_JOB, "payment_id"), row, strict=True))
            known = found.get(part["job_id"])
            if known is None:
                found[part["job_id"]] = part
                continue
            for name in _SUMMED:
                known[name] += part[name]
            known["state"] = _together(known["state"], part["state"])
            known["changed_at"] = max(known["changed_at"], part["changed_at"])
    return [_shown(found[each]) for each in sorted(found, reverse=True)]


def items(reader: Reader, job_id: str, states: tuple[str, ...] = (), limit: int = -1) -> list[dict[str, Any]]:
    """A job's payments in this cell with their results, those of some states or all."""
    where = f" AND state IN ({', '.join('?' * len(states))})" if states else ""
    rows = reader.all(
        f"SELECT payment_id, state, text, at FROM operation_items WHERE job_id = ?{where} ORDER BY payment_id LIMIT ?",
        (job_id, *states, limit),
    )
    return [
        {"payment_id": payment_id, "result": state, "text": text, "at": moment(at).isoformat()}
        for payment_id, state, text, at in rows
    ]


def _together(one: str, other: str) -> str:
    if one == other:
        return one
    return next((state for state in _WORST_FIRST if state in (one, other)), one)


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    left = job["items"] - sum(job[name] for name in _SUMMED[1:])
    job["payments"] = job.pop("items")
    shown = job | {name: moment(job[name]).isoformat() for name in ("created_at", "changed_at")}
    return shown | {"waiting": left, "ended": job["state"] in ENDED}
