"""A stranger's five questions, put to the pages of the demo: each is answered without help."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import opened

pytestmark = pytest.mark.timeout(300)
WITHIN = 180.0  # s in which the demo opens its pages; the machine may be busy
ANSWERED = 120_000  # ms that an answer may take here; what people wait is measured by bench-web


class Demo:
    """The demo as a newcomer starts it, seen as the browser's fixtures see a plant."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self._folder = folder / "demo"
        self._log = folder / "log"
        words = ["-m", "deungdae.app.cli", "demo", "--keep", str(self._folder), "--port", str(port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)

    def get(self, path: str) -> Any:
        """Return what the API answers."""
        return httpx.get(f"{self.url}api/v1/{path}", headers=self._bearer(), timeout=60).json()

    def enter(self) -> str:
        """Return a new link that logs in."""
        answer = httpx.post(f"{self.url}api/v1/link", headers=self._bearer(), timeout=60)
        return str(answer.raise_for_status().json()["url"])

    def _bearer(self) -> dict[str, str]:
        running = json.loads((self._folder / "history" / "running.json").read_bytes())
        return {"Authorization": f"Bearer {running['token']}"}

    def wait(self) -> None:
        """Return when its machines have told something."""
        end = time.monotonic() + WITHIN
        while time.monotonic() < end:
            assert self._process.poll() is None, self._log.read_text()
            try:
                if "press-2.count" in self.get("live")["readings"]:
                    return
            except (OSError, ValueError, httpx.HTTPError):
                pass  # it has only begun
            time.sleep(0.5)
        pytest.fail(self._log.read_text())

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Demo]:
    """Give the running demo."""
    port = free_port()
    demo = Demo(tmp_path_factory.mktemp("stranger"), port)
    try:
        demo.wait()
        yield demo
    finally:
        demo.stop()


@pytest.fixture
def page(browser: Browser, demo: Any) -> Iterator[Page]:
    with opened(browser, demo) as page:
        page.set_default_timeout(ANSWERED)
        yield page


def ask(page: Page, demo: Demo, path: str) -> None:
    """Open a page as a link does."""
    page.goto(demo.url + path)


def test_what_is_standing_and_why(page: Page) -> None:
    """The sentence names the machine that stands longest, since when, and why as far as known."""
    sentence = page.locator("#glance-words")
    expect(sentence).to_have_text(re.compile(r"\d+대 가동"), timeout=ANSWERED)
    for row in page.locator("#standing li").all():
        expect(row).to_contain_text(re.compile("분|초|시간"))


def test_how_good_was_yesterday_and_what_cost_most(page: Page, demo: Demo) -> None:
    ask(page, demo, "shift?period=yesterday")
    summary = page.locator("#good-summary")
    expect(summary).to_contain_text(re.compile(r"종합설비효율.*\d+(\.\d)? ?%"), timeout=ANSWERED)
    expect(summary).to_contain_text("가장 큰 손실")


def test_is_the_kiln_drifting(page: Page, demo: Demo) -> None:
    ask(page, demo, "quality")
    page.locator("#control-picks").get_by_role("button", name=re.compile("소성로")).click()
    expect(page.locator("#control-title")).to_contain_text("소성로")
    expect(page.locator("#control-verdict")).to_have_text(re.compile("관리 상태|이상 원인 있음"))


def test_what_if_press_2_were_a_tenth_faster(page: Page, demo: Demo) -> None:
    ask(page, demo, "twin")
    slider = page.locator('input[name="press-2.cycle"]')
    slider.focus()
    for _ in range(10):
        slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("−10 %"))
    verdict = page.locator("#results .result").first.locator(".verdict")
    expect(verdict).to_have_text(re.compile("나아짐|나빠짐|차이"), timeout=ANSWERED)
    expect(page.locator("#results")).to_contain_text("시간당 양품")


def test_where_did_a_lot_go(page: Page, demo: Demo) -> None:
    found = demo.get("trace?prefix=M-")
    lot = sorted(found["codes"])[0]  # one of the first, which has gone far
    ask(page, demo, "trace")
    page.locator("#trace-code").fill(lot)
    page.keyboard.press("Enter")
    expect(page.locator("#trace-now")).to_contain_text("창고", timeout=ANSWERED)
    expect(page.locator("#trace-where li").first).to_be_visible()
