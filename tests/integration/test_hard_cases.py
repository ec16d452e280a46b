"""The hard cases as the design decides them, each in both flows and both orders of steps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.aml.messages import (
    BeneficiaryCleared,
    CloseReview,
    DecideReview,
    ReviewClosed,
    ReviewRefused,
    ScreenBeneficiary,
)
from actors.directory.messages import Replay, Subscribed
from actors.disbursement.messages import (
    CancellationRefused,
    CancellationTaken,
    CancelPayment,
    EndPayment,
    OrderRefused,
    PaymentAccepted,
    SubmitPayment,
)
from actors.execution.messages import (
    ExecutePayment,
    ExecutionInDoubt,
    ExecutionRejected,
    ExecutionSettled,
    ExecutionStopped,
    PaymentExecuted,
    RailAnswered,
    ReturnReceived,
    SettlementRefused,
    StopExecution,
)
from actors.ledger.messages import (
    AccountClosed,
    AccountDebited,
    BookReturn,
    DebitAccount,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    PostDebit,
    ReturnBooked,
    VoidDebit,
)
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.notification.messages import NotifyParties
from actors.payment.messages import StartSaga
from actors.payment.stanzas import screen_beneficiary
from actors.payment.workflow import debit_account, execute_payment
from actors.replication.messages import ReplicatePayment
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.bank import DEPOSIT, DOUBTFUL, WAYS, Bank, Way, every_way

DAY = 86_400.0
PATIENT: dict[str, Any] = {"ledger": {"hold_seconds": 365 * DAY}}  # no hold's time is up in this test
CLEARING = "clearing:simulated:EUR"

debit_first = pytest.mark.parametrize("way", [way for way in WAYS if way.order == "debit-first"], ids=str)


# -- no instruction reaches a rail without a standing debit and a recorded clearance


@every_way
@pytest.mark.parametrize(("service", "evidence"), [("ledger", DebitAccount), ("aml", ScreenBeneficiary)])
def test_nothing_is_instructed_while_evidence_is_missing(
    service: str, evidence: type[Message], way: Way, tmp_path: Path
) -> None:
    """A debit that was not made or a screening that was not answered stops the payment before the bank."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.ignore(service, evidence)
        payment_id = bank.pay()
        bank.pass_time(DAY)
        assert bank.journal(payment_id) is None
        assert bank.status(payment_id) == ("needs_attention" if way.flow == "choreographed" else "rejected")


@every_way
@pytest.mark.parametrize("missing", ["debit_id", "screening_id"])
def test_the_gate_takes_no_instruction_without_evidence(missing: str, way: Way, tmp_path: Path) -> None:
    """Whoever asks, in whatever flow: the gate itself looks."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bare = command(bank, payment_id, **{missing: ""})
        sent = bank.cell.post("execution", bare, payment_id=payment_id)
        bank.pass_time(60)
        answers = [reply.message for reply in bank.cell.replies if reply.causation_id == sent]
        assert [type(answer) for answer in answers] == [Failed]
        assert bank.journal(payment_id) is None
        bank.expected_letters = 1


# -- doubt begins when the payment is handed to the rail


@every_way
def test_a_silent_rail_is_never_taken_for_a_rejection(way: Way, tmp_path: Path) -> None:
    """A month of "unknown" proves nothing: the money stays held, a person is called, the rail is asked on."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-SILENT")
        bank.pass_time(30)
        assert (bank.status(payment_id), bank.gate(payment_id)) == ("executing", "submitted")
        bank.pass_time(60)
        assert (bank.status(payment_id), bank.gate(payment_id)) == ("needs_attention", "in_doubt")
        bank.pass_time(30 * DAY)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "pending")
        assert bank.reason(payment_id)[0] == "AB05"
        assert bank.story(payment_id).count("QueryInstruction") > 100


@every_way
def test_what_the_rail_never_received_is_sent_again_under_its_own_id(way: Way, tmp_path: Path) -> None:
    """Proven not received: the same instruction goes out once more, and is executed once."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-NOTRECEIVED")
        bank.pass_time(20)
        assert (bank.status(payment_id), bank.journal(payment_id)) == ("completed", ("executed", 2, True))
        instructions = [
            r.envelope.message for r in bank.timeline(payment_id) if sends_an_instruction(r.envelope.message)
        ]
        assert len(instructions) == 2
        assert instructions[0] == instructions[1]


@every_way
def test_a_lost_answer_is_asked_for(way: Way, tmp_path: Path) -> None:
    """The status query settles what the answer did not, long before there is doubt."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-LOST")
        assert bank.until_status(payment_id, "executing") == "executing"
        bank.pass_time(10)
        assert (bank.status(payment_id), bank.journal(payment_id)) == ("completed", ("executed", 1, True))


