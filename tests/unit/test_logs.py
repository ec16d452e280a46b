"""What a log line says, and in which form."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from actors import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    """The JSON lines written to `stream`."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_about_a_payment_names_it() -> None:
    """Whoever follows one payment greps its id and sees every line that concerns it."""
    stream = io.StringIO()
    logs.set_up(stream=stream)
    with logs.about("P1-00"):
        structlog.get_logger("ledger").info("debited")
        logging.getLogger("elsewhere").warning("slow: %s ms", 12)
    structlog.get_logger("ledger").info("idle")
    first, second, third = logged(stream)
    assert (first["payment_id"], first["event"], first["level"]) == ("P1-00", "debited", "info")
    assert (second["payment_id"], second["event"]) == ("P1-00", "slow: 12 ms")
    assert "payment_id" not in third


def test_lines_below_the_level_are_not_written() -> None:
    """The level comes from the settings, for our own lines and for libraries' alike."""
    stream = io.StringIO()
    logs.set_up("warning", stream=stream)
    structlog.get_logger("a").info("not this")
    logging.getLogger("b").info("nor this")
    structlog.get_logger("a").error("this")
    assert [line["event"] for line in logged(stream)] == ["this"]


def test_text_is_for_people() -> None:
    """On a terminal, or when asked for, a line is text with its fields behind it."""
    stream = io.StringIO()
    logs.set_up(format="text", stream=stream)
    structlog.get_logger("ledger").info("debited", payment_id="P1-00")
    assert "debited" in stream.getvalue()
    assert "payment_id=P1-00" in stream.getvalue()


def test_an_exception_is_part_of_its_line() -> None:
    """A trace over many lines would tear a JSON log apart."""
    stream = io.StringIO()
    logs.set_up(stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("a").exception("failed")
    (line,) = logged(stream)
    assert "ValueError: broken" in str(line["exception"])


def test_a_log_that_has_grown_is_put_aside_and_the_one_before_is_kept(tmp_path: Path) -> None:
    """A system that runs for years must not fill its disk with what nobody reads."""
    path = tmp_path / "cell-0.log"
    program = (
        "import sys; from pathlib import Path; from actors.runtime import processes;"
        "processes.LOG_BYTES, processes.LOG_LOOK_BYTES = 1000, 100;"
        f"processes.log_to(Path({str(path)!r}));"
        "[print(f'line {at:04d}', file=sys.stderr) for at in range(300)]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    older, newer = path.with_name("cell-0.log.1").read_text(), path.read_text()
    lines = (older + newer).splitlines()
    assert lines[-1] == "line 0299"
    assert [int(line[-4:]) for line in lines] == list(range(300 - len(lines), 300)), "none is missing between them"
    assert 1000 <= len(older) < 1300
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cell-0.log", "cell-0.log.1"]
