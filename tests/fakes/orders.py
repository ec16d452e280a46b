"""An accepted order for tests that don't care which; what matters to a test stands in its `changes`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentOrder


def an_order(number: int = 1, *, creditor: dict[str, Any] | None = None, **changes: Any) -> PaymentOrder:
    """Order `number`: 12.50 EUR from ACC-1 to Erika Mustermann, choreographed, debit first."""
    values: dict[str, Any] = {
        "payment_id": f"P{number:06d}-00",
        "idempotency_key": f"key-{number}",
        "debtor_account": "ACC-1",
        "creditor": Creditor(**({"name": "Erika Mustermann", "account": "DE02"} | (creditor or {}))),
        "amount": Money(1250, "EUR"),
        "end_to_end_id": f"E2E-{number}",
        "uetr": f"00000000-0000-4000-8000-{number:012d}",
        "remittance": "Invoice 4711",
        "flow": "choreographed",
        "workflow": "debit-first",
        "workflow_version": 1,
        "batch_id": None,
        "created_at": datetime(2030, 1, 1, tzinfo=UTC),
    }
    return PaymentOrder(**(values | changes))
