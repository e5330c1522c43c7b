"""Sets from what lies in folders and tables: images by a manifest or by folders, and rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np

from deungdae.app.remote import rows as plain_rows
from deungdae.core import strict
from deungdae.core.clock import from_iso
from deungdae.core.errors import NotEnoughData, StoreError
from deungdae.learn.dataset import Column, Folder, Item, Label, Table, Value, settled, typed

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
LARGEST = 500_000_000  # bytes of a file that is read as an image
TABLES = 2_000_000_000  # bytes of a table
TEXTS = frozenset({".txt", ".csv"})  # that list boxes instead of a mask
DEFECT = "defect"  # label of what a mask shows, where nobody says more
TOLD = 50  # files that are named where they could not be taken
_ENCODINGS = ("utf-8-sig", "cp949")  # Korean spreadsheets still write the second

Row: TypeAlias = Mapping[str, object]
Put: TypeAlias = Callable[[bytes], str]


class Cut(NamedTuple):
    """What was taken: items and their further columns; left_out: what was not, and why."""

    items: list[Item]
    columns: list[Column]
    left_out: list[str]
    limits: list[str]


def images(folder: Folder, base: Path, put: Put, zone: ZoneInfo, good: Sequence[str]) -> Cut:
    """Return the images of a folder. base: what relative paths begin from. put: keeps an image.

    Raises ValueError for a column or folder that is not there, NotEnoughData for no image at all.
    """
    root = (base / folder.images).resolve()
    if not root.is_dir():
        raise ValueError(f"{root} is no folder of images")
    rows, names = _listed(folder, root) if folder.manifest else _found(folder, root)
    taking = _Taking(root, folder, put, zone, good)
    columns, values = typed(rows, names, {})
    items = [
        item
        for row, further in zip(rows, values, strict=True)
        if (item := taking.item(row, further)) is not None
    ]
    if not items:
        reason = f": {taking.left_out[0]}" if taking.left_out else ""
        raise NotEnoughData(f"{root} holds no image that can be taken{reason}")
    return Cut(items, columns, shortened(taking.left_out), taking.limits())


def rows(table: Table, base: Path, zone: ZoneInfo) -> Cut:
    """Return the rows of a file. Raises ValueError for a column that is not there."""
    path = base / table.file
    found = read_table(path)
    if not found:
        raise NotEnoughData(f"{path} holds no rows")
    known = list(found[0])
    for column in (table.label, table.group, table.time, *table.columns, *table.units):
        _check_column(column, known, path)
    used = {table.label, table.group, table.time}
    columns, values = typed(
        found, [name for name in table.columns or known if name not in used], table.units
    )
    items = []
    left_out = []
    for number, (row, further) in enumerate(zip(found, values, strict=True), start=1):
        try:
            time = _time(row.get(table.time), zone) if table.time else 0
        except ValueError as error:
            left_out.append(f"row {number}: {error}")
            continue
        said = _said(row.get(table.label) if table.label else None)
        label, source = settled(said)
        name = f"row {number:07d}"
        group = _text(row.get(table.group)) if table.group else ""
        items.append(
            Item(name=name, label=label, source=source, group=group or name, time=time,
                 labels=said, values=further)
        )  # fmt: skip
    if not items:
        raise NotEnoughData(f"{path}: no row can be taken: {left_out[0]}")
    return Cut(items, columns, shortened(left_out), [])


def read_table(path: Path) -> list[dict[str, object]]:
    """Return the rows of a CSV or Parquet file. Raises ValueError for what is neither."""
    if not path.is_file():
        raise ValueError(f"{path} is not there")
    if path.stat().st_size > TABLES:
        raise ValueError(f"{path} has more than {TABLES:,} bytes: cut it into parts")
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    text = _decoded(path)
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
        found: list[dict[str, object]] = [dict(row) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from error
    names = [name for name in reader.fieldnames or () if name]  # spreadsheets leave empty ones
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path} has two columns that are called {twice!r}")
    for number, row in enumerate(found, start=2):
        if None in row or None in row.values():
            raise ValueError(f"{path}: line {number} or so has not as many values as the first")
        row.pop("", None)
    return found


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path} is no text in UTF-8 (or CP949): save it as CSV UTF-8")


def _parquet(path: Path) -> list[dict[str, object]]:
    import pyarrow as pa  # noqa: PLC0415 — 80 MB of memory, only for those with such files
    from pyarrow import parquet  # noqa: PLC0415 — as above

    try:
        return plain_rows(parquet.read_table(path))
    except (pa.ArrowException, OSError, StoreError) as error:
        raise ValueError(f"{path} is no Parquet file that can be read: {error}") from error


# ---- images


def _listed(folder: Folder, root: Path) -> tuple[list[Row], list[str]]:
    """Return the rows of the manifest, and the names of its further columns."""
    path = root / folder.manifest
    if not path.is_file():
        path = Path(folder.manifest)
    found = read_table(path)
    if not found:
        raise NotEnoughData(f"{path} lists no image")
    known = list(found[0])
    wanted = (folder.file, folder.label, folder.group, folder.mask, folder.time, folder.golden)
    for column in wanted:
        _check_column(column, known, path)
    return list(found), [name for name in known if name not in wanted]


def _found(folder: Folder, root: Path) -> tuple[list[Row], list[str]]:
    """Return a row for each image of the folder; those in a folder have its name for a label."""
    for name in ("label", "mask", "time"):
        if getattr(folder, name):
            raise ValueError(f"{name} names a column of a manifest, and there is none: give it")
    group_of, golden_of = _grouping(folder.group), _beside(folder.golden)
    found: list[Row] = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in IMAGES or not path.is_file():
            continue
        parts = path.relative_to(root).parts
        if any(part.startswith(".") for part in parts):
            continue
        label = parts[0] if len(parts) > 1 else ""
        file = "/".join(parts)
        golden = golden_of(file)
        found.append({"file": file, "label": label, "group": group_of(path.name), "golden": golden})
    goldens = {row["golden"] for row in found}
    return [row for row in found if row["file"] not in goldens], []


def _grouping(asked: str) -> Callable[[str], str]:
    """Return what gives the group of a file's name, '' for none."""
    if not asked:
        return lambda name: ""
    if asked == "prefix":
        return lambda name: re.split(r"[_-](?=[^_-]*$)", Path(name).stem)[0]
    try:
        pattern = re.compile(asked)
    except re.error as error:
        raise ValueError(f"group = {asked!r}: prefix, or a regular expression: {error}") from error

    def matched(name: str) -> str:
        match = pattern.search(name)
        return "" if match is None else match[match.re.groups and 1]

    return matched