@every_way
def test_an_answer_given_twice_counts_once(way: Way, tmp_path: Path) -> None:
    """The second word changes nothing and is answered by nobody."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-TWICE")
        bank.pass_time(2)
        assert bank.story(payment_id).count("RailAnswered") == 2
        assert bank.story(payment_id).count("DebitPosted") == 1
        assert bank.balance() == (DEPOSIT - 1_000, 0)


@every_way
def test_an_instruction_without_answer_is_queried_after_a_crash(way: Way, tmp_path: Path) -> None:
    """The cell dies with the payment at the bank; what the bank says when asked goes on, and nothing is sent twice."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-LOST")
        bank.until_status(payment_id, "executing")
        bank.rest()
        bank.crash(down_for=DAY)
        bank.pass_time(10)
        assert (bank.status(payment_id), bank.journal(payment_id)) == ("completed", ("executed", 1, True))


@every_way
def test_the_same_instruction_given_again_is_answered_from_the_first(way: Way, tmp_path: Path) -> None:
    """A saga's resend or a replayed event: one instruction, one execution."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay()
        bank.until_status(payment_id, "completed")
        answer = bank.post("execution", command(bank, payment_id), payment_id)
        assert type(answer).__name__ == "PaymentExecuted"
        assert bank.journal(payment_id) == ("executed", 1, True)


# -- a hold never releases itself


@debit_first
def test_a_hold_whose_time_is_up_ends_a_payment_that_nobody_has_instructed(way: Way, tmp_path: Path) -> None:
    """The gate is closed first, then the money goes back; nobody can clear the payment any more."""
    with Bank(tmp_path, way, ledger={"hold_seconds": 600}) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.pass_time(500)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("held", "pending")
        bank.pass_time(200)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("rejected", "voided")
        assert bank.reason(payment_id)[0] == "AB06"
        assert bank.case_status(payment_id) == "closed"
        story = bank.story(payment_id)
        assert story.index("DebitExpiryReached") < story.index("ExecutionStopped") < story.index("DebitVoided")
        assert isinstance(bank.post("execution", command(bank, payment_id), payment_id), ExecutionStopped)
        assert bank.journal(payment_id) is None


@every_way
def test_a_hold_whose_time_is_up_ends_a_payment_whose_instruction_was_never_recorded(way: Way, tmp_path: Path) -> None:
    """Debited, cleared, and the command to execute is lost: the expiry finds the gate open and closes it."""
    with Bank(tmp_path, way, ledger={"hold_seconds": 3_600}) as bank:
        bank.open_account()
        bank.faults.ignore("execution", ExecutePayment)
        payment_id = bank.pay()
        bank.pass_time(3_000)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "pending")
        bank.pass_time(1_000)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("rejected", "voided")
        bank.faults.mend()
        assert isinstance(bank.post("execution", command(bank, payment_id), payment_id), ExecutionStopped)


@every_way
def test_a_hold_stands_after_its_time_once_the_bank_has_the_payment(way: Way, tmp_path: Path) -> None:
    """Until proof comes, or a person's decision."""
    with Bank(tmp_path, way, ledger={"hold_seconds": 100}) as bank:
        bank.open_account()
        late, silent = bank.pay("TEST-LATE-300"), bank.pay("TEST-SILENT")
        bank.pass_time(200)
        for payment_id in (late, silent):
            assert "StopRefused" in bank.story(payment_id)
            assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "pending")
        bank.pass_time(200)
        bank.settle(silent, executed=False)
        bank.rest()
        assert (bank.status(late), bank.status(silent)) == ("completed", "rejected")


# -- cancelling goes through the same gate


