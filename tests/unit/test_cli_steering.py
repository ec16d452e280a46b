"""Pausing and repairing from the command line: what is sent, what is said, and who is told that a cell was silent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.gateway.client import NoAnswer
from actors.messaging.system_messages import PauseTarget, ResumeTarget, ServicePaused, TargetStanding
from actors.payment.messages import PauseSaga, RestartSaga, SagaSteered, SteeringRefused
from tests.fakes.desk import Desk
from tests.fakes.stores import keep_payment, open_store

PAYMENT = "P1-05"
WHY = ("--reason", "a look", "--by", "Ada")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """At which an operator sits."""
    session = open_store(tmp_path)
    keep_payment(session, PAYMENT, "held")
    session.commit()
    session.close()
    return Desk(tmp_path)


def test_pausing_a_payment_says_who_and_why(desk: Desk) -> None:
    """And the answer is what the system says it has done."""
    desk.client.answers[PauseSaga] = SagaSteered(payment_id=PAYMENT, action="pause", done="it is paused")
    assert desk.run("pause", PAYMENT, *WHY, "--json") == 0
    assert json.loads(desk.out)["done"] == "it is paused"
    assert desk.client.asked == [("payment", 5, PauseSaga(payment_id=PAYMENT, by="Ada", reason="a look"))]


def test_a_refusal_is_one_sentence(desk: Desk) -> None:
    """With exit status 1."""
    desk.client.answers[RestartSaga] = SteeringRefused(payment_id=PAYMENT, action="restart", error="it was paid")
    assert desk.run("restart", PAYMENT, "--from", "debit-account", *WHY) == 1
    assert desk.err == "paysaga: it was paid\n"


def test_a_payment_that_is_not_there_is_not_paused(desk: Desk) -> None:
    """Nothing is sent for a slip of the pen."""
    assert desk.run("pause", "P9-05", *WHY) == 1
    assert "there is no payment P9-05" in desk.err
    assert desk.client.asked == []


def test_a_paused_service_answers_with_its_sentence(desk: Desk) -> None:
    """Also where it is Payment itself."""
    desk.client.answers[PauseSaga] = ServicePaused(service="payment", error="payment is paused since noon")
    assert desk.run("pause", PAYMENT, *WHY) == 1
    assert "payment is paused since noon" in desk.err


def test_a_cell_that_gave_no_answer_is_named(desk: Desk) -> None:
    """The others have done it; saying it again is harmless."""
    done = TargetStanding(kind="service", name="aml", paused=True, done="aml is paused")

    def silent(_: object) -> None:
        raise NoAnswer("cell-1 gave no answer within 30 s", (done,))

    desk.client.answers[PauseTarget] = silent
    assert desk.run("service", "pause", "aml", *WHY) == 1
    assert "cell-1 gave no answer" in desk.err
    assert "service pause aml" in desk.err


def test_resuming_what_is_not_paused_is_said(desk: Desk) -> None:
    """And is no failure."""
    desk.client.answers[ResumeTarget] = TargetStanding(kind="rail", name="rail", paused=False)
    assert desk.run("rail", "resume", "--by", "Ada") == 0
    assert desk.out == "rail is not paused\n"


def test_there_is_one_rail(desk: Desk) -> None:
    """Another name is a slip."""
    assert desk.run("rail", "pause", "sepa", *WHY) == 1
    assert "there is no rail sepa; there is rail" in desk.err
