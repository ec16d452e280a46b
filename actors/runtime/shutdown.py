"""The orderly end of a supervisor's children: one after another, the last started first. Knows no actor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from actors.runtime.child import Child

LEAVE_PERIOD_S: Final = 0.5  # for a process that has closed its store to end by itself


class Shutdown:
    """Asks each child to stop once those started after it are gone; who doesn't within `patience_s` is killed.

    So whoever is stopped finds all those that it was started for still there, and the gateway, which is started
    first, hands out the last answers of all cells. A child that isn't ready has nothing open that its next start
    would not recover: it is killed at once.
    """

    def __init__(self, children: Sequence[Child], patience_s: float, ask: Callable[[Child], None]) -> None:
        self._left = list(reversed(children))
        self._patience_s = patience_s
        self._ask = ask
        for child in self._left:
            if child.phase != "ready":
                child.kill()
                child.enter("stopped")

    def go_on(self, now: float) -> bool:
        """Do what is due at `now`, in monotonic seconds; whether all of them are gone."""
        for child in self._left:
            if child.phase == "ready" and child.pidfd is not None:
                child.enter("stopping")
                self._ask(child)
            if child.pidfd is not None:
                patience_s = LEAVE_PERIOD_S if child.phase == "stopped" else self._patience_s
                if now - child.since > patience_s:
                    child.kill()
                return False
        return True
