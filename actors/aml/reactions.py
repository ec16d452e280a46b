"""AML's share of the choreographed chain: whose events make it screen, and close a review."""

from __future__ import annotations

from actors.aml.messages import CloseReview, ScreenBeneficiary
from actors.approval.messages import ApprovalGranted
from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.disbursement.messages import PaymentInitiated
from actors.execution.messages import ExecutionStopped
from actors.ledger.messages import AccountDebited, CreditReserved
from actors.vocabulary.refunds import needs_approval


def screen_beneficiary(
    event: AccountDebited | PaymentInitiated | CreditReserved | ApprovalGranted,
) -> ScreenBeneficiary | None:
    """Screen the creditor of the order that the event carries."""
    facts = event.facts
    if facts is None:
        return None
    order = facts.order
    creditor = order.creditor
    return ScreenBeneficiary(
        screening_id=order.payment_id,
        name=creditor.name,
        country=creditor.country,
        date_of_birth=creditor.date_of_birth,
        facts=facts,
    )


def screen_unless_asked(event: CreditReserved) -> ScreenBeneficiary | None:
    """A refund that people need not approve is screened at once."""
    facts = event.facts
    return None if facts is None or needs_approval(facts.order.amount) else screen_beneficiary(event)


def close_review(event: ExecutionStopped) -> CloseReview | None:
    """The gate is closed: nobody need decide any more."""
    if event.facts is None:
        return None
    return CloseReview(screening_id=event.facts.order.payment_id, reason=event.reason.text, facts=event.facts)


REACTIONS: Reactions = {
    "debit-first": (On(AccountDebited, ScreenBeneficiary, screen_beneficiary),),
    "screen-first": (On(PaymentInitiated, ScreenBeneficiary, screen_beneficiary),),
    "refund": (
        On(CreditReserved, ScreenBeneficiary, screen_unless_asked),
        On(ApprovalGranted, ScreenBeneficiary, screen_beneficiary),
    ),
    ANY_ORDER: (On(ExecutionStopped, CloseReview, close_review, may_be_idle="only AML knows whether a case is open"),),
}
