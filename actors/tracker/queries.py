"""What shell, console and API read of the payments, in the names of docs/reference; never writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from actors.messaging.codec import micros, moment
from actors.store.session import Reader, Row, StoreRefused
from actors.tracker.model import MOVING, RARE, STATUSES
from actors.tracker.stuck import PAUSED, WHY, stuck
from actors.tracker.where import SEARCHED, Condition, containing
from actors.vocabulary.money import decimal_text

_AS_STORED: Final = (
    "status", "reason", "reason_text", "flow", "workflow", "workflow_version", "batch_id", "end_to_end_id",
    "uetr", "debtor_account",
)  # fmt: skip
_COLUMNS: Final = (
    "payment_id", "idempotency_key", *_AS_STORED, "creditor_name", "creditor_account", "creditor_country",
    "creditor_email", "creditor_date_of_birth", "remittance", "amount", "currency", "created_at",
    "updated_at",
)  # fmt: skip
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM tracker_payments"


def payment(reader: Reader, payment_id: str) -> dict[str, Any] | None:
    """One payment, or None where this cell has none of that id."""
    row = reader.one(f"{_SELECT} WHERE payment_id = ?", (payment_id,))
    return None if row is None else _shown(row)


def payments(
    reader: Reader,
    *,
    status: str | None = None,
    flow: str | None = None,
    debtor: str | None = None,
    batch: str | None = None,
    reason: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    search: str | None = None,
    where: Condition | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Payments that meet every condition given, the newest first; `since` and `until` bound their acceptance.

    `search` finds its text anywhere in ids, names, accounts and remittance; case matters only beyond ASCII.
    """
    conditions: list[str] = []
    parameters: list[Any] = []
    if status is not None:
        conditions.append("rare = ?" if status in RARE else "status = ?")
        parameters.append(status)
        if status in MOVING:
            conditions.append("deadline IS NOT NULL")  # few are under way: the index finds them
    equal = {"flow": flow, "debtor_account": debtor, "batch_id": batch, "reason": reason}
    for column, value in equal.items():
        if value is not None:
            conditions.append(f"{column} = ?")
            parameters.append(value)
    if since is not None:
        conditions.append("created_at >= ?")
        parameters.append(micros(since))
    if until is not None:
        conditions.append("created_at < ?")
        parameters.append(micros(until))
    if search:
        found = containing(SEARCHED, search)
        conditions.append(found.sql)
        parameters.extend(found.parameters)
    if where is not None:
        _must_be_able_to_tell(reader, where)
        conditions.append(where.sql)
        parameters.extend(where.parameters)
    all_of_them = " WHERE " + " AND ".join(conditions) if conditions else ""
    rows = reader.all(
        f"{_SELECT}{all_of_them} ORDER BY payment_id DESC LIMIT ?",
        (*parameters, limit),
    )
    return [_shown(row) for row in rows]


def ids(reader: Reader, where: Condition) -> list[str]:
    """The ids of all payments that meet a condition, in their order."""
    _must_be_able_to_tell(reader, where)
    rows = reader.all(
        f"SELECT payment_id FROM tracker_payments WHERE {where.sql} ORDER BY payment_id", where.parameters
    )
    return [row[0] for row in rows]


def summary(reader: Reader, where: Condition) -> list[Row]:
    """Status, reason, flow, currency, number and sum in minor units of the payments that meet a condition."""
    _must_be_able_to_tell(reader, where)
    return reader.all(
        "SELECT status, reason, flow, currency, count(*), sum(amount) FROM tracker_payments"
        f" WHERE {where.sql} GROUP BY status, reason, flow, currency",
        where.parameters,
    )


