"""The page of the alarms, and the bell on every page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


def tell(plant: Plant, *words: dict[str, Any]) -> None:
    """Let sources say something of their alarms."""
    with (plant.folder / "alarms.jsonl").open("a") as file:
        file.writelines(json.dumps(word) + "\n" for word in words)


@pytest.fixture
def page(browser: Browser, asking: Plant) -> Iterator[Page]:
    with opened(browser, asking, "alarms") as page:
        yield page


def test_what_is_not_sent_is_not_acknowledged(page: Page, asking: Plant) -> None:
    tell(asking, {"id": "press1.guard", "value": "1"})
    row = page.locator("#alarm-body tr", has_text="안전 커튼 차단")
    page.route("**/alarms/acknowledge", lambda route: route.abort())
    row.get_by_role("button", name="확인: ").click()
    expect(page.locator("#alarm-note")).not_to_be_empty()
    expect(row).to_contain_text("미확인")
    page.unroute("**/alarms/acknowledge")
    row.get_by_role("button", name="확인: ").click()
    expect(row).to_contain_text("확인함")
    tell(asking, {"id": "press1.guard", "value": "0"})
    expect(row).to_have_count(0)


def test_an_alarm_rings_is_acknowledged_and_shelved(page: Page, asking: Plant) -> None:
    tell(asking, {"id": "kiln1.flame", "value": "1"})
    bell = page.locator("#bell")
    expect(bell).to_contain_text("알람 1")
    expect(bell).to_contain_text("확인하지 않은 알람 1건, 가장 높은 우선순위 긴급.")
    row = page.locator("#alarm-body tr", has_text="화염 소실")
    expect(row).to_contain_text("긴급")
    expect(row).to_contain_text("미확인")
    expect(row).to_contain_text("조치: 가스 밸브를 잠그고 소성 반장을 부르십시오")
    expect(row.get_by_role("link", name="1호 소성로")).to_have_attribute("href", "/machine/kiln1")
    row.get_by_role("button", name="확인: 1호 소성로 화염 소실").press("Enter")
    expect(row).to_contain_text("확인함")
    expect(row).to_contain_text("admin 확인")
    expect(bell).to_contain_text("알람 0")
    row.get_by_role("button", name="보류: 1호 소성로 화염 소실").click()
    page.locator("#field-minutes").fill("9999")
    page.locator("#field-reason").fill("센서 교체")
    page.locator("#dialog-yes").click()
    expect(page.locator("#dialog-error")).to_contain_text("480분까지만")
    page.locator("#field-minutes").fill("30")
    page.locator("#dialog-yes").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="보류 중 1").click()
    expect(row).to_contain_text("센서 교체")
    expect(row).to_contain_text("남음")
    row.get_by_role("button", name="보류 해제").click()
    page.locator("#dialog-yes").click()
    expect(bell).to_contain_text("알람 1")  # it is active still: told anew
    page.get_by_role("button", name="이력").click()
    steps = page.locator("#alarm-body tbody tr", has_text="화염 소실")
    expect(steps.filter(has_text="센서 교체").first).to_contain_text("보류")
    tell(asking, {"id": "kiln1.flame", "value": "0"})


def test_what_machines_say_stays_text(page: Page, asking: Plant) -> None:
    text = "<img src=x onerror=document.title='hacked'>"
    tell(
        asking, {"id": "press1.axis", "value": "FAULT", "data": {"nativeCode": "E1", "text": text}}
    )
    row = page.locator("#alarm-body tr", has_text="E1")
    expect(row).to_contain_text(text)
    assert page.title() != "hacked"
    assert page.locator("#alarm-body img").count() == 0


def test_a_thousand_alarms_stay_readable(page: Page, asking: Plant) -> None:
    others = [{"id": f"press1.axis{n}", "value": "WARNING"} for n in range(1000)]
    tell(asking, {"id": "press2.jam", "data": {"severity": "700"}}, *others)
    expect(page.locator(".flood")).to_contain_text("알람 폭주")
    group = page.get_by_role("region", name="1호 프레스")
    expect(group.locator("summary").last).to_contain_text("나머지")
    expect(group).to_contain_text("처음 온 알람")
    expect(page.get_by_role("region", name="2호 프레스")).to_contain_text("jam")
    begun = page.evaluate("performance.now()")
    page.get_by_role("button", name="모두 펼쳐 보기").click()
    expect(page.locator("#alarm-body tbody tr").first).to_be_visible()
    assert page.evaluate("performance.now()") - begun < 3000
    page.get_by_role("searchbox").fill("axis77")
    expect(page.locator("#alarm-body tbody tr")).to_have_count(11)
    page.get_by_role("button", name="보이는 11건 모두 확인").click()
    page.locator("#dialog-yes").click()
    expect(page.locator("#alarm-body tbody tr.acknowledged")).to_have_count(11)
    # what was not seen is not acknowledged: all but these wait
    expect(page.locator("#bell")).to_contain_text("알람 9")


def test_the_figures_stand_beside_the_standard(page: Page) -> None:
    page.get_by_role("button", name="알람 성적").click()
    row = page.locator("#alarm-body tr", has_text="10분 최대")
    expect(row).to_contain_text("지나침")
    expect(page.locator("svg.rate")).to_have_attribute("aria-label", re.compile("알람 1,?00"))
    expect(page.get_by_text("ISA-18.2")).to_be_visible()


def test_the_tone_is_off_until_a_person_wants_it(page: Page) -> None:
    tone = page.locator("#alarm-tone")
    expect(tone).to_have_attribute("aria-pressed", "false")
    tone.click()
    expect(tone).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("#alarm-tone")).to_have_attribute("aria-pressed", "true")
