"""Disbursement's tables: claimed keys where the key's hash lives, started orders where the debtor lives, batches."""

from __future__ import annotations

from typing import cast

from actors.disbursement.messages import StartPayment
from actors.disbursement.model import DIGEST_BYTES
from actors.messaging import codec
from actors.store.session import Migration, Session
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

MIGRATIONS = (
    Migration(
        "disbursement",
        1,
        (
            # `digest` is that of the content, and behind it the id of the message that brought it.
            """
            CREATE TABLE claims (
                idempotency_key TEXT PRIMARY KEY, digest BLOB NOT NULL, payment_id TEXT NOT NULL
            ) WITHOUT ROWID, STRICT
            """,
            # `start` is the encoded StartPayment; `status` is kept for choreographed payments alone. Where it is
            # an end and the reason another than the end's, the payment needs attention since.
            """
            CREATE TABLE orders (
                payment_id TEXT PRIMARY KEY, start BLOB NOT NULL, status TEXT NOT NULL DEFAULT 'started',
                reason_code TEXT, reason_text TEXT
            ) WITHOUT ROWID, STRICT
            """,
            """
            CREATE TABLE batches (
                batch_id TEXT PRIMARY KEY, file_name TEXT NOT NULL, orders INTEGER NOT NULL, at INTEGER NOT NULL
            ) WITHOUT ROWID, STRICT
            """,
        ),
    ),
    Migration(
        "disbursement",
        2,
        (
            # Which refunds were asked for of a payment; refunds alone have a row.
            "CREATE TABLE refunds (refund_id TEXT PRIMARY KEY, payment_id TEXT NOT NULL) WITHOUT ROWID, STRICT",
            "CREATE INDEX refunds_of_payment ON refunds (payment_id)",
        ),
    ),
)


class DisbursementStore:
    """What Disbursement reads and writes, in the turn's transaction."""

    def __init__(self, session: Session) -> None:
        self._one = session.one
        self._write = session.write

    def claim(self, key: str, digest: bytes, payment_id: str, message_id: str) -> bool:
        """Claim the key for this content, which that message brings; False if it is claimed already."""
        return bool(
            self._write(
                "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (key, digest + message_id.encode(), payment_id),
            )
        )

    def claimed(self, key: str) -> tuple[bytes, str, str] | None:
        """The digest, the payment's id and the id of the message that brought it, under a claimed key."""
        row = self._one("SELECT digest, payment_id FROM claims WHERE idempotency_key = ?", (key,))
        if row is None:
            return None
        digest: bytes = row[0]
        return digest[:DIGEST_BYTES], row[1], digest[DIGEST_BYTES:].decode()

    def start(self, start: StartPayment) -> bool:
        """Keep an order that starts; False if it has started before."""
        order = start.order
        new = self._write(
            "INSERT INTO orders (payment_id, start) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (order.payment_id, codec.encode(start)),
        )
        if new and order.refund is not None:
            self._write("INSERT INTO refunds VALUES (?, ?)", (order.payment_id, order.refund.payment_id))
        return bool(new)

    def order(self, payment_id: str) -> tuple[PaymentOrder, str] | None:
        """The order and its status."""
        row = self._one("SELECT start, status FROM orders WHERE payment_id = ?", (payment_id,))
        return None if row is None else (order_in(row[0]), row[1])

    def status(self, payment_id: str) -> tuple[str, str | None, str | None] | None:
        """The payment's status, with the reason's code and text."""
        return cast(
            "tuple[str, str | None, str | None] | None",
            self._one("SELECT status, reason_code, reason_text FROM orders WHERE payment_id = ?", (payment_id,)),
        )

    def end(self, payment_id: str, status: str, reason: Reason | None) -> None:
        """Keep what the payment has become."""
        code, text = (reason.code, reason.text) if reason else (None, None)
        self._write(
            "UPDATE orders SET status = ?, reason_code = ?, reason_text = ? WHERE payment_id = ?",
            (status, code, text, payment_id),
        )

    def register_batch(self, batch_id: str, file_name: str, orders: int, at: int) -> None:
        """Keep a batch; the first registration stays."""
        self._write("INSERT INTO batches VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (batch_id, file_name, orders, at))


def order_in(start: bytes) -> PaymentOrder:
    """The order in what `start` has stored."""
    return cast(StartPayment, codec.decode(start)).order
