"""Files for this user's eyes only: replaced as a whole, or put there once."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deungdae.wires import vault


def test_a_small_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    vault.write(path, b"one")
    (path.parent / ".begun-1").write_bytes(b"left by a kill")
    vault.write(path, b"two")
    assert vault.read(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert vault.read(tmp_path / "none") is None


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    vault.write(path, b"one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for put in (vault.write, vault.once):
        with pytest.raises(OSError, match="No space left"):
            put(path, b"two")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"one"


def test_of_many_at_once_the_first_is_kept_and_all_have_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda number: vault.once(path, b"key %d" % number), range(8)))
    assert got == {path.read_bytes()}
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
