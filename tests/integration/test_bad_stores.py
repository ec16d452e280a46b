"""Stores that are cut off, damaged, missing, locked or older than they were: each is named, and none is half read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from actors.admin.verify import PAGES, SEALED, verify_data
from actors.messaging.system_messages import Busy
from actors.runtime.clock import SystemClock
from actors.runtime.rounds import Escalated
from actors.store.session import StoreRefused
from tests.fakes.bank import DEBTOR, WAYS, Bank

CELL = Path("cells", "cell-0")
STORE, WAL, HEAD = CELL / "store.db", CELL / "store.db-wal", Path("heads", "cell-0.head")
FILES = (SEALED, PAGES, "postings sum to zero, and balances to what they say")
SAFE = {"synchronous": "FULL", "check_at_start": "auto"}


def bank(data: Path, **store: object) -> Bank:
    """A cell whose commits are promised to last."""
    return Bank(data, WAYS[0], store=SAFE | store)


def work(bank: Bank, payments: int) -> None:
    """Payments, each to its end."""
    known = len(bank.statuses())
    bank.pay_all([bank.order(idempotency_key=f"W-{known + at}") for at in range(payments)])
    bank.rest()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a cell that was stopped in good order."""
    data = tmp_path_factory.mktemp("stopped")
    with bank(data) as it:
        it.open_account()
        work(it, 60)
    return data


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a killed process leaves, as a copy: part of what was committed stands in the WAL alone."""
    data, copy = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("killed")
    with bank(data) as it:
        it.open_account()
        for _ in range(5):
            work(it, 20)
        shutil.copytree(data, copy, dirs_exist_ok=True)
    return copy


@pytest.fixture
def data(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the stopped cell's data, to be spoilt."""
    shutil.copytree(request.getfixturevalue("stopped"), tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def torn(tmp_path: Path, killed: Path) -> Path:
    """A copy of the killed cell's data, to be spoilt."""
    shutil.copytree(killed, tmp_path / "data")
    return tmp_path / "data"


def refusal(data: Path, **store: object) -> str:
    """That a start refuses with one sentence that says what to do; and that it left the files alone."""
    before = {path: path.read_bytes() for path in (data / STORE, data / WAL) if path.exists()}
    with pytest.raises(StoreRefused) as refused:
        bank(data, **store)
    after = {path: path.read_bytes() for path in before if path.exists()}
    assert before.keys() - after.keys() <= {data / WAL}
    assert "\n" not in str(refused.value)
    assert "restore a backup" in str(refused.value) or "start again" in str(refused.value)
    return str(refused.value)


def starts(data: Path, **store: object) -> set[str]:
    """That a start succeeds and a payment can be made; every payment's status."""
    with bank(data, **store) as it:
        work(it, 1)
        return set(it.statuses().values())


def opens(data: Path, **store: object) -> int:
    """That a start succeeds, whatever the rail knows better; how many payments there are."""
    it = bank(data, **store)
    try:
        return len(it.statuses())
    finally:
        it.cell.close()


def test_an_unspoilt_copy_starts(data: Path) -> None:
    """What was copied whole is good, also with a WAL that was not yet taken in."""
    assert starts(data) == {"completed"}


def test_an_unspoilt_copy_of_a_killed_cell_starts(torn: Path) -> None:
    """A WAL that was not yet taken in belongs to the store."""
    assert (torn / WAL).stat().st_size > 100_000
    assert starts(torn) == {"completed"}


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_store_that_was_cut_off_is_refused(data: Path, kept: float) -> None:
    """SQLite takes an empty file for a new database, and a short one for a whole one until it reads what is missing."""
    size = (data / STORE).stat().st_size
    os.truncate(data / STORE, int(size * kept))
    assert ("truncated" if kept else "is empty") in refusal(data)


def test_a_store_that_is_gone_is_refused(data: Path) -> None:
    """A new one in its place would be an empty bank."""
    (data / STORE).unlink()
    assert "is missing" in refusal(data)
    assert not (data / STORE).exists()


def test_a_store_that_somebody_has_written_over_is_refused(data: Path) -> None:
    """It is not a database any more."""
    (data / STORE).write_bytes(b"not a database at all" * 1_000)
    assert "no database any more" in refusal(data)


@pytest.mark.parametrize("seed", range(12))
def test_a_page_of_garbage_is_found_at_the_start(data: Path, seed: int) -> None:
    """Before any of it is used: what was read then would be half of the truth."""
    chance, content = Random(seed), (data / STORE).read_bytes()
    # Those that hold rows or lead to them; a page that is free or part of one long value says nothing of itself.
    trees = [at for at in range(4096, len(content), 4096) if content[at] in (2, 5, 10, 13)]
    with open(data / STORE, "r+b") as file:
        file.seek(chance.choice(trees))
        file.write(chance.randbytes(4096))
    assert "damaged" in refusal(data)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_wal_that_was_cut_off_is_noticed(torn: Path, part: float) -> None:
    """SQLite takes what is left of it without a word: acknowledged payments would be gone."""
    os.truncate(torn / WAL, int((torn / WAL).stat().st_size * part))
    assert "its WAL was cut off" in refusal(torn)


def test_a_wal_with_a_damaged_frame_is_noticed(torn: Path) -> None:
    """From there on SQLite throws it away."""
    with open(torn / WAL, "r+b") as file:
        file.seek((torn / WAL).stat().st_size // 2)
        file.write(b"\xff" * 64)
    assert "its WAL was cut off" in refusal(torn)


def test_a_wal_that_is_gone_is_noticed(torn: Path) -> None:
    """As after a copy of the database file alone."""
    (torn / WAL).unlink()
    refusal(torn)


def test_with_less_than_full_durability_a_shorter_wal_is_what_was_asked_for(torn: Path) -> None:
    """After a power cut there is nothing to refuse; the log says what is missing."""
    os.truncate(torn / WAL, int((torn / WAL).stat().st_size * 0.9))
    assert 0 < opens(torn, synchronous="NORMAL") < 100


def test_an_older_copy_of_the_store_alone_is_noticed(data: Path, tmp_path: Path) -> None:
    """Its note knows that there was more."""
    older = tmp_path / "older.db"
    shutil.copy(data / STORE, older)
    assert starts(data) == {"completed"}
    shutil.copy(older, data / STORE)
    assert "older copy was put in its place" in refusal(data)


def test_whoever_takes_the_note_away_goes_on_with_what_is_there(data: Path, tmp_path: Path) -> None:
    """A person's decision, as the refusal says; the store is looked through for it."""
    older = tmp_path / "older.db"
    shutil.copy(data / STORE, older)
    assert starts(data) == {"completed"}
    shutil.copy(older, data / STORE)
    (data / HEAD).unlink()
    assert opens(data) == 60


def test_a_note_that_can_not_be_read_makes_the_store_be_looked_through(data: Path) -> None:
    """It is no reason to refuse a store that is whole."""
    (data / HEAD).write_bytes(b"\x00" * 200)
    assert starts(data) == {"completed"}


@pytest.mark.parametrize("when", ["store first", "wal first"])
def test_a_directory_copied_while_its_cell_was_at_work_is_whole_or_refused(tmp_path: Path, when: str) -> None:
    """Files that were copied one after the other stand for different moments."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    files = [STORE, WAL, HEAD] if when == "store first" else [HEAD, WAL, STORE]
    (copy / CELL).mkdir(parents=True)
    (copy / HEAD).parent.mkdir()
    with bank(data, checkpoint_pages=100) as it:
        it.open_account()
        work(it, 50)
        for name in files:
            shutil.copy(data / name, copy / name)
            work(it, 50)
    try:
        opens(copy)
    except StoreRefused as refused:
        said = str(refused)
    else:
        said = "restore a backup, if there is anything: " + "; ".join(
            violation["text"] for violation in verify_data(copy, deep=True)["violations"] if violation["check"] in FILES
        )
        assert said.endswith(": ")
    assert "restore a backup" in said


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE postings SET amount = amount * 2 WHERE reference = (SELECT min(debit_id) FROM debits)",
        "DELETE FROM log_parts WHERE part_id = (SELECT max(part_id) FROM log_parts)",
        "DELETE FROM seals WHERE number = 2",
    ],
)
def test_what_was_changed_behind_the_programs_back_is_named_by_verify(data: Path, statement: str) -> None:
    """SQLite finds nothing wrong with it."""
    with closing(sqlite3.connect(data / STORE)) as connection:
        connection.execute("DROP TRIGGER postings_stay")
        connection.execute(statement)
        connection.commit()
    violations = verify_data(data, pause=lambda seconds: None)["violations"]
    assert any("as they were written" in violation["check"] for violation in violations)


def test_a_copy_whose_log_was_changed_is_refused_at_its_first_start(data: Path) -> None:
    """A directory that comes from elsewhere is looked through, and with it every seal."""
    with closing(sqlite3.connect(data / STORE)) as connection:
        connection.execute("UPDATE log_parts SET at = at + 1 WHERE part_id = (SELECT min(part_id) FROM log_parts)")
        connection.commit()
    assert "log_parts of" in refusal(data)


def test_damage_met_while_running_stops_the_cell_and_is_named_at_the_next_start(tmp_path: Path) -> None:
    """Trying again would not mend it, and what is still in memory can't be trusted to be all."""
    it = bank(tmp_path, cache_mb=1, checkpoint_pages=100)
    it.open_account()
    for _ in range(6):
        work(it, 100)
    with open(tmp_path / STORE, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    with pytest.raises(Escalated, match=r"damaged .*restore a backup"):
        work(it, 200)
    assert not any(isinstance(reply.message, Busy) for reply in it.cell.replies), "nobody is told to try again"
    it.cell.core._session.close()
    it.cell.core._head.close(clean=False)
    it.cell.core._unlock()
    assert "damaged" in refusal(tmp_path)


def test_a_store_that_another_program_holds_is_refused_with_that_reason(data: Path) -> None:
    """Nothing is wrong with it, so nobody is sent to his backups."""
    with closing(sqlite3.connect(data / STORE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked by another program" in refusal(data)
    assert starts(data) == {"completed"}


def test_a_store_that_another_program_holds_for_a_while_makes_clients_wait(data: Path) -> None:
    """They hear `Busy`, and the cell goes on when it is let go."""
    with bank(data) as it:
        with closing(sqlite3.connect(data / STORE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            it.cell.post("disbursement", it.order())
            it.cell.until(lambda: any(isinstance(reply.message, Busy) for reply in it.cell.replies))
        work(it, 1)


def test_a_clock_that_was_set_back_repeats_no_id_and_delays_nothing(data: Path) -> None:
    """The store knows how late it was; payments come after that, with moments that go on."""
    with bank(data) as it:
        it.clock.jump(timedelta(days=2))  # a machine whose clock ran ahead
        work(it, 3)
        ahead = it.clock.now()
    it = bank(data)
    it.cell.close()
    it.clock = it.cell._clock = SystemClock()  # type: ignore[assignment]  # it has been set right
    it.cell._clock = None  # the cell asks the machine, and its own store
    it.cell.open()
    with it:
        ids = [it.pay() for _ in range(3)]
        for payment_id in ids:
            assert it.until_status(payment_id, "completed") == "completed"
        known = it.cell.ask("SELECT payment_id, created_at FROM tracker_payments ORDER BY payment_id")
        assert [row[0] for row in known][-3:] == ids, "ids go on in order"
        assert all(row[1] >= int(ahead.timestamp() * 1e6) for row in known[-3:])
        assert datetime.now(UTC) < ahead
        assert it.balance(DEBTOR)[1] == 0
