"""Starting, stopping and looking at a system."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, Command, CommandFailed, Interrupted, Invocation
from actors.vocabulary.counts import counted

if TYPE_CHECKING:
    from config.settings import Settings


def start(invocation: Invocation) -> int:
    """Start the system of the data directory, unless one runs there."""
    from actors.admin.foreground import Ending, stay
    from actors.runtime.launch import AlreadyRunning, serves, start_system
    from actors.topology import placed
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
    already = serves(data)
    ending = Ending() if given.foreground else None
    plan = invocation.plan(settings, data)
    if given.foreground:
        plan = replace(plan, keeper=os.getpid())  # what nobody watches any more is not to run on
    begun = False

    def write() -> None:
        nonlocal begun
        begun = True
        write_effective(settings, data)

    if not already:
        try:
            start_system(plan, prepare=write)
        except AlreadyRunning:
            already = True
        except KeyboardInterrupt:
            if not begun:  # somebody else's start was waited for, and is none of ours to end
                raise
            _take_back(data)
    ignored: list[str] = []
    if already:
        asked, settings = settings, effective_settings(data)
        ignored = not_in_force(asked, settings, None if given.config else set(overrides))
    facts = {
        "state": "running",
        "data": str(data),
        "already_running": already,
        "cells": len(placed(settings.topology).names),
        "ignored": ignored,
        "seconds": round(time.monotonic() - began, 3),
        **addresses(data),
    }
    invocation.screen.show(facts, lambda facts: _say_how_to_reach(invocation, facts))
    if ignored:
        invocation.screen.note(
            f"paysaga: the running system keeps the settings it was started with; not in force: {', '.join(ignored)}; "
            "stop it and start it again to change them"
        )
    if ending is None or already:
        return DONE
    return stay(invocation, ending)


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


def health(invocation: Invocation) -> int:
    """Whether everything serves; one line that says what doesn't."""
    from actors.admin.health import health_of, render, sentence, unreachable, warned
    from actors.gateway.client import NoAnswer, NotRunning
    from actors.runtime.launch import is_running

    data, screen = invocation.data, invocation.screen
    if not is_running(data):
        document = unreachable("stopped", data, not_running(data))
    else:
        try:
            with invocation.system() as client:
                document = health_of(client, data)
        except (NoAnswer, NotRunning) as error:
            document = unreachable("unreachable", data, str(error))
    document = warned(document, data)
    screen.show(document, lambda document: render(screen, document))
    if document["healthy"]:
        return DONE
    raise CommandFailed(sentence(document), FAILED)


def shell(invocation: Invocation) -> int:
    """The same commands at a prompt."""
    from actors.admin.shell import run_shell

    return run_shell(invocation)


def prepare(data: Path) -> None:
    """Make the data directory, or say in a sentence why it can't be one.

    Raises:
        CommandFailed: it is a file, can't be made or written, or a newer program wrote it.
    """
    from actors.store.placement import recorded_placement

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
    recorded_placement(data)  # speaks up where a newer program wrote it


def addresses(data: Path) -> dict[str, Any]:
    """Where the running system listens."""
    from actors.gateway.protocol import SOCKET

    return {"socket": str(data / SOCKET)}


def not_running(data: Path) -> str:
    """The sentence for a data directory in which nothing runs."""
    from actors.runtime.ending import reason_of_end

    reason = reason_of_end(data)
    ended = f" (it ended by itself: {reason})" if reason else ""
    return f"no system runs in {data}{ended}; start one with: python system.py start --data {data}"


def not_in_force(asked: Settings, running: Settings, keys: set[str] | None) -> list[str]:
    """Which of the settings `keys` (None: of all) differ in the running system, as `key = value that it has`."""
    there = _flat(running.model_dump(mode="json", exclude={"data"}))
    return [
        f"{key} (it has {there[key]})"
        for key, value in _flat(asked.model_dump(mode="json", exclude={"data"})).items()
        if value != there[key] and (keys is None or key in keys)
    ]


def _flat(sections: dict[str, Any]) -> dict[str, str]:
    return {
        f"{section}.{name}": json.dumps(value) for section, inner in sections.items() for name, value in inner.items()
    }


def _take_back(data: Path) -> None:
    from actors.runtime.launch import stop_system

    stop_system(data, now=True)
    raise Interrupted("interrupted; what had been started was stopped again")


def _say_how_to_reach(invocation: Invocation, facts: dict[str, Any]) -> None:
    screen, data = invocation.screen, facts["data"]
    if facts["already_running"]:
        screen.say(f"a system already runs in {data}")
    else:
        cells = counted(facts["cells"], "cell")
        screen.say(f"the system in {data} is ready ({cells}, {facts['seconds']:.1f} s)")
    option = "" if data == str(Path("data").absolute()) else f" --data {data}"
    screen.say(f"  look at it    python system.py status{option}")
    screen.say(f"  admin shell   python system.py shell{option}")
    screen.say(f"  logs          {data}/logs")


def _start_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=kinds.file, metavar="FILE", help="settings (default: config/embedded.toml)")
    parser.add_argument(
        "--foreground",
        action="store_true",
        help="stay, and stop the system on SIGTERM or Ctrl-C; if this process is killed, the system stops too",
    )
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
        details="Where one runs already, says so and does nothing, and names the settings asked for that are not in "
        "force; where one is stopping, waits for its end.",
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
        name="health",
        help="whether everything serves; exit status 1 and one line if something doesn't",
        details="For a monitor or a load balancer: it says which process is given up, down or doesn't answer, and "
        "what to do. Payments that are stuck are a warning, and change no exit status.",
        run=health,
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
