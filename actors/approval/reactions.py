"""Approval's share of the choreographed chain: a refund over the limit asks people, a stopped one no more."""

from __future__ import annotations

from actors.approval.messages import RequestApproval, WithdrawApproval
from actors.directory.reaction import On, Reactions
from actors.execution.messages import ExecutionStopped
from actors.ledger.messages import CreditReserved
from actors.vocabulary.refunds import needs_approval


def ask_people(event: CreditReserved) -> RequestApproval | None:
    """A refund over the limit: people must agree. Others go on without."""
    facts = event.facts
    if facts is None or not needs_approval(facts.order.amount):
        return None
    order = facts.order
    return RequestApproval(
        approval_id=order.payment_id,
        amount=order.amount,
        debtor_account=order.debtor_account,
        creditor_name=order.creditor.name,
        why=f"{order.remittance} over the limit",
        facts=facts,
    )


def withdraw(event: ExecutionStopped) -> WithdrawApproval | None:
    """The gate is closed: nobody need decide any more."""
    facts = event.facts
    if facts is None or not needs_approval(facts.order.amount):
        return None
    return WithdrawApproval(approval_id=facts.order.payment_id, reason=event.reason.text, facts=facts)


REACTIONS: Reactions = {
    "refund": (
        On(CreditReserved, RequestApproval, ask_people),
        On(
            ExecutionStopped,
            WithdrawApproval,
            withdraw,
            may_be_idle="nobody but Approval knows whether people are asked",
        ),
    ),
}
