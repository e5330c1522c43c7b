"""The page of the plant: what runs, what stands, since when."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect


def row(page: Page, signal: str) -> Any:
    """Return the row of a signal."""
    return page.locator(f'tr[data-signal="{signal}"]')


def station(page: Page, name: str) -> Any:
    """Return the drawing of a station."""
    return page.locator(f'[data-station="{name}"]')


def test_values_change_and_have_a_unit_and_an_age(page: Page) -> None:
    value = row(page, "kiln1.temperature").locator(".value")
    expect(value).to_have_text(re.compile(r"^1,1\d\d\.\d$"))
    first = value.text_content()
    expect(value).not_to_have_text(first or "")
    expect(row(page, "kiln1.temperature").locator(".unit")).to_have_text("°C")
    expect(row(page, "press1.count").locator(".unit")).to_have_text("개")
    expect(row(page, "kiln1.temperature").locator(".age")).to_have_text("0 초")


def test_a_state_has_a_word_a_mark_and_a_length(page: Page) -> None:
    state = page.locator('[data-asset="press1"] .state')
    expect(state.locator("strong")).to_have_text("▶ 가동")
    expect(state.locator("small")).to_have_text(re.compile(r"\d+ 초 동안"))


def test_no_data_is_told_and_never_looks_idle(page: Page) -> None:
    state = page.locator('[data-asset="lost1"] .state')
    expect(state).to_have_class("state none")
    expect(state.locator("strong")).to_have_text("∅ 데이터 없음")
    expect(row(page, "lost1.pressure").locator(".value")).to_have_text("데이터 없음")
    trouble = page.locator('[data-asset="lost1"] .door')
    expect(trouble).to_contain_text("연결 안 됨")
    expect(trouble).to_contain_text("조치")
    expect(page.locator("#summary")).to_have_text("확인이 필요한 연결 1개")


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
    expect(live).to_have_url(re.compile("/machine/press2$"))
