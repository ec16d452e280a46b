"""The store on SQLite: one file a cell, WAL, one writer. Raises `StoreFailed` for everything SQLite refuses."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from actors.store.session import (
    Migration,
    Parameters,
    Row,
    StatementFailed,
    StoreBroken,
    StoreFailed,
    StoreFull,
    StoreLocked,
    StoreRefused,
)
from actors.store.soundness import ADVICE, LOCKED, wal_is_empty

# Primary result codes after which nothing more can be done in this transaction, whoever's turn it is.
_BROKEN = frozenset((
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_PERM,
))  # fmt: skip
_LOCKED = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_MISUSE = (sqlite3.ProgrammingError, sqlite3.InterfaceError)


class SqliteSession:
    """A `Session` over one connection, with the turn's transaction and a handler's savepoint.

    The savepoint is opened at a handler's first write. A statement outside a transaction would commit by
    itself, so every one is refused while none is open.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None) -> None:
        self._connection = connection
        self._path = path or Path(":memory:")
        # One cursor for all: every row is fetched before the next statement, and making one costs a tenth of it.
        cursor = connection.cursor()
        self._execute = cursor.execute
        self._execute_many = cursor.executemany
        self._open = False
        self._guarded = False  # inside a handler, whose first write opens a savepoint
        self._saved = False
        self._sealed: defaultdict[str, list[Row]] = defaultdict(list)
        self._sealed_before: dict[str, int] = {}  # how many there were when the handler started

    @classmethod
    def open(
        cls, path: Path, *, synchronous: str = "FULL", checkpoint_pages: int = 4_000, cache_mb: int = 64
    ) -> SqliteSession:
        """Open or create the file.

        Raises:
            StoreRefused: it can't be opened, or is no SQLite database.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path, isolation_level=None, cached_statements=1_024, check_same_thread=False, timeout=1
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
            connection.execute(f"PRAGMA cache_size = -{cache_mb * 1024}")
            connection.execute("PRAGMA temp_store = MEMORY")
        except (sqlite3.Error, OSError) as error:
            raise _refusal(path, error) from error
        return cls(connection, path)

    @classmethod
    def in_memory(cls) -> SqliteSession:
        """A store that goes with the process: for tests."""
        return cls(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        if not self._open:
            raise StoreFailed("no transaction is open")
        try:
            row: Row | None = self._execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return row

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row."""
        if not self._open:
            raise StoreFailed("no transaction is open")
        try:
            return self._execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one INSERT, UPDATE or DELETE; returns the number of rows it changed."""
        if not self._open:
            raise StoreFailed("no transaction is open")
        try:
            if self._guarded and not self._saved:
                self._execute("SAVEPOINT handler")
                self._saved = True
            return self._execute(sql, parameters).rowcount
        except sqlite3.IntegrityError:
            raise  # a constraint speaks: the handler's failure, not the store's
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def write_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run one statement for each of `rows`."""
        if not self._open:
            raise StoreFailed("no transaction is open")
        try:
            if self._guarded and not self._saved:
                self._execute("SAVEPOINT handler")
                self._saved = True
            self._execute_many(sql, rows)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Every row, one after the other."""
        if not self._open:
            raise StoreFailed("no transaction is open")
        try:
            yield from self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def seal(self, table: str, *rows: Row) -> None:
        """Rows that were added to a sealed table; forgotten where the handler's writes are taken back."""
        self._sealed[table] += rows

    def take_sealed(self) -> dict[str, list[Row]]:
        """What was sealed in this turn so far, by table."""
        sealed, self._sealed = self._sealed, defaultdict(list)
        return sealed

    def begin(self, *, to_read: bool = False) -> None:
        """Open the turn's transaction; one only `to_read` needs no lock, and waits for nobody who has it."""
        if self._sealed:
            self._sealed.clear()
        try:
            self._execute("BEGIN" if to_read else "BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _store_failed(error) from error
        self._open = True

    def commit(self) -> None:
        """Make the turn durable. Whatever keeps SQLite from it, the turn is void."""
        if not self._open:
            raise StoreFailed("no transaction is open")
        try:
            self._execute("COMMIT")
        except sqlite3.Error as error:
            raise _store_failed(error) from error
        self._open = False

    def roll_back(self) -> None:
        """Forget the turn; harmless where nothing is open. A store that refuses even this stays closed."""
        self._open = self._guarded = self._saved = False
        try:
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _store_failed(error) from error

    def guard(self) -> None:
        """A handler starts: its first write opens a savepoint."""
        self._guarded = True
        self._sealed_before = {table: len(rows) for table, rows in self._sealed.items()}

    def release(self) -> None:
        """The handler has returned: its writes stand, within the turn."""
        self._guarded = False
        if self._saved:
            self._saved = False
            try:
                self._execute("RELEASE handler")
            except sqlite3.Error as error:
                raise _store_failed(error) from error

    def take_back(self) -> None:
        """The handler has raised: its writes go, what others did in the turn stands."""
        self._guarded = False
        for table, rows in self._sealed.items():
            del rows[self._sealed_before.get(table, 0) :]
        if self._saved:
            self._saved = False
            try:
                self._execute("ROLLBACK TO handler")
                self._execute("RELEASE handler")
            except sqlite3.Error as error:
                raise _store_failed(error) from error

    @property
    def whole(self) -> bool:
        """Whether the turn's transaction is still open (a full disk ends it behind our back)."""
        return self._open and self._connection.in_transaction

    def damage(self, *, thorough: bool = False) -> str | None:
        """What SQLite finds wrong when it looks at every page, in its words; None when nothing is.

        Reads the whole file, about 1 s a gigabyte. `thorough` looks at indexes against tables as well.
        """
        check = "integrity_check" if thorough else "quick_check"
        try:
            row = self._connection.execute(f"PRAGMA {check}(1)").fetchone()
        except sqlite3.Error as error:
            return str(error)
        return None if row and row[0] == "ok" else " ".join(str(row and row[0]).replace("*", " ").split())

    def migrate(self, migrations: Iterable[Migration]) -> None:
        """Bring every component's tables up to its newest migration.

        Raises:
            StoreRefused: the file belongs to a newer version of the program.
        """
        try:
            self._migrate(list(migrations))
        except sqlite3.Error as error:
            self.roll_back()
            raise _refusal(self._path, error, "brought up to date") from error

    def _migrate(self, migrations: list[Migration]) -> None:
        self._execute(
            "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)"
        )
        have = dict(self._execute("SELECT component, version FROM schema_versions").fetchall())
        newest: dict[str, int] = {}
        for migration in migrations:
            newest[migration.component] = max(newest.get(migration.component, 0), migration.version)
        for component, version in have.items():
            if component in newest and version > newest[component]:
                raise StoreRefused(
                    f"the store's {component} tables are of version {version}, this program knows {newest[component]}:"
                    " start the newer program that wrote them"
                )
        for migration in sorted(migrations, key=lambda m: (m.component, m.version)):
            if migration.version <= have.get(migration.component, 0):
                continue
            self._execute("BEGIN IMMEDIATE")
            for statement in migration.statements:
                self._execute(statement)
            self._execute(
                "INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (component) DO UPDATE"
                " SET version = excluded.version",
                (migration.component, migration.version),
            )
            self._execute("COMMIT")

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        self._open = False
        self._connection.close()

    def _failed(self, error: sqlite3.Error) -> Exception:
        """What to raise: a broken store voids the turn; a wrong statement is the fault of whoever wrote it."""
        code = getattr(error, "sqlite_errorcode", None)
        # Without a code it is the module that refused: a parameter too many, or of a type that SQL doesn't know.
        refused = code & 0xFF not in _BROKEN if code is not None else isinstance(error, _MISUSE)
        if refused and self.whole:
            return StatementFailed(f"{type(error).__name__}: {error}")
        return _store_failed(error)


def _store_failed(error: sqlite3.Error) -> StoreFailed:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return StoreBroken(f"{type(error).__name__}: {error}")
    if code in _LOCKED:
        return StoreLocked(f"{type(error).__name__}: {error}")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"{type(error).__name__}: {error}")
    return StoreFailed(f"{type(error).__name__}: {error}")


