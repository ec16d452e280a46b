"""What Execution does on others' events in the choreographed flow, for each order of steps."""

from __future__ import annotations

from dataclasses import replace

from actors.aml.messages import BeneficiaryCleared
from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.disbursement.messages import CancellationRequested
from actors.execution.messages import AskRail, ExecutePayment, StopExecution
from actors.execution.model import MissingEvidence
from actors.ledger.messages import AccountDebited, DebitExpiryReached
from actors.messaging.system_messages import PaymentRetried
from actors.vocabulary.order import PaymentFacts, turned_round
from actors.vocabulary.reason import REQUESTED_BY_CUSTOMER, TIMEOUT_AT_INSTRUCTED_AGENT, Reason

EXPIRED = Reason(TIMEOUT_AT_INSTRUCTED_AGENT, "the time for which the money may be held is up")


def _execute(facts: PaymentFacts | None, debit_id: str | None, screening_id: str | None) -> ExecutePayment:
    """The command; evidence that is missing stays missing, and the gate refuses it."""
    order = _known(facts).order
    return ExecutePayment(
        instruction_id=order.payment_id,
        debit_id=debit_id or "",
        screening_id=screening_id or "",
        debtor_account=order.debtor_account,
        creditor=order.creditor,
        amount=order.amount,
        end_to_end_id=order.end_to_end_id,
        uetr=order.uetr,
        remittance=order.remittance,
        facts=facts,
    )


def execute_cleared(event: BeneficiaryCleared) -> ExecutePayment:
    """Debit first: the clearance is the last evidence."""
    return _execute(event.facts, _known(event.facts).debit_id, event.screening_id)


def execute_debited(event: AccountDebited) -> ExecutePayment:
    """Screen first: the debit is the last evidence."""
    return _execute(event.facts, event.debit_id, _known(event.facts).screening_id)


def execute_refund(event: BeneficiaryCleared) -> ExecutePayment:
    """A refund: the creditor's account pays the debtor's, once the credit is reserved and its party cleared."""
    debtor_account, creditor = turned_round(_known(event.facts).order)
    return replace(execute_cleared(event), debtor_account=debtor_account, creditor=creditor)


def stop_cancelled(event: CancellationRequested) -> StopExecution:
    """A person wants the payment stopped."""
    return StopExecution(
        instruction_id=event.facts.order.payment_id,
        reason=Reason(REQUESTED_BY_CUSTOMER, event.reason),
        ending="cancelled",
        facts=event.facts,
    )


def stop_expired(event: DebitExpiryReached) -> StopExecution:
    """The hold's time is up: unless the payment has been handed over, it ends here."""
    facts = _known(event.facts)
    return StopExecution(instruction_id=facts.order.payment_id, reason=EXPIRED, ending="rejected", facts=facts)


def ask_rail(event: PaymentRetried) -> AskRail:
    """A person retries the payment: perhaps the bank knows more by now."""
    return AskRail(payment_id=event.payment_id)


def _known(facts: PaymentFacts | None) -> PaymentFacts:
    if facts is None:
        raise MissingEvidence("a choreographed event carries the payment's facts; this one has none")
    return facts


REACTIONS: Reactions = {
    "debit-first": (On(BeneficiaryCleared, ExecutePayment, execute_cleared),),
    "screen-first": (On(AccountDebited, ExecutePayment, execute_debited),),
    "refund": (On(BeneficiaryCleared, ExecutePayment, execute_refund),),
    ANY_ORDER: (
        On(CancellationRequested, StopExecution, stop_cancelled),
        On(DebitExpiryReached, StopExecution, stop_expired),
        On(PaymentRetried, AskRail, ask_rail),
    ),
}
