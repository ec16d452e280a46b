"""Writes copies of payments into the reporting database, a batch at a time; waits out a replica that is down."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from actors.replication.actor import REPLICA
from actors.replication.messages import CopyPayments
from actors.replication.replica import Replica, Unreachable
from actors.runtime.service import Answer, Handed
from config.settings import Settings

BATCH: Final = 16  # tasks, each with the copies of a turn
FIRST_PAUSE: Final = timedelta(milliseconds=200)
LONGEST_PAUSE: Final = timedelta(seconds=30)


class ReplicationWorker:
    """Does `CopyPayments`. While the replica is down the copies wait, in their order, here and in the outbox."""

    outbox = REPLICA

    def __init__(
        self,
        replica: Replica,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._replica = replica
        self._now = now
        self._chance = chance
        self._waiting: list[Handed] = []
        self._again_at: datetime | None = None
        self._pause = FIRST_PAUSE
        self._deliver: Callable[[list[Answer]], None] = lambda answers: None
        self._log = structlog.get_logger("replication")

    @classmethod
    def for_cell(cls, settings: Settings, cell: str) -> ReplicationWorker:
        """The worker of one cell.

        Raises:
            CannotReplicate: the configured URL can't be used.
        """
        wanted = settings.replication
        return cls(Replica(wanted.url if wanted.enabled else "", Path(settings.data)))

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        """The replica is connected with the first batch."""
        self._deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        """Write what waits and what is new, oldest first; on failure all of it waits for the next time."""
        self._waiting += tasks
        if self._again_at is not None and self._now() < self._again_at:
            return
        while self._waiting:
            batch = self._waiting[:BATCH]
            try:
                self._replica.write(
                    [copy for each in batch if isinstance(each.task, CopyPayments) for copy in each.task.copies]
                )
            except Unreachable as error:
                self._wait(str(error))
                return
            if self._again_at is not None:
                self._log.info("replica is back", replica=self._replica.name)
            self._again_at, self._pause = None, FIRST_PAUSE
            del self._waiting[:BATCH]
            self._deliver([Answer("replication", handed.payment_id, (), handed.outbox_id) for handed in batch])

    def due(self, now: datetime) -> datetime | None:
        """When the replica is tried again."""
        return self._again_at

    def close(self) -> None:
        """Disconnect."""
        self._replica.close()

    def _wait(self, error: str) -> None:
        if self._again_at is None:
            self._log.warning("replica can't be written", error=error, waiting=len(self._waiting))
        self._again_at = self._now() + self._pause * (0.5 + self._chance() / 2)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
