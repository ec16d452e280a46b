"""What the Ledger does by itself when it hears of a payment: the choreographed flow's share of the ledger."""

from __future__ import annotations

from typing import Final

from actors.aml.messages import BeneficiaryBlocked, BeneficiaryCleared
from actors.approval.messages import ApprovalDenied
from actors.directory.reaction import On, Reactions
from actors.disbursement.messages import PaymentInitiated
from actors.execution.messages import ExecutionRejected, ExecutionStopped, PaymentExecuted, ReturnReceived
from actors.ledger.messages import (
    BookReturn,
    DebitAccount,
    PostCredit,
    PostDebit,
    ReserveCredit,
    VoidCredit,
    VoidDebit,
)


def debit_account(event: PaymentInitiated | BeneficiaryCleared) -> DebitAccount | None:
    """Hold the payment's amount on its debtor's account."""
    facts = event.facts
    if facts is None:
        return None
    order = facts.order
    return DebitAccount(debit_id=order.payment_id, account_id=order.debtor_account, amount=order.amount, facts=facts)


def post_debit(event: PaymentExecuted) -> PostDebit | None:
    """The rail has paid: the held money has left."""
    facts = event.facts
    return None if facts is None else PostDebit(debit_id=facts.order.payment_id, facts=facts)


def void_debit(event: ExecutionRejected | BeneficiaryBlocked) -> VoidDebit | None:
    """Proven unpaid, or never to be paid: the held money goes back."""
    facts = event.facts
    return None if facts is None else VoidDebit(debit_id=facts.order.payment_id, reason=event.reason, facts=facts)


def void_stopped(event: ExecutionStopped) -> VoidDebit | None:
    """The gate is closed before any instruction: the money goes back, the payment ends as the stop says."""
    facts = event.facts
    if facts is None:
        return None
    return VoidDebit(debit_id=facts.order.payment_id, reason=event.reason, ending=event.ending, facts=facts)


def book_return(event: ReturnReceived) -> BookReturn | None:
    """The rail sent the money back."""
    facts = event.facts
    if facts is None:
        return None
    return BookReturn(return_id=event.return_id, debit_id=facts.order.payment_id, reason=event.reason, facts=facts)


def reserve_credit(event: PaymentInitiated) -> ReserveCredit | None:
    """Set aside what is to be given back, if it was paid, is asked for in time, and so much of it is left."""
    order, facts = event.facts.order, event.facts
    refund = order.refund
    if refund is None:
        return None
    return ReserveCredit(
        credit_id=order.payment_id,
        debit_id=refund.payment_id,
        amount=order.amount,
        asked_at=order.created_at,
        until=refund.until,
        facts=facts,
    )


def post_credit(event: PaymentExecuted) -> PostCredit | None:
    """The money has come: the debtor gets it."""
    facts = event.facts
    return None if facts is None else PostCredit(credit_id=facts.order.payment_id, facts=facts)


def void_credit(event: ExecutionRejected | BeneficiaryBlocked | ApprovalDenied) -> VoidCredit | None:
    """Proven not to have come, or never to be asked for: what was set aside is free again."""
    facts = event.facts
    return None if facts is None else VoidCredit(credit_id=facts.order.payment_id, reason=event.reason, facts=facts)


def void_stopped_credit(event: ExecutionStopped) -> VoidCredit | None:
    """The gate is closed before any instruction: the refund ends as the stop says."""
    facts = event.facts
    if facts is None:
        return None
    return VoidCredit(credit_id=facts.order.payment_id, reason=event.reason, ending=event.ending, facts=facts)


UNTOLD: Final = "only the Ledger knows whether money is held; voiding a debit never made refuses a late one"

# What the orders of steps of a payment have in common: all that follows once its money is held.
PAYMENT: Final = (
    On(PaymentExecuted, PostDebit, post_debit),
    On(ExecutionRejected, VoidDebit, void_debit),
    On(BeneficiaryBlocked, VoidDebit, void_debit, may_be_idle=UNTOLD),
    On(ExecutionStopped, VoidDebit, void_stopped, may_be_idle=UNTOLD),
    On(ReturnReceived, BookReturn, book_return),
)
REACTIONS: Reactions = {
    "debit-first": (On(PaymentInitiated, DebitAccount, debit_account), *PAYMENT),
    "screen-first": (On(BeneficiaryCleared, DebitAccount, debit_account), *PAYMENT),
    "refund": (
        On(PaymentInitiated, ReserveCredit, reserve_credit),
        On(PaymentExecuted, PostCredit, post_credit),
        On(ExecutionRejected, VoidCredit, void_credit),
        On(ApprovalDenied, VoidCredit, void_credit),
        On(BeneficiaryBlocked, VoidCredit, void_credit),
        On(ExecutionStopped, VoidCredit, void_stopped_credit),
    ),
}
