"""One holder at a time: a lock file that says who has the folder open."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from deungdae.core.errors import StoreError


class Hold:
    """Holds a folder or file for this object until `release`; the kernel lets go when we die.

    Raises StoreError naming the holder where somebody else has it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 4096, 0).decode("utf-8", "replace") or "another process"
            os.close(self._file)
            raise StoreError(
                f"{what} is held by a running instance ({holder});"
                " ask that instance through its API, or stop it first"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()}: {_command()}".encode(), 0)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two holders in."""
        os.close(self._file)


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
