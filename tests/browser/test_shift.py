"""The page of the shift: how good, what cost most, why machines stood, what is handed over."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import Plant, opened

ANGRY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def shift(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "shift") as page:
        expect(page.locator("#good-label")).not_to_be_empty()
        yield page


def stop(page: Page, machine: str, state: str) -> Locator:
    """Return the row of a machine's stop."""
    rows = page.locator("#standing tbody tr").filter(has_text=machine)
    return rows.filter(has_text=state)


def test_a_stop_is_given_its_reason_with_two_taps_and_another_one(shift: Page) -> None:
    row = stop(shift, "2호 프레스", "고장")
    row.get_by_role("button", name="이유 입력").click()
    dialog = shift.locator("#why")
    expect(dialog).to_contain_text("2호 프레스, 왜 멈췄나요?")
    dialog.get_by_role("button", name="금형 교체").click()
    expect(dialog).to_be_hidden()
    expect(row).to_have_count(0)  # it wants none any more
    shift.get_by_role("button", name="모두").click()
    expect(row).to_contain_text("금형 교체")
    chart = shift.locator("#causes-chart")
    expect(chart).to_have_attribute("aria-label", re.compile("금형 교체 3분 1회"))
    row.get_by_role("button", name="고치기").click()
    dialog.get_by_label("목록에 없는 이유").fill(ANGRY)
    dialog.get_by_role("button", name="저장").click()
    expect(row).to_contain_text(ANGRY)  # as text
    row.get_by_role("button", name="고치기").click()
    expect(dialog.locator(".reasons").last).to_contain_text("그 밖에 쓰던 말")
    dialog.get_by_role("button", name="이유 지우기").click()
    expect(row.get_by_role("button", name="이유 입력")).to_be_visible()


def test_a_stop_is_split_in_two(shift: Page) -> None:
    row = stop(shift, "2호 프레스", "고장")
    row.get_by_role("button", name="이유 입력").click()
    dialog = shift.locator("#why")
    dialog.get_by_role("button", name="설비 고장").click()
    shift.get_by_role("button", name="모두").click()
    row.get_by_role("button", name="고치기").click()
    dialog.get_by_text("메모 · 이유 나누기").click()
    dialog.get_by_label("시작 후 몇 분부터").fill("999")
    dialog.get_by_role("button", name="자재 대기").click()
    expect(dialog.get_by_role("alert")).to_contain_text("사이여야 합니다")
    dialog.get_by_label("시작 후 몇 분부터").fill("1")
    dialog.get_by_role("button", name="자재 대기").click()
    expect(row).to_contain_text("설비 고장, 자재 대기")


def test_no_data_is_not_idle(shift: Page) -> None:
    chart = shift.locator("#fall-chart")
    expect(chart.locator(".bar-of.unknown")).to_have_count(1)
    fill = chart.locator(".bar-of.unknown").evaluate("bar => getComputedStyle(bar).fill")
    assert "url(" in fill  # hatched
    expect(shift.locator("#fall-words")).to_contain_text("가동도 정지도 대기도 아닙니다")
    expect(shift.locator("#good-summary")).to_contain_text("데이터가 없습니다")
    expect(shift.locator("#course-legend .key.unknown")).to_be_visible()
    shift.get_by_role("button", name="모두").click()
    unknown = stop(shift, "1호 프레스", "데이터 없음")
    expect(unknown.get_by_role("button", name="무슨 일이었나요?")).to_be_visible()


def test_one_machine_alone_and_the_shift_before(shift: Page) -> None:
    shift.get_by_label("설비 고르기").select_option(label="1호 프레스")
    expect(shift.locator("#good-label")).to_contain_text("1호 프레스")
    assert "asset=press1" in shift.url
    expect(shift.locator("#plan-words")).to_contain_text("계획을 알려 주는 것이 없습니다")
    shift.get_by_role("button", name="앞 근무조").click()
    expect(shift.locator("#good-summary")).to_contain_text("아는 것이 없습니다")
    assert "asset=press1" in shift.url


def test_what_is_handed_over_stands_at_the_top_until_it_is_read(shift: Page, works: Plant) -> None:
    running = msgspec.json.decode((works.folder / "history" / "running.json").read_bytes())
    bearer = {"Authorization": f"Bearer {running['token']}"}
    for text in ("유압 확인 필요", ANGRY):
        body = {"text": text, "person": "이조장"}
        told = httpx.post(f"{works.url}api/v1/handover", json=body, headers=bearer)
        told.raise_for_status()
    unread = shift.locator("#unread")
    expect(unread).to_contain_text(ANGRY)  # without a reload, and as text
    read = unread.get_by_role("button", name="확인했습니다")
    for left in (1, 0):
        read.first.click()
        expect(read).to_have_count(left)
    expect(unread).to_be_hidden()
    shift.get_by_label("찾기").fill("유압")
    notes = shift.locator("#note-list .note")
    expect(notes).to_have_count(1)
    expect(notes).to_contain_text("확인:")
    shift.get_by_label("찾기").fill("")
    shift.get_by_label("다음 근무조에 남길 말").fill("금형 예열해 두었음")
    shift.get_by_role("button", name="남기기").click()
    expect(notes.first).to_contain_text("금형 예열해 두었음")
    expect(unread).to_be_hidden()  # one's own words need not be read by oneself


def test_the_report_comes_as_a_file(shift: Page) -> None:
    with shift.expect_download() as download:
        shift.get_by_role("button", name="근무조 보고서 PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    assert download.value.suggested_filename.endswith(".pdf")


def test_it_fits_a_narrow_screen_in_english(browser: Browser, works: Plant) -> None:
    small = {"width": 400, "height": 800}
    with opened(browser, works, "shift", viewport=small, locale="en-GB") as page:
        expect(page.locator("#fall-chart .bar-of").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.evaluate("localStorage.setItem('language', 'en')")
        page.reload()
        expect(page.locator("#standing h2")).to_have_text("Stops")
        expect(page.locator("#good-summary")).to_contain_text("has no data")
