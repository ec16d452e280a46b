"""What can go wrong, as data: how often each kind comes, and how often each has come. Decides nothing by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Final

# Chances per opportunity: a frame, an answer, a batch, a mail, a restart.
CHANCES: Final[Mapping[str, float]] = MappingProxyType(
    {
        "frame dropped": 0.03,
        "frame repeated": 0.03,
        "frame delayed": 0.06,
        "acknowledgement to a client lost": 0.01,
        "rail answer lost": 0.02,
        "rail answer twice": 0.03,
        "rail answer late": 0.05,
        "rail unreachable before it has it": 0.02,
        "rail unreachable after it has it": 0.02,
        "rail worker broke between journal and answer": 0.01,
        "mail not taken": 0.03,
        "replica unreachable": 0.03,
        "crash during recovery": 0.15,
        "store failed during recovery": 0.05,
    }
)
# How many of each there are in a world, on average, at moments of its own choice.
EVENTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "crash before the commit": 1.6,
        "crash in the middle of a turn": 1.0,
        "crash after the commit, before the release": 1.2,
        "crash between turns": 1.6,
        "crash between the rail's journal and its answer": 0.5,
        "commit failed": 1.0,
        "disk full in a statement": 1.2,
        "disk full for a while": 0.3,
        "cell paused": 0.8,
        "cell silent, killed and replaced": 0.5,
        "gateway killed": 0.4,
        "power cut": 0.15,
        "clock set forward": 0.6,
        "clock set back": 0.6,
        "handler raised once": 2.5,
        "handler raised until it gave up": 0.8,
        "message that ends the process": 0.12,
        "subscriber killed": 1.5,
        "subscription taken away and given back": 0.3,
        "log replayed": 0.4,
    }
)


class Faults:
    """The chances and the counts of one world; `calm` lets nothing go wrong any more."""

    def __init__(self, chance: Random, *, intensity: float = 1.0) -> None:
        self._chance = chance
        self._intensity = intensity
        self.calm = True
        self.counts: Counter[str] = Counter()

    def rolls(self, kind: str) -> bool:
        """Whether this fault is to happen at this opportunity."""
        return not self.calm and self._chance.random() < CHANCES[kind] * self._intensity

    def strikes(self, kind: str) -> bool:
        """Whether this fault happens at this opportunity; it is counted if so."""
        if not self.rolls(kind):
            return False
        self.counts[kind] += 1
        return True

    def count(self, kind: str) -> None:
        """It has happened."""
        self.counts[kind] += 1

    def planned(self) -> list[str]:
        """The kinds of events of this world, each as often as it is to come, in random order."""
        kinds = [kind for kind, mean in EVENTS.items() for _ in range(self._number(mean * self._intensity))]
        self._chance.shuffle(kinds)
        return kinds

    def _number(self, mean: float) -> int:
        """A whole number whose mean is `mean`: between none and twice as many."""
        wanted = mean * 2 * self._chance.random()
        return int(wanted) + (self._chance.random() < wanted - int(wanted))
