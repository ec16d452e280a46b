"""What Disbursement makes of the others' events: how a choreographed payment ends."""

from __future__ import annotations

from actors.aml.messages import ReviewOverdue
from actors.approval.messages import ApprovalOverdue
from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.disbursement.messages import EndPayment, RefuseCancellation
from actors.disbursement.model import CANCELLED, COMPLETED, NEEDS_ATTENTION, REJECTED, RETURNED
from actors.execution.messages import ExecutionContradicted, ExecutionInDoubt, ReturnReceived, StopRefused
from actors.ledger.messages import (
    CreditPosted,
    CreditRefused,
    CreditVoided,
    CreditVoidRefused,
    CreditWithheld,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    PostingRefused,
    ReturnBooked,
    ReturnSuspended,
    VoidRefused,
)


def completed(event: DebitPosted | CreditPosted) -> EndPayment | None:
    """Executed at the bank and posted in the ledger."""
    return EndPayment(order=event.facts.order, status=COMPLETED) if event.facts else None


def rejected(event: DebitRefused | CreditRefused) -> EndPayment | None:
    """A fact spoke against it at the ledger: nothing was held, nothing is to undo."""
    return EndPayment(order=event.facts.order, status=REJECTED, reason=event.reason) if event.facts else None


def voided(event: DebitVoided | CreditVoided) -> EndPayment | None:
    """The money is where it was: rejected or cancelled, as the void says."""
    if event.facts is None:
        return None
    status = CANCELLED if event.ending == CANCELLED else REJECTED
    return EndPayment(order=event.facts.order, status=status, reason=event.reason)


def returned(event: ReturnBooked) -> EndPayment | None:
    """The bank sent the money back, and the debtor has it again."""
    return EndPayment(order=event.facts.order, status=RETURNED, reason=event.reason) if event.facts else None


def stuck(event: ExecutionInDoubt | ReviewOverdue | ApprovalOverdue) -> EndPayment | None:
    """A payment under way needs a person; one that has ended meanwhile does not."""
    return EndPayment(order=event.facts.order, status=NEEDS_ATTENTION, reason=event.reason) if event.facts else None


def contradicted(
    event: ExecutionContradicted
    | PostingRefused
    | VoidRefused
    | ReturnSuspended
    | CreditWithheld
    | CreditVoidRefused
    | ReturnReceived,
) -> EndPayment | None:
    """What was settled, or seemed so, is not: a person must look, even at a payment that has ended."""
    if event.facts is None:
        return None
    return EndPayment(order=event.facts.order, status=NEEDS_ATTENTION, reason=event.reason, reopens=True)


def refused_to_stop(event: StopRefused) -> RefuseCancellation | None:
    """The person who wanted to cancel came too late; a hold whose time was up asked for itself alone."""
    if event.facts is None or event.ending != CANCELLED:
        return None
    error = "already at the bank: it can't be cancelled any more"
    return RefuseCancellation(payment_id=event.facts.order.payment_id, error=error)


REACTIONS: Reactions = {
    "refund": (
        On(CreditPosted, EndPayment, completed),
        On(CreditRefused, EndPayment, rejected),
        On(ApprovalOverdue, EndPayment, stuck),
        On(CreditVoided, EndPayment, voided),
        On(CreditWithheld, EndPayment, contradicted),
        On(CreditVoidRefused, EndPayment, contradicted),
        On(ReturnReceived, EndPayment, contradicted),
    ),
    ANY_ORDER: (
        On(DebitPosted, EndPayment, completed),
        On(DebitRefused, EndPayment, rejected),
        On(DebitVoided, EndPayment, voided),
        On(ReturnBooked, EndPayment, returned),
        On(ExecutionInDoubt, EndPayment, stuck),
        On(ReviewOverdue, EndPayment, stuck),
        On(ExecutionContradicted, EndPayment, contradicted),
        On(PostingRefused, EndPayment, contradicted),
        On(VoidRefused, EndPayment, contradicted),
        On(ReturnSuspended, EndPayment, contradicted),
        On(StopRefused, RefuseCancellation, refused_to_stop),
    ),
}
