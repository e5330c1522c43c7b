"""The page of the twin in a real browser: what would be if, and whether to believe it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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


def test_a_past_hour_is_played_and_its_stops_are_found(browser: Browser, works: Plant) -> None:
    until = datetime.now(UTC)
    begin = until - timedelta(minutes=10)
    path = f"twin?from={begin:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    with opened(browser, works, path) as page:
        replay = page.locator("#replay")
        press = replay.locator("[data-station=press2]")
        expect(replay.locator("#replay-stops")).to_have_text("정지 1회")
        expect(press).to_contain_text("데이터 없음")  # nobody had told anything yet
        replay.get_by_role("button", name="다음 정지").click()
        expect(press).to_contain_text("고장")
        expect(replay.locator("#replay-note")).to_contain_text("동안 섬")
        slider = replay.get_by_role("slider", name="시각")
        slider.focus()
        slider.press("Home")
        expect(press).to_contain_text("데이터 없음")
        replay.get_by_label("속도").select_option("1000")
        replay.get_by_role("button", name="재생").click()
        expect(press).to_contain_text("고장")
        expect(replay.get_by_role("button", name="재생")).to_be_visible()  # the end has come
        expect(replay.locator("#replay-strip .down")).to_have_count(1)


def test_a_period_without_records_is_told_as_such(browser: Browser, works: Plant) -> None:
    path = "twin?from=2020-01-01T00:00:00Z&to=2020-01-01T08:00:00Z"
    with opened(browser, works, path) as page:
        expect(page.locator("#replay-note")).to_have_text("이 기간에는 기록이 없습니다.")
        expect(page.locator("#replay .station.none").first).to_be_visible()
        expect(page.get_by_role("button", name="재생")).to_be_disabled()
