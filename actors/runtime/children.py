"""The children of one supervisor: who they are, and what is decided of one that has ended. Knows no actor.

Decides nothing itself: `supervision.after_exit` does; here it takes effect on processes.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from actors.runtime.child import Child
from actors.runtime.supervision import (
    ChildSpec,
    Decision,
    Escalate,
    GiveUp,
    LeaveDown,
    Restart,
    RestartHistory,
    SupervisionSpec,
    after_exit,
)

log = logging.getLogger(__name__)


class Children(Mapping[str, Child]):
    """By name, in the order of their start."""

    def __init__(self, spec: SupervisionSpec, children: Iterable[Child]) -> None:
        self._spec = spec
        self._history = RestartHistory()
        self._by_name = {child.name: child for child in children}

    def __getitem__(self, name: str) -> Child:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def are_ready(self) -> bool:
        """Whether all of them serve."""
        return all(child.phase == "ready" for child in self.values())

    def down(self) -> tuple[str, ...]:
        """Those that are down for good."""
        return tuple(child.name for child in self.values() if child.phase in {"given_up", "down"})

    def addresses(self) -> dict[str, Any]:
        """Where those are that serve."""
        return {child.name: child.address for child in self.values() if child.phase == "ready"}

    def incarnations(self) -> dict[str, int]:
        """The newest of each that is or was ready."""
        # One that is starting counts as the one before it: what has no address then is known to have ended.
        return {child.name: child.incarnation - (child.phase == "starting") for child in self.values()}

    def blame(self, child: Child, message: str) -> None:
        """The last end of `child` was the fault of this message, as its successor has found."""
        log.warning("%s ended on the message %s; it counts once, however often it is tried", child.name, message)
        self._history = self._history.blaming(child.name, message)

    def ended(self, child: Child, *, normal: bool) -> Decision:
        """`child` has ended without being told to: bring it back, with its siblings if need be, or leave it down."""
        # A monotonic reading in the dress of a datetime: a clock that is set changes no decision.
        now = datetime.fromtimestamp(time.monotonic(), UTC)
        self._history, decision = after_exit(
            self._spec, self._history, self._supervised(), child.name,
            normal=normal, now=now, chance=random.random(),
        )  # fmt: skip
        match decision:
            case Restart(names, delay, ended):
                along = f"it was ended along with {child.name}"
                self._restart(names, time.monotonic() + delay.total_seconds(), along)
                for name in ended:
                    self._leave_down(self[name], f"{along}, and a temporary one stays down")
            case LeaveDown(_, kind):
                self._leave_down(child, f"{child.reason}, and a {kind} one stays down then")
            case GiveUp(_, failures, period):
                child.reason = f"given up after {failures} failures within {period}: {child.reason}"
                child.enter("given_up")
                log.critical("%s is %s", child.name, child.reason)
            case Escalate(_, failures, period):
                child.reason = f"the last of {failures} failures within {period}: {child.reason}"
                child.enter("given_up")
                log.critical("the system is given up: %s, %s", child.name, child.reason)
        return decision

    def _supervised(self) -> tuple[ChildSpec, ...]:
        """Those that are not given up; a temporary one that is down is none of OTP's children any more either."""
        return tuple(
            ChildSpec(child.name, child.restart)
            for child in self.values()
            if child.phase != "given_up" and not (child.phase == "down" and child.restart == "temporary")
        )

    def _restart(self, names: Iterable[str], due: float, along: str) -> None:
        for name in names:
            child = self[name]
            child.due = due
            if child.pidfd is None:
                child.enter("waiting")
            else:
                child.cause = along
                child.enter("ending")
                child.kill()

    def _leave_down(self, child: Child, reason: str) -> None:
        child.reason = child.cause = reason
        child.enter("down")
        child.kill()
        log.error("%s stays down: %s", child.name, reason)
