"""Who acts: the name that somebody gives, or is logged in by. Declared, never proven."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
from pathlib import Path
from typing import Any, Final

from actors.admin import arguments as kinds
from actors.vocabulary.operators import OperatorRules

VARIABLE: Final = "PAYSAGA_BY"


def by_argument(parser: argparse.ArgumentParser) -> None:
    """`--by NAME`."""
    parser.add_argument(
        "--by", type=kinds.person, metavar="NAME",
        help=f"who you are, as it is kept in the timeline (default: {VARIABLE}, else who is logged in)",
    )  # fmt: skip


def who(given: argparse.Namespace) -> str:
    """The name that was given, or the default."""
    if given.by:
        return str(given.by)
    if os.environ.get(VARIABLE):
        return kinds.person(os.environ[VARIABLE])
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


def rules_of(data: Path) -> OperatorRules:
    """What is configured about operators, as the system in this directory was started with; services hold to it."""
    from config.settings import EFFECTIVE

    try:
        section: dict[str, Any] = json.loads((data / EFFECTIVE).read_bytes()).get("operators", {})
    except (OSError, ValueError):
        section = {}
    return OperatorRules(tuple(section.get("names", ())), tuple(section.get("four_eyes", ())))
