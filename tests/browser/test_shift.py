"""The page of the shift."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, plant: Plant) -> Iterator[Page]:
    with opened(browser, plant, "shift") as page:
        yield page


def test_indicators_come_with_the_unknown_share(page: Page) -> None:
    expect(page.locator(".tile.oee .figure")).to_have_text(re.compile(r"^\d+\.\d%$"))
    expect(page.locator(".tile.availability")).to_contain_text("가능한 범위")
    expect(page.locator(".unknown").first).to_contain_text("상태를 모르는 시간")
    without = page.locator("#kpi-rows", has_text="insight.lost_kpi")
    expect(without).to_contain_text("nothing was told yet")
