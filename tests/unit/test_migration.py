"""Whether a payment may go on under another version: every place at which it may, and every sentence that says no."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.payment.definition import Part, Together, TryLater, WaitUntil, Workflow
from actors.payment.migration import CannotMigrate, moved
from actors.payment.model import COMPENSATING, FORWARD, HALTED, RETURNING, Branch, Numbered, State
from actors.payment.stanzas import SCREEN, minutes
from actors.payment.workflow import (
    APPROVE,
    DEBIT,
    EXECUTE,
    LIMITS,
    POST,
    debit_again,
    execute_again,
    execution_date,
    payment,
)
from actors.vocabulary.reason import Reason
from tests.fakes.workflow_script import an_order

WHY = Reason("CUST", "wrong amount")
DATE = WaitUntil("execution-date", execution_date)
CHECKS = Together("checks", (SCREEN, LIMITS))


def version(number: int, *steps: Part, name: str = "debit-first") -> Workflow:
    """A version of these steps."""
    return payment(name, version=number, steps=steps)


PLAIN = (DEBIT, SCREEN, EXECUTE, POST)
HELD_FOR_EVER = replace(DEBIT, compensation=None, undone=None, undo_refused=None)
LATER = {"AM04": TryLater(minutes(10))}
DEBITED_AGAIN = replace(DEBIT, again=debit_again, on_reason=LATER)
TRIED = replace(EXECUTE, again=execute_again, on_reason=LATER)
NOTED = replace(LIMITS, compensation=None, undone=None)  # a step that may stand after the pivot


def stands(step: int, phase: str = FORWARD, **more: Any) -> State:
    """A payment under way."""
    return State(an_order(), phase, step, 1, **more)


def move(before: tuple[Part, ...], after: tuple[Part, ...], state: State, name: str = "debit-first") -> State:
    """Where it stands on the other version."""
    order = state.order
    return moved(version(1, *before).route(order), version(2, *after, name=name).route(order), state)


@pytest.mark.parametrize(
    ("after", "step", "there"),
    [
        ((DEBIT, SCREEN, LIMITS, EXECUTE, POST), 1, 1),  # what is new comes after it
        ((DEBIT, SCREEN, DATE, EXECUTE, POST), 0, 0),
        (PLAIN, 3, 3),
        ((SCREEN, DEBIT, EXECUTE, POST), 2, 2),  # the same ones are behind it, in whatever order
    ],
)
def test_a_payment_goes_on_from_where_it_stands(after: tuple[Part, ...], step: int, there: int) -> None:
    """Nothing done is forgotten, nothing that the other version asks for is left out."""
    assert move(PLAIN, after, stands(step)) == stands(there)


def test_a_payment_moves_in_the_midst_of_steps_done_together() -> None:
    """The same ones run together in both."""
    state = stands(1, branches=(Branch("done"), Branch()))
    after = move((DEBIT, CHECKS, EXECUTE, POST), (DEBIT, CHECKS, DATE, EXECUTE, POST), state)
    assert (after.step, after.branches) == (1, state.branches)


def test_what_is_being_undone_moves_where_the_same_is_undone() -> None:
    """In the same order, with the same outcome."""
    undoing = stands(0, COMPENSATING, reason=WHY, ending="cancelled")
    assert move(PLAIN, (DEBIT, SCREEN, DATE, EXECUTE, POST), undoing) == undoing


REFUSALS: list[tuple[tuple[Part, ...], tuple[Part, ...], State, str]] = [
    (PLAIN, PLAIN, stands(1, paused="since"), "is paused; resume it first"),
    (PLAIN, PLAIN, stands(1, HALTED), "is halted, since facts contradict each other; a person must look at it first"),
    (PLAIN, PLAIN, stands(4, "completed"), "is completed; an ended payment needs no version"),
    (PLAIN, PLAIN, stands(4, RETURNING), "was paid, and its money is coming back; it ends by itself"),
    (PLAIN, PLAIN, stands(1, stopping="cancelled"), "is being stopped; wait for the answer"),
    (PLAIN, PLAIN, stands(1, reached=2), "was restarted from an earlier step; wait until it is where it was"),
    (
        (DEBIT, SCREEN, LIMITS, EXECUTE, POST), PLAIN, stands(2),
        "stands at check-limits, which debit-first@2 does not have",
    ),
    (
        PLAIN, (DEBIT, CHECKS, EXECUTE, POST), stands(1),
        "stands at screen-beneficiary, which runs together with others in one version alone",
    ),
    (
        (DEBIT, CHECKS, EXECUTE, POST), (DEBIT, Together("checks", (SCREEN, LIMITS, APPROVE)), EXECUTE, POST),
        stands(1, branches=(Branch(), Branch())),
        "stands at checks, where other steps run together in debit-first@2",
    ),
    (
        PLAIN, (APPROVE, *PLAIN), stands(1),
        "has not done approve-payment, which comes earlier in debit-first@2",
    ),
    (
        (DEBIT, SCREEN, LIMITS, EXECUTE, POST), PLAIN, stands(3),
        "has done check-limits already, which comes later or not at all in debit-first@2",
    ),
    (
        (DEBIT, SCREEN, DATE, EXECUTE, POST), (DEBIT, SCREEN, replace(LIMITS, name="execution-date"), EXECUTE, POST),
        stands(2), "stands at execution-date, which is a wait in one version alone",
    ),
    (
        (DEBIT, SCREEN, LIMITS, EXECUTE, POST), (DEBIT, SCREEN, replace(APPROVE, name="check-limits"), EXECUTE, POST),
        stands(2), "stands at check-limits, which sends another command in debit-first@2",
    ),
    (
        (DEBIT, SCREEN, LIMITS, EXECUTE, POST),
        (DEBIT, SCREEN, replace(LIMITS, done=LIMITS.refused, refused=LIMITS.done), EXECUTE, POST),
        stands(2), "stands at check-limits, which means something else in debit-first@2",
    ),
    (
        (DEBIT, SCREEN, EXECUTE, NOTED, POST),
        (DEBIT, SCREEN, replace(EXECUTE, pivot=False), NOTED, replace(POST, pivot=True)),
        stands(3), "stands on the other side of the pivot at check-limits",
    ),
    (
        (LIMITS, *PLAIN), (DEBIT, LIMITS, SCREEN, EXECUTE, POST),
        stands(2, COMPENSATING, reason=WHY, ending="rejected"),
        "is being undone, in another order than debit-first@2 would undo it",
    ),
    (
        PLAIN, (DEBIT, replace(SCREEN, undo_when_done=True), EXECUTE, POST),
        stands(1, COMPENSATING, reason=WHY, ending="rejected"),
        "stands at screen-beneficiary, which is undone otherwise in debit-first@2",
    ),
    (
        PLAIN, (HELD_FOR_EVER, SCREEN, EXECUTE, POST), stands(1),
        "has done debit-account, which is undone otherwise in debit-first@2",
    ),
    (
        PLAIN, (HELD_FOR_EVER, SCREEN, EXECUTE, POST), stands(0),
        "stands at debit-account, which is undone otherwise in debit-first@2",
    ),
    (
        PLAIN, (DEBIT, replace(SCREEN, waits_for_person=None, overdue=None), EXECUTE, POST), stands(2),
        "has done screen-beneficiary, which means something else in debit-first@2",
    ),
    *(
        (
            PLAIN, (DEBIT, SCREEN, replace(EXECUTE, **{answer: None}), POST), stands(2),
            "stands at execute-payment, which means something else in debit-first@2",
        )
        for answer in ("refused", "under_way", "in_doubt")
    ),
    *(
        (
            PLAIN, (DEBIT, replace(SCREEN, **{answer: None}), EXECUTE, POST), stands(1),
            "stands at screen-beneficiary, which means something else in debit-first@2",
        )
        for answer in ("waits_for_person", "overdue")
    ),
    (
        (DEBIT, SCREEN, TRIED, POST), PLAIN, stands(2, tries=2),
        "was tried again at execute-payment, which debit-first@2 never does",
    ),
    (
        (DEBIT, SCREEN, TRIED, POST), PLAIN, stands(3, numbers=(Numbered("execute-payment", 2),)),
        "was tried again at execute-payment, which debit-first@2 never does",
    ),
    (
        (Together("both", (DEBITED_AGAIN, SCREEN)), EXECUTE, POST), (Together("both", (DEBIT, SCREEN)), EXECUTE, POST),
        stands(0, branches=(Branch(tries=2), Branch())),
        "was tried again at debit-account, which debit-first@2 never does",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "state", "sentence"), REFUSALS, ids=[each[3] for each in REFUSALS])
def test_a_payment_that_cannot_be_moved_stays_and_says_why(
    before: tuple[Part, ...], after: tuple[Part, ...], state: State, sentence: str
) -> None:
    """A sentence that a person can act on; the payment ends on its own version."""
    with pytest.raises(CannotMigrate) as refusal:
        move(before, after, state)
    assert str(refusal.value) == sentence


def test_what_was_tried_once_moves_to_a_version_that_never_tries_again() -> None:
    """And waits, tries and what a reason leads to may differ in any case: they are the other version's to say."""
    assert move((DEBIT, SCREEN, TRIED, POST), PLAIN, stands(2)) == stands(2)
    patient = replace(TRIED, timeout=minutes(9), retries=9, on_reason={"TM01": TryLater(minutes(1), tries=1)})
    assert move((DEBIT, SCREEN, TRIED, POST), (DEBIT, SCREEN, patient, POST), stands(2, tries=2)) == stands(2, tries=2)


def test_a_payment_keeps_its_workflow() -> None:
    """Even one of the very same steps is another one by another name: only versions of its own are for it."""
    with pytest.raises(
        CannotMigrate, match=r"^runs debit-first, and guarded@2 is another workflow, not a version of it$"
    ):
        move(PLAIN, PLAIN, stands(1), name="guarded")
