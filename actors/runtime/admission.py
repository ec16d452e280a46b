"""Whether a cell takes on new work: not while what it has taken on already can't be done soon. Pure.

A backlog is work that is stored and waits for somebody else: tasks for a rail, envelopes for another cell, messages
parked for another try. Where it drains, what counts is how long the last in it will wait; where it doesn't (the rail is
away), nobody can say, and only its length is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

MEASURED_OVER: Final = timedelta(milliseconds=250)
MEMORY: Final = 0.3  # of the rate: the weight of the newest measurement
FEW: Final = 2_048  # tasks that never count as too many: their rate may be that of an idle worker
REOPENS_AT: Final = 0.75  # of a bound
SHORTEST_RETRY_MS: Final = 100
LONGEST_RETRY_MS: Final = 5_000
UNKNOWN_RETRY_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """One queue as it is now. `done`: how many have left it since the start; None: its rate is not looked at."""

    length: int
    done: int | None = None


@dataclass(frozen=True, slots=True)
class Drain:
    """How fast one queue empties: measured only while it was never empty."""

    at: datetime
    done: int
    length: int
    rate: float = 0.0  # a second; 0: not known

    def look(self, now: datetime, backlog: Backlog) -> Drain:
        """With what has been done since the last look."""
        done, took = backlog.done or 0, now - self.at
        if timedelta(0) <= took < MEASURED_OVER:
            return self
        if took < timedelta(0) or min(self.length, backlog.length) < FEW:
            return Drain(now, done, backlog.length, self.rate if backlog.length >= FEW else 0.0)
        measured = (done - self.done) / took.total_seconds()
        rate = measured if not self.rate else self.rate + MEMORY * (measured - self.rate)
        return Drain(now, done, backlog.length, rate)


@dataclass(frozen=True, slots=True)
class Admission:
    """`reason` is a sentence while new work is refused, else ""; `retry_after_ms` goes with it."""

    longest_wait: timedelta = timedelta(seconds=10)
    longest: int = 50_000
    reason: str = ""
    retry_after_ms: int = 0
    drains: Mapping[str, Drain] = field(default_factory=dict)

    def look(self, now: datetime, backlogs: Mapping[str, Backlog]) -> Admission:
        """Decide anew, from the backlogs by name; once closed it opens only well below the bound."""
        drains = {}
        reason, retry_after_ms = "", 0
        share = REOPENS_AT if self.reason else 1.0
        for name, backlog in backlogs.items():
            rate = 0.0
            if backlog.done is not None:
                known = self.drains.get(name)
                drain = known.look(now, backlog) if known else Drain(now, backlog.done, backlog.length)
                drains[name], rate = drain, drain.rate
            most = self.longest * share
            if rate > 0:
                most = min(most, max(FEW, rate * self.longest_wait.total_seconds() * share))
            if backlog.length > most:
                wait = (backlog.length - most * REOPENS_AT) / rate * 1_000 if rate > 0 else UNKNOWN_RETRY_MS
                wait_ms = round(min(LONGEST_RETRY_MS, max(SHORTEST_RETRY_MS, wait)))
                if wait_ms > retry_after_ms:
                    reason, retry_after_ms = f"{backlog.length:,} {name}", wait_ms
        return replace(self, reason=reason, retry_after_ms=retry_after_ms, drains=drains)
