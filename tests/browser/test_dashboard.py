"""Dashboards of one's own: made, changed, shared, on the wall."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


@pytest.fixture
def page(browser: Browser, works: Plant) -> Iterator[Page]:
    with opened(browser, works, "dashboard") as page:
        yield page


def test_a_dashboard_is_made_and_put_on_the_wall(page: Page, works: Plant) -> None:
    page.get_by_role("button", name="새 대시보드").click()
    page.get_by_label("대시보드 이름").fill("<i>1호 라인</i>")
    page.get_by_role("button", name="타일 추가").click()
    page.get_by_label("신호 찾기").fill("밀도")
    page.get_by_label("1호 프레스 · 밀도").check()
    page.get_by_role("button", name="적용").click()
    tiles = page.locator(".dash-tile")
    expect(tiles).to_have_count(4)
    expect(tiles.nth(3)).to_contain_text("2,255.0kg/m³")
    for _ in range(3):  # by keyboard to the front
        tiles.filter(has_text="2,255").get_by_role("button", name="앞으로").press("Enter")
    expect(tiles.first).to_contain_text("2,255.0kg/m³")
    page.get_by_role("button", name="저장").click()
    expect(page.locator("#dash-title")).to_have_text("<i>1호 라인</i>")
    address = page.url
    page.get_by_role("button", name="벽면 화면").click()
    expect(page.locator("header")).to_be_hidden()
    expect(page.locator(".dash-rows").first).to_contain_text("2호 프레스")
    page.keyboard.press("Escape")
    page.goto(address)
    expect(page.locator(".dash-tile")).to_have_count(4)
    page.goto(f"{works.url}dashboard")
    page.get_by_role("link", name="<i>1호 라인</i>").click()
    expect(page.locator(".dash-tile").first).to_contain_text("kg/m³")


def test_who_only_looks_changes_nothing(page: Page) -> None:
    page.evaluate(
        """async () => {
            const { here } = await import("/page/shell.js");
            here.session.role = "viewer";
            const { go } = await import("/page/shell.js");
            await go("/dashboard");
        }"""
    )
    expect(page.get_by_role("button", name="새 대시보드")).to_be_disabled()


def test_a_dashboard_that_is_not_there_is_told(page: Page, works: Plant) -> None:
    page.goto(f"{works.url}dashboard/nothing")
    expect(page.locator("#dash-error")).to_contain_text("‘nothing’: 그런 대시보드가 없습니다")
