"""The engine itself: any workflow's data drive it, and it names no service."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from actors.messaging.message import Command, Outcome
from actors.payment import engine, model, moves
from actors.payment.definition import Step
from actors.payment.engine import advance, start
from actors.payment.model import FORWARD, State
from actors.payment.workflow import DEBIT_FIRST, EXECUTE, SCREEN_FIRST, payment, seconds
from actors.vocabulary.reason import Reason
from tests.fakes import payment_answers as answers
from tests.fakes.made_up import a_pivot, words
from tests.fakes.workflow_script import NOW, WorkflowScript, an_order

ROUTE = DEBIT_FIRST.routes()[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveFunds(Command):
    """A command that no shipped service knows."""

    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsReserved(Outcome):
    """Its good outcome."""


def test_a_workflow_with_a_step_of_ones_own_needs_no_change_to_the_engine() -> None:
    """A new step is a stanza and its messages."""
    reserve = Step(
        "reserve-funds",
        to="treasury",
        command=lambda order: ReserveFunds(amount=order.amount.amount),
        done=FundsReserved,
        timeout=seconds(1),
    )
    workflow = payment("with-treasury", version=1, steps=(reserve, *DEBIT_FIRST.steps))
    script = WorkflowScript(workflow, an_order())
    script.expect(ReserveFunds, to="treasury", amount=1250).reply(FundsReserved())
    script.expect(type(DEBIT_FIRST.steps[0].command(an_order())), to="ledger").reply(answers.NO_FUNDS)
    script.ends("rejected", "AM04")


@pytest.mark.parametrize("module", [engine, moves, model])
def test_the_engine_imports_no_service_but_its_own(module: Any) -> None:
    """Data alone tell it what a message means."""
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    services = {"ledger", "aml", "execution", "disbursement", "notification", "replication", "tracker"}
    assert not {name for name in imported if name and name.split(".")[1:2] and name.split(".")[1] in services}


def test_a_message_without_a_role_is_a_failure() -> None:
    """A message that the workflow does not know is somebody's mistake, and says so."""
    state = start(ROUTE, an_order(), NOW).state
    with pytest.raises(KeyError):
        advance(ROUTE, state, ReserveFunds(amount=1), NOW)


def test_a_rule_with_nothing_to_say_returns_the_very_state() -> None:
    """The actor writes nothing then."""
    state = start(ROUTE, an_order(), NOW).state
    decision = advance(ROUTE, state, answers.POSTING_REFUSED, NOW)
    assert decision.state is state
    assert decision == (state, (), (), ())


def test_the_first_submission_of_a_payment_writes_nothing() -> None:
    """Ordinary progress costs no row."""
    state = State(an_order(), FORWARD, ROUTE.pivot, 1)
    assert advance(ROUTE, state, answers.SUBMITTED, NOW).state is state


def test_the_words_of_a_timeout_name_the_service_the_step_and_the_moment() -> None:
    """A person reads them."""
    script = WorkflowScript(SCREEN_FIRST, an_order(workflow="screen-first"))
    for _ in range(3):
        script.unanswered.clear()
        script.time_passes()
    reason: Reason = script.state.reason  # type: ignore[assignment]
    assert reason.text == "aml had not answered screen-beneficiary by 2030-01-01 00:03:30 UTC, try 3"


def test_a_step_without_compensation_is_passed_over_when_undoing() -> None:
    """Not everything leaves something to undo."""
    screen = replace(SCREEN_FIRST.steps[0], compensation=None, undone=None)
    workflow = payment("bare", version=1, steps=(screen, *SCREEN_FIRST.steps[1:]))
    (route,) = workflow.routes()
    assert route.steps[route.pivot] is EXECUTE
    script = WorkflowScript(workflow, an_order())
    for _ in range(3):
        script.unanswered.clear()
        script.time_passes()
    script.ends("rejected", "AB06")


def test_what_is_held_for_a_person_keeps_the_reviews_clock_whatever_else_is_said() -> None:
    """Found by chance: progress took the clock away, the service failed, and nobody was ever called."""
    script = WorkflowScript(payment("held", version=1, steps=(a_pivot("pay"),)), an_order())
    said = words("pay")
    asked = script.expect(said.Do, to="service-pay")
    asked.reply(said.Held(), said.Submitted())
    asked.fails()
    script.time_passes().needs_attention(words="nobody had decided")
