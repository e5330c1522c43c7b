"""A package on disk, a folder or a .zip: written whole, and read with every hash verified.

What is read was made by somebody else: nothing in it is ever written under a name that it gives.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias, TypeVar

import msgspec

from deungdae.core.errors import BadReply, DoorError

from .croissant import About, describe

CROISSANT, CARD, ITEMS = "croissant.json", "card.json", "items.parquet"
SUMS, README = "SHA256SUMS", "README.md"
FOLDERS = ("images", "masks", "goldens")
MOST = 2_000_100  # files of a package
LARGEST = 500_000_000  # bytes of one file
WHOLE = 200_000_000_000  # bytes of all of it, unpacked
RATIO = 200  # bytes that one byte of a .zip may become; images and Parquet hardly shrink
SMALL = 100_000_000  # bytes of the card and of the sums
_ENDINGS = {
    b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"BM": "bmp", b"GIF8": "gif", b"II*\x00": "tif",
    b"MM\x00*": "tif",
}  # fmt: skip
_PICTURE = re.compile(r"(images|masks|goldens)/([0-9a-f]{64})\.(png|jpg|bmp|gif|tif|bin)")
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every file in a .zip, so that the same set is the same file
_REMEDY = "ask for it anew; nothing of it was taken"

T = TypeVar("T")
Put: TypeAlias = Callable[[str, bytes], None]


class Package(NamedTuple):
    """What a package holds beside its pictures: the card as JSON, and the items as Parquet."""

    card: bytes
    items: bytes


def pack(
    target: Path,
    about: About,
    package: Package,
    pictures: Iterable[tuple[str, bytes]],
) -> str:
    """Write a package and return the SHA-256 of its list of sums; nothing is left half done.

    target: a .zip, or a folder that is not there yet. pictures: name in the package, as `named`
    gives it, and content. Raises DoorError.
    """
    if target.exists():
        raise DoorError(f"{target} is there already", remedy="choose another name, or remove it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".begun-", dir=target.parent))
    except OSError as error:
        raise DoorError(f"{target} cannot be written: {error.strerror or error}") from error
    try:
        place = draft / "package"
        with _writing(place, zipped=target.suffix.lower() == ".zip") as put:
            sums = _fill(put, about, package, pictures)
        place.replace(target)
    except OSError as error:
        raise DoorError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return hashlib.sha256(sums).hexdigest()


def named(folder: str, ref: str, content: bytes) -> str:
    """Return the name of a picture in a package: its SHA-256 and what kind of file it is."""
    kinds = (ending for start, ending in _ENDINGS.items() if content.startswith(start))
    return f"{folder}/{ref.removeprefix('sha256:')}.{next(kinds, 'bin')}"


def unpack(
    source: Path, judge: Callable[[Package, frozenset[str]], T], keep: Callable[[bytes], str]
) -> T:
    """Return what `judge` makes of a package, after every file was verified.

    judge: is given card and items and the `sha256:…` of all pictures; it may raise ValueError, and
    then nothing is kept. keep: takes the content of each picture and returns its `sha256:…`. Raises
    BadReply for anything that is not what the package says or that does not belong into one.
    """
    if not source.exists():
        raise DoorError(f"{source} is not there", remedy="give a folder, or a .zip")
    try:
        with _Reader(source) as reader:
            return _taken(reader, judge, keep)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BadReply(f"{source} cannot be read: {error}", remedy=_REMEDY) from error
    except ValueError as error:
        raise BadReply(f"{source}: {error}", remedy=_REMEDY) from error


# ---- writing


@contextmanager
def _writing(place: Path, *, zipped: bool) -> Iterator[Put]:
    """Give what puts a file into a new folder or .zip, by its name in the package."""
    if not zipped:
        place.mkdir()
        yield partial(_put_file, place)
        return
    with zipfile.ZipFile(place, "x") as archive:
        yield partial(_put_entry, archive)


def _put_file(place: Path, name: str, content: bytes) -> None:
    path = place / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _put_entry(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    is_text = name.endswith((".json", ".md", SUMS))
    entry.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
    archive.writestr(entry, content)


def _fill(
    put: Put,
    about: About,
    package: Package,
    pictures: Iterable[tuple[str, bytes]],
) -> bytes:
    """Put everything, and return the list of sums."""
    sums: dict[str, str] = {}

    def add(name: str, content: bytes) -> None:
        put(name, content)
        sums[name] = hashlib.sha256(content).hexdigest()

    for name, content in pictures:
        if name not in sums:
            add(name, content)
    folders = sorted({name.partition("/")[0] for name in sums})
    add(ITEMS, package.items)
    add(CARD, package.card)
    told = describe(about, (ITEMS, len(package.items), sums[ITEMS]), folders)
    add(CROISSANT, msgspec.json.format(msgspec.json.encode(told), indent=2))
    add(README, _readme(about, folders).encode())
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
    put(SUMS, text)
    return text


def _readme(about: About, folders: list[str]) -> str:
    show = (
        "from PIL import Image\n\nimage = Image.open(f\"images/{items[0]['image']}\")\n"
        if "images" in folders
        else ""
    )
    limits = "".join(f"- {limit}\n" for limit in about.limits) or "- none are known\n"
    uses = "; ".join(about.uses) or "none were said"
    return f"""# {about.name}

