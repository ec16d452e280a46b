"""What every store promises to the runtime: one suite, inherited by each backend, so that they behave alike."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from actors.store.session import Migration, Reader, Row, Session, StatementFailed, StoreFailed, StoreRefused
from actors.store.sqlite import SqliteReader, SqliteSession

THINGS = Migration(
    "things", 1, ("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE CHECK (name <> ''))",)
)
COLOURS = Migration("things", 2, ("ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'",))
INSERT = "INSERT INTO things (name) VALUES (?)"
NAMES = "SELECT name FROM things ORDER BY id"


class Store(Session, Protocol):
    """A session as the runtime has it: it alone begins, commits, guards and takes back."""

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def roll_back(self) -> None: ...
    def guard(self) -> None: ...
    def release(self) -> None: ...
    def take_back(self) -> None: ...
    def take_sealed(self) -> dict[str, list[Row]]: ...
    def migrate(self, migrations: Any) -> None: ...
    def close(self) -> None: ...
    @property
    def whole(self) -> bool: ...


class StoreContract(ABC):
    """Inherit it, and say how a store of the backend is opened, read and broken."""

    @abstractmethod
    def connect(self) -> Store:
        """A session on the one store of this test."""

    @abstractmethod
    def read(self) -> Reader:
        """A reader beside the session."""

    @abstractmethod
    def fill_up(self, store: Store) -> None:
        """Let the store have no room left."""

    @abstractmethod
    def make_readonly(self, store: Store) -> None:
        """Let the store refuse all writing."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """A store with the table `things`, no transaction open."""
        store = self.connect()
        store.migrate([THINGS])
        yield store
        store.close()

    # Seals

    def test_what_is_sealed_is_what_stands_of_the_turn(self, store: Store) -> None:
        """A handler that is taken back has added nothing, and neither has a turn that was abandoned."""
        store.begin()
        store.seal("things", (1, "abandoned"))
        store.roll_back()
        store.begin()
        store.seal("things", (1, "a"), (2, "b"))
        store.guard()
        store.seal("things", (3, "taken back"))
        store.take_back()
        store.guard()
        store.seal("others", (4, "c"))
        store.release()
        assert store.take_sealed() == {"things": [(1, "a"), (2, "b")], "others": [(4, "c")]}
        assert store.take_sealed() == {}
        store.roll_back()

    # Transactions

    def test_what_was_committed_is_there_after_opening_again(self, store: Store) -> None:
        """A commit is the only promise that a cell makes to the outside."""
        store.begin()
        store.write(INSERT, ("a",))
        store.commit()
        store.close()
        assert self._names(self.connect()) == ["a"]

    def test_what_was_rolled_back_never_happened(self, store: Store) -> None:
        """An abandoned turn leaves nothing."""
        store.begin()
        store.write(INSERT, ("a",))
        store.roll_back()
        assert self._names(store) == []

    def test_what_was_not_committed_is_gone_after_closing(self, store: Store) -> None:
        """A cell that dies is what its last commit says."""
        store.begin()
        store.write(INSERT, ("a",))
        store.close()
        assert self._names(self.connect()) == []

    def test_a_transaction_reads_its_own_writes(self, store: Store) -> None:
        """A handler sees what others did before it in the turn."""
        store.begin()
        store.write(INSERT, ("a",))
        assert store.one("SELECT name FROM things") == ("a",)
        assert store.all(NAMES) == [("a",)]

    @pytest.mark.parametrize(
        "statement",
        [
            lambda store: store.one("SELECT 1"),
            lambda store: store.all("SELECT 1"),
            lambda store: store.write(INSERT, ("a",)),
            lambda store: store.write_many(INSERT, [("a",)]),
            lambda store: store.commit(),
        ],
        ids=["one", "all", "write", "write_many", "commit"],
    )
    def test_no_statement_runs_outside_a_transaction(self, store: Store, statement: Callable[[Store], Any]) -> None:
        """It would commit by itself, whatever becomes of the turn."""
        with pytest.raises(StoreFailed, match="no transaction"):
            statement(store)
        assert self._names(store) == []

    def test_rolling_back_where_nothing_is_open_is_harmless(self, store: Store) -> None:
        """Whoever abandons a turn needn't know how far it came."""
        store.roll_back()
        store.begin()
        store.roll_back()
        store.roll_back()
        assert self._names(store) == []

    def test_a_second_begin_is_refused_as_a_failure_of_the_store(self, store: Store) -> None:
        """Two turns at once would share one fate."""
        store.begin()
        with pytest.raises(StoreFailed):
            store.begin()

    def test_a_write_says_how_many_rows_it_changed(self, store: Store) -> None:
        """The count is how a service knows whether it was first."""
        store.begin()
        insert = "INSERT INTO things (name) VALUES (?) ON CONFLICT (name) DO NOTHING"
        assert [store.write(insert, ("a",)), store.write(insert, ("a",))] == [1, 0]
        store.write_many(INSERT, [("b",), ("c",)])
        assert store.write("UPDATE things SET name = name || '!'") == 3

    def test_a_row_that_is_not_there_is_none(self, store: Store) -> None:
        """Absence is no error."""
        store.begin()
        assert store.one("SELECT name FROM things WHERE id = 7") is None
        assert store.all(NAMES) == []

    def test_whole_says_whether_the_transaction_is_open(self, store: Store) -> None:
        """The runtime asks before it takes a handler's writes back."""
        assert not store.whole
        store.begin()
        assert store.whole
        store.commit()
        assert not store.whole

    # Handlers

    def test_a_handlers_writes_stand_when_it_returns(self, store: Store) -> None:
        """Within the turn, and after it."""
        store.begin()
        store.guard()
        store.write(INSERT, ("a",))
        store.release()
        store.commit()
        assert self._names(store) == ["a"]

    def test_only_the_writes_of_the_handler_that_raised_go(self, store: Store) -> None:
        """What others did in the turn stands."""
        store.begin()
        for name, good in (("a", True), ("b", False), ("c", True)):
            store.guard()
            store.write(INSERT, (name,))
            store.write_many(INSERT, [(name + name,)])
            (store.release if good else store.take_back)()
        store.commit()
        assert self._names(store) == ["a", "aa", "c", "cc"]

    def test_a_handler_that_wrote_nothing_can_be_taken_back(self, store: Store) -> None:
        """And takes nothing of the others with it."""
        store.begin()
        store.write(INSERT, ("a",))
        store.guard()
        assert store.all(NAMES) == [("a",)]
        store.take_back()
        store.guard()
        store.release()
        store.commit()
        assert self._names(store) == ["a"]

    def test_a_rolled_back_turn_leaves_no_guard_behind(self, store: Store) -> None:
        """The next turn starts clean."""
        store.begin()
        store.guard()
        store.write(INSERT, ("a",))
        store.roll_back()
        store.begin()
        store.write(INSERT, ("b",))
        store.take_back()
        store.commit()
        assert self._names(store) == ["b"]

    # Failures

    @pytest.mark.parametrize("name", ["a", "", None])
    def test_a_broken_constraint_is_the_handlers_failure(self, store: Store, name: str | None) -> None:
        """The turn goes on without that handler."""
        store.begin()
        store.write(INSERT, ("a",))
        store.guard()
        with pytest.raises(sqlite3.IntegrityError):
            store.write(INSERT, (name,))
        assert store.whole
        store.take_back()
        store.commit()
        assert self._names(store) == ["a"]

    @pytest.mark.parametrize(
        ("sql", "parameters"),
        [
            ("SELEKT", ()),
            ("INSERT INTO nowhere VALUES (1)", ()),
            (INSERT, ()),
            (INSERT, ("a", "b")),
            (INSERT, (object(),)),
        ],
        ids=["no SQL", "no table", "too few parameters", "too many", "of no type"],
    )
    def test_a_wrong_statement_is_the_handlers_failure(
        self, store: Store, sql: str, parameters: tuple[Any, ...]
    ) -> None:
        """A mistake in one service may not stop the cell as a full disk does."""
        store.begin()
        store.write(INSERT, ("a",))
        store.guard()
        with pytest.raises(StatementFailed):
            store.write(sql, parameters)
        assert store.whole
        store.take_back()
        store.commit()
        assert self._names(store) == ["a"]

    def test_a_full_store_voids_the_turn(self, store: Store) -> None:
        """Nothing of it counts, and the store can be read on."""
        store.begin()
        store.write(INSERT, ("a",))
        store.commit()
        self.fill_up(store)
        store.begin()
        with pytest.raises(StoreFailed):
            store.write_many(INSERT, [(str(at) * 10_000,) for at in range(100)])
        store.roll_back()
        assert self._names(store) == ["a"]

    def test_a_store_that_is_read_only_voids_the_turn(self, store: Store) -> None:
        """A disk that was mounted anew after an error looks like this."""
        self.make_readonly(store)
        with pytest.raises(StoreFailed):
            self._add(store, "a")
        store.roll_back()

    def test_a_store_that_somebody_else_writes_to_voids_the_turn(self, store: Store) -> None:
        """A cell is the only writer; when it is not, it must not believe that it is."""
        other = self.connect()
        other.begin()
        with pytest.raises(StoreFailed):
            self._add(store, "a")
        store.roll_back()
        other.roll_back()
        other.close()

    # Readers

    def test_a_reader_sees_what_is_committed_and_nothing_else(self, store: Store) -> None:
        """Reads never enter a turn, nor does a turn leak into them."""
        self._add(store, "a")
        reader = self.read()
        store.begin()
        store.write(INSERT, ("b",))
        assert reader.all(NAMES) == [("a",)]
        assert reader.one("SELECT count(*) FROM things") == (1,)
        store.commit()
        assert reader.all(NAMES) == [("a",), ("b",)]

    # Migrations

    def test_migrations_run_once_in_the_order_of_their_numbers(self, store: Store) -> None:
        """Whatever the order in which they are listed."""
        self._add(store, "a")
        store.migrate([COLOURS, THINGS])
        store.migrate([COLOURS, THINGS])
        store.begin()
        assert store.all("SELECT name, colour FROM things") == [("a", "grey")]

    def test_a_store_of_a_newer_program_is_refused(self, store: Store) -> None:
        """An older program would write what the newer one can't read."""
        store.migrate([THINGS, COLOURS])
        with pytest.raises(StoreRefused, match="start the newer program"):
            store.migrate([THINGS])

    def test_a_migration_that_fails_leaves_the_store_as_it_was(self, store: Store) -> None:
        """It can be mended and run again."""
        broken = Migration("things", 2, (*COLOURS.statements, "CREATE TABLE things (twice)"))
        with pytest.raises(StoreRefused, match="up to date"):
            store.migrate([THINGS, broken])
        self._add(store, "a")
        store.migrate([THINGS, COLOURS])
        store.begin()
        assert store.all("SELECT colour FROM things") == [("grey",)]

    # What the tests are made of

    def _add(self, store: Store, name: str) -> None:
        store.begin()
        store.write(INSERT, (name,))
        store.commit()

    def _names(self, store: Store) -> list[Any]:
        store.begin()
        rows: list[Row] = store.all(NAMES)
        store.roll_back()
        return [row[0] for row in rows]


