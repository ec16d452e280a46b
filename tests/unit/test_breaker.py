"""How a circuit opens, asks, and comes back to speed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.breaker import CLOSED, HALF_OPEN, OPEN, RAMPING, Breaker, Ramp

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RAMP = Ramp(
    failures=3,
    first_pause=timedelta(seconds=1),
    longest_pause=timedelta(seconds=8),
    first_batch=2,
    full_batch=16,
    pause=timedelta(milliseconds=100),
)


def opened(at: datetime = NOW) -> Breaker:
    """A circuit that has just opened."""
    circuit = Breaker(RAMP)
    for _ in range(RAMP.failures):
        circuit = circuit.failed(at, 1.0)
    return circuit


def test_it_opens_after_some_failures_in_a_row_and_not_before() -> None:
    """One answer that got lost is no outage; a success between starts the count anew."""
    circuit = Breaker(RAMP).failed(NOW, 1.0).failed(NOW, 1.0)
    assert (circuit.state(NOW), circuit.room(NOW)) == (CLOSED, None)
    circuit = circuit.succeeded(NOW, 0.5, left=True).failed(NOW, 1.0)
    assert circuit.state(NOW) == CLOSED
    assert (opened().state(NOW), opened().room(NOW)) == (OPEN, 0)


def test_after_its_pause_a_small_batch_may_ask() -> None:
    """Half-open: whether it is back is found out with few tasks."""
    later = NOW + timedelta(seconds=1)
    assert (opened().state(later), opened().room(later)) == (HALF_OPEN, RAMP.first_batch)


def test_a_failed_question_opens_it_again_for_longer() -> None:
    """One failure is enough then, and the pauses double up to a maximum."""
    circuit, now, pauses = opened(), NOW, []
    for _ in range(5):
        assert circuit.next_at is not None
        pauses.append((circuit.next_at - now).total_seconds())
        now = circuit.next_at
        circuit = circuit.failed(now, 1.0)
    assert pauses == [1, 2, 4, 8, 8]


def test_speed_comes_back_in_doubling_batches_with_pauses_between() -> None:
    """Ten thousand tasks that have gathered don't fall upon what has just got up."""
    circuit, now, batches = opened(), NOW + timedelta(seconds=1), []
    while (room := circuit.room(now)) is not None:
        batches.append(room)
        circuit = circuit.succeeded(now, 0.5, left=True)
        assert circuit.state(now) in (RAMPING, CLOSED)
        assert circuit.room(now) in (0, None)
        now = circuit.next_at or now
    assert batches == [2, 4, 8, 16]
    assert circuit.state(now) == CLOSED


def test_where_nothing_has_gathered_there_is_nothing_to_ramp() -> None:
    """A short break that nobody noticed leaves no trace."""
    assert opened().succeeded(NOW + timedelta(seconds=1), 0.5, left=False) == Breaker(RAMP)


def test_a_failure_on_the_way_up_opens_it_at_once() -> None:
    """It was too much for it: the next questions are small again."""
    circuit = opened().succeeded(NOW + timedelta(seconds=1), 0.5, left=True).failed(NOW + timedelta(seconds=2), 1.0)
    assert circuit.state(NOW + timedelta(seconds=2)) == OPEN
    assert circuit.batch == RAMP.first_batch


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1), st.floats(0, 20)), max_size=80))
def test_whatever_happens_it_is_never_stuck(story: list[tuple[bool, bool, float, float]]) -> None:
    """A circuit that stayed open for good would lose what waits behind it."""
    circuit, now = Breaker(RAMP), NOW
    for fails, left, chance, passed in story:
        if circuit.room(now) != 0:
            circuit = circuit.failed(now, chance) if fails else circuit.succeeded(now, chance, left=left)
        if circuit.next_at is not None:
            assert circuit.next_at - now <= RAMP.longest_pause
        now += timedelta(seconds=passed)
    assert circuit.room(now + RAMP.longest_pause) != 0
