"""When new work is refused at a cell's entrance, and how soon it may come again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.gateway.door import LONGEST_RETRY_MS, SHORTEST_RETRY_MS, Door


def test_a_burst_closes_nothing() -> None:
    """A long queue that is gone within the interval harmed nobody."""
    door = Door(target=1, interval=2).passed(0, 5).passed(1.9, 1.2)
    assert not door.closed
    door = door.passed(1.95, 0.9).passed(2.5, 5)
    assert not door.closed


def test_a_queue_that_stays_long_closes_the_door() -> None:
    """What waits longer than it may, for longer than a burst takes, can't be done."""
    door = Door(target=1, interval=2).passed(0, 1.1).passed(1, 1.5).passed(2, 2)
    assert door.closed


def test_it_opens_when_what_comes_out_has_waited_no_longer_than_it_may() -> None:
    """Or when nothing waits."""
    closed = Door(target=1, interval=2, closed=True, late_since=0)
    assert closed.passed(5, 1.01).closed
    assert not closed.passed(5, 1).closed
    assert not closed.passed(5, 0).closed


def test_it_closes_at_once_when_it_has_just_been_opened() -> None:
    """The load is still the same: the queue stays about as long as it may be."""
    opened = Door(target=1, interval=2, closed=True, late_since=0).passed(5, 0.9)
    assert opened.passed(5.5, 1.1).closed
    assert not opened.passed(60, 1.1).closed


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 60)), max_size=50))
def test_it_is_never_closed_for_good(story: list[tuple[float, float]]) -> None:
    """One envelope that has not waited is enough."""
    door, now = Door(), 0.0
    for passed, waited in story:
        now += passed
        door = door.passed(now, waited)
    assert not door.passed(now + 1, 0).closed


def test_whoever_is_refused_hears_when_the_queue_will_have_come_down() -> None:
    """By the rate that was measured: neither at once, all together, nor so late that the cell has nothing to do."""
    door = Door(target=2).handled(1_000, 1)
    assert door.retry_after_ms(3_000) == 1_000
    assert door.retry_after_ms(10) == SHORTEST_RETRY_MS
    assert door.retry_after_ms(1_000_000) == LONGEST_RETRY_MS
    assert Door(target=2).retry_after_ms(3_000) == 2_000


def test_the_rate_follows_what_is_measured() -> None:
    """Smoothly: one slow frame is no slow cell."""
    door = Door().handled(100, 0.1).handled(100, 1)
    assert 600 < door.rate < 1_000
    for _ in range(30):
        door = door.handled(100, 1)
    assert 99 < door.rate < 101


def test_what_can_not_be_done_in_twice_the_time_needs_no_interval() -> None:
    """Where the rate is known, the queue's end is known before anybody has waited."""
    door = Door(target=1).handled(1_000, 1)
    assert door.hopeless(2_001)
    assert not door.hopeless(2_000)
    assert not Door(target=1).hopeless(1_000_000)