@every_way
def test_cancelling_a_held_payment_closes_its_case(way: Way, tmp_path: Path) -> None:
    """Nobody decides any more on what is not going to be paid."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        assert isinstance(bank.cancel(payment_id), CancellationTaken)
        bank.rest()
        assert (bank.status(payment_id), bank.case_status(payment_id)) == ("cancelled", "closed")
        assert bank.reason(payment_id) == ("CUST", "the order was a mistake")
        assert isinstance(bank.decide(payment_id, "clear"), ReviewRefused)
        assert bank.balance() == (DEPOSIT, 0)
        assert bank.journal(payment_id) is None


@every_way
@pytest.mark.parametrize(
    ("service", "lost"), [("ledger", DebitAccount), ("aml", ScreenBeneficiary), ("execution", ExecutePayment)]
)
def test_cancelling_before_the_hand_over_stops_the_payment(
    service: str, lost: type[Message], way: Way, tmp_path: Path
) -> None:
    """Wherever it stands on its way there; a step that may have been done is undone as if it had been."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.ignore(service, lost)
        payment_id = bank.pay()
        bank.rest()
        assert isinstance(bank.cancel(payment_id), CancellationTaken)
        bank.rest()
        assert bank.status(payment_id) == "cancelled"
        assert bank.debit(payment_id) in ("voided", "never_made", "")  # "": a saga knows that it never asked for one
        assert bank.balance() == (DEPOSIT, 0)
        bank.faults.mend()
        assert isinstance(bank.post("execution", command(bank, payment_id), payment_id), ExecutionStopped)
        assert bank.journal(payment_id) is None


@every_way
def test_cancelling_after_the_hand_over_is_too_late(way: Way, tmp_path: Path) -> None:
    """The answer is "already at the bank", and the payment goes on to its end."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-LATE-20")
        bank.rest()
        assert isinstance(bank.cancel(payment_id), CancellationTaken)
        bank.rest()
        assert "already at the bank" in refusal(bank, payment_id)
        bank.pass_time(30)
        assert (bank.status(payment_id), bank.balance()) == ("completed", (DEPOSIT - 1_000, 0))


@every_way
@pytest.mark.parametrize("account", ["TEST-OK", "TEST-REJECT-AC04", "TEST-SILENT"])
def test_cancelling_what_has_ended_or_is_in_doubt_changes_nothing(account: str, way: Way, tmp_path: Path) -> None:
    """The wish is refused, at once or as an event, and nothing is booked for it."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(account)
        bank.pass_time(90)
        before = (bank.status(payment_id), bank.reason(payment_id), bank.balances())
        answer = bank.cancel(payment_id)
        bank.rest()
        assert isinstance(answer, CancellationRefused) or refusal(bank, payment_id)
        assert (bank.status(payment_id), bank.reason(payment_id), bank.balances()) == before


@every_way
def test_cancelling_twice_is_cancelling_once(way: Way, tmp_path: Path) -> None:
    """The second wish finds the payment cancelled."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.cancel(payment_id)
        bank.rest()
        bank.cancel(payment_id)
        bank.rest()
        assert bank.status(payment_id) == "cancelled"
        assert bank.story(payment_id).count("PaymentCancelled") == 1


@every_way
@pytest.mark.parametrize("first", ["cancel", "clear"])
def test_a_cancellation_and_a_clearance_in_one_turn_are_settled_by_the_gate(
    first: str, way: Way, tmp_path: Path
) -> None:
    """Whichever comes first: the payment is cancelled or paid, and never both or neither."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        messages: list[tuple[str, Message]] = [
            ("disbursement", CancelPayment(payment_id=payment_id, reason="no")),
            ("aml", DecideReview(case_id=bank.case(payment_id), decision="clear", reason="yes")),
        ]
        bank.cell.post_many(messages if first == "cancel" else messages[::-1], payment_id=payment_id)
        bank.pass_time(60)
        status, executed = bank.status(payment_id), bank.journal(payment_id) is not None
        assert (status, executed) in {("cancelled", False), ("completed", True)}
        assert bank.balance() == (DEPOSIT - (1_000 if executed else 0), 0)
        if executed:
            assert refusal(bank, payment_id)


@every_way
def test_a_hold_expires_while_a_person_cancels(way: Way, tmp_path: Path) -> None:
    """Both ask the gate: it closes once, the money goes back once, and the payment ends once."""
    with Bank(tmp_path, way, ledger={"hold_seconds": 600}) as bank:
        bank.open_account()
        bank.faults.ignore("execution", ExecutePayment)
        payment_id = bank.pay()
        bank.pass_time(599)
        bank.clock.jump(timedelta(seconds=10))
        bank.cancel(payment_id)
        bank.pass_time(60)
        assert bank.status(payment_id) in ("cancelled", "rejected")
        endings = [name for name in bank.story(payment_id) if name in ("PaymentCancelled", "PaymentRejected")]
        assert len(endings) == 1
        assert (bank.debit(payment_id), bank.balance()) == ("voided", (DEPOSIT, 0))


# -- a step that timed out is compensated as if it had been done


