"""Ctrl-C: one line that says what stands, exit 130, and the same again is safe."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from actors.runtime.launch import is_running, running_processes
from tests.fakes.installation import Done, Installation, OrderFile, agree, end, open_accounts
from tests.fakes.running import eventually


def interrupt(command: subprocess.Popen[str], when: Callable[[], object]) -> Done:
    """Ctrl-C to a command once `when` holds; answers how it ended."""
    eventually(lambda: when() or command.poll() is not None, 20)
    assert command.poll() is None, "it ended before it could be interrupted"
    command.send_signal(signal.SIGINT)
    done = end(command, 30)
    assert done.status == 130, done
    assert "Traceback" not in done.err
    return done


def test_an_interrupted_submit_and_pay_say_what_stands_and_can_be_repeated(tmp_path: Path) -> None:
    """What was taken goes on; the same file and the same key pay nothing twice."""
    orders = OrderFile.write(tmp_path / "orders.csv", 3000, special=False)
    with Installation(tmp_path / "data") as system:
        open_accounts(system)
        claims = "SELECT count(*) FROM claims"
        done = interrupt(system.begin("submit", str(orders.path)), lambda: system.number(claims) > 100)
        assert len(done.err.splitlines()) == 1
        assert "submit the same file again" in done.err
        taken = system.number(claims)
        again = system.run("submit", str(orders.path), "--wait", "--json")
        assert again.status == 0, again.err
        assert again.json["duplicates"] >= min(taken, 100)
        assert again.json["duplicates"] + again.json["accepted"] == 3000
        agree(system, orders)

        words = ("pay", "--debtor", "ACC-1", "--creditor", "Late", "--creditor-account", "TEST-LATE-1")
        words = (*words, "--amount", "1", "--currency", "EUR", "--wait", "--key", "late-1")
        done = interrupt(system.begin(*words), lambda: system.statuses()["executing"])
        assert len(done.err.splitlines()) == 1
        assert "--key late-1" in done.err
        again = system.run(*words, "--json")
        assert (again.status, again.json["duplicate"]) == (0, True)
        assert system.statuses() == {"completed": 3001}


def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    """Half a system would hold the lock and serve nobody."""
    data = tmp_path / "data"
    system = Installation(data)
    try:
        done = interrupt(
            system.begin("start", "--set", "topology.cells=2"),
            lambda: any(entry.name == "cell-0" for entry in running_processes(data)),
        )
        assert len(done.err.splitlines()) == 1
        assert not is_running(data)
        assert running_processes(data) == []
        started = system.run("start", "--set", "topology.cells=2")
        assert started.status == 0, started.err
        assert system.is_whole()
    finally:
        system.__exit__()


def test_an_interrupted_foreground_start_stops_the_system(tmp_path: Path) -> None:
    """Whoever started it in a terminal ends it there."""
    data = tmp_path / "data"
    system = Installation(data)
    try:
        command = system.begin("start", "--foreground", "--set", "topology.cells=1")
        done = interrupt(command, lambda: (data / "socket").exists() and is_running(data))
        assert running_processes(data) == []
        assert len(done.err.splitlines()) == 1
    finally:
        system.__exit__()
