"""A cell that looks for a message which ended the process: it goes on answering, and says what it found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.frames import unpack_frame
from actors.runtime.inputs import Inputs
from actors.runtime.rounds import CAUTION_AT_A_TIME, _alternating
from actors.runtime.service import Answer
from actors.runtime.suspects import FORGIVEN_AFTER
from tests.fakes.bank import JumpingClock
from tests.fakes.doers import Do, DoersCell, World

A_LONG_TURN = CAUTION_AT_A_TIME * 0.6


class Died(BaseException):
    """The process ends."""


def die(me: Any, turn: Any) -> None:
    raise Died


@pytest.fixture
def clock() -> JumpingClock:
    """Moved by the test alone, but for what it takes to run."""
    return JumpingClock()


@pytest.fixture
def cell(tmp_path: Path, clock: JumpingClock) -> Iterator[DoersCell]:
    """A cell in which three deaths are enough."""
    one = DoersCell(tmp_path, clock=clock, suspect_limit=1)
    yield one
    one.close()


def dies_of(cell: DoersCell, what: str) -> None:
    """One message comes, the process ends on it and is replaced."""
    cell.post("doer", Do(what=what), message_id=f"id-of-{what}")
    with pytest.raises(Died):
        cell.idle()
    cell.crash()


def suspects(cell: DoersCell) -> dict[str, int]:
    """Whose deaths are held against whom."""
    return dict(cell.ask("SELECT message_id, deaths FROM suspects"))


def test_caution_is_interrupted_so_that_a_heartbeat_is_answered(cell: DoersCell, clock: JumpingClock) -> None:
    """A slow disk made a careful cell look like one that hangs, and the message in hand was blamed for it."""
    World.acts = {"deadly": die, **dict.fromkeys("abcd", lambda me, turn: clock.jump(A_LONG_TURN))}
    dies_of(cell, "deadly")
    cell.post_many([("doer", Do(what=what)) for what in "abcd"])
    acknowledged, noted = [], []
    for _ in range(2):
        acknowledged += [unpack_frame(payload).acknowledged for _, payload in cell.core.run()]
        noted.append(cell.notes())
    assert noted == [["a", "b"], ["a", "b", "c", "d"]]
    assert [number for number in acknowledged if number] == [2]  # when all of its messages have been run
    assert acknowledged[-1] == 2


def test_the_successor_says_what_the_process_ended_on(cell: DoersCell) -> None:
    """Only where it was run alone: of a turn of many nobody knows."""
    World.acts = {"deadly": die}
    assert cell.core.blamed() == ""
    dies_of(cell, "deadly")
    assert cell.core.blamed() == ""
    dies_of(cell, "deadly")
    assert cell.core.blamed() == "doer/id-of-deadly"
    cell.post("doer", Do(what="deadly"), message_id="id-of-deadly")
    cell.idle()
    assert cell.letters() == [("doer", "Do")]


def test_a_death_that_was_never_repeated_is_forgiven_after_a_long_life(cell: DoersCell, clock: JumpingClock) -> None:
    """Otherwise a drill of last month and one of today would condemn an innocent message together."""
    World.acts = {"deadly": die}
    dies_of(cell, "deadly")
    dies_of(cell, "deadly")
    assert suspects(cell) == {"doer/id-of-deadly": 1}
    cell.core._marker.cautious = 0
    cell.tell("doer", Do(what="soon"))
    assert suspects(cell) == {"doer/id-of-deadly": 1}
    clock.jump(FORGIVEN_AFTER + timedelta(seconds=1))
    cell.tell("doer", Do(what="later"))
    assert suspects(cell) == {}


def test_a_careful_cell_sends_its_answers_together(cell: DoersCell) -> None:
    """A frame for each of them filled the transport's queue, and a cell that only waited for it was taken for hung."""
    World.acts = {"deadly": die}
    dies_of(cell, "deadly")
    cell.post_many([("doer", Do(what=f"harmless {at}")) for at in range(20)])
    frames = []
    while len(cell.notes()) < 20:
        frames.append(cell.core.run())
    assert all(len(each) <= 1 for each in frames)
    answers = [fields for each in frames for _, payload in each for fields in unpack_frame(payload).envelopes]
    assert len(answers) == 20


def test_what_clients_send_waits_for_no_more_than_as_much_from_elsewhere() -> None:
    """A bank's hundred answers, each a turn, kept a client waiting until it gave up."""
    answer = [Inputs(answers=[("maker", Answer("doer", "", (), at))]) for at in range(4)]
    order = [Inputs(envelopes=[Envelope(f"m{at}", Do(what="x"), COMMAND, "client/1/1", "doer")]) for at in range(2)]
    assert _alternating([*answer, *order]) == [answer[0], order[0], answer[1], order[1], answer[2], answer[3]]
    assert _alternating(order) == order
    assert _alternating([]) == []