@every_way
def test_a_late_debit_finds_the_tombstone(way: Way, tmp_path: Path) -> None:
    """Voided before it was made: when the lost debit comes at last, it is refused and holds nothing."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.ignore("ledger", DebitAccount)
        payment_id = bank.pay()
        bank.pass_time(120)
        if way.flow == "choreographed":
            # Nobody may give a step up there but a person.
            assert bank.status(payment_id) == "needs_attention"
            bank.cancel(payment_id)
            bank.rest()
        assert bank.status(payment_id) == ("cancelled" if way.flow == "choreographed" else "rejected")
        assert bank.debit(payment_id) == "never_made"
        bank.faults.mend()
        late = bank.post("ledger", debit_account(bank.order_of(payment_id)), payment_id)
        assert isinstance(late, DebitRefused)
        assert bank.balance() == (DEPOSIT, 0)


@every_way
def test_a_late_screening_clears_nothing(way: Way, tmp_path: Path) -> None:
    """The payment was given up while AML was silent: a clearance that comes later is none."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.ignore("aml", ScreenBeneficiary)
        payment_id = bank.pay()
        bank.pass_time(600)
        if way.flow == "choreographed":
            bank.cancel(payment_id)
            bank.rest()
        assert bank.status(payment_id) == ("cancelled" if way.flow == "choreographed" else "rejected")
        bank.faults.mend()
        late = bank.post("aml", screen_beneficiary(bank.order_of(payment_id)), payment_id)
        assert isinstance(late, ReviewClosed)
        assert bank.balance() == (DEPOSIT, 0)


@every_way
def test_a_void_that_is_late_is_waited_for(way: Way, tmp_path: Path) -> None:
    """The money is not back until the ledger says so: until then the payment has not ended."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail("ledger", VoidDebit)
        payment_id = bank.pay("TEST-REJECT-AC04")
        bank.rest()
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("compensating", "pending")
        bank.faults.mend()
        bank.pass_time(10)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("rejected", "voided")
        assert bank.reason(payment_id)[0] == "AC04"


@every_way
def test_a_void_that_never_comes_calls_a_person_and_keeps_calling(way: Way, tmp_path: Path) -> None:
    """A saga asks for it again and again, which makes the call for a person no less true; the void ends it."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.ignore("ledger", VoidDebit)
        payment_id = bank.pay("TEST-REJECT-AC04")
        bank.pass_time(200)
        for _ in range(20):
            bank.pass_time(60)
            assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "pending")
        bank.faults.mend()
        if way.flow == "choreographed":  # the event is read again, as an operator has it replayed
            bank.cell.tell("directory", Replay(subscriber="ledger", from_offset=1))
        bank.pass_time(400)
        assert (bank.status(payment_id), bank.reason(payment_id)[0]) == ("rejected", "AC04")
        assert (bank.debit(payment_id), bank.balance()) == ("voided", (DEPOSIT, 0))


# -- late and contradicting answers


@every_way
def test_a_late_execution_settles_the_doubt(way: Way, tmp_path: Path) -> None:
    """In doubt for minutes, then the bank says executed: posted and completed, without a person."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-LATE-200")
        bank.pass_time(100)
        assert bank.status(payment_id) == "needs_attention"
        bank.pass_time(150)
        assert (bank.status(payment_id), bank.balance()) == ("completed", (DEPOSIT - 1_000, 0))


@every_way
def test_a_late_rejection_settles_the_doubt(way: Way, tmp_path: Path) -> None:
    """In doubt, then proven rejected: voided, with the bank's reason."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-SILENT")
        bank.pass_time(100)
        bank.rail_says(payment_id, "rejected", "AC06")
        assert (bank.status(payment_id), bank.reason(payment_id)[0]) == ("rejected", "AC06")
        assert bank.balance() == (DEPOSIT, 0)


@every_way
def test_an_execution_after_a_person_settled_otherwise_reopens_the_payment(way: Way, tmp_path: Path) -> None:
    """The void stands, nothing is posted by itself, and a person is told what the bank says now."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-LATE-200")
        bank.pass_time(100)
        assert isinstance(bank.settle(payment_id, executed=False), ExecutionSettled)
        bank.rest()
        assert bank.status(payment_id) == "rejected"
        bank.pass_time(150)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "voided")
        assert "the bank now says executed" in bank.reason(payment_id)[1]
        assert bank.balances()[CLEARING] == (0, 0) if CLEARING in bank.balances() else True
        assert bank.balance() == (DEPOSIT, 0)


@every_way
def test_a_rejection_after_a_person_settled_otherwise_reopens_the_payment(way: Way, tmp_path: Path) -> None:
    """The posting stands; nothing is undone by itself."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-SILENT")
        bank.pass_time(100)
        bank.settle(payment_id, executed=True)
        bank.rest()
        assert bank.status(payment_id) == "completed"
        bank.rail_says(payment_id, "rejected", "AC06")
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "posted")
        assert "the bank now says rejected" in bank.reason(payment_id)[1]
        assert bank.balance() == (DEPOSIT - 1_000, 0)


