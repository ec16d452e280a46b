"""When a cell takes on no new work, by what it has stored and can't get done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.runtime.admission import FEW, Admission, Backlog

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def under(rate: float, *, length: int, seconds: int = 10) -> Admission:
    """What is decided after so long with a queue of this length that drains at `rate` a second."""
    admission = Admission(10 * SECOND, 50_000)
    for at in range(seconds + 1):
        admission = admission.look(NOW + SECOND * at, {"tasks": Backlog(length, round(rate * at))})
    return admission


def test_what_drains_soon_enough_is_no_reason() -> None:
    """Twenty thousand tasks are nothing where five thousand are done in a second."""
    assert under(5_000, length=20_000).reason == ""


def test_what_can_not_be_done_within_the_bound_closes_the_intake() -> None:
    """The same twenty thousand are too many where a thousand are done: the last would wait twenty seconds."""
    admission = under(1_000, length=20_000)
    assert admission.reason == "20,000 tasks"
    assert admission.retry_after_ms == 5_000


@pytest.mark.parametrize("rate", [0.1, 10, 1e6])
def test_few_tasks_are_never_too_many(rate: float) -> None:
    """The rate of an idle worker says nothing: a burst after a quiet night is let in."""
    assert under(rate, length=FEW - 1).reason == ""


def test_a_queue_whose_rate_is_not_known_is_bounded_by_its_length() -> None:
    """A rail that is away is no overload: orders are taken, up to the bound on what is stored."""
    admission = Admission(10 * SECOND, 50_000)
    assert admission.look(NOW, {"tasks": Backlog(50_000)}).reason == ""
    closed = admission.look(NOW, {"tasks": Backlog(50_001)})
    assert closed.reason == "50,001 tasks"
    assert closed.retry_after_ms > 0


def test_once_closed_it_opens_well_below_the_bound() -> None:
    """Or it would open and close with every task."""
    closed = Admission(10 * SECOND, 50_000).look(NOW, {"tasks": Backlog(50_001)})
    assert closed.look(NOW, {"tasks": Backlog(45_000)}).reason
    assert not closed.look(NOW, {"tasks": Backlog(37_000)}).reason


def test_the_worst_of_several_backlogs_decides() -> None:
    """Its name is the reason that is told."""
    admission = Admission(10 * SECOND, 100)
    assert admission.look(NOW, {"a": Backlog(5), "b": Backlog(101)}).reason == "101 b"


def test_a_clock_that_is_set_back_measures_nothing() -> None:
    """No rate is made of a negative time."""
    admission = Admission(10 * SECOND, 50_000)
    for at in (0, 5, -3_600, -3_599):
        admission = admission.look(NOW + SECOND * at, {"tasks": Backlog(10_000, 100)})
    assert all(drain.rate >= 0 for drain in admission.drains.values())
