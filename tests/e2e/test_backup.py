"""A backup of a system at work, and a system that goes on from it: nothing acknowledged before it is missing."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.vocabulary.money import Money
from tests.fakes.installation import Done, Installation, end, open_accounts
from tests.fakes.running import eventually


def order(key: str) -> SubmitPayment:
    """A payment as a program submits it; the bank executes it at once or never says anything."""
    return SubmitPayment(
        idempotency_key=key,
        debtor_account=f"ACC-{key[-1]}",
        creditor_name="Ann",
        creditor_account="TEST-OK",
        amount=Money(100, "EUR"),
    )


class Load:
    """Payments that are submitted all the time, from a thread; `acknowledged` are those that were answered."""

    def __init__(self, system: Installation) -> None:
        self.acknowledged: list[str] = []
        self._system = system
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        eventually(lambda: len(self.acknowledged) > 200)
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        with self._system.client() as client:
            while not self._ending.is_set():
                orders = [order(f"load-{number + at}") for at in range(100)]
                number += 100
                for each, reply in client.submit(orders):
                    assert isinstance(reply, PaymentAccepted)
                    self.acknowledged.append(each.idempotency_key)


def back_up(system: Installation, target: Path) -> Done:
    """Make a backup that holds."""
    done = system.run("backup", str(target), "--json")
    assert done.status == 0, done
    return done


def claims(data: Path) -> set[str]:
    """The keys of all payments that were accepted there."""
    found: set[str] = set()
    for path in data.glob("cells/*/store.db"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found.update(row[0] for row in connection.execute("SELECT idempotency_key FROM claims"))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Path]]:
    """A stopped system of two cells with payments, and a backup of it."""
    place = tmp_path_factory.mktemp("made")
    with Installation(place / "data") as system:
        open_accounts(system)
        with system.client() as client:
            list(client.submit([order(f"key-{number}") for number in range(60)]))
        eventually(lambda: system.statuses() == {"completed": 60}, 30)
        system.stop()
        back_up(system, place / "backup")
        yield system, place / "backup"


@pytest.mark.parametrize("topology", ["partitioned", "isolated"])
def test_a_backup_under_load_has_all_that_was_acknowledged_before_and_a_system_goes_on_from_it(
    tmp_path: Path, topology: str
) -> None:
    """All stores at one moment: nothing on its way between them is lost or doubled, or found amiss."""
    with Installation(tmp_path / "data", topology=topology) as system:
        open_accounts(system)
        with Load(system) as load:
            before = set(load.acknowledged)
            done = back_up(system, tmp_path / "backup")
            after = len(load.acknowledged)
        assert after > len(before), "payments were taken meanwhile"
        assert done.json["verify"]["ok"]
        assert system.violations() == []
    restored = Installation(tmp_path / "elsewhere", topology=topology)
    assert restored.run("restore", str(tmp_path / "backup")).status == 0
    assert claims(restored.data) >= before
    with restored as again:
        eventually(lambda: set(again.statuses()) == {"completed"}, 60)
        with again.client() as client:
            replies = [reply for _, reply in client.submit([order(key) for key in sorted(before)])]
        assert all(isinstance(reply, PaymentAccepted) and reply.duplicate for reply in replies)
        assert {state for state, _ in again.journal().values()} == {"executed"}
        assert again.violations() == []


def test_what_the_bank_executed_after_the_cut_is_named_by_verify(
    made: tuple[Installation, Path], tmp_path: Path
) -> None:
    """No backup of ours brings back what the bank alone knows; it can be seen, payment by payment."""
    data = tmp_path / "data"
    system = Installation(data)
    assert system.run("restore", str(made[1])).status == 0
    with system:
        done = system.run(
            *("pay", "--debtor", "ACC-1", "--creditor", "Ann", "--creditor-account", "TEST-OK", "--amount", "1.00"),
            *("--currency", "EUR", "--key", "later", "--wait", "--json"),
        )
        assert done.status == 0
        payment = done.json["payment_id"]
    refused = system.run("restore", str(made[1]))
    assert refused.status == 1
    assert "something is stored in" in refused.err
    done = system.run("restore", str(made[1]), "--force", "--keep-rail", "--json")
    assert done.status == 5
    assert {violation["payment_id"] for violation in done.json["verify"]["violations"]} == {payment}
    assert Path(done.json["moved_aside"], "cells", "cell-0", "store.db").exists()


def test_nothing_is_put_under_a_running_system(made: tuple[Installation, Path], tmp_path: Path) -> None:
    """Not even by force."""
    with Installation(tmp_path / "data") as system:
        done = system.run("restore", str(made[1]), "--force")
        assert done.status == 1
        assert "stop it first" in done.err


def unfinished(backup: Path) -> None:
    """The machine went down while it was made."""
    (backup / "manifest.json").unlink()


def cut_off(backup: Path) -> None:
    """A store was copied in part."""
    store = backup / "cells" / "cell-1" / "store.db"
    with open(store, "r+b") as file:
        file.truncate(store.stat().st_size // 2)


def without_a_cell(backup: Path) -> None:
    """Somebody has tidied up."""
    shutil.rmtree(backup / "cells" / "cell-0")


def changed(backup: Path) -> None:
    """One byte of the rail's journal is another one."""
    path = next(backup.glob("rail/*.db"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def of_the_future(backup: Path) -> None:
    """A newer program made it."""
    path = backup / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def without_its_moment(backup: Path) -> None:
    """Somebody has edited the manifest."""
    path = backup / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["made_at"]
    path.write_text(json.dumps(manifest))


def pointing_elsewhere(backup: Path) -> None:
    """A manifest from somebody who wants another file read, or written."""
    path = backup / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][0]["path"] = "../../etc/passwd"
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unfinished, "not finished"),
        (cut_off, "not what was backed up"),
        (without_a_cell, "can't be read"),
        (changed, "not what was backed up"),
        (of_the_future, "format 2"),
        (pointing_elsewhere, "outside of it"),
        (without_its_moment, "can't be read"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(
    made: tuple[Installation, Path], tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """Half a backup is worse than none."""
    backup = tmp_path / "backup"
    shutil.copytree(made[1], backup)
    spoil(backup)
    system = Installation(tmp_path / "data")
    done = system.run("restore", str(backup))
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert said in done.err
    assert not system.data.exists()


def test_a_restore_that_was_not_finished_is_refused_by_start_and_can_be_run_again(
    made: tuple[Installation, Path], tmp_path: Path
) -> None:
    """Half of the cells are no system."""
    system = Installation(tmp_path / "data")
    assert system.run("restore", str(made[1])).status == 0
    (system.data / "restore.unfinished").write_text("")
    shutil.rmtree(system.data / "cells" / "cell-1")
    refused = end(system.begin("start", "--set", "topology.cells=2"))
    assert refused.status == 1
    assert "was not finished: run it again" in refused.err
    assert system.run("restore", str(made[1])).status == 0
    with system:
        assert system.statuses() == {"completed": 60}


def test_a_backup_is_itself_something_to_verify(made: tuple[Installation, Path]) -> None:
    """Every night, on another machine, without starting anything."""
    done = end(Installation(made[1]).begin("verify", "--deep", "--json"))
    assert (done.status, done.json["ok"]) == (0, True)
    assert sorted(path.name for path in made[1].rglob("*") if path.is_file()) == sorted(
        ["manifest.json", "partitions.json", "settings.json", "store.db", "store.db", "cell-0.db", "cell-1.db"]
    )


def test_a_backup_goes_into_no_directory_that_has_something_in_it(
    made: tuple[Installation, Path], tmp_path: Path
) -> None:
    """What is there is somebody's."""
    (tmp_path / "mine").write_text("mine")
    done = made[0].run("backup", str(tmp_path))
    assert (done.status, (tmp_path / "mine").read_text()) == (1, "mine")
    assert "has something in it" in done.err


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte: smaller than any backup."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full_gets_no_half_of_a_backup(made: tuple[Installation, Path], tiny_disk: Path) -> None:
    """One line that says so, and the space is free again."""
    done = made[0].run("backup", str(tiny_disk / "backup"))
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "no backup was made in" in done.err
    assert list(tiny_disk.iterdir()) == []


def test_a_disk_that_is_full_gets_no_half_of_a_restored_system(
    made: tuple[Installation, Path], tiny_disk: Path
) -> None:
    """What is written first is only a draft: nothing of it counts, and the backup is untouched."""
    system = Installation(tiny_disk / "data")
    done = system.run("restore", str(made[1]))
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "was not finished (No space left on device)" in done.err
    assert not (system.data / "cells").exists()
    assert not (system.data / "partitions.json").exists()
    assert not (system.data / ".restoring").exists()
