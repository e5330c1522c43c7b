"""The page of one machine: its trend by pointer and keys, its states, its documents."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from .conftest import Plant, opened

KILN = "machine/kiln1?signal=kiln1.temperature"
HOURS = 3_600_000  # ms


@pytest.fixture(scope="module")
def page(browser: Browser, works: Plant) -> Iterator[Page]:
    """Give a page of the works; each test opens what it needs."""
    with opened(browser, works, "machine") as page:
        yield page


def kiln(page: Page, plant: Plant, span: int = 2 * HOURS, more: str = "") -> None:
    """Open the trend of the kiln's temperature over the last so many ms."""
    page.goto(f"{plant.url}{KILN}{more}&span={span}")
    page.wait_for_selector(".trend-legend .figure")


def asked(page: Page) -> dict[str, list[str]]:
    """Return what stands in the address."""
    return parse_qs(urlsplit(page.url).query)


def test_all_machines_can_be_chosen_and_found(page: Page, works: Plant) -> None:
    page.goto(f"{works.url}machine")
    expect(page.locator(".machine-tile")).to_have_count(4)
    page.get_by_role("searchbox", name="찾기").fill("소성로")
    expect(page.locator(".machine-tile")).to_have_count(1)
    page.locator(".machine-tile").click()
    expect(page).to_have_url(re.compile("/machine/kiln1"))
    expect(page.locator("#machine-head h2")).to_have_text("1호 소성로")


def test_a_gap_is_drawn_as_a_gap_and_bad_data_as_bad(page: Page, works: Plant) -> None:
    kiln(page, works)
    expect(page.locator('.gap[data-why="silent"]').first).to_be_visible()
    silent = page.locator('.gap[data-why="silent"]').first.bounding_box()
    plot = page.locator(".trend-plot").bounding_box()
    assert silent is not None
    assert plot is not None
    # from 80 to 40 minutes before now, of two hours
    assert silent["width"] == pytest.approx((plot["width"] - 82) / 3, abs=8)
    expect(page.locator('.gap[data-why="bad"]')).to_have_count(1)
    expect(page.locator(".doubt.bad")).not_to_have_count(0)
    line = page.locator(".trend-plot .line.s0").get_attribute("d") or ""
    assert line.count("M") == 3  # before and after the gap, and after what was bad
    expect(page.locator(".trend-plot")).to_have_attribute(
        "aria-label", re.compile("데이터 없는 구간 2곳")
    )


def test_dragging_zooms_and_can_be_gone_back(page: Page, works: Plant) -> None:
    kiln(page, works, 24 * HOURS)
    box = page.locator(".trend-plot").bounding_box()
    assert box is not None
    middle = box["y"] + 60
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, middle, steps=4)
    expect(page.locator(".brush")).to_be_visible()
    page.mouse.up()
    page.wait_for_url(re.compile("from="))
    start, end = (asked(page)[name][0] for name in ("from", "to"))
    assert span(page, start, end) == pytest.approx(24 * HOURS * 0.1, rel=0.15)
    expect(page.locator(".trend")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".trend-strip .window")).to_be_visible()
    for _ in range(12):  # far beyond what was stored: down to a millisecond
        page.get_by_role("button", name="확대").click()
    start, end = (asked(page)[name][0] for name in ("from", "to"))
    assert span(page, start, end) <= 60
    page.goto(page.url)  # the same period, as somebody else gets it
    page.wait_for_selector(".trend-legend .figure")
    assert (asked(page)["from"][0], asked(page)["to"][0]) == (start, end)
    page.get_by_role("button", name="축소").click()
    page.get_by_role("button", name="이전 보기로").click()
    expect(page.get_by_role("button", name="이전 보기로")).to_be_disabled()


def span(page: Page, start: str, end: str) -> float:
    """Return ms between two times as the address tells them."""
    found = page.evaluate(f"Date.parse('{end}') - Date.parse('{start}')")
    return float(found)


def test_keys_read_values_and_mark_a_range(page: Page, works: Plant) -> None:
    kiln(page, works, 24 * HOURS)
    plot = page.locator(".trend-plot")
    plot.focus()
    page.keyboard.press("Home")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".trend .said")).to_contain_text("소성대 온도 1,")
    expect(page.locator(".trend .said")).to_contain_text("°C")
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from="))
    start, end = (asked(page)[name][0] for name in ("from", "to"))
    assert span(page, start, end) == pytest.approx(24 * HOURS * 0.2, rel=0.05)
    page.keyboard.press("Backspace")
    page.wait_for_url(re.compile("span="))


def test_the_day_before_lies_over_it_dashed(page: Page, works: Plant) -> None:
    kiln(page, works, 6 * HOURS)
    page.get_by_label("비교").select_option(label="하루 전과 비교")
    expect(page.locator(".trend-plot .line.other")).to_have_count(1)
    expect(page.locator(".trend-legend li")).to_have_count(2)
    expect(page.locator(".trend-legend li").last).to_contain_text("하루 전과 비교")
    assert "L" in (page.locator(".trend-plot .line.other").get_attribute("d") or "")