class TestSqlite(StoreContract):
    """The store of one machine."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "cell" / "store.db"

    def connect(self) -> SqliteSession:
        session = SqliteSession.open(self.path, synchronous="OFF")
        session._connection.execute("PRAGMA busy_timeout = 1")
        return session

    def read(self) -> SqliteReader:
        return SqliteReader(self.path)

    def fill_up(self, store: Any) -> None:
        store._connection.execute("PRAGMA max_page_count = 8")

    def make_readonly(self, store: Any) -> None:
        store._connection.execute("PRAGMA query_only = ON")

    def test_a_file_that_is_no_database_is_refused_with_a_sentence(self) -> None:
        """Whoever starts the cell reads what to do."""
        self.path.parent.mkdir()
        self.path.write_text("Dear diary, " * 100)
        with pytest.raises(StoreRefused, match="can't be opened"):
            self.connect()

    def test_a_store_that_does_not_exist_can_not_be_read(self) -> None:
        """Reading creates nothing."""
        with pytest.raises(StoreRefused, match="can't be read"):
            self.read()
        assert not self.path.exists()

    def test_the_file_is_open_to_its_owner_alone(self, store: Any) -> None:
        """It holds who pays whom."""
        assert self.path.parent.stat().st_mode & 0o077 == 0

    def test_a_session_that_was_closed_refuses_everything(self, store: Any) -> None:
        """A late worker finds no store that it could harm."""
        store.begin()
        store.close()
        with pytest.raises(StoreFailed):
            store.write(INSERT, ("a",))
        with pytest.raises(StoreFailed):
            store.begin()
