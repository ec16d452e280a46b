"""The mark that finds a message which ends the process, and the log that is never in the way."""

from __future__ import annotations

import os
from pathlib import Path

from actors.runtime.marker import MARGIN, Marker
from actors.runtime.processes import LogStream


def died(path: Path, inputs: int = 10) -> Marker:
    """The mark as the next process finds it after a turn that never ended."""
    Marker(path).set(inputs)
    return Marker(path)


def test_after_one_death_caution_ends_with_the_inputs_that_may_be_guilty(tmp_path: Path) -> None:
    """A drill in the middle of a turn must not slow the cell down for long."""
    marker = died(tmp_path / "marker")
    assert marker.cautious == 10 + MARGIN
    for _ in range(10 + MARGIN):
        marker.step()
    assert marker.cautious == 0
    assert Marker(tmp_path / "marker").cautious == 0


def test_after_several_deaths_caution_waits_for_what_comes_late(tmp_path: Path) -> None:
    """A timer or a peer's resend brings the guilty one only after all that was waiting."""
    died(tmp_path / "marker")
    marker = died(tmp_path / "marker")
    for _ in range(1_000):
        marker.step()
    assert marker.cautious > 0


def test_an_orderly_end_leaves_no_suspicion(tmp_path: Path) -> None:
    """The next start has nothing to fear from a stop."""
    marker = died(tmp_path / "marker")
    marker.close()
    assert Marker(tmp_path / "marker").cautious == 0


def test_the_last_sign_of_life_outlives_the_process(tmp_path: Path) -> None:
    """Waiting without a word in the log is no downtime."""
    Marker(tmp_path / "marker").alive(1_700_000_000_000_000)
    assert died(tmp_path / "marker").alive_at == 1_700_000_000_000_000
    assert Marker(tmp_path / "none").alive_at == 0


def test_a_log_on_a_full_disk_raises_nothing() -> None:
    """An exception from a log line, while a turn is being undone, would leave it half undone."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        assert LogStream(full).write("one line\n") == 9
    finally:
        os.close(full)
