"""The items of a set as the bytes of a Parquet file, which anything can read, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from .item import OWN, SOME, Column, Item, Label, check_columns

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
    SOME: "SHA-256 of the image of a right part to compare it with; empty: none",
}

FILES = {
    "image": "name of the file in images/; empty: none",
    "mask_image": "name of the file in masks/; empty: none",
    "golden_image": "name of the file in goldens/; empty: none",
}
MOST = 1_000_000  # items of a set
LARGEST = 4_000_000_000  # bytes that they may take once they are read


def to_parquet(
    items: Sequence[Item],
    columns: Sequence[Column],
    files: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """Return the items as a Parquet file: the columns of every set, and the further ones.

    files: for a package, the names of the images and masks of the items, by FILES.
    """
    import pyarrow as pa  # noqa: PLC0415 — 80 MB of memory, only for those with sets of data
    from pyarrow import parquet  # noqa: PLC0415 — as above

    found = table(items, columns)
    for name, names in (files or {}).items():
        field = pa.field(name, pa.string(), metadata={"description": FILES[name]})
        found = found.append_column(field, pa.array(list(names), pa.string()))
    sink = pa.BufferOutputStream()
    parquet.write_table(found, sink, compression="zstd")
    return bytes(sink.getvalue())


def table(items: Sequence[Item], columns: Sequence[Column]) -> pa.Table:
    """Return the items as an Arrow table, each field with its unit and description."""
    import pyarrow as pa  # noqa: PLC0415 — as above

    own = own_columns(items)
    fields = [pa.field(name, _own(name), metadata={"description": DESCRIBED[name]}) for name in own]
    arrays = [
        pa.array([_stored(item, name) for item in items], field.type)
        for name, field in zip(own, fields, strict=True)
    ]
    for place, column in enumerate(columns):
        kind = pa.float64() if column.kind == "number" else pa.string()
        words = {"unit": column.unit, "description": column.description}
        fields.append(pa.field(column.name, kind, metadata=words))
        arrays.append(pa.array([item.values[place] for item in items], kind))
    return pa.table(arrays, schema=pa.schema(fields))


def own_columns(items: Iterable[Item]) -> tuple[str, ...]:
    """Return the columns that a set has for itself."""
    return (*OWN, SOME) if any(item.golden for item in items) else OWN


def from_parquet(content: bytes, columns: Sequence[Column]) -> tuple[Item, ...]:
    """Return the items of a Parquet file. Raises ValueError where it does not hold the columns."""
    import pyarrow as pa  # noqa: PLC0415 — as above
    from pyarrow import parquet  # noqa: PLC0415 — as above

    check_columns(columns)
    wanted = {name: _own(name) for name in OWN}
    wanted |= {c.name: pa.float64() if c.kind == "number" else pa.string() for c in columns}
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        schema = file.schema_arrow
        wanted |= {name: _own(name) for name in schema.names if name == SOME}
        has = {
            name: kind
            for name, kind in zip(schema.names, schema.types, strict=True)
            if name in wanted or name not in FILES
        }
        if has != wanted or len(set(schema.names)) != len(schema.names):
            raise ValueError(f"the items have the columns {has}, not those of the card: {wanted}")
        _check_size(content, file.metadata, [name for name in has if has[name] == pa.string()])
        found = file.read(columns=list(wanted))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"the items are no Parquet file: {error}") from error
    found = found.set_column(
        found.schema.get_field_index("time"), "time", found.column("time").cast(pa.int64())
    )
    rest = [column.name for column in columns]
    try:
        return tuple(_item(row, rest) for row in found.to_pylist())
    except (msgspec.MsgspecError, TypeError) as error:
        raise ValueError(f"the items cannot be understood: {error}") from error


def _check_size(content: bytes, told: Any, texts: Sequence[str]) -> None:
    """Raise ValueError for what is small in the file and would not fit into memory.

    A text that repeats is stored once: it is counted as often as it is named.
    """
    import pyarrow as pa  # noqa: PLC0415 — as above
    from pyarrow import compute, parquet  # noqa: PLC0415 — as above

    unpacked = sum(told.row_group(n).total_byte_size for n in range(told.num_row_groups))
    if told.num_rows > MOST or unpacked > LARGEST:
        raise ValueError(f"more than {MOST:,} items, or than {LARGEST:,} bytes of them")
    source = pa.BufferReader(content)
    found = parquet.read_table(source, columns=list(texts), read_dictionary=list(texts))
    total = 0
    for column in found.columns:
        for chunk in column.chunks:
            lengths = compute.binary_length(chunk.dictionary)
            total += compute.sum(compute.take(lengths, chunk.indices)).as_py() or 0
    if total > LARGEST:
        raise ValueError(f"the texts of the items take more than {LARGEST:,} bytes")


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
    told = {name: row[name] for name in (*OWN, SOME) if name in row}
    told["labels"] = msgspec.json.decode(row["labels"], type=tuple[Label, ...])
    told["time"] = row["time"] or 0
    told["values"] = [row[name] for name in columns]
    return msgspec.convert(told, Item)
