"""Where slots live is written down once and never guessed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.store.placement import FILE, Group, Placement, establish, group, placement_from, recorded_placement, spread
from actors.store.session import StoreRefused
from actors.vocabulary.slots import SLOTS

APART = Placement((
    group("disbursement", ("disbursement",), 1), group("ledger", ("ledger",), 1), group("payment", ("payment",), 3),
))  # fmt: skip


@given(st.integers(1, SLOTS))
def test_every_slot_has_one_cell_and_every_cell_a_fair_share(cells: int) -> None:
    """No account is without a cell, and none of the cells is idle."""
    placement = spread(cells)
    shares = [placement.slots_of(cell) for cell in placement.names]
    assert sorted(slot for share in shares for slot in share) == list(range(SLOTS))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(slot in placement.slots_of(placement.cell_for("ledger", slot)) for slot in range(SLOTS))


def test_the_only_cell_of_some_services_has_their_name_and_several_are_numbered() -> None:
    """An operator reads in `status` who does what."""
    assert APART.names == ("disbursement", "ledger", "payment-0", "payment-1", "payment-2")
    assert spread(1).names == ("cell-0",)
    assert [APART.number_of(name) for name in APART.names] == [0, 1, 2, 3, 4]


def test_a_service_is_found_by_its_name_and_one_of_its_many_by_its_slot() -> None:
    """A message for a saga goes to the one cell that has its row."""
    assert {APART.cell_for("ledger", slot) for slot in range(SLOTS)} == {"ledger"}
    assert APART.cell_for("payment", 0) == APART.cell_for("payment/P01-00", 0) == "payment-0"
    assert APART.cell_for("payment/P01-3f", 63) == "payment-2"
    assert APART.cells_of("payment") == ("payment-0", "payment-1", "payment-2")
    assert APART.hosts("ledger", "ledger")
    assert not APART.hosts("ledger", "payment")


def test_what_belongs_to_the_runtime_is_in_every_cell() -> None:
    """Each cell has a directory and dead letters of its own."""
    assert APART.cells_of("directory") == APART.names
    assert APART.hosts("payment-1", "dead-letters")


@given(st.sampled_from([APART, spread(1), spread(7)]))
def test_a_placement_comes_back_from_its_record(placement: Placement) -> None:
    """Gateway, cells and clients have one and the same."""
    assert placement_from(json.loads(json.dumps(placement.record()))) == placement


def test_the_placement_is_recorded_at_the_first_start_and_found_at_the_next(tmp_path: Path) -> None:
    """A restart finds every account where it was."""
    assert recorded_placement(tmp_path) is None
    first = establish(tmp_path, spread(3))
    assert recorded_placement(tmp_path) == first == establish(tmp_path, spread(3))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_record_of_the_first_format_is_still_understood(tmp_path: Path) -> None:
    """An upgrade of the program finds every account where it was."""
    owners = [0] * 32 + [1] * 32
    (tmp_path / FILE).write_text(json.dumps({"format": 1, "slots": 64, "cells": 2, "owners": owners}))
    assert recorded_placement(tmp_path) == spread(2) == establish(tmp_path, spread(2))


def test_another_number_of_cells_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Accounts would be looked for in the wrong cell."""
    establish(tmp_path, spread(2))
    with pytest.raises(StoreRefused, match=r"for 2 cells, the configuration asks for 3: set topology\.cells = 2"):
        establish(tmp_path, spread(3))
    assert recorded_placement(tmp_path) == spread(2)


@pytest.mark.parametrize(("first", "then"), [(spread(2), APART), (APART, spread(2))])
def test_another_topology_is_refused_with_a_sentence(tmp_path: Path, first: Placement, then: Placement) -> None:
    """A ledger's rows lie in the cell that the first start put it into."""
    establish(tmp_path, first)
    with pytest.raises(StoreRefused, match="start with the topology of its first start, or in another data directory"):
        establish(tmp_path, then)


def test_a_record_that_was_changed_by_hand_is_followed(tmp_path: Path) -> None:
    """The record decides, not the rule that once made it."""
    establish(tmp_path, spread(2))
    moved = Group("cell", (), (1, *spread(2).groups[0].owners[1:]))
    record = json.loads((tmp_path / FILE).read_text())
    record["groups"][0]["owners"] = moved.owners
    (tmp_path / FILE).write_text(json.dumps(record))
    assert establish(tmp_path, spread(2)) == Placement((moved,))


WELL = {"name": "cell", "services": [], "owners": [0] * 64}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 3}', "of format 3, this program knows 2: start the newer program"),
        ("", "can't be read"),
        ("[]", "not one that this program wrote"),
        ('{"format": 1, "slots": 64, "cells": 2, "owners": [0, 1]}', "not one that this program wrote"),
        (json.dumps({"format": 1, "slots": 64, "cells": 3, "owners": [0, 2] * 32}), "not one that this program wrote"),
        (json.dumps({"format": 1, "slots": 64, "cells": 1, "owners": ["x"] * 64}), "not one that this program wrote"),
        (json.dumps({"format": 2, "slots": 64, "groups": []}), "not one that this program wrote"),
        (json.dumps({"format": 2, "slots": 64, "groups": [WELL, WELL]}), "not one that this program wrote"),
        (json.dumps({"format": 2, "slots": 64, "groups": [WELL | {"owners": [1] * 64}]}), "not one that this program"),
        (json.dumps({"format": 2, "slots": 64, "groups": [WELL | {"owners": []}]}), "not one that this program wrote"),
    ],
)
def test_a_record_that_cannot_be_trusted_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """A wrong guess would pay from an empty ledger."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(StoreRefused, match=words):
        establish(tmp_path, spread(2))


def test_a_directory_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Whoever starts the system is told what to look at."""
    with pytest.raises(StoreRefused, match="can't be written"):
        establish(tmp_path / "missing", spread(1))


def test_a_service_of_a_newer_program_is_put_into_a_recorded_group(tmp_path: Path) -> None:
    """It has nothing stored yet; what is recorded of the others stays, and so does the new one from then on."""
    establish(tmp_path, Placement((group("ledger", ("ledger",), 1), group("tracker", ("tracker",), 2))))
    wanted = Placement((group("ledger", ("ledger",), 1), group("tracker", ("tracker", "operations"), 2)))
    assert establish(tmp_path, wanted) == wanted == recorded_placement(tmp_path)
