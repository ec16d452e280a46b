"""The admin shell through a pseudo-terminal: a prompt, completion, history, pipes, scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
PROMPT = "paysaga>"
PATIENCE = 15


def environment(data: Path) -> dict[str, str]:
    """Ours, with the data directory named and a plain terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYSAGA_")}
    return kept | {"PAYSAGA_DATA": str(data), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}


def command(data: Path, *line: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """One command line, run to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "system.py"), *line],
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running system with one account."""
    directory = tmp_path_factory.mktemp("shell")
    assert command(directory, "start").returncode == 0
    assert command(directory, "account", "open", "ACC-SHELL", "--currency", "EUR", "--deposit", "100").returncode == 0
    yield directory
    command(directory, "stop", "--now")


@pytest.fixture
def shell(data: Path) -> Iterator[pexpect.spawn]:
    """A shell at its prompt."""
    child = pexpect.spawn(
        sys.executable,
        [str(ROOT / "system.py"), "shell"],
        env=environment(data),
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(50, 200),
    )
    child.expect_exact(PROMPT)
    yield child
    child.close(force=True)


def seen(child: pexpect.spawn) -> str:
    """What was written before the last match, without colours and cursor moves."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", child.before or "")


def test_a_command_at_the_prompt_answers_as_on_the_command_line(shell: pexpect.spawn) -> None:
    """The same words, without starting a program each time."""
    shell.sendline("account show ACC-SHELL")
    shell.expect_exact("available")
    shell.expect_exact("100.00")
    shell.expect_exact(PROMPT)
    pay = "pay --debtor ACC-SHELL --creditor Somebody --creditor-account TEST-OK --amount 1 --currency EUR --wait"
    shell.sendline(pay)
    shell.expect_exact("completed")
    shell.sendline("quit")
    shell.expect(pexpect.EOF)


def test_tab_completes_words_options_and_ids(shell: pexpect.spawn) -> None:
    """The account's id comes from the running system."""
    shell.send("paym\t")
    shell.expect_exact("ent")  # payment or payments
    shell.send("s --deb\t")
    shell.expect_exact("tor")
    shell.send("ACC-SH\t")
    shell.expect_exact("ELL")
    shell.send("--js\t")
    shell.expect_exact("on")
    shell.sendline("")
    shell.expect_exact('"payments": [')


def test_a_mistake_is_said_and_the_shell_goes_on(shell: pexpect.spawn) -> None:
    """Neither a wrong word nor a refusal nor a missing payment ends it, and none shows a trace."""
    for line, answer in (
        ("payed", "there is no command payed"),
        ("payment P1-00", "there is no payment P1-00"),
        ("pay --debtor ACC-SHELL", "required"),
    ):
        shell.sendline(line)
        shell.expect_exact(answer)
        shell.expect_exact(PROMPT)
        assert "Traceback" not in seen(shell)


def test_output_goes_through_pipes_and_into_files(shell: pexpect.spawn, tmp_path: Path) -> None:
    """As in any shell; plain text there."""
    file = tmp_path / "accounts.json"
    shell.sendline(f"account list --json > {file}")
    shell.expect_exact(PROMPT)
    shell.sendline("account list | wc -l")
    shell.expect(r"[^0-9]2\r\n")  # a header and an account
    assert '"ACC-SHELL"' in file.read_text()


def test_help_lists_commands_and_explains_one(shell: pexpect.spawn) -> None:
    """Nobody has to leave the shell to learn what a command takes."""
    shell.sendline("help")
    shell.expect_exact("dead-letters")
    shell.sendline("help settle")
    shell.expect_exact("--not-executed")


def test_history_outlives_the_shell(data: Path) -> None:
    """The next shell knows what was typed in this one."""
    for line, answer in (("workflow list", "debit-first"), ("history --all", "workflow list")):
        child = pexpect.spawn(
            sys.executable,
            [str(ROOT / "system.py"), "shell"],
            env=environment(data),
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(50, 200),
        )
        child.expect_exact(PROMPT)
        child.sendline(line)
        child.expect_exact(answer)
        child.expect_exact(PROMPT)
        child.sendline("quit")
        child.expect(pexpect.EOF)
        child.close()


def test_ctrl_c_at_the_prompt_and_in_a_command_returns_to_the_prompt(shell: pexpect.spawn, data: Path) -> None:
    """And the command says what stands."""
    shell.sendintr()
    shell.expect_exact(PROMPT)
    line = "pay --debtor ACC-SHELL --creditor Somebody --creditor-account TEST-LATE-20 --amount 1 --currency EUR"
    shell.sendline(f"{line} --key shell-late --wait")
    deadline = time.monotonic() + PATIENCE
    while "shell-late" not in command(data, "payments", "--csv").stdout:  # until the order was taken
        assert time.monotonic() < deadline
    shell.sendintr()
    shell.expect_exact("--key shell-late tells")
    shell.expect_exact(PROMPT)


def test_a_script_runs_line_by_line_and_its_exit_status_tells(data: Path, tmp_path: Path) -> None:
    """Comments and blank lines are passed over; a failure doesn't end it, and is not forgotten."""
    script = tmp_path / "evening.txt"
    script.write_text("# look around\n\naccount show ACC-SHELL --json\npayment P1-00\nworkflow list\n")
    done = command(data, "shell", str(script))
    assert done.returncode == 1
    assert '"account_id": "ACC-SHELL"' in done.stdout
    assert "debit-first" in done.stdout
    assert "there is no payment P1-00" in done.stderr
    assert command(data, "shell", input="account list\n").returncode == 0


def test_what_is_done_to_many_payments_is_asked_before_and_said_after(shell: pexpect.spawn) -> None:
    """At the prompt as on the command line; a no, or Ctrl-C at the question, does nothing and ends nothing."""
    shell.sendline(
        "pay --debtor ACC-SHELL --creditor 'V. Blockov' --creditor-account TEST-OK --amount 2 --currency EUR --wait"
    )
    shell.expect_exact("held")
    shell.expect_exact(PROMPT)
    line = "pause --where 'status=held and creditor~Blockov' --by Ada --reason 'a look'"
    for answer in ("n\n", "\x03"):
        shell.sendline(line)
        shell.expect_exact("pause 1 payment (2.00 EUR)? Type 1 or y: ")
        shell.send(answer)
        shell.expect("nothing was done|nothing is half done")
        shell.expect_exact(PROMPT)
    shell.sendline("payments --where paused=yes")
    shell.expect_exact("no payment meets this")
    shell.sendline(line)
    shell.expect_exact("Type 1 or y: ")
    shell.sendline("1")
    shell.expect_exact("done")
    shell.expect_exact(PROMPT)
    shell.sendline("payments --where paused=yes")
    shell.expect_exact("held (paused)")
    shell.expect_exact(PROMPT)
    shell.sendline("resume --where paused=yes --by Ada --reason seen --yes")
    shell.expect_exact("done")


def test_tab_completes_services_and_steps(shell: pexpect.spawn) -> None:
    """Nobody has to look up what a service or a step is called."""
    shell.send("service pause notif\t")
    shell.expect_exact("ication")
    shell.sendintr()
    shell.expect_exact(PROMPT)
    shell.send("restart P1-00 --from screen-b\t")
    shell.expect_exact("eneficiary")
