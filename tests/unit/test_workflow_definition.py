"""The definition of a workflow: what it refuses to be, and what its data say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from actors.aml.messages import BeneficiaryCleared
from actors.payment.definition import LONGEST_WAIT, BadWorkflow, wait
from actors.payment.workflow import (
    DEBIT,
    DEBIT_FIRST,
    EXECUTE,
    POST,
    SCREEN,
    SCREEN_FIRST,
    VOCABULARY,
    WORKFLOWS,
    payment,
)


def test_the_two_workflows_differ_in_the_order_of_their_steps_alone() -> None:
    """A changed order is a moved line, nothing else."""
    assert set(DEBIT_FIRST.steps) == set(SCREEN_FIRST.steps)
    assert DEBIT_FIRST.steps != SCREEN_FIRST.steps
    assert [step.name for step in SCREEN_FIRST.steps] == [
        "screen-beneficiary",
        "debit-account",
        "execute-payment",
        "post-debit",
    ]


@pytest.mark.parametrize(
    "steps", [(EXECUTE, DEBIT, SCREEN, POST), (DEBIT, EXECUTE, SCREEN, POST), (SCREEN, EXECUTE, POST)]
)
def test_no_order_executes_before_its_evidence_stands(steps: tuple) -> None:
    """A line moved too far is refused when the program starts, not when money has left."""
    with pytest.raises(BadWorkflow, match="execute-payment needs"):
        payment("hasty", version=1, steps=steps)


def test_a_workflow_has_exactly_one_pivot() -> None:
    """Without a pivot nobody knows from where on there is no undoing."""
    with pytest.raises(BadWorkflow, match="has no pivot"):
        payment("endless", version=1, steps=(DEBIT, SCREEN))


def test_a_message_has_one_meaning_in_a_workflow() -> None:
    """Two roles for one class would make the engine guess."""
    with pytest.raises(BadWorkflow, match="BeneficiaryCleared is both"):
        payment("muddled", version=1, steps=(replace(DEBIT, done=BeneficiaryCleared), SCREEN, EXECUTE, POST))


def test_a_step_name_is_used_once() -> None:
    """Timers and evidence go by the name."""
    with pytest.raises(BadWorkflow, match="two steps called"):
        payment("twice", version=1, steps=(DEBIT, replace(SCREEN, name=DEBIT.name), EXECUTE, POST))


def test_nothing_after_the_pivot_can_be_compensated() -> None:
    """Money that has left is not voided."""
    undoable = replace(POST, compensation=DEBIT.compensation, undone=DEBIT.undone)
    with pytest.raises(BadWorkflow, match="not before the pivot"):
        payment(
            "undoing",
            version=1,
            steps=(replace(DEBIT, compensation=None, undone=None), SCREEN, EXECUTE, undoable),
        )


def test_a_compensation_says_what_confirms_it() -> None:
    """Without its outcome a compensation would never be known to be done."""
    with pytest.raises(BadWorkflow, match="or neither"):
        payment("half", version=1, steps=(replace(DEBIT, undone=None), SCREEN, EXECUTE, POST))


def test_waits_grow_with_each_try_up_to_a_limit() -> None:
    """A service that is down is not flooded, and one that is back is not left alone for hours."""
    waits = [wait(DEBIT, attempt) for attempt in (1, 2, 3, 50)]
    assert waits == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20), LONGEST_WAIT]


def test_the_timeout_factor_scales_every_timeout() -> None:
    """One setting makes a slow environment patient."""
    scaled = DEBIT_FIRST.scaled(3)
    assert [step.timeout for step in scaled.steps] == [3 * step.timeout for step in DEBIT_FIRST.steps]
    assert (scaled.gate.timeout, scaled.returns.timeout) == (timedelta(seconds=30), timedelta(seconds=15))
    assert scaled.routes()[0].first_timers[0][0].after == timedelta(seconds=15)
    assert wait(scaled.steps[2], 1) == timedelta(minutes=6)


def test_a_workflow_is_found_by_name_and_version() -> None:
    """A payment in flight keeps the order of steps it started with."""
    assert WORKFLOWS["debit-first", 1] is DEBIT_FIRST
    assert WORKFLOWS["screen-first", 1] is SCREEN_FIRST
    roles = {role for each in WORKFLOWS.values() for route in each.routes() for role in route.roles}
    assert len(VOCABULARY) == len(set(VOCABULARY)) == len(roles)