@every_way
def test_an_execution_of_a_stopped_payment_is_shown_to_a_person(way: Way, tmp_path: Path) -> None:
    """It can't be, and if it is, nobody books it silently."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.cancel(payment_id)
        bank.rest()
        bank.rail_says(payment_id, "executed")
        assert (bank.status(payment_id), bank.balance()) == ("needs_attention", (DEPOSIT, 0))


@every_way
def test_a_contradiction_is_told_once_however_often_it_is_said(way: Way, tmp_path: Path) -> None:
    """The rail repeats an answer that nobody has confirmed; a person reads it once."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-CONTRADICT")
        bank.pass_time(2)
        bank.rail_says(payment_id, "executed")
        bank.pass_time(60)
        assert bank.story(payment_id).count("ExecutionContradicted") == 1
        assert bank.story(payment_id).count("PaymentNeedsAttention") == 1
        assert bank.status(payment_id) == "needs_attention"


@every_way
def test_only_a_doubt_can_be_settled_by_a_person(way: Way, tmp_path: Path) -> None:
    """While the bank may still answer in time, and once it has, a person's word is refused; said twice it stands."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        done, silent, held = bank.pay(), bank.pay("TEST-SILENT"), bank.pay(name=DOUBTFUL)
        bank.rest()
        for payment_id in (done, silent, held):
            assert isinstance(bank.settle(payment_id, executed=True), SettlementRefused)
        bank.pass_time(100)
        assert isinstance(bank.settle(silent, executed=True), ExecutionSettled)
        assert isinstance(bank.settle(silent, executed=True), ExecutionSettled)
        assert isinstance(bank.settle(silent, executed=False), SettlementRefused)
        bank.rest()
        assert bank.status(silent) == "completed"


# -- after the pivot: forward


@every_way
def test_a_posting_that_fails_is_retried_forward(way: Way, tmp_path: Path) -> None:
    """Executed at the bank: the ledger's failure delays the posting and never voids it."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail("ledger", PostDebit)
        payment_id = bank.pay()
        bank.rest()
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("executing", "pending")
        bank.faults.mend()
        bank.pass_time(10)
        assert (bank.status(payment_id), bank.balance()) == ("completed", (DEPOSIT - 1_000, 0))


@every_way
def test_a_posting_that_ends_in_the_dead_letters_needs_attention_and_goes_on_after_the_retry(
    way: Way, tmp_path: Path
) -> None:
    """A day of failing: the debit is still held, the payment is shown, and mended it completes."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail("ledger", PostDebit)
        payment_id = bank.pay()
        bank.pass_time(600)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "pending")
        assert "can't take PostDebit" in bank.reason(payment_id)[1]
        bank.faults.mend()
        assert bank.retry_dead_letters() >= 1
        bank.pass_time(400)
        assert (bank.status(payment_id), bank.balance()) == ("completed", (DEPOSIT - 1_000, 0))


@every_way
def test_a_posting_that_cannot_be_made_needs_attention(way: Way, tmp_path: Path) -> None:
    """Somebody voided the debit behind the payment's back: executed and not posted is for a person."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-LATE-20")
        bank.rest()
        void = VoidDebit(debit_id=payment_id, reason=Reason("NARR", "a slip"))
        assert isinstance(bank.post("ledger", void, payment_id), DebitVoided)
        bank.pass_time(30)
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "voided")
        assert bank.balance() == (DEPOSIT, 0)


# -- held for review


@every_way
def test_a_hold_for_review_stops_the_steps_clock(way: Way, tmp_path: Path) -> None:
    """A person may take a day where a service may take seconds."""
    with Bank(tmp_path, way, **PATIENT) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.pass_time(DAY)
        assert (bank.status(payment_id), bank.case_status(payment_id)) == ("held", "open")
        bank.decide(payment_id, "clear")
        assert bank.until_status(payment_id, "completed") == "completed"


