"""A factory in a process of its own, and a browser to look at its page."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("DEUNGDAE_CHROMIUM", "/usr/bin/chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)


class Plant:
    """A factory that can be started, killed and started again on the same port."""

    nursery: Nursery

    def __init__(self, folder: Path, port: int, script: str) -> None:
        self.folder = folder
        self.script = script
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"
        self.link = ""
        self._process: int | None = None

    def start(self) -> None:
        """Start it; return when its page can be opened."""
        heard, told = os.pipe()
        self._process = self.nursery.bear(self.script, self.folder, self.port, told)
        os.close(told)
        with os.fdopen(heard) as said:
            ready, _, _ = select.select([said], [], [], 30)
            self.link = said.readline().strip() if ready else ""
        if not self.link:
            self.kill()
            pytest.fail("the factory did not start")

    def enter(self) -> str:
        """Return a new link that logs in, as the administrator; it works once."""
        running = msgspec.json.decode((self.folder / "history" / "running.json").read_bytes())
        bearer = {"Authorization": f"Bearer {running['token']}"}
        answer = httpx.post(f"{self.url}api/v1/link", headers=bearer)
        return str(answer.raise_for_status().json()["url"])

    def kill(self) -> None:
        """Let it die at once, as in a power cut."""
        if self._process is not None:
            death = os.pidfd_open(self._process)
            os.killpg(self._process, signal.SIGKILL)  # with all that it has started
            select.select([death], [], [], 10)
            os.close(death)
            self._process = None


class Nursery:
    """Where factories are brought up: to import all that they need takes longer than to start."""

    def __init__(self) -> None:
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # what is simulated here is so little that compiling would take longer
        env = os.environ | {"DEUNGDAE_KERNEL": "python"}
        command = [sys.executable, str(HERE / "nursery.py"), str(other.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[other.fileno()], env=env)
        other.close()

    def bear(self, script: str, folder: Path, port: int, told: int) -> int:
        """Start the factory of a folder, that writes its link into a pipe; return its process."""
        order = json.dumps([script, str(folder), port]).encode()
        socket.send_fds(self._line, [order], [told])
        return int(self._line.recv(100))

    def close(self) -> None:
        """Let it end; factories that still run go on."""
        self._line.close()
        self._process.wait(10)


@pytest.fixture(scope="package", autouse=True)
def nursery() -> Iterator[None]:
    """Keep a nursery while factories are needed."""
    Plant.nursery = Nursery()
    yield
    Plant.nursery.close()


@contextmanager
def running(folder: Path, port: int, script: str, description: str = "") -> Iterator[Plant]:
    """Run the factory of a folder; description: what is copied to be its factory.toml."""
    if description:
        shutil.copy(HERE / description, folder / "factory.toml")
    plant = Plant(folder, port, script)
    plant.start()
    try:
        yield plant
    finally:
        plant.kill()


@pytest.fixture
def plant(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Plant]:
    """Give a running factory."""
    with running(tmp_path, free_port(), "serve", "factory.toml") as plant:
        yield plant


@pytest.fixture(scope="module")  # its tests only look
def works(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Plant]:
    """Give a running brickworks with a line, a camera, meters and a twin."""
    folder = tmp_path_factory.mktemp("works")
    shutil.copy(HERE / "line.toml", folder)
    with running(folder, free_port(), "works", "works.toml") as plant:
        yield plant


@pytest.fixture(scope="module")
def asking(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Plant]:
    """Give a factory whose gate waits for people, and whose alarms are told by a file."""
    with running(tmp_path_factory.mktemp("ask"), free_port(), "ask", "ask.toml") as plant:
        yield plant


@pytest.fixture(scope="module")
def eyeing(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Plant]:
    """Give a factory with a camera that saw bricks, and people who said what they are."""
    with running(tmp_path_factory.mktemp("eye"), free_port(), "eye", "eye.toml") as plant:
        yield plant


@pytest.fixture(scope="package")  # not longer: its loop would be in the way of others' tests
def browser() -> Iterator[Browser]:
    """Give the system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, plant: Plant) -> Iterator[Page]:
    """Give the first page of the running factory; it must raise no error."""
    with opened(browser, plant) as page:
        page.wait_for_selector(".state.run")
        yield page


@pytest.fixture
def live(browser: Browser, works: Plant) -> Iterator[Page]:
    """Give the first page of the brickworks."""
    with opened(browser, works) as page:
        page.wait_for_selector(".station.run")
        yield page


@contextmanager
def opened(browser: Browser, plant: Plant, path: str = "", **options: Any) -> Iterator[Page]:
    """Log in and open a page, as `machine/press1`; when it is left it must have raised no error.

    options: of the browser's context, as viewport or color_scheme.
    """
    look = {"viewport": {"width": 1600, "height": 1000}, "locale": "ko-KR"} | options
    context = browser.new_context(**look)
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Policy" in line.text else None)
    page.goto(plant.enter())
    if path:
        page.goto(plant.url + path)
    page.wait_for_selector("body.met")
    yield page
    context.close()
    assert errors == []
