"""The page of the twin in a real browser: what would be if, and whether to believe it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened

SIMULATED = 60_000  # ms that a first answer may take: another process starts for it


@pytest.fixture
def twin(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "twin") as page:
        page.wait_for_selector(".station.run")
        yield page


def test_a_slider_is_answered(twin: Page) -> None:
    results = twin.locator("#results")
    expect(results).to_contain_text("시간당 양품", timeout=SIMULATED)
    expect(results.locator(".verdict")).to_have_count(0)  # nothing is changed yet
    slider = twin.locator('input[name="press1.cycle"]')
    slider.focus()
    for _ in range(30):
        slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("−30 %"))
    verdict = results.locator(".result").first.locator(".verdict")
    expect(verdict).to_have_text(re.compile("▲ 나아짐: \\+.* 개/h"), timeout=SIMULATED)
    expect(results.locator(".difference").first).to_be_visible()
    expect(results).to_contain_text("병목")
    twin.locator("#reset").click()
    expect(results.locator(".verdict")).to_have_count(0, timeout=SIMULATED)


def test_levers_are_told_with_their_values(twin: Page) -> None:
    levers = twin.locator(".lever")
    expect(levers).to_have_count(6)
    expect(twin.locator("#levers")).to_contain_text("버퍼 용량")
    expect(levers.filter(has_text="green")).to_contain_text("8 개")
    expect(levers.filter(has_text="fitters")).to_contain_text("1 명")


def test_it_says_when_it_may_be_believed(twin: Page) -> None:
    expect(twin.locator("#score-verdict")).to_have_text("◐ 아직 알 수 없음")
    expect(twin.locator("#shifts .inside")).to_have_count(2)
    expect(twin.locator("#shifts .outside")).to_have_count(1)
    expect(twin.locator("#score-facts")).to_contain_text("견준 근무조")


def test_a_budget_is_spent(twin: Page) -> None:
    expect(twin.locator("#results")).to_contain_text("시간당 양품", timeout=SIMULATED)
    twin.locator("#budget").fill("100")
    twin.locator("#improve-ask").click()
    best = twin.locator("#improve-plan tr.best")
    expect(best).to_contain_text("★", timeout=SIMULATED)


def test_the_pages_lead_to_each_other(twin: Page) -> None:
    expect(twin.locator("#to-twin")).to_have_attribute("aria-current", "page")
    twin.locator("#to-plant").click()
    twin.wait_for_selector("#machines .machine")
    twin.locator("#to-twin").click()
    twin.wait_for_selector("#levers .lever")
