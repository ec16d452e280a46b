"""How payments and their timelines look on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from actors.admin.screen import Screen

_SHOWN_OF_DATA: Final = 60
_FIRST: Final = ("attempt", 1)  # as nearly everything is
_HIDDEN: Final = frozenset(("order", "facts"))  # the whole order rides along; the page above shows it


def payments_table(screen: Screen, payments: Sequence[dict[str, Any]]) -> None:
    """One line a payment."""
    columns = ("payment", "status", "reason", ">amount", "", "debtor", "creditor", "flow", "accepted")
    rows = [
        (
            payment["payment_id"],
            payment["status"] + (" (paused)" if payment.get("paused") else ""),
            payment["reason"],
            payment["amount"],
            payment["currency"],
            payment["debtor_account"],
            payment["creditor"]["name"],
            payment["flow"],
            moment(payment["created_at"]),
        )
        for payment in payments
    ]
    screen.table(columns, rows, empty="no payment meets this")


def stuck_table(screen: Screen, payments: Sequence[dict[str, Any]]) -> None:
    """One line for each payment that no longer moves: why, and for how long."""
    columns = ("payment", "status", "reason", ">for", "why")
    rows = [
        (each["payment_id"], each["status"], each["reason"], ago(each["seconds"]), each["reason_text"])
        for each in payments
    ]
    screen.table(columns, rows, empty="no payment is stuck")


def ago(seconds: float) -> str:
    """A span of time in its two largest units.

    >>> ago(42), ago(3_700), ago(200_000)
    ('42 s', '1 h 1 m', '2 d 7 h')
    """
    units = (("d", 86_400), ("h", 3_600), ("m", 60))
    for at, (unit, size) in enumerate(units):
        if seconds >= size:
            rest = int(seconds % size)
            smaller, length = units[at + 1] if at + 1 < len(units) else ("s", 1)
            return f"{int(seconds // size)} {unit} {rest // length} {smaller}"
    return f"{int(seconds)} s"


def payment_page(screen: Screen, payment: dict[str, Any]) -> None:
    """Everything about one payment, its timeline last."""
    creditor = payment["creditor"]
    screen.facts(
        [
            ("payment", payment["payment_id"]),
            ("status", payment["status"]),
            ("reason", " ".join(part for part in (payment["reason"], payment["reason_text"]) if part)),
            ("paused", paused(payment)),
            ("amount", f"{payment['amount']} {payment['currency']}"),
            ("refund of", payment.get("refund_of")),
            ("refunds", "; ".join(_refund(each) for each in payment.get("refunds", ()))),
            ("debtor", payment["debtor_account"]),
            ("creditor", f"{creditor['name']}, {creditor['account']}"),
            ("country", creditor["country"]),
            ("born", creditor["date_of_birth"]),
            ("email", creditor["email"]),
            ("remittance", payment["remittance"]),
            ("not before", payment.get("execution_date")),
            ("flow", _flow(payment)),
            ("key", payment["idempotency_key"] + (" (known before)" if payment.get("duplicate") else "")),
            ("end to end", payment["end_to_end_id"]),
            ("UETR", payment["uetr"]),
            ("batch", payment["batch_id"]),
            ("accepted", moment(payment["created_at"])),
            ("changed", moment(payment["updated_at"])),
        ]
    )
    timeline = payment.get("timeline")
    if timeline:
        screen.say("")
        timeline_table(screen, timeline, payment["payment_id"])


def paused(payment: dict[str, Any]) -> str:
    """Since when, by whom and why, or ""."""
    by = payment.get("paused")
    return f"since {moment(by['at'])[:19]}, by {by['by'] or 'nobody named'}: {by['reason']}" if by else ""


def timeline_table(screen: Screen, timeline: Sequence[dict[str, Any]], payment_id: str = "") -> None:
    """Every command, reply and event of a payment, in order; its own id is not repeated on every line."""
    columns = ("time", "kind", "type", "from → to", "what it says")
    rows = [
        (
            moment(entry["at"])[11:],
            entry["kind"],
            entry["type"],
            f"{entry['sender']} → {entry['receiver']}".replace(f"payment/{payment_id}", "saga").removesuffix(" → "),
            said(entry.get("data") or {}, payment_id),
        )
        for entry in timeline
    ]
    screen.table(columns, rows)


def moment(text: str | None) -> str:
    """`2030-01-01 12:00:00.123`, from ISO 8601 in UTC."""
    return (text or "").replace("T", " ").replace("+00:00", "").replace("Z", "")[:23]


def said(data: dict[str, Any], payment_id: str = "") -> str:
    """The facts of a message in a few words: its reason, and what fits of the rest."""
    reason = data.get("reason")
    if isinstance(reason, dict):
        return f"{reason.get('code', '')} {reason.get('text', '')}".strip()
    words = [
        f"{name} {value}"
        for name, value in data.items()
        if name not in _HIDDEN
        and (name, value) != _FIRST
        and value not in (None, "", [], {}, payment_id)
        and not isinstance(value, dict | list)
    ]
    text = ", ".join(words)
    return text if len(text) <= _SHOWN_OF_DATA else text[: _SHOWN_OF_DATA - 1] + "…"


def _refund(refund: dict[str, Any]) -> str:
    return f"{refund['payment_id']} {refund['amount']} {refund['status']}"


def _flow(payment: dict[str, Any]) -> str:
    workflow = payment.get("workflow")
    return f"{payment['flow']}, {workflow} v{payment['workflow_version']}" if workflow else str(payment["flow"] or "")
