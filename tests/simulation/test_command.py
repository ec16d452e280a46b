"""The command `simulate`: what it prints, as text and as JSON, and how it ends."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from actors.admin.command_line import main
from actors.runtime.timers import Timers
from actors.simulation.run import Total
from actors.simulation.world import Plan
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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--cells", "2", "--topology", "isolated"), "--cells goes with --topology partitioned"),
        (("--seeds", "2", "--forever"), "not allowed with argument"),
        (("--seed", "x"), "x is no seed, a whole number from 0"),
        (("--intensity", "much"), "much is not a number from 0 to 100"),
    ],
)
def test_options_that_would_be_ignored_or_misread_are_refused(
    tmp_path: Path, wrong: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who asks for two cells must not get nine without a word."""
    status, _, err = simulate(tmp_path, *wrong)
    assert status == 2
    assert said in err + capsys.readouterr().err  # the parser speaks to the process's own


def test_an_interrupted_run_names_the_command_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all its options: the same seed is another world with others."""

    def interrupted(seeds: Any, plan: Plan, *, jobs: int, told: Any, total: Total) -> None:
        total.seeds = 2
        raise KeyboardInterrupt

    monkeypatch.setattr("actors.simulation.run.simulate_all", interrupted)
    status, out, err = simulate(
        tmp_path, "--seed", "7", "--seeds", "5", "--payments", "40", "--flow", "choreographed", "--topology", "isolated"
    )
    assert (status, out) == (130, "")
    assert "interrupted after 2 worlds; go on with: python system.py simulate --seed 9 --seeds 3 --payments 40" in err
    assert err.rstrip().endswith("--flow choreographed --topology isolated")


def test_a_short_span_is_shown_in_a_unit_that_shows_it(tmp_path: Path) -> None:
    """Half a minute is not `0.0 h`."""
    _, out, _ = simulate(tmp_path, "--seed", "3", *SMALL)
    assert re.search(r"^simulated time +[1-9][\d.]* (s|min) in ", out, re.MULTILINE)
