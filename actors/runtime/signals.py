"""SIGTERM and SIGINT as something to read, for a process that waits on descriptors; decides nothing about them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable


class Signals:
    """Made in the process that is to hear them; its children have signals of their own."""

    def __init__(self, in_child: Callable[[], None]) -> None:
        self._reading, writing = self._pair = socket.socketpair()
        self._heard: list[int] = []
        self._in_child = in_child
        for end in self._pair:
            end.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self._forget)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, _frame: self._heard.append(signum))

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reading.fileno()

    def taken(self) -> list[int]:
        """The signals since the last call."""
        with contextlib.suppress(BlockingIOError):
            self._reading.recv(4096)
        numbers, self._heard = self._heard, []
        return numbers

    def _forget(self) -> None:
        signal.set_wakeup_fd(-1)
        self._in_child()
