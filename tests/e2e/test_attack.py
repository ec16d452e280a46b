"""What anybody on the same machine may try: no byte of a stranger is decoded, and nobody else can read or connect."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect  # type: ignore[import-untyped]  # ships no types
import psutil  # type: ignore[import-untyped]  # its stubs are not among our tools
import pytest

from tests.fakes.installation import ORDINARY_USER, ROOT, Installation, end
from tests.fakes.running import eventually

PAY = ("pay", "--debtor", "ACC-1", "--creditor", "Ann", "--creditor-account", "TEST-OK", "--amount", "1",
       "--currency", "EUR")  # fmt: skip
PROCESSES = {"admin", "logger", "supervisor", "gateway", "cell-0", "cell-1"}


class Evil:
    """Creates a file as soon as anybody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running system of two cells."""
    with Installation(tmp_path_factory.mktemp("attack") / "data") as running:
        yield running


def listening(system: Installation) -> dict[str, set[tuple[str, int]]]:
    """The TCP addresses that each process listens on."""
    return {
        name: {
            (each.laddr.ip, each.laddr.port)
            for each in psutil.Process(pid).net_connections("tcp")
            if each.status == psutil.CONN_LISTEN
        }
        for name, pid in system.pids().items()
    }


def attacks(payload: bytes) -> list[bytes]:
    """The payload as Thespian's own transport frames it, with lengths that lie, and bare."""
    return [
        struct.pack("!I", len(payload)) + payload,
        b"%d " % len(payload) + payload,
        b"-5 " + payload,
        struct.pack("!I", 0xFFFFFFFF) + payload,
        b"PSGA\x01\x00" + struct.pack("!I", len(payload)) + bytes(28) + bytes(32) + payload + bytes(32),
        payload,
        b"\x00" * 100_000,
    ]


def throw(address: tuple[str, int] | str, data: bytes) -> None:
    """Send it and wait until the other side has hung up, or answers nothing for a moment."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(0.3)
        try:
            connection.connect(address)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except (TimeoutError, OSError):
            return


def test_no_pickle_of_a_stranger_is_ever_opened(system: Installation, tmp_path: Path) -> None:
    """Thespian unpickles whatever connects; here every port of every process refuses, and the system serves on."""
    traces = []
    addresses = listening(system)
    assert set(addresses) == PROCESSES
    assert all(addresses.values()), "every process listens somewhere"
    pids = system.pids()
    doors: list[tuple[str, int] | str] = [each for found in addresses.values() for each in found]
    for door in [*doors, str(system.data / "socket")]:
        trace = tmp_path / f"trace-{len(traces)}"
        traces.append(trace)
        for attack in attacks(pickle.dumps((None, Evil(trace)))):
            throw(door, attack)
    opened = system.run("account", "open", "ACC-1", "--currency", "EUR", "--deposit", "10.00")
    assert opened.status == 0, opened.err
    assert system.run(*PAY, "--wait").status == 0
    assert [trace for trace in traces if trace.exists()] == []
    assert system.pids() == pids, "no process has fallen"


def test_every_process_listens_on_this_machine_alone(system: Installation) -> None:
    """Another machine can't even knock."""
    found = {ip for addresses in listening(system).values() for ip, _ in addresses}
    assert found == {"127.0.0.1"}


def open_to_others(data: Path) -> list[str]:
    """What anybody but the owner may read, write or list."""
    found = []
    for path in (data, *data.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 and not path.is_symlink():
            found.append(f"{path.relative_to(data)} {mode:o}")
    return found


@pytest.fixture
def liberal() -> Iterator[None]:
    """Whatever makes a file here would let others read it, unless it says otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("liberal")
def test_only_the_owner_can_read_or_reach_a_system_that_was_used(tmp_path: Path) -> None:
    """The key signs what processes believe, the socket takes orders, and the rest is whom somebody pays."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)  # as `mkdir` makes it
    watchlist = tmp_path / "list.csv"
    watchlist.write_text("entry_id,name\n1,Viktor Blockov\n")
    with Installation(data) as system:
        assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600
        assert stat.S_IMODE((data / "socket").stat().st_mode) == 0o600
        for words in (
            ("account", "open", "ACC-1", "--currency", "EUR", "--deposit", "10.00", "--email", "debtor@example.org"),
            ("lists", "load", str(watchlist)),
            (*PAY, "--email", "creditor@example.org", "--wait"),
            ("payments", "--json"),
            ("verify",),
        ):
            done = system.run(*words)
            assert done.status == 0, done.err
        shell = pexpect.spawn(sys.executable, [str(ROOT / "system.py"), "shell", "--data", str(data)], timeout=30)
        shell.expect("paysaga>")
        shell.sendline("quit")
        shell.expect(pexpect.EOF)
        shell.close()
        eventually(lambda: list(data.glob("mail/**/*.eml")) and list(data.glob("replica/*.db")))
        assert open_to_others(data) == []
        system.kill("cell-0")
        eventually(lambda: "cell-0" in system.pids())
        assert open_to_others(data) == []
    assert system.run("verify").status == 0  # which opens every store once more
    assert open_to_others(data) == []
    made = {path.relative_to(data).parts[0] for path in data.rglob("*")}
    assert {"cells", "run", "logs", "mail", "rail", "replica", "watchlists", "key", "partitions.json"} <= made
    assert (data / "run" / "shell-history").exists()


def test_another_user_is_refused_in_one_line(system: Installation) -> None:
    """Whoever does not own the directory learns only that."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can give the directory to somebody else")
    everything = [system.data, *system.data.rglob("*")]
    for path in everything:
        os.lchown(path, 65_534, 65_534)
    try:
        for words in (
            ("status",),
            ("stop",),
            ("account", "list"),
            ("account", "open", "A", "--currency", "EUR"),
            ("start",),
        ):
            done = end(system.begin(*words, prefix=ORDINARY_USER))
            assert (done.status, len(done.err.splitlines())) == (1, 1), (words, done)
            assert "Traceback" not in done.err
            assert "should not happen" not in done.err
    finally:
        for path in everything:
            os.lchown(path, 0, 0)
    assert set(system.pids()) == PROCESSES
