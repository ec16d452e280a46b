"""Starting, stopping and looking at a system."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, INTERRUPTED, Command, CommandFailed, Interrupted, Invocation

_WATCH_SECONDS: Final = 0.5


def start(invocation: Invocation) -> int:
    """Start the system of the data directory, unless one runs there."""
    from actors.runtime.launch import AlreadyRunning, is_running, start_system
    from config.settings import EMBEDDED, effective_settings, read_settings, write_effective

    given = invocation.arguments
    overrides = dict(given.set or [])
    settings = read_settings(given.config or EMBEDDED, overrides)
    if given.data is None:
        invocation.data = Path(settings.data).expanduser().absolute()
    data = invocation.data
    settings = settings.model_copy(update={"data": str(data)})
    prepare(data)
    began = time.monotonic()
    already = is_running(data)
    ending = _Ending() if given.foreground else None
    begun = False

    def write() -> None:
        nonlocal begun
        begun = True
        write_effective(settings, data)

    if not already:
        try:
            start_system(invocation.plan(settings, data), prepare=write)
        except AlreadyRunning:
            already = True
        except KeyboardInterrupt:
            if not begun:  # somebody else's start was waited for, and is none of ours to end
                raise
            _take_back(data)
    if already:
        settings = effective_settings(data)
    facts = {
        "state": "running",
        "data": str(data),
        "already_running": already,
        "cells": settings.topology.cells,
        "seconds": round(time.monotonic() - began, 3),
        **addresses(data),
    }
    invocation.screen.show(facts, lambda facts: _say_how_to_reach(invocation, facts))
    if ending is None or already:
        return DONE
    return _stay(invocation, ending)


def stop(invocation: Invocation) -> int:
    """Stop the system; nothing to do if none runs."""
    from actors.runtime.launch import stop_system

    stopped = invocation.data.is_dir() and stop_system(invocation.data, now=invocation.arguments.now)
    answer = {"state": "stopped", "was_running": stopped, "data": str(invocation.data)}
    text = f"stopped the system in {invocation.data}" if stopped else f"no system runs in {invocation.data}"
    invocation.screen.show(answer, lambda _: invocation.screen.say(text))
    return DONE


def status(invocation: Invocation) -> int:
    """Everything about the running system at a glance."""
    from actors.admin.status import render, stopped_status, system_status
    from actors.runtime.launch import is_running

    if not is_running(invocation.data):
        if invocation.screen.as_json:
            invocation.screen.document(stopped_status(invocation.data))
        raise CommandFailed(not_running(invocation.data), FAILED)
    with invocation.system() as client:
        document = system_status(client, invocation.data)
    invocation.screen.show(document, lambda document: render(invocation.screen, document))
    return DONE


def shell(invocation: Invocation) -> int:
    """The same commands at a prompt."""
    from actors.admin.shell import run_shell

    return run_shell(invocation)


def prepare(data: Path) -> None:
    """Make the data directory, or say in a sentence why it can't be one.

    Raises:
        CommandFailed: it is a file, can't be made or written, or a newer program wrote it.
    """
    from actors.store.partitions import recorded_map

    if data.exists() and not data.is_dir():
        raise CommandFailed(f"{data} is a file, not a directory; name another place with --data DIR")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(
            f"the data directory {data} can't be made ({error.strerror}); name another place with --data DIR"
        ) from error
    if os.statvfs(data).f_flag & os.ST_RDONLY:
        raise CommandFailed(
            f"the data directory {data} can't be written to, its disk is read-only: see why (dmesg), mount it"
            " read-write, then start again"
        )
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        raise CommandFailed(
            f"the data directory {data} can't be written to; make it yours, or name another place with --data DIR"
        )
    recorded_map(data)  # speaks up where a newer program wrote it


def addresses(data: Path) -> dict[str, Any]:
    """Where the running system listens."""
    from actors.gateway.protocol import SOCKET

    return {"socket": str(data / SOCKET)}


def not_running(data: Path) -> str:
    """The sentence for a data directory in which nothing runs."""
    return f"no system runs in {data}; start one with: python system.py start --data {data}"


class _Ending:
    """Notes that this process was asked to end, from before the system is started."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.by: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        self.by = number
        self.asked.set()


def _stay(invocation: Invocation, ending: _Ending) -> int:
    """Wait until asked to end, then stop the system; say so if it ends by itself."""
    from actors.runtime.launch import is_running, stop_system

    while not ending.asked.wait(_WATCH_SECONDS):
        if not is_running(invocation.data):
            raise CommandFailed(f"the system has ended by itself; see {invocation.data / 'logs'}")
    stop_system(invocation.data)
    invocation.screen.note("stopped")
    return INTERRUPTED if ending.by == signal.SIGINT else DONE


def _take_back(data: Path) -> None:
    from actors.runtime.launch import stop_system

    stop_system(data, now=True)
    raise Interrupted("interrupted; what had been started was stopped again")


def _say_how_to_reach(invocation: Invocation, facts: dict[str, Any]) -> None:
    screen, data = invocation.screen, facts["data"]
    if facts["already_running"]:
        screen.say(f"a system already runs in {data}")
    else:
        cells = "1 cell" if facts["cells"] == 1 else f"{facts['cells']} cells"
        screen.say(f"the system in {data} is ready ({cells}, {facts['seconds']:.1f} s)")
    option = "" if data == str(Path("data").absolute()) else f" --data {data}"
    screen.say(f"  look at it    python system.py status{option}")
    screen.say(f"  admin shell   python system.py shell{option}")
    screen.say(f"  logs          {data}/logs")


def _start_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=kinds.file, metavar="FILE", help="settings (default: config/embedded.toml)")
    parser.add_argument("--foreground", action="store_true", help="stay, and stop the system on SIGTERM or Ctrl-C")
    parser.add_argument(
        "--set",
        type=kinds.setting,
        action="extend",
        nargs="+",
        metavar="KEY=VALUE",
        help="settings for this time, such as ledger.hold_seconds=3600",
    )


def _stop_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--now", action="store_true", help="don't finish what has arrived but was not begun")


def _shell_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("script", nargs="?", type=kinds.file, help="commands to run, a line each, then leave")


COMMANDS = (
    Command(
        name="start",
        help="start the system; returns when it is ready to take payments",
        details="Where one runs already, says so and does nothing.",
        arguments=_start_arguments,
        run=start,
    ),
    Command(
        name="stop",
        help="stop the system",
        details="It finishes the turn in hand; nothing acknowledged is lost, with --now neither.",
        arguments=_stop_arguments,
        run=stop,
    ),
    Command(
        name="status",
        help="cells, actors, mailboxes, restarts, throughput, payments by status",
        run=status,
    ),
    Command(
        name="shell",
        help="the same commands at a prompt, with completion, history, scripts and piping",
        run=shell,
        json=False,
        in_shell=False,
        arguments=_shell_arguments,
    ),
)
