"""The unit file that the documentation gives away is one that systemd takes and that starts this program."""

from __future__ import annotations

import argparse
import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.admin.command_line import command_parser
from actors.admin.commands import COMMANDS, GROUPS
from config.settings import Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "docs" / "paysaga.service"
HOME = "/opt/paysaga"  # where the unit says that the repository is


def service() -> configparser.SectionProxy:
    """Its section about the process."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read_string(UNIT.read_text("utf-8"))
    return parser["Service"]


def test_it_starts_this_program_in_the_foreground_with_a_configuration_that_is_shipped() -> None:
    """A unit with a stale command line is found at the worst moment."""
    python, program, *words = service()["ExecStart"].split()
    assert (python, program) == (f"{HOME}/.venv/bin/python", "system.py")
    words[words.index("--config") + 1] = str(ROOT / words[words.index("--config") + 1])
    given = command_parser(argparse.ArgumentParser, COMMANDS, GROUPS).parse_args(words)
    assert given.command.name == "start"
    assert given.foreground
    assert given.config.exists()


def test_its_times_leave_room_for_those_of_the_supervisor() -> None:
    """Otherwise systemd kills a system that is still doing what it should."""
    supervision = Settings().supervision
    assert float(service()["TimeoutStartSec"]) > supervision.ready_seconds
    assert float(service()["TimeoutStopSec"]) > 2 * supervision.stop_seconds
    assert float(service()["WatchdogSec"]) > 2 * supervision.silent_seconds


def test_only_the_process_in_the_foreground_is_told_to_stop() -> None:
    """A SIGTERM to all would stop cells in any order."""
    assert (service()["KillMode"], service()["Type"], service()["Restart"]) == ("mixed", "notify", "on-failure")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    """An unknown key is only a warning to systemd, and then does nothing."""
    place = tmp_path / "paysaga"
    (place / ".venv" / "bin").mkdir(parents=True)
    (place / ".venv" / "bin" / "python").write_text("#!/bin/sh\n")
    (place / ".venv" / "bin" / "python").chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace(HOME, str(place)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, [line for line in done.stderr.splitlines() if copy.name in line]) == (
        0,
        "",
        [],
    )
