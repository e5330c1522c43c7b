"""Connections on the page: bad ones first, in words, with what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import HERE, Plant, opened, running  # type: ignore[import-not-found]


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Plant]:
    """Give a running factory of which one machine was never there."""
    folder: Path = tmp_path_factory.mktemp("house")
    shutil.copy(HERE / "factory.toml", folder)
    text = (folder / "factory.toml").read_text()
    wrong = '[[signals]]\nid = "press1.nothing"\nsource = "press:<b>nothing</b>"\n\n'
    (folder / "factory.toml").write_text(text.replace("[[signals]]", wrong + "[[signals]]", 1))
    with running(folder, free_port(), "serve") as plant:
        yield plant


@pytest.fixture
def page(browser: Browser, house: Plant) -> Iterator[Page]:
    with opened(browser, house, "connections") as page:
        expect(page.locator("#doors .connection")).to_have_count(3)
        yield page


def test_what_is_wrong_comes_first_in_words(page: Page) -> None:
    names = page.locator("#doors h3")
    expect(names).to_have_text(["press", "lost", "kiln"])
    lost = page.locator('[data-door="machines.lost"]')
    expect(lost).to_contain_text("한 번도 받지 못함")
    expect(lost).to_contain_text("tcp://127.0.0.1:9")
    expect(lost.locator(".trouble")).to_contain_text("조치:")
    expect(lost).to_contain_text("신호 2개 중 0개 수신")
    expect(lost).to_contain_text("마지막 값 없음")
    expect(page.locator("#doors-sum")).to_contain_text("✓ 연결됨 1")


def test_a_signal_with_a_problem_is_named(page: Page) -> None:
    press = page.locator('[data-door="machines.press"]')
    expect(press).to_contain_text("일부 이상")
    expect(press).to_contain_text("press1.nothing")
    expect(press).to_contain_text("<b>nothing</b>")


def test_what_comes_through_is_told_and_leads_to_the_machine(page: Page) -> None:
    kiln = page.locator('[data-door="machines.kiln"]')
    expect(kiln).to_contain_text("신호 2개 중 2개 수신")
    expect(kiln).to_contain_text("초당")
    expect(kiln.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("^kiln: 최근 24시간 중 .* 100% 연결$")
    )
    kiln.get_by_role("link", name="1호 소성로").click()
    expect(page).to_have_url(re.compile("/machine/kiln1$"))


def test_it_speaks_english(page: Page) -> None:
    page.locator("#language").click()
    lost = page.locator('[data-door="machines.lost"]')
    expect(lost).to_contain_text("never heard")
    expect(lost).to_contain_text("0 of 2 signals heard")
    expect(page.locator("#history")).to_contain_text("Stored since the start")
