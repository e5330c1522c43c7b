"""Small files that only this user may read, replaced as a whole."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("deungdae.auth")


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
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
