"""The page of quality: control charts, what the camera sees, and what people say of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "quality") as page:
        yield page


def test_a_control_chart_names_what_is_wrong(page: Page) -> None:
    expect(page.locator("#control-title")).to_have_text("1호 프레스 · 밀도")
    expect(page.locator("#chart .limit")).to_have_count(2)
    expect(page.locator("#chart .broken")).to_have_count(1)
    expect(page.locator("#control-told")).to_contain_text("관리한계를 벗어난 점")
    expect(page.locator("#control-verdict")).to_have_text("✓ 관리 상태")


def test_capability_says_what_it_needs(page: Page) -> None:
    expect(page.locator("#capability-empty")).to_contain_text("부품 30개")


def test_the_last_part_is_shown_with_its_verdict(page: Page) -> None:
    expect(page.locator("#verdict")).to_have_text("✓ 양품")
    expect(page.locator("#inspection-facts")).to_contain_text("A-2")
    expect(page.locator("#agreement")).to_contain_text("1 (33.3 %)")
    thumbs = page.locator(".thumb")
    expect(thumbs).to_have_count(3)
    thumbs.nth(1).click()
    expect(page.locator("#verdict")).to_have_text("✕ 불량")
    expect(page.locator("#inspection-facts")).to_contain_text("균열")
    expect(page.locator("#photo .marks rect")).to_have_count(1)
    expect(page.locator("#photo .heat polygon")).to_have_count(3)
    shown = page.locator("#photo img").first
    assert shown.evaluate("image => image.naturalWidth") == 64


def test_a_part_is_relabelled_by_one_key(page: Page) -> None:
    page.get_by_role("button", name="확인할 것").click()
    expect(page.locator(".thumb")).to_have_count(1)
    expect(page.locator("#verdict")).to_have_text("✕ 불량")
    page.keyboard.press("1")
    expect(page.locator("#inspection-empty")).to_have_text("확인할 것이 없습니다. 모두 보았습니다.")
    page.get_by_role("button", name="최근").click()
    expect(page.locator(".thumb .own")).to_have_text("☺✓")
    expect(page.locator("#agreement")).to_contain_text("잘못 버린 양품")
    page.locator(".thumb").nth(1).click()
    expect(page.locator("#relabel-words")).to_contain_text("양품")
    page.keyboard.press("2")  # somebody looked again
    expect(page.locator("#agreement")).to_contain_text("같은 판정")
    expect(page.locator("#verdict")).to_have_text("✓ 양품")  # and it went on to the next one