def _beside(asked: str) -> Callable[[str], str]:
    """Return what gives the file of an image's golden image, '' for none."""
    old, is_change, new = asked.partition("=")
    if not is_change:
        return lambda file: asked
    if not old:
        raise ValueError(f"golden = {asked!r}: write what to change in a name, as _test=_temp")

    def changed(file: str) -> str:
        path = PurePosixPath(file)
        return str(path.with_name(path.name.replace(old, new))) if old in path.name else ""

    return changed


class _Taking:
    """Takes one image after the other, and remembers what could not be taken."""

    def __init__(
        self, root: Path, folder: Folder, put: Put, zone: ZoneInfo, good: Sequence[str]
    ) -> None:
        self.left_out: list[str] = []
        self._root = root
        self._folder = folder
        self._put = put
        self._zone = zone
        self._good = good
        self._listed = bool(folder.manifest)
        self._first: dict[str, str] = {}  # name of the first file of each image
        self._copies: list[str] = []
        self._goldens: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._empty = 0

    def item(self, row: Row, values: tuple[Value, ...]) -> Item | None:
        """Return the item of a row, or None where its image cannot be taken."""
        folder = self._folder
        name = _text(row.get(folder.file if self._listed else "file"))
        try:
            content = self._read(name)
            size = looked(content).shape[:2]
            time = _time(row.get(folder.time), self._zone) if folder.time else 0
        except ValueError as error:
            self.left_out.append(f"{name or 'a row without a file'}: {error}")
            return None
        ref = self._put(content)
        if ref in self._first:
            self._copies.append(f"{name} = {self._first[ref]}")
        self._first.setdefault(ref, name)
        mask, shown = self._mask(name, _text(row.get(folder.mask)), size)
        if mask and not folder.label:
            said = _said(DEFECT if shown else next(iter(self._good), ""))
        else:
            said = _said(row.get(folder.label if self._listed else "label"))
        label, source = settled(said)
        self._empty += bool(mask) and not shown and label not in ("", *self._good)
        group = _text(row.get(folder.group if self._listed else "group"))
        golden = self._golden(
            name, _text(row.get(folder.golden if self._listed else "golden")), size
        )
        return Item(
            ref=ref, name=name, label=label, source=source, group=group or name, time=time,
            mask=mask, labels=said, values=values, golden=golden,
        )  # fmt: skip

    def limits(self) -> list[str]:
        """Return what all of it showed."""
        found = []
        if self._copies:
            found.append(
                f"{len(self._copies)} files are copies of others and count once, e.g."
                f" {self._copies[0]}"
            )
        if self._empty:
            found.append(f"{self._empty} masks of bad items are empty: they show no defect")
        return found

    def _mask(self, image: str, name: str, size: tuple[int, ...]) -> tuple[str, bool]:
        """Return the reference of an image's mask, '' where there is none that can be taken, and
        whether it shows anything."""
        if not name:
            return "", False
        try:
            content = self._read(name)
            if Path(name).suffix.lower() in TEXTS:
                content = _drawn(content, size)
            pixels = looked(content)
            _check_size(pixels.shape, size)
        except ValueError as error:
            self.left_out.append(f"mask {name} of {image}: {error}; the image is kept without")
            return "", False
        return self._put(content), bool((pixels > 127).any())

    def _golden(self, image: str, name: str, size: tuple[int, ...]) -> str:
        """Return the reference of an image's golden one, '' where none can be taken."""
        if not name:
            return ""
        try:
            if name not in self._goldens:
                content = self._read(name)
                self._goldens[name] = self._put(content), looked(content).shape
            ref, shape = self._goldens[name]
            _check_size(shape, size)
        except ValueError as error:
            self.left_out.append(f"golden {name} of {image}: {error}; the image is kept without")
            return ""
        return ref

    def _read(self, name: str) -> bytes:
        path = (self._root / name).resolve()
        if not name or not path.is_relative_to(self._root):
            raise ValueError("does not lie in the folder")
        if not path.is_file():
            raise ValueError("is not there")
        if path.stat().st_size > LARGEST:
            raise ValueError(f"has more than {LARGEST:,} bytes")
        try:
            return path.read_bytes()
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror or error}") from error


