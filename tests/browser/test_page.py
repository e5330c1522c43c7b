"""The live page in a real browser, over a real factory process."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = Path(os.environ.get("DEUNGDAE_ARTEFACTS", ROOT / "artefacts"))


def row(page: Page, signal: str) -> Any:
    """Return the row of a signal."""
    return page.locator(f'tr[data-signal="{signal}"]')


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


def test_the_trend_shows_measurement_set_point_and_output(page: Page) -> None:
    plots = page.locator("#plots svg")
    expect(plots).to_have_count(2)
    expect(plots.first.locator(".target-label")).to_have_text("목표값 1,200")
    for plot in (plots.first, plots.last):
        expect(plot.locator(".line")).to_have_attribute("d", re.compile("M.*[LV]"))
    row(page, "press1.count").get_by_role("button").click()
    expect(plots).to_have_count(1)
    expect(plots.first).to_have_attribute("aria-label", "생산 수량")
    page.locator("#back").click()
    expect(plots).to_have_count(2)


def test_indicators_come_with_the_unknown_share(page: Page) -> None:
    expect(page.locator(".tile.oee .figure")).to_have_text(re.compile(r"^\d+\.\d%$"))
    expect(page.locator(".tile.availability")).to_contain_text("가능한 범위")
    expect(page.locator(".unknown").first).to_contain_text("상태를 모르는 시간")
    without = page.locator("#kpi-rows", has_text="insight.lost_kpi")
    expect(without).to_contain_text("nothing was told yet")


def test_the_kill_switch_blocks_every_write(page: Page) -> None:
    page.locator("#kill").click()
    page.locator("#dialog-no").click()
    expect(page.locator("#killed")).to_be_hidden()
    page.locator("#kill").click()
    page.locator("#field-person").fill("김반장")
    page.locator("#field-reason").fill("연기")
    page.locator("#dialog-yes").click()
    expect(page.locator("#killed")).to_contain_text("김반장")
    expect(page.locator("#killed")).to_contain_text("연기")
    refused = page.locator("#outcomes li.refused", has_text="kill-switch")
    expect(refused).to_contain_text("거부")
    page.locator("#kill").click()
    page.locator("#dialog-yes").click()
    expect(page.locator("#killed")).to_be_hidden()


def test_a_set_point_is_changed(page: Page) -> None:
    page.locator("#target").click()
    page.locator("#field-set_point").fill("9999")
    page.locator("#field-person").fill("김반장")
    page.locator("#field-reason").fill("주문 7")
    page.locator("#dialog-yes").click()
    expect(page.locator("#dialog-error")).to_contain_text("9999 is outside")
    page.locator("#field-set_point").fill("1180")
    page.locator("#dialog-yes").click()
    expect(page.locator('[data-asset="kiln1"] .aims')).to_contain_text("1,180")


def test_the_language_turns(page: Page) -> None:
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator('[data-asset="press1"] .state strong')).to_have_text("▶ running")
    expect(page.locator("#kill")).to_have_text("Block all writes")
    page.reload()
    expect(page.locator("#kill")).to_have_text("Block all writes")


def test_a_lost_server_is_told_and_found_again(page: Page, plant: Any) -> None:
    plant.kill()
    expect(page.locator("#lost")).to_contain_text("연결이 끊겼습니다")
    expect(page.locator("body")).to_have_class(re.compile(r"\bgone\b"))
    plant.start()
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("body")).not_to_have_class(re.compile(r"\bgone\b"))
    value = row(page, "kiln1.temperature").locator(".value")
    first = value.text_content()
    expect(value).not_to_have_text(first or "")
    # the new run has a new token: who could act must show the right anew
    expect(page.locator("#kill")).to_be_disabled()


def test_who_only_looks_cannot_act(browser: Browser, plant: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(plant.url)
    expect(page.locator("#kill")).to_be_disabled()
    page.locator("#person").click()
    page.locator("#field-token").fill("guess")
    page.locator("#dialog-yes").click()
    expect(page.locator("#dialog-error")).to_contain_text("needs the token")
    context.close()


def test_every_word_is_there_in_both_languages(page: Page) -> None:
    missing = page.evaluate(
        """async () => {
            const { words } = await import("/page/words.js");
            const keys = (thing, path = "") => Object.entries(thing).flatMap(([key, value]) =>
                typeof value === "object" ? keys(value, `${path}${key}.`) : [path + key]);
            const [ko, en] = [new Set(keys(words.ko)), new Set(keys(words.en))];
            const apart = [...[...ko].filter((key) => !en.has(key)),
                ...[...en].filter((key) => !ko.has(key))];
            return apart.filter((key) => !key.startsWith("annotations."));
        }"""
    )
    assert missing == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_pictures_are_taken(browser: Browser, plant: Any, scheme: Any, language: str) -> None:
    """Leave a picture of the page for people to look at; nothing may stick out sideways."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000}, color_scheme=scheme)
    page = context.new_page()
    page.goto(plant.url)
    page.wait_for_selector(".tile.oee")
    if language == "en":
        page.locator("#language").click()
    expect(page.locator("#plots svg .line").first).to_have_attribute("d", re.compile("M.*L"))
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"page-{scheme}-{language}.png", full_page=True)
    for width in (1600, 820, 400):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
