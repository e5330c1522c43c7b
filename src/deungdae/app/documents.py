"""The documents of machines: manuals, drawings, photographs, as plain files beside factory.toml."""

from __future__ import annotations

import os
import secrets
import unicodedata
from pathlib import Path

import msgspec

from deungdae.core.errors import StoreError

FOLDER = "files"  # beside factory.toml; in it a folder for each asset
LARGEST = 20_000_000  # bytes of one document
MANY = 200  # documents of one asset
NAME = 120  # characters

# a document is what its ending says, never what its content says
TYPES = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
}
OTHER = "application/octet-stream"
_STARTS = {
    ".pdf": (b"%PDF-",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".gif": (b"GIF8",),
    ".webp": (b"RIFF",),
}


class Document(msgspec.Struct, frozen=True):
    """One file. size: bytes; time: when it was changed, ns; kind: its media type."""

    name: str
    size: int
    time: int
    kind: str


class Documents:
    """The documents of one asset. Raises ValueError for an asset whose id can be no folder.

    Only plain files directly in the folder count: no links, no hidden files, no folders.
    """

    def __init__(self, factory: Path, asset: str) -> None:
        if not _is_name(asset):
            raise ValueError(f"the id {asset!r} can be no folder")
        self._folder = (factory if factory.is_dir() else factory.parent) / FOLDER / asset

    def all(self) -> list[Document]:
        """Return every document, in order of name. Raises StoreError."""
        try:
            with os.scandir(self._folder) as entries:
                found = [
                    _described(each)
                    for each in entries
                    if each.is_file(follow_symlinks=False) and _is_name(each.name)
                ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be read: {error.strerror}") from error
        return sorted(found, key=lambda each: each.name)[: 5 * MANY]

    def read(self, name: str) -> tuple[Document, bytes]:
        """Return a document. Raises LookupError where there is none of that name, StoreError."""
        found = next((each for each in self.all() if each.name == name), None)
        if found is None:
            raise LookupError(f"there is no document {name!r}")
        if found.size > 10 * LARGEST:
            raise StoreError(f"{name} is too large to be shown: {found.size // 1_000_000} MB")
        try:
            # a link that came between the list and now is not followed
            handle = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                return found, file.read()
        except OSError as error:
            raise StoreError(f"{name} cannot be read: {error.strerror}") from error

    def keep(self, name: str, content: bytes, *, replace: bool) -> bool:
        """Write a document, whole or not at all; return whether it replaced one.

        Raises ValueError for a name or a content that cannot be kept, FileExistsError where there
        is one of that name already and replace is not wanted, StoreError.
        """
        name = unicodedata.normalize("NFC", name)
        _check(name, content)
        known = {each.name for each in self.all()}
        if name in known and not replace:
            raise FileExistsError(f"there is a document {name!r} already")
        if name not in known and len(known) >= MANY:
            raise ValueError(f"there are {MANY} documents already: remove some from {self._folder}")
        draft = self._folder / f".{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StoreError(f"{name} cannot be kept: {error.strerror}") from error
        return name in known


def _check(name: str, content: bytes) -> None:
    ending = Path(name).suffix.lower()
    if not _is_name(name):
        raise ValueError(f"{name!r} is no name of a file")
    if ending not in TYPES:
        raise ValueError(f"{name} is none of {', '.join(TYPES)}")
    if not content:
        raise ValueError(f"{name} is empty")
    if len(content) > LARGEST:
        raise ValueError(f"{name} has more than {LARGEST // 1_000_000} MB")
    if ending in _STARTS and not content.startswith(_STARTS[ending]):
        raise ValueError(f"{name} is not what its ending says")


def _is_name(text: str) -> bool:
    """Return whether a text is the name of a visible file in a folder, everywhere."""
    return (
        0 < len(text) <= NAME
        and not text.startswith(".")
        and text == text.strip()
        and not any(each in '/\\:*?"<>|' or unicodedata.category(each)[0] == "C" for each in text)
        and len(text.encode("utf-8", "replace")) <= 255
    )


def _described(entry: os.DirEntry[str]) -> Document:
    found = entry.stat(follow_symlinks=False)
    kind = TYPES.get(Path(entry.name).suffix.lower(), OTHER)
    return Document(entry.name, found.st_size, found.st_mtime_ns, kind)
