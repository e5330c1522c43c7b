"""Images and other whole things by what they are: a folder in which each lies under its SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deungdae.core.errors import StoreError

from . import vault

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{62}")
_DAMAGED = ".damaged"
_LOW = 0.95  # of the limit to which a full folder is emptied, so that this is seldom done


class Dropped(NamedTuple):
    """What had to go: how many files, bytes, and when the oldest and newest were put, ns."""

    files: int = 0
    size: int = 0
    oldest: int = 0
    newest: int = 0


class Blobs:
    """A folder in which `sha256:abcd…` lies as `ab/cd…`. Every method blocks on the disk.

    Several programs may use one folder at once: whoever puts the same thing twice finds it there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        """Return the reference of the content, which is durable from now on. Raises StoreError.

        What lies there already becomes the newest of all, so that it is not dropped.
        """
        ref = f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = self.path(ref)
        try:
            try:
                os.utime(path)
                vault.sync(path.parent)  # whoever wrote it may be cut off before it did this
            except FileNotFoundError:
                self.folder.mkdir(parents=True, exist_ok=True)
                vault.sync(self.folder.parent)
                vault.write(path, content)
            vault.sync(self.folder)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
        return ref

    def get(self, ref: str) -> bytes:
        """Return the content. Raises LookupError if it is not there, ValueError for no reference.

        Raises StoreError if what lies there is something else; it is then set aside, so that it
        is never given again, and putting the content anew heals it.
        """
        path = self.path(ref)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise LookupError(f"{ref} is not in {self.folder}") from error
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != ref:
            path.replace(path.with_name(path.name + _DAMAGED))
            raise StoreError(f"{path} is damaged: its checksum is not its name; it was set aside")
        return content

    def path(self, ref: str) -> Path:
        """Return where the content of a reference lies, or would. Raises ValueError."""
        if not _REF.fullmatch(ref):
            raise ValueError(f"{ref!r} is no reference: write sha256: and 64 digits in 0-9, a-f")
        digits = ref.partition(":")[2]
        return self.folder / digits[:2] / digits[2:]

    def size(self) -> int:
        """Return how many bytes lie in the folder, also of what is damaged or was not finished."""
        return sum(stat.st_size for stat, _ in self._files())

    def verify(self) -> list[str]:
        """Return the references whose content is damaged, sorted; they are set aside."""
        bad = []
        for _, path in list(self._files()):
            if not _NAME.fullmatch(path.name):
                continue
            ref = f"sha256:{path.parent.name}{path.name}"
            try:
                self.get(ref)
            except LookupError:
                continue  # dropped meanwhile
            except StoreError:
                bad.append(ref)
        return sorted(bad)

    def tidy(self, most: int) -> Dropped:
        """Drop the oldest until at most `most` bytes are left, and say what went."""
        files = [(stat.st_mtime_ns, stat.st_size, path) for stat, path in self._files()]
        left = sum(size for _, size, _ in files)
        if left <= most:
            return Dropped()
        gone: list[tuple[int, int]] = []
        for moment, size, path in sorted(files):
            if left <= most * _LOW:
                break
            path.unlink(missing_ok=True)
            left -= size
            if _NAME.fullmatch(path.name):
                gone.append((moment, size))
        moments = [moment for moment, _ in gone] or [0]
        return Dropped(len(gone), sum(size for _, size in gone), moments[0], moments[-1])

    def _files(self) -> Iterator[tuple[os.stat_result, Path]]:
        """Yield all there is, also what is damaged or was begun by a program that was killed."""
        if not self.folder.is_dir():
            return
        for folder in self.folder.iterdir():
            if len(folder.name) != 2 or not folder.is_dir():
                continue
            for path in folder.iterdir():
                try:
                    yield path.stat(), path
                except FileNotFoundError:
                    continue  # dropped meanwhile by another program
