"""The documents say what is: links lead somewhere, examples are read, commands are understood."""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from deungdae.app import describe, reference
from deungdae.app.cli import parser
from deungdae.app.datasets import make
from deungdae.core import errors, registry
from deungdae.core.errors import FactoryError, Fault
from deungdae.model import factory as model

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/**/*.md")]
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLUGINS = [(room, name) for room in registry.ROOMS for name in registry.names(room)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(text: str, language: str) -> list[str]:
    return [dedent(body) for _, kind, body in FENCE.findall(text) if kind == language]


def prose(text: str) -> str:
    return FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls each heading of a page."""
    heads = re.findall(r"^#+ (.+)$", prose(page.read_text(encoding="utf-8")), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    return {word.replace(" ", "-") for word in words}


# ---- links


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), f"{name(page)} links to {target}"
        assert not anchor or anchor in anchors(file), f"{name(page)} links to {target}"


def test_every_page_of_the_docs_is_reached_from_the_index() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = LINK.findall(prose(page.read_text(encoding="utf-8")))
        places = (link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link))
        waiting += [(page.parent / place).resolve() for place in places if place]
    assert set(DOCS.rglob("*.md")) <= reached


# ---- examples


def written() -> Iterator[tuple[str, str]]:
    """Yield each TOML example with its place."""
    for page in PAGES:
        for number, block in enumerate(blocks(page.read_text(encoding="utf-8"), "toml"), start=1):
            yield f"{name(page)}:{number}", block
    for room, type in PLUGINS:
        (block,) = blocks(inspect.getdoc(registry.load(room, type)) or "", "toml")
        yield f"{room}.{type}", block
    for title, section in describe.SECTIONS.items():
        for block in blocks(inspect.getdoc(section) or "", "toml"):
            yield f"[{title}]", block


EXAMPLES = dict(written())


@pytest.mark.parametrize("place", EXAMPLES)
def test_every_toml_example_is_read_strictly(place: str, tmp_path: Path) -> None:
    example = EXAMPLES[place]
    if re.match(rf"# \w+{re.escape(make.ENDING)}\n", example):
        (tmp_path / "example.dataset.toml").write_text(example, encoding="utf-8")
        make.read(tmp_path / "example.dataset.toml")
        return
    head = "" if "factory" in tomllib.loads(example) else '[factory]\nid = "example"\n\n'
    (tmp_path / "factory.toml").write_text(_below_top(example, head), encoding="utf-8")
    (tmp_path / "signals.csv").write_text("id,source\n")
    for file in ("line.toml", "twin.json"):
        (tmp_path / file).write_text("[stations.press]\ncycle = 20\n")
    try:
        model.read(tmp_path, describe.SECTIONS)
    except FactoryError as error:
        faults = [fault for fault in error.faults if not _is_shown_before(fault)]
        if faults:
            pytest.fail(f"{place}: {FactoryError(faults)}")


def _is_shown_before(fault: Fault) -> bool:
    """Return whether a page needs only to have shown a machine, or how a model is written."""
    is_unwritten = fault.problem == "is not there" and fault.key.endswith(".model")
    return is_unwritten or fault.problem == "names no machine"


def _below_top(example: str, head: str) -> str:
    """Return the example with another table before its first one, behind keys of the top."""
    first = re.search(r"^\[", example, re.MULTILINE)
    place = first.start() if first else len(example)
    return example[:place] + head + example[place:]


def test_the_factory_to_start_from_has_no_faults(tmp_path: Path) -> None:
    text = (ROOT / "src/deungdae/app/cli/factory.template.toml").read_text(encoding="utf-8")
    (tmp_path / "factory.toml").write_text(text, encoding="utf-8")
    factory = describe.read(tmp_path)
    local = {
        f"opc.tcp://127.0.0.1:{each.options.port}" for each in factory.room("virtual").values()
    }
    for plugin in factory.room("machines").values():
        assert (
            plugin.type == "simulated" or plugin.options.url in local
        )  # it runs anywhere, at once
    assert factory.room("decide")["gate"].options.mode == "shadow"


# ---- commands


VERBS = next(a.choices for a in parser()._actions if a.choices and not a.option_strings) or {}


def commands(text: str) -> Iterator[str]:
    """Yield each command line of ours, in blocks and in the text; there a bare verb is a name."""
    for block in (*blocks(text, "sh"), *blocks(text, "console")):
        for line in block.replace("\\\n", " ").splitlines():
            said = line.removeprefix("$ ").strip()
            if re.match(r"(\.venv/bin/)?deungdae ", said):
                yield said
    said = re.findall(r"`(deungdae [^`]+)`", prose(text))
    yield from (line for line in said if line.removeprefix("deungdae ") not in VERBS)


@pytest.mark.parametrize("page", [p for p in PAGES if REFERENCE not in p.parents], ids=name)
def test_every_command_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in commands(page.read_text(encoding="utf-8")):
        try:
            parser().parse_args(shlex.split(line, comments=True)[1:])
        except SystemExit as end:
            if end.code:
                pytest.fail(f"{name(page)}: {line}\n{capsys.readouterr().err}")


# ---- the two faces of the README


def test_the_korean_readme_says_what_the_english_says() -> None:
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    korean = (ROOT / "README.ko.md").read_text(encoding="utf-8")
    levels = [re.findall(r"^(#+) ", prose(text), re.MULTILINE) for text in (english, korean)]
    assert levels[0] == levels[1]
    shell = [re.sub(r" *# .*", "", "\n".join(blocks(text, "sh"))) for text in (english, korean)]
    assert shell[0] == shell[1]  # but for what is said beside the commands
    assert list(commands(english)) == list(commands(korean))
    # pictures are of the pages in the same language
    links = [
        {link.replace(".ko.png", ".png") for link in LINK.findall(t) if "README" not in link}
        for t in (english, korean)
    ]
    assert links[0] == links[1]


# ---- the reference


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return reference.pages(parser())


def test_the_reference_is_as_generated(generated: dict[str, str]) -> None:
    stale = [
        page
        for page, text in generated.items()
        if not (REFERENCE / page).exists() or (REFERENCE / page).read_text("utf-8") != text
    ]
    assert stale == [], "write it anew with: deungdae docs docs/reference"


@pytest.mark.parametrize(("room", "type"), PLUGINS)
def test_every_plug_in_and_option_is_in_the_reference(
    room: str, type: str, generated: dict[str, str]
) -> None:
    head = f'## `[{room}.<name>]` with `type = "{type}"`'
    assert head in generated["options.md"]
    own = generated["options.md"].partition(head)[2].partition("\n## ")[0]
    for option in registry.options(registry.load(room, type)):
        assert f"| `{option.name}` |" in own
        assert option.description, f"{room}.{type}: {option.name} is not described"


def test_every_section_and_its_options_are_in_the_reference(generated: dict[str, str]) -> None:
    for title, section in describe.SECTIONS.items():
        own = generated["options.md"].partition(f"## `[{title}]`")[2].partition("\n## ")[0]
        for option in registry.describe(section):
            assert f"| `{option.name}` |" in own, f"[{title}] {option.name}"


def test_every_command_is_in_the_reference(generated: dict[str, str]) -> None:
    assert VERBS
    for verb in VERBS:
        assert f"## `deungdae {verb}`\n" in generated["commands.md"]


def test_every_error_is_in_the_reference(generated: dict[str, str]) -> None:
    for title, thing in vars(errors).items():
        if isinstance(thing, type) and issubclass(thing, errors.DeungdaeError):
            assert f"## {title}\n" in generated["errors.md"]


def test_nothing_stands_above_the_diagonal_of_imports(generated: dict[str, str]) -> None:
    lines = generated["imports.md"].splitlines()
    rows = [line.split("|")[2:-1] for line in lines if line.startswith("| **")]
    assert len(rows) > 5
    for number, row in enumerate(rows):
        assert [cell for cell in row[number + 1 :] if cell.strip()] == []
