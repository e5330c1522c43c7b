"""The page Quality with models at work: what changed since they were taught, how few parts their
figures rest on, and which parts people are asked to look at by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import Plant, opened, running
from .test_pictures import ARTEFACTS, AXE, NARROW, RULES, SIZES


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Plant]:
    """Give a factory whose inspection is judged by a model."""
    with running(
        tmp_path_factory.mktemp("watched"), free_port(), "watched", "watched.toml"
    ) as plant:
        yield plant


@pytest.fixture
def page(browser: Browser, watched: Plant) -> Iterator[Page]:
    with opened(browser, watched, "quality") as page:
        expect(page.locator(".question")).to_have_count(3)
        yield page


def question(page: Page, title: str) -> Locator:
    return page.locator(".question").filter(has=page.get_by_role("heading", name=title))


def test_what_changed_is_told_with_its_time_and_what_to_do(page: Page) -> None:
    images = question(page, "검사 영상")
    expect(images.locator(".state")).to_have_text("◆ 달라졌습니다")
    expect(images.locator(".told")).to_have_count(1)
    expect(images).to_contain_text("학습한 영상보다 어둡습니다")
    expect(images).to_contain_text("부터")
    expect(images).to_contain_text("할 일: 조명을 닦고")
    expect(images).to_contain_text("영상 60장을 비교했습니다")
    expect(question(page, "점수와 판정").locator(".state.run")).to_have_text("✓ 배운 때와 같습니다")
    expect(page.locator(".drift").first).to_contain_text("제품 60개")


def test_none_bad_among_few_is_no_good_word(page: Page) -> None:
    errors = question(page, "잘못된 판정")
    expect(errors.locator(".state")).to_have_class("state idle")
    expect(errors).to_contain_text("더 확인해야 합니다")
    expect(errors).to_contain_text("무작위로 확인한 양품 판정 14개 가운데 불량 0.0 % (0.0 –")


def test_no_data_never_looks_like_no_change(page: Page) -> None:
    new = page.locator(".model").filter(has=page.get_by_role("heading", name="새 카메라"))
    expect(new.locator(".drift .state.none")).to_contain_text("아직 알 수 없습니다")
    expect(new.locator(".drift")).to_contain_text("제품 0개를 판정했습니다")
    expect(new.locator(".question")).to_have_count(0)


def test_figures_on_few_parts_say_so_first(page: Page) -> None:
    few = page.locator(".figure.few")
    expect(few).to_have_count(2)  # of a version judged on 3 bad parts: AUROC and what passes
    expect(few.nth(1)).to_contain_text("불량 3개뿐입니다")
    assert few.nth(1).locator("dd > *").first.inner_text().startswith("◔ 불량 3개")
    expect(page.locator(".figure .basis").first).to_contain_text("개")
    page.locator(".older summary").first.click()
    expect(page.locator(".version .state.none")).to_contain_text("불량을 하나도 배우지 않았습니다")


def test_what_is_promised_stands_beside_what_was_asked(page: Page) -> None:
    falsely = page.locator(".figure", has_text="잘못 버린 양품").first
    expect(falsely.locator(".promise")).to_have_text("약속: 많아야 8.3 % (바란 것은 5.0 %)")
    passed = page.locator(".figure", has_text="놓친 불량").first
    expect(passed.locator(".promise")).to_have_text("약속할 수 없음")


def test_who_only_asks_more_is_not_called_worse(page: Page) -> None:
    expect(page.locator(".contest")).to_contain_text("사람에게 더 자주 묻습니다")
    expect(page.locator(".contest")).not_to_contain_text("못합니다")


def test_parts_drawn_by_chance_wait_in_the_queue(page: Page) -> None:
    page.get_by_role("button", name="확인할 것").click()
    expect(page.locator(".thumb")).to_have_count(1)
    expect(page.locator(".thumb .chance")).to_have_text("◇")
    expect(page.locator("#verdict")).to_have_text("✓ 양품")
    expect(page.locator("#inspection-facts")).to_contain_text("무작위로 뽑음")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser: Browser, watched: Plant, scheme: Any) -> None:
    """What is unfolded too: nothing against WCAG 2.2 AA, and nothing that sticks out sideways."""
    found, wide = [], []
    with opened(browser, watched, "quality", color_scheme=scheme) as page:
        page.evaluate(AXE.read_text())
        for language in ("ko", "en"):
            expect(page.locator(".question")).to_have_count(3)
            page.locator("#models details").evaluate_all(
                "all => all.forEach((d) => (d.open = true))"
            )
            told = page.evaluate(
                "(rules) => axe.run({ runOnly: rules, resultTypes: ['violations'] })", RULES
            )
            found += [
                f"{language}: {each['id']}: {node['target']}: {node['failureSummary']}"
                for each in told["violations"]
                for node in each["nodes"][:3]
            ]
            for size, (width, height) in {**SIZES, "narrow": (NARROW, 860)}.items():
                page.set_viewport_size({"width": width, "height": height})
                name = f"quality-model-{scheme}-{language}-{size}.png"
                page.screenshot(path=ARTEFACTS / "pages" / name, full_page=True)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append(f"{language} at {width}")
            page.locator("#language").click()
    assert found == [], "\n".join(found)
    assert wide == []
