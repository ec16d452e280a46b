"""What Operations hears of the wishes to cancel, in both flows: how each has ended."""

from __future__ import annotations

from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On, Reactions
from actors.disbursement.messages import CancellationRefused, PaymentCancelled
from actors.operations.messages import EndItem
from actors.operations.model import REFUSED, SUCCEEDED
from actors.vocabulary.operators import CANCEL


def cancelled(event: PaymentCancelled) -> EndItem:
    """The wish was granted."""
    return EndItem(payment_id=event.order.payment_id, action=CANCEL, state=SUCCEEDED, text="cancelled")


def not_cancelled(event: CancellationRefused) -> EndItem:
    """It was not."""
    return EndItem(payment_id=event.payment_id, action=CANCEL, state=REFUSED, text=event.error)


REACTIONS: Reactions = {
    ANY_ORDER: (
        On(PaymentCancelled, EndItem, cancelled, flows=BOTH_FLOWS),
        On(CancellationRefused, EndItem, not_cancelled, flows=BOTH_FLOWS),
    ),
}
