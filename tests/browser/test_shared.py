"""What pages share: tables, periods, pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

TABLE = """async () => {
    const { Table } = await import("/page/table.js");
    const table = new Table({ name: "정지", columns: [
        { key: "asset", title: "설비" },
        { key: (row) => row.minutes, title: "길이", kind: "number", unit: "min" },
        { key: "start", title: "시작", kind: "time" }] });
    document.querySelector("#try").replaceChildren(table.element);
    table.fill([
        { asset: "<b>press 2</b>", minutes: 3, start: "2026-11-23T00:00:00Z" },
        { asset: "press 10", minutes: null, start: "2026-11-22T00:00:00Z" },
        { asset: "press 1", minutes: 12.5, start: "" }]);
}"""

PLACE = """() => {
    const place = Object.assign(document.createElement("div"), { id: "try" });
    document.querySelector("#page").prepend(place);
}"""

PERIOD = """async (search) => {
    history.replaceState(null, "", "/shift" + search);
    const { Period } = await import("/page/period.js");
    window.told = [];
    const period = new Period((each) => window.told.push([each.chosen, each.from, each.to]));
    document.querySelector("#try").replaceChildren(period.element);
    await period.start();
    return window.told;
}"""

PICTURE = """async () => {
    const { savable } = await import("/page/picture.js");
    const { drawn } = await import("/page/dom.js");
    const look = { class: "chart", width: 200, height: 80 };
    const line = drawn("path", { class: "line", d: "M0,0L200,80" });
    const svg = drawn("svg", look, line, drawn("text", { x: 10, y: 40 }, "가마 <온도>"));
    document.querySelector("#try").replaceChildren(svg, savable(svg, "온도"));
}"""


@pytest.fixture
def page(page: Page) -> Page:
    """Give a page with a place of our own beside what it shows."""
    page.evaluate(PLACE)
    return page


def test_a_table_is_sorted_and_taken_away(page: Page, tmp_path: Path) -> None:
    page.evaluate(TABLE)
    first = page.locator("#try td:first-child")
    expect(first).to_have_text(["<b>press 2</b>", "press 10", "press 1"])
    page.get_by_role("button", name="길이 (min)").click()
    expect(first).to_have_text(["press 1", "<b>press 2</b>", "press 10"])  # what is missing is last
    page.get_by_role("button", name="길이 (min)").click()
    expect(first).to_have_text(["<b>press 2</b>", "press 1", "press 10"])
    page.get_by_role("button", name="설비").click()
    page.locator("#try summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text("utf-8-sig").splitlines()
    assert lines[0] == "설비,길이 (min),시작"
    assert lines[3] == "press 10,,2026-11-22T09:00:00.000+09:00"
    assert download.value.suggested_filename == "정지.csv"


@pytest.mark.parametrize(
    ("search", "chosen", "start"),
    [
        ("?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z", "own", "2026-11-01T00:00:00Z"),
        ("?period=yesterday", "yesterday", "T15:00:00.000Z"),  # midnight in Seoul
        ("?period=nonsense", "shift", "Z"),
    ],
)
def test_a_period_stands_in_the_address(page: Page, search: str, chosen: str, start: str) -> None:
    ((name, begin, end),) = page.evaluate(PERIOD, search)
    assert (name, begin.endswith(start), begin < end) == (chosen, True, True)
    again = page.evaluate("location.search")
    assert again == ("" if chosen == "shift" else again)


def test_a_wrong_period_is_told(page: Page) -> None:
    page.evaluate(PERIOD, "")
    page.get_by_role("button", name="직접 정하기").click()
    page.locator("#try").get_by_label("시작").fill("2026-11-23T08:00")
    page.locator("#try").get_by_label("끝").fill("2026-11-23T07:00")
    page.locator("#try").get_by_role("button", name="보기").click()
    expect(page.get_by_role("alert").filter(has_text="시작이 끝보다")).to_be_visible()
    page.locator("#try").get_by_label("끝").fill("2026-11-23T09:00")
    page.locator("#try").get_by_role("button", name="보기").click()
    page.wait_for_function("window.told.length === 2")
    assert page.evaluate("window.told[1]") == [
        "own",
        "2026-11-22T23:00:00.000Z",
        "2026-11-23T00:00:00.000Z",
    ]


@pytest.mark.parametrize("form", ["SVG", "PNG"])
def test_a_drawing_is_saved_as_it_looks(page: Page, tmp_path: Path, form: str) -> None:
    page.evaluate(PICTURE)
    page.locator("#try summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=form).click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    content = file.read_bytes()
    if form == "PNG":
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20]) > 800  # two pixels for one
    else:
        text = content.decode()
        assert "가마 &lt;온도&gt;" in text
        assert 'stroke="rgb(' in text
