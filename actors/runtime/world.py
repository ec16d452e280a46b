"""What a cell has from the machine it runs on: store, clock, chance, alarm, threads, the files beside its store.

One value of factories, so that a simulation can put all of it into one process under one clock (`actors.simulation`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, Protocol

from actors.runtime.alarm import Alarm
from actors.runtime.clock import Clock, SystemClock
from actors.runtime.marker import Marker
from actors.runtime.outbox import Runner, WorkerThread
from actors.runtime.service import Answer, Worker
from actors.runtime.soundness import head_of
from actors.store.head import Head
from actors.store.session import StoreRefused
from actors.store.sqlite import SqliteSession
from config.settings import StoreSettings

STORE: Final = "store.db"  # in a cell's directory


class Bell(Protocol):
    """Tells whoever runs the cell that there is work, at once or later."""

    def fileno(self) -> int:
        """A descriptor that is readable while there is work."""

    def ring(self) -> None:
        """There is work."""

    def quiet(self) -> None:
        """What rang is being seen to."""

    def set(self, delay: timedelta | None) -> None:
        """Ring after `delay`; replaces what was set before; None: don't."""

    def stop(self) -> None:
        """Ring no more."""


class MakesRunner(Protocol):
    """What performs a worker's tasks: gives answers, and makes none while the cell is `crowded` with them."""

    def __call__(
        self, worker: Worker, answers: Callable[[str, list[Answer]], None], now: Callable[[], datetime],
        chance: Random, crowded: Callable[[], bool], /,
    ) -> Runner:  # fmt: skip
        """For one worker."""


def open_store(directory: Path, settings: StoreSettings) -> SqliteSession:
    """The store in a cell's directory, opened or created.

    Raises:
        StoreRefused: it can't be.
    """
    return SqliteSession.open(
        directory / STORE,
        synchronous=settings.synchronous,
        checkpoint_pages=settings.checkpoint_pages,
        cache_mb=settings.cache_mb,
    )


def lock_directory(directory: Path, name: str) -> Callable[[], None]:
    """Make a cell's directory this process's own; what is returned gives it up.

    Raises:
        StoreRefused: another process has it, or it can't be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreRefused(f"the store of {name} is in use by another process: stop that one first") from error
    except OSError as error:
        raise StoreRefused(
            f"the directory {directory} can't be written ({error.strerror}); check the disk and who owns it"
        ) from error
    return lambda: os.close(lock)


def marker_in(directory: Path) -> Marker:
    """The mark beside the store, which survives the process."""
    return Marker(directory / "turn.marker")


@dataclass(frozen=True, slots=True)
class World:
    """The factories; the defaults are the real things.

    `head` opens the note of a store, after a look at the store itself; `lock` makes a directory the cell's own and
    returns what gives it up; `clock` gets a moment before which it may not be; `chance` gets the configured seed;
    `runner` performs a worker's tasks outside the turn.
    """

    store: Callable[[Path, StoreSettings], SqliteSession] = open_store
    head: Callable[[Path, Path], Head] = head_of
    lock: Callable[[Path, str], Callable[[], None]] = lock_directory
    marker: Callable[[Path], Marker] = marker_in
    clock: Callable[[datetime], Clock] = SystemClock
    chance: Callable[[int | None], Random] = Random
    bell: Callable[[], Bell] = Alarm
    runner: MakesRunner = WorkerThread


REAL = World()
