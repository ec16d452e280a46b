"""What shell, console and API read of approvals; never writes."""

from __future__ import annotations

from typing import Any, Final

from actors.approval.model import OPEN
from actors.messaging.codec import moment
from actors.store.session import Reader, Row
from actors.vocabulary.money import decimal_text

_COLUMNS: Final = (
    "approval_id, payment_id, amount, currency, debtor_account, creditor_name, why, needed, lapses, opened_at,"
    " due_at, status, reason, decided_at, overdue"
)


def approvals(reader: Reader) -> list[dict[str, Any]]:
    """Those that wait for people, the longest waiting first."""
    if not _is_there(reader):
        return []
    rows = reader.all(f"SELECT {_COLUMNS} FROM approvals WHERE status = '{OPEN}' ORDER BY opened_at, approval_id")
    return [_shown(reader, row) for row in rows]


def approval(reader: Reader, approval_id: str) -> dict[str, Any] | None:
    """One of them, open or ended; None where this cell has none of that id."""
    if not _is_there(reader):
        return None
    row = reader.one(f"SELECT {_COLUMNS} FROM approvals WHERE approval_id = ? AND currency <> ''", (approval_id,))
    return None if row is None else _shown(reader, row)


def _is_there(reader: Reader) -> bool:
    """Whether the store is of a program that has this service: one is read before its first start, too."""
    return bool(reader.one("SELECT 1 FROM sqlite_master WHERE name = 'approvals'"))


def _shown(reader: Reader, row: Row) -> dict[str, Any]:
    (approval_id, payment_id, amount, currency, debtor, creditor, why, needed, lapses, opened_at, due_at, status,
     reason, decided_at, overdue) = row  # fmt: skip
    words = reader.all(
        "SELECT said_by, approve, reason, at FROM approval_words WHERE approval_id = ? ORDER BY at, said_by",
        (approval_id,),
    )
    said = [
        {"by": by, "approve": bool(approve), "reason": why_so, "at": moment(at).isoformat()}
        for by, approve, why_so, at in words
    ]
    agreed = sum(1 for word in said if word["approve"])
    return {
        "approval_id": approval_id,
        "payment_id": payment_id,
        "amount": decimal_text(amount, currency),
        "currency": currency,
        "debtor_account": debtor,
        "creditor_name": creditor,
        "why": why,
        "needed": needed,
        "missing": max(0, needed - agreed) if status == OPEN else 0,
        "words": said,
        "lapses": bool(lapses),
        "status": status,
        "reason": reason or None,
        "opened_at": moment(opened_at).isoformat(),
        "due_at": moment(due_at).isoformat(),
        "overdue": bool(overdue),
        "decided_at": None if decided_at is None else moment(decided_at).isoformat(),
    }
