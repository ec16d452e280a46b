"""Where slots live is written down once and never guessed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.partitions import FILE, PartitionMap, establish, recorded_map, spread
from actors.store.session import StoreRefused
from actors.vocabulary.slots import SLOTS


@given(st.integers(1, SLOTS))
def test_every_slot_has_one_cell_and_every_cell_a_fair_share(cells: int) -> None:
    """No account is without a cell, and none of the cells is idle."""
    partitions = spread(cells)
    shares = [partitions.slots_of(cell) for cell in range(cells)]
    assert sorted(slot for share in shares for slot in share) == list(range(SLOTS))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(partitions.name_of(slot) == f"cell-{partitions.cell_of(slot)}" for slot in range(SLOTS))


def test_the_map_is_recorded_at_the_first_start_and_found_at_the_next(tmp_path: Path) -> None:
    """A restart finds every account where it was."""
    assert recorded_map(tmp_path) is None
    first = establish(tmp_path, 3)
    assert recorded_map(tmp_path) == first == establish(tmp_path, 3)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_another_number_of_cells_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Accounts would be looked for in the wrong cell."""
    establish(tmp_path, 2)
    with pytest.raises(StoreRefused, match=r"for 2 cells, the configuration asks for 3: set topology\.cells = 2"):
        establish(tmp_path, 3)
    assert recorded_map(tmp_path) == spread(2)


def test_a_map_that_was_changed_by_hand_is_followed(tmp_path: Path) -> None:
    """The record decides, not the rule that once made it."""
    establish(tmp_path, 2)
    moved = PartitionMap((1, *spread(2).owners[1:]))
    record = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**record, "owners": moved.owners}))
    assert establish(tmp_path, 2) == moved


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 2}', "of format 2, this program knows 1: start the newer program"),
        ("", "can't be read"),
        ("[]", "not one that this program wrote"),
        ('{"format": 1, "slots": 64, "cells": 2, "owners": [0, 1]}', "not one that this program wrote"),
        (json.dumps({"format": 1, "slots": 64, "cells": 3, "owners": [0, 2] * 32}), "not one that this program wrote"),
        (json.dumps({"format": 1, "slots": 64, "cells": 1, "owners": ["x"] * 64}), "not one that this program wrote"),
    ],
)
def test_a_map_that_cannot_be_trusted_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """A wrong guess would pay from an empty ledger."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(StoreRefused, match=words):
        establish(tmp_path, 2)


def test_a_directory_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Whoever starts the system is told what to look at."""
    with pytest.raises(StoreRefused, match="can't be written"):
        establish(tmp_path / "missing", 1)
