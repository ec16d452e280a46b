"""One supervised process as its supervisor sees it; knows no actor and decides nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.runtime.supervision import RestartKind

Phase = Literal["waiting", "starting", "ready", "killed", "ending", "stopping", "stopped", "down", "given_up"]


@dataclass(slots=True)
class Child:
    """One supervised process: what it is now, and what has become of it so far."""

    name: str
    actor_class: Any
    restart: RestartKind = "permanent"
    phase: Phase = "waiting"
    incarnation: int = 0
    process: Any = None  # its `multiprocessing.Process`
    pid: int | None = None
    pidfd: int | None = None
    address: Any = None
    since: float = 0.0  # monotonic seconds at which the phase began
    due: float = 0.0  # monotonic seconds before which it isn't started again
    beat: int = 0  # number of the last heartbeat
    beat_at: float = 0.0
    beat_open: bool = False
    refused: bool = False  # it has said that it can't start now, and why
    cause: str | None = None  # why it is being ended, if that is our doing
    reason: str | None = None  # why it last failed, or stays down
    report: dict[str, Any] = field(default_factory=dict)

    def enter(self, phase: Phase) -> None:
        """Change the phase, from now on."""
        self.phase = phase
        self.since = time.monotonic()

    def born(self, process: Any) -> None:
        """A process has been forked for it.

        Raises:
            OSError: it can't be watched (no descriptor is left), and so was ended.
        """
        try:
            self.pidfd = os.pidfd_open(process.pid)
        except OSError:
            process.kill()
            raise
        self.process, self.pid = process, process.pid

    def kill(self) -> None:
        """End the process at once; that it is gone is learnt later, from its pidfd."""
        if self.pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def bury(self) -> int | None:
        """The process is gone: forget it, and answer its exit status (negative: the signal that ended it)."""
        if self.pidfd is not None:
            os.close(self.pidfd)
        status: int | None = self.process.exitcode if self.process is not None else None
        self.pidfd = self.pid = self.address = self.process = None
        self.reason, self.cause = self.cause or how_it_ended(status), None
        return status

    def silent_s(self, now: float) -> float:
        """For how long it has owed the answer to a heartbeat, in seconds."""
        return now - self.beat_at if self.phase == "ready" and self.beat_open else 0.0

    def status(self, now: float) -> dict[str, Any]:
        """What an operator sees of it."""
        return {
            **self.report,
            "name": self.name,
            "pid": self.pid,
            "state": self.phase,
            "restart": self.restart,
            "incarnation": self.incarnation,
            "restarts": max(0, self.incarnation - 1),
            "silent_seconds": round(self.silent_s(now), 3),
            "reason": self.reason,
        }


def how_it_ended(status: int | None) -> str:
    """An exit status in words."""
    match status:
        case None:
            return "its process ended"
        case 0:
            return "its process ended in good order"
        case number if number < 0:
            try:
                return f"its process was ended by {signal.Signals(-number).name}"
            except ValueError:
                return f"its process was ended by signal {-number}"
        case _:
            return f"its process ended with status {status}"
