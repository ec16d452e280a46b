"""Supervision decides the same way for processes and for actors, without knowing either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.runtime.supervision import GiveUp, Restart, RestartHistory, SupervisionSpec, after_failure

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHILDREN = ("gateway", "cell-0", "cell-1")


def seconds(number: float) -> timedelta:
    """A shorter word for a duration."""
    return timedelta(seconds=number)


def failures(spec: SupervisionSpec, *moments: float, name: str = "cell-0") -> tuple[RestartHistory, Restart | GiveUp]:
    """What is decided at the last of several failures, given in seconds after noon."""
    history = RestartHistory()
    decision: Restart | GiveUp = GiveUp(name, 0, spec.period)
    for moment in moments:
        history, decision = after_failure(spec, history, CHILDREN, name, NOON + seconds(moment))
    return history, decision


def test_the_first_failure_is_answered_at_once() -> None:
    """A crash in a thousand hours must not cost its payments even a backoff."""
    _, decision = failures(SupervisionSpec(), 0)
    assert decision == Restart(("cell-0",), seconds(0))


def test_each_further_failure_waits_longer_up_to_the_maximum() -> None:
    """A child that fails at once every time must not burn the machine."""
    spec = SupervisionSpec(intensity=9, initial_backoff=seconds(1), backoff_factor=3, maximum_backoff=seconds(5))
    delays = [failures(spec, *range(count))[1] for count in range(1, 6)]
    assert delays == [Restart(("cell-0",), seconds(number)) for number in (0, 1, 3, 5, 5)]


def test_more_failures_than_the_intensity_are_given_up() -> None:
    """What restarting has not mended it will not mend: somebody has to look."""
    _, decision = failures(SupervisionSpec(intensity=2, period=seconds(10)), 0, 1, 2)
    assert decision == GiveUp("cell-0", 3, seconds(10))


def test_failures_older_than_the_period_are_forgiven() -> None:
    """One crash a day is no reason to give up in the sixth day."""
    _, decision = failures(SupervisionSpec(intensity=2, period=seconds(10)), 0, 10, 20, 30)
    assert decision == Restart(("cell-0",), seconds(0))


def test_an_intensity_of_zero_gives_up_at_once() -> None:
    """Whoever wants no restarts at all can say so."""
    _, decision = failures(SupervisionSpec(intensity=0), 0)
    assert isinstance(decision, GiveUp)


def test_one_childs_failures_do_not_count_against_another() -> None:
    """A broken cell takes no other cell's restarts away."""
    spec = SupervisionSpec(intensity=1)
    history, _ = failures(spec, 0, name="cell-0")
    _, decision = after_failure(spec, history, CHILDREN, "cell-1", NOON)
    assert decision == Restart(("cell-1",), seconds(0))


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("one_for_one", ("cell-0",)),
        ("rest_for_one", ("cell-0", "cell-1")),
        ("one_for_all", ("gateway", "cell-0", "cell-1")),
    ],
)
def test_the_strategy_says_who_is_restarted_along(strategy: str, names: tuple[str, ...]) -> None:
    """The three words mean what they mean in OTP."""
    _, decision = failures(SupervisionSpec(strategy=strategy), 0)  # type: ignore[arg-type]  # parametrized
    assert decision == Restart(names, seconds(0))


def test_a_decision_leaves_the_history_it_was_made_from_alone() -> None:
    """The function is pure: the caller may ask twice and hear the same."""
    before = RestartHistory()
    after_failure(SupervisionSpec(), before, CHILDREN, "cell-0", NOON)
    assert before == RestartHistory()


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": -1},
        {"period": seconds(0)},
        {"backoff_factor": 0.5},
        {"initial_backoff": seconds(9)},
    ],
)
def test_a_spec_that_could_never_work_is_refused(wrong: dict[str, object]) -> None:
    """A wrong number is found when it is written, not in the night when something fails."""
    with pytest.raises(ValueError, match="supervision needs"):
        SupervisionSpec(**wrong)  # type: ignore[arg-type]  # parametrized
