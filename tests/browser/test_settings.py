"""The factory's files on the page: checked while one types, looked over, merged, put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened, running  # type: ignore[import-not-found]

FACTORY = """\
# what people call it
signals = "signals.csv"

[factory]
id = "works"
name = "벽돌 공장"

[equipment.press1]
name = "1호 프레스"

[machines.press]
type = "simulated"
model = "press"
period = 0.5 # s
"""
SIGNALS = "id,name,source\npress1.count,생산 수량,press:count\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Plant]:
    """Give a running factory whose files are edited."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "factory.toml").write_text(FACTORY)
    (folder / "signals.csv").write_text(SIGNALS)
    with running(folder, free_port(), "serve") as plant:
        yield plant


@pytest.fixture
def page(browser: Browser, desk: Plant) -> Iterator[Page]:
    """Give the page with the files as they were at first."""
    (desk.folder / "factory.toml").write_text(FACTORY)
    (desk.folder / "signals.csv").write_text(SIGNALS)
    with opened(browser, desk, "settings") as page:
        expect(page.get_by_role("button", name="factory.toml")).to_be_visible()
        expect(text(page)).to_have_value(FACTORY)
        yield page


def text(page: Page) -> Any:
    return page.get_by_role("textbox", name="공장 파일")


def change(page: Page, before: str, after: str) -> None:
    """Type something else in one place."""
    value = text(page).input_value()
    assert before in value
    text(page).fill(value.replace(before, after))


def save(page: Page) -> None:
    page.get_by_role("button", name="바뀐 곳 보고 저장").click()
    page.locator("#file-diff").get_by_role("button", name="저장", exact=True).click()


def saved_by(desk: Plant, who: str, before: str, after: str) -> None:
    """Let somebody else save a change."""
    running = msgspec.json.decode((desk.folder / "history" / "running.json").read_bytes())
    with httpx.Client(
        base_url=desk.url, headers={"Authorization": f"Bearer {running['token']}"}
    ) as client:
        file = client.get("api/v1/files").json()["files"][0]
        body = {"files": {"factory.toml": file["text"].replace(before, after)},
                "versions": {"factory.toml": file["version"]}, "person": who}  # fmt: skip
        client.put("api/v1/files", json=body).raise_for_status()


def test_what_is_wrong_is_told_at_its_line_while_one_types(page: Page) -> None:
    change(page, "period", "perriod")
    fault = page.locator("#file-faults li")
    expect(fault).to_contain_text("factory.toml · 14행")
    expect(fault).to_contain_text("period 아닌가요?")
    expect(page.locator("#file-lines b")).to_have_text("! 14\n")
    expect(page.get_by_role("button", name="바뀐 곳 보고 저장")).to_be_disabled()
    fault.get_by_role("button").click()
    expect(text(page)).to_be_focused()
    selected = text(page).evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)")
    assert selected == "perriod = 0.5 # s"
    page.get_by_role("button", name="변경 취소").click()
    expect(page.locator("#file-state")).to_have_text("✓ 오류가 없습니다.")
    expect(text(page)).to_have_value(FACTORY)


def test_a_change_is_looked_over_saved_and_put_back(page: Page, desk: Plant) -> None:
    change(page, "1호 프레스", "<script>alert(1)</script>")
    page.get_by_role("button", name="바뀐 곳 보고 저장").click()
    difference = page.locator("#file-diff .difference")
    expect(difference.locator(".taken")).to_contain_text('name = "1호 프레스"')
    expect(difference.locator(".added")).to_contain_text("<script>alert(1)</script>")
    page.locator("#file-diff").get_by_role("button", name="저장", exact=True).click()
    expect(page.locator("#file-state")).to_contain_text("저장했습니다")
    assert "<script>" in (desk.folder / "factory.toml").read_text()
    newest = page.locator("#changes-list li").first
    newest.locator("summary").click()
    expect(newest.locator(".added")).to_contain_text("<script>alert(1)</script>")
    newest.get_by_role("button", name="이전 내용으로 되돌리기").click()
    page.locator("#dialog-yes").click()
    expect(page.locator("#dialog")).to_be_hidden()
    assert (desk.folder / "factory.toml").read_text() == FACTORY


def test_two_changes_of_different_places_come_together(page: Page, desk: Plant) -> None:
    change(page, "0.5 # s", "0.4 # s")
    saved_by(desk, "이대리", 'name = "벽돌 공장"', 'name = "새 공장"')
    save(page)
    conflict = page.locator("#file-conflict")
    expect(conflict).to_contain_text("이대리 님이")
    expect(conflict.locator(".added")).to_contain_text('name = "새 공장"')
    conflict.get_by_role("button", name="합치기").click()
    expect(conflict).to_be_hidden()
    expect(page.locator("#file-state")).to_contain_text("아직 저장하지 않음")
    save(page)
    expect(page.locator("#file-state")).to_contain_text("저장했습니다")
    wanted = FACTORY.replace("0.5", "0.4").replace("벽돌 공장", "새 공장")
    assert (desk.folder / "factory.toml").read_text() == wanted


