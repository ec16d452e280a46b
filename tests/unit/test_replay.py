"""A payment's journal against the code: the order that its saga alone knew is found, and none hides a difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.disbursement.messages import PaymentNeedsAttention
from actors.ledger.messages import DebitAccount
from actors.limits.messages import LimitExceeded, WithinLimits
from actors.messaging.message import Message
from actors.payment import replay as replaying
from actors.payment.definition import Together, WaitUntil, Workflow
from actors.payment.journal import story
from actors.payment.messages import CancelSaga, PauseSaga, ResumeSaga, StepTimedOut
from actors.payment.replay import ADDED, CANNOT, COMMAND, CONTENT, NOT_REPLAYED, STANDING, UNORDERED, Difference, replay
from actors.payment.workflow import APPROVE, DEBIT, DEBIT_FIRST, EXECUTE, LIMITS, POST, SCREEN, execution_date, payment
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.payment_answers import (
    BOOKED,
    CLEARED,
    CLOSED,
    CONTRADICTED,
    DEBITED,
    EXECUTED,
    HELD,
    OVERDUE,
    POSTED,
    RETURN,
    STOP_REFUSED,
    SUBMITTED,
    VOIDED,
    P,
)
from tests.fakes.recorded_saga import HOME, RecordedSaga

PATIENT = payment("patient", version=1, steps=(DEBIT, SCREEN, replace(EXECUTE, retries=3), POST))
CHECKED = payment("checked", version=1, steps=(DEBIT, Together("checks", (SCREEN, LIMITS)), EXECUTE, POST))
WITHIN = WithinLimits(check_id=P)
EXCEEDED = LimitExceeded(check_id=P, reason=Reason("AM02", "over the limit"))
CANCEL = CancelSaga(payment_id=P, reason="wrong amount")
PAUSE, RESUME = PauseSaga(payment_id=P), ResumeSaga(payment_id=P)
LEDGER, AML, EXECUTION = "ledger-0", "aml-0", "execution-0"


def replayed(saga: RecordedSaga, *others: Workflow, under_way: bool = False) -> Difference | None:
    """The journal against `others`, or against the workflow that wrote it."""
    workflow = saga.route.name, saga.route.version
    programs = {(each.name, each.version): each for each in (*BOTH, *others)}
    assert workflow in programs
    told = story(saga.saga, saga.lines)
    assert told is not None
    return replay(programs, saga.order, told, saga.state, under_way=under_way)


BOTH = (DEBIT_FIRST, CHECKED)


@pytest.fixture
def checks() -> RecordedSaga:
    """Debited; screening and limits are asked at once."""
    saga = RecordedSaga(CHECKED)
    saga.hears(DEBITED, LEDGER)
    return saga


def finished(saga: RecordedSaga) -> RecordedSaga:
    """Executed and posted, each cell answering in turn."""
    saga.hears(EXECUTED, EXECUTION)
    saga.hears(POSTED, LEDGER)
    return saga


def test_what_was_sent_later_and_taken_first_is_replayed_as_it_was_taken(checks: RecordedSaga) -> None:
    """The moments at which two cells send say nothing of which link was faster."""
    cleared = checks.sent(CLEARED, AML)
    within = checks.sent(WITHIN, LEDGER)
    checks.takes(within)  # says nothing: the other one is still out
    checks.takes(cleared)
    assert replayed(finished(checks)) is None


def test_a_hold_that_is_late_for_a_payment_being_undone_changes_nothing(checks: RecordedSaga) -> None:
    """It was sent while everything was well."""
    held = checks.sent(HELD, AML)
    exceeded = checks.sent(EXCEEDED, LEDGER)
    checks.takes(exceeded)
    checks.takes(held)
    checks.hears(CLOSED, AML)
    checks.hears(VOIDED, LEDGER)
    assert replayed(checks) is None


def test_money_that_comes_back_before_it_is_posted_waits_for_that() -> None:
    """The bank's second word was sent before the ledger's answer, and taken after it, or the other way round."""
    for first in (RETURN, POSTED):
        saga = RecordedSaga(DEBIT_FIRST)
        for message, cell in ((DEBITED, LEDGER), (CLEARED, AML), (EXECUTED, EXECUTION)):
            saga.hears(message, cell)
        coming = {RETURN: saga.sent(RETURN, EXECUTION), POSTED: saga.sent(POSTED, LEDGER)}
        saga.takes(coming.pop(first))
        saga.takes(*coming.values())
        assert replayed(saga) is None, first


def test_no_order_hides_what_the_code_does_differently(checks: RecordedSaga) -> None:
    """However the silent ones are placed: this program asks somebody else next."""
    cleared, within = checks.sent(CLEARED, AML), checks.sent(WITHIN, LEDGER)
    checks.takes(within)
    checks.takes(cleared)
    approved = replace(CHECKED, steps=(*CHECKED.steps[:2], APPROVE, *CHECKED.steps[2:]))
    found = replayed(finished(checks), approved)
    assert found is not None
    assert found.kind == COMMAND
    assert (found.journal, found.code) == ("ExecutePayment to execution", "RequestApproval to approval")


def worded(saga: RecordedSaga, reason: Reason) -> RecordedSaga:
    """As a program would have left it that called a person with these words."""
    for at, line in enumerate(saga.lines):
        message = line.envelope.message
        if isinstance(message, PaymentNeedsAttention):
            saga.lines[at] = line._replace(envelope=line.envelope._replace(message=replace(message, reason=reason)))
            saga.state = saga.state._replace(attention=reason.text)
    return saga


def test_words_for_people_may_be_put_otherwise_and_a_code_may_not() -> None:
    """A sentence that was made clearer would otherwise ask for a new version, and for ever."""
    saga = RecordedSaga(DEBIT_FIRST)
    for message, cell in ((DEBITED, LEDGER), (CLEARED, AML), (EXECUTED, EXECUTION), (CONTRADICTED, EXECUTION)):
        saga.hears(message, cell)
    code = next(
        line.envelope.message.reason.code
        for line in saga.lines
        if isinstance(line.envelope.message, PaymentNeedsAttention)
    )
    assert replayed(worded(saga, Reason(code, "the bank has said two things"))) is None
    found = replayed(worded(saga, Reason("FRAD", "the bank has said two things")))
    assert found is not None
    assert (found.kind, found.journal) == (CONTENT, "PaymentNeedsAttention.reason.code FRAD")


def said_otherwise(saga: RecordedSaga, kind: type[Message], **change: Any) -> RecordedSaga:
    """As a program would have left it that sent one command to another receiver, or with other content."""
    for at, line in enumerate(saga.lines):
        envelope = line.envelope
        if isinstance(envelope.message, kind):
            target, message = change.get("target", envelope.target), envelope.message
            if "amount" in change:
                message = replace(message, amount=change["amount"])  # type: ignore[call-arg]
            saga.lines[at] = line._replace(envelope=envelope._replace(target=target, message=message))
    return saga


def test_another_amount_or_receiver_is_a_difference() -> None:
    """Only words may be put otherwise."""
    for change, kind in (({"amount": Money(1, "EUR")}, CONTENT), ({"target": "limits"}, COMMAND)):
        saga = RecordedSaga(DEBIT_FIRST)
        saga.hears(DEBITED, LEDGER)
        assert replayed(saga) is None
        found = replayed(said_otherwise(saga, DebitAccount, **change))
        assert found is not None
        assert found.kind == kind


def test_a_person_who_was_told_something_or_nothing_is_a_difference() -> None:
    """What was said to whom it was said may be worded anew; whether it was said may not."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.state = saga.state._replace(attention="somebody ought to look")
    found = replayed(saga)
    assert found is not None
    assert (found.kind, found.journal) == (STANDING, "attention somebody ought to look")


