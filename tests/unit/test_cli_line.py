"""From words on the command line to a command, and from whatever happens to one line and an exit status."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from actors.admin.command import Command, CommandFailed, Invocation
from actors.admin.command_line import command_parser, main, one_line, run
from actors.admin.commands import COMMANDS, GROUPS
from actors.admin.screen import Screen
from system import process_plan
from tests.fakes.client import FakeClient


def outcome(run_it: Any, *, as_json: bool = False) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command that does `run_it`."""
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(out, err, as_json=as_json)
    invocation = Invocation(argparse.Namespace(), Path("."), screen, process_plan, FakeClient().connect)
    status = run(Command(name="do", help="do it", run=run_it), invocation)
    return status, out.getvalue(), err.getvalue()


def raising(error: BaseException) -> Any:
    """A command that fails."""

    def fail(invocation: Invocation) -> int:
        raise error

    return fail


def test_a_failure_is_one_line_on_standard_error() -> None:
    """Nobody has to read a trace to learn what to do."""
    status, out, err = outcome(raising(CommandFailed("the door is shut;\nopen it")))
    assert (status, out, err) == (1, "", "paysaga: the door is shut; open it\n")


def test_a_defect_is_one_line_too_and_says_how_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even then no trace reaches a user who did not ask for it."""
    monkeypatch.delenv("PAYSAGA_DEBUG", raising=False)
    status, _, err = outcome(raising(KeyError("x")))
    assert status == 1
    assert err.count("\n") == 1
    assert "PAYSAGA_DEBUG=1" in err
    assert "Traceback" not in err


def test_a_trace_is_shown_to_who_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PAYSAGA_DEBUG=1` is for whoever repairs it."""
    monkeypatch.setenv("PAYSAGA_DEBUG", "1")
    assert "Traceback" in outcome(raising(KeyError("x")))[2]


def test_ctrl_c_ends_with_130_and_one_line() -> None:
    """As every program in a terminal."""
    status, _, err = outcome(raising(KeyboardInterrupt()))
    assert status == 130
    assert err.startswith("paysaga: interrupted")
    assert err.count("\n") == 1


def test_a_reader_who_has_gone_ends_it_quietly() -> None:
    """`payments | head` is no error of ours."""
    status, out, err = outcome(raising(BrokenPipeError()))
    assert (status, out, err) == (141, "", "")


def test_a_missing_file_is_named() -> None:
    """What the operating system says, with the file it is about."""
    _, _, err = outcome(raising(FileNotFoundError(2, "No such file or directory", "orders.csv")))
    assert err == "paysaga: orders.csv: No such file or directory\n"


def test_a_failure_under_json_is_a_document_too() -> None:
    """A script always finds one JSON document on standard output."""
    status, out, err = outcome(raising(CommandFailed("no")), as_json=True)
    assert status == 1
    assert json.loads(out) == {"error": "no"}
    assert err == "paysaga: no\n"


def test_text_from_elsewhere_cannot_write_on_the_terminal() -> None:
    """An account's name may hold control characters; a message of ours shows none."""
    assert one_line("a\x1b[31mb\n c") == "a [31mb c"


def test_every_command_has_help_and_a_function_of_its_own() -> None:
    """Somebody who reads `--help` finds a sentence for each."""
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    for command in COMMANDS:
        assert command.help
        assert command.run.__doc__, command.name


def test_every_argument_has_help_or_a_name_that_says_it() -> None:
    """An option without a word about it is a riddle."""
    for command in COMMANDS:
        parser = argparse.ArgumentParser()
        command.arguments(parser)
        for action in parser._actions:
            assert action.help or not action.option_strings or action.choices, f"{command.name} {action.dest}"


def test_every_group_has_commands_and_every_second_word_a_group() -> None:
    """`account --help` lists what there is."""
    grouped = {command.words[0] for command in COMMANDS if len(command.words) > 1}
    single = {command.name for command in COMMANDS if len(command.words) == 1}
    assert {group.name for group in GROUPS} == grouped - single


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["fly"],
        ["account"],
        ["pay"],
        ["pay", "--debtor", "A"],
        ["settle", "P1-00", "--reason", "x"],
        ["payments", "--limit", "0"],
        ["payments", "--status", "happy"],
        ["payments", "--since", "yesterday"],
        ["directory", "replay", "tracker", "--from", "-1"],
        ["start", "--set", "nonsense"],
        ["payments", "--lim", "3"],  # no abbreviations: a script must not depend on what options there are
    ],
)
def test_wrong_usage_exits_with_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And the usage is on standard error, so that nothing takes it for an answer."""
    assert main(line, process_plan) == 2
    assert capsys.readouterr().out == ""


def test_help_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    """For every command."""
    for command in COMMANDS:
        assert main([*command.words, "--help"], process_plan) == 0
        assert "usage: python system.py" in capsys.readouterr().out


def test_the_data_directory_may_stand_before_or_after_the_command() -> None:
    """Whatever is easier to type."""
    parser = command_parser(argparse.ArgumentParser, COMMANDS, GROUPS)
    assert parser.parse_args(["--data", "x", "status"]).data == "x"
    assert parser.parse_args(["status", "--data", "x"]).data == "x"
    assert parser.parse_args(["account", "list", "--data", "x"]).data == "x"
    assert parser.parse_args(["status"]).data is None


def test_the_environment_names_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`PAYSAGA_DATA` saves typing it each time; the option goes before it."""
    monkeypatch.setenv("PAYSAGA_DATA", str(tmp_path / "one"))
    assert main(["payments"], process_plan) == 1
    assert str(tmp_path / "one") in capsys.readouterr().err
    assert main(["payments", "--data", str(tmp_path / "two")], process_plan) == 1
    assert str(tmp_path / "two") in capsys.readouterr().err
