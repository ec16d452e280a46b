"""Orders on their way into the system, from arguments and from files; what a form error is, others decide."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from actors.admin.command import Arguments, CommandFailed, error_of
from actors.disbursement.messages import (
    BatchRegistered,
    PaymentAccepted,
    RefundPayment,
    RegisterBatch,
    SubmitPayment,
)
from actors.vocabulary.money import DECIMALS, decimal_text, parse_money
from actors.vocabulary.slots import slot_in, slot_of

if TYPE_CHECKING:
    from actors.admin.reading import Reading
    from actors.messaging.system_messages import Busy

SETTLED: Final = frozenset(("completed", "rejected", "cancelled", "returned", "held", "needs_attention"))
_LOOK_SECONDS: Final = 0.2
_APPEAR_SECONDS: Final = 2.0  # an accepted payment may have to reach another cell before it can be read


def random_key() -> str:
    """An idempotency key for an order that came without one."""
    return f"key-{uuid4()}"


def order_from(given: Arguments, key: str) -> SubmitPayment:
    """The order that the arguments of `pay` describe.

    Raises:
        BadAmount: the amount is none.
    """
    return SubmitPayment(
        idempotency_key=key,
        debtor_account=given.debtor,
        creditor_name=given.creditor,
        creditor_account=given.creditor_account,
        amount=parse_money(given.amount, given.currency),
        creditor_country=given.country,
        creditor_email=given.email,
        creditor_date_of_birth=given.date_of_birth,
        end_to_end_id=given.end_to_end_id,
        remittance=given.remittance,
        flow=given.flow,
        execution_date=given.execution_date,
        workflow=given.workflow,
    )


def check_form(order: SubmitPayment) -> None:
    """Refuse an order that the system would refuse, before anything is sent.

    Raises:
        CommandFailed: with everything that is wrong with it.
    """
    from actors.disbursement.model import form_error

    error = form_error(order)
    if error:
        raise CommandFailed(error)


def pay_one(
    client: Any, data: Path, order: SubmitPayment, wait_seconds: float | None, patience_seconds: float | None = None
) -> dict[str, Any]:
    """Submit one order, wait if asked to, and say what is known of the payment then.

    Without patience a system that is busy is not asked twice.

    Raises:
        CommandFailed: the order was refused, or not taken now.
    """
    document, accepted = _taken(client, data, order, slot_of(order.idempotency_key), wait_seconds, patience_seconds)
    document = document or just_received(order, accepted.payment_id)
    return document | {"duplicate": accepted.duplicate}


def refund_one(
    client: Any, data: Path, refund: RefundPayment, wait_seconds: float | None, patience_seconds: float | None = None
) -> dict[str, Any]:
    """Ask for one refund, as `pay_one` submits an order; what is known of the refund then.

    Raises:
        CommandFailed: it was refused, not taken now, or was taken and can't be read yet.
    """
    slot = slot_in(refund.refund_of)
    document, accepted = _taken(client, data, refund, slot, wait_seconds, patience_seconds)
    if document is None:
        raise CommandFailed(f"refund {accepted.payment_id} is accepted; see what became of it with: payment ID")
    return document | {"duplicate": accepted.duplicate}


def _taken(
    client: Any,
    data: Path,
    order: SubmitPayment | RefundPayment,
    slot: int,
    wait_seconds: float | None,
    patience_seconds: float | None,
) -> tuple[dict[str, Any] | None, PaymentAccepted]:
    """Have the order taken, and wait for its end if asked to; what can be read of it then."""
    from actors.admin.reading import Reading
    from actors.messaging.system_messages import Busy

    patience_seconds = wait_seconds or patience_seconds
    patience = () if patience_seconds is None else (patience_seconds,)
    began = time.monotonic()
    accepted = client.request(order, "disbursement", slot, *patience, impatient=patience_seconds is None)
    if isinstance(accepted, Busy):
        raise CommandFailed(
            f"busy, retry after {accepted.retry_after_ms} ms ({accepted.reason}): nothing was taken; give the same "
            f"command again with --key {order.idempotency_key}, or --timeout S to have it tried for so long"
        )
    if not isinstance(accepted, PaymentAccepted):
        raise CommandFailed(error_of(accepted))
    if wait_seconds is not None:
        client.wait(accepted.payment_id, max(0.0, wait_seconds - (time.monotonic() - began)))
    reading = Reading.open(data)
    try:
        return _when_readable(reading, accepted.payment_id), accepted
    finally:
        reading.close()


def just_received(order: SubmitPayment, payment_id: str) -> dict[str, Any]:
    """An accepted payment that no cell shows yet: the order itself."""
    now = datetime.now(UTC).isoformat()
    return {
        "payment_id": payment_id,
        "idempotency_key": order.idempotency_key,
        "duplicate": False,
        "status": "received",
        "reason": None,
        "reason_text": "",
        "flow": order.flow,
        "workflow": None,
        "workflow_version": None,
        "batch_id": order.batch_id,
        "end_to_end_id": order.end_to_end_id,
        "uetr": None,
        "debtor_account": order.debtor_account,
        "creditor": {
            "name": order.creditor_name,
            "account": order.creditor_account,
            "country": order.creditor_country,
            "email": order.creditor_email,
            "date_of_birth": order.creditor_date_of_birth,
        },
        "remittance": order.remittance,
        "amount": order.amount.decimal,
        "currency": order.amount.currency,
        "created_at": now,
        "updated_at": now,
        "execution_date": order.execution_date,
        "refund_of": None,
        "refunds": [],
    }


def read_file(path: Path, flow: str | None) -> tuple[list[tuple[int, SubmitPayment]], list[dict[str, Any]]]:
    """The good lines of an order file as orders, and the bad ones as `line` and `error`.

    Raises:
        CommandFailed: the file as a whole can't be used.
    """
    from actors.disbursement.files import BadOrderFile, read_orders

    orders: list[tuple[int, SubmitPayment]] = []
    refused: list[dict[str, Any]] = []
    try:
        for line, order in read_orders(path, flow=flow):
            if isinstance(order, SubmitPayment):
                orders.append((line, order))
            else:
                refused.append({"line": line, "error": order})
    except BadOrderFile as error:
        raise CommandFailed(str(error)) from error
    return orders, refused


@dataclass
class Submission:
    """One file on its way: what was taken, what was known, what was refused."""

    path: Path
    flow: str | None
    refused: list[dict[str, Any]]
    batch_id: str | None = None
    accepted: int = 0
    duplicates: int = 0
    busy_answers: int = 0
    sums: dict[str, int] = field(default_factory=dict)  # minor units by currency
    payment_ids: list[str] = field(default_factory=list)
    by_status: dict[str, int] | None = None

    @property
    def answered(self) -> int:
        """Orders that have been decided on."""
        return self.accepted + self.duplicates

    def check(self, orders: Sequence[tuple[int, SubmitPayment]]) -> None:
        """Count what would be taken, without sending anything."""
        self.accepted = len(orders)
        for _, order in orders:
            self._add(order)

    def send(
        self, client: Any, orders: Sequence[tuple[int, SubmitPayment]], advance: Callable[[int], None],
        told_busy: Callable[[Busy], None] = lambda busy: None,
    ) -> None:  # fmt: skip
        """Register the file as a batch and submit its orders. The same file is the same batch.

        `told_busy` hears when the system asks to slow down, which is done.
        """
        from dataclasses import replace

        self.batch_id = batch_id_of(self.path, self.flow)
        registered = client.request(
            RegisterBatch(batch_id=self.batch_id, file_name=self.path.name, orders=len(orders)),
            "disbursement",
            slot_of(self.batch_id),
        )
        if not isinstance(registered, BatchRegistered):
            raise CommandFailed(error_of(registered))
        lines = {order.idempotency_key: line for line, order in orders}

        def heard(busy: Busy) -> None:
            self.busy_answers += 1
            told_busy(busy)

        sent = (replace(order, batch_id=self.batch_id) for _, order in orders)
        for order, reply in client.submit(sent, told_busy=heard):
            advance(1)
            if isinstance(reply, PaymentAccepted):
                self.payment_ids.append(reply.payment_id)
                self.duplicates += reply.duplicate
                self.accepted += not reply.duplicate
                self._add(order)
            else:
                self.refused.append({"line": lines[order.idempotency_key], "error": error_of(reply)})

    def document(self) -> dict[str, Any]:
        """What `submit` answers."""
        document: dict[str, Any] = {
            "batch_id": self.batch_id,
            "sums": {currency: decimal_text(amount, currency) for currency, amount in sorted(self.sums.items())},
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": sorted(self.refused, key=lambda line: int(line["line"])),
        }
        if self.by_status is not None:
            document["by_status"] = self.by_status
        return document

    def _add(self, order: SubmitPayment) -> None:
        currency = order.amount.currency
        assert currency in DECIMALS
        self.sums[currency] = self.sums.get(currency, 0) + order.amount.amount


def batch_id_of(path: Path, flow: str | None) -> str:
    """The id of a file's batch: from its content, so that submitting it again is the same batch."""
    content = path.read_bytes() + b"\0" + (flow or "").encode()
    return f"B{hashlib.sha256(content).hexdigest()[:20].upper()}"


def wait_for_payments(
    reading: Reading, payment_ids: Sequence[str], timeout: float, advance: Callable[[int], None]
) -> dict[str, int]:
    """Wait until each has ended or needs a person; how many have which status when that is so, or time is up."""
    deadline = time.monotonic() + timeout
    open_ids = set(payment_ids)
    while open_ids:
        found = reading.statuses(open_ids)
        decided = {payment_id for payment_id, status in found.items() if status in SETTLED}
        open_ids -= decided
        advance(len(decided))
        if not open_ids or time.monotonic() >= deadline:
            break
        time.sleep(_LOOK_SECONDS)
    statuses = reading.statuses(set(payment_ids))  # as they stand now: some were sent back, or contradicted
    by_status: dict[str, int] = {}
    for payment_id in dict.fromkeys(payment_ids):
        status = statuses.get(payment_id, "received")
        by_status[status] = by_status.get(status, 0) + 1
    return dict(sorted(by_status.items()))


def _when_readable(reading: Reading, payment_id: str) -> dict[str, Any] | None:
    deadline = time.monotonic() + _APPEAR_SECONDS
    while True:
        document = reading.payment_without_timeline(payment_id)
        if document is not None or time.monotonic() >= deadline:
            return document
        time.sleep(0.01)
