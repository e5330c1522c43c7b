"""What a page shows as a table, as a file for other programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import Role
from deungdae.core.clock import from_iso

from .context import Here, needs
from .failure import WebError
from .schema import binary

router = APIRouter(prefix="/api/v1", dependencies=[Depends(needs(Role.VIEWER))])

ROWS = 100_000
LARGEST = {f"{router.prefix}/tables": 32 * 1024 * 1024}  # bytes of a request
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a text that begins so

Cell: TypeAlias = float | str | bool | None


class Column(BaseModel):
    """One column. A time is ISO 8601; it is written in the factory's time zone."""

    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal["text", "number", "time"] = "text"
    unit: Annotated[str, Field(max_length=50)] = ""

    @property
    def head(self) -> str:
        """Return the title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


class Table(BaseModel):
    """A table as it is shown."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=200)]
    columns: Annotated[list[Column], Field(min_length=1, max_length=100)]
    rows: Annotated[list[list[Cell]], Field(max_length=ROWS)]

    def check(self) -> None:
        """Raise WebError where a row does not fit the columns."""
        for n, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise WebError(
                    422,
                    f"rows[{n}] has {len(row)} cells",
                    f"give {len(self.columns)}, one a column",
                )


Format = Literal["csv", "xlsx", "parquet"]


def _csv(asked: Table, zone: ZoneInfo) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_harmless(column.head) for column in asked.columns])
    columns = [_column(asked, n, zone) for n in range(len(asked.columns))]
    for row in zip(*columns, strict=True):
        writer.writerow([_plain(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")  # without the mark a spreadsheet misreads Korean


def _plain(cell: float | str | datetime | None) -> float | str | None:
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds")
    return _harmless(cell) if isinstance(cell, str) else cell


def _harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (OWASP, CSV Injection)."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _xlsx(asked: Table, zone: ZoneInfo) -> bytes:
    from xlsxwriter import Workbook  # noqa: PLC0415 — only who asks for it pays for it

    out = io.BytesIO()
    with Workbook(out, {"in_memory": True, "nan_inf_to_errors": True}) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True, "bottom": 1})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.freeze_panes(1, 0)
        for n, column in enumerate(asked.columns):
            sheet.write_string(0, n, column.head, bold)
            cells = _column(asked, n, zone)
            for at, cell in enumerate(cells, 1):
                if isinstance(cell, datetime):  # a sheet knows no zones: the factory's own clock
                    sheet.write_datetime(at, n, cell.replace(tzinfo=None), moment)
                elif isinstance(cell, str):
                    sheet.write_string(at, n, cell)
                elif cell is not None:
                    sheet.write_number(at, n, cell)
            longest = max((len(str(cell)) for cell in cells[:200] if cell is not None), default=0)
            sheet.set_column(n, n, min(60, max(10, len(column.head) + 2, longest)))
    return out.getvalue()


def _parquet(asked: Table, zone: ZoneInfo) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 — as above
    import pyarrow.parquet as pq  # noqa: PLC0415 — as above

    types = {
        "text": pa.string(),
        "number": pa.float64(),
        "time": pa.timestamp("ns", tz=zone.key),
    }
    arrays = [
        pa.array(_column(asked, n, zone), types[column.kind])
        for n, column in enumerate(asked.columns)
    ]
    heads = [column.head for column in asked.columns]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, heads), out, compression="zstd")
    return out.getvalue()


def _column(asked: Table, n: int, zone: ZoneInfo) -> Sequence[float | str | datetime | None]:
    """Return the cells of a column, as its kind says. Raises WebError."""
    kind = asked.columns[n].kind
    cells: list[float | str | datetime | None] = []
    for at, row in enumerate(asked.rows):
        cell = row[n]
        try:
            cells.append(None if cell is None or cell == "" else _typed(cell, kind, zone))
        except (ValueError, TypeError) as error:
            head = asked.columns[n].title
            raise WebError(422, f"rows[{at}] {head}: {cell!r} is no {kind}", str(error)) from error
    return cells


def _typed(cell: float | str | bool, kind: str, zone: ZoneInfo) -> float | str | datetime:
    if kind == "number":
        return float(cell)
    if kind == "time":
        return datetime.fromtimestamp(from_iso(str(cell), zone) / 1e9, zone)
    return str(cell)


WRITERS: dict[str, tuple[Callable[[Table, ZoneInfo], bytes], str]] = {
    "csv": (_csv, "text/csv; charset=utf-8"),
    "xlsx": (_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "parquet": (_parquet, "application/vnd.apache.parquet"),
}


@router.post("/tables", response_class=Response, **binary([media for _, media in WRITERS.values()]))
async def table(here: Here, asked: Table, format: Format = "csv") -> Response:
    """Give a table as CSV (UTF-8 for spreadsheets), XLSX or Parquet."""
    asked.check()
    zone = ZoneInfo(here.runtime.factory.identity.timezone)
    write, media = WRITERS[format]
    content = await here.runtime.clock.call(write, asked, zone)
    name = re.sub(r"[^\w가-힣. -]", "_", asked.name)
    disposition = f"attachment; filename*=UTF-8''{quote(name)}.{format}"
    return Response(content, media_type=media, headers={"Content-Disposition": disposition})
