"""The page Trace, as a quality engineer uses it: where did this lot go?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture(scope="module")
def shown(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "trace") as page:
        yield page


def look_up(page: Page, code: str) -> None:
    """Scan a code: a scanner types it where the cursor is, and presses Enter."""
    page.goto(page.url.split("/trace")[0] + "/trace")
    expect(page.locator("#trace-code")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def test_where_did_the_lot_go(shown: Page) -> None:
    look_up(shown, "M-7")
    expect(shown.locator("#trace-kind")).to_have_text("로트")
    expect(shown.locator("#trace-forward .chain")).to_have_text("M-7 → 제품 16개 → 운반구 2개")
    expect(shown.locator("#trace-now")).to_contain_text("제품 16개가 되었습니다: → 한일제철 9개")
    where = shown.locator("#trace-where li")
    expect(where.first).to_contain_text("한일제철")
    expect(where.first).to_contain_text("9")
    recall = shown.get_by_role("region", name="회수 대상")
    expect(recall.get_by_role("row")).to_have_count(19)  # and the row of titles
    assert shown.evaluate("document.querySelectorAll('#page img').length") == 0  # T-… is no HTML


def test_the_life_of_a_brick_and_the_data_of_a_step(shown: Page) -> None:
    look_up(shown, "t-2")
    expect(shown).to_have_title("이력 추적 — 벽돌 공장")
    expect(shown.locator("#trace-title")).to_have_text("T-2")
    expect(shown.locator("#trace-now")).to_contain_text("한일제철 앞으로 출하")
    steps = shown.locator("#trace-line .step")
    expect(steps).to_have_count(5)
    expect(steps.nth(2)).to_have_attribute("aria-description", re.compile("W-3에 실려"))
    steps.first.focus()
    shown.keyboard.press("Enter")
    expect(steps.first).to_have_attribute("aria-expanded", "true")
    row = shown.locator("#trace-step-values tr", has_text="밀도")
    expect(row).to_contain_text("2,2")
    href = row.get_by_role("link").get_attribute("href") or ""
    assert href.startswith("/machine/press1?signal=press1.density&from=")
    shown.keyboard.press("ArrowRight")
    expect(steps.nth(1)).to_be_focused()


def test_the_tree_opens_a_generation_at_a_time(shown: Page) -> None:
    look_up(shown, "P-4")
    back = shown.locator("#trace-backward")
    expect(back.locator(".chain")).to_have_text("P-4 → 제품 9개 → 로트 1개")
    back.get_by_role("button", name="T-2 다음 단계 열기").click()
    expect(back.locator(".tree .tree")).to_contain_text("M-7")
    back.get_by_role("link", name="T-2", exact=True).click()
    expect(shown.locator("#trace-title")).to_have_text("T-2")
    expect(
        shown.get_by_role("button", name="P-4", exact=True)
    ).to_be_visible()  # among the recent ones


def test_a_code_that_nobody_scanned(shown: Page) -> None:
    look_up(shown, "T-99")
    expect(shown.locator("#trace-lost-title")).to_have_text("“T-99” — 읽힌 기록이 없습니다")
    expect(shown.locator("#trace-lost-text")).to_contain_text("부터 있습니다")
    shown.locator("#trace-near").get_by_role("button").first.click()
    expect(shown.locator("#trace-told")).to_be_visible()


def test_scripts_long_codes_and_slashes_are_only_text(shown: Page) -> None:
    look_up(shown, "<img src=x onerror=alert(1)>")
    expect(shown.locator("#trace-title")).to_have_text("<img src=x onerror=alert(1)>")
    look_up(shown, "https://id.gs1.org/01/09506000134352/21/T-3")
    expect(shown.locator("#trace-title")).to_have_text("T-3")
    look_up(shown, "   ")
    expect(shown.locator("#trace-lost")).to_be_hidden()
    shown.locator("#trace-code").fill("x" * 3000)
    shown.keyboard.press("Enter")
    expect(shown.locator("#trace-lost-title")).to_contain_text("xxx…")


def test_in_english_on_a_narrow_screen(browser: Browser, works: Plant) -> None:
    small = {"viewport": {"width": 400, "height": 800}, "locale": "en-GB"}
    with opened(browser, works, "trace/T-1", **small) as page:
        page.get_by_role("button", name="English").click()
        expect(page.locator("#trace-now")).to_contain_text("It was scrapped at")
        expect(page.locator("#trace-result")).to_have_text("✕ scrap")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
