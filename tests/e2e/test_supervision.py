"""Supervision as an operator has it: cells that hang or can't be brought back, the head killed, a service manager."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from actors.runtime.launch import running_processes
from actors.runtime.processes import Recorded, wait_for_exit
from tests.fakes import poison
from tests.fakes.installation import ACCOUNTS, Done, Installation, OrderFile, by_key, end, open_accounts
from tests.fakes.running import eventually

SECONDS = timedelta(seconds=10)  # for processes to be gone
QUICK_HEARTBEAT = {"supervision.heartbeat_seconds": "0.2", "supervision.silent_seconds": "3"}


def pay(system: Installation, debtor: str, key: str, account: str = "TEST-OK", *more: str) -> Done:
    """One payment, to its end."""
    words = ["pay", "--debtor", debtor, "--creditor", "Ann Example", "--creditor-account", account]
    return system.run(*words, "--amount", "1", "--currency", "EUR", "--key", key, "--wait", "--timeout", "60", *more)


def cell_of(text: str) -> str:
    """The cell of two in which an account, or a key, lives."""
    from actors.store.placement import spread
    from actors.vocabulary.slots import slot_of

    return spread(2).cell_for("ledger", slot_of(text))


def living_in(cell: str, names: Iterator[str]) -> str:
    """The first of these names that lives in a cell."""
    return next(name for name in names if cell_of(name) == cell)


def keys(prefix: str) -> Iterator[str]:
    """Idempotency keys without end."""
    return (f"{prefix}-{number}" for number in range(1_000))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A system of one cell that several tests look at; the last one stops it."""
    with Installation(tmp_path_factory.mktemp("running") / "data", cells=1) as system:
        open_accounts(system)
        yield system


def all_gone(processes: list[Recorded]) -> bool:
    """Whether the kernel says of each of them, by its pidfd, that it has ended."""
    return all(wait_for_exit(process, SECONDS) for process in processes)


def test_a_handler_in_an_endless_loop_is_found_and_its_message_put_away(tmp_path: Path) -> None:
    """The heartbeat ends the process, the marker finds the message; all others are paid, and no one is given up."""
    orders = OrderFile.write(tmp_path / "orders.csv", 100, special=False)
    settings = {**QUICK_HEARTBEAT, "runtime.suspect_limit": "1"}
    with Installation(tmp_path / "data", settings, core_factory="tests.fakes.poison:build_cell") as system:
        open_accounts(system)
        submit = system.begin("submit", str(orders.path), "--wait", "--json")
        debtor = ACCOUNTS[0]
        stuck = system.begin(
            "pay", "--debtor", debtor, "--creditor", "Endless Payee", "--creditor-account", "TEST-LATE-0.1", "--amount",
            "1", "--currency", "EUR", "--key", "endless", "--remittance", poison.ENDLESS, "--wait", "--json",
        )  # fmt: skip
        assert end(stuck, 60).status == 4  # it needs attention
        done = end(submit)
        assert done.status == 0, done.err
        assert [row[0] for row in system.rows("SELECT type FROM dead_letters")] == ["RailAnswered"]
        found = by_key(system)
        assert {key: found[key] for key in orders.by_key} == orders.by_key
        assert found["endless"] == "needs_attention"
        hung = system.cell(cell_of(debtor))
        assert hung["restarts"] >= 2  # in a turn of many, then alone
        assert "did not answer" in (system.data / "logs" / "supervisor.log").read_text()
        assert system.run("health").status == 0
        assert system.violations() == []


