"""A cell's disk: a store and a mark that outlive its process, and sessions that fail when they are told to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from actors.runtime.marker import MARGIN, Marker
from actors.store.head import Head
from actors.store.session import Row, StoreFailed
from actors.store.sqlite import ConnectionReader, SqliteSession

WRITES: Final = frozenset(("INSERT", "UPDATE", "DELETE", "COMMIT"))


class Crash(BaseException):
    """The process ends here, at once: nothing that it would still have done happens. No handler may catch it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Disk:
    """What stays when a cell's process ends. Read through `rows` it shows what was committed."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=2_048)
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self._rows = self.connection.cursor().execute
        self.mark = bytearray()
        self.head: tuple[int, bytes] | None = None  # the end of its seals, as noted outside the store
        self.commits = 0

    def power_off(self) -> None:
        """The process has ended: what it had not committed is gone."""
        if self.connection.in_transaction:
            self.connection.rollback()

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """What stands in the store; to be asked between turns only."""
        assert not self.connection.in_transaction, "nobody outside sees what is not committed"
        return self._rows(sql, parameters).fetchall()

    def close(self) -> None:
        """Forget it."""
        self.connection.close()


class SimulatedSession(SqliteSession):
    """The real session over a disk's connection. `arm` makes one of its next statements, or its commit, fail.

    `begun` is called as a turn's transaction begins, `committed` after each commit, when nobody outside has seen
    anything of the turn.
    """

    def __init__(
        self, disk: Disk, begun: Callable[[], None], committed: Callable[[], None], log: Callable[[bytes], None]
    ) -> None:
        super().__init__(disk.connection)
        self._disk = disk
        self._begun = begun
        self._committed = committed
        self._log = log
        self._honest = self._execute, self._execute_many
        self._countdown = 0
        self._strike: Callable[[str], None] | None = None
        self.before_commit: Callable[[], None] | None = None
        self.after_commit: Callable[[], None] | None = None

    def arm(self, statements: int, strike: Callable[[str], None]) -> None:
        """Let `strike` see each statement but the next so many, before it is run: it raises, or lets it pass."""
        self._countdown, self._strike = statements, strike
        self._execute = self._counted(self._honest[0])
        self._execute_many = self._counted(self._honest[1])

    def disarm(self) -> None:
        """Nothing fails any more."""
        self._strike = self.before_commit = self.after_commit = None
        self._execute, self._execute_many = self._honest

    def disk_full(self, sql: str) -> None:
        """What SQLite does to a write where there is no room: it ends the whole transaction, savepoints and all."""
        if sql[:6] in WRITES:
            if self._connection.in_transaction:
                self._honest[0]("ROLLBACK")
            raise full()

    def disk_full_once(self, sql: str) -> None:
        """The same, and then there is room again."""
        if sql[:6] in WRITES:
            self.disarm()
            self.disk_full(sql)

    def begin(self, *, to_read: bool = False) -> None:
        """See `SqliteSession.begin`."""
        self._begun()
        super().begin(to_read=to_read)

    def write_many(self, sql: str, rows: Any) -> None:
        """See `Session.write_many`; the log's lines go into the world's digest as they are stored."""
        if sql.startswith("INSERT INTO log_parts"):
            for row in rows:
                self._log(row[4])
        super().write_many(sql, rows)

    def commit(self) -> None:
        """See `SqliteSession.commit`."""
        if self.before_commit is not None:
            strike, self.before_commit = self.before_commit, None
            strike()
        super().commit()
        self._disk.commits += 1
        self._committed()
        if self.after_commit is not None:
            strike, self.after_commit = self.after_commit, None
            strike()

    def close(self) -> None:
        """See `SqliteSession.close`: the process ends, its disk stays."""
        self._open = False

    def _counted(self, execute: Callable[..., Any]) -> Any:
        def counted(sql: str, *parameters: Any) -> Any:
            if sql != "ROLLBACK":  # a process that is told of a failure can always take back what it has done
                self._countdown -= 1
                if self._countdown < 0 and self._strike is not None:
                    self._strike(sql)
            return execute(sql, *parameters)

        return counted


class SimulatedHead(Head):
    """The note of a simulated store, which is always the very store that it is about."""

    def __init__(self, disk: Disk, path: Path, store: Path) -> None:
        self.path, self.store = path, store
        self.known, self.doubt = disk.head, ""
        self._disk = disk
        self._flags = 0

    def begin(self) -> None:
        """Nothing is to be noted: no machine goes down here, and no file takes another's place."""

    def note(self, number: int, digest: bytes) -> None:
        """See `Head.note`."""
        self._disk.head = (number, digest)

    def suspect(self) -> None:
        """No page of this store can be damaged."""

    def close(self, *, clean: bool = True) -> None:
        """It stays."""


class SimulatedMarker(Marker):
    """The real mark on a simulated disk; after a death so many more inputs than the turn's own are run one by one."""

    def __init__(self, disk: Disk, seconds: Callable[[], float], margin: int = MARGIN) -> None:
        self._disk = disk
        super().__init__(Path(), seconds=seconds)
        if self.cautious:
            self.cautious += margin - MARGIN

    def _open(self, path: Path) -> None:
        """It is there."""

    def _read(self, length: int) -> bytes:
        return bytes(self._disk.mark[:length])

    def _put(self, text: bytes, at: int) -> None:
        mark = self._disk.mark
        if len(mark) < at:
            mark.extend(bytes(at - len(mark)))
        mark[at : at + len(text)] = text

    def _release(self) -> None:
        """It stays."""


def full() -> sqlite3.OperationalError:
    """What the driver raises where the disk is full."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    error.sqlite_errorname = "SQLITE_FULL"
    return error


def commit_fails() -> None:
    """What a session makes of a commit that SQLite refuses; the transaction stays as it is."""
    raise StoreFailed("OperationalError: disk I/O error")


class DiskReader(ConnectionReader):
    """A `Reader` of what stands on a disk; with a bank's journal as `rail`, where one is attached."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.connection)
