"""The payment workflows as scripts: what happens when everything, or not quite everything, goes well."""

from __future__ import annotations

import pytest

from actors.aml.messages import (
    CloseReview,
    ScreenBeneficiary,
)
from actors.disbursement.messages import PaymentCompleted, PaymentRejected
from actors.execution.messages import (
    ExecutePayment,
    ReturnReceived,
)
from actors.ledger.messages import (
    BookReturn,
    DebitAccount,
    PostDebit,
    VoidDebit,
)
from actors.payment.workflow import SCREEN_FIRST
from actors.vocabulary.reason import Reason
from tests.fakes.payment_answers import (
    BLOCKED,
    BOOKED,
    CLEARED,
    CLOSED,
    CONTRADICTED,
    DEBITED,
    EXECUTED,
    HELD,
    IN_DOUBT,
    NO_FUNDS,
    OVERDUE,
    POSTED,
    POSTING_REFUSED,
    REJECTED,
    RETURN,
    SUBMITTED,
    SUSPENDED,
    VOID_REFUSED,
    VOIDED,
    P,
    at_screening,
    at_the_bank,
    begun,
    completed,
)
from tests.fakes.workflow_script import an_order


def test_a_payment_is_debited_screened_executed_and_posted() -> None:
    """The ordinary course."""
    script = begun()
    script.expect(DebitAccount, to="ledger", debit_id=P, account_id="ACC-1").reply(DEBITED)
    script.expect(ScreenBeneficiary, to="aml", screening_id=P, name="Jane Roe").reply(CLEARED)
    script.expect(ExecutePayment, to="execution", instruction_id=P, debit_id=P, screening_id=P).reply(SUBMITTED)
    script.sends_nothing().publishes_nothing().hears(EXECUTED)
    script.expect(PostDebit, to="ledger", debit_id=P).reply(POSTED)
    script.ends("completed").publishes(PaymentCompleted, order=an_order())


def test_screen_first_holds_no_money_before_the_beneficiary_is_cleared() -> None:
    """The same steps in the other order."""
    script = begun(SCREEN_FIRST)
    script.expect(ScreenBeneficiary, to="aml").reply(CLEARED)
    script.expect(DebitAccount, to="ledger").reply(DEBITED)
    script.expect(ExecutePayment, to="execution").reply(EXECUTED)
    script.expect(PostDebit, to="ledger").reply(POSTED)
    script.ends("completed")


def test_a_refused_debit_leaves_nothing_to_undo() -> None:
    """Nothing was held: the payment is rejected at once, with the ledger's reason."""
    begun().expect(DebitAccount, to="ledger").reply(NO_FUNDS).ends("rejected", "AM04")


def test_screen_first_a_clearance_is_not_undone_when_the_debit_is_refused() -> None:
    """A clearance is a fact; there is no open case to close."""
    script = begun(SCREEN_FIRST)
    script.expect(ScreenBeneficiary, to="aml").reply(CLEARED)
    script.expect(DebitAccount, to="ledger").reply(NO_FUNDS).ends("rejected", "AM04")


def test_a_sanctioned_beneficiary_gets_the_debit_voided() -> None:
    """Money held for a payment that may not be made goes back, and only then the payment is rejected."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(BLOCKED)
    script.publishes_nothing()
    script.expect(VoidDebit, to="ledger", reason=BLOCKED.reason, ending="rejected").reply(VOIDED)
    script.ends("rejected", "RR04").publishes(PaymentRejected)


def test_screen_first_a_sanctioned_beneficiary_costs_no_debit() -> None:
    """Nothing has been held yet."""
    begun(SCREEN_FIRST).expect(ScreenBeneficiary, to="aml").reply(BLOCKED).ends("rejected", "RR04")


def test_a_proven_rejection_by_the_rail_gives_the_money_back() -> None:
    """Only proof ends the doubt that began with the hand-over."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(SUBMITTED, REJECTED)
    script.expect(VoidDebit, to="ledger", reason=REJECTED.reason).reply(VOIDED).ends("rejected", "AC04")


def test_a_debit_that_is_not_answered_is_sent_again_then_voided_as_if_it_had_been_made() -> None:
    """The ledger may have debited and not said so."""
    script = begun()
    script.expect(DebitAccount, to="ledger").times_out()
    script.expect(DebitAccount, to="ledger").times_out()
    script.expect(DebitAccount, to="ledger").times_out()
    assert [wait.total_seconds() for wait in script.waits[:3]] == [5, 10, 20]
    script.expect(VoidDebit, to="ledger").reply(VOIDED)
    script.ends("rejected", "AB06", words="ledger had not answered debit-account")