def together(summaries: Iterable[Iterable[Row]]) -> list[dict[str, Any]]:
    """The summaries of several cells as one."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for summary in summaries:
        for *group, number, amount in summary:
            sums = groups.setdefault(tuple(group), [0, 0])
            sums[0] += number
            sums[1] += int(amount)
    return [
        {"status": status, "reason": reason, "flow": flow, "currency": currency, "payments": number,
         "amount": decimal_text(amount, currency)}
        for (status, reason, flow, currency), (number, amount) in sorted(groups.items(), key=lambda each: str(each[0]))
    ]  # fmt: skip


def stuck_by_reason(reader: Reader, now: datetime) -> dict[str, int]:
    """How many payments are stuck, for each reason code; without one: `overdue`, or `paused` for long."""
    if not _knows_pauses(reader):
        return {}
    where, parameters = stuck(now)
    return dict(reader.all(f"SELECT {WHY}, count(*) FROM tracker_payments WHERE {where} GROUP BY 1", parameters))


def longest_stuck(reader: Reader, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Payments that have been stuck for longest, with the reason and since when."""
    if not _knows_pauses(reader):
        return []
    where, parameters = stuck(now)
    rows = reader.all(
        f"SELECT payment_id, status, {WHY}, reason_text, last_type, updated_at FROM tracker_payments"
        f" WHERE {where} ORDER BY updated_at LIMIT ?",
        (*parameters, limit),
    )
    return [
        {"payment_id": payment_id, "status": status, "reason": reason,
         "reason_text": text or f"nothing has moved since {last}", "since": moment(at).isoformat(),
         "seconds": max(0, (micros(now) - at) // 1_000_000)}
        for payment_id, status, reason, text, last, at in rows
    ]  # fmt: skip


def not_seen_to_move(reader: Reader, *, called: bool) -> list[tuple[str, str, int]]:
    """Orchestrated payments that were accepted and that nothing has moved since, as id, workflow and version.

    With `called` also all those to which a person is called; some of these have moved before. Both are found by index.
    """
    if reader.one("SELECT 1 FROM sqlite_master WHERE name = 'tracker_payments'") is None:
        return []
    select = "SELECT payment_id, workflow, workflow_version FROM tracker_payments WHERE flow = 'orchestrated' AND "
    still = f"{select} deadline IS NOT NULL AND status = 'received'"
    return list(reader.all(f"{still} UNION ALL {select} rare = 'needs_attention'" if called else still))


def _must_be_able_to_tell(reader: Reader, where: Condition) -> None:
    if PAUSED in where.sql and not _knows_pauses(reader):
        raise StoreRefused(
            "what is paused or stuck is known once this version has been started in this data directory: start it"
        )


def _knows_pauses(reader: Reader) -> bool:
    """Not a store that only an earlier version has written."""
    return reader.one("SELECT 1 FROM sqlite_master WHERE name = 'pauses'") is not None


def counts(reader: Reader) -> dict[str, int]:
    """How many payments have each status; statuses that none has are 0."""
    stored: dict[str, int] = dict(reader.all("SELECT status, payments FROM tracker_counts"))
    return {status: stored.get(status, 0) for status in STATUSES}


def by_batch(reader: Reader, batch_id: str | None = None) -> list[dict[str, Any]]:
    """Number and sum of the payments of each batch (or of one) for each currency and status."""
    where, parameters = ("batch_id IS NOT NULL", ()) if batch_id is None else ("batch_id = ?", (batch_id,))
    rows = reader.all(
        "SELECT batch_id, currency, status, count(*), sum(amount) FROM tracker_payments"
        f" WHERE {where} GROUP BY batch_id, currency, status ORDER BY batch_id, currency, status",
        parameters,
    )
    return [
        {"batch_id": batch, "currency": currency, "status": status, "payments": number,
         "amount": decimal_text(int(amount), currency)}
        for batch, currency, status, number, amount in rows
    ]  # fmt: skip


def _shown(row: Row) -> dict[str, Any]:
    values = dict(zip(_COLUMNS, row, strict=True))
    currency = values["currency"]
    return {
        "payment_id": values["payment_id"],
        "idempotency_key": values["idempotency_key"],
        "duplicate": False,
        **{name: values[name] for name in _AS_STORED},
        "creditor": {
            "name": values["creditor_name"],
            "account": values["creditor_account"],
            "country": values["creditor_country"],
            "email": values["creditor_email"],
            "date_of_birth": values["creditor_date_of_birth"],
        },
        "remittance": values["remittance"],
        "amount": decimal_text(values["amount"], currency),
        "currency": currency,
        "created_at": moment(values["created_at"]).isoformat(),
        "updated_at": moment(values["updated_at"]).isoformat(),
    }
