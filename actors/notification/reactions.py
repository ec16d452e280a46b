"""What Notification reacts to, in both flows: the ends of payments; and accounts, for the debtors' addresses."""

from __future__ import annotations

from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On, Reactions
from actors.disbursement.messages import (
    PaymentCancelled,
    PaymentCompleted,
    PaymentNeedsAttention,
    PaymentRejected,
    PaymentReturned,
)
from actors.ledger.messages import AccountOpened
from actors.notification.messages import NotifyParties, RememberContact


def tell_completed(event: PaymentCompleted) -> NotifyParties:
    """The money has arrived."""
    return NotifyParties(ending="completed", order=event.order)


def tell_rejected(event: PaymentRejected) -> NotifyParties:
    """The payment could not be made."""
    return NotifyParties(ending="rejected", order=event.order, reason=event.reason)


def tell_cancelled(event: PaymentCancelled) -> NotifyParties:
    """The payment was stopped by a person."""
    return NotifyParties(ending="cancelled", order=event.order, reason=event.reason)


def tell_returned(event: PaymentReturned) -> NotifyParties:
    """The money came back."""
    return NotifyParties(ending="returned", order=event.order, reason=event.reason)


def tell_delayed(event: PaymentNeedsAttention) -> NotifyParties:
    """A person must look."""
    return NotifyParties(ending="needs_attention", order=event.order, reason=event.reason)


def remember_contact(event: AccountOpened) -> RememberContact:
    """Whose account it is."""
    return RememberContact(account_id=event.account_id, owner=event.owner, email=event.email)


REACTIONS: Reactions = {
    ANY_ORDER: (
        On(PaymentCompleted, NotifyParties, tell_completed, BOTH_FLOWS),
        On(PaymentRejected, NotifyParties, tell_rejected, BOTH_FLOWS),
        On(PaymentCancelled, NotifyParties, tell_cancelled, BOTH_FLOWS),
        On(PaymentReturned, NotifyParties, tell_returned, BOTH_FLOWS),
        On(PaymentNeedsAttention, NotifyParties, tell_delayed, BOTH_FLOWS),
        On(AccountOpened, RememberContact, remember_contact, BOTH_FLOWS),
    ),
}
