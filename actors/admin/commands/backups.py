"""Making a backup, and putting one in place."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, VIOLATED, Command, Invocation
from actors.vocabulary.counts import counted


def backup(invocation: Invocation) -> int:
    """Copy all stores as they stand at one moment, and check the copy."""
    from actors.admin.backup import back_up
    from actors.admin.verify import verify_data

    data, began = invocation.data, time.monotonic()
    target = invocation.arguments.directory or data / "backups" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    target = target.absolute()
    manifest = back_up(data, target, progress=invocation.screen.progress)
    verdict = verify_data(target, pause=_at_once)
    document = {
        "backup": str(target),
        "made_at": manifest["made_at"],
        "cells": manifest["cells"],
        "files": len(manifest["files"]),
        "bytes": sum(entry["bytes"] for entry in manifest["files"]),
        "pause_ms": manifest["pause_ms"],
        "seconds": round(time.monotonic() - began, 3),
        "verify": verdict,
    }
    invocation.screen.show(document, lambda _: _say_backup(invocation, document))
    return DONE if verdict["ok"] else VIOLATED


def restore(invocation: Invocation) -> int:
    """Put a backup in place, and check what is there now."""
    from actors.admin import backup as backups
    from actors.admin.verify import verify_data

    given, data = invocation.arguments, invocation.data
    done = backups.restore(
        given.backup.absolute(),
        data,
        force=given.force,
        keep_rail=given.keep_rail,
        progress=invocation.screen.progress,
    )
    verdict = verify_data(data, pause=_at_once)
    document = {
        "data": str(data),
        "backup": str(given.backup.absolute()),
        "made_at": done["manifest"]["made_at"],
        "cells": done["manifest"]["cells"],
        "moved_aside": done["moved_aside"],
        "verify": verdict,
    }
    invocation.screen.show(document, lambda _: _say_restored(invocation, document))
    return DONE if verdict["ok"] else VIOLATED


def _at_once(seconds: float) -> None:
    """Nothing moves in a copy: what is found is there."""


def _say_backup(invocation: Invocation, document: dict[str, Any]) -> None:
    screen, size = invocation.screen, document["bytes"] / 1e6
    screen.say(f"backed up {counted(document['cells'], 'cell')} ({size:.1f} MB) to {document['backup']}")
    screen.say(f"nobody could write for {document['pause_ms']} ms, the rest took {document['seconds']:.1f} s")
    _say_verdict(invocation, document["verify"])


def _say_restored(invocation: Invocation, document: dict[str, Any]) -> None:
    screen = invocation.screen
    screen.say(f"restored into {document['data']} as of {document['made_at']}")
    if document["moved_aside"]:
        screen.say(f"what was there before is in {document['moved_aside']}")
    _say_verdict(invocation, document["verify"])


def _say_verdict(invocation: Invocation, verdict: dict[str, Any]) -> None:
    for violation in verdict["violations"]:
        invocation.screen.say(f"violated: {violation['payment_id'] or violation['check']}: {violation['text']}")
    if verdict["ok"]:
        invocation.screen.say("everything holds in it")


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory",
        nargs="?",
        type=kinds.file,
        metavar="DIR",
        help="an empty directory, or one that is made (default: backups/ in the data directory, by date)",
    )


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", type=kinds.file, metavar="FROM", help="the directory of a backup")
    parser.add_argument("--force", action="store_true", help="move aside what is stored in the data directory")
    parser.add_argument(
        "--keep-rail", action="store_true", help="leave the simulated rail's journal there, as a bank's would stay"
    )


COMMANDS = (
    Command(
        name="backup",
        help="copy all stores as they stand at one moment, while the system runs or not; exit 5 when something in"
        " the copy does not hold",
        arguments=_backup_arguments,
        run=backup,
    ),
    Command(
        name="restore",
        help="put a backup in place of the data directory, and check it; exit 5 when something does not hold",
        details="Nothing may run there, and nothing be stored there unless --force moves it aside.",
        arguments=_restore_arguments,
        run=restore,
    ),
)
