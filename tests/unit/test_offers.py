"""Which workflow a new payment runs on: what it asks for, what its flow offers, and the day it is wanted for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors import assembly
from actors.disbursement import model
from actors.disbursement.actor import Disbursement
from actors.disbursement.messages import OrderRefused, PaymentAccepted, StartPayment, SubmitPayment
from actors.runtime.service import CellContext
from actors.vocabulary.money import Money
from actors.vocabulary.offers import NotOffered, Offer, Offers, parsed
from actors.vocabulary.order import PaymentOrder
from config.settings import BadSettings, DisbursementSettings, Settings, read_settings
from system import process_plan
from tests.fakes.turn import FakeTurn, ServiceBench

OFFERS = Offers(
    (
        Offer("orchestrated", "plain", 1),
        Offer("orchestrated", "plain", 2),
        Offer("orchestrated", "guarded", 1, dated=True),
        Offer("orchestrated", "refund", 1),
        Offer("choreographed", "plain", 1),
        Offer("choreographed", "refund", 1),
    )
)
SUBMIT = SubmitPayment(
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor_name="Example Ltd",
    creditor_account="TEST-1",
    amount=Money(1250, "EUR"),
)


def intake(workflow: str = "plain", offers: Offers = OFFERS) -> ServiceBench:
    """Disbursement that offers these, on New Year's Day 2030."""
    bench = ServiceBench(Disbursement)
    settings = Settings(disbursement=DisbursementSettings(workflow=workflow))
    context = CellContext("cell-0", settings, bench.session, {}, frozenset(range(64)), offers)
    bench.service.prepare(context)
    return bench


def started(turn: FakeTurn) -> PaymentOrder:
    """The order that is started."""
    ((_, start),) = turn.sent
    assert isinstance(start, StartPayment)
    return start.order


def refused(turn: FakeTurn) -> str:
    """The sentence."""
    (answer,) = turn.answers
    assert isinstance(answer, OrderRefused), answer
    assert turn.sent == []
    return answer.error


@pytest.mark.parametrize(
    ("configured", "flow", "wanted", "got"),
    [
        ("plain", None, None, ("plain", 2)),
        ("plain@1", None, None, ("plain", 1)),
        ("plain", "choreographed", None, ("plain", 1)),
        ("plain", None, "guarded", ("guarded", 1)),
        ("guarded", None, "plain@1", ("plain", 1)),
    ],
)
def test_an_order_runs_on_what_it_asks_for_or_on_what_is_configured(
    configured: str, flow: str | None, wanted: str | None, got: tuple[str, int]
) -> None:
    """In the newest version that its flow has, unless a version is named; and keeps it for its whole life."""
    order = started(intake(configured).tell(replace(SUBMIT, flow=flow, workflow=wanted)))
    assert (order.workflow, order.workflow_version) == got


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"workflow": "nothing"}, "there is no workflow 'nothing'; there are plain, guarded, refund"),
        ({"workflow": "plain@9"}, "plain has no version 9 that is orchestrated; there are 1, 2"),
        ({"workflow": "plain@new"}, "'plain@new' is neither a name nor a name with its version"),
        ({"workflow": "refund"}, "ask for one with the command refund"),
        (
            {"workflow": "guarded", "flow": "choreographed"},
            "guarded is orchestrated only: a payment that is choreographed runs on plain",
        ),
        ({"execution_date": "2030-01-02"}, "plain pays at once and waits for no execution_date"),
        ({"workflow": "guarded", "execution_date": "2029-12-31"}, "execution_date 2029-12-31 is in the past"),
        (
            {"workflow": "guarded", "execution_date": "2031-01-03"},
            "execution_date 2031-01-03 is more than a year ahead",
        ),
        ({"workflow": "guarded", "execution_date": "tomorrow"}, "'tomorrow' is not a date such as 2030-12-31"),
    ],
)
def test_an_order_that_asks_for_what_is_not_offered_is_refused_in_a_sentence(order: dict[str, str], said: str) -> None:
    """Before anything is claimed: corrected, it is taken under the same key."""
    bench = intake()
    assert said in refused(bench.tell(replace(SUBMIT, **order)))
    assert started(bench.tell(SUBMIT)).workflow == "plain"


def test_an_execution_date_is_kept_with_the_order() -> None:
    """For the workflow that waits for it, from today on."""
    for day in ("2030-01-01", "2030-12-31"):
        order = started(intake("guarded").tell(replace(SUBMIT, execution_date=day)))
        assert (order.execution_date, order.workflow) == (day, "guarded")


def test_an_order_that_was_accepted_is_known_when_its_day_has_passed_or_its_workflow_is_gone() -> None:
    """A key is answered from its claim: a client that repeats itself is no second order, and no mistake."""
    bench = intake()
    dated = replace(SUBMIT, workflow="guarded", execution_date="2030-01-01")
    payment_id = started(bench.tell(dated)).payment_id
    bench.now = datetime(2030, 1, 3, tzinfo=UTC)
    assert bench.tell(dated).answers == [PaymentAccepted(payment_id=payment_id, idempotency_key="K-1", duplicate=True)]


def test_the_digest_of_an_order_without_what_came_later_is_what_it_was() -> None:
    """Keys of before stay duplicates, not conflicts, after an upgrade."""
    assert model.digest(SUBMIT).hex() == "3a9ecedbd7992c47ced5116f1a079de6"  # as version 0.1.0 made it
    others = {model.digest(replace(SUBMIT, **more)) for more in ({}, {"workflow": "x"}, {"execution_date": "x"})}
    assert len(others) == 3


def test_the_program_offers_its_workflows_and_its_chains() -> None:
    """Worked out from the code alone: whoever adds a workflow offers it."""
    found = {(each.flow, each.name, each.version) for each in assembly.offers().all}
    assert {
        ("orchestrated", "debit-first", 1),
        ("orchestrated", "screen-first", 1),
        ("choreographed", "debit-first", 1),
        ("choreographed", "screen-first", 1),
    } <= found
    assert not assembly.offers().find("orchestrated", "debit-first").dated


@pytest.mark.parametrize("text", ["", "@1", "plain@", "plain@0", "plain@x", "plain@1@2"])
def test_what_is_no_name_of_a_workflow_is_refused(text: str) -> None:
    """A typo is told, not guessed."""
    with pytest.raises(NotOffered, match="is neither a name nor a name with its version"):
        parsed(text)


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        ("fast", "setting disbursement.workflow: there is no workflow 'fast'; there are debit-first, screen-first"),
        ("debit-first@9", "debit-first has no version 9"),
        ("refund", "refunds alone"),
    ],
)
def test_a_configured_workflow_that_is_not_there_is_refused_at_the_start(workflow: str, said: str) -> None:
    """Rather than at every order."""
    settings = read_settings(None, {"disbursement.workflow": workflow})
    with pytest.raises(BadSettings, match=said):
        process_plan(settings, Path("data"))
    process_plan(read_settings(None, {"disbursement.workflow": "screen-first@1"}), Path("data"))
