"""The admin shell: the commands of the command line at a prompt. cmd2 brings completion, history, scripts, pipes.

No command is defined here; how each kind of argument is completed is.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cmd2
from cmd2 import Choices, Cmd2ArgparseError, Cmd2ArgumentParser, with_argparser, with_category

from actors.admin import arguments as kinds
from actors.admin.command import DONE, WRONG_USAGE, Command, Group, Invocation
from actors.admin.command_line import by_first_word, fill, run
from actors.admin.commands import COMMANDS, GROUPS
from actors.admin.screen import Screen

HISTORY_FILE: Final = "run/shell-history"
_CATEGORY: Final = "Paysaga"
_LATEST: Final = 50  # payments offered for completion
_INTRO: Final = "Paysaga admin shell for {data}. help lists the commands, help COMMAND explains one, quit leaves."


class AdminShell(cmd2.Cmd):
    """One prompt, one data directory."""

    def __init__(self, invocation: Invocation, *, interactive: bool) -> None:
        self._invocation = invocation
        history = invocation.data / HISTORY_FILE
        if interactive:
            os.umask(0o077)  # the history holds what was typed of payments: the owner's alone, as all beside it
        super().__init__(
            allow_cli_args=False,
            allow_clipboard=False,
            auto_suggest=interactive,
            persistent_history_file=str(history) if interactive and history.parent.is_dir() else "",
            suggest_similar_command=True,
            terminators=(),
        )
        self.prompt = "paysaga> "
        self.aliases["exit"] = "quit"  # as other shells call it
        self.status = DONE  # of the last command
        self.default_error = "there is no command {}; help lists them"
        self.default_category = "About the shell"

    def run_command(self, command: Command, arguments: argparse.Namespace) -> None:
        """Run one command as the command line would, writing to wherever this line's output goes."""
        as_json = bool(getattr(arguments, "json", False))
        # cmd2 redirects its own stdout, for `| grep` and `> file`.
        screen = Screen(self.stdout, sys.stderr, as_json=as_json)
        arguments.data = str(self._invocation.data)
        invocation = replace(self._invocation, arguments=arguments, screen=screen)
        self.status = self.last_result = run(command, invocation)
        self.exit_code = self.status

    def onecmd(self, statement: Any, *, add_to_history: bool = True) -> bool:
        """Run one line; wrong arguments are a status too."""
        try:
            return super().onecmd(statement, add_to_history=add_to_history)
        except Cmd2ArgparseError as error:
            code = getattr(error.__cause__, "code", WRONG_USAGE)
            self.status = code if isinstance(code, int) else WRONG_USAGE
            raise

    def default(self, statement: Any) -> bool | None:
        """A line that is no command."""
        self.status = WRONG_USAGE
        return super().default(statement)

    # What an argument can be: offered when Tab is pressed; nothing is offered where nothing can be read.

    def account_ids(self) -> Choices:
        """The accounts that exist."""
        return self._choices(lambda reading: [each["account_id"] for each in reading.accounts()])

    def payment_ids(self) -> Choices:
        """The latest payments."""
        return self._choices(lambda reading: [each["payment_id"] for each in reading.payments(limit=_LATEST)])

    def case_ids(self) -> Choices:
        """Open review cases."""
        return self._choices(lambda reading: [each["case_id"] for each in reading.reviews()])

    def approval_ids(self) -> Choices:
        """Payments that wait for people to agree."""
        return self._choices(lambda reading: [each["approval_id"] for each in reading.approvals()])

    def batch_ids(self) -> Choices:
        """Submitted files."""
        return self._choices(lambda reading: [each["batch_id"] for each in reading.batches()])

    def dead_letter_ids(self) -> Choices:
        """Dead letters."""
        return self._choices(lambda reading: [each["id"] for each in reading.dead_letters()])

    def job_ids(self) -> Choices:
        """Jobs over payments."""
        return self._choices(lambda reading: [each["job_id"] for each in reading.jobs()])

    def action_ids(self) -> Choices:
        """Jobs that wait for a second person."""
        return self._choices(
            lambda reading: [each["job_id"] for each in reading.jobs() if each["state"] == "requested"]
        )

    def services(self) -> Choices:
        """Services that can be paused."""
        from actors.topology import SERVICES

        return Choices.from_values([name for name in SERVICES if name != "tracker"])

    def steps(self) -> Choices:
        """The steps of every workflow that the program has."""
        return self._choices(lambda reading: _steps())

    def subscribers(self) -> Choices:
        """Who subscribes."""
        return self._choices(
            lambda reading: list(dict.fromkeys(each["subscriber"] for each in reading.subscriptions()))
        )

    def processes_and_actors(self) -> Choices:
        """Cells and services."""
        from actors.topology import SERVICES

        return self._choices(lambda reading: [*reading.readers, "gateway", *SERVICES])

    def workflows(self) -> Choices:
        """Workflows by name, their versions, and chains."""
        from actors.admin.commands.pictures import every_name

        names = every_name()
        bare = [name.partition("@")[0] for name in names]
        return Choices.from_values(list(dict.fromkeys((*bare, *names, *_versions()))))

    def versions(self) -> Choices:
        """Versions of workflows."""
        return Choices.from_values(_versions())

    def _choices(self, read: Callable[[Any], Sequence[str]]) -> Choices:
        try:
            with self._invocation.reading() as reading:
                return Choices.from_values(read(reading))
        except Exception:  # whatever it is, a Tab must not end in a trace; the command itself will say
            return Choices()


