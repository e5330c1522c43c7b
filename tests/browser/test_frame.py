"""What every page stands in: language, session, a lost server, words."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect


def row(page: Page, signal: str) -> Any:
    """Return the row of a signal."""
    return page.locator(f'tr[data-signal="{signal}"]')


def test_the_language_turns(page: Page) -> None:
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator('[data-asset="press1"] .state strong')).to_have_text("▶ running")
    expect(page.locator("#kill")).to_have_text("Block all writes")
    page.reload()
    expect(page.locator("#kill")).to_have_text("Block all writes")


def test_a_lost_server_is_told_and_found_again(page: Page, plant: Any) -> None:
    plant.kill()
    expect(page.locator("#lost")).to_contain_text("연결이 끊겼습니다")
    expect(page.locator("body")).to_have_class(re.compile(r"\bgone\b"))
    plant.start()
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("body")).not_to_have_class(re.compile(r"\bgone\b"))
    value = row(page, "kiln1.temperature").locator(".value")
    first = value.text_content()
    expect(value).not_to_have_text(first or "")
    expect(page.locator("#kill")).to_be_enabled()  # a restart ends no login


def test_every_word_is_there_in_both_languages(page: Page) -> None:
    wrong = page.evaluate(
        """async () => {
            const { places } = await import("/page/places.js");
            const common = (await import("/page/words.js")).words;
            const keys = (thing, path = "") => Object.entries(thing).flatMap(([key, value]) =>
                typeof value === "object" ? keys(value, `${path}${key}.`) : [path + key]);
            const apart = (name, words) => {
                const [ko, en] = [new Set(keys(words.ko)), new Set(keys(words.en))];
                return [...[...ko].filter((key) => !en.has(key)),
                    ...[...en].filter((key) => !ko.has(key))].map((key) => `${name}: ${key}`);
            };
            const wrong = apart("words.js", common);
            for (const { name } of places) {
                const { words } = await import(`/page/${name}/words.js`);
                const twice = Object.keys(words.ko).filter((key) => key in common.ko);
                wrong.push(...apart(name, words), ...twice.map((key) => `${name}: ${key} twice`));
            }
            return wrong.filter((key) => !key.includes("annotations."));
        }"""
    )
    assert wrong == []
