"""The page of the plant: what runs, what stands, since when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened

MACHINES = 300


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
    expect(live.locator("#glance-chips")).to_contain_text("■ 고장 1")


def test_what_waits_between_is_drawn(live: Page) -> None:
    buffer = live.locator('[data-buffer="green"]')
    expect(buffer.locator(".count")).to_have_text("4/8")
    assert float(buffer.locator(".full").get_attribute("height") or 0) > 0
    expect(live.locator("#plant-plan .flow")).to_have_count(3)


def test_a_station_leads_to_its_machine_by_keyboard(live: Page) -> None:
    station(live, "press2").focus()
    live.keyboard.press("Enter")
    expect(live).to_have_url(re.compile("/machine/press2$"))


# ---- what stands, why, since when


def stop(page: Page, asset: str) -> Any:
    """Return the row of a machine in the list of what stands."""
    return page.locator(f'#standing [data-stands="{asset}"]')


def test_one_sentence_says_how_the_plant_stands(live: Page) -> None:
    expect(live.locator("#glance-words")).to_have_text(
        re.compile(r"^1대 가동 · 2호 프레스 고장 \d\s분째 — 유압 압력 낮음 · 외 1대 정지$")
    )
    expect(live.locator("#standing li")).to_have_count(2)
    expect(live.locator("#standing li").first).to_contain_text("2호 프레스")  # the longest


def test_why_press_2_stands_is_found(live: Page) -> None:
    expect(stop(live, "press2")).to_contain_text("■ 고장")
    expect(stop(live, "press2")).to_contain_text(re.compile(r"\d\s분째"))
    expect(stop(live, "press2").locator(".cause")).to_have_text("유압 압력 낮음")
    expect(station(live, "press2").locator(".detail")).to_have_text("유압 압력 낮음")
    expect(stop(live, "kiln1").locator(".cause")).to_have_text("2호 프레스 고장")  # it waits for it
    stop(live, "press2").get_by_role("link", name="알람 보기").click()
    expect(live).to_have_url(re.compile(r"/alarms\?asset=press2$"))
    live.go_back()
    stop(live, "press2").get_by_role("link", name="2호 프레스", exact=True).click()
    expect(live).to_have_url(re.compile("/machine/press2$"))


def test_what_a_person_says_comes_before_what_a_machine_says(live: Page, works: Plant) -> None:
    with client(works) as api:
        (state,) = api.get("events", params={"from": "-1h", "ids": "press2.state"}).json()
        told = {"asset": "press2", "start": state["time"], "person": "kim"}
        api.post("stops/reason", json=told | {"reason": "유압 호스 누유"}).raise_for_status()
        expect(stop(live, "press2").locator(".cause")).to_have_text("유압 호스 누유")
        live.reload()  # and it is found again in the past
        expect(stop(live, "press2").locator(".cause")).to_have_text("유압 호스 누유")
        api.post("stops/reason", json=told | {"reason": ""}).raise_for_status()
        expect(stop(live, "press2").locator(".cause")).to_have_text("유압 압력 낮음")


def test_a_tablet_whose_clock_is_wrong_by_a_day_tells_the_same(live: Page) -> None:
    live.add_init_script("const right = Date.now; Date.now = () => right() - 86_400_000")
    live.reload()
    expect(stop(live, "press2")).to_contain_text(re.compile(r"\d\s분째"))
    expect(station(live, "press1").locator(".since")).to_have_text(re.compile(r"^\d 분 동안$"))


def test_machines_without_a_line_are_drawn_all_the_same(page: Page) -> None:
    for name in ("kiln1", "press1", "lost1"):
        expect(page.locator("#plant-plan").locator(f'[data-station="{name}"]')).to_be_visible()
    expect(station(page, "kiln1").locator(".state-word")).to_have_text("● 상태 없음")
    expect(stop(page, "lost1").locator(".cause")).to_contain_text("lost 연결 안 됨")
    expect(page.locator("#plant-plan .station.run .share")).to_have_text(re.compile(r"^\d+ %$"))


# ---- arranging


def test_machines_are_dragged_and_moved_by_keys(live: Page, works: Plant) -> None:
    live.get_by_role("button", name="배치 바꾸기").click()
    expect(live.locator("#arrange-note")).to_contain_text("화살표")
    kiln = station(live, "kiln1")
    kiln.focus()
    live.keyboard.press("Shift+ArrowRight")
    live.keyboard.press("ArrowDown")
    live.keyboard.press("ArrowDown")
    expect(live.locator("#arrange-note")).to_have_text(
        re.compile("1호 소성로: 가로 ([0-9]+), 세로")
    )
    expect(kiln).to_be_focused()
    box = station(live, "press2").bounding_box()
    assert box
    live.mouse.move(box["x"] + 20, box["y"] + 20)
    live.mouse.down()
    live.mouse.move(box["x"] + 60, box["y"] + 220, steps=4)
    live.mouse.up()
    moved = station(live, "press2").bounding_box()
    assert moved
    assert abs(moved["y"] - box["y"] - 200) < 25
    live.get_by_role("button", name="배치 저장").click()
    expect(live.locator("#arrange-note")).to_have_text("배치를 저장했습니다.")
    layout = msgspec.toml.decode((works.folder / "factory.toml").read_bytes())["layout"]
    assert set(layout) == {"press1", "press2", "kiln1", "camera1"}
    live.reload()
    expect(station(live, "press2")).to_be_visible()
    again = station(live, "press2").bounding_box()
    assert again
    assert abs(again["y"] - station(live, "press1").bounding_box()["y"]) > 200
    live.get_by_role("button", name="배치 바꾸기").click()
    live.get_by_role("button", name="자동 배치").click()
    live.get_by_role("button", name="배치 저장").click()
    expect(live.locator("#arrange-note")).to_have_text("배치를 저장했습니다.")
    assert b"[layout]" not in (works.folder / "factory.toml").read_bytes()


def test_two_who_arrange_are_told(browser: Browser, live: Page, works: Plant) -> None:
    live.get_by_role("button", name="배치 바꾸기").click()
    station(live, "kiln1").press("ArrowDown")
    with client(works) as api:
        before = api.get("layout").json()
        mine = {"positions": {"kiln1": [1, 1]}, "version": before["version"], "person": "lee"}
        api.put("layout", json=mine).raise_for_status()
        live.get_by_role("button", name="배치 저장").click()
        expect(live.locator("#arrange-note")).to_contain_text("다른 사람")
        assert api.get("layout").json()["positions"] == {"kiln1": [1, 1]}
        live.get_by_role("button", name="내 배치로 저장").click()
        expect(live.locator("#arrange-note")).to_have_text("배치를 저장했습니다.")
        kept = api.get("layout").json()
        assert kept["positions"]["kiln1"] != [1, 1]
        api.put("layout", json=mine | {"positions": {}, "version": kept["version"]})


# ---- plants of other sizes


@pytest.fixture
def described(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[[str], Plant]]:
    """Return a function that runs a factory by its description."""
    plant = Plant(tmp_path, free_port(), "serve")

    def start(text: str) -> Plant:
        (tmp_path / "factory.toml").write_text(text)
        plant.start()
        return plant

    yield start
    plant.kill()


def test_300_machines_can_be_told_apart(browser: Browser, described: Any, tmp_path: Path) -> None:
    names = {7: "<img src=x onerror=alert(1)>", 8: "아" * 200}
    equipment = "".join(
        f'[equipment.m{n:03}]\nname = "{names.get(n, f"설비 {n:03}")}"\nparent = "line{n % 5}"\n'
        for n in range(MACHINES)
    )
    lines = "".join(f'[equipment.line{n}]\nlevel = "line"\n' for n in range(5))
    signals = (
        f"m{n:03}.{what},{'state' if what == 'state' else 'number'},press:{source}\n"
        for n in range(MACHINES)
        for what, source in (("state", "state"), *((f"v{k}", "count") for k in range(3)))
        if (n, what) != (9, "state")
    )
    (tmp_path / "signals.csv").write_text("id,kind,source\n" + "".join(signals))
    plant = described(
        'signals = "signals.csv"\n[factory]\nid = "big"\n[machines.press]\ntype = "simulated"\n'
        f'model = "press"\nparameters = {{ failure_every = 0, wait_every = 0 }}\n{lines}{equipment}'
    )
    with opened(browser, plant) as page:
        expect(page.locator("#glance-words")).to_have_text("299대 가동")
        expect(page.locator("[data-dense]")).to_have_count(MACHINES)
        expect(page.locator('[data-dense="m009"]')).to_contain_text("상태 없음")
        expect(page.locator('[data-dense="m007"] strong')).to_have_text(names[7])
        page.get_by_label("찾기").fill("설비 12")
        expect(page.locator("[data-dense]:visible")).to_have_count(10)
        expect(page.locator("#dense-note")).to_have_text("300대 중 10대")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1600
        # of 900 signals none is shown here: none is told
        count = "async () => (await import('/page/shell.js')).known.readings.get('m001.v1')[1]"
        first = page.evaluate(count)
        page.wait_for_timeout(1500)
        assert page.evaluate(count) == first


def test_a_plant_without_machines_says_where_to_begin(browser: Browser, described: Any) -> None:
    with opened(browser, described('[factory]\nid = "new"\n')) as page:
        expect(page.locator("#glance-words")).to_have_text("아직 설비가 없습니다")
        page.get_by_role("link", name="설비 연결 시작하기").click()
        expect(page).to_have_url(re.compile("/start$"))


def client(plant: Plant) -> httpx.Client:
    """Return a client with the token."""
    running = msgspec.json.decode((plant.folder / "history" / "running.json").read_bytes())
    bearer = {"Authorization": f"Bearer {running['token']}"}
    return httpx.Client(base_url=f"{plant.url}api/v1/", headers=bearer, trust_env=False)
