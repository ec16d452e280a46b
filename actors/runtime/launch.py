"""Starts, finds and ends the system of one data directory, from outside; imports no actor.

A system is found by its lock (`run/system.lock`), which all its processes hold, and ended through the
processes it has put on record (`run/processes.json`), each named by pid and start time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pickle
import resource
import secrets
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from actors.runtime.control import ProcessPlan
from actors.runtime.ending import forget_stopping, is_stopping
from actors.runtime.processes import (
    KEY_FILE_VARIABLE,
    Recorded,
    SystemLock,
    forget_all,
    recorded,
)

KEY_BYTES: Final = 32
FILES: Final = 1_024  # that a process may need to have open: clients, neighbours, its own
UNFINISHED: Final = "restore.unfinished"  # in the data directory while a backup is put in place
END_PERIOD: Final = timedelta(seconds=5)  # for killed processes to be gone
HEARD_PERIOD: Final = timedelta(seconds=10)  # for a supervisor that is told to stop to begin with it

# In the launcher's interpreter, before anything of ours is imported: the starter's own import path.
_BOOT: Final = """
import json, sys
data, patience_s, path = sys.argv[1:]
sys.path[:] = json.loads(path)
from datetime import timedelta
from pathlib import Path
from actors.runtime.launcher import serve
serve(Path(data), timedelta(seconds=float(patience_s)))
"""


class StartRefused(Exception):
    """The system can't be started; the message is one sentence that says why."""


class AlreadyRunning(StartRefused):
    """A system runs in this data directory."""


class AlreadyStarting(StartRefused):
    """Another start or stop is at work in this data directory."""


class StopFailed(Exception):
    """Processes of the system are still there although they have been killed."""


