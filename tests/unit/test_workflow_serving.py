"""A workflow is refused when it is loaded if the services can't do what it asks of them, with a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors import assembly
from actors.aml.messages import BeneficiaryHeld
from actors.execution.messages import StopRefused
from actors.ledger.messages import AccountDebited, DebitPosted
from actors.payment.definition import Part
from actors.payment.faults import BadWorkflow
from actors.payment.serving import must_be_served
from actors.payment.stanzas import SCREEN
from actors.payment.workflow import DEBIT, EXECUTE, LIMITS, POST, WORKFLOWS, payment

assembly.load_messages()
HANDLED = {service.name: frozenset(service.handlers) for service in assembly.services()}


def test_the_shipped_workflows_are_served() -> None:
    """What starts a cell is what is checked here."""
    for workflow in WORKFLOWS.values():
        must_be_served(workflow, HANDLED)
    assembly.must_be_served()


@pytest.mark.parametrize(
    ("step", "changes", "sentence"),
    [
        (LIMITS, {"to": "treasury"}, "check-limits asks treasury, and there is no such service; there are "),
        (LIMITS, {"to": "aml"}, "check-limits sends CheckLimits to aml, which does not take it"),
        (SCREEN, {"waits_for_person": None}, "no step expects BeneficiaryHeld, which ScreenBeneficiary is answered by"),
        (DEBIT, {"refused": None}, "debit-account: no step expects DebitRefused"),
        (DEBIT, {"undo_refused": None}, "undoing debit-account: no step expects VoidRefused"),
        (EXECUTE, {"in_doubt": None}, "execute-payment: no step expects ExecutionInDoubt"),
        (
            POST,
            {"done": BeneficiaryHeld},
            "BeneficiaryHeld is both `waits_for_person` of screen-beneficiary and `done` of post-debit",
        ),
        (LIMITS, {"done": StopRefused}, "StopRefused is both `done` of check-limits and `gate_refused`"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(step: Any, changes: dict[str, Any], sentence: str) -> None:
    """A payment that meets it would be stuck, or would drop an answer."""
    with pytest.raises(BadWorkflow, match=sentence):
        must_be_served(workflow_with(step, changes), HANDLED)


def test_a_step_that_waits_for_what_never_comes_is_refused() -> None:
    """It would be given up each time."""
    steps = (replace(DEBIT, done=DebitPosted, undone=AccountDebited), SCREEN, EXECUTE)
    with pytest.raises(BadWorkflow, match="debit-account"):
        must_be_served(payment("mine", version=1, steps=steps), HANDLED)


def workflow_with(step: Any, changes: dict[str, Any]) -> Any:
    """A workflow of every kind of step, in which this one is changed."""
    steps: tuple[Part, ...] = (DEBIT, SCREEN, LIMITS, EXECUTE, POST)
    return payment("mine", version=1, steps=tuple(replace(each, **changes) if each is step else each for each in steps))
