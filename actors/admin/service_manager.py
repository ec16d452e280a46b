"""What a service manager (systemd) is told: ready, alive, stopping; nothing where none listens.

The protocol is a datagram to the socket that `NOTIFY_SOCKET` names. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Self


class ServiceManager:
    """`watchdog_s` is how long it waits for a sign of life before it kills; None: it does not watch."""

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        self._address = address
        self._every_s = watchdog_s / 3 if watchdog_s else None  # two signs may be lost
        self._due = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The one that the environment names, if it does and means this process."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(microseconds) / 1_000_000 if microseconds.isdigit() and ours else None
        return cls(environment.get("NOTIFY_SOCKET"), watchdog_s)

    def say_ready(self, status: str) -> None:
        """The system takes payments."""
        self._say(f"READY=1\nSTATUS={status}")

    def say_stopping(self) -> None:
        """It has been asked to end, and ends."""
        self._say("STOPPING=1")

    def say_alive(self, answers: Callable[[], bool]) -> None:
        """A sign of life when one is due, if the system `answers`; without one in time all of it is restarted."""
        if self._address is None or self._every_s is None or time.monotonic() < self._due:
            return
        if answers():
            self._say("WATCHDOG=1")
            self._due = time.monotonic() + self._every_s

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = self._address.replace("@", "\0", 1) if self._address.startswith("@") else self._address
        # A manager that doesn't listen is no reason to stop paying.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.connect(address)
            sending.sendall(text.encode())
