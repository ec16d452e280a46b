"""The admin shell without a terminal: which words it has, and what Tab offers."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from actors.admin.command import Invocation
from actors.admin.commands import COMMANDS
from actors.admin.screen import Screen
from actors.admin.shell import COMPLETIONS, AdminShell
from system import process_plan
from tests.fakes.client import FakeClient
from tests.fakes.stores import keep_payment, open_store


@pytest.fixture
def shell(tmp_path: Path) -> AdminShell:
    """A shell over stores with one account and one payment."""
    session = open_store(tmp_path)
    session.write("INSERT INTO accounts (account_id, currency) VALUES ('ACC-1', 'EUR')")
    keep_payment(session, "P1-00", "completed")
    session.commit()
    session.close()
    invocation = Invocation(argparse.Namespace(), tmp_path, Screen(), process_plan, FakeClient().connect)
    return AdminShell(invocation, interactive=False)


def offered(shell: AdminShell, line: str) -> list[str]:
    """What Tab offers at the end of a line."""
    text = line.rpartition(" ")[2]
    return [str(item) for item in shell.complete(text, line, len(line) - len(text), len(line)).items]


def test_the_shell_has_every_command_of_the_command_line(shell: AdminShell) -> None:
    """One definition, two places to type it."""
    words = {command.words[0] for command in COMMANDS if command.in_shell}
    assert words <= set(shell.get_visible_commands())


def test_exit_leaves_as_quit_does(shell: AdminShell) -> None:
    """Fingers know it from other shells."""
    assert shell.onecmd_plus_hooks("exit") is True


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("dead-", ["dead-letters"]),
        ("account sh", ["show"]),
        ("account show A", ["ACC-1"]),
        ("payments --debtor ", ["ACC-1"]),
        ("payment P", ["P1-00"]),
        ("cancel ", ["P1-00"]),
        ("payments --status comp", ["compensating", "completed"]),
        ("payments --fl", ["--flow"]),
        ("kill cell", ["cell-0"]),
        ("review clear C", []),
        ("diagram P", ["P1-00"]),
        ("workflow show gu", ["guarded", "guarded@1"]),
        ("workflow diff debit-first choreographed-d", ["choreographed-debit-first"]),
        ("workflow migrate --from scr", ["screen-first@1"]),
    ],
)
def test_tab_offers_what_fits_there(shell: AdminShell, line: str, choices: list[str]) -> None:
    """Commands, options, their values, and the ids that are in the stores."""
    assert offered(shell, line) == choices


def test_where_nothing_can_be_read_tab_offers_nothing(tmp_path: Path) -> None:
    """And shows no trace."""
    invocation = Invocation(argparse.Namespace(), tmp_path, Screen(), process_plan, FakeClient().connect)
    assert offered(AdminShell(invocation, interactive=False), "payment ") == []


def test_every_id_has_a_completion() -> None:
    """A new kind of id without one would be noticed here."""
    used = set()
    for command in COMMANDS:
        parser = argparse.ArgumentParser()
        command.arguments(parser)
        used |= {action.type for action in parser._actions if getattr(action.type, "__name__", "").endswith("_id")}
    assert used <= set(COMPLETIONS)
