"""The rules of the gate and of doubt, without actor, store or clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.execution import model
from actors.execution.messages import ACCEPTED, EXECUTED, NOT_RECEIVED, REJECTED, RETURNED, UNKNOWN
from actors.execution.model import Pace, Say

VERDICTS = (ACCEPTED, EXECUTED, REJECTED, UNKNOWN, NOT_RECEIVED, RETURNED)
FINAL = (EXECUTED, REJECTED, model.STOPPED)
START = datetime(2030, 1, 1, tzinfo=UTC)
PACE = Pace(timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=60))


@pytest.mark.parametrize(("debit_id", "screening_id"), [("", "S1"), ("D1", ""), ("", "")])
def test_no_instruction_without_both_kinds_of_evidence(debit_id: str, screening_id: str) -> None:
    """A standing debit and a recorded clearance, in either flow or order."""
    with pytest.raises(model.MissingEvidence):
        model.require_evidence(debit_id, screening_id)


@pytest.mark.parametrize("state", model.OPEN)
def test_unknown_settles_nothing(state: str) -> None:
    """ "Unknown" proves nothing: whatever it changes, the instruction stays open."""
    decision = model.on_answer(state, UNKNOWN)
    assert decision is None or (decision.state in model.OPEN and not decision.says)


@pytest.mark.parametrize("state", model.OPEN)
def test_a_resend_needs_proof_that_the_rail_never_got_it(state: str) -> None:
    """Only `not_received` sends an instruction again."""
    resending = [verdict for verdict in VERDICTS if (found := model.on_answer(state, verdict)) and found.resend]
    assert resending == [NOT_RECEIVED]


@given(st.sampled_from(model.OPEN), st.lists(st.sampled_from(VERDICTS), max_size=12))
def test_whatever_the_rail_says_one_final_answer_is_given(state: str, verdicts: list[str]) -> None:
    """Late, twice, never, in any order: executed or rejected is announced once, and then stands."""
    said: list[Say] = []
    for verdict in verdicts:
        decision = model.on_answer(state, verdict)
        if decision is None:
            continue
        if state in FINAL:
            assert decision.state == state
        state = decision.state
        said += decision.says
    finals = [say for say in said if say in (Say.EXECUTED, Say.REJECTED)]
    assert len(finals) == (state in FINAL)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [(EXECUTED, REJECTED), (EXECUTED, NOT_RECEIVED), (REJECTED, EXECUTED), (REJECTED, RETURNED)],
)
def test_a_contradiction_is_shown_and_changes_nothing(state: str, verdict: str) -> None:
    """Nothing is booked by itself after a final answer."""
    assert model.on_answer(state, verdict) == model.Decision(state, (Say.CONTRADICTED,))


@pytest.mark.parametrize("state", model.OPEN)
def test_a_return_proves_the_execution_first(state: str) -> None:
    """Money that comes back had left."""
    assert model.on_answer(state, RETURNED) == model.Decision(EXECUTED, (Say.EXECUTED, Say.RETURNED))


def chase(state: str, after_seconds: float, asked: int, overdue_seconds: float = 0) -> model.Chase:
    """What a query's timer decides, so many seconds after the hand-over."""
    now = START + timedelta(seconds=after_seconds)
    due = now - timedelta(seconds=overdue_seconds)
    return model.chase(state, recorded_at=START, due=due, asked=asked, now=now, pace=PACE)


def test_doubt_begins_when_patience_ends() -> None:
    """After `doubt_after` without an answer a person must know, and the next queries come more slowly."""
    assert chase(model.SUBMITTED, 60, asked=6) == model.Chase(True, timedelta(seconds=20), 1)


def test_the_last_query_before_doubt_is_timed_so_that_doubt_is_punctual() -> None:
    """Doubt comes at `doubt_after`, not at the next multiple of the query's period."""
    assert chase(model.SUBMITTED, 55, asked=5) == model.Chase(False, timedelta(seconds=5), 6)


def test_after_a_downtime_the_rail_is_asked_before_there_is_doubt() -> None:
    """The rail may have answered while nobody listened."""
    assert not chase(model.SUBMITTED, 3_600, asked=3, overdue_seconds=3_000).doubt


def test_there_is_no_doubt_before_the_rail_was_asked() -> None:
    """A short patience still asks once."""
    impatient = Pace(timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=1))
    assert impatient.first == timedelta(milliseconds=500)
    assert not chase(model.SUBMITTED, 61, asked=0).doubt


@given(st.integers(0, 10**6))
def test_in_doubt_the_queries_slow_down_but_never_end(asked: int) -> None:
    """Late proof settles it, so the rail is asked for ever, once an hour at least."""
    found = chase(model.IN_DOUBT, 10**6, asked=asked)
    assert not found.doubt
    assert timedelta(seconds=10) <= found.pause <= timedelta(hours=1)


def test_doubt_remembers_whether_the_rail_was_reached() -> None:
    """What may still be on its way can't be settled as not executed."""
    assert model.in_doubt(model.RECORDED) == model.IN_DOUBT_UNSENT
    assert model.in_doubt(model.SUBMITTED) == model.IN_DOUBT


def test_a_person_can_settle_doubt_either_way() -> None:
    """Their evidence counts like the rail's."""
    assert model.settle("P1", model.IN_DOUBT, "", executed=True) == EXECUTED
    assert model.settle("P1", model.IN_DOUBT, "", executed=False) == REJECTED


def test_a_settlement_repeated_is_the_same_and_its_opposite_is_refused() -> None:
    """The first word stands."""
    assert model.settle("P1", EXECUTED, "client/1", executed=True) == EXECUTED
    with pytest.raises(model.NotInDoubt, match="was already settled as executed by client/1"):
        model.settle("P1", EXECUTED, "client/1", executed=False)


@pytest.mark.parametrize("state", [None, model.RECORDED, model.SUBMITTED, *FINAL])
def test_only_doubt_can_be_settled(state: str | None) -> None:
    """A person overrides no proof, and is told why."""
    with pytest.raises(model.NotInDoubt, match="payment P1 "):
        model.settle("P1", state, "", executed=True)


def test_what_may_still_reach_the_rail_cannot_be_settled_as_not_executed() -> None:
    """Otherwise the money would be given back, and then paid."""
    with pytest.raises(model.NotInDoubt, match="still be on its way"):
        model.settle("P1", model.IN_DOUBT_UNSENT, "", executed=False)
