"""The recorded map of slots to cells: written once, at the first start of a data directory, then only checked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from actors.store.session import StoreRefused
from actors.vocabulary.slots import SLOTS

FILE: Final = "partitions.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class PartitionMap:
    """Which cell owns which slot: `owners[slot]` is the cell's number.

    >>> spread(2).name_of(63), spread(2).cell_of(0)
    ('cell-1', 0)
    """

    owners: tuple[int, ...]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return max(self.owners) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The cells' names, by number."""
        return tuple(name_of_cell(cell) for cell in range(self.cells))

    def cell_of(self, slot: int) -> int:
        """The number of the cell that owns `slot`."""
        return self.owners[slot]

    def name_of(self, slot: int) -> str:
        """The name of the cell that owns `slot`."""
        return name_of_cell(self.owners[slot])

    def slots_of(self, cell: int) -> frozenset[int]:
        """The slots that a cell owns."""
        return frozenset(slot for slot, owner in enumerate(self.owners) if owner == cell)


def name_of_cell(cell: int) -> str:
    """`cell-0`, `cell-1`, …"""
    return f"cell-{cell}"


def spread(cells: int) -> PartitionMap:
    """The slots in as many equal runs as there are cells."""
    return PartitionMap(tuple(slot * cells // SLOTS for slot in range(SLOTS)))


def recorded_map(data: Path) -> PartitionMap | None:
    """The map as recorded in the data directory, or None before its first start.

    Raises:
        StoreRefused: the record can't be read, or a newer program wrote it.
    """
    path = data / FILE
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreRefused(f"the map of partitions {path} can't be read ({error}): restore it from a copy") from error
    return _checked(record, path)


def establish(data: Path, cells: int) -> PartitionMap:
    """Record the map for `cells` cells at the first start; later, check that it is still the one.

    Raises:
        StoreRefused: the directory is laid out for another number of cells, or the record can't be
            read or written.
    """
    recorded = recorded_map(data)
    if recorded is None:
        recorded = spread(cells)
        _write(data / FILE, {"format": FORMAT, "slots": SLOTS, "cells": cells, "owners": recorded.owners})
    elif recorded.cells != cells:
        raise StoreRefused(
            f"this data directory is laid out for {_count(recorded.cells)}, the configuration asks for {cells}:"
            f" set topology.cells = {recorded.cells}, or start in another data directory"
        )
    return recorded


def _checked(record: Any, path: Path) -> PartitionMap:
    known = record if isinstance(record, dict) else {}
    version = known.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise StoreRefused(
            f"the map of partitions {path} is of format {version}, this program knows {FORMAT}:"
            " start the newer program that wrote it"
        )
    owners = known.get("owners")
    if (
        version != FORMAT
        or known.get("slots") != SLOTS
        or not isinstance(owners, list)
        or len(owners) != SLOTS
        or not all(type(owner) is int for owner in owners)
        or set(owners) != set(range(max(owners) + 1))
        or known.get("cells") != max(owners) + 1
    ):
        raise StoreRefused(f"the map of partitions {path} is not one that this program wrote: restore it from a copy")
    return PartitionMap(tuple(owners))


def _write(path: Path, record: dict[str, Any]) -> None:
    """The old content or the new, whatever happens meanwhile; on the disk when this returns."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StoreRefused(
            f"the map of partitions {path} can't be written ({error.strerror}); check the disk and who owns it"
        ) from error


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"