def test_an_answer_to_a_repeated_command_counts_once() -> None:
    """The first try's answer was only late: the second is a repeat."""
    script = begun()
    script.expect(DebitAccount, to="ledger").times_out()
    script.expect(DebitAccount, to="ledger").reply(DEBITED, DEBITED)
    script.expect(ScreenBeneficiary, to="aml")
    script.sends_nothing()


def test_a_screening_that_is_not_answered_is_closed_before_the_debit_is_voided() -> None:
    """Undoing goes backwards, and begins with the step whose outcome nobody knows."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").never_answers()
    script.expect(CloseReview, to="aml").reply(CLOSED)
    script.expect(VoidDebit, to="ledger").reply(VOIDED)
    script.ends("rejected", "AB06")


def test_a_command_in_the_dead_letters_is_given_up_at_once() -> None:
    """A failure before the pivot is a timeout without further tries."""
    script = begun().expect(DebitAccount, to="ledger").fails("disk on fire")
    script.expect(VoidDebit, to="ledger").reply(VOIDED)
    script.ends("rejected", "AB06", words="disk on fire")


def test_a_late_debit_after_giving_up_changes_nothing() -> None:
    """The void's tombstone refuses it, and whatever the ledger says then is history."""
    script = begun().expect(DebitAccount, to="ledger").never_answers()
    script.hears(DEBITED).expect(VoidDebit, to="ledger").reply(VOIDED)
    script.hears(NO_FUNDS).ends("rejected", "AB06")


def test_a_stale_timer_means_nothing() -> None:
    """A tick for another try, or another step, is history too."""
    script = begun()
    stale = script.timer
    script.expect(DebitAccount, to="ledger").reply(DEBITED).expect(ScreenBeneficiary, to="aml")
    assert stale is not None
    assert stale.tick is not None
    script.hears(stale.tick).sends_nothing().publishes_nothing()


def test_a_void_is_repeated_until_it_is_confirmed_and_a_person_hears_of_it() -> None:
    """A compensation is never given up, and never silent."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(BLOCKED)
    for _ in range(8):
        script.expect(VoidDebit, to="ledger").times_out()
    assert script.published == ["PaymentNeedsAttention"]
    script.needs_attention("AB06", words="compensate debit-account")
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("rejected", "RR04")


def test_a_void_in_the_dead_letters_needs_attention_and_is_tried_again() -> None:
    """The money must go back some day."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(BLOCKED)
    script.expect(VoidDebit, to="ledger").fails().needs_attention("AB06").time_passes()
    script.expect(VoidDebit, to="ledger").reply(VOIDED).ends("rejected", "RR04")


def test_a_refused_void_needs_attention() -> None:
    """A posted debit can't be voided: somebody must look at the books."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(BLOCKED)
    script.expect(VoidDebit, to="ledger").reply(VOID_REFUSED)
    script.ends("needs_attention", "NARR", words="posted")


def test_a_silent_execution_is_never_compensated() -> None:
    """From the hand-over on the payment is in doubt: a timeout proves nothing."""
    script = at_the_bank().expect(ExecutePayment, to="execution").never_answers()
    script.ends("needs_attention", "AB06", words="execute-payment")
    script.hears(EXECUTED).expect(PostDebit, to="ledger").reply(POSTED).ends("completed")


def test_no_resend_once_execution_is_known_to_have_the_instruction() -> None:
    """Execution owns the doubt; it will speak."""
    script = at_the_bank()
    script.expect(ExecutePayment, to="execution").times_out()
    script.expect(ExecutePayment, to="execution").reply(SUBMITTED)
    assert script.timer is None
    script.hears(SUBMITTED).hears(EXECUTED).expect(PostDebit, to="ledger")


@pytest.mark.parametrize("failing", [True, False])
def test_doubt_waits_for_proof_without_limit(failing: bool) -> None:
    """Neither silence nor failure moves a payment in doubt; a late proof does."""
    sent = at_the_bank().expect(ExecutePayment, to="execution")
    script = sent.fails("down") if failing else sent.reply(SUBMITTED, IN_DOUBT, IN_DOUBT)
    script.ends("needs_attention")
    assert script.published == ["PaymentNeedsAttention"]
    script.hears(REJECTED).expect(VoidDebit, to="ledger").reply(VOIDED).ends("rejected", "AC04")


def test_a_posting_is_repeated_until_it_is_made() -> None:
    """The money has left: there is only forward."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(EXECUTED)
    for _ in range(6):
        script.expect(PostDebit, to="ledger").times_out()
    assert script.published == ["PaymentNeedsAttention"]
    script.expect(PostDebit, to="ledger").reply(POSTED).ends("completed")