def test_an_order_that_cannot_have_been_explains_nothing(checks: RecordedSaga) -> None:
    """The saga's word had been said before the hold was sent: so it was taken after it, which the program must bear."""
    checks.hears(HELD, AML)
    checks.hears(EXCEEDED, LEDGER)
    checks.hears(OVERDUE, AML)  # too late: it is being undone
    assert replayed(checks) is None
    told = story(checks.saga, checks.lines)
    assert told is not None
    by_cell = {messages[0].place[1]: messages for messages in told.channels}
    assert [each.after for each in by_cell[AML]] == [2, 3]  # behind start and debit; behind the refusal, too


def test_what_makes_the_code_speak_though_the_saga_was_silent_is_a_difference() -> None:
    """Nobody was told of a hold then; this program gives the payment up."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.hears(HELD, AML)
    hasty = replace(SCREEN, refused=type(HELD), waits_for_person=None)
    changed = payment("debit-first", version=1, steps=(DEBIT, hasty, EXECUTE, POST))
    found = replayed(saga, changed)
    assert found is not None
    assert (found.kind, found.after) == (ADDED, "BeneficiaryHeld")


def test_what_the_code_cannot_take_though_the_saga_did_is_a_difference() -> None:
    """A program that has no role for a hold would put it into the dead letters."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.hears(HELD, AML)
    deaf = payment(
        "debit-first", version=1, steps=(DEBIT, replace(SCREEN, waits_for_person=None, overdue=None), EXECUTE, POST)
    )
    found = replayed(saga, deaf)
    assert found is not None
    assert (found.kind, found.after, found.journal) == (CANNOT, "BeneficiaryHeld", "nothing")


def test_what_has_not_arrived_is_no_difference_where_something_is_under_way(checks: RecordedSaga) -> None:
    """A hold is between the cells; the row knows nothing of it."""
    checks.sent(HELD, AML)
    found = replayed(checks)
    assert found is not None
    assert found.kind == STANDING
    assert replayed(checks, under_way=True) is None


