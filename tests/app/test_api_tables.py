"""Tables of the pages as files."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

TABLE: dict[str, Any] = {
    "name": "정지 / 어제",
    "columns": [
        {"title": "설비"},
        {"title": "시작", "kind": "time"},
        {"title": "길이", "kind": "number", "unit": "min"},
    ],
    "rows": [
        ["1호 프레스", "2026-11-23T08:00:00+09:00", 12.5],
        ['=HYPERLINK("http://evil")', "2026-11-23T00:30:00Z", None],
    ],
}


async def ask(actor: httpx.AsyncClient, form: str, **changes: Any) -> httpx.Response:
    return await actor.post(f"/api/v1/tables?format={form}", json=TABLE | changes)


async def test_csv_opens_in_a_spreadsheet(actor: httpx.AsyncClient) -> None:
    answer = await ask(actor, "csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")  # Excel reads UTF-8 only with the mark
    head, first, second = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head == ["설비", "시작", "길이 (min)"]
    assert first == ["1호 프레스", "2026-11-23T08:00:00.000+09:00", "12.5"]
    assert second == ['\'=HYPERLINK("http://evil")', "2026-11-23T09:30:00.000+09:00", ""]
    name = "%EC%A0%95%EC%A7%80%20_%20%EC%96%B4%EC%A0%9C.csv"
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"


async def test_xlsx_holds_texts_numbers_and_times_and_no_formula(actor: httpx.AsyncClient) -> None:
    answer = await ask(actor, "xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        words = book.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert "=HYPERLINK" in words
    assert '<c r="C2"><v>12.5</v></c>' in sheet


async def test_parquet_keeps_the_kinds(actor: httpx.AsyncClient) -> None:
    table = pq.read_table(io.BytesIO((await ask(actor, "parquet")).content))
    assert [str(field.type) for field in table.schema] == [
        "string",
        "timestamp[ns, tz=Asia/Seoul]",
        "double",
    ]
    assert table.column(2).to_pylist() == [12.5, None]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["a", "2026-11-23"]], "rows[0] has 2 cells"),
        ([["a", "yesterday", 1]], "rows[0] 시작: 'yesterday' is no time"),
        ([["a", "", "many"]], "rows[0] 길이: 'many' is no number"),
    ],
)
async def test_what_does_not_fit_is_named(
    actor: httpx.AsyncClient, rows: list[Any], words: str
) -> None:
    answer = await ask(actor, "csv", rows=rows)
    assert (answer.status_code, words in answer.json()["error"]) == (422, True)


async def test_a_long_table_is_taken(actor: httpx.AsyncClient) -> None:
    rows = [[f"brick {n}", "", n] for n in range(20_000)]
    answer = await ask(actor, "csv", rows=rows)
    assert len(answer.content.splitlines()) == 20_001
