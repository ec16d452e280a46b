"""The table of the command `directory`, where there are many cells."""

from __future__ import annotations

from pathlib import Path

from actors.admin.commands.directory import _rows
from actors.admin.reading import cells_of


def test_events_are_listed_once_for_a_subscriber_unless_a_cell_has_others() -> None:
    """Nine cells with the same list nine times are unreadable; one that differs must show."""

    def entry(subscriber: str, cell: str, *events: str) -> dict[str, object]:
        return {
            "subscriber": subscriber,
            "cell": cell,
            "offset": 1,
            "lag": 0,
            "events": list(events),
            "inactive": [],
        }

    rows = _rows([
        entry("aml", "cell-0", "A", "B"), entry("ledger", "cell-0", "A", "B"),
        entry("aml", "cell-1", "A", "B"), entry("ledger", "cell-1", "A"),
    ])  # fmt: skip
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("aml", "cell-0", "A, B"),
        ("aml", "cell-1", ""),
        ("ledger", "cell-0", "A, B"),
        ("ledger", "cell-1", "A"),
    ]


def test_cells_come_by_name_and_then_by_number(tmp_path: Path) -> None:
    """`payment-1` stands beside `payment-0`, and `cell-10` after `cell-9`."""
    for name in ("tracker", "payment-1", "aml", "payment-0", "cell-10", "cell-9"):
        (tmp_path / "cells" / name).mkdir(parents=True)
        (tmp_path / "cells" / name / "store.db").touch()
    assert cells_of(tmp_path) == ["aml", "cell-9", "cell-10", "payment-0", "payment-1", "tracker"]
