"""The page of the journal: in words, searched, verified."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened


def client(plant: Plant) -> httpx.Client:
    """Return what acts as a program does, for a person that it names."""
    running = msgspec.json.decode((plant.folder / "history" / "running.json").read_bytes())
    bearer = {"Authorization": f"Bearer {running['token']}"}
    return httpx.Client(base_url=f"{plant.url}api/v1/", headers=bearer, trust_env=False)


@pytest.fixture
def page(browser: Browser, plant: Plant) -> Iterator[Page]:
    deeds = {
        "gate/mode": {"mode": "shadow", "reason": "시험 <b>가동</b>", "person": "김 반장"},
        "gate/kill": {"reason": "연기", "person": "박 조장"},
        "loops/temperature": {"set_point": 1190, "reason": "주문 7", "person": "이 기사"},
    }
    with client(plant) as program:
        for path, body in deeds.items():
            program.post(path, json=body).raise_for_status()
    with opened(browser, plant, "journal") as page:
        yield page


def test_what_was_done_is_told_in_words_found_and_verified(page: Page, plant: Plant) -> None:
    rows = page.locator("#journal-body tbody tr")
    mode = rows.filter(has_text="김 반장")
    expect(mode).to_contain_text("게이트를 '자동'에서 '관찰'(으)로 바꿨습니다 — 시험 <b>가동</b>")
    expect(rows.filter(has_text="이 기사")).to_contain_text("1200에서 1190")
    page.get_by_label("사람").fill("박 조장")
    page.get_by_label("사람").press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("모든 쓰기를 차단했습니다 — 연기")
    rows.get_by_text("원문").click()
    expect(rows.locator("pre")).to_contain_text('"hash":')
    page.get_by_label("사람").fill("")
    page.get_by_label("사람").press("Enter")
    page.get_by_label("종류").select_option("게이트와 목표값")
    expect(rows).to_have_count(3)
    page.get_by_role("searchbox").fill("주문 7")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("아무것도 아닌 것")
    expect(page.get_by_text("이 조건에 맞는 기록이 없습니다.")).to_be_visible()
    page.get_by_role("button", name="사슬 검증").click()
    expect(page.locator("#journal-chain")).to_contain_text("사슬이 온전합니다")
    journal = next((plant.folder / "history" / "journal").glob("*.jsonl"))
    journal.write_text(journal.read_text().replace("주문 7", "주문 8"))
    page.get_by_role("button", name="사슬 검증").click()
    expect(page.locator("#journal-chain")).to_contain_text("사슬이 끊겼습니다")


def test_a_long_journal_comes_page_by_page(page: Page, plant: Plant) -> None:
    with client(plant) as program:
        for n in range(210):
            program.post("gate/release", json={"person": f"person {n}"}).raise_for_status()
    page.reload()
    rows = page.locator("#journal-body tbody tr")
    expect(rows).to_have_count(200)
    page.get_by_role("button", name="더 오래된 기록 보기").click()
    expect(rows.filter(has_text="김 반장")).to_have_count(1)
