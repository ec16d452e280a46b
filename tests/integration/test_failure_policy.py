"""What one bad message may do to others, how fast what failed comes back, and when new work is told `busy`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from actors.messaging.system_messages import Busy, DeadLettersDone, RetryDeadLetters
from tests.fakes.bank import JumpingClock
from tests.fakes.doers import Begin, Do, DoersCell, Okay, World, raising

OFTEN = 1_000_000


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Handlers that fail on purpose would fill the screen, and slowly."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[DoersCell]:
    """Retries once, soon."""
    one = DoersCell(tmp_path)
    yield one
    one.close()


def test_a_poison_message_stops_nobody_else(cell: DoersCell) -> None:
    """Neither other payments at the same actor, nor messages of no payment, nor its successors for good."""
    World.acts = {"poison": raising(OFTEN)}
    cell.post("doer", Do(what="poison"), payment_id="P1-00")
    cell.post("doer", Do(what="behind it"), payment_id="P1-00")
    for number in range(20):
        cell.post("doer", Do(what=f"other {number}"), payment_id=f"P2{number}-00")
        cell.post("doer", Do(what=f"plain {number}"))
    cell.run()
    assert sorted(cell.notes()) == sorted(f"{kind} {number}" for kind in ("other", "plain") for number in range(20))
    cell.until(lambda: len(cell.letters()) == 1)
    cell.until(lambda: "behind it" in cell.notes())
    assert cell.letters() == [("doer", "Do")]


def test_many_poison_messages_stop_nobody_either(cell: DoersCell) -> None:
    """Their retries don't take the place of others' first tries."""
    World.acts = {"poison": raising(OFTEN)}
    for number in range(300):
        cell.post("doer", Do(what="poison"), payment_id=f"P{number}-00")
    cell.run()
    assert cell.tell("doer", Do(what="good")) == Okay(what="good")


def test_what_failed_together_comes_back_at_the_rate_that_is_allowed(tmp_path: Path) -> None:
    """Whatever stood behind the failure is not asked by all of them at once; each gets there."""
    clock = JumpingClock()
    cell = DoersCell(tmp_path, clock=clock, retry_rate=20, delayed_retries=9)
    try:
        World.acts = {"a": raising(OFTEN)}
        for number in range(100):
            cell.post("doer", Do(what="a"), payment_id=f"P{number}-00")
        cell.run()
        assert cell.core.report()["parked"] == 100
        World.acts = {}
        began, done = clock.now(), 0
        while cell.core._retries.next_due is not None:
            clock.jump(max(timedelta(), cell.core._retries.next_due - clock.now()))
            cell.core._ring()
            cell.run()
            done = len(cell.notes())
            assert done <= 20 + 20 * (clock.now() - began).total_seconds() + 1
        assert done == 100
        assert cell.letters() == []
        assert cell.core.report()["retries_put_off"] > 0
    finally:
        cell.close()


def test_a_group_of_dead_letters_comes_back_by_its_cause_and_the_rest_stays(cell: DoersCell) -> None:
    """One defect is mended: its letters go, in their order, and no other's."""
    World.acts = {"a": raising(OFTEN), "b": raising(OFTEN)}

    def other(me: object, turn: object) -> None:
        raise KeyError("P7-00")

    World.acts["b"] = other
    for number in range(5):
        cell.post("doer", Do(what="a"), payment_id=f"P1{number}-00")
        cell.post("doer", Do(what="b"), payment_id=f"P2{number}-00")
    cell.until(lambda: len(cell.letters()) == 10)
    World.acts.pop("b")
    answer = cell.tell("dead-letters", RetryDeadLetters(cause="Do at doer: KeyError: …"))
    assert answer == DeadLettersDone(count=5)
    cell.until(lambda: cell.notes() == ["b"] * 5)
    assert len(cell.letters()) == 5


def test_what_is_retried_in_vain_is_a_dead_letter_again(cell: DoersCell) -> None:
    """Nothing is lost by trying; the others of its payment don't wait for a further try."""
    World.acts = {"a": raising(OFTEN)}
    cell.post("doer", Do(what="a"), payment_id="P1-00")
    cell.until(lambda: len(cell.letters()) == 1)
    first = cell.ask("SELECT id FROM dead_letters")
    assert cell.tell("dead-letters", RetryDeadLetters()) == DeadLettersDone(count=1)
    cell.until(lambda: len(cell.letters()) == 1 and cell.ask("SELECT id FROM dead_letters") != first)
    cell.idle()
    assert cell.core.report()["parked"] == 0


def test_a_letter_on_its_way_back_survives_a_crash(cell: DoersCell) -> None:
    """It is in one of the tables at every commit."""
    World.acts = {"a": raising(OFTEN)}
    for number in range(200):
        cell.post("doer", Do(what="a"), payment_id=f"P{number}-00")
    cell.until(lambda: len(cell.letters()) == 200, 30)
    World.acts = {}
    cell.tell("dead-letters", RetryDeadLetters())
    cell.crash()
    cell.until(lambda: len(cell.notes()) == 200, 30)
    assert cell.letters() == []


def test_a_cell_with_too_much_to_do_takes_no_new_work_and_says_when_to_come_again(tmp_path: Path) -> None:
    """Before anything is done for it; whatever isn't new work goes on, and so does all of it once there is room."""
    cell = DoersCell(tmp_path, delayed_retries=9, retry_initial_seconds=60, retry_maximum_seconds=60)
    cell.settings = cell.settings.model_copy(
        update={"overload": cell.settings.overload.model_copy(update={"backlog": 3})}
    )
    cell.crash()
    try:
        World.acts = {"a": raising(OFTEN)}
        for number in range(4):
            cell.post("doer", Do(what="a"), payment_id=f"P{number}-00")
        cell.run()
        busy = cell.tell("doer", Begin(what="new"))
        assert isinstance(busy, Busy)
        assert busy.retry_after_ms > 0
        assert busy.reason == "4 conversations wait for another try in cell-0"
        assert cell.tell("doer", Do(what="old")) == Okay(what="old")
        assert (cell.core.report()["busy_answers"], cell.notes()) == (1, ["old"])
        World.acts = {}
        cell.core._session.begin()
        cell.core._session.write("UPDATE parked SET due = 0", ())
        cell.core._retries.look()
        cell.core._session.commit()
        cell.core._ring()
        cell.until(lambda: len(cell.notes()) == 5)
        assert cell.tell("doer", Begin(what="new")) == Okay(what="new")
    finally:
        cell.close()


def test_a_frame_that_a_peer_sends_again_before_it_was_taken_is_kept_once(cell: DoersCell) -> None:
    """A cell in a long turn is sent the same frame every second: its memory doesn't grow by that."""
    cell.post("doer", Do(what="a"))
    (frame,) = cell.core._arrivals._frames
    for _ in range(10):
        cell.core._arrivals.take(*frame)
    assert len(cell.core._arrivals._frames) == 1
    cell.run()
    assert cell.notes() == ["a"]
