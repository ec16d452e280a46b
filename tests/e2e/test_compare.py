"""`compare` as a user runs it, on real systems."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_small_comparison_finds_the_same_ledger_and_what_is_stuck(tmp_path: Path) -> None:
    """Every part runs, and the two flows agree: what the whole command is for."""
    report = tmp_path / "report.html"
    done = subprocess.run(
        [sys.executable, str(ROOT / "system.py"), "compare", "--payments", "30", "--json", "--report", str(report)],
        check=False, capture_output=True, text=True, timeout=240, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ledger"]["ok"]
    assert found["ledger"]["payments"] == 30
    for of in found["measured"].values():
        assert of["per_payment"]["messages"] > of["per_payment"]["commits"] > 0
        assert of["recovery"]["in_flight"] > 0
    # Whoever orchestrates has an actor who can undo; whoever doesn't has a person who is called.
    said = {(each["fault"], each["flow"]): each for each in found["stuck"]["found"]}
    raises = "AML's handler raises"
    assert said[raises, "orchestrated"]["status"] == "rejected"
    assert said[raises, "choreographed"]["status"] == "needs_attention"
    assert "the reaction of aml is missing" in str(said)
    assert "same ledger" in report.read_text()


def test_a_report_that_can_not_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """A minute's work must not end in a file that isn't there."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "system.py"), "compare", "--report", str(tmp_path / "none" / "report.html")],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "there is no directory" in done.stderr
