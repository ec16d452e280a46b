"""The mark a cell leaves while a turn runs, so that a message that kills or hangs the process is found out.

Not synced: a process that dies leaves what it wrote to the operating system; only a machine that dies may lose
it, and then no message is to blame.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_WIDTH: Final = 8
MARGIN: Final = 64  # inputs beyond those of the turn that never ended: redelivery may mix in others


class Marker:
    """`cautious` is how many more inputs are to be run one a turn, after a turn that never ended."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        left = os.pread(self._descriptor, _WIDTH, 0).strip()
        inputs = int(left) if left.isdigit() else 0
        self.cautious = inputs + MARGIN if inputs else 0

    def set(self, inputs: int) -> None:
        """A turn over so many inputs begins."""
        os.pwrite(self._descriptor, b"%*d" % (_WIDTH, max(inputs, self.cautious)), 0)

    def clear(self) -> None:
        """The turn has ended."""
        os.pwrite(self._descriptor, b"%*d" % (_WIDTH, 0), 0)

    def step(self) -> None:
        """One of the inputs under suspicion has been run and the process lives."""
        self.cautious -= 1
        if self.cautious <= 0:
            self.cautious = 0
            self.clear()

    def close(self) -> None:
        """The process ends in good order."""
        self.clear()
        os.close(self._descriptor)
