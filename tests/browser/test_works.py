"""The live page of a whole line in a real browser: plan, control chart, inspection, energy."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect


def station(page: Page, name: str) -> Any:
    """Return the drawing of a station."""
    return page.locator(f'[data-station="{name}"]')


def test_the_line_shows_states_by_colour_shape_and_word(live: Page) -> None:
    expect(station(live, "press1")).to_have_class("station run")
    expect(station(live, "press1").locator(".state-word")).to_have_text("▶ 가동")
    expect(station(live, "press1").locator(".since")).to_have_text(re.compile("분 동안"))
    expect(station(live, "press1").locator(".figure")).to_have_text("481 개")
    expect(station(live, "press2")).to_have_class("station down")
    expect(station(live, "kiln1").locator(".state-word")).to_have_text("◐ 투입 대기")
    expect(live.locator("#line-note")).to_contain_text("■ 고장 1")


def test_what_waits_between_is_drawn(live: Page) -> None:
    buffer = live.locator('[data-buffer="green"]')
    expect(buffer.locator(".count")).to_have_text("3/8")
    assert float(buffer.locator(".full").get_attribute("height") or 0) > 0
    expect(live.locator("#plan .flow")).to_have_count(3)


def test_a_station_leads_to_its_machine_by_keyboard(live: Page) -> None:
    station(live, "press2").focus()
    live.keyboard.press("Enter")
    expect(live).to_have_url(re.compile("#machine-press2$"))


def test_a_control_chart_names_what_is_wrong(live: Page) -> None:
    expect(live.locator("#control-title")).to_have_text("1호 프레스 · 밀도")
    expect(live.locator("#chart .limit")).to_have_count(2)
    expect(live.locator("#chart .broken")).to_have_count(1)
    expect(live.locator("#control-told")).to_contain_text("관리한계를 벗어난 점")
    expect(live.locator("#control-verdict")).to_have_text("✓ 관리 상태")


def test_the_last_part_is_shown_with_its_verdict(live: Page) -> None:
    expect(live.locator("#verdict")).to_have_text("✓ 양품")
    expect(live.locator("#inspection-facts")).to_contain_text("A-2")
    expect(live.locator("#reject-share")).to_have_text("33.3 % 불량률 · 최근 3개 중 1개")
    thumbs = live.locator(".thumb")
    expect(thumbs).to_have_count(3)
    thumbs.nth(1).click()
    expect(live.locator("#verdict")).to_have_text("✕ 불량")
    expect(live.locator("#inspection-facts")).to_contain_text("균열")
    expect(live.locator("#photo .boxes rect")).to_have_count(1)
    shown = live.locator("#photo img").first
    assert shown.evaluate("image => image.naturalWidth") == 64


def test_energy_is_told_by_machine(live: Page) -> None:
    rows = live.locator("#energy-body tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2호 프레스")
    expect(rows.first).to_contain_text("kWh")
    expect(rows.first.locator(".missing")).to_have_text("데이터 없음")  # it has no power
    expect(rows.last).to_contain_text("31.5 kW")


def test_cards_without_an_analysis_are_not_there(page: Page) -> None:
    for card in ("line", "control", "inspection", "energy"):
        expect(page.locator(f"#{card}")).to_be_hidden()
    expect(page.locator("nav")).to_be_hidden()


@pytest.mark.parametrize("place", ["", "twin"])
def test_nothing_sticks_out_sideways(browser: Browser, works: Any, place: str) -> None:
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    page = context.new_page()
    page.goto(f"{works.url}{place}")
    page.wait_for_selector(".station.run")
    for width in (1600, 820, 400):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
