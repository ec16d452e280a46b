"""Simulated time: what happens next, in which order; the clocks that cells read. Nothing here sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Final

START: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SECOND: Final = 1_000_000  # microseconds, the unit of all moments here
MILLISECOND: Final = 1_000


class Timeline:
    """What is to happen, by moment and, within one moment, in the order in which it was planned.

    `now` is in microseconds since the world began; `step` counts what has happened.
    """

    def __init__(self) -> None:
        self.now = 0
        self.step = 0
        self._planned = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []

    def at(self, moment: int, act: Callable[[], None]) -> None:
        """Plan `act` for `moment`, or for now if that is past."""
        self._planned += 1
        heappush(self._heap, (max(moment, self.now), self._planned, act))

    def after(self, delay: int, act: Callable[[], None]) -> None:
        """Plan `act` for so many microseconds from now."""
        self.at(self.now + delay, act)

    def advance(self) -> bool:
        """Let the next thing happen; false where nothing is planned."""
        if not self._heap:
            return False
        self.now, _, act = heappop(self._heap)
        self.step += 1
        act()
        return True

    @property
    def seconds(self) -> float:
        """The present moment in seconds."""
        return self.now / SECOND


class WallClock:
    """The machine's wall clock, which somebody may set; `ahead` is how far it is from the truth, in microseconds."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.ahead = 0

    def read(self) -> datetime:
        """What it shows."""
        return START + timedelta(microseconds=self.timeline.now + self.ahead)


class ProcessClock:
    """What `SystemClock` is to a real process: the wall clock when it started, carried on by the monotonic one."""

    def __init__(self, wall: WallClock, not_before: datetime = START) -> None:
        self._timeline = wall.timeline
        self._base = max(wall.read(), not_before) - timedelta(microseconds=self._timeline.now)

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._base + timedelta(microseconds=self._timeline.now)

    def witness(self, moment: datetime) -> None:
        """See `Clock.witness`."""
        behind = moment - self.now()
        if behind >= timedelta(0):
            self._base += behind + timedelta(microseconds=1)