@every_way
@pytest.mark.parametrize(("decision", "status"), [("clear", "completed"), ("block", "rejected")])
def test_an_overdue_review_calls_a_person_and_is_decided_by_one(
    decision: str, status: str, way: Way, tmp_path: Path
) -> None:
    """Time alone neither clears nor blocks: months later the case is open, and the decision still counts."""
    with Bank(tmp_path, way, **PATIENT) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.pass_time(3 * DAY)
        assert (bank.status(payment_id), bank.case_status(payment_id)) == ("needs_attention", "open")
        assert "nobody has decided case" in bank.reason(payment_id)[1]
        bank.pass_time(90 * DAY)
        assert (bank.status(payment_id), bank.case_status(payment_id)) == ("needs_attention", "open")
        assert bank.journal(payment_id) is None
        bank.decide(payment_id, decision)
        assert bank.until_status(payment_id, status) == status


@every_way
def test_an_overdue_review_can_be_cancelled(way: Way, tmp_path: Path) -> None:
    """Needs attention is not the end: the gate is still open."""
    with Bank(tmp_path, way, **PATIENT) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.pass_time(3 * DAY)
        bank.cancel(payment_id)
        bank.rest()
        assert (bank.status(payment_id), bank.case_status(payment_id)) == ("cancelled", "closed")


@every_way
def test_a_review_is_decided_after_a_crash(way: Way, tmp_path: Path) -> None:
    """Who awaits the decision is stored with the case."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        bank.crash(down_for=3_600)
        bank.decide(payment_id, "clear")
        assert bank.until_status(payment_id, "completed") == "completed"


# -- money that comes back


@every_way
def test_a_return_is_booked_once_for_its_id(way: Way, tmp_path: Path) -> None:
    """However often the bank says it, before and after a crash."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay()
        bank.until_status(payment_id, "completed")
        bank.rail_says(payment_id, "returned", "AC04", "R-1")
        assert (bank.status(payment_id), bank.reason(payment_id)[0]) == ("returned", "AC04")
        bank.crash()
        bank.rail_says(payment_id, "returned", "AC04", "R-1")
        assert bank.story(payment_id).count("ReturnBooked") == 1
        assert (bank.balance(), bank.balance(CLEARING)) == ((DEPOSIT, 0), (0, 0))
        mark_returned(bank, payment_id)


@every_way
def test_a_second_return_of_the_same_payment_needs_attention(way: Way, tmp_path: Path) -> None:
    """The money can't come back twice: under another id it is not booked, and a person looks."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay()
        bank.until_status(payment_id, "completed")
        bank.rail_says(payment_id, "returned", "AC04", "R-1")
        bank.rail_says(payment_id, "returned", "AC04", "R-2")
        assert bank.status(payment_id) == "needs_attention"
        assert bank.balance() == (DEPOSIT, 0)
        mark_returned(bank, payment_id)


@every_way
def test_a_return_to_a_closed_account_goes_into_suspense(way: Way, tmp_path: Path) -> None:
    """Nobody's money disappears: it waits on the suspense account for a person."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(amount=DEPOSIT)
        bank.until_status(payment_id, "completed")
        assert isinstance(bank.close_account("ACC-1"), AccountClosed)
        bank.rail_says(payment_id, "returned", "MD07", "R-1")
        assert (bank.status(payment_id), bank.reason(payment_id)[0]) == ("needs_attention", "AC05")
        assert (bank.balance(), bank.balance("suspense:EUR"), bank.balance(CLEARING)) == ((0, 0), (DEPOSIT, 0), (0, 0))
        mark_returned(bank, payment_id)


@every_way
def test_a_return_proves_the_execution_that_nobody_has_heard_of(way: Way, tmp_path: Path) -> None:
    """The bank sends back what it never said it had paid: posted, completed, then returned."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-SILENT")
        bank.rest()
        bank.rail_says(payment_id, "returned", "AC04", "R-1")
        assert (bank.status(payment_id), bank.balance()) == ("returned", (DEPOSIT, 0))
        endings = [name for name in bank.story(payment_id) if name in ("PaymentCompleted", "PaymentReturned")]
        assert endings == ["PaymentCompleted", "PaymentReturned"]
        mark_returned(bank, payment_id)


@every_way
def test_a_return_of_a_rejected_payment_needs_attention(way: Way, tmp_path: Path) -> None:
    """Nothing was posted, so nothing is booked: facts contradict each other."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-REJECT-AC04")
        bank.until_status(payment_id, "rejected")
        bank.rail_says(payment_id, "returned", "AC04", "R-1")
        assert (bank.status(payment_id), bank.balance()) == ("needs_attention", (DEPOSIT, 0))


