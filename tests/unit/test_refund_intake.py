"""A refund is taken in where its payment lives, its key is claimed where that lives, and it starts once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from actors.disbursement import queries
from actors.disbursement.actor import Disbursement
from actors.disbursement.messages import (
    ClaimRefund,
    OrderRefused,
    PaymentAccepted,
    PaymentInitiated,
    PaymentRequested,
    RefundPayment,
    StartPayment,
    SubmitPayment,
)
from actors.execution.messages import SubmitInstruction
from actors.execution.simulated_rail import deciding_account
from actors.messaging.message import Event
from actors.messaging.system_messages import Await
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentOrder, RefundOf
from actors.vocabulary.reason import Reason
from actors.vocabulary.slots import slot_in
from config.settings import DisbursementSettings, Settings
from tests.fakes.turn import FakeTurn, ServiceBench

CLIENT = "client/1/7"
SUBMIT = SubmitPayment(
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor_name="Example Ltd",
    creditor_account="TEST-OK",
    amount=Money(1250, "EUR"),
    end_to_end_id="INV-7",
)


@pytest.fixture
def bench() -> ServiceBench:
    """Disbursement, refunds possible for ten days."""
    return ServiceBench(Disbursement, Settings(disbursement=DisbursementSettings(refund_days=10)))


@pytest.fixture
def paid(bench: ServiceBench) -> PaymentOrder:
    """A payment that has been started."""
    ((_, start),) = bench.tell(SUBMIT).sent
    assert isinstance(start, StartPayment)
    bench.tell(start, sender="disbursement")
    return start.order


def asked(paid: PaymentOrder, **different: object) -> RefundPayment:
    """The refund of it."""
    return replace(
        RefundPayment(idempotency_key="K-2", refund_of=paid.payment_id, reason="sent twice"),
        **different,  # type: ignore[arg-type]
    )


def claim(turn: FakeTurn) -> ClaimRefund:
    """What the payment's slot sends to the key's."""
    ((_, command),) = turn.sent
    assert isinstance(command, ClaimRefund)
    return command


def test_a_refund_is_an_order_of_its_own(bench: ServiceBench, paid: PaymentOrder) -> None:
    """Its own id (with the debtor's slot), key and UETR; the parties and their reference are the payment's."""
    bench.now += timedelta(days=3)
    order = claim(bench.tell(asked(paid), sender=CLIENT)).order
    assert order.payment_id != paid.payment_id
    assert slot_in(order.payment_id) == slot_in(paid.payment_id)
    assert order.uetr != paid.uetr
    assert (order.idempotency_key, order.workflow, order.amount) == ("K-2", "refund", paid.amount)
    assert (order.debtor_account, order.creditor, order.end_to_end_id) == ("ACC-1", paid.creditor, "INV-7")
    assert order.refund == RefundOf(
        payment_id=paid.payment_id,
        amount=paid.amount,
        created_at=paid.created_at,
        until=paid.created_at + timedelta(days=10),
        reason=Reason("CUST", "sent twice"),
    )


@pytest.mark.parametrize(("flow", "event"), [("choreographed", PaymentInitiated), ("orchestrated", PaymentRequested)])
def test_it_runs_in_the_flow_asked_for_whatever_the_payments_was(
    bench: ServiceBench, paid: PaymentOrder, flow: str, event: type[Event]
) -> None:
    """What was paid orchestrated may be refunded choreographed; it starts once."""
    command = claim(bench.tell(asked(paid, flow=flow), sender=CLIENT))
    turn = bench.tell(command, sender="disbursement")
    ((_, start),) = turn.sent
    assert turn.answers == [PaymentAccepted(payment_id=command.order.payment_id, idempotency_key="K-2")]
    assert turn.answered_to == [CLIENT]
    first, again = bench.tell(start, sender="disbursement"), bench.tell(start, sender="disbursement")
    assert [type(published) for published in (*first.published, *again.published)] == [event]
    assert queries.refund_of(bench.session, command.order.payment_id) == paid.payment_id
    assert queries.refunds_of(bench.session, paid.payment_id) == [command.order.payment_id]


def test_the_same_key_refunds_once(bench: ServiceBench, paid: PaymentOrder) -> None:
    """Asked again it is answered from its claim; with other content, or as a payment, it is a conflict."""
    first = claim(bench.tell(asked(paid), sender=CLIENT))
    bench.tell(first, sender="disbursement")
    again = bench.tell(claim(bench.tell(asked(paid), sender=CLIENT)), sender="disbursement")
    refund_id = first.order.payment_id
    assert again.answers == [PaymentAccepted(payment_id=refund_id, idempotency_key="K-2", duplicate=True)]
    assert again.sent == []
    other = claim(bench.tell(asked(paid, amount=Money(1, "EUR")), sender=CLIENT))
    for turn in (bench.tell(other, sender="disbursement"), bench.tell(replace(SUBMIT, idempotency_key="K-2"))):
        (refused,) = turn.answers
        assert isinstance(refused, OrderRefused)
        assert refused.conflict


def test_a_client_that_was_not_answered_asks_with_the_same_message(bench: ServiceBench, paid: PaymentOrder) -> None:
    """That is no second order: it is not told of a duplicate."""
    first = claim(bench.tell(asked(paid), sender=CLIENT))
    bench.tell(first, sender="disbursement")
    second = claim(bench.tell(asked(paid), sender=CLIENT, again=True))
    (accepted,) = bench.tell(replace(second, message_id=first.message_id), sender="disbursement").answers
    assert accepted == PaymentAccepted(payment_id=first.order.payment_id, idempotency_key="K-2")


def test_whoever_waits_hears_of_the_refunds_end(bench: ServiceBench, paid: PaymentOrder) -> None:
    """From where the refund lives, to the client who asked."""
    command = claim(bench.tell(asked(paid, wait_for=("PaymentCompleted",)), sender=CLIENT))
    _, (target, question) = bench.tell(command, sender="disbursement").sent
    assert target == "waiting"
    assert question == Await(payment_id=command.order.payment_id, types=("PaymentCompleted",), client=CLIENT)


@pytest.mark.parametrize(
    ("different", "error"),
    [
        ({"refund_of": "P9-00"}, "there is no payment P9-00"),
        ({"reason": " "}, "reason is empty"),
        ({"amount": Money(0, "EUR")}, "amount must be more than zero"),
        ({"flow": "both"}, "flow 'both' is neither orchestrated nor choreographed"),
        ({"amount": Money(100, "USD")}, "was in EUR, so its refund can't be in USD"),
    ],
)
def test_what_can_not_be_a_refund_is_refused_and_claims_nothing(
    bench: ServiceBench, paid: PaymentOrder, different: dict[str, object], error: str
) -> None:
    """Facts end a refund; form, and a payment that is not there, refuse it before anything is kept."""
    turn = bench.tell(asked(paid, **different), sender=CLIENT)
    (refused,) = turn.answers
    assert isinstance(refused, OrderRefused)
    assert error in refused.error
    assert turn.sent == []


def test_a_refund_is_not_refunded(bench: ServiceBench, paid: PaymentOrder) -> None:
    """Money that went back is paid anew, by a payment."""
    order = claim(bench.tell(asked(paid), sender=CLIENT)).order
    bench.tell(StartPayment(order=order), sender="disbursement")
    (refused,) = bench.tell(asked(order, idempotency_key="K-3"), sender=CLIENT).answers
    assert isinstance(refused, OrderRefused)
    assert f"is itself a refund, of {paid.payment_id}" in refused.error


def test_the_account_that_is_asked_decides_at_the_simulated_rail() -> None:
    """Each outcome of a payment can be tried out on a refund; as a creditor the same account is an ordinary one."""
    instruction = SubmitInstruction(
        instruction_id="R-1",
        debtor_account="TEST-REFUND-REJECT-AC04",
        creditor_name="ACC-1",
        creditor_account="ACC-1",
        creditor_country=None,
        amount=Money(1, "EUR"),
        end_to_end_id="E",
        uetr="U",
    )
    assert deciding_account(instruction) == "TEST-REJECT-AC04"
    paying = replace(instruction, debtor_account="ACC-1", creditor_account="TEST-REFUND-REJECT-AC04")
    assert deciding_account(paying) == "TEST-REFUND-REJECT-AC04"
