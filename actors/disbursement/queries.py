"""Reads on Disbursement's tables for shell, console and API; nothing here writes."""

from __future__ import annotations

from typing import Any

from actors.disbursement.messages import StartPayment
from actors.disbursement.store import order_in
from actors.messaging import codec
from actors.messaging.codec import moment
from actors.store.session import Reader, Row
from actors.vocabulary.order import PaymentOrder

codec.register(StartPayment)  # what the store keeps


def batches(reader: Reader) -> list[dict[str, Any]]:
    """Every batch registered in this cell, the newest first."""
    rows = reader.all("SELECT batch_id, file_name, orders, at FROM batches ORDER BY at DESC, batch_id")
    return [_batch(row) for row in rows]


def batch(reader: Reader, batch_id: str) -> dict[str, Any] | None:
    """One batch, or None."""
    row = reader.one("SELECT batch_id, file_name, orders, at FROM batches WHERE batch_id = ?", (batch_id,))
    return None if row is None else _batch(row)


def order(reader: Reader, payment_id: str) -> dict[str, Any] | None:
    """The order of a payment started in this cell, under the names of `pay --json`, or None."""
    row = reader.one("SELECT start FROM orders WHERE payment_id = ?", (payment_id,))
    return None if row is None else order_shown(order_in(row[0]))


def order_shown(order: PaymentOrder) -> dict[str, Any]:
    """An order under the names of `pay --json`."""
    creditor = order.creditor
    return {
        "payment_id": order.payment_id,
        "idempotency_key": order.idempotency_key,
        "flow": order.flow,
        "workflow": order.workflow,
        "workflow_version": order.workflow_version,
        "batch_id": order.batch_id,
        "end_to_end_id": order.end_to_end_id,
        "uetr": order.uetr,
        "debtor_account": order.debtor_account,
        "creditor": {
            "name": creditor.name,
            "account": creditor.account,
            "country": creditor.country,
            "email": creditor.email,
            "date_of_birth": creditor.date_of_birth,
        },
        "remittance": order.remittance,
        "amount": order.amount.decimal,
        "currency": order.amount.currency,
        "created_at": order.created_at.isoformat(),
        "execution_date": order.execution_date,
    }


def execution_date_of(reader: Reader, payment_id: str) -> str | None:
    """The day before which a payment started in this cell is not paid, if its order names one."""
    row = reader.one("SELECT start FROM orders WHERE payment_id = ?", (payment_id,))
    return None if row is None else order_in(row[0]).execution_date


def refund_of(reader: Reader, refund_id: str) -> str | None:
    """The payment that this one gives back, or None where it is no refund, or not started in this cell."""
    if not _has_refunds(reader):
        return None
    row = reader.one("SELECT payment_id FROM refunds WHERE refund_id = ?", (refund_id,))
    return None if row is None else row[0]


def refunds_of(reader: Reader, payment_id: str) -> list[str]:
    """The refunds asked for of a payment of this cell, the oldest first."""
    if not _has_refunds(reader):
        return []
    rows = reader.all("SELECT refund_id FROM refunds WHERE payment_id = ? ORDER BY refund_id", (payment_id,))
    return [row[0] for row in rows]


def claim(reader: Reader, key: str) -> str | None:
    """The id of the payment that this idempotency key stands for (ask the cell of the key's slot), or None."""
    row = reader.one("SELECT payment_id FROM claims WHERE idempotency_key = ?", (key,))
    return None if row is None else row[0]


def claimed_payments(reader: Reader) -> set[str]:
    """Every payment accepted under a key of this cell, to compare with those that have started."""
    return {row[0] for row in reader.all("SELECT payment_id FROM claims")}


def started_payments(reader: Reader) -> set[str]:
    """Every payment started in this cell."""
    return {row[0] for row in reader.all("SELECT payment_id FROM orders")}


def _has_refunds(reader: Reader) -> bool:
    """A store that no program since the first refunds has started has no table of them."""
    return reader.one("SELECT 1 FROM sqlite_master WHERE name = 'refunds'") is not None


def _batch(row: Row) -> dict[str, Any]:
    batch_id, file_name, orders, at = row
    return {"batch_id": batch_id, "file_name": file_name, "orders": orders, "created_at": moment(at).isoformat()}
