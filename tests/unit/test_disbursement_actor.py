"""Disbursement over an in-memory store: orders in once, payments started once, endings told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from actors.aml.messages import ReviewOverdue
from actors.disbursement import queries
from actors.disbursement.actor import Disbursement
from actors.disbursement.messages import (
    BatchRegistered,
    CancellationRefused,
    CancellationRequested,
    CancellationTaken,
    CancelPayment,
    EndPayment,
    OrderRefused,
    PaymentAccepted,
    PaymentCancelled,
    PaymentCompleted,
    PaymentInitiated,
    PaymentNeedsAttention,
    PaymentRejected,
    PaymentRequested,
    PaymentReturned,
    RefuseCancellation,
    RegisterBatch,
    StartPayment,
    SubmitPayment,
)
from actors.disbursement.reactions import REACTIONS
from actors.execution.messages import ExecutionContradicted, ExecutionInDoubt, StopRefused
from actors.ledger.messages import (
    DebitPosted,
    DebitRefused,
    DebitVoided,
    PostingRefused,
    ReturnBooked,
    ReturnSuspended,
    VoidRefused,
)
from actors.messaging.message import Event, Message
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentFacts, PaymentOrder
from actors.vocabulary.reason import Reason
from actors.vocabulary.slots import slot_in, slot_of
from config.settings import DisbursementSettings, Settings
from tests.fakes.turn import FakeTurn, ServiceBench

WHY = Reason("AC04", "closed")
SUBMIT = SubmitPayment(
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor_name="Example Ltd",
    creditor_account="de89 3704 0044 0532 0130 00",
    amount=Money(1250, "EUR"),
    creditor_email="pay@example.org",
)


@pytest.fixture
def bench() -> ServiceBench:
    """Disbursement with nothing in it."""
    return ServiceBench(Disbursement)


def accepted(turn: FakeTurn) -> PaymentAccepted:
    """The acceptance that the turn answered with."""
    (answer,) = turn.answers
    assert isinstance(answer, PaymentAccepted)
    return answer


def started(bench: ServiceBench, flow: str = "choreographed") -> PaymentOrder:
    """An order that was submitted and started."""
    ((_, start),) = bench.tell(replace(SUBMIT, flow=flow)).sent
    assert isinstance(start, StartPayment)
    bench.tell(start, sender="disbursement")
    return start.order


def test_an_order_is_claimed_and_handed_to_the_debtors_partition(bench: ServiceBench) -> None:
    """The key lives where its hash does, the payment where its debtor does; its id says so."""
    turn = bench.tell(SUBMIT)
    ((target, start),) = turn.sent
    assert isinstance(start, StartPayment)
    order = start.order
    assert target == "disbursement"
    assert accepted(turn) == PaymentAccepted(payment_id=order.payment_id, idempotency_key="K-1")
    assert slot_in(order.payment_id) == slot_of("ACC-1")
    assert order.end_to_end_id == order.payment_id
    assert (order.flow, order.workflow, order.workflow_version) == ("orchestrated", "debit-first", 1)
    assert order.creditor == Creditor(name="Example Ltd", account="DE89370400440532013000", email="pay@example.org")
    assert turn.published == []


def test_flow_and_order_of_steps_are_those_of_the_moment_of_acceptance() -> None:
    """Switching the configuration later must not re-route a payment in flight."""
    settings = Settings(disbursement=DisbursementSettings(flow="choreographed", workflow="screen-first"))
    ((_, start),) = ServiceBench(Disbursement, settings).tell(SUBMIT).sent
    assert isinstance(start, StartPayment)
    assert (start.order.flow, start.order.workflow) == ("choreographed", "screen-first")


def test_the_same_key_and_content_is_the_same_payment(bench: ServiceBench) -> None:
    """A client that doesn't know whether it was heard may ask again, even from another file."""
    first = accepted(bench.tell(SUBMIT))
    turn = bench.tell(replace(SUBMIT, batch_id="B-2"))
    assert accepted(turn) == replace(first, duplicate=True)
    assert turn.sent == []


def test_a_message_that_comes_again_is_no_duplicate(bench: ServiceBench) -> None:
    """A client whose answer was lost with a process has submitted one order, and is told so."""
    first = accepted(bench.tell(SUBMIT))
    assert accepted(bench.tell(SUBMIT, again=True)) == first
    assert accepted(bench.tell(SUBMIT)).duplicate


def test_the_same_key_with_other_content_is_a_conflict(bench: ServiceBench) -> None:
    """One key is one payment; which one, the answer says."""
    first = accepted(bench.tell(SUBMIT))
    turn = bench.tell(replace(SUBMIT, amount=Money(1251, "EUR")))
    error = f"idempotency_key K-1 belongs to payment {first.payment_id}, whose content is another"
    assert turn.answers == [OrderRefused(idempotency_key="K-1", error=error, conflict=True)]
    assert turn.sent == []


