"""One supervised process as its supervisor sees it; knows no actor and decides nothing."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal["waiting", "starting", "ready", "killed", "ending", "stopped", "given_up"]


@dataclass(slots=True)
class Child:
    """One supervised process: what it is now, and what has become of it so far."""

    name: str
    actor_class: Any
    phase: Phase = "waiting"
    incarnation: int = 0
    pid: int | None = None
    pidfd: int | None = None
    address: Any = None
    since: float = 0.0  # monotonic seconds at which the phase began
    due: float = 0.0  # monotonic seconds before which it isn't started again
    beat: int = 0  # number of the last heartbeat
    beat_at: float = 0.0
    beat_open: bool = False
    refused: bool = False  # it has said that it can't start now, and why
    reason: str | None = None  # why it last failed, or was given up
    report: dict[str, Any] = field(default_factory=dict)

    def enter(self, phase: Phase) -> None:
        """Change the phase, from now on."""
        self.phase = phase
        self.since = time.monotonic()

    def kill(self) -> None:
        """End the process at once; that it is gone is learnt later, from its pidfd."""
        if self.pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def status(self) -> dict[str, Any]:
        """What an operator sees of it."""
        return {
            **self.report,
            "name": self.name,
            "pid": self.pid,
            "state": self.phase,
            "incarnation": self.incarnation,
            "restarts": max(0, self.incarnation - 1),
            "reason": self.reason,
        }
