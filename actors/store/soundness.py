"""What is looked at before a store is used, so that a damaged one is named and never half read.

Always, in no time: it is there if it ever was, it is a database, and no shorter than it says. When there is reason
for doubt, or it is small: every page of it (`SqliteSession.damage`), and every seal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from actors.store.session import StoreRefused

_MAGIC: Final = b"SQLite format 3\0"
_WAL_HEADER: Final = 32
LOCKED: Final = "locked by another program: end that program, then start again"
ADVICE: Final = "restore a backup with: python system.py restore FROM --data DIR --force"


def look_at(path: Path, *, used: bool) -> None:
    """Look at a store's file before it is opened. `used` says that something was stored there before.

    Raises:
        StoreRefused: it is missing, is no database, or is cut off.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = -1
    except OSError as error:
        raise StoreRefused(f"the store {path} can't be read ({error.strerror}); check the disk") from error
    if size <= 0:
        if used:
            raise StoreRefused(f"the store {path} is {'missing' if size < 0 else 'empty'}: {ADVICE}")
        return
    with open(path, "rb") as file:
        header = file.read(100)
    if not header.startswith(_MAGIC) or len(header) < 100:
        raise StoreRefused(f"the store {path} is no database any more: {ADVICE}")
    whole = _size_by_header(header)
    if size < whole and wal_is_empty(path):
        raise StoreRefused(f"the store {path} is truncated, {size:,} of {whole:,} bytes are there: {ADVICE}")


def _size_by_header(header: bytes) -> int:
    """Bytes that the file has by its own header; 0 where that can't be told."""
    page = int.from_bytes(header[16:18], "big")
    page = 65_536 if page == 1 else page
    if header[24:28] != header[92:96]:  # the number of pages was written by a program that didn't keep it up
        return 0
    return page * int.from_bytes(header[28:32], "big")


def wal_is_empty(path: Path) -> bool:
    """Whether all of a store stands in its own file."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size <= _WAL_HEADER
    except OSError:
        return True
