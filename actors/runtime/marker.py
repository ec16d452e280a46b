"""The mark a cell leaves while a turn runs, so that a message that kills or hangs the process is found out.

Not synced: a process that dies leaves what it wrote to the operating system; only a machine that dies may lose
it, and then no message is to blame.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_WIDTH: Final = 8
MARGIN: Final = 64  # inputs beyond those of the turn that never ended: redelivery may mix in others
HOLD_S: Final = 2.0  # caution for each death after the first: what kills may come back late, as a timer or a resend
LONGEST_HOLD_S: Final = 20.0
GOOD_HEALTH_S: Final = 30.0  # a process that has lived so long has nothing to do with the deaths before


class Marker:
    """`cautious` is how many more inputs are to be run one a turn, after a turn that never ended.

    After one death, as by a drill, that is all; after several in a row caution lasts for some time as well.
    """

    def __init__(self, path: Path, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._open(path)
        left = self._read(4 * _WIDTH)
        inputs, self._deaths = _number(left[:_WIDTH]), _number(left[_WIDTH : 2 * _WIDTH])
        self.alive_at = _number(left[2 * _WIDTH :])  # microseconds; the last sign of life of the process before
        self._began = self._seconds()
        self._calm_at = 0.0
        self.cautious = 0
        if inputs:
            self._deaths += 1
            self._calm_at = self._began + min(LONGEST_HOLD_S, HOLD_S * (self._deaths - 1))
            self.cautious = inputs + MARGIN
        self._write(inputs)

    def set(self, inputs: int) -> None:
        """A turn over so many inputs begins."""
        self._put(b"%*d" % (_WIDTH, max(inputs, self.cautious)), 0)

    def clear(self) -> None:
        """The turn has ended."""
        if self._deaths and self._seconds() - self._began > GOOD_HEALTH_S:
            self._deaths = 0
            self._write(0)
        else:
            self._put(b"%*d" % (_WIDTH, 0), 0)

    def step(self) -> None:
        """One of the inputs under suspicion has been run and the process lives."""
        self.cautious = max(1, self.cautious - 1)
        if self.cautious == 1 and self._seconds() >= self._calm_at:
            self.cautious = 0
            self.clear()

    def alive(self, at: int) -> None:
        """A sign of life, in microseconds."""
        self._put(b"%*d" % (2 * _WIDTH, at), 2 * _WIDTH)

    def close(self) -> None:
        """The process ends in good order."""
        self._write(0, 0)
        self._release()

    def _open(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _read(self, length: int) -> bytes:
        return os.pread(self._descriptor, length, 0)

    def _put(self, text: bytes, at: int) -> None:
        os.pwrite(self._descriptor, text, at)

    def _release(self) -> None:
        os.close(self._descriptor)

    def _write(self, inputs: int, deaths: int | None = None) -> None:
        number = self._deaths if deaths is None else deaths
        self._put(b"%*d%*d" % (_WIDTH, inputs, _WIDTH, number), 0)


def _number(text: bytes) -> int:
    return int(text) if text.strip().isdigit() else 0
