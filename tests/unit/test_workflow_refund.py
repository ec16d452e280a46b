"""The refund played as a script: what is sent in which order, and what undoes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.aml.messages import BeneficiaryBlocked, BeneficiaryCleared, ScreenBeneficiary
from actors.approval.messages import ApprovalDenied, ApprovalGranted, ApprovalRequested, RequestApproval
from actors.execution.messages import (
    ExecutePayment,
    ExecutionInDoubt,
    ExecutionRejected,
    ExecutionStopped,
    PaymentExecuted,
    ReturnReceived,
    StopExecution,
)
from actors.ledger.messages import (
    CreditPosted,
    CreditRefused,
    CreditReserved,
    CreditVoided,
    CreditWithheld,
    PostCredit,
    ReserveCredit,
    VoidCredit,
)
from actors.payment import refund, workflow
from actors.payment.refund import REFUND, NoRefund
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, RefundOf
from actors.vocabulary.reason import Reason
from actors.vocabulary.refunds import APPROVAL_OVER, needs_approval
from tests.fakes.workflow_script import NOW, WorkflowScript, an_order

R = "R1-00"
WHY = Reason("AC04", "closed")
UNTIL = NOW + timedelta(days=180)


def script(amount: int = 400) -> WorkflowScript:
    """A refund of that many cents of P1-00, about to reserve."""
    of = RefundOf(payment_id="P1-00", amount=Money(90_000, "EUR"), created_at=NOW, until=UNTIL, reason=WHY)
    return WorkflowScript(REFUND, an_order(R, "refund", amount=Money(amount, "EUR"), refund=of))


def reserved(amount: int = 400) -> WorkflowScript:
    """Reserved."""
    expected = script(amount).expect(ReserveCredit, to="ledger", credit_id=R, debit_id="P1-00", until=UNTIL)
    return expected.reply(CreditReserved(credit_id=R))


def cleared() -> WorkflowScript:
    """Reserved, and the party it comes from cleared."""
    screen = reserved().expect(ScreenBeneficiary, to="aml", screening_id=R, name="Jane Roe")
    return screen.reply(BeneficiaryCleared(screening_id=R))


def test_a_small_refund_goes_back_in_four_steps() -> None:
    """The money is asked of the creditor's account for the debtor's, on both pieces of evidence."""
    execute = cleared().expect(
        ExecutePayment,
        to="execution",
        debit_id=R,
        screening_id=R,
        debtor_account="CRED-1",
        creditor=Creditor(name="ACC-1", account="ACC-1"),
    )
    post = execute.reply(PaymentExecuted(instruction_id=R)).expect(PostCredit, to="ledger", credit_id=R)
    post.reply(CreditPosted(credit_id=R)).ends("completed")


def test_what_the_ledger_refuses_ends_with_nothing_to_undo() -> None:
    """Too late, too much, not paid: a fact of the ledger's."""
    asked = script().expect(ReserveCredit, to="ledger")
    asked.reply(CreditRefused(credit_id=R, reason=Reason("AM09", "too much"))).ends("rejected", "AM09")


@pytest.mark.parametrize("granted", [True, False])
def test_a_large_refund_asks_people_first(granted: bool) -> None:
    """Granted, the party is screened; denied, what was set aside is free again."""
    asked = reserved(50_001).expect(RequestApproval, to="approval", approval_id=R)
    held = asked.reply(ApprovalRequested(approval_id=R, reason=WHY, review_seconds=60))
    if granted:
        held.hears(ApprovalGranted(approval_id=R)).expect(ScreenBeneficiary, to="aml")
        return
    held.hears(ApprovalDenied(approval_id=R, reason=Reason("DS02", "no")))
    undo = held.expect(VoidCredit, to="ledger", credit_id=R, ending="rejected")
    undo.reply(CreditVoided(credit_id=R, reason=WHY)).ends("rejected", "DS02")


@pytest.mark.parametrize("amount", [Money(50_000, "EUR"), Money(50_001, "EUR"), Money(75_001, "JPY"), Money(1, "SEK")])
def test_both_flows_ask_people_about_the_same_refunds(amount: Money) -> None:
    """The workflow's decision and that of the services' reactions are one rule."""
    order = an_order(R, "refund", amount=amount, refund=None)
    steps = [step.name for step in REFUND.route(order).steps]
    assert ("approve-refund" in steps) == needs_approval(amount)
    assert set(APPROVAL_OVER) >= {"EUR", "USD", "JPY"}


def test_a_listed_party_gets_the_reservation_voided() -> None:
    """Nothing is asked of whom nobody may deal with."""
    screen = reserved().expect(ScreenBeneficiary, to="aml")
    undo = screen.reply(BeneficiaryBlocked(screening_id=R, reason=Reason("RR04", "listed"))).expect(
        VoidCredit, to="ledger"
    )
    undo.reply(CreditVoided(credit_id=R, reason=WHY)).ends("rejected", "RR04")


def test_a_proven_rejection_voids_and_doubt_does_not() -> None:
    """The pivot is the payment's: only proof undoes what the bank has."""
    execute = cleared().expect(ExecutePayment, to="execution")
    doubtful = execute.reply(ExecutionInDoubt(instruction_id=R, reason=Reason("AB05", "silent"))).sends_nothing()
    doubtful.needs_attention("AB05")
    undo = doubtful.hears(ExecutionRejected(instruction_id=R, reason=WHY)).expect(VoidCredit, to="ledger")
    undo.reply(CreditVoided(credit_id=R, reason=WHY)).ends("rejected", "AC04")


def test_a_refund_is_cancelled_at_the_gate() -> None:
    """Before the hand-over it stops, as a payment does."""
    asked = cleared().is_cancelled_by_a_person()
    asked.expect(ExecutePayment, to="execution")
    gate = asked.expect(StopExecution, to="execution", instruction_id=R, ending="cancelled")
    stopped = gate.reply(ExecutionStopped(instruction_id=R, reason=WHY, ending="cancelled"))
    undo = stopped.expect(VoidCredit, to="ledger", ending="cancelled")
    undo.reply(CreditVoided(credit_id=R, reason=WHY, ending="cancelled")).ends("cancelled")


def test_money_that_can_not_be_given_to_the_debtor_calls_a_person() -> None:
    """After the pivot nothing is undone."""
    post = cleared().expect(ExecutePayment, to="execution").reply(PaymentExecuted(instruction_id=R))
    withheld = post.expect(PostCredit, to="ledger").reply(CreditWithheld(credit_id=R, reason=Reason("AC05", "closed")))
    withheld.sends_nothing().needs_attention("AC05")


def test_a_refund_that_the_bank_sends_back_calls_a_person() -> None:
    """The ledger books no returns of refunds: somebody must find out what happened."""
    post = cleared().expect(ExecutePayment, to="execution").reply(PaymentExecuted(instruction_id=R))
    done = post.expect(PostCredit, to="ledger").reply(CreditPosted(credit_id=R))
    done.hears(ReturnReceived(return_id="B-1", instruction_id=R, reason=Reason("MD07", "deceased")))
    done.sends_nothing().needs_attention("MD07")


def test_an_order_that_gives_nothing_back_does_not_run_as_a_refund() -> None:
    """A defect of whoever started it, said at once."""
    with pytest.raises(NoRefund, match="gives nothing back"):
        WorkflowScript(REFUND, an_order(R, "refund"))


def test_the_refund_is_one_of_the_workflows() -> None:
    """And every step of it is served by what a payment needs too."""
    assert workflow.WORKFLOWS["refund", 1] is refund.REFUND
