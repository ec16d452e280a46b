"""What shell, console and API read of limits; never writes."""

from __future__ import annotations

from typing import Any

from actors.limits.model import RELEASED
from actors.store.session import Reader
from actors.vocabulary.money import decimal_text


def check_of(reader: Reader, check_id: str) -> dict[str, Any] | None:
    """What a payment counted, or None where it was not checked."""
    row = reader.one("SELECT * FROM limit_checks WHERE check_id = ? AND day <> ''", (check_id,))
    if row is None:
        return None
    name, account_id, currency, amount, day, state, code, text = row
    return {
        "check_id": name,
        "account_id": account_id,
        "amount": decimal_text(amount, currency),
        "currency": currency,
        "day": day,
        "state": state,
        "counted": state != RELEASED and code is None,
        "reason": code,
        "reason_text": text,
    }
