"""The page of energy: what was used, when most, and the carbon of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "energy?period=week") as page:
        yield page


def test_energy_is_told_by_machine(page: Page) -> None:
    rows = page.locator("#used-rows tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2호 프레스")
    expect(rows.last).to_contain_text("1호 프레스")
    expect(rows.last).to_contain_text("31.5")  # what it draws now; the other has no power
    expect(page.locator("#energy-total")).to_contain_text("45")


def test_the_load_has_its_highest_quarter_and_silence_is_not_zero(page: Page) -> None:
    expect(page.locator("#load-chart .highest")).to_have_count(1)
    assert page.locator("#load-chart .gap").count() > 100  # most of the week nobody told anything
    expect(page.locator("#energy-doubt")).to_contain_text("없는 값은 추정하지 않습니다")
    expect(page.locator("#load-chart")).to_have_attribute(
        "aria-label", re.compile(r"최대 수요 9\d")
    )


def test_carbon_is_told_with_its_factor_and_year(page: Page) -> None:
    expect(page.locator("#energy-total")).to_contain_text("18.8")  # 45 kWh × 0.4173
    expect(page.locator("#energy-total")).to_contain_text("전력 배출계수 2023년")
    expect(page.locator("#factors")).to_contain_text("0.4173")


def test_a_period_without_data_says_so(page: Page, works: Plant) -> None:
    page.goto(f"{works.url}energy?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z")
    expect(page.locator("#energy-problem")).to_have_text("이 기간에는 전력 데이터가 없습니다.")
    expect(page.locator("#load")).to_be_hidden()
