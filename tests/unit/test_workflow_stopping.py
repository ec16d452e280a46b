"""Stopping a payment: a person's wish, or a hold whose time is up; both go through the gate at Execution."""

from __future__ import annotations

import pytest

from actors.aml.messages import CloseReview, ScreenBeneficiary
from actors.disbursement.messages import CancellationRefused, PaymentCancelled
from actors.execution.messages import (
    ExecutePayment,
    ExecutionStopped,
    PaymentExecuted,
    StopExecution,
    StopRefused,
)
from actors.ledger.messages import DebitAccount, DebitVoided, PostDebit, VoidDebit
from actors.vocabulary.reason import Reason
from tests.fakes.payment_answers import (
    BLOCKED,
    CLEARED,
    CLOSED,
    DEBITED,
    EXECUTED,
    EXPIRY,
    HELD,
    IN_DOUBT,
    NO_FUNDS,
    POSTED,
    POSTING_REFUSED,
    REJECTED,
    STOP_REFUSED,
    STOPPED,
    SUBMITTED,
    VOIDED,
    P,
    at_screening,
    at_the_bank,
    begun,
    completed,
)
from tests.fakes.workflow_script import WorkflowScript

WISH = Reason("CUST", "wrong amount")


def test_cancelling_a_held_payment_closes_the_case_and_voids_the_debit() -> None:
    """Nobody needs to decide about it any more, and the money goes back."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(HELD).is_cancelled_by_a_person()
    script.expect(StopExecution, to="execution", ending="cancelled", reason=WISH).reply(STOPPED)
    script.expect(CloseReview, to="aml", reason="wrong amount").reply(CLOSED)
    script.expect(VoidDebit, to="ledger", ending="cancelled").reply(VOIDED)
    script.ends("cancelled", "CUST", words="wrong amount").publishes(PaymentCancelled)


def test_cancelling_before_the_debit_is_answered_voids_it_as_if_it_had_been_made() -> None:
    """Whatever the ledger says later, nothing stays held."""
    script = begun()
    script.expect(DebitAccount, to="ledger")
    script.is_cancelled_by_a_person().expect(StopExecution, to="execution").reply(STOPPED)
    script.hears(DEBITED).expect(VoidDebit, to="ledger").reply(VOIDED).ends("cancelled")


def test_an_answer_while_stopping_counts_but_moves_nothing_forward() -> None:
    """The gate decides first; a screening answered meanwhile leaves no case to close."""
    script = at_screening()
    script.expect(ScreenBeneficiary, to="aml")
    script.is_cancelled_by_a_person().expect(StopExecution, to="execution")
    script.hears(CLEARED).sends_nothing().hears(STOPPED)
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("cancelled")


def test_a_payment_at_the_bank_is_not_cancelled() -> None:
    """After the hand-over the gate refuses, and the payment goes on."""
    script = at_the_bank()
    script.expect(ExecutePayment, to="execution").reply(SUBMITTED).is_cancelled_by_a_person()
    script.expect(StopExecution, to="execution").reply(STOP_REFUSED)
    script.publishes(CancellationRefused, payment_id=P, error="already at the bank")
    assert script.timer is not None
    script.hears(EXECUTED).expect(PostDebit, to="ledger").reply(POSTED).ends("completed")


def test_an_execution_that_comes_while_the_gate_is_asked_is_posted_when_it_has_answered() -> None:
    """No forward command goes out under an open question."""
    script = at_the_bank()
    script.expect(ExecutePayment, to="execution")
    script.is_cancelled_by_a_person().expect(StopExecution, to="execution")
    script.hears(EXECUTED).sends_nothing().hears(STOP_REFUSED)
    script.publishes(CancellationRefused).expect(PostDebit, to="ledger").reply(POSTED).ends("completed")


def test_an_instruction_that_never_arrived_can_be_stopped() -> None:
    """A closed gate is proof: nothing has reached the rail, and nothing will."""
    script = at_the_bank().expect(ExecutePayment, to="execution").fails().is_cancelled_by_a_person()
    script.expect(StopExecution, to="execution").reply(STOPPED)
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("cancelled")


def test_a_gate_that_says_closed_after_the_rail_has_paid_contradicts_itself() -> None:
    """The debit of an executed payment is never voided."""
    script = at_the_bank()
    script.expect(ExecutePayment, to="execution")
    script.is_cancelled_by_a_person().expect(StopExecution, to="execution").reply(EXECUTED, STOPPED)
    script.sends_nothing()
    assert script.published == ["PaymentNeedsAttention", "CancellationRefused"]


@pytest.mark.parametrize("answer", [NO_FUNDS, BLOCKED, REJECTED])
def test_a_refusal_while_stopping_decides_the_ending(answer: object) -> None:
    """What came first ends the payment; whoever wanted it cancelled hears so."""
    script = {NO_FUNDS: begun, BLOCKED: at_screening, REJECTED: at_the_bank}[answer]()
    script.unanswered.clear()
    script.is_cancelled_by_a_person().expect(StopExecution, to="execution").reply(answer)
    assert "CancellationRefused" in script.published
    if answer is not NO_FUNDS:
        script.expect(VoidDebit, to="ledger", ending="rejected").reply(VOIDED)
    script.hears(STOPPED).ends("rejected", answer.reason.code)


def test_a_gate_that_does_not_answer_is_asked_again() -> None:
    """Without its answer nobody knows whether the money may go back."""
    script = at_screening()
    script.expect(ScreenBeneficiary, to="aml")
    script.is_cancelled_by_a_person()
    for _ in range(6):
        script.expect(StopExecution, to="execution").times_out()
    assert script.published == ["PaymentNeedsAttention"]
    script.expect(StopExecution, to="execution").reply(STOPPED)
    script.expect(CloseReview, to="aml").reply(CLOSED)
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("cancelled")


def test_a_second_wish_changes_nothing_while_the_first_is_under_way() -> None:
    """Impatience is no new command."""
    script = at_screening()
    script.expect(ScreenBeneficiary, to="aml")
    script.is_cancelled_by_a_person().is_cancelled_by_a_person().expect(StopExecution, to="execution").reply(STOPPED)
    script.is_cancelled_by_a_person().expect(CloseReview, to="aml").reply(CLOSED)
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("cancelled")


def test_a_payment_that_has_ended_is_not_cancelled() -> None:
    """The answer says why."""
    completed().is_cancelled_by_a_person().publishes(CancellationRefused, error="already at the bank")
    rejected = begun().expect(DebitAccount, to="ledger").reply(NO_FUNDS).is_cancelled_by_a_person()
    rejected.publishes(CancellationRefused, error="the payment is rejected already")


def test_a_payment_being_rejected_is_not_cancelled() -> None:
    """It is being undone for another reason."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(BLOCKED).is_cancelled_by_a_person()
    script.publishes(CancellationRefused, error="the payment is being undone already: sanctioned")
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("rejected", "RR04")


