"""What the Ledger does by itself when it hears of a payment: the choreographed flow's share of the ledger."""

from __future__ import annotations

from actors.aml.messages import BeneficiaryBlocked, BeneficiaryCleared
from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.disbursement.messages import PaymentInitiated
from actors.execution.messages import ExecutionRejected, ExecutionStopped, PaymentExecuted, ReturnReceived
from actors.ledger.messages import BookReturn, DebitAccount, PostDebit, VoidDebit


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


REACTIONS: Reactions = {
    "debit-first": (On(PaymentInitiated, DebitAccount, debit_account),),
    "screen-first": (On(BeneficiaryCleared, DebitAccount, debit_account),),
    ANY_ORDER: (
        On(PaymentExecuted, PostDebit, post_debit),
        On(ExecutionRejected, VoidDebit, void_debit),
        On(BeneficiaryBlocked, VoidDebit, void_debit),
        On(ExecutionStopped, VoidDebit, void_stopped),
        On(ReturnReceived, BookReturn, book_return),
    ),
}
