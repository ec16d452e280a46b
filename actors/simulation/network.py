"""Frames between processes: each takes its time; some are lost, some come twice, some overtake others."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from actors.simulation.clock import MILLISECOND, SECOND, Timeline
from actors.simulation.faults import Faults

LATENCY: Final = (MILLISECOND // 10, MILLISECOND)
LONGEST_DELAY: Final = 4 * SECOND


class Network:
    """`deliver` gets a frame when it arrives and says whether anybody was there."""

    def __init__(
        self, timeline: Timeline, chance: Random, faults: Faults, record: Callable[[str, bytes], None]
    ) -> None:
        self._timeline = timeline
        self._chance = chance
        self._faults = faults
        self._record = record
        self._latest: dict[tuple[str, str], int] = {}  # when the last frame of a pair is to arrive
        self._held_up: dict[tuple[str, str], int] = {}  # and when the last of those that are delayed is
        self.frames = 0

    def send(
        self, sender: str, receiver: str, payload: bytes, deliver: Callable[[bytes], bool], *, in_order: bool = False
    ) -> None:
        """Send one frame on its way; none that goes `in_order` is overtaken."""
        self.frames += 1
        self._record(f"{sender}>{receiver}", payload)
        faults = self._faults
        if faults.strikes("frame dropped"):
            return
        copies = 2 if faults.strikes("frame repeated") else 1
        for _ in range(copies):
            moment = self._timeline.now + self._chance.randint(*LATENCY)
            pair = (sender, receiver)
            if not in_order and faults.strikes("frame delayed"):
                moment += int(LONGEST_DELAY * self._chance.random() ** 2)
                self._held_up[pair] = max(moment, self._held_up.get(pair, 0))
            else:  # one connection keeps its order; only what is delayed is overtaken
                moment = self._latest[pair] = max(moment, self._latest.get(pair, 0))
                if moment < self._held_up.get(pair, 0):
                    faults.count("frame reordered")
            self._timeline.at(moment, lambda: self._arrive(payload, deliver))

    def _arrive(self, payload: bytes, deliver: Callable[[bytes], bool]) -> None:
        if not deliver(payload):
            self._faults.count("frame to a dead process")
