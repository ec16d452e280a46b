"""Approval as an actor: one question an id, answers to whom they were promised, nothing after a withdrawal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.approval import queries
from actors.approval.actor import ApprovalDesk
from actors.approval.messages import (
    ApprovalDenied,
    ApprovalDue,
    ApprovalGranted,
    ApprovalOverdue,
    ApprovalRefused,
    ApprovalRequested,
    ApprovalTaken,
    ApprovalWithdrawn,
    DecideApproval,
    RequestApproval,
    WithdrawApproval,
)
from actors.assembly import load_messages
from actors.messaging.message import Message
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentFacts
from config.settings import ApprovalSettings, OperatorsSettings, Settings
from tests.fakes.stores import order
from tests.fakes.turn import SAGA, FakeTurn, ServiceBench

P = "P1-00"
CLIENT = "client/1/1"
load_messages()


def bench(**approval: Any) -> ServiceBench:
    """The service with these settings, two people and an hour by default."""
    return ServiceBench(ApprovalDesk, Settings(approval=ApprovalSettings(**{"review_seconds": 3600, **approval})))


def ask(**more: Any) -> RequestApproval:
    """The request of the one payment that most tests are about."""
    return RequestApproval(
        approval_id=P, amount=Money(2_000_000, "EUR"), debtor_account="ACC-1",
        **{"creditor_name": "Erika Mustermann", "why": "it is above 10000.00 EUR", **more},
    )  # fmt: skip


def say(desk: ServiceBench, by: str, *, approve: bool = True) -> tuple[Message, FakeTurn]:
    """A person's word; the answer to it, and the turn."""
    word = DecideApproval(approval_id=P, by=by, approve=approve, reason="looked at it", payment_id=P)
    turn = desk.tell(word, sender=CLIENT)
    (answer,) = turn.answers
    return answer, turn


def test_the_saga_hears_that_people_are_asked_and_then_that_they_agreed() -> None:
    """As with a held beneficiary: the first answer stops its clock, the last one starts the next step."""
    desk = bench()
    turn = desk.tell(ask())
    (asked,) = turn.answers
    assert isinstance(asked, ApprovalRequested)
    assert asked.review_seconds == 3600
    assert asked.reason.text == "waits for the approval of 2 different people: it is above 10000.00 EUR"
    assert turn.timers == {f"approval/{P}": (timedelta(hours=1), ApprovalDue(approval_id=P))}
    first, turn = say(desk, "Ada")
    assert first == ApprovalTaken(approval_id=P, payment_id=P, status="open", missing=1)
    assert turn.sent == []
    second, turn = say(desk, "Bob")
    assert second == ApprovalTaken(approval_id=P, payment_id=P, status="granted", missing=0)
    assert turn.sent == [(SAGA, ApprovalGranted(approval_id=P, by=("Ada", "Bob")))]
    assert turn.timers == {f"approval/{P}": None}


def test_a_no_is_told_with_who_and_why() -> None:
    """The payment's reason is the person's."""
    desk = bench()
    desk.tell(ask())
    taken, turn = say(desk, "Ada", approve=False)
    assert isinstance(taken, ApprovalTaken)
    ((target, denied),) = turn.sent
    assert target == SAGA
    assert isinstance(denied, ApprovalDenied)
    assert (denied.reason.code, denied.reason.text) == ("DS02", "not approved: Ada said no: looked at it")


def test_a_word_that_cannot_be_taken_is_refused_with_a_sentence() -> None:
    """Of nothing that is asked, of the wrong person, of the same person twice."""
    desk = bench(approvers=("Ada", "Bob"))
    refusals = [say(desk, "Ada")[0]]
    desk.tell(ask())
    refusals.append(say(desk, "Mallory")[0])
    say(desk, "Ada")
    refusals.append(say(desk, "Ada")[0])
    assert all(isinstance(each, ApprovalRefused) for each in refusals)
    nobody, wrong, twice = [each.error for each in refusals if isinstance(each, ApprovalRefused)]
    assert "Nobody is asked to approve P1-00" in nobody
    assert "Mallory is none of those" in wrong
    assert "Ada has agreed already and counts once" in twice


def test_where_no_approvers_are_named_those_who_may_act_are_meant() -> None:
    """One list for everything is enough, until approval shall be another matter."""
    settings = Settings(operators=OperatorsSettings(names=("Ada",)), approval=ApprovalSettings(approvals=1))
    desk = ServiceBench(ApprovalDesk, settings)
    desk.tell(ask())
    assert isinstance(say(desk, "Bob")[0], ApprovalRefused)
    assert isinstance(say(desk, "Ada")[0], ApprovalTaken)


