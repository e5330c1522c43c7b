"""The page of quality: control charts and what the camera sees."""

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


def test_the_last_part_is_shown_with_its_verdict(page: Page) -> None:
    expect(page.locator("#verdict")).to_have_text("✓ 양품")
    expect(page.locator("#inspection-facts")).to_contain_text("A-2")
    expect(page.locator("#reject-share")).to_have_text("33.3 % 불량률 · 최근 3개 중 1개")
    thumbs = page.locator(".thumb")
    expect(thumbs).to_have_count(3)
    thumbs.nth(1).click()
    expect(page.locator("#verdict")).to_have_text("✕ 불량")
    expect(page.locator("#inspection-facts")).to_contain_text("균열")
    expect(page.locator("#photo .boxes rect")).to_have_count(1)
    shown = page.locator("#photo img").first
    assert shown.evaluate("image => image.naturalWidth") == 64