{about.description}

Version {about.version}
Licence: {about.licence or "none was said: ask before you use it"}
Contributor: {about.contributor or "not said"}
Agreed uses: {uses}

## What it cannot promise

{limits}
## Read it

`items.parquet` has a row for each item. Never split a `group` between training and test.
`croissant.json` says the same to tools that know Croissant; `sha256sum -c SHA256SUMS` checks all.

```python
import pyarrow.parquet as parquet

items = parquet.read_table("items.parquet").to_pylist()
{show}```
"""


# ---- reading


class _Reader:
    """The files of a folder or .zip, found safe by name and size before one is read."""

    def __init__(self, source: Path) -> None:
        self._zip: zipfile.ZipFile | None = None
        self._source = source
        self._whole = 0
        self.sizes: dict[str, int] = {}

    def __enter__(self) -> _Reader:
        found = self._folder() if self._source.is_dir() else self._archive()
        for name, size in found:
            self._admit(name, size)
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def read(self, name: str) -> bytes:
        """Return a file, never more of it than its size said. Raises ValueError."""
        with self._open(name) as file:
            content = file.read(self.sizes[name] + 1)
        if len(content) != self.sizes[name]:
            raise ValueError(f"{name} is not of the size that it says")
        return content

    def _open(self, name: str) -> IO[bytes]:
        if self._zip is not None:
            return self._zip.open(name)
        return (self._source / name).open("rb")

    def _admit(self, name: str, size: int) -> None:
        if name not in (CROISSANT, CARD, ITEMS, SUMS, README) and not _PICTURE.fullmatch(name):
            raise ValueError(f"{name[:200]!r} does not belong into a package")
        if name in self.sizes:
            raise ValueError(f"{name} is there twice")
        most = LARGEST if name not in (CARD, SUMS, CROISSANT, README) else SMALL
        if size > most:
            raise ValueError(f"{name} has {size:,} bytes; at most {most:,} are read")
        self.sizes[name] = size
        self._whole += size
        if len(self.sizes) > MOST or self._whole > WHOLE:
            raise ValueError(f"it has more than {MOST:,} files or {WHOLE:,} bytes")

    def _folder(self) -> Iterator[tuple[str, int]]:
        for path in sorted(self._source.rglob("*")):
            told = path.lstat()
            name = path.relative_to(self._source).as_posix()
            if stat.S_ISDIR(told.st_mode) and name in FOLDERS:
                continue
            if not stat.S_ISREG(told.st_mode):
                raise ValueError(f"{name[:200]!r} is no plain file")
            yield name, told.st_size

    def _archive(self) -> Iterator[tuple[str, int]]:
        self._zip = zipfile.ZipFile(self._source)
        for entry in self._zip.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.is_dir() and entry.filename.rstrip("/") in FOLDERS:
                continue
            if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 1:
                raise ValueError(f"{entry.filename[:200]!r} is no plain file")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{entry.filename} is packed in an unusual way")
            if entry.file_size > RATIO * max(entry.compress_size, 1024):
                raise ValueError(
                    f"{entry.filename} would become {entry.file_size:,} bytes from"
                    f" {entry.compress_size:,}"
                )
            yield entry.filename, entry.file_size


def _taken(
    reader: _Reader, judge: Callable[[Package, frozenset[str]], T], keep: Callable[[bytes], str]
) -> T:
    sums = _verified(reader)
    pictures = {name: f"sha256:{sums[name]}" for name in sums if _PICTURE.fullmatch(name)}
    found = judge(Package(reader.read(CARD), reader.read(ITEMS)), frozenset(pictures.values()))
    for name, ref in pictures.items():
        if keep(reader.read(name)) != ref:
            raise ValueError(f"{name} was changed while it was read")
    return found


def _verified(reader: _Reader) -> dict[str, str]:
    """Return the SHA-256 of each file, all of them checked. Raises ValueError."""
    missing = [name for name in (SUMS, CARD, ITEMS, CROISSANT) if name not in reader.sizes]
    if missing:
        raise ValueError(f"is no package of a set of data: {', '.join(missing)} is missing")
    sums = _sums(reader.read(SUMS))
    odd = sorted(sums.keys() ^ (reader.sizes.keys() - {SUMS}))
    if odd:
        raise ValueError(f"{odd[0]} is in the list of sums or in the package, not in both")
    for name, digest in sums.items():
        picture = _PICTURE.fullmatch(name)
        found = hashlib.sha256(reader.read(name)).hexdigest()
        if found != digest or (picture and picture[2] != digest):
            raise ValueError(f"{name} was changed: its SHA-256 is not the one that is listed")
    return sums


def _sums(content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{SUMS} is no list of sums") from error
    for line in lines:
        match = _SUM.fullmatch(line)
        if match is None:
            raise ValueError(f"{SUMS}: {line[:80]!r} is no sum and name")
        found[match[2]] = match[1]
    return found