def test_a_refused_posting_needs_attention_and_is_never_a_void() -> None:
    """The rail has paid; the books must follow, by a person if need be."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(EXECUTED)
    script.expect(PostDebit, to="ledger").reply(POSTING_REFUSED).ends("needs_attention", "NARR", words="voided")
    script.hears(POSTED).ends("completed")


def test_a_hold_for_a_person_stops_the_clock_of_the_step() -> None:
    """A review takes hours where a screening takes seconds."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(HELD)
    assert script.waits[-1].total_seconds() == 3600 + 30
    script.sends_nothing().hears(CLEARED).expect(ExecutePayment, to="execution")


def test_an_overdue_review_needs_attention_and_pays_nothing() -> None:
    """Time alone neither clears nor pays; the decision may still come."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(HELD)
    script.hears(OVERDUE).hears(OVERDUE).needs_attention("NARR").sends_nothing()
    assert script.published == ["PaymentNeedsAttention"]
    script.hears(BLOCKED).expect(VoidDebit, to="ledger").reply(VOIDED).ends("rejected", "RR04")


def test_a_review_that_nobody_reports_overdue_is_noticed_all_the_same() -> None:
    """The saga's own clock of the review is the second pair of eyes."""
    script = at_screening().expect(ScreenBeneficiary, to="aml").reply(HELD, HELD)
    script.time_passes().ends("needs_attention", "NARR", words="review")
    script.hears(CLEARED).expect(ExecutePayment, to="execution")


def test_a_returned_payment_is_booked_and_returned() -> None:
    """The bank sent it back; the debtor has the money again."""
    script = completed().hears(RETURN)
    script.expect(BookReturn, to="ledger", return_id="R1", debit_id=P).reply(BOOKED)
    script.ends("returned", "AC04").hears(RETURN).hears(BOOKED).ends("returned")
    assert script.published == ["PaymentCompleted", "PaymentReturned"]


def test_a_return_before_the_completion_waits_for_it() -> None:
    """First the books say that it went, then that it came back."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(RETURN)
    script.sends_nothing().hears(EXECUTED).expect(PostDebit, to="ledger").reply(POSTED)
    script.expect(BookReturn, to="ledger").times_out().expect(BookReturn, to="ledger").reply(BOOKED)
    script.ends("returned", "AC04")
    assert script.published == ["PaymentCompleted", "PaymentReturned"]


def test_a_return_to_a_closed_account_needs_attention() -> None:
    """The money is safe on the suspense account; a person must find its owner."""
    script = completed().hears(RETURN)
    script.expect(BookReturn, to="ledger").reply(SUSPENDED).ends("needs_attention", "AC05")


def test_a_second_return_is_a_persons_matter() -> None:
    """Money that comes back twice was sent once."""
    script = completed().hears(RETURN)
    script.expect(BookReturn, to="ledger").reply(BOOKED)
    second = ReturnReceived(return_id="R2", instruction_id=P, reason=Reason("AC04", "again"))
    script.hears(second).ends("needs_attention", words="second return")


def test_a_contradiction_by_the_rail_books_nothing() -> None:
    """Settled is settled; what speaks against it is for a person."""
    completed().hears(CONTRADICTED).ends("needs_attention", "NARR", words="now it says otherwise")


def test_a_payment_executed_after_all_is_not_voided_again() -> None:
    """The rail rejects, then pays: the void is not repeated, and a person is told."""
    script = at_the_bank().expect(ExecutePayment, to="execution").reply(REJECTED)
    script.expect(VoidDebit, to="ledger")
    script.hears(EXECUTED).ends(
        "needs_attention",
        words="which contradicts that the payment is being undone, at debit-account",
    )
    script.hears(VOIDED).sends_nothing()
    assert "PaymentRejected" not in script.published
