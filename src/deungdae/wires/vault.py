"""Files that only this user may read, written as a whole and durable."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger("deungdae.vault")


def read(path: Path) -> bytes | None:
    """Return the content, or None where there is no such file. Raises OSError.

    A file that others may read is closed to them, and that is said.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
        log.warning("state=closed file=%s others could read it until now", path)
    return content


def write(path: Path, content: bytes) -> None:
    """Put the content there, durably and at once. Raises OSError; then what was there stays."""
    draft = _draft(path.parent, content)
    try:
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def once(path: Path, content: bytes) -> bytes:
    """Put the content there where nothing is; return what stands there then. Raises OSError.

    Of several programs that do so at once one is the first, and all have what it put there.
    """
    draft = _draft(path.parent, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        draft.unlink()
    sync(path.parent)
    return content


def sync(folder: Path) -> None:
    """Make durable which names the folder holds. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _draft(folder: Path, content: bytes) -> Path:
    """Return a durable new file in the folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".begun-", dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(name)
        raise
    return Path(name)
