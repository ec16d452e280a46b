"""Whose word counts about where a process is."""

from __future__ import annotations

from actors.runtime.control import Frame, Peers
from actors.runtime.neighbours import Neighbours


def frame(incarnation: int) -> Frame:
    """A frame of the gateway's."""
    return Frame("gateway", b"", "cell-0", incarnation)


def test_a_replacement_is_answered_though_the_supervisor_has_not_spoken_yet() -> None:
    """An answer to the dead one's address would be lost, and its client would wait in vain."""
    neighbours = Neighbours()
    neighbours.told(Peers({"gateway": "old"}, {"gateway": 1}))
    neighbours.heard(frame(2), "new")
    assert neighbours.address("gateway") == "new"


def test_what_the_supervisor_said_before_it_knew_of_the_replacement_changes_nothing() -> None:
    """Its word and the frame come on different ways."""
    neighbours = Neighbours()
    neighbours.heard(frame(2), "new")
    neighbours.told(Peers({"cell-1": "there"}, {"gateway": 1, "cell-1": 1}))
    assert neighbours.address("gateway") == "new"
    assert neighbours.address("cell-1") == "there"


def test_a_late_frame_of_a_dead_process_misleads_nobody() -> None:
    """It may have been on its way when its sender died."""
    neighbours = Neighbours()
    neighbours.told(Peers({"gateway": "new"}, {"gateway": 2}))
    neighbours.heard(frame(1), "old")
    assert neighbours.address("gateway") == "new"


def test_a_process_that_has_ended_is_nowhere() -> None:
    """Nothing is sent to a port that somebody else may have by now."""
    neighbours = Neighbours()
    neighbours.told(Peers({"gateway": "here"}, {"gateway": 1}))
    neighbours.told(Peers({}, {"gateway": 1}))
    assert neighbours.address("gateway") is None
    assert neighbours.address("cell-9") is None


def test_a_sender_that_names_no_incarnation_is_known_by_the_supervisors_word_alone() -> None:
    """Nothing tells which of two such is the newer one."""
    neighbours = Neighbours()
    neighbours.told(Peers({"gateway": "one"}))
    neighbours.heard(frame(0), "two")
    assert neighbours.address("gateway") == "one"
    neighbours.told(Peers({"gateway": "two"}))
    assert neighbours.address("gateway") == "two"
