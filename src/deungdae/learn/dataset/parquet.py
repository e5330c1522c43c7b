"""The items of a set as the bytes of a Parquet file, which anything can read, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from .item import OWN, Column, Item, Label

if TYPE_CHECKING:
    import pyarrow as pa

DESCRIBED = {
    "ref": "SHA-256 of the image's file, empty for a row without an image",
    "name": "what the plant calls the item: the file's name or the part's serial",
    "label": "the label that holds; empty: nobody says, or people contradict each other",
    "source": "who says so: person, file, inspection or signal",
    "group": "items of one group are never split between training and test",
    "time": "when it was made",
    "mask": "SHA-256 of the image whose bright half (> 127) is the defect; empty: none",
    "labels": "all that was said of it, as JSON: label, source, who, time in ns",
}


def to_parquet(items: Sequence[Item], columns: Sequence[Column]) -> bytes:
    """Return the items as a Parquet file: the columns of every set, and the further ones."""
    import pyarrow as pa  # noqa: PLC0415 — 80 MB of memory, only for those with sets of data
    from pyarrow import parquet  # noqa: PLC0415 — as above

    sink = pa.BufferOutputStream()
    parquet.write_table(table(items, columns), sink, compression="zstd")
    return bytes(sink.getvalue())


def table(items: Sequence[Item], columns: Sequence[Column]) -> pa.Table:
    """Return the items as an Arrow table, each field with its unit and description."""
    import pyarrow as pa  # noqa: PLC0415 — as above

    fields = [pa.field(name, _own(name), metadata={"description": DESCRIBED[name]}) for name in OWN]
    arrays = [
        pa.array([_stored(item, name) for item in items], field.type)
        for name, field in zip(OWN, fields, strict=True)
    ]
    for place, column in enumerate(columns):
        kind = pa.float64() if column.kind == "number" else pa.string()
        words = {"unit": column.unit, "description": column.description}
        fields.append(pa.field(column.name, kind, metadata=words))
        arrays.append(pa.array([item.values[place] for item in items], kind))
    return pa.table(arrays, schema=pa.schema(fields))


def from_parquet(content: bytes, columns: Sequence[Column]) -> tuple[Item, ...]:
    """Return the items of a Parquet file. Raises ValueError where it does not hold the columns."""
    import pyarrow as pa  # noqa: PLC0415 — as above
    from pyarrow import parquet  # noqa: PLC0415 — as above

    try:
        found = parquet.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise ValueError(f"the items are no Parquet file: {error}") from error
    wanted = {name: _own(name) for name in OWN}
    wanted |= {c.name: pa.float64() if c.kind == "number" else pa.string() for c in columns}
    has = dict(zip(found.schema.names, found.schema.types, strict=True))
    if has != wanted:
        raise ValueError(f"the items have the columns {has}, not those of the card: {wanted}")
    found = found.set_column(
        found.schema.get_field_index("time"), "time", found.column("time").cast(pa.int64())
    )
    rest = [column.name for column in columns]
    try:
        return tuple(_item(row, rest) for row in found.to_pylist())
    except (msgspec.MsgspecError, TypeError) as error:
        raise ValueError(f"the items cannot be understood: {error}") from error


def _own(name: str) -> Any:
    import pyarrow as pa  # noqa: PLC0415 — as above

    return pa.timestamp("ns", "UTC") if name == "time" else pa.string()


def _stored(item: Item, name: str) -> object:
    if name == "time":
        return item.time or None
    if name == "labels":
        return msgspec.json.encode(item.labels).decode()
    value: object = getattr(item, name)
    return value


def _item(row: Mapping[str, Any], columns: Sequence[str]) -> Item:
    told = {name: row[name] for name in OWN}
    told["labels"] = msgspec.json.decode(row["labels"], type=tuple[Label, ...])
    told["time"] = row["time"] or 0
    told["values"] = [row[name] for name in columns]
    return msgspec.convert(told, Item)
