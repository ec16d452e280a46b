"""The command line: arguments to a command, its exceptions to one line and an exit status. No command lives here."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from actors.admin.command import (
    BROKEN_PIPE,
    FAILED,
    INTERRUPTED,
    WRONG_USAGE,
    Command,
    CommandFailed,
    Group,
    Invocation,
    Plan,
)
from actors.admin.screen import Screen

PROGRAM: Final = "python system.py"
_DESCRIPTION: Final = "Paysaga: a payment system built from actors."
_EPILOG: Final = (
    "A system is found by its data directory: --data DIR, else $PAYSAGA_DATA, else ./data. "
    "Exit status: 0 done; 1 it failed, the reason is on standard error; 2 wrong usage; "
    "with --wait 3 rejected, cancelled or returned, 4 held, needs attention or out of time; "
    "5 a violation (verify); 130 interrupted."
)
# Exceptions whose text is written for people. By name, since the modules are imported only when needed.
_SPEAKING: Final = {
    "actors.gateway.client": ("NotRunning", "NoAnswer"),
    "actors.runtime.launch": ("StartRefused", "StopFailed"),
    "actors.store.session": ("StoreRefused", "StoreFailed"),
    "actors.vocabulary.slots": ("BadId",),
    "actors.vocabulary.money": ("BadAmount",),
    "actors.aml.watchlist": ("BadWatchlist",),
    "config.settings": ("BadSettings",),
    "actors.disbursement.files": ("BadOrderFile",),
    "actors.payment.faults": ("BadWorkflow",),
}


def main(
    argv: Sequence[str],
    plan: Plan,
    *,
    connect: Callable[[Path], Any] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Run one command; returns its exit status. No exception leaves it.

    `plan` says what a system's settings mean to its processes; `connect` reaches a running system.
    """
    _open_what_is_closed()
    screen = Screen(stdout, stderr)
    try:
        from actors.admin.commands import COMMANDS, GROUPS

        parser = command_parser(argparse.ArgumentParser, COMMANDS, GROUPS)
        arguments = parser.parse_args(argv)
        if not hasattr(arguments, "command"):
            parser.print_help(screen.stderr)
            return WRONG_USAGE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except BrokenPipeError:
        return _nobody_reads(screen)
    except KeyboardInterrupt:
        return _report(screen, "interrupted before anything was done", INTERRUPTED)
    screen.as_json = getattr(arguments, "json", False)
    given = arguments.data or os.environ.get("PAYSAGA_DATA") or "data"
    invocation = Invocation(arguments, Path(given), screen, plan, connect or connect_to)
    return run(arguments.command, invocation)


def run(command: Command, invocation: Invocation) -> int:
    """Run `command` and turn whatever it raises into one line on standard error and an exit status."""
    screen = invocation.screen
    try:
        invocation.data = invocation.data.expanduser().absolute()
        status = command.run(invocation)
        screen.stdout.flush()
        return status
    except BrokenPipeError:
        return _nobody_reads(screen)
    except KeyboardInterrupt:
        return _report(screen, "interrupted; nothing is half done: run it again if you still want it", INTERRUPTED)
    except Exception as error:
        if os.environ.get("PAYSAGA_DEBUG"):
            traceback.print_exception(error, file=screen.stderr)
        status = error.status if isinstance(error, CommandFailed) else FAILED
        return _report(screen, sentence(error), status)


def command_parser(
    parser_class: Callable[..., Any], commands: Iterable[Command], groups: Iterable[Group]
) -> argparse.ArgumentParser:
    """One parser for all commands, as `python system.py` uses it; `arguments.command` is the one chosen."""
    root: argparse.ArgumentParser = parser_class(
        prog=PROGRAM, description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False
    )
    root.add_argument("--data", metavar="DIR", help="the system's data directory ($PAYSAGA_DATA, else ./data)")
    words = root.add_subparsers(metavar="COMMAND", title="commands")
    helps = {group.name: group.help for group in groups}
    for word, members in by_first_word(commands).items():
        single = members[0] if members[0].words == (word,) else None
        text = single.help if single else helps[word]
        parser = words.add_parser(word, help=text, description=text, allow_abbrev=False)
        fill(parser, members, everywhere=_data_option)
    return root


def by_first_word(commands: Iterable[Command]) -> dict[str, list[Command]]:
    """The commands under the word they start with, in their order."""
    words: dict[str, list[Command]] = {}
    for command in commands:
        words.setdefault(command.words[0], []).append(command)
    return words


def fill(
    parser: argparse.ArgumentParser,
    members: Sequence[Command],
    everywhere: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """Give the parser of a first word its command's arguments, and a parser to each second word.

    A command of one word may share it with others (`directory`, `directory replay`).
    """
    everywhere(parser)
    rest = [command for command in members if len(command.words) > 1]
    for command in members:
        if len(command.words) == 1:
            _add_arguments(parser, command)
            parser.set_defaults(command=command)
    if not rest:
        return
    nested = parser.add_subparsers(metavar="WHAT", required=len(rest) == len(members))
    for command in rest:
        inner = nested.add_parser(command.words[1], help=command.help, description=_text(command), allow_abbrev=False)
        everywhere(inner)
        _add_arguments(inner, command)
        inner.set_defaults(command=command)


def connect_to(data: Path) -> Any:
    """A client of the system that runs in `data`.

    Raises:
        NotRunning: none does.
    """
    from actors.gateway.client import Client

    return Client.connect(data)


def sentence(error: Exception) -> str:
    """What to tell a person about `error`: its own words where it was written for them."""
    if isinstance(error, CommandFailed) or _speaks(error):
        return one_line(str(error))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return one_line(
        _wrong_definition(error)
        or f"this should not happen ({type(error).__name__}: {error}); run it again with PAYSAGA_DEBUG=1 to see where"
    )


def _wrong_definition(error: Exception) -> str:
    try:
        from actors.payment.faults import what_is_wrong
    except ImportError:  # a system without orchestration has no definitions
        return ""
    return what_is_wrong(error)


def one_line(text: str) -> str:
    """`text` with its line breaks and control characters taken out."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _speaks(error: Exception) -> bool:
    for module, names in _SPEAKING.items():
        loaded = sys.modules.get(module)
        if loaded and isinstance(error, tuple(getattr(loaded, name) for name in names)):
            return True
    return False


def _report(screen: Screen, text: str, status: int) -> int:
    try:
        if screen.as_json and not screen.written:
            screen.document({"error": text})
        screen.note(f"paysaga: {text}")
    except BrokenPipeError:
        return _nobody_reads(screen)
    return status


def _open_what_is_closed() -> None:
    """Where a caller has closed a standard stream (`>&-`), write to nowhere: the next file would get its number."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            mode = "r" if descriptor == 0 else "w"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115  # as long as the process lives


def _nobody_reads(screen: Screen) -> int:
    """Whoever read our output has gone (`… | head`): end quietly, as every program in a pipe does."""
    if screen.stdout is sys.stdout:  # otherwise the interpreter complains when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _add_arguments(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.description = _text(command)
    command.arguments(parser)
    if command.json:
        parser.add_argument("--json", action="store_true", help="answer with one JSON document")


def _text(command: Command) -> str:
    first = command.help[:1].upper() + command.help[1:] + "."
    return f"{first} {command.details}".strip()


def _data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