def test_a_cell_that_can_not_be_brought_back_is_named_and_the_others_serve(tmp_path: Path) -> None:
    """A monitor gets one line and exit status 1, an operator sees the reason, and half the customers notice nothing."""
    with Installation(tmp_path / "data", {"supervision.intensity": "0"}) as system:
        open_accounts(system)
        healthy = system.run("health", "--json")
        assert (healthy.status, healthy.json["healthy"], healthy.err) == (0, True, "")
        system.kill("cell-1")
        eventually(lambda: system.cell("cell-1")["state"] == "given_up")

        sick = system.run("health", "--json")
        assert (sick.status, sick.json["healthy"], sick.json["state"]) == (1, False, "degraded")
        assert [each["serves"] for each in sick.json["processes"]] == [True, True, False]
        assert sick.err.startswith("paysaga: cell-1 is given up after 1 failures within 0:01:00: its process was ended")
        assert sick.err.count("\n") == 1
        status = system.run("status")
        assert status.status == 0
        assert "given up after 1 failures" in status.out

        serving = living_in("cell-0", iter(ACCOUNTS))
        paid = pay(system, serving, living_in("cell-0", keys("served")))
        assert paid.status == 0, paid.err
        debtor, key = living_in("cell-1", iter(ACCOUNTS)), living_in("cell-1", keys("lost"))
        refused = pay(system, debtor, key, "X", "--timeout", "1")
        assert refused.status == 1
        assert "cell-1 is down" in refused.err

        system.stop()
        assert system.run("health").status == 1
        system.start()
        assert system.run("health").status == 0
        assert pay(system, living_in("cell-1", iter(ACCOUNTS)), "after").status == 0


def test_a_head_that_does_not_answer_is_not_healthy(running: Installation) -> None:
    """A process that is there and does nothing must not pass for one that serves."""
    supervisor = running.kill("supervisor", signal.SIGSTOP)
    sick = running.run("health", "--json")
    supervisor.send(signal.SIGCONT)
    assert (sick.status, sick.json["state"]) == (1, "unreachable")
    assert sick.err.count("\n") == 1
    eventually(lambda: running.run("health").status == 0)


def test_a_killed_logger_disturbs_no_payment_and_is_no_orphan(running: Installation) -> None:
    """It serves nobody but Thespian."""
    logger = running.kill("logger")
    eventually(lambda: running.pids().get("logger", logger.pid) != logger.pid)
    assert pay(running, ACCOUNTS[0], "logged").status == 0
    processes = running_processes(running.data)
    assert running.stop()
    assert all_gone(processes)


# Under a service manager


class Manager:
    """A service manager as systemd is one: starts in the foreground, is notified, restarts what failed."""

    def __init__(self, system: Installation, directory: Path) -> None:
        self.system = system
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(directory / "notify"))
        self.socket.settimeout(60)

    def start(self) -> subprocess.Popen[str]:
        """As `systemctl start` with Type=notify: returns when it is ready."""
        environment = {"NOTIFY_SOCKET": self.socket.getsockname(), "WATCHDOG_USEC": "900000"}
        prefix = ("env", *(f"{name}={value}" for name, value in environment.items()))
        service = self.system.begin("start", "--foreground", "--set", "topology.cells=1", prefix=prefix)
        self.hears("READY=1")
        return service

    def hears(self, word: str) -> None:
        """Wait for a word."""
        while not self.socket.recv(4096).decode().startswith(word):
            pass


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """One with nothing started; nothing is left in the end."""
    made = Manager(Installation(tmp_path / "data", cells=1), tmp_path)
    yield made
    made.system.__exit__()
    made.socket.close()


def test_a_service_manager_starts_watches_restarts_and_stops_it(manager: Manager) -> None:
    """Ready is said when payments are taken; a dead head is a failure; SIGTERM is an orderly end with status 0."""
    service = manager.start()
    open_accounts(manager.system)
    manager.hears("WATCHDOG=1")
    processes = running_processes(manager.system.data)
    manager.system.kill("supervisor")
    failed = end(service)
    assert failed.status == 1
    assert "the system has ended by itself" in failed.err
    assert all_gone(processes)

    service = manager.start()
    assert pay(manager.system, ACCOUNTS[0], "after").status == 0
    processes = running_processes(manager.system.data)
    service.send_signal(signal.SIGTERM)
    manager.hears("STOPPING=1")
    assert end(service).status == 0
    assert all_gone(processes)


def test_what_the_service_manager_kills_takes_the_system_along_and_starts_anew_at_once(manager: Manager) -> None:
    """Otherwise a system would run on that no manager knows, and the new start would find it in its place."""
    service = manager.start()
    processes = running_processes(manager.system.data)
    service.kill()  # `env` has replaced itself by what it started
    service.wait(10)
    service = manager.start()
    assert all_gone(processes)
    service.send_signal(signal.SIGTERM)
    assert end(service).status == 0
