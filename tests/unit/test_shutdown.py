"""The orderly end of children, as a script over seconds: no process is needed to see its order."""

from __future__ import annotations

import pytest

from actors.runtime.child import Child, Phase
from actors.runtime.shutdown import LEAVE_PERIOD_S, Shutdown

PATIENCE_S = 10.0
NO_DESCRIPTOR = -1


class ScriptedChild(Child):
    """One that is ready, is no real process, and tells the script what is done to it."""

    def __init__(self, name: str, script: Script) -> None:
        super().__init__(name, None, phase="ready", pidfd=NO_DESCRIPTOR, since=script.now)
        self.script = script

    def enter(self, phase: Phase) -> None:
        """By the script's clock."""
        self.phase, self.since = phase, self.script.now

    def kill(self) -> None:
        """The script hears of it."""
        self.script.killed.append(self.name)


class Script:
    """Three children; `killed` and `asked` say what was done to whom, in order."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[str] = []
        self.killed: list[str] = []
        self.children = {name: ScriptedChild(name, self) for name in ("gateway", "ledger", "aml")}

    def shutdown(self) -> Shutdown:
        """It begins."""
        return Shutdown(list(self.children.values()), PATIENCE_S, lambda child: self.asked.append(child.name))

    def leaves(self, name: str) -> None:
        """A process has ended."""
        self.children[name].pidfd = None
        self.children[name].enter("stopped")


@pytest.fixture
def script() -> Script:
    """The children before anything is asked of them."""
    return Script()


def test_children_stop_one_after_another_in_reverse_order(script: Script) -> None:
    """Whoever is stopped finds those it was started after still there."""
    shutdown = script.shutdown()
    for last in ("aml", "ledger", "gateway"):
        assert not shutdown.go_on(script.now)
        assert script.asked[-1] == last
        script.leaves(last)
    assert shutdown.go_on(script.now)
    assert script.asked == ["aml", "ledger", "gateway"]
    assert script.killed == []


def test_one_that_hangs_is_killed_in_its_own_time_and_the_others_get_theirs(script: Script) -> None:
    """A cell in an endless loop must not cost the ledger its orderly close."""
    shutdown = script.shutdown()
    shutdown.go_on(script.now)
    script.now += PATIENCE_S + 0.1
    shutdown.go_on(script.now)
    assert script.killed == ["aml"]
    script.leaves("aml")
    shutdown.go_on(script.now)
    script.now += PATIENCE_S - 0.1
    shutdown.go_on(script.now)
    assert (script.asked, script.killed) == (["aml", "ledger"], ["aml"])


def test_one_that_has_closed_but_does_not_leave_is_helped(script: Script) -> None:
    """Its store is closed: nothing is gained by waiting."""
    shutdown = script.shutdown()
    shutdown.go_on(script.now)
    script.children["aml"].enter("stopped")
    script.now += LEAVE_PERIOD_S + 0.1
    shutdown.go_on(script.now)
    assert script.killed == ["aml"]


def test_one_that_is_not_ready_is_ended_at_once(script: Script) -> None:
    """It has nothing open that its next start would not recover."""
    script.children["ledger"].phase = "starting"
    script.shutdown()
    assert (script.killed, script.asked) == (["ledger"], [])


def test_a_child_that_is_down_is_not_waited_for(script: Script) -> None:
    """What has been given up holds nobody up."""
    script.children["ledger"].phase, script.children["ledger"].pidfd = "given_up", None
    shutdown = script.shutdown()
    for last in ("aml", "gateway"):
        shutdown.go_on(script.now)
        script.leaves(last)
    assert shutdown.go_on(script.now)
