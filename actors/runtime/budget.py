"""How many retries a second one service may be given: a token bucket, and where what exceeds it is put. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

PLENTY: Final = 1e9


@dataclass(frozen=True, slots=True)
class Budget:
    """A bucket of `rate` retries a second that holds a second's worth, at least one.

    What exceeds it is put off one behind the other: `put_off_to` is the last moment that was given out.
    """

    rate: float
    tokens: float = PLENTY  # full at first
    at: datetime | None = None
    put_off_to: datetime | None = None

    @property
    def burst(self) -> float:
        """What a full bucket holds."""
        return max(1.0, self.rate)

    def at_moment(self, now: datetime) -> Budget:
        """The bucket as it is now; a clock that was set back fills nothing."""
        passed = 0.0 if self.at is None else max(0.0, (now - self.at).total_seconds())
        return replace(self, tokens=min(self.burst, self.tokens + passed * self.rate), at=now)

    def room(self, now: datetime) -> int:
        """How many retries there are tokens for."""
        return int(self.at_moment(now).tokens + 1e-9)

    def take(self, now: datetime) -> Budget | None:
        """The bucket after one retry, or None where it is empty."""
        filled = self.at_moment(now)
        if filled.tokens < 1 - 1e-9:
            return None
        return replace(filled, tokens=filled.tokens - 1)

    def put_off(self, now: datetime, chance: float) -> tuple[datetime, Budget]:
        """When one that exceeds the budget is due instead; `chance` (0 to 1) spreads it over ± a quarter of a step."""
        step = timedelta(seconds=1 / self.rate)
        last = now if self.put_off_to is None else max(now, self.put_off_to)
        due = last + step * (0.75 + chance / 2)
        return due, replace(self.at_moment(now), put_off_to=due)
