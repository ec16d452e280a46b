"""The reference pages commands.md, settings.md and messages.md, written from the code alone."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import json
import re
from typing import Any, Final, Literal, get_args, get_origin

from actors.admin.command import Command
from actors.admin.command_line import PROGRAM, by_first_word, fill
from actors.admin.commands import COMMANDS, GROUPS
from actors.messaging.message import Command as Order
from actors.messaging.message import Event, Message, Outcome, Reply, Result, Task, Tick
from config.settings import Settings, section_of

_NOTE: Final = "<!-- Written by `python system.py docs` from the code. Don't edit: a test fails when it is stale. -->"
_MODULES: Final = (
    "actors.disbursement.messages",
    "actors.ledger.messages",
    "actors.aml.messages",
    "actors.execution.messages",
    "actors.payment.messages",
    "actors.notification.messages",
    "actors.replication.messages",
    "actors.tracker.messages",
    "actors.directory.messages",
    "actors.messaging.system_messages",
)
_KINDS: Final = (
    (Outcome, "outcome"),
    (Event, "event"),
    (Order, "command"),
    (Reply, "reply"),
    (Tick, "timer"),
    (Task, "task"),
    (Result, "result"),
)
_STATUSES: Final = (
    ("0", "done; with `--wait`: completed"),
    ("1", "it failed: the reason is on standard error, in one line that says what to do"),
    ("2", "wrong usage"),
    ("3", "with `--wait`: rejected, cancelled or returned"),
    ("4", "with `--wait`: held or needs attention, or the timeout was reached"),
    ("5", "`verify`: something does not hold"),
    ("130", "interrupted by Ctrl-C; nothing is half done"),
    ("141", "whoever read the output has gone"),
)


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {"commands.md": commands_page(), "settings.md": settings_page(), "messages.md": messages_page()}


def commands_page() -> str:
    """Every command with its arguments."""
    parts = [
        "# Commands",
        _NOTE,
        "A system is found by its data directory: `--data DIR`, else the variable `PAYSAGA_DATA`, else `./data`. "
        "The admin shell (`python system.py shell`) has the same commands. With `--json` a command writes one JSON "
        "document to standard output and nothing else; where it fails, the document holds `error`.",
        "## Exit status",
        _table(("status", "meaning"), _STATUSES),
    ]
    groups = {group.name: group for group in GROUPS}
    for word, members in by_first_word(COMMANDS).items():
        parts.append(f"## {word}")
        if word in groups:
            parts.append(_sentence(groups[word].help))
        for command in members:
            parts += _command(command, nested=len(members) > 1)
    return _page(parts)


def settings_page() -> str:
    """Every setting with its default."""
    parts = [
        "# Settings",
        _NOTE,
        "From a TOML file (`start --config FILE`, otherwise `config/embedded.toml`); over it the environment, where "
        "`ledger.hold_seconds` is `PAYSAGA_LEDGER__HOLD_SECONDS`; over that `start --set ledger.hold_seconds=3600`. "
        "A key that doesn't exist is refused. `run/settings.json` in the data directory holds what a system was "
        "started with.",
    ]
    plain = Settings()
    for name, field in Settings.model_fields.items():
        section = section_of(name)
        if section is None:
            rows = [(f"`{name}`", _default(getattr(plain, name)), field.description or "")]
            parts.append(_table(("setting", "default", "meaning"), rows))
            continue
        parts += [f"## {name}", inspect.cleandoc(section.__doc__ or "")]
        rows = [
            (f"`{name}.{key}`", _default(getattr(getattr(plain, name), key)), _meaning(inner))
            for key, inner in section.model_fields.items()
        ]
        parts.append(_table(("setting", "default", "meaning"), rows))
    return _page(parts)


def messages_page() -> str:
    """Every message class by the service it belongs to."""
    parts = [
        "# Messages",
        _NOTE,
        "A *command* asks one service; an *outcome* is its reply where it was commanded, and published where it was a "
        "reaction to an event; an *event* is always published. A *timer* is delivered by the runtime, a *task* goes to "
        "a worker outside the turn, a *result* comes from one.",
    ]
    for name in _MODULES:
        module = importlib.import_module(name)
        classes = [value for value in vars(module).values() if _is_message(value, name)]
        if not classes:
            continue
        parts += [f"## {_title(name)}", inspect.cleandoc(module.__doc__ or "")]
        for cls in classes:
            parts += _message(cls)
    return _page(parts)


def _command(command: Command, *, nested: bool) -> list[str]:
    parser = argparse.ArgumentParser(prog=PROGRAM, add_help=False, formatter_class=_Wide)
    fill(parser, [dataclasses.replace(command, name=command.words[0])])
    usage = parser.format_usage().strip().removeprefix("usage: ")
    usage = usage.replace(PROGRAM, f"{PROGRAM} {command.name}", 1)
    rows = [(f"`{_names(action)}`", _help(action)) for action in parser._actions]
    parts = [f"### {command.name}"] if nested else []
    parts += [_sentence(command.help), command.details, f"```\n{usage}\n```"]
    return [*parts, _table(("argument", "meaning"), rows)] if rows else parts


class _Wide(argparse.HelpFormatter):
    """Usage on one line, whatever the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=10_000)


def _names(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest)
    if not action.option_strings:
        return str(value)
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")


def _help(action: argparse.Action) -> str:
    text = action.help or ""
    choices = ", ".join(map(str, action.choices)) if action.choices and action.metavar is None else ""
    if not text and choices:
        text = choices
    return text + (" (required)" if action.required and action.option_strings else "")


def _message(cls: type[Message]) -> list[str]:
    kind = next(name for base, name in _KINDS if issubclass(cls, base))
    progress = f", the payment is then `{cls.progress}`" if cls.progress else ""
    parts = [f"### {cls.__name__}", f"*{kind}{progress}*", inspect.cleandoc(cls.__doc__ or "")]
    comments = _comments(cls)
    rows = [
        (f"`{field.name}`", f"`{field.type}`", _field_default(field), comments.get(field.name, ""))
        for field in dataclasses.fields(cls)
    ]
    return [*parts, _table(("field", "type", "default", ""), rows)] if rows else parts


def _comments(cls: type[Message]) -> dict[str, str]:
    """What stands behind a field in the code."""
    found = re.findall(r"^    (\w+): [^#\n]*#\s*(.*)$", inspect.getsource(cls), re.MULTILINE)
    return dict(found)


def _field_default(field: dataclasses.Field[Any]) -> str:
    return "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


def _is_message(value: Any, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, Message) and value.__module__ == module


def _title(module: str) -> str:
    parts = module.split(".")
    return "runtime" if parts[1] == "messaging" else parts[1]


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        # Nobody's own directory belongs on the page.
        value = [str(part).rpartition("/config/")[2] if "/config/" in str(part) else part for part in value]
    return f"`{json.dumps(value)}`" if value is not None else "none"


def _meaning(field: Any) -> str:
    kinds = (field.annotation, *get_args(field.annotation))
    literal = next((each for each in kinds if get_origin(each) is Literal), None)
    how_many = "one" if literal is field.annotation else "any"
    allowed = f"; {how_many} of " + ", ".join(f"`{choice}`" for choice in get_args(literal)) if literal else ""
    return (field.description or "") + allowed


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _table(columns: tuple[str, ...], rows: Any) -> str:
    lines = [f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
    lines += [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _page(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
