"""Logging in as people do it: the first time, with what is wrong, and when a login ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, running

PASSWORD = "a quiet kiln at night"


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Plant]:
    """Give a factory whose gate waits for people, with two users of it."""
    folder = tmp_path_factory.mktemp("login")
    with running(folder, free_port(), "ask", "ask.toml") as plant:
        for name, shown, role in (("kim", "김반장", "operator"), ("lee", "이과장", "viewer")):
            first = ask(plant, "POST", "users", name=name, shown=shown, role=role)["password"]
            if name == "kim":
                ask(plant, "POST", "users/kim/password", password=PASSWORD)
            else:
                (folder / "first").write_text(first)
        yield plant


def ask(plant: Plant, method: str, path: str, **body: object) -> Any:
    """Return what the API answers a program that acts for a person."""
    running = msgspec.json.decode((plant.folder / "history" / "running.json").read_bytes())
    bearer = {"Authorization": f"Bearer {running['token']}"}
    given = {"person": "test"} | body
    answer = httpx.request(method, f"{plant.url}api/v1/{path}", headers=bearer, json=given)
    return answer.raise_for_status().json()


@contextmanager
def stranger(browser: Browser, **options: Any) -> Iterator[Page]:
    """Give a page in a browser that nobody logged in with; it must raise no error."""
    context = browser.new_context(**({"locale": "ko-KR"} | options))
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Policy" in line.text else None)
    yield page
    context.close()
    assert errors == []


def enter(page: Page, name: str = "kim", password: str = PASSWORD) -> None:
    """Type name and password, and send them."""
    page.locator("#login-user").fill(name)
    page.locator("#login-password").fill(password)
    page.keyboard.press("Enter")


def test_nothing_is_asked_for_before_somebody_is_logged_in(browser: Browser, house: Plant) -> None:
    with stranger(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(house.url + "control?signal=x")
        expect(page.locator("#login-title")).to_have_text("로그인")
        expect(page.locator("#login-user")).to_be_focused()
        assert {each for each in asked if "/api/" in each} == {f"{house.url}api/v1/session"}
        assert not [each for each in asked if "/live" in each]
        page.keyboard.press("Escape")  # there is nothing behind it
        expect(page.locator("#login")).to_be_visible()
        page.locator("#login .turn").click()
        expect(page.locator("#login-title")).to_have_text("Log in")
        page.locator("#login .turn").click()
        enter(page, password="guess")
        expect(page.locator("#login-problem")).to_contain_text("맞지 않습니다")
        expect(page.locator("#login-password")).to_be_focused()
        enter(page)
        expect(page.locator("#login")).to_be_hidden()
        expect(page.locator("#person")).to_have_text("김반장")
        expect(page.locator("#to-control")).to_have_attribute("aria-current", "page")
        assert page.url == house.url + "control?signal=x"
        page.locator("#person").click()
        expect(page.locator("#person-menu")).to_contain_text("작업자")
        page.keyboard.press("Escape")
        expect(page.locator("#person-menu")).to_be_hidden()
        page.locator("#person").click()
        page.get_by_role("button", name="로그아웃").click()
        expect(page.locator("#login-title")).to_have_text("로그인")
        assert not [
            each for each in page.context.cookies() if each["name"].endswith(str(house.port))
        ]


def test_the_first_password_is_replaced(browser: Browser, house: Plant) -> None:
    with stranger(browser) as page:
        page.goto(house.url)
        enter(page, "lee", (house.folder / "first").read_text())
        expect(page.locator("#login-title")).to_have_text("새 비밀번호 정하기")
        for new, repeat, words in (
            ("short", "short", "10자 이상"),
            ("a quiet night", "a quiet kiln", "서로 다릅니다"),
            ("1234567890", "1234567890", "먼저 시도"),
        ):
            page.locator("#login-new").fill(new)
            page.locator("#login-repeat").fill(repeat)
            page.keyboard.press("Enter")
            expect(page.locator("#login-problem")).to_contain_text(words)
        page.get_by_role("button", name="비밀번호 보기").click()
        expect(page.locator("#login-new")).to_have_attribute("type", "text")
        page.locator("#login-new").fill(PASSWORD)
        page.locator("#login-repeat").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("#person")).to_have_text("이과장")
        expect(page.locator("#kill")).to_be_disabled()  # a viewer
        expect(page.locator("#to-journal")).to_be_hidden()
        page.locator("#person").click()
        page.get_by_role("button", name="비밀번호 바꾸기").click()
        page.locator("#login-old").fill(PASSWORD)
        page.locator("#login-new").fill("another quiet night")
        page.locator("#login-repeat").fill("another quiet night")
        page.keyboard.press("Enter")
        expect(page.locator("#login")).to_be_hidden()
        page.wait_for_timeout(1500)  # the old session ends, and nobody is asked anew
        expect(page.locator("#login")).to_be_hidden()
        expect(page.locator("body")).not_to_have_class(re.compile(r"\bgone\b"))


def test_an_expired_session_in_the_middle_of_an_approval(browser: Browser, house: Plant) -> None:
    with stranger(browser) as page:
        page.goto(house.url + "control")
        enter(page)
        page.get_by_role("button", name="승인: ").first.click()
        expect(page.locator("#dialog")).to_be_visible()
        page.context.clear_cookies()
        page.locator("#dialog-yes").click()
        expect(page.locator("#login .note")).to_contain_text("그대로 있습니다")
        enter(page)
        expect(page.locator("#login")).to_be_hidden()
        expect(page.locator("#dialog-error")).to_contain_text("아직 보내지 않았습니다")
        assert written(house) == []
        page.locator("#dialog-yes").click()
        expect(page.locator("#dialog")).to_be_hidden()
        assert len(written(house)) == 1


def written(house: Plant) -> list[dict[str, Any]]:
    """Return what was written to machines, as the journal tells it."""
    running = msgspec.json.decode((house.folder / "history" / "running.json").read_bytes())
    bearer = {"Authorization": f"Bearer {running['token']}"}
    path = f"{house.url}api/v1/journal?from=-10m&kinds=written"
    found: list[dict[str, Any]] = httpx.get(path, headers=bearer).raise_for_status().json()
    return found


def test_what_was_typed_stays_when_the_server_ends_the_session(
    browser: Browser, house: Plant
) -> None:
    with stranger(browser) as page:
        page.goto(house.url + "control")
        enter(page)
        page.locator("#kill").click()
        page.locator("#field-reason").fill("연기가 나서")
        for disabled in (True, False):
            ask(house, "PATCH", "users/kim", disabled=disabled)
        expect(page.locator("#login .note")).to_contain_text("그대로 있습니다")  # by itself
        enter(page)
        expect(page.locator("#field-reason")).to_have_value("연기가 나서")
        expect(page.locator("body")).not_to_have_class(re.compile(r"\bgone\b"))
        page.locator("#dialog-no").click()
        expect(page.locator("#killed")).to_be_hidden()


def test_a_used_link_and_too_many_tries_are_told(browser: Browser, house: Plant) -> None:
    link = house.enter()
    with stranger(browser, viewport={"width": 400, "height": 800}) as page:
        page.goto(link)
        expect(page.locator("#person")).to_have_text("admin")
        page.context.clear_cookies()
        page.goto(link)
        expect(page.locator("#login .note")).to_contain_text("이미 사용")
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        for _ in range(6):
            enter(page, "admin", "guess")
            page.wait_for_selector("#login-problem:not(:empty)")
            if "초 뒤" in (page.locator("#login-problem").text_content() or ""):
                break
        expect(page.locator("#login-problem")).to_contain_text("초 뒤")
        expect(page.locator("#login .main")).to_be_disabled()
        expect(page.locator("#login .main")).to_be_enabled()  # it counts down
