"""The page of control: the gate, its kill switch and the loops."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, plant: Plant) -> Iterator[Page]:
    with opened(browser, plant, "control") as page:
        yield page


def test_the_trend_shows_measurement_set_point_and_output(page: Page) -> None:
    plots = page.locator("#plots svg")
    expect(plots).to_have_count(2)
    expect(plots.first.locator(".target-label")).to_have_text("목표값 1,200")
    for plot in (plots.first, plots.last):
        expect(plot.locator(".line")).to_have_attribute("d", re.compile("M.*[LV]"))


def test_the_kill_switch_blocks_every_write(page: Page) -> None:
    page.locator("#kill").click()
    page.locator("#dialog-no").click()
    expect(page.locator("#killed")).to_be_hidden()
    page.locator("#kill").click()
    page.locator("#field-reason").fill("연기")
    page.locator("#dialog-yes").click()
    expect(page.locator("#killed")).to_contain_text("admin")
    expect(page.locator("#killed")).to_contain_text("연기")
    refused = page.locator("#outcomes li.refused", has_text="kill-switch")
    expect(refused).to_contain_text("거부")
    page.locator("#kill").click()
    page.locator("#dialog-yes").click()
    expect(page.locator("#killed")).to_be_hidden()


def test_a_set_point_is_changed(page: Page) -> None:
    page.locator("#target").click()
    page.locator("#field-set_point").fill("9999")
    page.locator("#field-reason").fill("주문 7")
    page.locator("#dialog-yes").click()
    expect(page.locator("#dialog-error")).to_contain_text("9999 is outside")
    page.locator("#field-set_point").fill("1180")
    page.locator("#dialog-yes").click()
    expect(page.locator("#plots .target-label")).to_contain_text("1,180")