def looked(content: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from deungdae.wires.pixels import decoded  # noqa: PLC0415 — for sets of images alone

    return decoded(content)


def _check_size(found: tuple[int, ...], size: tuple[int, ...]) -> None:
    """Raise ValueError where what belongs to an image has another size."""
    if found[:2] != size:
        raise ValueError(f"is {found[1]} x {found[0]} pixels, the image {size[1]} x {size[0]}")


def _drawn(boxes: bytes, size: tuple[int, ...]) -> bytes:
    """Return boxes, a line of left, top, right, bottom for each, as the PNG of a mask.

    What follows these four, mostly the kind of the defect, is not kept. Raises ValueError.
    """
    from PIL import Image  # noqa: PLC0415 — for sets of images alone

    mask = np.zeros(size, np.uint8)
    for number, line in enumerate(boxes.decode("utf-8-sig").splitlines(), start=1):
        told = line.replace(",", " ").split()
        try:
            left, top, right, bottom = (max(round(float(each)), 0) for each in told[:4])
        except (ValueError, OverflowError) as error:
            if not told:
                continue
            wanted = "left, top, right and bottom of a box in pixels"
            raise ValueError(f"line {number} is {line[:40]!r}, not {wanted}") from error
        mask[top:bottom, left:right] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


def _said(value: object) -> tuple[Label, ...]:
    label = _text(value)
    return (Label(label=label, source="file"),) if label else ()


def _text(value: object) -> str:
    """Return a value as people write it: 3.0 in a column of whole numbers with a gap is 3."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _time(value: object, zone: ZoneInfo) -> int:
    text = value.isoformat() if hasattr(value, "isoformat") else _text(value)
    try:
        return from_iso(text, zone) if text else 0
    except ValueError as error:
        raise ValueError(f"{text!r} is no ISO 8601 time") from error


def _check_column(name: str, known: Sequence[str], path: Path) -> None:
    if name and name not in known:
        remedy = strict.closest(name, known) or f"it has: {', '.join(known)}"
        raise ValueError(f"{path} has no column {name!r}: {remedy}")


def shortened(problems: Sequence[str]) -> list[str]:
    rest = len(problems) - TOLD
    return [*problems[:TOLD], *([f"and {rest} more"] if rest > 0 else [])]
