"""Whether new work is let in to a cell, by how long envelopes have waited for it: CoDel's rule, at the entrance. Pure.

A queue that is long for a moment is a burst and does no harm; one that stays long is work that can't be done. So
what counts is not its length but how long what comes out of it has waited, and for how long that has been so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

SHORTEST_RETRY_MS: Final = 50
LONGEST_RETRY_MS: Final = 5_000
HOPELESS: Final = 2  # times the target: then new work is refused at once
MEMORY: Final = 0.3  # of the rate: the weight of the newest measurement


@dataclass(frozen=True, slots=True)
class Door:
    """One cell's entrance. All times are monotonic seconds, `rate` is envelopes a second that the cell handles."""

    target: float = 2.0  # how long an envelope may wait for its cell
    interval: float = 0.5  # and for how long others may have waited longer, before new work is refused
    closed: bool = False
    late_since: float | None = None
    opened_at: float | None = None  # when it was last closed before, and opened
    rate: float = 0.0

    def passed(self, now: float, waited: float) -> Door:
        """An envelope goes out to the cell now that has `waited` so long."""
        if waited <= self.target:
            if not self.closed:
                return self if self.late_since is None else replace(self, late_since=None)
            return replace(self, closed=False, late_since=None, opened_at=now)
        since = now if self.late_since is None else self.late_since
        lately = self.opened_at is not None and now - self.opened_at < self.interval
        closed = self.closed or lately or now - since >= self.interval
        return replace(self, closed=closed, late_since=since)

    def handled(self, number: int, took: float) -> Door:
        """The cell has handled so many envelopes in so many seconds."""
        measured = number / max(took, 1e-4)
        return replace(self, rate=measured if not self.rate else self.rate + MEMORY * (measured - self.rate))

    def hopeless(self, waiting: int) -> bool:
        """Whether the last of so many will wait so long that nobody need measure it first."""
        return self.rate > 0 and waiting > HOPELESS * self.target * self.rate

    def retry_after_ms(self, waiting: int) -> int:
        """When to come again: once what is waiting now will have come down to what is allowed."""
        seconds = waiting / self.rate - self.target if self.rate else self.target
        return round(min(LONGEST_RETRY_MS, max(SHORTEST_RETRY_MS, seconds * 1_000)))
