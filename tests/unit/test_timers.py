"""Durable timers: what is set is delivered once, what is cancelled is not, whatever becomes of a turn."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from actors.messaging.envelope import TIMER, Envelope
from actors.runtime.timers import Timers
from actors.store.sqlite import SqliteSession
from tests.fakes.runtime_tables import NOW, Remind, runtime_store

SECOND = timedelta(seconds=1)


@pytest.fixture
def session() -> SqliteSession:
    return runtime_store()


@pytest.fixture
def timers(session: SqliteSession) -> Timers:
    return Timers(session)


def set_timer(timers: Timers, key: str, due: datetime | None, *, owner: str = "me") -> None:
    timers.change(owner, key, due, Envelope("", Remind(text=key), TIMER, owner, owner))


def fired(timers: Timers, now: datetime, limit: int = 100) -> list[str]:
    return [envelope.message.text for envelope in timers.take_due(now, limit)]  # type: ignore[attr-defined]


def test_timers_fire_once_in_the_order_in_which_they_are_due(timers: Timers) -> None:
    """And not before."""
    for key, seconds in (("late", 9), ("second", 2), ("first", 1)):
        set_timer(timers, key, NOW + SECOND * seconds)
    timers.write()
    assert timers.next_due == NOW + SECOND
    assert fired(timers, NOW) == []
    assert fired(timers, NOW + SECOND * 2) == ["first", "second"]
    assert fired(timers, NOW + SECOND * 2) == []
    assert timers.next_due == NOW + SECOND * 9


def test_a_later_timer_of_the_same_key_replaces_the_earlier(timers: Timers) -> None:
    """Within a turn and across turns; another owner's key is another timer."""
    set_timer(timers, "step", NOW)
    set_timer(timers, "step", NOW + SECOND)
    timers.write()
    set_timer(timers, "step", NOW + SECOND * 2)
    set_timer(timers, "step", NOW, owner="you")
    timers.write()
    assert [envelope.target for envelope in timers.take_due(NOW + SECOND, 9)] == ["you"]
    assert [envelope.target for envelope in timers.take_due(NOW + SECOND * 2, 9)] == ["me"]


def test_a_cancelled_timer_does_not_fire(timers: Timers) -> None:
    """Whether it was stored or set in the same turn; cancelling what is not there is harmless."""
    set_timer(timers, "stored", NOW)
    timers.write()
    set_timer(timers, "new", NOW)
    for key in ("stored", "new", "never"):
        set_timer(timers, key, None)
    timers.write()
    assert timers.next_due is None
    assert fired(timers, NOW) == []


def test_a_timer_that_fires_may_be_set_again_under_its_key_in_the_same_turn(timers: Timers) -> None:
    """A sweep sets itself anew."""
    set_timer(timers, "sweep", NOW)
    timers.write()
    assert fired(timers, NOW) == ["sweep"]
    set_timer(timers, "sweep", NOW + SECOND)
    timers.write()
    assert timers.next_due == NOW + SECOND


def test_timers_taken_in_an_abandoned_turn_fire_in_the_next(timers: Timers, session: SqliteSession) -> None:
    """And those that it set never were."""
    set_timer(timers, "old", NOW)
    timers.write()
    session.commit()
    session.begin()
    assert fired(timers, NOW) == ["old"]
    set_timer(timers, "new", NOW)
    session.roll_back()
    timers.forget()
    session.begin()
    timers.look()
    timers.write()
    assert fired(timers, NOW) == ["old"]


def test_no_more_fire_in_a_turn_than_it_may_take(timers: Timers) -> None:
    """The others follow at once."""
    for at in range(5):
        set_timer(timers, str(at), NOW + SECOND * at)
    timers.write()
    assert fired(timers, NOW + SECOND * 9, 3) == ["0", "1", "2"]
    assert timers.next_due is not None
    assert timers.next_due < NOW + SECOND * 9
    assert fired(timers, NOW + SECOND * 9, 3) == ["3", "4"]


def test_each_firing_has_an_id_of_its_own_that_a_restart_repeats(timers: Timers) -> None:
    """So that the log can name it as a cause."""
    set_timer(timers, "step", NOW)
    timers.write()
    (first,) = timers.take_due(NOW, 9)
    set_timer(timers, "step", NOW + SECOND)
    timers.write()
    (second,) = timers.take_due(NOW + SECOND, 9)
    assert first.message_id.startswith("timer/me/step/")
    assert first.message_id != second.message_id


def test_timers_taken_by_name_leave_the_others(timers: Timers) -> None:
    """One a turn, when one of them may be what ends the process."""
    set_timer(timers, "a", NOW)
    set_timer(timers, "b", NOW)
    timers.write()
    assert timers.due(NOW, 9) == [("me", "a"), ("me", "b")]
    assert [envelope.message for envelope in timers.take([("me", "b"), ("me", "gone")])] == [Remind(text="b")]
    assert fired(timers, NOW) == ["a"]


def test_downtime_prolongs_only_timers_that_wait_for_somebody_else(
    timers: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step's timeout is, a day of the calendar is not."""
    set_timer(timers, "calendar", NOW)
    timers.write()
    monkeypatch.setattr(Remind, "prolonged", True)
    set_timer(timers, "step", NOW)
    timers.write()
    timers.prolong(timedelta(hours=1))
    assert fired(timers, NOW) == ["calendar"]
    assert timers.next_due == NOW + timedelta(hours=1)


def test_none_fires_while_they_are_held_whatever_else_a_turn_does(timers: Timers) -> None:
    """After a start links and rail queries go first; a turn that sets a timer doesn't end that."""
    set_timer(timers, "overdue", NOW - SECOND)
    timers.write()
    timers.hold_until(NOW + SECOND)
    assert timers.next_due == NOW + SECOND
    set_timer(timers, "another", NOW)
    timers.write()
    assert fired(timers, NOW) == []
    assert fired(timers, NOW + SECOND) == ["overdue", "another"]
