"""A real system of processes round the fake core and gateway, for one test."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from actors.runtime.control import ProcessPlan
from actors.runtime.launch import running_processes, start_system, stop_system

Found = TypeVar("Found")

PLAN = ProcessPlan(
    data="",
    cells=("cell-0", "cell-1"),
    core_factory="tests.fakes.processes:EchoCore",
    gateway_class="tests.fakes.processes:FakeGateway",
    heartbeat_interval=timedelta(milliseconds=100),
    heartbeat_deadline=timedelta(seconds=10),
)


def eventually(condition: Callable[[], Found], within_s: float = 10) -> Found:
    """Wait until a condition holds and answer its value; fail with its last value at the deadline."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        time.sleep(0.01)
    return value


class RunningSystem:
    """Starts a system in a directory; leaves nothing behind when the `with` ends."""

    def __init__(self, data: Path, **changes: Any) -> None:
        self.data = data
        self.plan = replace(PLAN, data=str(data), **changes)

    def __enter__(self) -> RunningSystem:
        start_system(self.plan)
        return self

    def __exit__(self, *exception: object) -> None:
        stop_system(self.data, now=True, patience=timedelta(seconds=5))

    def ask(self, timeout_s: float = 5, **request: Any) -> dict[str, Any]:
        """One request to the fake gateway over its Unix socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout_s)
            client.connect(str(self.data / "socket"))
            client.sendall(json.dumps(request).encode())
            line = client.makefile().readline()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, **request: Any) -> None:
        """A request whose answer never comes."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.data / "socket"))
            client.sendall(json.dumps(request).encode())

    def echoes(self, peer: str = "cell-0") -> bool:
        """Whether a frame goes to a cell and comes back."""
        return self.ask(to=peer, payload="hello") == {"payload": "hello"}

    def cell(self, name: str) -> dict[str, Any]:
        """What the supervisor says of a cell."""
        cells: list[dict[str, Any]] = self.ask(do="status")["cells"]
        return next(cell for cell in cells if cell["name"] == name)

    def pids(self) -> dict[str, int]:
        """Every living process on record."""
        return {entry.name: entry.pid for entry in running_processes(self.data)}

    def kill(self, name: str) -> int:
        """`kill -9` one process; answers its pid."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid
