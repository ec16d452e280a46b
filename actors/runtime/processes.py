"""What every process of a system does about itself: it dies with its parent, logs to its own file, and
is on record with its pid and start time. Knows no actor and no payment.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import faulthandler
import fcntl
import io
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

KEY_FILE_VARIABLE: Final = "PAYSAGA_KEY_FILE"
PR_SET_PDEATHSIG: Final = 1
LOG_BYTES: Final = 32 << 20  # of a process's log; the one before is kept, too
LOG_LOOK_BYTES: Final = 64 << 10

log = logging.getLogger(__name__)

# Thespian replaces `logging.root` in every actor by one that sends each record as a message. This is the
# real one, kept from before.
_ROOT: Final = logging.root
_MANAGER: Final = logging.Logger.manager


@dataclass(frozen=True, slots=True)
class Recorded:
    """One process as it stands in `run/processes.json`; pid and start time together name it for ever."""

    name: str
    pid: int
    started: int  # clock ticks since the machine started
    boot: str

    def alive(self) -> bool:
        """Whether this very process still runs (a later one with the same pid doesn't count)."""
        return self.boot == _boot_id() and _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> bool:
        """Signal exactly this process; False if it is gone. Nobody who inherited its pid is hit."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            # Looked at after the descriptor is held: from here on the pid can't change hands unseen.
            if not self.alive():
                return False
            signal.pidfd_send_signal(descriptor, number)
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)


def data_directory() -> Path:
    """The directory whose system this process belongs to, as `launch` put it into the environment."""
    return Path(os.environ[KEY_FILE_VARIABLE]).parent


def recorded(data: Path) -> list[Recorded]:
    """Every process on record, alive or not; nothing if the file is missing or not ours to read."""
    try:
        entries = json.loads((data / "run" / "processes.json").read_text())
        return [Recorded(**entry) for entry in entries]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def record(data: Path, name: str, pid: int | None = None) -> None:
    """Put a process (this one, unless `pid` is given) on record under `name`; replaces an earlier one.

    On a full disk it stays off the record, and runs: it would die with its parent all the same.
    """
    pid = pid or os.getpid()
    started = _started(pid)
    if started is None:
        return
    mine = Recorded(name, pid, started, _boot_id())
    try:
        with _locked(data / "run" / "processes.lock"):
            others = [entry for entry in recorded(data) if entry.name != name]
            write_atomically(data / "run" / "processes.json", [asdict(entry) for entry in [*others, mine]])
    except OSError as error:
        log.error("%s (process %s) could not be put on record: %s", name, pid, error)


def forget_all(data: Path) -> None:
    """Empty the record: whoever stood there has been ended."""
    with _locked(data / "run" / "processes.lock"):
        write_atomically(data / "run" / "processes.json", [])


def write_atomically(path: Path, content: object) -> None:
    """Replace a JSON file so that a reader sees the old text or the new, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(content, indent=1))
        draft.chmod(0o600)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def enter(data: Path, name: str, parent: int | None = None) -> None:
    """Make this process `name` of the system in `data`: bound to its parent, logging, on record."""
    if parent is not None:
        die_with(parent)
    log_to(data / "logs" / f"{name}.log")
    from actors import logs  # slow: commands look at processes too, and log nothing

    logs.set_up(*_log_settings(data))
    record(data, name)


def _log_settings(data: Path) -> tuple[str, str]:
    """Level and format as the effective settings say; the defaults where nobody wrote any (tests of processes)."""
    try:
        chosen = json.loads((data / "run" / "settings.json").read_bytes())["log"]
        return str(chosen["level"]), str(chosen["format"])
    except (OSError, ValueError, KeyError, TypeError):
        return "info", "auto"


def die_with(parent: int) -> None:
    """From now on this process is killed when `parent`, which forked it, ends in whatever way."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def log_to(path: Path) -> None:
    """Send this process's output, its log records and the traces of its crashes to one file.

    Undoes Thespian's replacement of the root logger, under which each record would travel as a message.
    """
    _write_to(path)
    sys.stdout, sys.stderr = LogStream(1, path), LogStream(2, path)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _ROOT.handlers[:] = [handler]
    _ROOT.setLevel(logging.INFO)
    logging.root = _ROOT
    logging.Logger.root = _ROOT
    logging.Logger.manager = _MANAGER
    # Thespian installs Python handlers for all signals; one for SIGSEGV would spin for ever.
    faulthandler.enable(sys.stderr)


def _write_to(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)


class LogStream(io.TextIOBase):
    """A log that is never in the way: a line that a full disk refuses is lost, and nobody who writes it hears so.

    An exception from a log line, in the middle of undoing a turn, would be worse than the full disk. A file that
    has grown to `LOG_BYTES` is put aside as `….1`, in the place of the one before.
    """

    def __init__(self, descriptor: int, path: Path | None = None) -> None:
        self._descriptor = descriptor
        self._path = path
        self._written = LOG_LOOK_BYTES  # since the file's size was last looked at: others write to it as well

    def write(self, text: str) -> int:
        """Write at once, as far as possible."""
        with contextlib.suppress(OSError):
            if self._written >= LOG_LOOK_BYTES and self._path is not None:
                self._put_aside(self._path)
            self._written += os.write(self._descriptor, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def _put_aside(self, path: Path) -> None:
        self._written = 0
        if os.fstat(self._descriptor).st_size >= LOG_BYTES:
            path.replace(path.with_name(path.name + ".1"))
            _write_to(path)

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """For `faulthandler`."""
        return self._descriptor


class SystemLock:
    """The lock that says whether a system lives in a data directory.

    The process that launches a system takes it, and all processes of the system inherit it by fork: it is
    free exactly when the last of them is gone.
    """

    def __init__(self, data: Path) -> None:
        path = data / "run" / "system.lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # enough to be locked

    def take(self, patience: timedelta = timedelta(0)) -> bool:
        """Take it, waiting up to `patience`; False if somebody else holds it all that time."""
        deadline = time.monotonic() + patience.total_seconds()
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
            time.sleep(0.005)

    def release(self) -> None:
        """Let go of it, in this process and in every one that inherited it from here."""
        os.close(self._descriptor)


def wait_for_exit(process: Recorded, patience: timedelta) -> bool:
    """Wait until a process is gone; False if it still runs when `patience` is over."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return True
    try:
        return not process.alive() or has_exited(descriptor, patience)
    finally:
        os.close(descriptor)


def has_exited(pidfd: int, patience: timedelta = timedelta(0)) -> bool:
    """Whether the process behind a pidfd has ended (reaped or not)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(patience.total_seconds() * 1000))


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None if it is gone or a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
