"""A first run as people have one: an empty factory, real servers on the network, live values."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from deungdae.app import describe

from .conftest import Plant, opened  # type: ignore[import-not-found]

PLANT = """
[factory]
id = "plant"

[virtual.kiln]
type = "opcua"
model = "kiln"
port = {opcua}

[virtual.press]
type = "modbus"
model = "press"
port = {modbus}
"""


class Site(NamedTuple):
    """An empty factory and the ports of two machines beside it."""

    plant: Plant
    opcua: int
    modbus: int
    machines: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Site]:
    """Give an empty factory, and a kiln and a press that answer."""
    folder, yard = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("yard")
    opcua, modbus = free_port(), free_port()
    (yard / "plant.toml").write_text(PLANT.format(opcua=opcua, modbus=modbus))
    command = [sys.executable, "-m", "deungdae.app.plant", str(yard / "plant.toml")]
    machines = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "factory.toml").write_text('# mine\n\n[factory]\nid = "mine"\nname = "우리 공장"\n')
    plant = Plant(folder, free_port(), "serve")
    try:
        plant.start()
        wait(opcua, modbus)
        yield Site(plant, opcua, modbus, machines)
    finally:
        plant.kill()
        machines.kill()
        machines.wait(10)


def wait(*ports: int) -> None:
    """Return when somebody listens at every port."""
    end = time.monotonic() + 30
    for port in ports:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < end, f"nobody listens at {port}"
            time.sleep(0.05)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with opened(browser, site.plant, "start") as page:
        page.set_default_timeout(30_000)
        expect(page.get_by_role("heading", name="어디에서 찾을까요?")).to_be_visible()
        yield page


def current(page: Page, step: str) -> None:
    """Assert which step it is."""
    expect(page.locator('#start-steps [aria-current="step"]')).to_contain_text(step, timeout=20_000)


def test_a_range_that_is_none_is_told(page: Page) -> None:
    page.locator("#find-range").fill("192.168.0.300")
    page.get_by_role("button", name="찾기", exact=True).click()
    expect(page.locator("#find-error")).to_contain_text("‘192.168.0.300’: 주소가 아닙니다")
    page.locator("#find-range").fill("8.8.8.8")
    page.get_by_role("button", name="찾기", exact=True).click()
    expect(page.get_by_role("checkbox", name="사설 주소가 아닙니다")).to_be_visible()


def test_a_machine_is_found_picked_written_and_live(page: Page, site: Site) -> None:
    page.locator("#find-range").fill("127.0.0.1")
    page.locator("#find-ports").fill(f"{site.opcua}, {site.modbus}")
    for other in ("MTConnect", "MQTT"):
        page.get_by_role("checkbox", name=other).uncheck()
    page.get_by_role("button", name="찾기", exact=True).click()
    row = page.get_by_role("row", name=f"127.0.0.1:{site.opcua}")
    expect(row).to_contain_text("OPC UA", timeout=25_000)
    expect(page.locator("#find-told")).to_contain_text("2대 찾음", timeout=25_000)
    row.get_by_role("button").click()
    current(page, "설비")
    page.get_by_label("화면에 보일 이름").fill("1호 <b>가마</b>")
    page.locator("#name-id").fill("kiln")
    page.get_by_role("button", name="신호 보기").click()
    current(page, "신호")
    page.get_by_role("searchbox").fill("temperature")
    page.locator("#pick-tree .leaf input").first.check()
    name = page.locator('#pick-rows [data-field="name"]').first
    name.fill("소성 <i>온도</i>")
    unit = page.locator('#pick-rows [data-field="unit"]').first
    good = unit.input_value()
    unit.fill("degrees")
    expect(unit).to_have_attribute("aria-invalid", "true", timeout=15_000)
    expect(page.locator("#pick-faults")).to_contain_text("UCUM 단위가 아닙니다")
    expect(page.locator("#pick-go")).to_be_disabled()
    unit.fill(good)
    expect(page.locator("#pick-go")).to_be_enabled(timeout=15_000)
    page.locator("#pick-go").click()
    current(page, "확인")
    expect(page.locator("#review-parts .added").last).to_be_visible()
    expect(page.locator("#review-parts")).to_contain_text('name = "1호 <b>가마</b>"')
    expect(page.locator("#review-parts .taken")).to_have_count(0)
    page.get_by_role("button", name="적고 연결하기").click()
    current(page, "완료")
    expect(page.locator("#done-title")).to_contain_text("1호 <b>가마</b>")
    expect(page.locator("#done-told")).to_contain_text("✓ 신호 1개", timeout=20_000)
    expect(page.locator("#done-values")).to_contain_text("소성 <i>온도</i>")
    expect(page.locator("#done-values")).to_contain_text("°C")
    factory = describe.read(site.plant.folder / "factory.toml")
    assert [signal.name for signal in factory.signals.values()] == ["소성 <i>온도</i>"]
    assert (site.plant.folder / "factory.toml").read_text().startswith("# mine\n")


def test_registers_are_pasted_from_a_spreadsheet(page: Page, site: Site) -> None:
    page.get_by_role("button", name="직접 입력").click()
    page.locator("#name-type").select_option("modbus")
    page.locator("#name-id").fill("press")
    page.locator("#name-url").fill(f"tcp://127.0.0.1:{site.modbus}")
    page.get_by_role("button", name="레지스터 적기").click()
    current(page, "신호")
    page.locator("#map-paste").fill(
        "주소\t이름\t단위\t형식\n30002\tcount\t{part}\tfloat32\n"
        "input/3?float32\tforce\tkN\nrubbish 9\n"
    )
    page.get_by_role("button", name="표에 넣기").click()
    expect(page.locator("#map-told")).to_contain_text("읽을 수 없는 줄: rubbish 9")
    addresses = page.locator('#pick-rows [data-field="address"]')
    expect(addresses).to_have_count(2)
    expect(addresses.first).to_have_value("input/1?float32")
    expect(page.locator('#pick-rows [data-field="id"]').first).to_have_value("press.count")
    expect(page.locator("#pick-go")).to_be_enabled(timeout=15_000)
    page.locator("#pick-go").click()
    page.get_by_role("button", name="적고 연결하기").click()
    expect(page.locator("#done-told")).to_contain_text("✓ 신호 2개", timeout=20_000)
    page.get_by_role("link", name="공장 화면으로").click()
    expect(page.locator("body")).to_have_attribute("data-page", "plant")


def test_ten_thousand_nodes_stay_quick(page: Page) -> None:
    slow = page.evaluate(
        """async () => {
            const { Tree } = await import("/page/start/tree.js");
            const node = (n) => ({ path: `plant/line ${n % 10}/cell ${n % 100}/value ${n}`,
                address: `ns=2;s=v${n}`, name: `v${n}`, value: `${n / 7}`, offered: "mm" });
            const nodes = Array.from({ length: 10000 }, (_, n) => node(n));
            const place = document.createElement("div");
            document.body.append(place);
            const picked = new Set();
            const tree = new Tree(place, () => picked, (some, on) =>
                some.forEach((each) => picked[on ? "add" : "delete"](each.address)));
            const begun = performance.now();
            tree.show(nodes);
            tree.filter("");
            tree.filter("value 77");
            tree.filter("");
            place.querySelector("input").click();
            const took = performance.now() - begun;
            const found = [picked.size, place.querySelectorAll("li").length < 300];
            place.remove();
            return [took, ...found];
        }"""
    )
    took, picked, few = slow
    assert picked == 10_000
    assert few
    assert took < 3000


def test_a_machine_that_went_away_is_told(page: Page, site: Site) -> None:
    """The last: it takes the machines away."""
    page.get_by_role("button", name="직접 입력").click()
    page.locator("#name-id").fill("gone")
    page.locator("#name-url").fill(f"opc.tcp://127.0.0.1:{site.opcua}")
    site.machines.kill()
    site.machines.wait(10)
    page.get_by_role("button", name="신호 보기").click()
    expect(page.locator("#name-error")).to_contain_text("127.0.0.1", timeout=20_000)
    current(page, "설비")
