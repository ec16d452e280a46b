"""`start --foreground`: stays while the system lives, stops it when asked to, keeps a service manager informed."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Final

from actors.admin.command import DONE, INTERRUPTED, CommandFailed, Invocation
from actors.admin.service_manager import ServiceManager

_WATCH_SECONDS: Final = 0.5


class Ending:
    """Notes that this process was asked to end, from before the system is started."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.by: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        self.by = number
        self.asked.set()


def stay(invocation: Invocation, ending: Ending) -> int:
    """Wait until asked to end, then stop the system.

    Raises:
        CommandFailed: it has ended by itself, so that whoever keeps this process starts it again.
    """
    from actors.runtime.launch import is_running, stop_system

    data, manager = invocation.data, ServiceManager.of(os.environ)
    manager.say_ready(f"serves in {data}")
    while not ending.asked.wait(_WATCH_SECONDS):
        if not is_running(data):
            return _ended(invocation)
        manager.say_alive(lambda: _answers(invocation))
    manager.say_stopping()
    stop_system(data)
    invocation.screen.note("stopped")
    return INTERRUPTED if ending.by == signal.SIGINT else DONE


def _ended(invocation: Invocation) -> int:
    """The system is gone and this process was not asked: by an operator's `stop`, or by itself."""
    from actors.runtime.ending import is_stopping, reason_of_end

    data = invocation.data
    reason = reason_of_end(data)
    if is_stopping(data) and reason is None:
        invocation.screen.note("stopped")
        return DONE
    raise CommandFailed(f"the system has ended by itself: {reason or f'see {data}/logs'}; start it again")


def _answers(invocation: Invocation) -> bool:
    """Whether the supervisor can be reached, whatever it says."""
    from actors.admin.health import ANSWER_SECONDS
    from actors.gateway.client import NoAnswer, NotRunning

    try:
        with invocation.system() as client:
            return "ready" in client.control({"do": "ready"}, ANSWER_SECONDS)
    except (NoAnswer, NotRunning, OSError):
        return False
