"""The rules of taking in a refund: what may be asked for, and the order that it becomes. Pure.

What only the ledger knows (whether the payment was made, how much of it is left) ends the refund, and refuses no order.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from actors.disbursement import model
from actors.disbursement.messages import RefundPayment
from actors.messaging import codec
from actors.vocabulary.offers import REFUND
from actors.vocabulary.order import PaymentOrder, RefundOf
from actors.vocabulary.reason import REQUESTED_BY_CUSTOMER, Reason

WORKFLOW: Final = REFUND


def form_errors(command: RefundPayment) -> list[str]:
    """What is wrong with the form of what is asked, a sentence each; empty when it can be taken.

    >>> form_errors(RefundPayment(idempotency_key="K-2", refund_of="P01JD8XK2M300004-2f", reason="", flow="both"))
    ['reason is empty', "flow 'both' is neither orchestrated nor choreographed"]
    """
    errors = model.text_errors("idempotency_key", command.idempotency_key)
    errors += model.text_errors("reason", command.reason)
    errors += model.flow_errors(command.flow)
    amount = command.amount
    return errors + ([] if amount is None else model.amount_errors(amount))


def why_not(payment_id: str, original: PaymentOrder | None, command: RefundPayment) -> str:
    """The sentence that refuses a refund of what can't have one, whatever became of it; empty if it can."""
    if original is None:
        return f"there is no payment {payment_id[:60]}"
    if original.refund is not None:
        return f"payment {payment_id} is itself a refund, of {original.refund.payment_id}; pay again instead"
    wanted, was = command.amount, original.amount.currency
    if wanted is not None and wanted.currency != was:
        return f"payment {payment_id} was in {was}, so its refund can't be in {wanted.currency}"
    return ""


def digest(command: RefundPayment) -> bytes:
    """Sixteen bytes that stand for what was asked: every field as given, apart from the key."""
    amount = command.amount
    asked = (amount.amount, amount.currency) if amount else None
    content = codec.pack((WORKFLOW, command.refund_of, asked, command.reason, command.flow))
    return blake2b(content, digest_size=model.DIGEST_BYTES).digest()


def order_of(
    command: RefundPayment,
    original: PaymentOrder,
    *,
    refund_id: str,
    uetr: str,
    flow: str,
    version: int,
    period: timedelta,
    now: datetime,
) -> PaymentOrder:
    """The refund as an order of its own: the parties and the reference of the payment, the money the other way."""
    return PaymentOrder(
        payment_id=refund_id,
        idempotency_key=command.idempotency_key,
        debtor_account=original.debtor_account,
        creditor=original.creditor,
        amount=command.amount or original.amount,
        end_to_end_id=original.end_to_end_id,
        uetr=uetr,
        remittance=f"refund of {original.payment_id}",
        flow=flow,
        workflow=WORKFLOW,
        workflow_version=version,
        batch_id=None,
        created_at=now,
        refund=RefundOf(
            payment_id=original.payment_id,
            amount=original.amount,
            created_at=original.created_at,
            until=original.created_at + period,
            reason=Reason(REQUESTED_BY_CUSTOMER, command.reason),
        ),
    )
