"""Which cell hosts which service for which slot: recorded at a data directory's first start, then followed.

Services that live together are a *group*: one cell, or several that share the slots. One group of all services is the
topology `embedded` (one cell) or `partitioned`; a group for each service is `isolated`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from actors.store.session import StoreRefused
from actors.vocabulary.slots import SLOTS

FILE: Final = "partitions.json"
FORMAT: Final = 2  # 1 had one group of all services, and only its `cells` and `owners`
EVERYTHING: Final = "cell"  # the name of the group that hosts every service


@dataclass(frozen=True, slots=True)
class Group:
    """Services that live together; `owners[slot]` is which of the group's cells has the slot. No services: all."""

    name: str
    services: tuple[str, ...]
    owners: tuple[int, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of the group's cells: numbered, but for the only cell of some services."""
        number = max(self.owners) + 1
        if number == 1 and self.services:
            return (self.name,)
        return tuple(f"{self.name}-{at}" for at in range(number))

    @property
    def homes(self) -> tuple[str, ...]:
        """The cell of each slot."""
        cells = self.cells
        return tuple(cells[owner] for owner in self.owners)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where every actor lives.

    >>> spread(2).cell_for("ledger", 63), spread(2).cell_for("payment/P01-3f", 0)
    ('cell-1', 'cell-0')
    >>> apart = Placement((group("ledger", ("ledger",), 1), group("payment", ("payment",), 2)))
    >>> apart.names, apart.cell_for("payment/P01-3f", 63), apart.cell_for("ledger", 63)
    (('ledger', 'payment-0', 'payment-1'), 'payment-1', 'ledger')
    """

    groups: tuple[Group, ...]
    names: tuple[str, ...] = field(init=False)  # of all cells, in the order in which they are started
    _by_service: Mapping[str, Group] = field(init=False, compare=False, repr=False)
    _homes: Mapping[str, tuple[str, ...]] = field(init=False, compare=False, repr=False)  # by slot
    _other: tuple[str, ...] = field(init=False, compare=False, repr=False)  # the homes of what no group names

    def __post_init__(self) -> None:
        """Work out what is asked for thousands of times."""
        by_service = {service: group for group in self.groups for service in group.services}
        object.__setattr__(self, "names", tuple(name for group in self.groups for name in group.cells))
        object.__setattr__(self, "_by_service", by_service)
        object.__setattr__(self, "_homes", {service: group.homes for service, group in by_service.items()})
        object.__setattr__(self, "_other", self.groups[0].homes)

    @property
    def whole(self) -> bool:
        """Whether every cell hosts every service."""
        return len(self.groups) == 1

    def cell_for(self, actor: str, slot: int) -> str:
        """The cell in which `actor` (a service, or one of its many: `payment/<id>`) lives for `slot`."""
        homes = self._homes
        return (homes.get(actor) or homes.get(actor.partition("/")[0]) or self._other)[slot]

    def cells_of(self, service: str) -> tuple[str, ...]:
        """Every cell that hosts `service`; what is no service of any group, such as the directory, is in all."""
        group = self._by_service.get(service)
        return group.cells if group else self.names

    def hosts(self, cell: str, service: str) -> bool:
        """Whether `service` is in `cell`."""
        return cell in self.cells_of(service)

    def number_of(self, cell: str) -> int:
        """The number that tells the cell's ids from all others'; it never changes."""
        return self.names.index(cell)

    def slots_of(self, cell: str) -> frozenset[int]:
        """The slots that a cell has, of its services."""
        for group in self.groups:
            if cell in group.cells:
                at = group.cells.index(cell)
                return frozenset(slot for slot, owner in enumerate(group.owners) if owner == at)
        raise LookupError(f"no cell is called {cell}")

    def record(self) -> list[dict[str, Any]]:
        """As plain values, for the file and for clients."""
        return [
            {"name": group.name, "services": list(group.services), "owners": list(group.owners)}
            for group in self.groups
        ]


def group(name: str, services: tuple[str, ...], cells: int) -> Group:
    """A group with the slots in as many equal runs as it has cells."""
    return Group(name, services, tuple(slot * cells // SLOTS for slot in range(SLOTS)))


def spread(cells: int) -> Placement:
    """Every service in each of so many cells."""
    return Placement((group(EVERYTHING, (), cells),))


def placement_from(record: Any) -> Placement:
    """The inverse of `Placement.record`.

    Raises:
        ValueError: it is none.
    """
    try:
        groups = tuple(Group(each["name"], tuple(each["services"]), tuple(each["owners"])) for each in record)
    except (TypeError, KeyError) as error:
        raise ValueError("a placement is a list of groups") from error
    services = [service for group in groups for service in group.services]
    if (
        not groups
        or not all(_is_group(group) for group in groups)
        or (len(groups) > 1 and not all(group.services for group in groups))
        or len(set(services)) < len(services)
    ):
        raise ValueError("these groups are no placement")
    return Placement(groups)


def recorded_placement(data: Path) -> Placement | None:
    """The placement as recorded in the data directory, or None before its first start.

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


def establish(data: Path, wanted: Placement) -> Placement:
    """Record the placement at the first start; later, check that it is still the one.

    A service that the record doesn't know, of a newer program, has nothing stored yet: it may go to any cell.

    Raises:
        StoreRefused: the directory is laid out for other cells, or the record can't be read or written.
    """
    recorded = recorded_placement(data)
    if recorded is None:
        _write(data / FILE, {"format": FORMAT, "slots": SLOTS, "groups": wanted.record()})
        return wanted
    if recorded.names != wanted.names or not recorded._by_service.keys() <= wanted._by_service.keys():
        raise StoreRefused(_other_layout(recorded, wanted))
    if recorded._by_service.keys() < wanted._by_service.keys():
        recorded = _with_new_services(recorded, wanted)
        _write(data / FILE, {"format": FORMAT, "slots": SLOTS, "groups": recorded.record()})
    return recorded


def _with_new_services(recorded: Placement, wanted: Placement) -> Placement:
    """The recorded groups, each with those services of its namesake that no group has yet."""
    known = recorded._by_service.keys()
    new = {group.name: tuple(each for each in group.services if each not in known) for group in wanted.groups}
    return Placement(tuple(replace(group, services=group.services + new[group.name]) for group in recorded.groups))


def _other_layout(recorded: Placement, wanted: Placement) -> str:
    if recorded.whole and wanted.whole:
        cells = len(recorded.names)
        return (
            f"this data directory is laid out for {_count(cells)}, the configuration asks for {len(wanted.names)}:"
            f" set topology.cells = {cells}, or start in another data directory"
        )
    return (
        f"this data directory is laid out for the cells {', '.join(recorded.names)}, the configuration asks for"
        f" {', '.join(wanted.names)}: use --config to start with the topology of its first start, or in another data"
        " directory"
    )


def _checked(record: Any, path: Path) -> Placement:
    known = record if isinstance(record, dict) else {}
    version = known.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise StoreRefused(
            f"the map of partitions {path} is of format {version}, this program knows {FORMAT}:"
            " start the newer program that wrote it"
        )
    groups = known.get("groups")
    if version == 1:
        groups = [{"name": EVERYTHING, "services": [], "owners": known.get("owners")}]
    try:
        placement = placement_from(groups)
    except ValueError:
        placement = None
    if version not in (1, FORMAT) or known.get("slots") != SLOTS or placement is None:
        raise StoreRefused(f"the map of partitions {path} is not one that this program wrote: restore it from a copy")
    if version == 1 and known.get("cells") != len(placement.names):
        raise StoreRefused(f"the map of partitions {path} is not one that this program wrote: restore it from a copy")
    return placement


def _is_group(group: Group) -> bool:
    owners = group.owners
    return (
        isinstance(group.name, str)
        and all(isinstance(service, str) for service in group.services)
        and len(owners) == SLOTS
        and all(type(owner) is int for owner in owners)
        and max(owners) < SLOTS  # before anything of that size is made
        and set(owners) == set(range(max(owners) + 1))
    )


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