def test_of_two_changes_of_one_line_a_person_chooses(page: Page, desk: Plant) -> None:
    change(page, "0.5 # s", "0.4 # s")
    saved_by(desk, "이대리", "0.5 # s", "0.3 # s")
    save(page)
    conflict = page.locator("#file-conflict")
    expect(conflict).to_contain_text("1군데에서 같은 줄")
    together = conflict.get_by_role("button", name="합치기")
    expect(together).to_be_disabled()
    conflict.get_by_role("radio", name="내 변경").check()
    for _ in range(2):  # the page is built anew, as when the factory changes
        page.locator("#language").click()
    expect(conflict).to_contain_text("이대리 님이")
    together.click()
    save(page)
    expect(page.locator("#file-state")).to_contain_text("저장했습니다")
    assert "period = 0.4 # s" in (desk.folder / "factory.toml").read_text()


def test_a_change_may_be_dropped_for_that_of_another(page: Page, desk: Plant) -> None:
    change(page, "0.5 # s", "0.4 # s")
    saved_by(desk, "이대리", "0.5 # s", "0.3 # s")
    save(page)
    page.get_by_role("button", name="내 변경 버리기").click()
    expect(text(page)).to_have_value(FACTORY.replace("0.5", "0.3"))
    expect(page.get_by_role("button", name="변경 취소")).to_be_disabled()


def test_a_table_of_a_korean_spreadsheet_becomes_utf_8(page: Page, desk: Plant) -> None:
    (desk.folder / "signals.csv").write_bytes(SIGNALS.encode("cp949"))
    page.reload()
    page.get_by_role("button", name="signals.csv").click()
    expect(text(page)).to_have_value(SIGNALS)
    expect(page.locator("#file-state")).to_contain_text("CP949")
    save(page)
    expect(page.locator("#file-state")).to_contain_text("저장했습니다")
    assert (desk.folder / "signals.csv").read_text(encoding="utf-8-sig") == SIGNALS


def test_what_was_saved_stays_said_when_the_factory_takes_it_over(page: Page) -> None:
    change(page, "벽돌 공장", "새 벽돌 공장")
    with page.expect_response(
        lambda told: told.url.endswith("/files") and told.request.method == "GET"
    ):
        save(page)
    expect(page.locator("#factory")).to_have_text("새 벽돌 공장")
    expect(page.locator("#file-state")).to_contain_text("저장했습니다")


def test_what_is_written_stays_while_other_pages_are_open(page: Page) -> None:
    change(page, "0.5 # s", "0.4 # s")
    page.locator("#to-connections").click()
    page.wait_for_selector("#doors")
    page.locator("#to-settings").click()
    expect(text(page)).to_have_value(FACTORY.replace("0.5", "0.4"))
    page.get_by_role("button", name="변경 취소").click()
    expect(text(page)).to_have_value(FACTORY)


def test_tab_leaves_the_editor_unless_it_shall_indent(page: Page) -> None:
    text(page).focus()
    page.keyboard.press("Tab")
    expect(text(page)).not_to_be_focused()
    page.get_by_role("checkbox", name="Tab 키로 들여쓰기").check()
    text(page).focus()
    text(page).evaluate("e => e.setSelectionRange(0, 0)")
    page.keyboard.press("Tab")
    expect(text(page)).to_be_focused()
    expect(text(page)).to_have_value(f"    {FACTORY}")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(text(page)).not_to_be_focused()
    page.get_by_role("button", name="변경 취소").click()


def test_language_and_brightness_are_chosen(page: Page) -> None:
    page.get_by_role("radio", name="어둡게").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("radio", name="English").check()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", name="Backup")).to_be_visible()
    expect(page.locator("#backup-facts")).to_contain_text("GB")
    expect(page.locator("#about-facts")).to_contain_text("Apache-2.0")


def test_differences_and_merges_hold_for_any_texts(page: Page) -> None:
    wrong = page.evaluate(
        """async () => {
            const { compare, merge } = await import("/page/diff.js");
            let seed = 7;
            const pick = (n) => (seed = (seed * 48271) % 2147483647) % n;
            const text = () => Array.from({ length: pick(9) }, () => "abcdef"[pick(6)]).join("\\n");
            const of = (told, sign) => told.filter((line) => line.sign !== sign)
                .map((line) => line.text).join("\\n");
            const whole = (pieces) => pieces.flatMap((piece) => piece.lines ?? ["?"]).join("\\n");
            for (let n = 0; n < 3000; n++) {
                const [a, b] = [text(), text()];
                const told = compare(a, b);
                if (of(told, "+") !== a || of(told, "-") !== b) return [a, b, told];
                for (const pieces of [merge(a, b, a), merge(a, a, b), merge(a, b, b)])
                    if (whole(pieces) !== b) return [a, b, pieces];
            }
            return null;
        }"""
    )
    assert wrong is None


def test_the_files_can_be_taken_away(page: Page, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="공장 파일 내려받기").click()
    assert download.value.suggested_filename == "works.zip"