def test_the_workflow_may_ask_for_another_number_and_time() -> None:
    """The settings are what holds unless it does."""
    desk = bench()
    turn = desk.tell(ask(approvals=1, review_within=timedelta(minutes=5)))
    assert turn.timers[f"approval/{P}"] == (timedelta(minutes=5), ApprovalDue(approval_id=P))
    assert say(desk, "Ada")[1].sent == [(SAGA, ApprovalGranted(approval_id=P, by=("Ada",)))]


def test_a_request_that_is_repeated_gets_what_stands() -> None:
    """A saga that asks again asks nobody twice."""
    desk = bench(approvals=1)
    first, again = desk.tell(ask()), desk.tell(ask())
    assert first.answers == again.answers
    assert again.timers == {}
    say(desk, "Ada")
    assert desk.tell(ask()).answers == [ApprovalGranted(approval_id=P, by=("Ada",))]
    (other,) = desk.tell(ask(creditor_name="Somebody Else")).answers
    assert isinstance(other, ApprovalDenied)
    assert other.reason.text == "approval P1-00 stands for another payment"


def test_what_is_overdue_is_said_once_and_stays_open() -> None:
    """Time alone neither approves nor denies."""
    desk = bench()
    desk.tell(ask())
    desk.now += timedelta(hours=2)
    due = ApprovalDue(approval_id=P)
    ((target, overdue),) = desk.tell(due).sent
    assert target == SAGA
    assert isinstance(overdue, ApprovalOverdue)
    assert desk.tell(due).sent == []
    say(desk, "Ada")
    assert say(desk, "Bob")[1].sent == [(SAGA, ApprovalGranted(approval_id=P, by=("Ada", "Bob")))]


def test_what_lapses_is_denied_when_its_time_is_up() -> None:
    """Where the workflow so asks; never approved."""
    desk = bench()
    desk.tell(ask(lapses=True))
    desk.now += timedelta(hours=2)
    ((_, denied),) = desk.tell(ApprovalDue(approval_id=P)).sent
    assert isinstance(denied, ApprovalDenied)
    assert denied.reason.code == "DS24"
    assert isinstance(say(desk, "Ada")[0], ApprovalRefused)


@pytest.mark.parametrize("asked_before", [True, False])
def test_after_a_withdrawal_nothing_is_approved_under_the_id(asked_before: bool) -> None:
    """A request that overtook its own withdrawal asks nobody, and pays nothing."""
    desk = bench(approvals=1)
    if asked_before:
        desk.tell(ask())
    turn = desk.tell(WithdrawApproval(approval_id=P, reason="cancelled"))
    assert turn.answers == [ApprovalWithdrawn(approval_id=P)]
    assert desk.tell(ask()).answers == [ApprovalWithdrawn(approval_id=P)]
    assert isinstance(say(desk, "Ada")[0], ApprovalRefused)
    assert queries.approvals(desk.session) == []


def test_in_the_choreographed_flow_the_outcomes_are_published_with_the_facts() -> None:
    """Whoever reacts knows the payment without asking anybody; a replayed event asks nobody twice."""
    desk = bench(approvals=1)
    facts = PaymentFacts(order=order(P), debit_id=P)
    turn = desk.hear(ask(facts=facts))
    assert [answer.facts for answer in turn.answers if isinstance(answer, ApprovalRequested)] == [facts]
    assert desk.hear(ask(facts=facts)).answers == []
    assert say(desk, "Ada")[1].published == [ApprovalGranted(approval_id=P, by=("Ada",), facts=facts)]


def test_people_read_what_they_are_asked_and_who_has_said_what() -> None:
    """All that a decision needs, without looking anywhere else."""
    desk = bench()
    desk.tell(ask())
    say(desk, "Ada")
    (shown,) = queries.approvals(desk.session)
    assert (shown["amount"], shown["currency"], shown["missing"], shown["status"]) == ("20000.00", "EUR", 1, "open")
    assert [(word["by"], word["approve"], word["reason"]) for word in shown["words"]] == [("Ada", True, "looked at it")]
    say(desk, "Bob", approve=False)
    ended = queries.approval(desk.session, P)
    assert ended is not None
    assert (ended["status"], ended["reason"]) == ("denied", "Bob said no: looked at it")
    assert queries.approvals(desk.session) == []
