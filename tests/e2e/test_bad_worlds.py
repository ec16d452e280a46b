"""Worlds in which something is wrong with the machine: one sentence that says what to do, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.runtime.launch import running_processes
from actors.vocabulary.money import Money
from tests.fakes.installation import ROOT, Done, Installation, end, open_accounts
from tests.fakes.running import eventually


def order(key: str) -> SubmitPayment:
    """A payment as a program submits it."""
    return SubmitPayment(
        idempotency_key=key,
        debtor_account=f"ACC-{key[-1]}",
        creditor_name="Ann",
        creditor_account="TEST-OK",
        amount=Money(100, "EUR"),
    )


def pay(system: Installation, keys: list[str]) -> None:
    """Payments, each to its end."""
    with system.client() as client:
        assert all(isinstance(reply, PaymentAccepted) for _, reply in client.submit([order(key) for key in keys]))
    eventually(lambda: set(system.statuses()) == {"completed"}, 30)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a system of two cells that has been stopped."""
    data = tmp_path_factory.mktemp("used") / "data"
    with Installation(data) as system:
        open_accounts(system)
        pay(system, [f"used-{number}" for number in range(60)])
    return data


def refuses(data: Path) -> Done:
    """That a start there ends with one line and exit 1, and leaves no process behind."""
    done = end(Installation(data).begin("start", "--set", "topology.cells=2"))
    assert (done.status, done.out) == (1, ""), done
    assert len(done.err.splitlines()) == 1
    assert "should not happen" not in done.err
    assert running_processes(data) == []
    return done


def test_one_cells_store_put_back_from_an_older_copy_is_refused(used: Path, tmp_path: Path) -> None:
    """It would give out numbers a second time, and its peer would drop what is new as known: payments would be lost."""
    data, older = tmp_path / "data", tmp_path / "older"
    shutil.copytree(used, data)
    shutil.copytree(data / "cells" / "cell-1", older)
    with Installation(data) as system:
        pay(system, [f"more-{number * 7}" for number in range(60)])
    shutil.rmtree(data / "cells" / "cell-1")
    shutil.copytree(older, data / "cells" / "cell-1")
    said = refuses(data).err
    assert "older" in said
    assert "restore a backup" in said
    (data / "heads" / "cell-1.head").unlink()  # whoever takes the note away is told by the peer
    assert "the store of cell-1 is older than that of cell-0" in refuses(data).err


def test_one_cells_store_that_is_gone_with_its_directory_is_refused(used: Path, tmp_path: Path) -> None:
    """An empty one in its place would take its accounts for unknown."""
    data = tmp_path / "data"
    shutil.copytree(used, data)
    shutil.rmtree(data / "cells" / "cell-1")
    assert "is missing" in refuses(data).err
    shutil.rmtree(data / "heads")
    shutil.rmtree(data / "cells" / "cell-1")
    assert "the store of cell-1 is older than that of cell-0" in refuses(data).err


def test_an_older_copy_of_everything_is_one_story_and_starts(used: Path, tmp_path: Path) -> None:
    """A copy of a stopped system is a good copy: it is looked through, and goes on."""
    data = tmp_path / "data"
    shutil.copytree(used, data)
    with Installation(data) as system:
        pay(system, ["copied-1"])
        assert system.violations() == []