def _refusal(path: Path, error: sqlite3.Error | OSError, what: str = "opened") -> StoreRefused:
    """Why a store can't be used, and what to do."""
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if code in _LOCKED:
        return StoreRefused(f"the store {path} is {LOCKED}")
    if code in _DAMAGED:
        return StoreRefused(f"the store {path} can't be {what}, it is damaged ({error}): {ADVICE}")
    if code == sqlite3.SQLITE_FULL:
        return StoreRefused(f"the store {path} can't be {what}, the disk is full: make space, then start again")
    return StoreRefused(f"the store {path} can't be {what} ({error}); check the disk and who owns it")


def uri_to_read(path: Path) -> str:
    """How a database is opened to be read only; also on a read-only disk, where nobody can change it meanwhile."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.suppress(OSError):
        if os.statvfs(path).f_flag & os.ST_RDONLY and wal_is_empty(path):
            return uri + "&immutable=1"
    return uri


class ConnectionReader:
    """A `Reader` over a connection; whoever makes it sees to it that nobody else writes through that."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._connection.execute(sql, parameters).fetchone()
        return row

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row."""
        return self._connection.execute(sql, parameters).fetchall()

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Every row, one after the other."""
        yield from self._connection.execute(sql, parameters)

    @contextlib.contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """All that is read meanwhile stands as it was when the first of it was read."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class SqliteReader(ConnectionReader):
    """A `Reader` on a live cell's file, through a read-only connection: never blocks a turn."""

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(sqlite3.connect(uri_to_read(path), uri=True, isolation_level=None, timeout=5))
            self.one("SELECT 1 FROM schema_versions")
        except sqlite3.Error as error:
            raise StoreRefused(f"the store {path} can't be read ({error})") from error
