"""A circuit breaker that ramps up: how a worker treats a rail, a database or a mail server that fails and comes back.

Pure: takes `now` and a chance from 0 to 1. Closed: full speed. Open: nothing is tried before a jittered pause is
over, doubled with each failure. Half-open: a small batch asks whether it is back. Ramping: it is; each batch
that succeeds doubles the next, with a jittered pause between, until what has gathered is done or speed is full.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half-open"
RAMPING: Final = "ramping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """How a circuit opens and how speed comes back; batches are counted in tasks."""

    failures: int = 1  # in a row, before it opens
    first_pause: timedelta = timedelta(milliseconds=200)
    longest_pause: timedelta = timedelta(seconds=10)
    first_batch: int = 8  # when it may be back
    full_batch: int = 512  # from here on there is no bound
    pause: timedelta = timedelta(milliseconds=100)  # between batches on the way there


@dataclass(frozen=True, slots=True)
class Breaker:
    """Where one circuit stands. `batch` is None at full speed; `next_at` is when something may be tried again."""

    ramp: Ramp
    failures: int = 0  # in a row
    openings: int = 0  # in a row, without a success between
    batch: int | None = None
    next_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """In the words of the module's beginning."""
        if self.batch is None:
            return CLOSED
        if not self.openings:
            return RAMPING
        return OPEN if self.next_at is not None and now < self.next_at else HALF_OPEN

    def is_open(self, now: datetime) -> bool:
        """Whether nothing at all may be tried now."""
        return self.state(now) == OPEN

    def room(self, now: datetime) -> int | None:
        """How many tasks may be done now; None: all of them."""
        if self.batch is None:
            return None
        return 0 if self.next_at is not None and now < self.next_at else self.batch

    def succeeded(self, now: datetime, chance: float, *, left: bool) -> Breaker:
        """A batch was done; `left`: more is waiting. Where nothing is, speed is full again."""
        if self.batch is None:
            return self if not self.failures else Breaker(self.ramp)
        larger = self.batch * 2
        if not left or larger > self.ramp.full_batch:
            return Breaker(self.ramp)
        return Breaker(self.ramp, batch=larger, next_at=now + self.ramp.pause * (0.5 + chance))

    def failed(self, now: datetime, chance: float) -> Breaker:
        """It did not answer; where it was already in doubt, or has failed too often, the circuit opens."""
        failures = self.failures + 1
        if self.batch is None and failures < self.ramp.failures:
            return replace(self, failures=failures)
        pause = min(self.ramp.longest_pause, self.ramp.first_pause * float(2 ** min(self.openings, 30)))
        next_at = now + pause * (0.5 + chance / 2)
        return Breaker(self.ramp, failures, self.openings + 1, self.ramp.first_batch, next_at)


@runtime_checkable
class HasCircuit(Protocol):
    """A worker that guards what it works for; `status` shows the circuit."""

    circuit: Breaker