@every_way
def test_a_return_whose_booking_fails_is_not_lost(way: Way, tmp_path: Path) -> None:
    """Parked, tried again, and booked once."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail("ledger", BookReturn)
        payment_id = bank.pay("TEST-RETURN-AC04")
        bank.pass_time(1)
        assert bank.status(payment_id) == "completed"
        bank.faults.mend()
        bank.pass_time(10)
        assert (bank.status(payment_id), bank.balance()) == ("returned", (DEPOSIT, 0))


# -- reactions and commands that end in the dead letters


@every_way
@pytest.mark.parametrize(
    ("service", "failing"),
    [("ledger", DebitAccount), ("aml", ScreenBeneficiary), ("execution", ExecutePayment), ("execution", RailAnswered)],
)
def test_a_payment_whose_handler_fails_is_shown_and_goes_on(
    service: str, failing: type[Message], way: Way, tmp_path: Path
) -> None:
    """Choreographed, a person retries the dead letter and the payment completes; a saga may have given it up before."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail(service, failing)
        payment_id = bank.pay()
        bank.pass_time(20)
        given_up = way.flow == "orchestrated" and failing in (DebitAccount, ScreenBeneficiary)
        assert bank.status(payment_id) == ("rejected" if given_up else "needs_attention")
        assert f"can't take {failing.__name__}" in bank.reason(payment_id)[1]
        bank.faults.mend()
        assert bank.retry_dead_letters() >= 1
        bank.pass_time(400)
        assert bank.status(payment_id) == ("rejected" if given_up else "completed")
        assert bank.balance() == ((DEPOSIT, 0) if given_up else (DEPOSIT - 1_000, 0))


@pytest.mark.parametrize("order", ["debit-first", "screen-first"])
@pytest.mark.parametrize("failing", [("disbursement", EndPayment), ("aml", CloseReview), ("execution", StopExecution)])
def test_a_reaction_in_the_dead_letters_names_itself(
    failing: tuple[str, type[Message]], order: str, tmp_path: Path
) -> None:
    """Whichever reaction it is, the tracker shows the payment with the actor, the event and the cause."""
    service, message = failing
    with Bank(tmp_path, Way("choreographed", order)) as bank:
        bank.open_account()
        bank.faults.fail(service, message)
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        bank.cancel(payment_id)
        bank.pass_time(20)
        assert bank.status(payment_id) == "needs_attention"
        assert f"the reaction of {service} to" in bank.reason(payment_id)[1]
        bank.faults.mend()
        assert bank.retry_dead_letters() == 1
        bank.rest()
        assert bank.case_status(payment_id) == "closed"
        if service != "aml":  # whose failure came after the end: the payment is still shown to a person
            assert bank.status(payment_id) == "cancelled"


@pytest.mark.parametrize("order", ["debit-first", "screen-first"])
@pytest.mark.parametrize(
    ("failing", "account"),
    [
        (StartSaga, "TEST-OK"),
        (AccountDebited, "TEST-OK"),
        (BeneficiaryCleared, "TEST-OK"),
        (PaymentExecuted, "TEST-OK"),
        (DebitPosted, "TEST-OK"),
        (ExecutionRejected, "TEST-REJECT-AC04"),
        (DebitVoided, "TEST-REJECT-AC04"),
        (ExecutionInDoubt, "TEST-LATE-100"),
        (ReturnReceived, "TEST-RETURN-AC04"),
        (ReturnBooked, "TEST-RETURN-AC04"),
    ],
)
def test_a_saga_that_fails_at_an_answer_is_shown_and_goes_on(
    failing: type[Message], account: str, order: str, tmp_path: Path
) -> None:
    """Its answers end in the dead letters: mended and retried, the payment comes to the end it would have had."""
    with Bank(tmp_path, Way("orchestrated", order)) as bank:
        bank.open_account()
        bank.faults.fail("payment/", failing)
        payment_id = bank.pay(account)
        bank.pass_time(20 if failing is not ExecutionInDoubt else 80)
        assert bank.status(payment_id) == "needs_attention"
        assert f"can't take {failing.__name__}" in bank.reason(payment_id)[1]
        bank.faults.mend()
        assert bank.retry_dead_letters() >= 1
        bank.pass_time(400)
        ends = {"TEST-REJECT-AC04": "rejected", "TEST-RETURN-AC04": "returned"}
        assert bank.status(payment_id) == ends.get(account, "completed")


