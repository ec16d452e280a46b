"""A note of where a store's chain of seals ends, whose file it is, and how its last process ended.

Written after each commit and never synced: after a crash it may be behind the store, and never ahead of it. So a
store that doesn't reach as far as its note has lost something: its WAL was cut off, or an older copy took its place.
All notes stand in one directory, away from the stores, so that a cell's directory put back doesn't bring its own.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import Final

HEADS: Final = "heads"  # in the data directory
_MAGIC: Final = b"PSHEAD1\n"
_CONTENT: Final = struct.Struct("<8sQ32s36sQQB")  # magic, number, digest, boot, device, inode, flags
_CLEAN: Final = 1  # the last process ended in good order
_SUSPECT: Final = 2  # the last process found the store damaged
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Head:
    """The note of one store. `known` is the end of the chain as last noted, None where nothing was.

    `doubt` says why the store should be looked through before it is used; "" where nothing speaks against it.
    """

    def __init__(self, path: Path, store: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.store = store
        self.known: tuple[int, bytes] | None = None
        self._flags = _CLEAN
        self.doubt = "" if _place(store) == (0, 0) else "there is no note of it"
        self._read(os.pread(self._descriptor, 4096, 0))
        self._boot, self._place = _boot_id(), (0, 0)
        self._last = self.known or (0, bytes(32))

    def begin(self) -> None:
        """The store is open and found sound: from now on its last process has not ended in good order."""
        self._place = _place(self.store)
        self._flags = 0
        self._write()

    def note(self, number: int, digest: bytes) -> None:
        """A turn is durable, and this is its link."""
        self._last = (number, digest)
        self._write()

    def suspect(self) -> None:
        """The store was found damaged: the next start looks it through."""
        self._flags |= _SUSPECT
        self._write()

    def close(self, *, clean: bool = True) -> None:
        """The process ends; in good order if `clean`."""
        if clean and not self._flags & _SUSPECT:
            self._flags |= _CLEAN
            self._write()
        os.close(self._descriptor)

    @property
    def clean(self) -> bool:
        """Whether the last process ended in good order."""
        return bool(self._flags & _CLEAN)

    @property
    def suspected(self) -> bool:
        """Whether the store was found damaged before."""
        return bool(self._flags & _SUSPECT)

    def _read(self, content: bytes) -> None:
        if not content:
            return
        self.doubt = ""
        packed, check = content[: _CONTENT.size], content[_CONTENT.size : _CONTENT.size + 4]
        if len(packed) < _CONTENT.size or check != _check(packed) or packed[:8] != _MAGIC:
            self.doubt = "the note of it can't be read"
            return
        _, number, digest, boot, device, inode, self._flags = _CONTENT.unpack(packed)
        self.known = (number, digest)
        if self._flags & _SUSPECT:
            self.doubt = "it was found damaged while it ran"
        elif (device, inode) != _place(self.store):
            self.doubt = "it is a copy, or was put here from elsewhere"
        elif not self._flags & _CLEAN and boot.decode("ascii", "replace") != _boot_id():
            self.doubt = "the machine went down while it was in use"

    def _write(self) -> None:
        boot = self._boot.encode("ascii", "replace")
        packed = _CONTENT.pack(_MAGIC, *self._last, boot, *self._place, self._flags)
        # A disk that takes nothing more: the note stays behind, which does no harm.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, packed + _check(packed), 0)


def head_path(data: Path, cell: str) -> Path:
    """Where the note of a cell's store stands."""
    return data / HEADS / f"{cell}.head"


def read_head(path: Path) -> tuple[int, bytes] | None:
    """The end of the chain as noted at `path`; None where there is no note that can be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    packed, check = content[: _CONTENT.size], content[_CONTENT.size : _CONTENT.size + 4]
    if len(packed) < _CONTENT.size or check != _check(packed):
        return None
    _, number, digest, *_ = _CONTENT.unpack(packed)
    return number, digest


def _check(packed: bytes) -> bytes:
    return zlib.crc32(packed).to_bytes(4, "little")


def _place(store: Path) -> tuple[int, int]:
    try:
        found = store.stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()[:36]
    except OSError:
        return ""