def test_signals_are_found_added_and_taken_out(page: Page, works: Plant) -> None:
    kiln(page, works)
    search = page.get_by_role("combobox", name="신호 추가")
    search.fill("density")
    search.press("ArrowDown")
    search.press("Enter")
    expect(page.locator(".trend-legend li")).to_have_count(2)
    assert asked(page)["signal"] == ["kiln1.temperature", "press1.density"]
    search.fill("통풍")  # its name is a script to be shown, not to be read
    expect(page.locator("#signal-found li").first).to_contain_text("<b>통풍</b>")
    search.press("Enter")
    expect(page.locator(".trend-legend")).to_contain_text("<b>통풍</b>")
    expect(page.locator(".trend-plot .empty")).to_have_text("데이터 없음")
    page.get_by_role("button", name=re.compile("추이에서 빼기: 1호 프레스")).click()
    assert asked(page)["signal"] == ["kiln1.temperature", "kiln1.draught"]
    page.locator("#value-rows").get_by_role("button", name="소성대 온도").click()  # is there
    expect(page.locator(".trend-legend li")).to_have_count(2)


def test_a_trend_is_taken_away_as_table_picture_and_samples(page: Page, works: Plant) -> None:
    kiln(page, works)
    page.get_by_role("button", name="표로 보기").click()
    table = page.locator(".trend-table table")
    expect(table.locator("tbody tr")).not_to_have_count(0)
    expect(table).to_contain_text("1호 소성로 · 소성대 온도")
    for face, entry, name in (
        ("모든 샘플 내려받기", "샘플 CSV", "samples.csv"),
        ("그림 내려받기", "SVG", "trend.svg"),
    ):
        tools = page.locator(".trend-tools details", has=page.get_by_label(face, exact=True))
        tools.locator("summary").click()
        with page.expect_download() as download:
            tools.get_by_role("button", name=entry).click()
        assert download.value.suggested_filename == name
        text = download.value.path().read_text()
        assert "kiln1.temperature" in text or "1호 소성로" in text


def test_a_trend_of_nothing_says_so(page: Page, works: Plant) -> None:
    page.goto(f"{works.url}machine/kiln1?signal=kiln1.draught&from=2020-01-01&to=2020-01-02")
    expect(page.locator(".trend-plot .empty")).to_have_text("데이터 없음")
    page.goto(f"{works.url}machine/kiln1?signal=no.such&span=5")
    expect(page.locator(".trend .notice")).to_contain_text("no.such")
    page.goto(f"{works.url}machine/nothing")
    expect(page.locator("#machine-head")).to_contain_text("nothing")
    expect(page.locator("#machine-trend")).to_be_visible()


def test_a_clock_that_is_wrong_by_a_day_shifts_nothing(browser: Browser, works: Plant) -> None:
    with opened(browser, works) as page:
        page.add_init_script("const real = Date.now; Date.now = () => real() + 86_400_000;")
        kiln(page, works)
        expect(page.locator('.gap[data-why="silent"]')).to_have_count(1)
        expect(page.locator(".trend-legend .figure")).to_contain_text("°C")
        page.get_by_role("button", name="앞 시간으로").click()
        page.wait_for_url(re.compile("to="))
        shown = float(page.evaluate(f"Date.parse('{asked(page)['to'][0]}')"))
        assert shown < time.time() * 1000


def test_what_a_machine_did_stands_as_band_and_table(page: Page, works: Plant) -> None:
    page.goto(f"{works.url}machine/press2")
    expect(page.locator("#machine-head .state.down")).to_contain_text("고장")
    expect(page.locator("#machine-head .why")).not_to_be_empty()
    page.locator("#story-period").get_by_role("button", name="오늘").click()
    stops = page.locator("#story-stops tbody tr")
    expect(stops.first).to_contain_text("고장")
    expect(stops.first).to_contain_text("진행 중")
    expect(page.locator("#story-band .block.down")).to_have_count(1)
    expect(page.locator("#story-band")).to_have_attribute("aria-label", re.compile("고장 3 분"))
    expect(page.locator("#care-rows")).to_contain_text("최근 90일 고장")
    expect(page.locator("#loss-tiles .tile")).not_to_have_count(0)


def test_documents_are_added_opened_and_replaced(page: Page, works: Plant) -> None:
    page.goto(f"{works.url}machine/press1")
    note = FilePayload(name="점검 <1>.md", mimeType="text/markdown", buffer=b"x")
    page.locator("#file-tools input").set_input_files(note)
    expect(page.locator("#file-note")).to_contain_text("!")  # no such name on a disk
    note["name"] = "점검.md"
    page.locator("#file-tools input").set_input_files(note)
    expect(page.get_by_role("link", name="점검.md")).to_be_visible()
    page.locator("#file-tools input").set_input_files(note)
    page.get_by_role("button", name="바꾸기").click()
    expect(page.locator("#file-note")).to_contain_text("저장했습니다")
    expect(page.locator("#file-rows tbody tr")).to_have_count(1)
    assert (works.folder / "files" / "press1" / "점검.md").read_bytes() == b"x"
