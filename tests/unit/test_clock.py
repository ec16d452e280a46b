"""Time and chance: ids that are never given twice, a clock that never goes back."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.clock import Ids, SystemClock

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def test_ids_of_one_moment_differ_and_are_in_order() -> None:
    """A turn has one moment and gives out hundreds of ids; more than the counter holds in a millisecond, too."""
    ids = Ids(0, Random(1))
    given_out = [ids.new_id("P", 7, NOW) for _ in range(70_000)]
    assert len(set(given_out)) == len(given_out)
    assert given_out == sorted(given_out)


@given(st.lists(MOMENTS, max_size=30))
def test_ids_are_unique_and_in_order_whatever_the_clock_does(moments: list[datetime]) -> None:
    """A clock that is set back may repeat a moment, never an id."""
    ids = Ids(0, Random(1))
    given_out = [ids.new_id("P", 0, moment) for moment in moments for _ in range(3)]
    assert given_out == sorted(set(given_out))


def test_a_restart_with_the_clock_set_back_repeats_no_id() -> None:
    """The last sign of life is what the ids go on from."""
    before = Ids(0, Random(1), NOW).new_id("P", 0, NOW)
    after = Ids(0, Random(1), NOW + timedelta(milliseconds=1)).new_id("P", 0, NOW - timedelta(days=1))
    assert before < after


def test_two_cells_never_give_out_the_same_id() -> None:
    """The cell's number is in it."""
    first, second = (Ids(cell, Random(1)).new_id("P", 0, NOW) for cell in (0, 1))
    assert first != second


@given(st.integers(0, 255))
def test_an_id_ends_in_its_slot(slot: int) -> None:
    """Whoever has the id knows the partition."""
    assert int(Ids(0, Random(1)).new_id("P", slot, NOW).rpartition("-")[2], 16) == slot


@given(st.integers())
def test_a_uuid_is_of_version_4(seed: int) -> None:
    """RFC 9562 fixes six of its bits."""
    text = Ids(0, Random(seed)).new_uuid()
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text)
    assert uuid.UUID(text).version == 4
    assert uuid.UUID(text).variant == uuid.RFC_4122


def test_uuids_come_from_the_runtimes_own_source_of_chance() -> None:
    """The same seed gives the same run."""
    first, second = (Ids(0, Random(5)) for _ in range(2))
    assert [first.new_uuid() for _ in range(3)] == [second.new_uuid() for _ in range(3)]


def test_the_clock_starts_no_earlier_than_it_ended() -> None:
    """A machine whose clock was set back meanwhile goes on from the last commit."""
    assert SystemClock(not_before=NOW + timedelta(days=40_000)).now() >= NOW + timedelta(days=40_000)


def test_the_clock_never_goes_back() -> None:
    """Deadlines are measured with it."""
    clock = SystemClock()
    moments = [clock.now() for _ in range(1_000)]
    assert moments == sorted(moments)


@given(MOMENTS)
def test_after_a_moment_was_seen_it_is_later_than_that(seen: datetime) -> None:
    """What a cell does with another's message comes after it, however far their clocks are apart."""
    clock = SystemClock()
    before = clock.now()
    clock.witness(seen)
    assert clock.now() > seen
    assert clock.now() >= before


def test_a_moment_in_the_past_moves_no_clock() -> None:
    """Nor does a frame without a moment."""
    clock = SystemClock()
    clock.witness(datetime(1970, 1, 1, tzinfo=UTC))
    assert clock.now() - datetime.now(UTC) < timedelta(minutes=1)