def test_a_form_error_is_refused_and_claims_nothing(bench: ServiceBench) -> None:
    """The corrected order may use the same key."""
    turn = bench.tell(replace(SUBMIT, creditor_name=""))
    assert turn.answers == [OrderRefused(idempotency_key="K-1", error="creditor_name is empty")]
    assert not accepted(bench.tell(SUBMIT)).duplicate


@pytest.mark.parametrize(("flow", "event"), [("choreographed", PaymentInitiated), ("orchestrated", PaymentRequested)])
def test_a_payment_starts_once_with_its_flows_event(bench: ServiceBench, flow: str, event: type[Event]) -> None:
    """The trigger is an event in both flows; a repeat starts nothing."""
    ((_, start),) = bench.tell(replace(SUBMIT, flow=flow)).sent
    first, again = bench.tell(start, sender="disbursement"), bench.tell(start, sender="disbursement")
    assert [type(published) for published in first.published] == [event]
    assert again.published == []


def test_a_started_order_can_be_read_under_the_names_of_pay(bench: ServiceBench) -> None:
    """Shell and API show what was ordered, as it was stored."""
    order = started(bench)
    shown = queries.order(bench.session, order.payment_id)
    assert shown is not None
    assert (shown["amount"], shown["currency"], shown["creditor"]["account"]) == (
        "12.50",
        "EUR",
        "DE89370400440532013000",
    )
    assert queries.claim(bench.session, "K-1") == order.payment_id
    assert queries.order(bench.session, "P-00") is None


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("completed", PaymentCompleted),
        ("rejected", PaymentRejected),
        ("cancelled", PaymentCancelled),
        ("needs_attention", PaymentNeedsAttention),
    ],
)
def test_an_ending_is_published_once(bench: ServiceBench, status: str, event: type[Event]) -> None:
    """A repeat is no news."""
    order = started(bench)
    command = EndPayment(order=order, status=status, reason=WHY)
    assert [type(published) for published in bench.hear(command).published] == [event]
    assert bench.hear(command).published == []


def test_a_completed_payment_may_be_returned(bench: ServiceBench) -> None:
    """The one ending after an ending."""
    order = started(bench)
    bench.hear(EndPayment(order=order, status="completed"))
    turn = bench.hear(EndPayment(order=order, status="returned", reason=WHY))
    assert turn.published == [PaymentReturned(order=order, reason=WHY)]


def test_a_late_proof_ends_a_payment_that_needed_attention(bench: ServiceBench) -> None:
    """Doubt that resolves itself needs no person any more."""
    order = started(bench)
    bench.hear(EndPayment(order=order, status="needs_attention", reason=WHY))
    turn = bench.hear(EndPayment(order=order, status="completed"))
    assert turn.published == [PaymentCompleted(order=order)]


def test_another_reason_for_attention_is_news(bench: ServiceBench) -> None:
    """First an overdue review, later a doubt at the bank: the person must see the second, too."""
    order = started(bench)
    bench.hear(EndPayment(order=order, status="needs_attention", reason=WHY))
    other = Reason("AB05", "the bank is silent")
    turn = bench.hear(EndPayment(order=order, status="needs_attention", reason=other))
    assert turn.published == [PaymentNeedsAttention(order=order, reason=other)]


def test_a_contradiction_reopens_what_has_ended(bench: ServiceBench) -> None:
    """Rejected, and then paid after all: nothing moves, a person is told both."""
    order = started(bench)
    bench.hear(EndPayment(order=order, status="rejected", reason=WHY))
    (event,) = bench.hear(EndPayment(order=order, status="completed")).published
    assert isinstance(event, PaymentNeedsAttention)
    assert event.reason.text == "the payment was rejected, and then heard to be completed"


def test_an_end_that_comes_after_its_contradiction_does_not_hide_it(bench: ServiceBench) -> None:
    """The bank rejected, then executed, and only then the void was done: whoever looks must still be called.

    Found by the simulator: both of the bank's answers in one turn, so that the second overtook the void.
    """
    order = started(bench)
    bench.hear(EndPayment(order=order, status="needs_attention", reason=WHY, reopens=True))
    assert bench.hear(EndPayment(order=order, status="rejected", reason=Reason("AC06", "blocked"))).published == []
    (event,) = bench.hear(EndPayment(order=order, status="completed")).published
    assert isinstance(event, PaymentNeedsAttention)
    assert event.reason.text == "the payment was rejected, and then heard to be completed"


@pytest.mark.parametrize("flow", ["choreographed", "orchestrated"])
def test_a_wish_to_cancel_is_taken_and_passed_on_in_both_flows(bench: ServiceBench, flow: str) -> None:
    """Whoever drives the payment asks the gate; Disbursement decides nothing."""
    order = started(bench, flow)
    turn = bench.tell(CancelPayment(payment_id=order.payment_id, reason="twice"), sender="gateway")
    assert turn.answers == [CancellationTaken(payment_id=order.payment_id)]
    assert turn.published == [CancellationRequested(facts=PaymentFacts(order=order), reason="twice")]


