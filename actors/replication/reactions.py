"""What Replication reacts to, in both flows: the events that end a payment."""

from __future__ import annotations

from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On, Reactions
from actors.disbursement.messages import (
    PaymentCancelled,
    PaymentCompleted,
    PaymentNeedsAttention,
    PaymentRejected,
    PaymentReturned,
)
from actors.replication.messages import ReplicatePayment


def copy_completed(event: PaymentCompleted) -> ReplicatePayment:
    """The payment is done."""
    return ReplicatePayment(status="completed", order=event.order)


def copy_rejected(event: PaymentRejected) -> ReplicatePayment:
    """The payment was not made."""
    return ReplicatePayment(status="rejected", order=event.order, reason=event.reason)


def copy_cancelled(event: PaymentCancelled) -> ReplicatePayment:
    """The payment was stopped."""
    return ReplicatePayment(status="cancelled", order=event.order, reason=event.reason)


def copy_returned(event: PaymentReturned) -> ReplicatePayment:
    """The money came back."""
    return ReplicatePayment(status="returned", order=event.order, reason=event.reason)


def copy_needing_attention(event: PaymentNeedsAttention) -> ReplicatePayment:
    """A person must look; what becomes of the payment then takes this copy's place."""
    return ReplicatePayment(status="needs_attention", order=event.order, reason=event.reason)


REACTIONS: Reactions = {
    ANY_ORDER: (
        On(PaymentCompleted, ReplicatePayment, copy_completed, BOTH_FLOWS),
        On(PaymentRejected, ReplicatePayment, copy_rejected, BOTH_FLOWS),
        On(PaymentCancelled, ReplicatePayment, copy_cancelled, BOTH_FLOWS),
        On(PaymentReturned, ReplicatePayment, copy_returned, BOTH_FLOWS),
        On(PaymentNeedsAttention, ReplicatePayment, copy_needing_attention, BOTH_FLOWS),
    ),
}
