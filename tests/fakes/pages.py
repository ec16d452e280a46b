"""Documentation pages as scripts: the commands of their `console` blocks, run in order, and what they print.

What changes from run to run is made alike on both sides: times, durations, process numbers. Ids of payments,
cases and dead letters are matched in the order in which they appear, so that a later command on the page means
the id that this run gave.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HOME: Final = "/srv/paysaga"  # where the pages say that the repository is
PATIENCE: Final = 60
ANYTHING: Final = "…"  # a line of its own that stands for any number of lines

_BLOCK: Final = re.compile(r"^```(?:console|(\w+ file=\S+))\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID: Final = re.compile(r"\b(?:[PCDR]01[0-9A-Z]{3,}-[0-9a-f]{2}|J01[0-9A-Z]{13,})\b")
_COUNTED: Final = ("status", "directory", "verify")  # commands whose figures depend on the run
_ALIKE: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?"), "MOMENT"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]*…"), "UUID"),
    (re.compile(r"\bclient/[0-9a-f./]+"), "CLIENT"),
    (re.compile(r"\b[\d.]+ s\b"), "SECONDS"),
    (re.compile(r"\b[\d.]+ (MB|ms)\b"), r"FIGURE \1"),
    (re.compile(r"\bpid \d+|\bprocess \d+"), "PROCESS"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass
class Step:
    """One command of a page with the lines that the page shows under it; or a file, or its change, that it shows."""

    command: str
    shown: list[str]
    file: str = ""
    changes: bool = False
    printed: list[str] | None = None

    def write(self, place: Path) -> None:
        """Have the file, or the change of it, in the reader's copy."""
        path = place / self.file
        if not self.changes:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(self.shown) + "\n", "utf-8")
            return
        before = "".join(line[1:] + "\n" for line in self.shown if not line.startswith("+"))
        after = "".join(line[1:] + "\n" for line in self.shown if not line.startswith("-"))
        text = path.read_text("utf-8")
        assert text.count(before) == 1, f"{self.file} has this {text.count(before)} times, not once:\n{before}"
        path.write_text(text.replace(before, after), "utf-8")


class PageRun:
    """A page's commands, run in a copy of the code with a data directory of its own."""

    def __init__(self, page: Path, place: Path) -> None:
        self._text = page.read_text("utf-8")
        self._place = place
        self._ids: dict[str, str] = {}
        self.steps = [step for file, block in _BLOCK.findall(self._text) for step in _steps(block, file)]

    def run(self) -> None:
        """Write the files that the page shows and run its commands, in order; what they print is kept with them."""
        for step in self.steps:
            if step.file:
                step.write(self._place)
                continue
            step.printed = self.output(self._renamed(step.command)).splitlines()
            new = _unique(_ID.findall("\n".join(step.printed)))
            old = _unique(_ID.findall("\n".join(step.shown)))
            for before, now in zip(old, new, strict=False):
                self._ids.setdefault(before, now)

    def differences(self) -> list[str]:
        """Where the page no longer says what the commands print."""
        return [
            f"$ {step.command}\n  the page:\n{_indent(step.shown)}\n  printed:\n{_indent(step.printed or [])}"
            for step in self.steps
            if not step.file and not _match(self._alike(step, step.shown), self._alike(step, step.printed or []))
        ]

    def rewritten(self) -> str:
        """The page with what was printed in place of what it showed."""
        steps = iter(self.steps)

        def block(match: re.Match[str]) -> str:
            lines = []
            for _ in _steps(match.group(2), match.group(1)):
                step = next(steps)
                if step.file:
                    return match.group()
                lines += [f"$ {self._renamed(step.command)}", *_with_gaps(step)]
            return "```console\n" + "\n".join(lines).replace("\n\n$ ", "\n$ ") + "\n```"

        return _BLOCK.sub(block, self._text)

    def _alike(self, step: Step, lines: list[str]) -> list[str]:
        text = self._renamed("\n".join(lines))
        for pattern, word in _ALIKE:
            text = pattern.sub(word, text)
        if any(f"system.py {name}" in step.command for name in _COUNTED):
            text = re.sub(r"\d[\d.,]*", "N", text)
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _renamed(self, text: str) -> str:
        return _ID.sub(lambda match: self._ids.get(match.group(), match.group()), text)

    def output(self, command: str) -> str:
        """Everything that a command prints, on both streams, as a reader in the copy of the code sees it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYSAGA_")}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout.replace(str(self._place), HOME)


def copy_of_the_code(place: Path) -> Path:
    """What a reader has after cloning, as far as the pages need it."""
    for name in ("actors", "config"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy2(ROOT / "system.py", place / "system.py")
    return place


def _steps(block: str, file: str | None) -> list[Step]:
    if file:
        kind, _, name = file.partition(" file=")
        return [Step("", block.splitlines(), name, changes=kind == "diff")]
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], []))
        else:
            steps[-1].shown.append(line)
    return steps


def _with_gaps(step: Step) -> list[str]:
    """What was printed; a page that leaves lines out stays as it is."""
    return step.shown if ANYTHING in step.shown else step.printed or []


def _match(shown: list[str], printed: list[str]) -> bool:
    pattern = "".join("(?:.*\n)*?" if line == ANYTHING else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _indent(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
