"""The alarm clock of a cell: a thread that makes its descriptor readable when the next timer is due."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from datetime import timedelta


class Alarm:
    """The cell's descriptor: readable once it was rung, or when the next timer is due.

    Its thread is woken only to ring earlier than it would anyway; when it wakes too early, it waits again.
    """

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._changed = threading.Condition()
        self._wanted: float | None = None  # monotonic seconds
        self._armed: float | None = None  # what the thread waits for
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable while there is work."""
        return self._descriptor

    def ring(self) -> None:
        """There is work."""
        os.eventfd_write(self._descriptor, 1)

    def quiet(self) -> None:
        """What rang is being seen to."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)

    def set(self, delay: timedelta | None) -> None:
        """Ring after `delay`; replaces what was set before; None: don't."""
        with self._changed:
            self._wanted = None if delay is None else time.monotonic() + max(0.0, delay.total_seconds())
            if self._wanted is not None and (self._armed is None or self._wanted < self._armed):
                self._changed.notify()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(1)

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                self._armed = self._wanted
                left = None if self._armed is None else self._armed - time.monotonic()
                if left is not None and left <= 0:
                    self._wanted = None
                    self.ring()
                else:
                    self._changed.wait(left)