@every_way
@pytest.mark.parametrize(("service", "failing"), [("notification", NotifyParties), ("replication", ReplicatePayment)])
def test_a_follower_that_fails_leaves_the_payment_as_it_ended(
    service: str, failing: type[Message], way: Way, tmp_path: Path
) -> None:
    """A mail or a copy is missing, and the letter is there; the payment is completed all the same."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail(service, failing)
        payment_id = bank.pay()
        bank.pass_time(20)
        assert bank.status(payment_id) == "completed"
        assert [letter[0] for letter in bank.letters()] == [service]
        bank.faults.mend()
        assert bank.retry_dead_letters() == 1
        bank.rest()


# -- intake


@every_way
def test_a_form_error_is_refused_at_intake(way: Way, tmp_path: Path) -> None:
    """It never becomes a payment."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        answer = bank.cell.tell("disbursement", bank.order(amount=0))
        assert isinstance(answer, OrderRefused)
        assert "amount" in answer.error
        assert bank.cell.ask("SELECT count(*) FROM tracker_payments")[0][0] == 0


@every_way
def test_a_key_pays_once(way: Way, tmp_path: Path) -> None:
    """The same order again is the same payment, after its end and after a crash; another order is a conflict."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        order = bank.order()
        first = bank.cell.tell("disbursement", order)
        assert isinstance(first, PaymentAccepted)
        bank.until_status(first.payment_id, "completed")
        bank.crash()
        again = bank.cell.tell("disbursement", order)
        assert again == PaymentAccepted(
            payment_id=first.payment_id, idempotency_key=order.idempotency_key, duplicate=True
        )
        other = bank.cell.tell("disbursement", changed(order))
        assert isinstance(other, OrderRefused)
        assert other.conflict
        bank.rest()
        assert bank.balance() == (DEPOSIT - 1_000, 0)


@every_way
def test_two_orders_under_one_key_in_one_turn_are_one_payment(way: Way, tmp_path: Path) -> None:
    """A client that sends twice without waiting is paid once."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        order = bank.order()
        assert len(set(bank.pay_all([order, order, order]))) == 1
        bank.rest()
        assert bank.balance() == (DEPOSIT - 1_000, 0)


# -- repeats


@every_way
def test_a_replay_of_the_whole_log_changes_nothing(way: Way, tmp_path: Path) -> None:
    """Every service reads all events once more: same statuses, same balances, one instruction each."""
    with Bank(tmp_path, way, **PATIENT) as bank:
        bank.open_account()
        ids = [bank.pay(account) for account in ("TEST-OK", "TEST-REJECT-AC04", "TEST-SILENT", "TEST-LATE-4000")]
        ids += [bank.pay(name=DOUBTFUL), bank.pay(name=DOUBTFUL), bank.pay(amount=2 * DEPOSIT)]
        ids += [bank.pay("TEST-CONTRADICT"), bank.pay("TEST-RETURN-AC04")]
        bank.rest()
        bank.cancel(ids[4])
        bank.pass_time(100)
        before = seen(bank, ids)
        subscribers = [row[0] for row in bank.cell.ask("SELECT DISTINCT subscriber FROM subscriptions")]
        for subscriber in subscribers:
            answer = bank.cell.tell("directory", Replay(subscriber=subscriber, from_offset=1))
            assert isinstance(answer, Subscribed)
            bank.rest()
        assert seen(bank, ids) == before


def seen(bank: Bank, ids: list[str]) -> Any:
    """What anybody can see of these payments and of the accounts."""
    payments = [(bank.status(each), bank.reason(each), bank.journal(each), bank.debit(each)) for each in ids]
    return payments, bank.balances(), bank.postings()


def command(bank: Bank, payment_id: str, **changes: str) -> ExecutePayment:
    """The instruction of a payment, as either flow makes it."""
    from dataclasses import replace

    return replace(execute_payment(bank.order_of(payment_id)), **changes)  # type: ignore[arg-type]


def changed(order: SubmitPayment) -> SubmitPayment:
    """The same key with one cent more."""
    from dataclasses import replace

    return replace(order, amount=Money(order.amount.amount + 1, order.amount.currency))


def sends_an_instruction(message: Message) -> bool:
    """Whether it is what the rail gets."""
    return type(message).__name__ == "SubmitInstruction"


def refusal(bank: Bank, payment_id: str) -> str:
    """What was said to whoever wanted to cancel, or ""."""
    said = [record.envelope.message for record in bank.timeline(payment_id)]
    return next((message.error for message in said if isinstance(message, CancellationRefused)), "")


def mark_returned(bank: Bank, payment_id: str) -> None:
    """The rail's journal, in which this test did not write the return, hears of it: the two are compared."""
    import sqlite3

    connection = sqlite3.connect(bank.data / "rail" / "cell-0.db", timeout=5)
    connection.execute("UPDATE instructions SET state = 'returned' WHERE payment_id = ?", (payment_id,))
    connection.commit()
    connection.close()