def _versions() -> list[str]:
    from actors.payment.versions import Version
    from actors.payment.workflow import WORKFLOWS

    return [str(Version(*key)) for key in WORKFLOWS]


def _steps() -> list[str]:
    from actors.payment.definition import Step, all_parts
    from actors.payment.workflow import WORKFLOWS

    parts = [part for each in WORKFLOWS.values() for part in all_parts(each.steps)]
    return list(dict.fromkeys(part.name for part in parts if isinstance(part, Step)))


# By the argument's type: what completes it.
COMPLETIONS: Final[dict[Callable[[str], Any], dict[str, Any]]] = {
    kinds.file: {"completer": cmd2.Cmd.path_complete},
    kinds.account_id: {"choices_provider": AdminShell.account_ids},
    kinds.payment_id: {"choices_provider": AdminShell.payment_ids},
    kinds.case_id: {"choices_provider": AdminShell.case_ids},
    kinds.approval_id: {"choices_provider": AdminShell.approval_ids},
    kinds.batch_id: {"choices_provider": AdminShell.batch_ids},
    kinds.dead_letter_id: {"choices_provider": AdminShell.dead_letter_ids},
    kinds.job_id: {"choices_provider": AdminShell.job_ids},
    kinds.workflow: {"choices_provider": AdminShell.workflows},
    kinds.version: {"choices_provider": AdminShell.versions},
    kinds.action_id: {"choices_provider": AdminShell.action_ids},
    kinds.service: {"choices_provider": AdminShell.services},
    kinds.step: {"choices_provider": AdminShell.steps},
    kinds.subscriber: {"choices_provider": AdminShell.subscribers},
    kinds.process_or_actor: {"choices_provider": AdminShell.processes_and_actors},
}


def run_shell(invocation: Invocation) -> int:
    """Read commands until the end; the exit status of a script is that of the last command that failed."""
    script = invocation.arguments.script
    if script is not None or not sys.stdin.isatty():
        return _run_script(invocation, script)
    shell = AdminShell(invocation, interactive=True)
    shell.cmdloop(_INTRO.format(data=invocation.data))
    return DONE


def _run_script(invocation: Invocation, script: Path | None) -> int:
    """Every line of a file or of standard input; goes on after a failure, and reports it by its status."""
    lines = (script.read_text("utf-8") if script is not None else sys.stdin.read()).splitlines()
    shell = AdminShell(invocation, interactive=False)
    failed = DONE
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        shell.status = DONE
        stop = shell.onecmd_plus_hooks(line, raise_keyboard_interrupt=True)
        failed = shell.status or failed
        if stop:
            break
    return failed


def _install(word: str, members: Sequence[Command], group: Group | None) -> None:
    """Give the shell the command (or group of commands) that starts with `word`."""

    def parser() -> Cmd2ArgumentParser:
        text = group.help if group else members[0].help
        made = Cmd2ArgumentParser(prog=word, description=text, allow_abbrev=False)
        fill(made, members)
        _complete(made)
        return made

    def act(self: AdminShell, arguments: argparse.Namespace) -> None:
        self.run_command(arguments.command, arguments)

    act.__name__ = f"do_{word}"
    act.__qualname__ = f"AdminShell.do_{word}"  # cmd2 keeps one parser for each qualified name
    act.__doc__ = group.help if group else members[0].help
    decorated = with_category(_CATEGORY)(with_argparser(parser)(act))
    setattr(AdminShell, f"do_{word}", decorated)


def _complete(parser: argparse.ArgumentParser) -> None:
    """Tell cmd2 how each argument is completed, here and in the parsers below."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for nested in action.choices.values():
                _complete(nested)
        for name, function in COMPLETIONS.get(action.type, {}).items():  # type: ignore[arg-type]
            getattr(action, f"set_{name}")(function)


def _install_all() -> None:
    groups = {group.name: group for group in GROUPS}
    offered = [command for command in COMMANDS if command.in_shell]
    for word, members in by_first_word(offered).items():
        _install(word, members, groups.get(word))


_install_all()