def test_a_directory_copied_while_the_system_was_at_work_is_whole_or_refused(tmp_path: Path) -> None:
    """Its files stand for different moments; what a start accepts holds, or `verify` names what does not."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    with Installation(data, {"store.checkpoint_pages": "100"}) as system, system.client() as client:
        open_accounts(system)
        answers = client.submit([order(f"torn-{number}") for number in range(600)])
        for _ in range(150):
            next(answers)
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("socket", "run", "key"))
        assert len(list(answers)) == 450
    began = end(Installation(copy).begin("start", "--set", "topology.cells=2"))
    if began.status:
        assert len(began.err.splitlines()) == 1
        assert "restore a backup" in began.err
        return
    with contextlib.ExitStack() as stack:
        system = Installation(copy)
        stack.callback(system.stop, now=True)
        checks = {check["name"]: check["ok"] for check in system.run("verify", "--json").json["checks"]}
        assert checks["postings sum to zero, and balances to what they say"]
        assert checks["log and postings are as they were written, nothing is missing or added"]


@pytest.mark.parametrize("command", [("start", "--set", "topology.cells=2"), ("stop",), ("stop", "--now")])
def test_what_is_done_to_a_copy_of_a_running_system_leaves_the_original_alone(
    used: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Its record of processes was copied, too: who is named there belongs to another directory."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    shutil.copytree(used, data)
    with Installation(data) as system, contextlib.ExitStack() as stack:
        pids = system.pids()
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("socket"))
        stack.callback(Installation(copy).stop, now=True)
        end(Installation(copy).begin(*command))
        assert system.pids() == pids
        pay(system, ["alive-1"])


def cut(path: Path) -> None:
    """Half of it is left."""
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    """Nothing is left."""
    os.truncate(path, 0)


def garbled(path: Path) -> None:
    """Something has written into the middle of it."""
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 8192)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(cut, "truncated"), (emptied, "is empty"), (Path.unlink, "is missing"), (garbled, "damaged")],
)
def test_a_spoilt_store_is_named_and_everything_else_is_left_alone(
    used: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """The other cell's store is as it was, and a backup in its place starts."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    shutil.copytree(used, data)
    assert Installation(data).run("backup", str(backup)).status == 0
    store = data / "cells" / "cell-1" / "store.db"
    spoil(store)
    done = refuses(data)
    assert said in done.err
    assert str(store) in done.err
    assert Installation(data).run("restore", str(backup), "--force").status == 0
    with Installation(data) as system:
        assert system.statuses() == {"completed": 60}
        assert system.violations() == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a file system can't be mounted here, and permissions don't bind root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_read_only_disk_is_named_and_what_is_on_it_can_still_be_read(used: Path, disk: Path) -> None:
    """As a file system becomes when its disk fails: payments can be looked at, and nothing be started."""
    data = disk / "data"
    shutil.copytree(used, data)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said = refuses(data).err
    assert "can't be written to" in said
    assert "read-only" in said
    system = Installation(data)
    assert len(system.run("payments", "--limit", "100", "--json").json["payments"]) == 60
    assert system.run("verify").status == 0
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    with system:
        pay(system, ["again-1"])


def limit_files(pid: int, more: int) -> tuple[int, int]:
    """Let a running process open so many more files and no further; what its limit was."""
    opened = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + more, before[1]))
    return before


@pytest.mark.parametrize("who", ["cell-0", "gateway"])
def test_a_process_without_file_descriptors_is_replaced_and_nothing_is_lost(
    used: Path, tmp_path: Path, who: str
) -> None:
    """Without a single one left not even waiting works; its successor has what it needs."""
    data = tmp_path / "data"
    shutil.copytree(used, data)
    with Installation(data) as system:
        with system.client() as client:
            answers = client.submit([order(f"narrow-{number}") for number in range(200)])
            for _ in range(50):
                assert isinstance(next(answers)[1], PaymentAccepted)
            limit_files(system.pids()[who], 0)
            assert all(isinstance(reply, PaymentAccepted) for _, reply in answers)
        eventually(lambda: system.statuses() == {"completed": 260}, 30)
        eventually(system.is_whole)
        assert system.violations() == []


def test_a_start_with_too_few_file_descriptors_is_refused_with_the_number(tmp_path: Path) -> None:
    """Better than a gateway that falls when the hundredth client comes."""
    system = Installation(tmp_path / "data")
    done = end(system.begin("start", prefix=("prlimit", "--nofile=200:200")))
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "may open 200 files here, and needs 1024" in done.err


def test_a_start_takes_as_many_file_descriptors_as_it_may(tmp_path: Path) -> None:
    """A shell's usual limit is lower than what it allows."""
    system = Installation(tmp_path / "data")
    with contextlib.ExitStack() as stack:
        stack.callback(system.stop, now=True)
        done = end(system.begin("start", prefix=("prlimit", "--nofile=200:4096")))
        assert done.status == 0, done.err
        for pid in system.pids().values():
            assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] >= 1024


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_streams_are_closed_does_its_work(closed: str) -> None:
    """As under a service manager; a stream that isn't there is nobody's failure."""
    command = f"exec {sys.executable} {ROOT / 'system.py'} workflow list {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
