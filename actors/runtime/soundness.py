"""Whether a cell may use its store: looked through where there is doubt, held against its seals and its peers.

Each refusal is one sentence that says what was found and what to do. Nothing is mended here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from actors.runtime import seals
from actors.store import soundness
from actors.store.head import Head
from actors.store.session import Reader, Sealed, StoreRefused
from actors.store.soundness import ADVICE
from actors.store.sqlite import SqliteReader, SqliteSession

if TYPE_CHECKING:
    from config.settings import StoreSettings

NOTHING: Final = (0, 0, 0)
SMALL_BYTES: Final = 32 << 20  # looked through at every orderly start: a few hundredths of a second
_log = structlog.get_logger("store")


def head_of(path: Path, store: Path) -> Head:
    """The note of a store, after a first look at the store's file itself.

    Raises:
        StoreRefused: the file is missing, no database, or cut off.
    """
    try:
        head = Head(path, store)
    except OSError as error:
        raise StoreRefused(
            f"the note {path} can't be opened ({error.strerror}); check the disk and who owns it"
        ) from error
    soundness.look_at(store, used=head.known is not None)
    return head


def examine(session: SqliteSession, head: Head, settings: StoreSettings) -> None:
    """Look through every page, where the settings or a doubt ask for it.

    Raises:
        StoreRefused: it is damaged.
    """
    if not _wanted(head, settings):
        return
    found = session.damage(thorough=head.suspected)
    if found is not None:
        raise damaged(head, found)


def hold_against_seals(session: SqliteSession, head: Head, settings: StoreSettings, sealed: Iterable[Sealed]) -> None:
    """See that the store reaches as far as was noted, and in doubt that every sealed row is as it was written.

    Raises:
        StoreRefused: something that was committed is missing, or has been changed.
    """
    session.begin(to_read=True)
    try:
        if head.known is not None and (lost := seals.lost_since(session, head.known)) is not None:
            if settings.synchronous != "FULL":
                _log.warning("the store has lost what its settings don't keep from being lost", lost=lost)
            else:
                raise StoreRefused(_has_lost(head, lost))
        if head.doubt and _wanted(head, settings):
            _log.warning("the store is looked through", store=str(head.store), because=head.doubt)
            broken = seals.check(session, sealed, None).broken
            if broken and session.one("SELECT 1 FROM seals LIMIT 1") is not None:
                raise damaged(head, broken[0].text)
    finally:
        session.roll_back()


def hold_against_peers(session: SqliteSession, name: str, cells: Path, peers: Iterable[str]) -> None:
    """See that this store and its peers' stores tell one story: nobody has taken what was never sent.

    A store that was put back from an older copy would give out numbers a second time, and its peers would
    drop what is new as known. This cell doesn't run yet, so what holds now holds whatever the peers do meanwhile.

    Raises:
        StoreRefused: one of two stores is older than the other.
    """
    session.begin(to_read=True)
    try:
        mine = _ends(session)
    finally:
        session.roll_back()
    for peer in peers:
        if peer == name:
            continue
        theirs = _peer_ends(cells / peer / "store.db")
        if theirs is None:
            continue
        sent, acknowledged, taken = mine.get(peer, NOTHING)
        their_sent, their_acknowledged, their_taken = theirs.get(name, NOTHING)
        if their_taken > sent or their_acknowledged > taken:
            raise StoreRefused(_older(name, peer))
        if taken > their_sent or acknowledged > their_taken:
            raise StoreRefused(_older(peer, name))


def damaged(head: Head, found: object) -> StoreRefused:
    """The sentence for a damaged store, which is noted beside it."""
    head.suspect()
    return StoreRefused(f"the store {head.store} is damaged ({found}): stop the system, then {ADVICE}")


def _wanted(head: Head, settings: StoreSettings) -> bool:
    if settings.check_at_start != "auto":
        return settings.check_at_start == "always"
    try:
        size = head.store.stat().st_size
    except OSError:
        return False
    if not head.doubt:
        return head.clean and size <= SMALL_BYTES
    if size > settings.check_limit_mb << 20:
        _log.error(
            "the store is too large to be looked through at the start: do it with verify --deep",
            store=str(head.store), because=head.doubt,
        )  # fmt: skip
        return False
    return True


def _has_lost(head: Head, lost: str) -> str:
    return (
        f"the store {head.store} is not what it was when it was last used ({lost}): its WAL was cut off or an older"
        f" copy was put in its place; {ADVICE} (or delete {head.path} to go on without them)"
    )


def _older(older: str, newer: str) -> str:
    return (
        f"the store of {older} is older than that of {newer}, as after one of them was put back from a copy:"
        f" all cells must come from one backup; {ADVICE}"
    )


def _ends(reader: Reader) -> dict[str, tuple[int, int, int]]:
    """Per peer the last number sent, the last that it has acknowledged, the last taken from it."""
    waiting: dict[str, int] = dict(reader.all("SELECT peer, min(number) FROM links_out GROUP BY peer"))
    return {
        peer: (last_out, waiting[peer] - 1 if peer in waiting else last_out, last_in)
        for peer, last_out, last_in in reader.all("SELECT peer, last_out, last_in FROM links_state")
    }


def _peer_ends(store: Path) -> dict[str, tuple[int, int, int]] | None:
    """The same of a peer, which may be running; None where it can't be told: a peer speaks for its own store."""
    if not store.exists():
        return None
    try:
        reader = SqliteReader(store)
    except StoreRefused:
        return None
    try:
        reader.one("BEGIN")
        return _ends(reader)
    except sqlite3.Error:
        return None
    finally:
        reader.close()
