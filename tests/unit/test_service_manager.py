"""What a service manager hears, on a socket of its own, as systemd would read it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.admin.service_manager import ServiceManager


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """The manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.setblocking(False)
        yield made


def heard(listening: socket.socket) -> list[str]:
    """Every datagram so far."""
    found = []
    while True:
        try:
            found.append(listening.recv(4096).decode())
        except BlockingIOError:
            return found


def test_it_hears_ready_and_stopping(listening: socket.socket) -> None:
    """`systemctl start` returns when payments are taken, not when a process exists."""
    manager = ServiceManager.of({"NOTIFY_SOCKET": listening.getsockname()})
    manager.say_ready("serves in /srv/paysaga")
    manager.say_stopping()
    assert heard(listening) == ["READY=1\nSTATUS=serves in /srv/paysaga", "STOPPING=1"]


@pytest.mark.parametrize(("answers", "signs"), [(True, ["WATCHDOG=1"]), (False, [])])
def test_a_sign_of_life_is_given_for_a_system_that_answers_only(
    listening: socket.socket, answers: bool, signs: list[str]
) -> None:
    """A supervisor in an endless loop is found by nobody else."""
    manager = ServiceManager.of(
        {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}
    )
    manager.say_alive(lambda: answers)
    assert heard(listening) == signs


def test_signs_of_life_are_no_more_frequent_than_asked(listening: socket.socket) -> None:
    """Each one costs a question to the supervisor."""
    manager = ServiceManager.of({"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "60000000"})
    for _ in range(3):
        manager.say_alive(lambda: True)
    assert heard(listening) == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"WATCHDOG_USEC": "5"}, {"WATCHDOG_USEC": "x", "WATCHDOG_PID": "1"}],
)
def test_without_a_manager_nothing_is_said_and_nothing_fails(environment: dict[str, str]) -> None:
    """A terminal is no service manager."""
    manager = ServiceManager.of(environment)
    manager.say_ready("serves")
    manager.say_alive(lambda: True)
    manager.say_stopping()
