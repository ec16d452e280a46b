"""Reads a watchlist and builds the new index outside the turn; the actor puts it in force."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid4

from actors.aml.index import ScreeningIndex
from actors.aml.messages import ListInForce, PrepareWatchlist, WatchlistPrepared, WatchlistUnusable
from actors.aml.resource import build_index, read_lists
from actors.aml.watchlist import BadWatchlist
from actors.messaging.message import Result
from actors.runtime.service import Answer, Handed
from config.settings import Settings

WATCHLISTS: Final = "watchlists"
_MOST_KEPT: Final = 4  # an index nobody has taken by then never will be

# An index can't travel in a message; worker and actor share a process, so it waits here under a unique token.
_prepared: dict[str, ScreeningIndex] = {}
_guard = threading.Lock()


class WatchlistWorker:
    """Does `PrepareWatchlist`, one list after the other; doing one again changes nothing."""

    outbox = WATCHLISTS

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._deliver: Callable[[list[Answer]], None] = lambda answers: None

    @classmethod
    def for_cell(cls, settings: Settings, cell: str) -> WatchlistWorker:
        """The worker of one cell."""
        return cls(settings)

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        """Nothing is needed but where to deliver."""
        self._deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        """Prepare each list and say whether it can be used."""
        for handed in tasks:
            task = handed.task
            assert isinstance(task, PrepareWatchlist)
            self._deliver([Answer("aml", "", (self._prepare(task),), handed.outbox_id)])

    def due(self, now: datetime) -> datetime | None:
        """Only tasks bring work."""
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _prepare(self, task: PrepareWatchlist) -> Result:
        added = ListInForce(
            name=task.name, source=task.source, version="", entries=0, path=task.path, format=task.format
        )
        others = [each for each in task.in_force if each.name != task.name]
        try:
            watchlists, lists = read_lists([*others, added])
            index = build_index(self._settings, watchlists)
        except BadWatchlist as error:
            return WatchlistUnusable(name=task.name, error=str(error), requester=task.requester)
        except Exception as error:  # whatever is wrong with a file: trying it for ever would help nobody
            sentence = f"{task.source} can't be used as a watchlist: {type(error).__name__}: {error}"
            return WatchlistUnusable(name=task.name, error=sentence, requester=task.requester)
        token = uuid4().hex
        with _guard:
            _prepared[token] = index
            while len(_prepared) > _MOST_KEPT:
                del _prepared[next(iter(_prepared))]
        return WatchlistPrepared(token=token, task=task, lists=lists)


def take_prepared(token: str) -> ScreeningIndex | None:
    """The index that waits under `token`, once; None where it was prepared by another process or taken."""
    with _guard:
        return _prepared.pop(token, None)
