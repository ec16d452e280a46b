"""Whatever the services say, however often, in whatever order: what must never come of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.aml.messages import BeneficiaryBlocked, BeneficiaryCleared, CloseReview, ScreenBeneficiary
from actors.disbursement.messages import (
    PaymentCancelled,
    PaymentCompleted,
    PaymentRejected,
    PaymentReturned,
)
from actors.execution.messages import ExecutePayment, PaymentExecuted, ReturnReceived, StopExecution
from actors.ledger.messages import (
    AccountDebited,
    BookReturn,
    DebitAccount,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    PostDebit,
    VoidDebit,
)
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.payment.definition import Workflow
from actors.payment.engine import advance
from actors.payment.messages import CancelSaga, StepTimedOut
from actors.payment.model import COMPENSATING, FORWARD, RETURNING
from actors.payment.workflow import DEBIT_FIRST, SCREEN_FIRST
from tests.fakes import payment_answers as answers
from tests.fakes.workflow_script import NOW, WorkflowScript, an_order

GOOD_ANSWER: dict[type, Any] = {
    DebitAccount: answers.DEBITED,
    ScreenBeneficiary: answers.CLEARED,
    ExecutePayment: answers.EXECUTED,
    PostDebit: answers.POSTED,
    VoidDebit: answers.VOIDED,
    CloseReview: answers.CLOSED,
    StopExecution: answers.STOPPED,
    BookReturn: answers.BOOKED,
}
ANYTHING: list[Any] = [value for value in vars(answers).values() if isinstance(value, Message)]
ANYTHING += [CancelSaga(payment_id=answers.P, reason="wrong amount"), answers.REJECTED]
ANYTHING += [Failed(failed_message_id="m", failed_type=command.__name__, cause="x") for command in GOOD_ANSWER]
ANYTHING += [StepTimedOut(step=step.name, attempt=1) for step in DEBIT_FIRST.steps]

THE_ANSWER = "the answer that carries on"
A_TIMEOUT = "the timer fires"
HAPPENINGS = st.builds(
    lambda good, rest: [THE_ANSWER] * good + rest,  # so that every stage of a payment meets every surprise
    st.integers(0, 5),
    st.lists(st.one_of(st.sampled_from([THE_ANSWER, A_TIMEOUT]), st.sampled_from(ANYTHING)), max_size=15),
)

ROUTE = DEBIT_FIRST.routes()[0]


class Witness:
    """Plays a sequence and remembers what was said to the saga, and what it said, in one list."""

    def __init__(self, workflow: Workflow) -> None:
        self.script = WorkflowScript(workflow, an_order(workflow=workflow.name))
        self.story: list[Any] = []
        self._seen = 0
        self._note()

    def happens(self, happening: Any) -> None:
        """One thing more, and what the saga makes of it."""
        script = self.script
        if happening == A_TIMEOUT:
            if script.timer is None:
                return
            script.time_passes()
        else:
            if happening == THE_ANSWER:
                commands = [said for said in self.story if type(said) in GOOD_ANSWER]
                happening = GOOD_ANSWER[type(commands[-1])]
            self.story.append(happening)
            script.hears(happening)
        self._note()

    def at(self, kind: type) -> list[int]:
        """When something of this class was said."""
        return [at for at, said in enumerate(self.story) if isinstance(said, kind)]

    def _note(self) -> None:
        self.story += [command for _, command in self.script.unanswered] + self.script.events[self._seen :]
        self.script.unanswered.clear()
        self._seen = len(self.script.events)


def between(moments: list[int], after: int, before: int) -> bool:
    """Whether one of `moments` lies there."""
    return any(after < moment < before for moment in moments)


@pytest.mark.parametrize("workflow", [DEBIT_FIRST, SCREEN_FIRST], ids=lambda workflow: workflow.name)
@settings(max_examples=400, deadline=None)
@given(happenings=HAPPENINGS)
def test_nothing_forbidden_comes_of_any_order_of_answers(workflow: Workflow, happenings: list[Any]) -> None:
    """Hard rules of the payment, for repeated, late, missing, contradicting answers in any order."""
    nothing_forbidden(workflow, happenings)


@pytest.mark.parametrize("workflow", [DEBIT_FIRST, SCREEN_FIRST], ids=lambda workflow: workflow.name)
@pytest.mark.parametrize("good", range(5))
def test_nothing_forbidden_comes_of_any_two_surprises_at_any_stage(workflow: Workflow, good: int) -> None:
    """Chance seldom finds the pair that hurts: here is every pair, after every step, answered as usual afterwards."""
    for first, second in product([*ANYTHING, A_TIMEOUT], repeat=2):
        nothing_forbidden(workflow, [THE_ANSWER] * good + [first, second] + [THE_ANSWER] * 3)


def nothing_forbidden(workflow: Workflow, happenings: list[Any]) -> None:
    """Play it, then look at the whole story."""
    witness = Witness(workflow)
    for happening in happenings:
        witness.happens(happening)
    no_instruction_without_debit_and_clearance(witness)
    no_void_once_it_was_executed(witness)
    one_end(witness)
    no_end_without_its_compensation(witness)
    never_silently_stuck(witness)


def no_instruction_without_debit_and_clearance(witness: Witness) -> None:
    """Both answers came, each to its command, and the debit was not voided since."""
    for instructed in witness.at(ExecutePayment):
        debit, screening = witness.at(DebitAccount)[0], witness.at(ScreenBeneficiary)[0]
        assert between(witness.at(AccountDebited), debit, instructed)
        assert between(witness.at(BeneficiaryCleared), screening, instructed)
        if instructed == witness.at(ExecutePayment)[0]:
            assert not between(witness.at(DebitVoided), debit, instructed)
            assert not witness.at(VoidDebit)[:1] or witness.at(VoidDebit)[0] > instructed


def no_void_once_it_was_executed(witness: Witness) -> None:
    """The money of an executed, posted or returned payment does not go back by a void."""
    paid = witness.at(PaymentExecuted) + witness.at(DebitPosted) + witness.at(ReturnReceived)
    assert not any(void > min(paid) for void in witness.at(VoidDebit) if paid)


def one_end(witness: Witness) -> None:
    """Completed, rejected or cancelled: one of them, once; returned only after completed, once."""
    ends = witness.at(PaymentCompleted) + witness.at(PaymentRejected) + witness.at(PaymentCancelled)
    assert len(ends) <= 1
    returned = witness.at(PaymentReturned)
    assert len(returned) <= 1
    if returned:
        assert between(witness.at(PaymentCompleted), -1, returned[0])
        assert between(witness.at(ReturnReceived), -1, returned[0])


def no_end_without_its_compensation(witness: Witness) -> None:
    """Rejected and cancelled mean: the debit is voided, refused, or was never asked for."""
    for completed in witness.at(PaymentCompleted):
        assert between(witness.at(PaymentExecuted), witness.at(ExecutePayment)[0], completed)
        assert between(witness.at(DebitPosted), witness.at(PostDebit)[0], completed)
    for end in witness.at(PaymentRejected) + witness.at(PaymentCancelled):
        if not witness.at(DebitAccount):
            continue
        debit = witness.at(DebitAccount)[0]
        refusals = [moment for moment in witness.at(DebitRefused) if debit < moment < end]
        if refusals and not between(witness.at(AccountDebited), debit, refusals[0]) and not witness.at(VoidDebit):
            continue
        voids = [moment for moment in witness.at(VoidDebit) if moment < end]
        assert voids, "the debit was not voided"
        assert between(witness.at(DebitVoided), voids[0], end), "the void was not confirmed"


def never_silently_stuck(witness: Witness) -> None:
    """What has not ended waits for a timer, for a person who was told, or for Execution, which owns the doubt."""
    script, state = witness.script, witness.script.state
    if state.phase in (FORWARD, COMPENSATING, RETURNING) and script.timer is None:
        owned = state.phase == FORWARD and state.step == script.route.pivot and state.attempt == 0
        assert state.attention or owned


@settings(max_examples=100, deadline=None)
@given(happenings=HAPPENINGS)
def test_the_same_message_in_the_same_state_decides_the_same(happenings: list[Any]) -> None:
    """A crash between a decision and its commit repeats the decision exactly."""
    script = Witness(DEBIT_FIRST)
    for happening in happenings:
        script.happens(happening)
    state = script.script.state
    for message in ANYTHING:
        assert advance(ROUTE, state, message, NOW) == advance(ROUTE, state, message, NOW)


def test_a_blocked_beneficiary_is_never_paid_even_if_cleared_afterwards() -> None:
    """The first answer counts; a clearance after the block is history."""
    witness = Witness(SCREEN_FIRST)
    for happening in (answers.BLOCKED, answers.CLEARED, THE_ANSWER, THE_ANSWER):
        witness.happens(happening)
    assert witness.at(BeneficiaryBlocked)
    assert not witness.at(ExecutePayment)
