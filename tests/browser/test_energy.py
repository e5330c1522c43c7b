"""The page of energy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "energy") as page:
        yield page


def test_energy_is_told_by_machine(page: Page) -> None:
    rows = page.locator("#energy-body tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2호 프레스")
    expect(rows.first).to_contain_text("kWh")
    expect(rows.first.locator(".missing")).to_have_text("데이터 없음")  # it has no power
    expect(rows.last).to_contain_text("31.5 kW")