def test_what_arrives_during_a_pause_is_taken_after_it_in_its_order() -> None:
    """A silent one does not overtake one that came before it, and a clock that ran out counts for nothing."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.hears(PAUSE, HOME)
    saga.sent(StepTimedOut(step="screen-beneficiary", attempt=1), HOME)
    held, cleared = saga.sent(HELD, AML), saga.sent(CLEARED, AML)
    resumed = saga.sent(RESUME, HOME)
    saga.takes(resumed, held, cleared)
    assert replayed(finished(saga)) is None


def test_a_paused_payment_that_would_stand_elsewhere_differs() -> None:
    """Whatever has been put aside: it stands at another step in this program, and would go on from there."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.hears(PAUSE, HOME)
    saga.sent(CLEARED, AML)
    assert replayed(saga) is None
    dated = payment(
        "debit-first", version=1, steps=(DEBIT, WaitUntil("execution-date", execution_date), SCREEN, EXECUTE, POST)
    )
    found = replayed(saga, dated)
    assert found is not None
    assert (found.kind, found.journal, found.code) == (STANDING, "step 1", "step 2")


def test_a_wish_to_cancel_is_taken_first_after_a_pause() -> None:
    """And the second one, which made the saga say nothing, before what had come earlier."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.hears(PAUSE, HOME)
    cleared = saga.sent(CLEARED, AML)
    first, second = saga.sent(CANCEL, HOME), saga.sent(CANCEL, HOME)
    resumed = saga.sent(RESUME, HOME)
    saga.takes(resumed, first, second, cleared)
    saga.hears(STOP_REFUSED, EXECUTION)
    assert replayed(finished(saga)) is None


def test_a_command_that_a_person_repeats_is_taken_each_time() -> None:
    """The client was not answered and sends it again, under its id: late enough it pauses the payment once more."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    paused = saga.sent(PAUSE, HOME)
    saga.takes(paused)
    saga.hears(RESUME, HOME)
    saga.repeats(paused)
    saga.takes(paused)
    cleared = saga.sent(CLEARED, AML)
    resumed = saga.sent(RESUME, HOME)
    saga.takes(resumed, cleared)
    assert replayed(finished(saga)) is None


def test_what_a_persons_wish_stood_behind_has_come_before_it() -> None:
    """One way leads through the cell: no order is tried in which they change places."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.hears(HELD, HOME)
    saga.hears(PAUSE, HOME)
    told = story(saga.saga, saga.lines)
    assert told is not None
    (wish,) = told.wishes.values()
    assert told.channels[wish.channel][wish.behind - 1].message == HELD


def test_an_order_that_leads_nowhere_is_given_up_for_another() -> None:
    """Taken when it was sent, the proof of progress would have kept the saga from sending again, which it did."""
    saga = RecordedSaga(PATIENT)
    for message, cell in ((DEBITED, LEDGER), (CLEARED, AML), (StepTimedOut(step="execute-payment", attempt=1), HOME)):
        saga.hears(message, cell)
    submitted = saga.sent(SUBMITTED, EXECUTION)
    saga.hears(StepTimedOut(step="execute-payment", attempt=2), HOME)
    saga.takes(submitted)
    assert saga.state.attempt == 0
    assert replayed(saga, PATIENT) is None


def test_what_was_buried_is_taken_when_it_is_delivered_again() -> None:
    """What its cell has sent later has come before it then."""
    saga = RecordedSaga(DEBIT_FIRST)
    for message, cell in ((DEBITED, LEDGER), (CLEARED, AML), (EXECUTED, EXECUTION), (POSTED, LEDGER)):
        saga.hears(message, cell)
    returned = saga.sent(RETURN, EXECUTION)
    saga.buries(returned)
    saga.hears(CONTRADICTED, EXECUTION)
    saga.takes(returned)
    saga.hears(BOOKED, LEDGER)
    assert saga.state.phase == "returned"
    assert replayed(saga) is None


def test_what_was_buried_and_never_delivered_again_was_not_taken() -> None:
    """The payment is not held, whatever lies among the dead letters."""
    saga = RecordedSaga(DEBIT_FIRST)
    saga.hears(DEBITED, LEDGER)
    saga.buries(saga.sent(HELD, AML))
    assert replayed(saga) is None


def test_too_many_orders_are_no_difference(checks: RecordedSaga, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be told is said to be so, and fails no pipeline as a change of the code would."""
    monkeypatch.setattr(replaying, "MOST_STEPS", 3)
    checks.hears(WITHIN, LEDGER)
    checks.hears(CLEARED, AML)
    found = replayed(finished(checks))
    assert found is not None
    assert found.kind == UNORDERED
    assert found.kind in NOT_REPLAYED
