"""The page of control: the gate, its kill switch, the loops and what waits for a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, plant: Plant) -> Iterator[Page]:
    with opened(browser, plant, "control") as page:
        yield page


def act(plant: Plant, path: str, **body: object) -> None:
    """Do something as a program does it for a person."""
    running = msgspec.json.decode((plant.folder / "history" / "running.json").read_bytes())
    bearer = {"Authorization": f"Bearer {running['token']}"}
    httpx.post(f"{plant.url}api/v1/{path}", headers=bearer, json=body).raise_for_status()


def test_a_loop_shows_what_it_holds_and_its_trend(page: Page) -> None:
    loop = page.locator(".loop")
    expect(loop).to_contain_text("1호 소성로 · 소성대 온도")
    expect(loop.locator("dd").nth(0)).to_contain_text(re.compile(r"\d °C"))
    expect(loop.locator("dd").nth(1)).to_have_text("1,200 °C")
    expect(loop.locator("dd").nth(2)).to_contain_text(re.compile(r"[−+][\d.,]+ °C"))
    expect(loop.locator(".trend-plot")).to_be_visible()
    expect(loop.locator(".decision")).to_contain_text(re.compile("✓ 씀|✕ 거부"))


def test_the_kill_switch_blocks_every_write(page: Page) -> None:
    page.locator("#kill").click()
    page.locator("#dialog-no").click()
    expect(page.locator("#killed")).to_be_hidden()
    page.locator("#kill").click()
    page.locator("#field-reason").fill("연기")
    page.locator("#dialog-yes").click()
    expect(page.locator("#killed")).to_contain_text("admin")
    expect(page.locator("#killed")).to_contain_text("연기")
    refused = page.locator("#decisions li.refused", has_text="kill-switch")
    expect(refused).to_contain_text("쓰기 차단 스위치가 켜져 있습니다")
    page.locator("#commands-again").click()
    page.get_by_role("button", name="사람이 한 것").click()
    expect(page.locator("#commands tbody tr.kill")).to_contain_text("연기")
    page.locator("#kill").click()
    page.locator("#dialog-yes").click()
    expect(page.locator("#killed")).to_be_hidden()


def test_the_kill_switch_is_in_reach_on_a_telephone(browser: Browser, plant: Plant) -> None:
    with opened(browser, plant, "control", viewport={"width": 400, "height": 800}) as page:
        expect(page.locator(".loop")).to_be_visible()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        kill = page.get_by_role("button", name="모든 쓰기 차단")
        expect(kill).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        kill.click()
        expect(page.locator("#dialog")).to_be_visible()


def test_a_set_point_is_changed(page: Page, plant: Plant) -> None:
    target = page.get_by_role("button", name="목표값 변경")
    target.click()
    expect(page.locator("#dialog-text")).to_contain_text("가능한 범위 0 °C ~ 1,600 °C")
    page.locator("#field-set_point").fill("9999")
    page.locator("#field-reason").fill("주문 7")
    page.locator("#dialog-yes").click()
    expect(page.locator("#dialog-error")).to_contain_text("범위를 벗어났습니다")
    page.locator("#field-set_point").fill("1180")
    page.locator("#dialog-yes").click()
    expect(page.locator(".loop dd").nth(1)).to_have_text("1,180 °C")
    target.click()
    act(plant, "loops/temperature", set_point=1170, reason="test", person="lee")
    expect(page.locator("#dialog-error")).to_contain_text("다른 사람이 목표값을 1,170 °C")
    expect(page.locator("#dialog-yes")).to_be_disabled()


def test_the_mode_is_changed_with_a_reason(page: Page, plant: Plant) -> None:
    expect(page.locator("#modes .chosen")).to_contain_text("자동")
    page.get_by_role("button", name="게이트를 '관찰' 모드로").click()
    page.locator("#field-reason").fill("시험 가동")
    page.locator("#dialog-yes").click()
    expect(page.locator("#modes .chosen")).to_contain_text("관찰")
    expect(page.locator("#gate-by")).to_contain_text("admin")
    expect(page.locator("#gate-by")).to_contain_text("시험 가동")
    page.get_by_role("button", name="게이트를 '끔' 모드로").click()
    act(plant, "gate/mode", mode="auto", reason="test", person="lee")
    expect(page.locator("#dialog-error")).to_contain_text("그사이에 게이트가 '자동'")


def test_a_proposal_is_approved_by_keyboard(browser: Browser, asking: Plant) -> None:
    with opened(browser, asking, "control") as page:
        card = page.locator("article.proposal").first
        expect(card).to_contain_text("가스 밸브")
        expect(card).to_contain_text("목표값 1,200 °C, 측정값")
        expect(card.locator(".checks li.good").first).to_contain_text("유효 기간 안")
        expect(card.locator(".checks")).to_contain_text("인터록 소성대 온도 ≤ 1,400 °C")
        expect(card.locator(".expiry")).to_contain_text("뒤 만료")
        card.get_by_role("button", name="승인: ").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#dialog-title")).to_have_text("이 명령을 승인할까요?")
        page.locator("#dialog-yes").press("Enter")
        expect(page.locator("#dialog")).to_be_hidden()
        written = page.locator("#decisions li.written")
        expect(written).to_contain_text("가스 밸브")
        page.get_by_role("button", name="씀", exact=True).click()
        page.locator("#commands-again").click()
        expect(page.locator("#commands tbody tr").first).to_contain_text("1호 소성로 · 가스 밸브")


def test_what_changes_under_the_hand_is_not_approved(browser: Browser, asking: Plant) -> None:
    with opened(browser, asking, "control") as page:
        page.get_by_role("button", name="승인: ").first.click()
        act(asking, "gate/mode", mode="advise", reason="test", person="lee")
        error = page.locator("#dialog-error")
        expect(error).to_contain_text("그사이에 게이트가 '조언'")
        expect(error).to_contain_text("아무것도 하지 않았습니다")
        expect(page.locator("#dialog-yes")).to_be_disabled()
        page.locator("#dialog-no").click()
        act(asking, "gate/mode", mode="approve", reason="test", person="lee")
        act(asking, "gate/kill", reason="test", person="lee")
        expect(page.locator("#asking")).to_be_hidden()
        act(asking, "gate/release", person="lee")
        page.get_by_role("button", name="거절: ").first.click()
        expect(page.locator("#dialog-yes")).to_be_enabled()
        page.locator("#dialog-yes").click()
        page.locator("#commands-again").click()
        page.get_by_role("button", name="사람이 한 것").click()
        expect(page.locator("#commands tbody tr", has_text="거절")).to_have_count(1)


def test_a_loop_without_data_does_not_look_as_if_it_controlled(
    browser: Browser, plant: Plant
) -> None:
    with opened(browser, plant, "control") as page:
        page.evaluate(
            """async () => {
                const { known } = await import("/page/shell.js");
                known.readings.get = () => undefined;
            }"""
        )
        expect(page.locator(".loop .head .chip")).to_have_text("∅ 데이터 없음")
        expect(page.locator(".loop dd").first).to_have_text("데이터 없음")
