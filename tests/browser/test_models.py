"""What an inspection learns: labels by key, a training, its figures, and the way up and back."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from .conftest import Plant, opened

TRAINED = 90_000  # ms in which a small training ends, also on a busy computer


def agree(page: Page) -> None:
    """Say yes in the dialog."""
    page.locator("#dialog").get_by_role("button", name="예").click()


def test_from_labels_to_a_model_that_decides_and_back(browser: Browser, eyeing: Plant) -> None:
    with opened(browser, eyeing, "quality") as page:
        step, models = page.locator(".ladder .step"), page.locator("#models")
        expect(step).to_have_count(3)
        expect(models).to_contain_text("불량 32개")
        expect(page.locator("#agreement")).to_contain_text("우연을 뺀 일치")

        page.get_by_role("button", name="확인할 것").click()
        expect(page.locator(".thumb")).to_have_count(1)
        page.keyboard.press("2")
        expect(page.locator("#inspection-empty")).to_contain_text("모두 보았습니다")
        expect(models).to_contain_text("불량 33개")

        page.get_by_role("button", name="학습 시작").click()
        page.locator("#dialog select").select_option("120")
        page.locator("#dialog").get_by_role("button", name="학습 시작").click()
        expect(page.locator(".training progress")).to_be_visible()
        expect(page.locator(".version")).to_have_count(1, timeout=TRAINED)
        version = page.locator(".version h4").inner_text()
        expect(step.nth(0)).to_contain_text(version)
        expect(page.locator(".contest")).to_contain_text("그때의 판정보다")
        expect(page.locator(".tallies tbody tr")).to_have_count(3)
        expect(page.locator(".figure")).to_have_count(4)
        expect(page.locator(".figure .promise")).to_have_count(2)  # of escapes and false rejects
        expect(page.locator(".figure", has_text="놓친 불량")).to_contain_text("약속: 많아야 5.0 %")
        falsely = page.locator(".figure", has_text="잘못 버린 양품")
        expect(falsely).to_contain_text("약속: 많아야 2.0 %")

        page.get_by_role("button", name="권고로 올리기").click()
        agree(page)
        expect(step.nth(1)).to_contain_text(version)
        expect(page.locator(".judges")).to_contain_text("판정을 권합니다")
        page.get_by_role("button", name="판정으로 올리기").click()
        agree(page)
        expect(step.nth(2)).to_contain_text(version)

        page.get_by_role("button", name="모델 빼기").click()
        agree(page)
        expect(page.locator(".judges")).to_contain_text("학습한 모델 없이")
        page.get_by_role("button", name="이전 모델로").click()
        agree(page)
        expect(step.nth(1)).to_contain_text(version)