def test_an_ended_payment_cant_be_cancelled(bench: ServiceBench) -> None:
    """The answer says how it ended."""
    order = started(bench)
    bench.hear(EndPayment(order=order, status="completed"))
    turn = bench.tell(CancelPayment(payment_id=order.payment_id, reason="twice"), sender="gateway")
    error = f"payment {order.payment_id} is already completed"
    assert turn.answers == [CancellationRefused(payment_id=order.payment_id, error=error)]
    assert turn.published == []


def test_an_unknown_payment_cant_be_cancelled(bench: ServiceBench) -> None:
    """A mistyped id is told at once."""
    turn = bench.tell(CancelPayment(payment_id="P9-00", reason="twice"), sender="gateway")
    assert turn.answers == [CancellationRefused(payment_id="P9-00", error="there is no payment P9-00")]


def test_the_gates_refusal_is_told_to_everybody(bench: ServiceBench) -> None:
    """The person waits for this event."""
    turn = bench.hear(RefuseCancellation(payment_id="P1-00", error="already at the bank"))
    assert turn.published == [CancellationRefused(payment_id="P1-00", error="already at the bank")]


def test_a_batch_is_registered_once(bench: ServiceBench) -> None:
    """The first registration stays."""
    for orders in (3, 4):
        turn = bench.tell(RegisterBatch(batch_id="B-1", file_name="orders.csv", orders=orders))
        assert turn.answers == [BatchRegistered(batch_id="B-1")]
    batch = {
        "batch_id": "B-1",
        "file_name": "orders.csv",
        "orders": 3,
        "created_at": "2030-01-01T00:00:00+00:00",
    }
    assert queries.batches(bench.session) == [batch]
    assert queries.batch(bench.session, "B-1") == batch


ORDER = PaymentOrder(
    payment_id="P1-00",
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor=Creditor(name="Example Ltd", account="TEST-1"),
    amount=Money(1250, "EUR"),
    end_to_end_id="P1-00",
    uetr="00000000-0000-4000-8000-000000000001",
    remittance="",
    flow="choreographed",
    workflow="debit-first",
    workflow_version=1,
    batch_id=None,
    created_at=datetime(2030, 1, 1, tzinfo=UTC),
)
FACTS = PaymentFacts(order=ORDER)
P1 = "P1-00"


@pytest.mark.parametrize(
    ("event", "command"),
    [
        (DebitPosted(debit_id=P1, facts=FACTS), EndPayment(order=ORDER, status="completed")),
        (DebitRefused(debit_id=P1, reason=WHY, facts=FACTS), EndPayment(order=ORDER, status="rejected", reason=WHY)),
        (DebitVoided(debit_id=P1, reason=WHY, facts=FACTS), EndPayment(order=ORDER, status="rejected", reason=WHY)),
        (
            DebitVoided(debit_id=P1, reason=WHY, ending="cancelled", facts=FACTS),
            EndPayment(order=ORDER, status="cancelled", reason=WHY),
        ),
        (
            ReturnBooked(return_id="R-1", debit_id=P1, reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="returned", reason=WHY),
        ),
        (
            ExecutionInDoubt(instruction_id=P1, reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="needs_attention", reason=WHY),
        ),
        (
            ReviewOverdue(screening_id=P1, case_id="C-1", reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="needs_attention", reason=WHY),
        ),
        (
            ExecutionContradicted(instruction_id=P1, reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="needs_attention", reason=WHY, reopens=True),
        ),
        (
            PostingRefused(debit_id=P1, reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="needs_attention", reason=WHY, reopens=True),
        ),
        (
            VoidRefused(debit_id=P1, reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="needs_attention", reason=WHY, reopens=True),
        ),
        (
            ReturnSuspended(return_id="R-1", debit_id=P1, reason=WHY, facts=FACTS),
            EndPayment(order=ORDER, status="needs_attention", reason=WHY, reopens=True),
        ),
        (
            StopRefused(instruction_id=P1, ending="cancelled", facts=FACTS),
            RefuseCancellation(payment_id=P1, error="already at the bank: it can't be cancelled any more"),
        ),
        (StopRefused(instruction_id=P1, ending="rejected", facts=FACTS), None),
    ],
)
def test_disbursement_reacts_with_its_own_command(event: Event, command: Message | None) -> None:
    """How choreographed payments end: one event, one command."""
    (on,) = [on for on in REACTIONS["*"] if isinstance(event, on.event)]
    assert on.make(event) == command
    assert command is None or isinstance(command, on.command)


def test_an_order_in_a_partition_that_is_not_its_keys_is_refused() -> None:
    """Or the same key could be claimed in two places, and paid twice."""
    bench = ServiceBench(Disbursement)
    bench.service.slots = frozenset()  # type: ignore[attr-defined]
    order = SubmitPayment(
        idempotency_key="k", debtor_account="A", creditor_name="N", creditor_account="C", amount=Money(1, "EUR")
    )
    (answer,) = bench.tell(order, sender="client/1/1", payment_id="").answers
    assert isinstance(answer, OrderRefused)
    assert "partition" in answer.error
