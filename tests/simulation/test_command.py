"""The command `simulate`: what it prints, as text and as JSON, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from actors.admin.command_line import main
from actors.runtime.timers import Timers
from system import process_plan


def simulate(data: Path, *line: str) -> tuple[int, str, str]:
    """Its exit status, and what it wrote to standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    status = main(["--data", str(data), "simulate", *line], process_plan, stdout=out, stderr=err)
    return status, out.getvalue(), err.getvalue()


SMALL = ("--seeds", "1", "--payments", "40")


def test_the_document_has_what_the_worlds_have_been_through(tmp_path: Path) -> None:
    """Scripts add the figures up; nothing else stands on standard output."""
    status, out, err = simulate(tmp_path, "--seed", "3", *SMALL, "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert (document["seeds"], document["payments"], document["violations"]) == (1, 40, [])
    assert sum(document["by_status"].values()) == 40
    assert document["crashes"] == sum(document["crashes_by_kind"].values())
    assert document["faults"] == sum(document["faults_by_kind"].values())
    assert document["payments_per_s"] > 0
    assert document["simulated_seconds"] > 1
    assert list(document["digests"]) == ["3"]
    assert list(tmp_path.iterdir()) == []  # it touches no data directory


def test_the_table_says_that_no_promise_was_broken(tmp_path: Path) -> None:
    """A person reads the last line first."""
    status, out, _ = simulate(tmp_path, "--seed", "3", *SMALL)
    assert status == 0
    assert out.rstrip().endswith("no promise was broken")
    assert "1 (3)" in out


def test_a_broken_promise_ends_with_5_and_says_how_to_see_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed, step and the command on standard error, as soon as the world ends."""
    monkeypatch.setattr(Timers, "change", lambda *_: None)  # every timer is lost
    status, out, err = simulate(tmp_path, "--seed", "3", *SMALL, "--json")
    assert status == 5
    assert json.loads(out)["failed_seeds"] == [3]
    assert err.startswith("seed 3, step ")
    assert "no timer will ever ask the rail" in err
    assert err.rstrip().endswith("run it again: python system.py simulate --seed 3 --seeds 1 --payments 40")


@pytest.mark.parametrize("wrong", [("--seed", "-1"), ("--payments", "0"), ("--intensity", "-1"), ("--cells", "99")])
def test_wrong_usage_is_told_in_a_sentence(tmp_path: Path, wrong: tuple[str, str]) -> None:
    """And nothing runs."""
    status, _, err = simulate(tmp_path, *wrong)
    assert status == 2
    assert "Traceback" not in err
