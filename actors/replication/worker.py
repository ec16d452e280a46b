"""Writes copies of payments into the reporting database, a batch at a time; waits out a replica that is down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import structlog

from actors.replication.actor import REPLICA
from actors.replication.messages import CopyPayments
from actors.replication.replica import Replica, Unreachable
from actors.runtime.breaker import Breaker, Ramp
from actors.runtime.service import Answer, Handed
from config.settings import Settings

BATCH: Final = 16  # tasks, each with the copies of a turn
FIRST_PAUSE: Final = timedelta(milliseconds=200)
LONGEST_PAUSE: Final = timedelta(seconds=30)


class ReplicationWorker:
    """Does `CopyPayments`. While the replica is down the copies wait, in their order, here and in the outbox.

    When it is back it gets what has gathered in growing batches.
    """

    outbox = REPLICA

    def __init__(
        self,
        replica: Replica,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float],
        ramp: Ramp | None = None,
    ) -> None:
        self._replica = replica
        self._now = now
        self._chance = chance
        self._waiting: list[Handed] = []
        self.circuit = Breaker(ramp or Ramp(first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE))
        self._deliver: Callable[[list[Answer]], None] = lambda answers: None
        self._log = structlog.get_logger("replication")

    @classmethod
    def for_cell(cls, settings: Settings, cell: str) -> ReplicationWorker:
        """The worker of one cell.

        Raises:
            CannotReplicate: the configured URL can't be used.
        """
        wanted, runtime = settings.replication, settings.runtime
        ramp = Ramp(
            first_pause=FIRST_PAUSE,
            longest_pause=LONGEST_PAUSE,
            first_batch=runtime.ramp_first,
            pause=timedelta(seconds=runtime.ramp_pause_seconds),
        )
        replica = Replica(wanted.url if wanted.enabled else "", Path(settings.data))
        return cls(replica, chance=Random(runtime.seed).random, ramp=ramp)

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        """The replica is connected with the first batch."""
        self._deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        """Write what waits and what is new, oldest first; on failure all of it waits for the next time."""
        self._waiting += tasks
        now = self._now()
        room = self.circuit.room(now)
        if room == 0:
            return
        while self._waiting and (room is None or room > 0):
            batch = self._waiting[: BATCH if room is None else min(room, BATCH)]
            try:
                self._replica.write(
                    [copy for each in batch if isinstance(each.task, CopyPayments) for copy in each.task.copies]
                )
            except Unreachable as error:
                self._wait(str(error))
                return
            del self._waiting[: len(batch)]
            room = None if room is None else room - len(batch)
            self._deliver([Answer("replication", handed.payment_id, (), handed.outbox_id) for handed in batch])
        if self.circuit.openings:
            self._log.info("replica is back", replica=self._replica.name, waiting=len(self._waiting))
        self.circuit = self.circuit.succeeded(now, self._chance(), left=bool(self._waiting))

    def due(self, now: datetime) -> datetime | None:
        """When the replica is tried again, or given the next batch."""
        return self.circuit.next_at if self._waiting else None

    def close(self) -> None:
        """Disconnect."""
        self._replica.close()

    def _wait(self, error: str) -> None:
        if not self.circuit.openings:
            self._log.warning("replica can't be written", error=error, waiting=len(self._waiting))
        self.circuit = self.circuit.failed(self._now(), self._chance())
