"""Answers of every service to payment P1-00, and scripts that have come as far as a test needs them."""

from __future__ import annotations

from actors.aml.messages import (
    BeneficiaryBlocked,
    BeneficiaryCleared,
    BeneficiaryHeld,
    ReviewClosed,
    ReviewOverdue,
    ScreenBeneficiary,
)
from actors.execution.messages import (
    ExecutePayment,
    ExecutionContradicted,
    ExecutionInDoubt,
    ExecutionRejected,
    ExecutionStopped,
    PaymentExecuted,
    PaymentSubmitted,
    ReturnReceived,
    StopRefused,
)
from actors.ledger.messages import (
    AccountDebited,
    DebitAccount,
    DebitExpiryReached,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    PostDebit,
    PostingRefused,
    ReturnBooked,
    ReturnSuspended,
    VoidRefused,
)
from actors.payment.definition import Workflow
from actors.payment.workflow import DEBIT_FIRST
from actors.vocabulary.reason import Reason
from tests.fakes.workflow_script import WorkflowScript, an_order

P = "P1-00"
DEBITED = AccountDebited(debit_id=P)
NO_FUNDS = DebitRefused(debit_id=P, reason=Reason("AM04", "not enough money"))
VOIDED = DebitVoided(debit_id=P, reason=Reason("NARR", ""))
VOID_REFUSED = VoidRefused(debit_id=P, reason=Reason("NARR", "it is posted"))
CLEARED = BeneficiaryCleared(screening_id=P)
BLOCKED = BeneficiaryBlocked(screening_id=P, reason=Reason("RR04", "sanctioned"))
HELD = BeneficiaryHeld(screening_id=P, case_id="C1", reason=Reason("RR04", "similar"), review_seconds=3600)
OVERDUE = ReviewOverdue(screening_id=P, case_id="C1", reason=Reason("NARR", "nobody has decided"))
CLOSED = ReviewClosed(screening_id=P)
SUBMITTED = PaymentSubmitted(instruction_id=P)
EXECUTED = PaymentExecuted(instruction_id=P)
REJECTED = ExecutionRejected(instruction_id=P, reason=Reason("AC04", "account closed"))
IN_DOUBT = ExecutionInDoubt(instruction_id=P, reason=Reason("AB05", "the rail is silent"))
CONTRADICTED = ExecutionContradicted(instruction_id=P, reason=Reason("NARR", "now it says otherwise"))
STOPPED = ExecutionStopped(instruction_id=P, reason=Reason("CUST", "wrong amount"), ending="cancelled")
STOP_REFUSED = StopRefused(instruction_id=P, ending="cancelled")
EXPIRY = DebitExpiryReached(debit_id=P)
POSTED = DebitPosted(debit_id=P)
POSTING_REFUSED = PostingRefused(debit_id=P, reason=Reason("NARR", "the debit was voided"))
RETURN = ReturnReceived(return_id="R1", instruction_id=P, reason=Reason("AC04", "account closed"))
BOOKED = ReturnBooked(return_id="R1", debit_id=P, reason=Reason("AC04", "account closed"))
SUSPENDED = ReturnSuspended(return_id="R1", debit_id=P, reason=Reason("AC05", "the account is closed"))


def begun(workflow: Workflow = DEBIT_FIRST) -> WorkflowScript:
    """A payment that has just been requested."""
    return WorkflowScript(workflow, an_order(workflow=workflow.name))


def at_screening() -> WorkflowScript:
    """Debited; the beneficiary is being screened."""
    return begun().expect(DebitAccount, to="ledger").reply(DEBITED)


def at_the_bank() -> WorkflowScript:
    """Debited and cleared; the rail has it."""
    return at_screening().expect(ScreenBeneficiary, to="aml").reply(CLEARED)


def completed() -> WorkflowScript:
    """Executed and posted."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(SUBMITTED, EXECUTED)
    return script.expect(PostDebit, to="ledger").reply(POSTED)
