"""What `status` shows of a cell's turns since it started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Each room of a turn counts what happens in it."""

    turns: int = 0
    messages: int = 0
    failures: int = 0
    restarts: int = 0
    buried: int = 0