def test_a_hold_whose_time_is_up_is_released_through_the_gate_alone() -> None:
    """The expiry stops a payment that no instruction was recorded for."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(HELD).hears(EXPIRY).hears(EXPIRY)
    asked = script.expect(StopExecution, to="execution", ending="rejected")
    asked.reply(ExecutionStopped(instruction_id=P, reason=asked.command.reason, ending="rejected"))
    script.expect(CloseReview, to="aml").reply(CLOSED)
    script.expect(VoidDebit, to="ledger", ending="rejected").reply(VOIDED).ends("rejected", "AB06")


def test_a_hold_of_a_payment_at_the_bank_stands_until_there_is_proof() -> None:
    """Its expiry announces itself, the gate refuses, and the doubt stays."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(SUBMITTED, IN_DOUBT).hears(EXPIRY)
    script.expect(StopExecution, to="execution").reply(StopRefused(instruction_id=P, ending="rejected"))
    assert script.published == ["PaymentNeedsAttention"]
    script.hears(PaymentExecuted(instruction_id=P, settled_by="operator")).expect(PostDebit, to="ledger")


def test_an_expiry_after_the_execution_means_nothing() -> None:
    """The hold is about to be posted."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(EXECUTED, EXPIRY)
    script.expect(PostDebit, to="ledger").reply(POSTED).hears(EXPIRY).ends("completed")


def test_a_rejection_after_the_execution_was_reported_gives_nothing_back() -> None:
    """While the gate is being asked the rail says both: a person must look, no debit is voided."""
    script = at_the_bank()
    script.expect(ExecutePayment, to="execution")
    script.is_cancelled_by_a_person().expect(StopExecution, to="execution").reply(EXECUTED, REJECTED)
    script.sends_nothing()
    assert script.published == ["PaymentNeedsAttention", "CancellationRefused"]


@pytest.mark.parametrize("late", [EXPIRY, STOPPED, STOP_REFUSED, CLEARED, VOIDED, POSTING_REFUSED])
def test_what_comes_late_to_a_rejected_payment_means_nothing(late: object) -> None:
    """History repeats itself harmlessly."""
    script: WorkflowScript = begun().expect(DebitAccount, to="ledger").reply(NO_FUNDS)
    script.hears(late).ends("rejected", "AM04")  # type: ignore[arg-type]
    assert script.published == ["PaymentRejected"]


def test_a_debit_voided_by_somebody_else_ends_a_payment_before_the_pivot() -> None:
    """No instruction leaves without a standing debit."""
    voided = DebitVoided(debit_id=P, reason=Reason("NARR", "by hand"))
    script = at_screening()
    script.expect(ScreenBeneficiary, to="aml")
    script.hears(voided).expect(CloseReview, to="aml").reply(CLOSED)
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("rejected", "NARR", words="somebody else")
