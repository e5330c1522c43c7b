"""The words of the pages: none outside the catalogues, none missing, none that nobody says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deungdae.app.api.pages import FILES, WEB

HANGUL = re.compile(r"[가-힣]")
NAMES = {"symbols.js"}  # finds drawings by the names of machines, in whatever language they are
LANGUAGES = {"한국어", "English"}  # called by their own names in both
SPOKEN = ("title", "placeholder", "aria-label", "alt")  # attributes that people read or hear
COMMENT = re.compile(r"^\s*//.*$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
PAGES = sorted(name for name in FILES if name.endswith("/page.js"))


def is_catalogue(path: Path) -> bool:
    return path.stem.endswith("words") and path.suffix == ".js"


def source(path: Path) -> str:
    """Return a module without its comments."""
    return COMMENT.sub("", path.read_text())


def keys(catalogue: Path) -> set[str]:
    """Return the words of a catalogue by name."""
    korean = catalogue.read_text().partition("\n  ko: {")[2].partition("\n  },")[0]
    return set(re.findall(r"^    (\w+)(?::|\()", korean, re.MULTILINE))


def catalogues(folder: Path) -> set[str]:
    """Return what a page may say: its own words, and those of all pages."""
    files = [file for place in {folder, WEB} for file in place.glob("*words.js")]
    return set().union(*(keys(file) for file in files))


def said(text: str) -> set[str]:
    """Return the names of the words that a module says."""
    direct = re.findall(r"\bt\.(\w+)", text)
    taken = re.findall(r"const \{([^}]*)\} = (?:here\.t|t);", text)
    return {*direct, *(name.split(":")[0].strip() for names in taken for name in names.split(","))}


class Texts(HTMLParser):
    """Collects what a page says by itself, and which words it asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.words: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "data-word":
                self.words.add(value or "")
            if name in SPOKEN and re.search(r"\w", value or ""):
                self.texts.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        if re.search(r"[^\W\d_]", data):
            self.texts.append(data.strip())


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith(".js")))
def test_no_word_stands_outside_the_catalogues(name: str) -> None:
    path = FILES[name]
    if is_catalogue(path) or path.name in NAMES:
        return
    found = [line for line in source(path).splitlines() if HANGUL.search(line)]
    assert [line for line in found if "등대" not in line] == []


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith("/page.html")))
def test_a_page_says_nothing_by_itself(name: str) -> None:
    found = Texts(FILES[name].read_text())
    assert [text for text in found.texts if text not in LANGUAGES] == []
    assert found.words - catalogues(FILES[name].parent) == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_word_that_is_said_is_there(name: str) -> None:
    folder = FILES[name].parent
    modules = [file for file in folder.glob("*.js") if not is_catalogue(file)]
    missing = {
        f"{file.name}: {word}"
        for file in modules
        for word in said(source(file)) - catalogues(folder)
    }
    assert missing == set()


def test_every_word_is_said() -> None:
    """A word that nobody says any more is taken out, so that nobody translates it."""
    everything = "\n".join(
        file.read_text()
        for file in FILES.values()
        if not is_catalogue(file) and file.suffix in (".js", ".html")
    )
    unsaid = {
        f"{file.relative_to(WEB)}: {key}"
        for file in FILES.values()
        if is_catalogue(file)
        for key in keys(file)
        if not re.search(rf"\b{key}\b", everything)
    }
    assert unsaid == set()
