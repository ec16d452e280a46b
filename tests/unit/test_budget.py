"""Retries within their budget, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.budget import Budget

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@given(st.floats(0.5, 500), st.lists(st.floats(0, 3), max_size=200))
def test_no_more_are_taken_than_the_rate_allows(rate: float, pauses: list[float]) -> None:
    """A second's worth at once, then the rate: never more, however the requests come."""
    budget, now, taken = Budget(rate), NOW, 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        after = budget.take(now)
        if after is not None:
            budget, taken = after, taken + 1
        assert taken <= max(1.0, rate) + rate * (now - NOW).total_seconds() + 1e-3


def test_an_empty_bucket_fills_again() -> None:
    """At its rate, and no fuller than it was."""
    budget = Budget(2)
    for _ in range(2):
        budget = budget.take(NOW) or budget
    assert (budget.room(NOW), budget.take(NOW)) == (0, None)
    assert budget.room(NOW + timedelta(seconds=0.5)) == 1
    assert budget.room(NOW + timedelta(hours=1)) == 2


def test_a_clock_that_is_set_back_fills_nothing() -> None:
    """And locks nobody out for longer than it takes to catch up at the rate."""
    budget = Budget(1).take(NOW)
    assert budget is not None
    earlier = NOW - timedelta(hours=1)
    assert budget.take(earlier) is None
    assert budget.at_moment(earlier).take(earlier + timedelta(seconds=1)) is not None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_those_that_are_put_off_stand_one_behind_the_other(chances: list[float]) -> None:
    """Spread by chance, so that what failed together doesn't come together again."""
    budget, dues = Budget(10), []
    for chance in chances:
        due, budget = budget.put_off(NOW, chance)
        dues.append(due)
    assert dues == sorted(dues)
    assert dues[0] > NOW
    assert dues[-1] - NOW <= timedelta(seconds=0.1251) * len(chances)


def test_the_queue_of_those_put_off_starts_anew_when_it_is_over() -> None:
    """An outage of last week delays nobody today."""
    _, budget = Budget(10).put_off(NOW, 0.5)
    later = NOW + timedelta(hours=1)
    due, _ = budget.put_off(later, 0.5)
    assert due == later + timedelta(seconds=0.1)
