"""Backups: a copy of all stores and of the simulated rail's journals as they stand at one moment, and the way back.

The moment is made by holding every file's write lock at once, for some milliseconds, while a read snapshot of each
is opened; the copying is done from the snapshots and disturbs nobody. The manifest is written last: a directory
without one is no backup, whatever it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from actors.admin.command import CommandFailed
from actors.admin.reading import cells_of
from actors.runtime.launch import UNFINISHED, while_stopped
from config.settings import EFFECTIVE

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
DRAFT: Final = ".restoring"  # in the data directory, until everything is moved into place
SETTINGS: Final = "settings.json"
RECORDS: Final = {"partitions.json": "partitions.json", SETTINGS: EFFECTIVE}  # copied as they are; and from where
REPLACED: Final = ("partitions.json", "cells", "heads", "rail", "replica", "mail")  # what a restore moves aside
PAGES: Final = 512  # of a store, copied at a time
LOCK_POLL_S: Final = 0.0005  # a busy cell leaves its lock free for a moment between two turns
LOCK_HOLD_S: Final = 0.4  # no cell may be kept waiting for as long as its own patience (1 s)
LOCK_PAUSE_S: Final = 0.2
LOCK_PATIENCE_S: Final = 30.0

Advance = Callable[[int], None]
Progress = Callable[[str, int], contextlib.AbstractContextManager[Advance]]


@contextlib.contextmanager
def unwatched(what: str, total: int) -> Iterator[Advance]:
    """Progress that nobody looks at."""
    yield lambda by: None


def back_up(data: Path, target: Path, *, progress: Progress = unwatched) -> dict[str, Any]:
    """Copy the system of `data`, running or not, into the directory `target`, which is made; returns the manifest.

    Everything that was acknowledged before this was called is in it. A failure leaves nothing behind.

    Raises:
        CommandFailed: there is nothing to copy, `target` has something in it, or it can't be written.
    """
    stores = [Path("cells", cell, "store.db") for cell in cells_of(data)]
    if not stores:
        raise CommandFailed(f"nothing is stored in {data}, so there is nothing to back up")
    if target.exists() and not target.is_dir():
        raise CommandFailed(f"{target} is a file; name a directory that is empty or does not exist")
    if target.exists() and any(target.iterdir()):
        raise CommandFailed(f"{target} has something in it; name a directory that is empty or does not exist")
    files = stores + [path.relative_to(data) for path in sorted(data.glob("rail/*.db"))]
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        made_at = datetime.now(UTC)
        with snapshots(data, files) as (readers, pause_s):
            pages = sum(int(reader.execute("PRAGMA page_count").fetchone()[0]) for reader in readers.values())
            with progress("copying", pages) as advance:
                for name, reader in readers.items():
                    _copy_store(reader, target / name, advance)
            seals = {name.parts[1]: _seal(reader) for name, reader in readers.items() if name in stores}
        for record, place in RECORDS.items():
            if (data / place).exists():
                _copy(data / place, target / record)
        manifest = {
            "format": FORMAT,
            "made_at": made_at.isoformat(),
            "pause_ms": round(pause_s * 1000, 1),
            "cells": len(stores),
            "seals": seals,
            "files": [_entry(target, path) for path in _files(target)],
        }
        _sync_tree(target)
        _write(target / MANIFEST, json.dumps(manifest, indent=1).encode())
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(target, ignore_errors=True)
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandFailed(f"no backup was made in {target} ({text}); check the disk and try again") from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return manifest


@contextlib.contextmanager
def snapshots(data: Path, files: list[Path]) -> Iterator[tuple[dict[Path, sqlite3.Connection], float]]:
    """Read connections to all files, showing them at one moment; and how long nobody could write, in seconds."""
    with contextlib.ExitStack() as stack:
        readers = {name: stack.enter_context(_connected(data / name)) for name in files}
        writers = {name: stack.enter_context(_connected(data / name)) for name in files}
        pause_s = _at_one_moment(list(writers.values()), list(readers.values()))
        yield readers, pause_s


def read_manifest(backup: Path) -> dict[str, Any]:
    """What a backup says of itself.

    Raises:
        CommandFailed: it is none, was not finished, or a newer program made it.
    """
    path = backup / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        version, files = manifest["format"], manifest["files"]
        if version == FORMAT:
            _touch(manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise CommandFailed(f"{backup} is no backup, or one that was not finished: there is no {MANIFEST}") from None
    except OSError as error:
        raise CommandFailed(f"the manifest {path} can't be read ({error.strerror}); take another backup") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CommandFailed(f"{path} can't be read as what a backup writes; take another backup") from error
    if version != FORMAT or not isinstance(files, list):
        raise CommandFailed(f"the backup {backup} is of format {version}, this program knows {FORMAT}")
    return dict(manifest)


def _touch(manifest: dict[str, Any]) -> None:
    """Use everything that is used of a manifest once: what it lacks shows before anything is done."""
    datetime.fromisoformat(manifest["made_at"])
    int(manifest["cells"])
    for entry in manifest["files"]:
        Path(entry["path"])


def check_backup(backup: Path, manifest: dict[str, Any], *, progress: Progress = unwatched) -> None:
    """Hold every file of a backup against its manifest.

    Raises:
        CommandFailed: one is missing, or is not what was written.
    """
    with progress("checking", len(manifest["files"])) as advance:
        for entry in manifest["files"]:
            path = backup / str(entry["path"])
            if not path.resolve().is_relative_to(backup.resolve()):
                raise CommandFailed(f"the manifest of {backup} names a file outside of it: {entry['path']}")
            try:
                whole = _entry(backup, Path(entry["path"])) == entry
            except OSError as error:
                raise CommandFailed(f"{path} of the backup can't be read ({error.strerror}); take another") from error
            if not whole:
                raise CommandFailed(f"{path} of the backup is not what was backed up; take another backup")
            advance(1)


def restore(
    backup: Path, data: Path, *, force: bool = False, keep_rail: bool = False, progress: Progress = unwatched
) -> dict[str, Any]:
    """Put a backup in place as the data directory `data`; returns its manifest and what was moved aside.

    The backup is checked before anything is touched. What is stored there stays, unless `force` moves it aside;
    with `keep_rail` the rail's journals stay in place, as a bank's would. Interrupted, it is refused by
    `start`, and can be run again.

    Raises:
        CommandFailed: the backup is not whole, or something is stored in `data`.
        AlreadyRunning: a system runs there.
    """
    manifest = read_manifest(backup)
    check_backup(backup, manifest, progress=progress)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with while_stopped(data):
        unfinished = (data / UNFINISHED).exists()
        stored = [name for name in REPLACED if (data / name).exists()]
        if stored and not force and not unfinished:
            raise CommandFailed(
                f"something is stored in {data} already ({', '.join(stored)}): name an empty directory with --data,"
                " or move it aside with --force"
            )
        try:
            aside = _put_in_place(backup, data, manifest, [name for name in stored if not keep_rail or name != "rail"])
        except OSError as error:
            shutil.rmtree(data / DRAFT, ignore_errors=True)  # the space may be what is missing
            raise CommandFailed(
                f"the restore into {data} was not finished ({error.strerror or error}); check the disk, run it again"
            ) from error
    return {"manifest": manifest, "moved_aside": str(aside) if aside else None}


def _put_in_place(backup: Path, data: Path, manifest: dict[str, Any], stored: list[str]) -> Path | None:
    draft = data / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    for entry in manifest["files"]:
        _copy(backup / entry["path"], draft / entry["path"])
    _sync_tree(draft)
    _write(data / UNFINISHED, b"a restore into this directory was not finished: run it again\n")
    aside = None
    if stored:
        aside = data / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        aside.mkdir(mode=0o700)
        for name in stored:
            (data / name).rename(aside / name)
    for place in sorted(draft.iterdir()):
        if place.name == SETTINGS:
            place.replace(data / EFFECTIVE)
        elif not (data / place.name).exists():  # the rail's journals may have been told to stay
            place.rename(data / place.name)
    _sync(data)
    (data / UNFINISHED).unlink()
    shutil.rmtree(draft)
    _sync(data)
    return aside


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def _at_one_moment(writers: list[sqlite3.Connection], readers: list[sqlite3.Connection]) -> float:
    """Open a snapshot in every reader while no file can be written; the time of that in seconds."""
    for reader in readers:
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # so that nothing is left to be learnt
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            began = _take_all(writers)
            if began is not None:
                for reader in readers:
                    reader.execute("BEGIN")
                    reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
                return time.monotonic() - began
        finally:
            for writer in writers:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
        if time.monotonic() > deadline:
            raise CommandFailed("the stores are too busy to be held still for a moment; try again later")
        time.sleep(LOCK_PAUSE_S)


def _take_all(writers: list[sqlite3.Connection]) -> float | None:
    """Take every write lock; when the first was had, or None where the others could not be had soon enough."""
    began, until = None, time.monotonic() + LOCK_PATIENCE_S
    for writer in writers:
        writer.execute("PRAGMA busy_timeout = 0")
        while not _taken(writer):
            if time.monotonic() > until:
                return None
            time.sleep(LOCK_POLL_S)
        if began is None:
            began = time.monotonic()
            until = began + LOCK_HOLD_S
    return began


def _taken(writer: sqlite3.Connection) -> bool:
    try:
        writer.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    return True


def _copy_store(reader: sqlite3.Connection, path: Path, advance: Advance) -> None:
    """Copy from a snapshot into a file that needs no WAL beside it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    done = 0

    def copied(status: int, remaining: int, total: int) -> None:
        nonlocal done
        advance(total - remaining - done)
        done = total - remaining

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # all of it is synced at the end
        reader.backup(copy, pages=PAGES, progress=copied)
        copy.execute("PRAGMA journal_mode = DELETE")
    if path.with_name(path.name + "-wal").exists():
        raise OSError(f"{path} is not complete by itself")


def _seal(reader: sqlite3.Connection) -> dict[str, Any] | None:
    """Where a store's chain of seals ends: whoever keeps this elsewhere can tell a store that was made anew."""
    if not reader.execute("SELECT 1 FROM sqlite_master WHERE name = 'seals'").fetchone():
        return None
    row = reader.execute("SELECT number, digest FROM seals ORDER BY number DESC LIMIT 1").fetchone()
    return {"number": row[0], "digest": row[1].hex()} if row else None


def _files(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.name != MANIFEST)


def _entry(root: Path, name: Path) -> dict[str, Any]:
    path = root / name
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": name.as_posix(), "bytes": path.stat().st_size, "sha256": digest}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk when this returns."""
    draft = path.with_name(f".{path.name}")
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o600)
    draft.replace(path)
    _sync(path.parent)


def _sync_tree(root: Path) -> None:
    for path in (*root.rglob("*"), root):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
