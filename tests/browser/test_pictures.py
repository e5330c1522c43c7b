"""Every page in light and dark, Korean and English, on a desktop and a tablet: looked at by people.

The pictures lie in artefacts/; whoever changes a page looks at them. Here nothing may stick out
sideways, and axe finds nothing against WCAG 2.2 AA.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request

from deungdae.app.api.pages import PLACES

from .conftest import Plant, opened

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = Path(os.environ.get("DEUNGDAE_ARTEFACTS", ROOT / "artefacts"))
AXE = ROOT / "tests" / "peers" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"desktop": (1440, 900), "tablet": (820, 1180)}
NARROW = 400  # pixels of a telephone
PATHS = {"plant": "", "machine": "machine/press1", "trace": "trace/T-2"}
QUIET = 50  # ms; a page that asks for nothing so long, twice, has what it asks for
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def show(page: Page, place: str) -> None:
    """Go to a page as a click does, and wait until it has what it asks for."""
    with asking(page) as asked:
        page.evaluate(
            "async (path) => (await import('/page/shell.js')).go(path)",
            f"/{PATHS.get(place, place)}",
        )
        page.wait_for_selector(f'body[data-page="{place}"]')
        quiet = 0
        while quiet < 2:
            page.wait_for_timeout(QUIET)
            quiet = 0 if asked else quiet + 1


@contextmanager
def asking(page: Page) -> Iterator[set[Request]]:
    """Give what the page asks for and has not got."""
    asked: set[Request] = set()

    def ask(request: Request) -> None:
        asked.add(request)

    def end(request: Request) -> None:
        asked.discard(request)

    heard = {"request": ask, "requestfinished": end, "requestfailed": end}
    for event, hear in heard.items():
        page.on(event, hear)
    yield asked
    for event, hear in heard.items():
        page.remove_listener(event, hear)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_has_its_picture(
    browser: Browser, works: Plant, scheme: Any, language: str, size: str
) -> None:
    width, height = SIZES[size]
    viewport: Any = {"width": width, "height": height}
    wide = []
    with opened(browser, works, color_scheme=scheme, viewport=viewport) as page:
        if language == "en":
            page.locator("#language").click()
        for place in PLACES:
            show(page, place)
            file = ARTEFACTS / "pages" / f"{place}-{scheme}-{language}-{size}.png"
            page.screenshot(path=file, full_page=True)
            for narrow in (width, NARROW) if scheme == "light" and size == "tablet" else (width,):
                page.set_viewport_size({"width": narrow, "height": height})
                if page.evaluate("document.documentElement.scrollWidth") > narrow:
                    wide.append(f"{place} at {narrow}")
            page.set_viewport_size(viewport)
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_every_page(browser: Browser, works: Plant, scheme: Any) -> None:
    found = []
    with opened(browser, works, color_scheme=scheme) as page:
        page.evaluate(AXE.read_text())
        for place in PLACES:
            show(page, place)
            told = page.evaluate(
                "(rules) => axe.run({ runOnly: rules, resultTypes: ['violations'] })", RULES
            )
            found += [
                f"{place}: {each['id']}: {node['target']}: {node['failureSummary']}"
                for each in told["violations"]
                for node in each["nodes"][:3]
            ]
    assert found == [], "\n".join(found)
