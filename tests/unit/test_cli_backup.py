"""What `backup` and `restore` say where they can't do what is asked, before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.admin.backup import MANIFEST, back_up, read_manifest
from actors.admin.command import CommandFailed


@pytest.mark.parametrize(
    "content", [b"{", b"\xb6\xff", b"{}", b"[]", b"null", b'{"format": 1, "files": [1]}', b"[" * 100_000]
)
def test_a_manifest_of_garbage_is_told_in_words(tmp_path: Path, content: bytes) -> None:
    """What Python thinks of the bytes helps nobody."""
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(CommandFailed) as refused:
        read_manifest(tmp_path)
    assert str(refused.value) == f"{tmp_path / MANIFEST} can't be read as what a backup writes; take another backup"


def test_a_file_is_no_backup(tmp_path: Path) -> None:
    """The same is said as of a directory that is none."""
    file = tmp_path / "backup.tar"
    file.write_bytes(b"x")
    with pytest.raises(CommandFailed, match=r"backup\.tar is no backup, or one that was not finished"):
        read_manifest(file)


def test_nothing_is_backed_up_onto_a_file(tmp_path: Path) -> None:
    """And the file is called one."""
    store = tmp_path / "data" / "cells" / "cell-0" / "store.db"
    store.parent.mkdir(parents=True)
    store.touch()
    file = tmp_path / "backup.tar"
    file.write_bytes(b"x")
    with pytest.raises(CommandFailed, match=r"backup\.tar is a file; name a directory"):
        back_up(tmp_path / "data", file)
    assert file.read_bytes() == b"x"
