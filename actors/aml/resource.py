"""The watchlists in force as a cell holds them in memory: read from their files, shared by the cell, replaced whole.

What is in force stands in AML's tables; this is derived from them and holds no state of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from actors.aml.index import HELD, Screening, ScreeningIndex
from actors.aml.messages import ListInForce
from actors.aml.watchlist import BadWatchlist, Watchlist, read_watchlist
from config.settings import Settings

SCREENING = "screening"  # the resource's name in a cell's context


class ListsInForce:
    """The index that payments are screened with now, and the lists it was built from.

    `label` names lists and versions, as evidence with each screening. With a `problem` no list can be relied
    on, and every payment is held for it.
    """

    __slots__ = ("index", "label", "lists", "problem")

    def __init__(self, index: ScreeningIndex, lists: tuple[ListInForce, ...], problem: str = "") -> None:
        self.problem = problem
        self.swap(index, lists)

    def swap(self, index: ScreeningIndex, lists: tuple[ListInForce, ...]) -> None:
        """Screen with another index from now on."""
        self.index = index
        self.lists = tuple(sorted(lists, key=lambda each: each.name))
        self.label = ", ".join(f"{each.name} {each.version}" for each in self.lists)

    def screen(self, name: str, date_of_birth: str | None, country: str | None) -> Screening:
        """What the lists in force say about a name."""
        if self.problem:
            return Screening(HELD, 0.0, (), self.problem)
        return self.index.screen(name, date_of_birth, country)


def load_screening(settings: Settings, recorded: Sequence[ListInForce]) -> ListsInForce:
    """The lists recorded as in force, or, where none was ever recorded, those in the settings.

    A list that can't be read any more doesn't stop the cell: its payments are held until one is loaded.
    """
    wanted = tuple(recorded) or configured(settings)
    try:
        watchlists, lists = read_lists(wanted)
    except BadWatchlist as error:
        return ListsInForce(build_index(settings, ()), wanted, f"the watchlists can't be used: {error}")
    return ListsInForce(build_index(settings, watchlists), lists)


def configured(settings: Settings) -> tuple[ListInForce, ...]:
    """The lists in the settings, unread."""
    paths = [Path(path).absolute() for path in settings.aml.watchlists]
    return tuple(ListInForce(name=path.stem, source=path.name, version="", entries=0, path=str(path)) for path in paths)


def read_lists(lists: Sequence[ListInForce]) -> tuple[list[Watchlist], tuple[ListInForce, ...]]:
    """The lists' entries, and what is now recorded of them (a file may have changed since).

    Raises:
        BadWatchlist: one of them can't be used; the message is a sentence.
    """
    watchlists = [read_watchlist(each.path, each.format, each.name) for each in lists]
    return watchlists, tuple(
        replace(each, version=watchlist.version, entries=len(watchlist.entries))
        for each, watchlist in zip(lists, watchlists, strict=True)
    )


def build_index(settings: Settings, watchlists: Iterable[Watchlist]) -> ScreeningIndex:
    """The index of these lists with the configured thresholds."""
    return ScreeningIndex(watchlists, settings.aml.block_at, settings.aml.hold_at)
