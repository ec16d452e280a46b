"""A disk that is full, a directory that can't be used: one sentence, nothing half done, and it goes on afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.gateway.client import NoAnswer
from actors.runtime.launch import running_processes
from actors.vocabulary.money import Money
from tests.fakes.installation import ORDINARY_USER, Done, Installation, end, open_accounts
from tests.fakes.running import eventually

NOBODY = 65_534


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not one byte is left on the disk inside the `with`."""
    filler = disk / "filler"
    with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert os.statvfs(disk).f_bavail == 0
    try:
        yield
    finally:
        filler.unlink()


def pay(key: str, *more: str) -> tuple[str, ...]:
    """The words of a payment."""
    to = ("--creditor", "Ann", "--creditor-account", "TEST-OK", "--amount", "1.00", "--currency", "EUR")
    return ("pay", "--debtor", f"ACC-{key[-1]}", *to, "--key", key, *more)


def order(key: str) -> SubmitPayment:
    """A payment as a program submits it."""
    return SubmitPayment(
        idempotency_key=key,
        debtor_account=f"ACC-{key[-1]}",
        creditor_name="Ann",
        creditor_account="TEST-OK",
        amount=Money(100, "EUR"),
    )


def submit_what_fits(system: Installation, orders: list[SubmitPayment]) -> set[str]:
    """Submit until the stores take no more; the keys of those that were answered."""
    answered = set()

    def submit() -> None:
        for each, _ in client.submit(orders, timeout=1):
            answered.add(each.idempotency_key)

    with system.client() as client, pytest.raises(NoAnswer, match="the store refused the write"):
        submit()
    return answered


def test_a_full_disk_loses_nothing_and_payments_go_on_when_there_is_space(small_disk: Path) -> None:
    """What was acknowledged is stored; whoever was not hears so in one line, and repeats it with the same key."""
    settings = {"store.checkpoint_pages": "100", "execution.query_after_seconds": "2"}
    orders = [order(f"key-{number}") for number in range(300)]
    with Installation(small_disk, settings) as system:
        open_accounts(system)
        assert system.run(*pay("before-0", "--wait")).status == 0
        pids = system.pids()
        with filled(small_disk):
            acknowledged = submit_what_fits(system, orders)
            keys = ("full-1", "full-2", "full-3")
            commands = [system.begin(*pay(key, "--wait", "--timeout", "1")) for key in keys]
            refused = [end(command) for command in commands]
            assert all(done.status in {1, 4} and len(done.err.splitlines()) == 1 for done in refused)
            assert any("repeated without harm" in done.err for done in refused)
            claims = {row[0] for row in system.rows("SELECT idempotency_key FROM claims")}
            assert claims >= acknowledged, "nobody is told a thing that is not stored"
            assert system.run("status").status == 0
        assert system.pids() == pids, "no process has fallen"
        with system.client() as client:
            replies = [reply for _, reply in client.submit(orders)]
            assert {type(reply) for reply in replies} == {PaymentAccepted}
        for key in keys:
            assert system.run(*pay(key, "--wait")).status == 0
        eventually(lambda: system.statuses() == {"completed": 304}, 30)
        assert [state for state, _ in system.journal().values()] == ["executed"] * 304
        assert system.violations() == []


def test_a_cell_killed_on_a_full_disk_comes_back_when_there_is_space(small_disk: Path) -> None:
    """Neither its log nor its place on record may keep it from starting; it takes payments when it can store them."""
    with Installation(small_disk, {"store.checkpoint_pages": "100"}) as system, system.client() as client:
        open_accounts(system)
        with filled(small_disk):
            submit_what_fits(system, [order(f"key-{number}") for number in range(300)])
            client.control({"do": "kill", "name": "cell-0"})
            eventually(lambda: (cell := system.cell("cell-0"))["restarts"] and cell["state"] == "ready")
        eventually(system.is_whole, 20)
        done = system.run(*pay("after-3", "--wait"))
        assert done.status == 0, done.err
        assert system.violations() == []


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a system of two cells that has been stopped."""
    data = tmp_path_factory.mktemp("used") / "data"
    with Installation(data) as system:
        open_accounts(system)
    return data


def refuses(data: Path, *, prefix: tuple[str, ...] = (), cells: int = 2) -> Done:
    """That a start there ends with one line and exit 1, and leaves no process behind."""
    system = Installation(data)
    done = end(system.begin("start", "--set", f"topology.cells={cells}", prefix=prefix))
    if done.status == 0:
        system.stop(now=True)
    assert (done.status, done.out) == (1, ""), done
    assert len(done.err.splitlines()) == 1
    assert "should not happen" not in done.err
    if data.is_dir():
        assert running_processes(data) == []
    return done


def newer_map(data: Path) -> None:
    """As a newer program would lay the directory out."""
    path = data / "partitions.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def newer_tables(data: Path) -> None:
    """As a newer program would leave one cell's store."""
    with contextlib.closing(sqlite3.connect(data / "cells" / "cell-1" / "store.db")) as connection:
        connection.execute("UPDATE schema_versions SET version = 99 WHERE component = 'ledger'")
        connection.commit()


def no_database(data: Path) -> None:
    """Somebody has written over a store."""
    (data / "cells" / "cell-0" / "store.db").write_bytes(b"not a database at all" * 1000)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [(newer_map, "newer program"), (newer_tables, "newer program"), (no_database, "cell-0/store.db")],
)
def test_a_directory_that_this_program_can_not_use_is_refused_with_the_reason(
    used: Path, tmp_path: Path, spoil: Callable[[Path], None], word: str
) -> None:
    """Going on would destroy what somebody else has stored."""
    data = tmp_path / "data"
    shutil.copytree(used, data)
    spoil(data)
    assert word in refuses(data).err


def test_another_number_of_cells_is_refused_and_the_recorded_one_still_starts(used: Path, tmp_path: Path) -> None:
    """Accounts live in the cell that has them; a guess would split them from their money."""
    data = tmp_path / "data"
    shutil.copytree(used, data)
    assert "laid out for 2 cells, the configuration asks for 3" in refuses(data, cells=3).err
    with Installation(data) as system:
        assert system.run(*pay("key-1", "--wait")).status == 0


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    """Nothing is deleted to make room."""
    data = tmp_path / "data"
    data.write_text("mine")
    assert "is a file" in refuses(data).err
    assert data.read_text() == "mine"


def test_what_belongs_to_somebody_else_is_refused_with_its_name(used: Path, tmp_path: Path) -> None:
    """A directory or a store that can't be written is named, and who should look at it."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can give files to somebody else")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o555)
    os.chown(theirs, NOBODY, NOBODY)
    assert "can't be written to" in refuses(theirs, prefix=ORDINARY_USER).err
    data = tmp_path / "data"
    shutil.copytree(used, data)
    store = data / "cells" / "cell-1" / "store.db"
    os.chown(store, NOBODY, NOBODY)
    store.chmod(0o444)
    assert "cell-1" in refuses(data, prefix=ORDINARY_USER).err