def start_system(
    plan: ProcessPlan, patience: timedelta = timedelta(seconds=60), *, prepare: Callable[[], None] | None = None
) -> None:
    """Start the system of `plan.data` and return when it is ready; it outlives this process.

    Waits for another start or stop there to end, and for a system that is stopping to be gone. Ends leftovers of an
    earlier run, and makes a new key, so that nothing signed before counts. `prepare` is called once it is certain
    that nobody else starts or runs: what the system reads as it starts may be written then, and not before.

    Raises:
        AlreadyRunning: there is one; nothing was done.
        AlreadyStarting: another start or stop there did not end in time; nothing was done.
        StartRefused: it could not be started, and nothing of it is left.
    """
    data = Path(plan.data)
    if not data.is_absolute():
        raise ValueError(f"a plan names its data directory absolutely, not as {plan.data!r}")
    for directory in (data, data / "run", data / "logs"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(directory)
    with _only_one(data, patience):
        if is_running(data) and not (is_stopping(data) and _wait_until_free(data, patience)):
            raise AlreadyRunning(f"a system already runs in {data}")
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most != resource.RLIM_INFINITY and most < FILES:
            raise StartRefused(f"a process may open {most} files here, and needs {FILES}: raise the limit (ulimit -n)")
        if (data / UNFINISHED).exists():
            raise StartRefused(f"a restore into {data} was not finished: run it again, then start")
        _end_all(data, signal.SIGKILL)
        if prepare is not None:
            prepare()
        _make_key(data / "key")
        forget_stopping(data)
        refusal = _run_launcher(data, plan, patience)
        if refusal is not None:
            _end_all(data, signal.SIGTERM)
            raise StartRefused(refusal)


@contextlib.contextmanager
def while_stopped(data: Path, patience: timedelta = timedelta(seconds=10)) -> Iterator[None]:
    """Keep every start out of the data directory.

    Raises:
        AlreadyRunning: a system runs there.
        AlreadyStarting: a start or stop is at work there and did not end in time.
    """
    (data / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(data, patience):
        if is_running(data):
            raise AlreadyRunning(f"a system runs in {data}; stop it first with: python system.py stop --data {data}")
        yield


def stop_system(data: Path, *, now: bool = False, patience: timedelta = timedelta(seconds=60)) -> bool:
    """Stop the system and return when none of its processes is left; False if there was none.

    Cells finish the turn in hand and, unless `now`, what they have buffered. The supervisor kills one that hangs;
    what is there when `patience` is over is killed from here: nothing acknowledged is lost either way.

    Raises:
        AlreadyStarting: a start is at work there and did not end in time.
        StopFailed: something could not even be killed.
    """
    if not (data / "run").is_dir():
        return False
    with _only_one(data, patience):
        running = is_running(data)
        _end_all(data, signal.SIGINT if now else signal.SIGTERM, patience if running else timedelta(0))
        return running


def is_running(data: Path) -> bool:
    """Whether a system lives in the data directory: its lock is held, and its supervisor is there."""
    if not (data / "run").is_dir() or _lock_is_free(data):
        return False
    return any(entry.name in {"supervisor", "admin"} and entry.alive() for entry in recorded(data))


def serves(data: Path) -> bool:
    """Whether a system lives in the data directory and has not begun to stop."""
    return is_running(data) and not is_stopping(data)


def running_processes(data: Path) -> list[Recorded]:
    """The processes of the system that are alive, by name, pid and start time."""
    return [entry for entry in recorded(data) if entry.alive()]


def _end_all(data: Path, first: signal.Signals, patience: timedelta = END_PERIOD) -> None:
    """Ask the supervisor to end with `first`; kill whatever of the record is left after `patience`."""
    if _lock_is_free(data):
        # Nobody of this directory lives. Where it was copied while its system ran, the record names the original's.
        forget_all(data)
        return
    if first != signal.SIGKILL:
        for entry in recorded(data):
            if entry.name == "supervisor":
                entry.send(first)
        if _wait_until_free(data, min(patience, HEARD_PERIOD)) or (
            is_stopping(data) and _wait_until_free(data, patience - HEARD_PERIOD)
        ):
            _see_off(data)
            return
    deadline = time.monotonic() + END_PERIOD.total_seconds()
    while True:
        for entry in recorded(data):
            entry.send(signal.SIGKILL)
        if _wait_until_free(data, timedelta(milliseconds=100)):
            break
        if time.monotonic() > deadline:
            left = ", ".join(f"{entry.name} ({entry.pid})" for entry in running_processes(data))
            raise StopFailed(f"the lock of {data} is still held; processes left: {left or 'none on record'}")
    _see_off(data)


def _see_off(data: Path) -> None:
    """The lock is free as soon as a process that ends has closed its files; it is there for a moment more."""
    deadline = time.monotonic() + END_PERIOD.total_seconds()
    while running_processes(data) and time.monotonic() < deadline:
        time.sleep(0.005)
    forget_all(data)


def _lock_is_free(data: Path) -> bool:
    return _wait_until_free(data, timedelta(0))


def _wait_until_free(data: Path, patience: timedelta) -> bool:
    lock = SystemLock(data)
    try:
        return lock.take(patience)
    finally:
        lock.release()


def _run_launcher(data: Path, plan: ProcessPlan, patience: timedelta) -> str | None:
    """Let a fresh interpreter build the system; the reason if it can't."""
    environment = {
        **os.environ,
        KEY_FILE_VARIABLE: str(data / "key"),
        "THESPIAN_BASE_IPADDR": "127.0.0.1",  # otherwise it looks for 8.8.8.8 to learn its address
        "THESPLOG_FILE": str(data / "logs" / "thespian.log"),
    }
    path = json.dumps([os.path.abspath(entry) for entry in sys.path])  # its own directory is another
    with open(data / "logs" / "launcher.log", "ab", opener=_for_the_owner) as output:
        launcher = subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(data), str(patience.total_seconds()), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment,
            cwd=data,
            start_new_session=True,  # the starter's terminal and its Ctrl-C are not the system's
        )
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    with launcher, contextlib.suppress(BrokenPipeError):
        launcher.stdin.write(pickle.dumps(plan))
        launcher.stdin.close()
        heard, _, _ = select.select([launcher.stdout], [], [], patience.total_seconds() + 5)
        line = launcher.stdout.readline() if heard else b""
        if line:
            refusal = json.loads(line)["refusal"]
            return None if refusal is None else str(refusal)
        launcher.kill()
    return f"the launcher ended without an answer; see {data / 'logs' / 'launcher.log'}"


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _close_to_others(directory: Path) -> None:
    """A directory that was there before may be open to others; nothing in this one is their business."""
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        try:
            directory.chmod(mode & 0o700)
        except OSError as error:
            raise StartRefused(
                f"{directory} is open to others and can't be closed to them ({error.strerror}); start in a directory"
                " of your own"
            ) from error


def _make_key(path: Path) -> None:
    """A new secret that only the owner of the directory can read, in place of the old."""
    draft = path.with_name(".key")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
    finally:
        os.close(descriptor)
    draft.replace(path)


@contextlib.contextmanager
def _only_one(data: Path, patience: timedelta) -> Iterator[None]:
    """One start or stop at a time."""
    deadline = time.monotonic() + patience.total_seconds()
    descriptor = os.open(data / "run" / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise AlreadyStarting(f"another start or stop is at work in {data}") from None
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
