"""Changes to a factory's files: whole or not at all, with comments kept and nobody overwritten."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.app import rewrite
from deungdae.core.errors import FactoryError

T0 = 1_800_000_000_000_000_000
FACTORY = """\
# the brickworks
signals = "signals.csv"   # a table

[factory]
id = "brickworks"  # never changes

[equipment.press1]
name = "1호 프레스"

[machines.press]   # the first of two
type = "simulated"
model = "press"
period = 0.5       # s
"""
SIGNALS = "id,name,source\npress1.count,생산 수량,press:count\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "factory.toml").write_text(FACTORY)
    (tmp_path / "signals.csv").write_text(SIGNALS)
    return tmp_path


def save(folder: Path, name: str, text: str, version: str, moment: int = T0) -> rewrite.Files:
    return rewrite.save(folder, {name: text}, {name: version}, moment=moment, person="kim")


def test_reads_every_file_of_the_description(folder: Path) -> None:
    files = rewrite.read(folder)
    assert [file.name for file in files.files] == ["factory.toml", "signals.csv"]
    assert files["signals.csv"].text == SIGNALS
    assert files.versions == rewrite.read(folder / "factory.toml").versions
    assert files["other"].version == ""


def test_a_file_that_a_plug_in_names_is_part_of_it(folder: Path) -> None:
    twin = '[twin.line]\ntype = "monitor"\nline = "line.toml"\n'
    (folder / "factory.toml").write_text(FACTORY + twin)
    assert rewrite.read(folder)["line.toml"] == rewrite.File(name="line.toml", text="", version="")
    assert "line.toml" in rewrite.read(folder).versions


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", ".versions/x.csv", "history/x"])
def test_no_file_elsewhere_is_read_or_written(folder: Path, name: str) -> None:
    (folder.parent / "secret.csv").write_text("secret")
    (folder / "factory.toml").write_text(FACTORY.replace("signals.csv", name))
    assert list(rewrite.read(folder).versions) == ["factory.toml"]
    with pytest.raises(FactoryError, match="is no file of this description"):
        save(folder, name, "x", "")
    (folder.parent / "secret.csv").unlink()


def test_check_tells_every_fault_with_its_place_and_touches_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    texts = {
        "factory.toml": FACTORY.replace("period", "perriod"),
        "signals.csv": SIGNALS.replace("press:count", "pres:count"),
    }
    first, second = rewrite.check(folder, texts)
    assert (first.file, first.line, first.key) == ("factory.toml", 13, "machines.press.perriod")
    assert first.remedy == "did you mean period?"
    assert (second.file, second.line, second.key) == ("signals.csv", 2, "press1.count.source")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert rewrite.check(folder, {}) == []


def test_a_saved_change_is_kept_with_what_was_before(folder: Path) -> None:
    os.chmod(folder / "factory.toml", 0o640)
    version = rewrite.read(folder)["factory.toml"].version
    files = save(folder, "factory.toml", FACTORY.replace("0.5", "0.2"), version)
    assert (folder / "factory.toml").read_text() == FACTORY.replace("0.5", "0.2")
    assert (folder / "factory.toml").stat().st_mode & 0o777 == 0o640
    (saved,) = rewrite.history(folder)
    assert saved.person == "kim"
    assert saved.before == {"factory.toml": version}
    assert saved.after == {"factory.toml": files["factory.toml"].version}
    assert rewrite.before(folder, saved) == {"factory.toml": FACTORY}
    assert sorted(path.name for path in folder.iterdir()) == [
        ".versions",
        "factory.toml",
        "signals.csv",
    ]


def test_several_files_change_together(folder: Path) -> None:
    texts = {
        "factory.toml": FACTORY.replace("machines.press", "machines.first"),
        "signals.csv": SIGNALS.replace("press:", "first:"),
    }
    for name, text in texts.items():  # either alone would be wrong
        with pytest.raises(FactoryError):
            save(folder, name, text, rewrite.read(folder)[name].version)
    rewrite.save(folder, texts, rewrite.read(folder).versions, moment=T0)
    assert rewrite.check(folder, {}) == []


def test_a_new_file_may_be_named_and_written_at_once(folder: Path) -> None:
    texts = {"factory.toml": FACTORY.replace("signals.csv", "all.csv"), "all.csv": SIGNALS}
    rewrite.save(folder, texts, rewrite.read(folder).versions, moment=T0)
    assert (folder / "all.csv").read_bytes() == b"\xef\xbb\xbf" + SIGNALS.encode()
    (saved,) = rewrite.history(folder)
    assert rewrite.before(folder, saved)["all.csv"] == ""


def test_who_comes_second_is_told_who_changed_it(folder: Path) -> None:
    version = rewrite.read(folder)["factory.toml"].version
    save(folder, "factory.toml", FACTORY.replace("0.5", "0.2"), version)
    with pytest.raises(rewrite.Conflict, match=r"by kim at 2027-01-15T08:00:00Z") as caught:
        save(folder, "factory.toml", FACTORY.replace("0.5", "0.1"), version)
    assert "0.2" in caught.value.file.text
    (folder / "factory.toml").write_text(FACTORY.replace("0.5", "0.3"))
    with pytest.raises(rewrite.Conflict, match="outside of Deungdae"):
        save(folder, "factory.toml", FACTORY.replace("0.5", "0.1"), version)
    assert "0.3" in (folder / "factory.toml").read_text()


def test_changes_of_two_files_do_not_hinder_each_other(folder: Path) -> None:
    versions = rewrite.read(folder).versions
    save(folder, "factory.toml", FACTORY.replace("0.5", "0.2"), versions["factory.toml"])
    named = SIGNALS.replace("생산 수량", "수량")
    save(folder, "signals.csv", named, versions["signals.csv"], T0 + 1)
    assert [list(each.after) for each in rewrite.history(folder)] == [
        ["signals.csv"],
        ["factory.toml"],
    ]


def test_a_wrong_change_changes_nothing(folder: Path) -> None:
    with pytest.raises(FactoryError, match="is no TOML"):
        save(folder, "factory.toml", "[factory", rewrite.read(folder)["factory.toml"].version)
    assert (folder / "factory.toml").read_text() == FACTORY
    assert rewrite.history(folder) == []


def test_a_full_disk_changes_nothing_and_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    version = rewrite.read(folder)["factory.toml"].version
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(rewrite.Unwritable, match="No space left on device") as caught:
        save(folder, "factory.toml", FACTORY.replace("0.5", "0.2"), version)
    assert caught.value.remedy == "make room on the disk"
    assert sorted(path.name for path in folder.iterdir()) == ["factory.toml", "signals.csv"]
    assert (folder / "factory.toml").read_text() == FACTORY


def test_a_read_only_file_stays_as_it_is(folder: Path) -> None:
    os.chmod(folder / "factory.toml", 0o444)
    version = rewrite.read(folder)["factory.toml"].version
    with pytest.raises(rewrite.Unwritable, match=r"factory\.toml is read-only") as caught:
        save(folder, "factory.toml", FACTORY.replace("0.5", "0.2"), version)
    assert "chmod u+w" in caught.value.remedy
    assert rewrite.history(folder) == []


def test_marks_and_ends_of_lines_stay_as_they_were(folder: Path) -> None:
    raw = b"\xef\xbb\xbf" + SIGNALS.replace("\n", "\r\n").encode()
    (folder / "signals.csv").write_bytes(raw)
    file = rewrite.read(folder)["signals.csv"]
    assert file.text == SIGNALS
    save(folder, "signals.csv", SIGNALS.replace("생산", "제작"), file.version)
    kept = (folder / "signals.csv").read_bytes()
    assert kept == raw.replace("생산".encode(), "제작".encode())


def test_a_table_saved_by_a_korean_spreadsheet_is_read_and_becomes_utf_8(folder: Path) -> None:
    (folder / "signals.csv").write_bytes(SIGNALS.encode("cp949"))
    assert "save it as CSV UTF-8" in rewrite.check(folder, {})[0].remedy
    file = rewrite.read(folder)["signals.csv"]
    assert (file.text, file.encoding) == (SIGNALS, "cp949")
    save(folder, "signals.csv", SIGNALS, file.version)
    assert (folder / "signals.csv").read_bytes() == b"\xef\xbb\xbf" + SIGNALS.encode()
    assert rewrite.check(folder, {}) == []


def test_a_file_that_is_no_text_is_not_overwritten(folder: Path) -> None:
    (folder / "signals.csv").write_bytes(b"\xff\xfe\x00\x81\xff")
    file = rewrite.read(folder)["signals.csv"]
    assert (file.text, file.encoding) == ("", "")
    with pytest.raises(FactoryError, match="is no text"):
        save(folder, "signals.csv", SIGNALS, file.version)


def test_what_a_change_wrote_is_known_as_long_as_nothing_else_changed_it(folder: Path) -> None:
    texts = [FACTORY.replace("0.5", f"0.{step}1") for step in range(3)]
    for step, text in enumerate(texts):
        save(folder, "factory.toml", text, rewrite.read(folder)["factory.toml"].version, T0 + step)
    found = [rewrite.after(folder, each) for each in rewrite.history(folder)]
    assert found == [{"factory.toml": text} for text in reversed(texts)]
    (folder / "factory.toml").write_text(FACTORY)
    assert rewrite.after(folder, rewrite.history(folder)[0]) == {}


def test_old_changes_are_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "KEPT", 3)
    for step in range(5):
        version = rewrite.read(folder)["factory.toml"].version
        save(folder, "factory.toml", FACTORY.replace("0.5", f"0.{step + 1}1"), version, T0 + step)
    assert [each.id[-1] for each in rewrite.history(folder)] == ["4", "3", "2"]


def test_what_is_the_same_is_not_written(folder: Path) -> None:
    versions = rewrite.read(folder).versions
    rewrite.save(folder, {"factory.toml": FACTORY}, versions, moment=T0)
    assert rewrite.history(folder) == []


def test_a_small_change_keeps_all_else(folder: Path) -> None:
    def place(document: tomlkit.TOMLDocument) -> None:
        document["layout"] = {"press1": [10, 20]}

    rewrite.change(folder, None, place, moment=T0)
    text = (folder / "factory.toml").read_text()
    assert text.startswith(FACTORY)
    assert tomllib.loads(text)["layout"] == {"press1": [10, 20]}
    with pytest.raises(rewrite.Conflict):
        rewrite.change(folder, "before", place, moment=T0)


KEYS = st.sampled_from(["alpha", "beta", "gamma", "delta"])
VALUES = st.one_of(st.integers(-9, 9), st.text("가나ab\"' #[]", max_size=6), st.booleans())
COMMENTS = st.text("가나 abc=[]\"'", max_size=12)
TABLES = st.dictionaries(KEYS, st.tuples(VALUES, COMMENTS), min_size=1)


@given(st.dictionaries(KEYS, TABLES, min_size=1), st.data())
@settings(max_examples=60, deadline=None)
def test_an_edit_of_one_key_keeps_every_comment_and_every_other_key(
    tables: dict[str, dict[str, tuple[Any, str]]], data: st.DataObject
) -> None:
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        for key, (value, comment) in table.items():
            lines.append(f"{key} = {tomlkit.item(value).as_string()}  # {comment}")
    text = "\n".join(lines) + "\n"
    table = data.draw(st.sampled_from(sorted(tables)))
    key = data.draw(st.sampled_from(sorted(tables[table])))
    new = data.draw(VALUES)

    def edit(document: tomlkit.TOMLDocument) -> None:
        document[table][key] = new  # type: ignore[index]

    edited = rewrite.edited(text, edit)
    wanted = {name: {k: v for k, (v, _) in each.items()} for name, each in tables.items()}
    wanted[table][key] = new
    assert tomllib.loads(edited) == wanted
    before, after = text.splitlines(), edited.splitlines()
    changed = [n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert len(changed) <= 1
    comments = [line.rpartition("#")[2].strip() for line in before if "#" in line]
    assert [line.rpartition("#")[2].strip() for line in after if "#" in line] == comments


@given(st.text(st.characters(exclude_characters="\r", codec="utf-8"), max_size=200))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "factory.toml").write_text('signals = "s.csv"\n[factory]\nid = "f"\n')
        (folder / "s.csv").write_text("id\n")
        version = rewrite.read(folder)["s.csv"].version
        try:
            rewrite.save(folder, {"s.csv": text}, {"s.csv": version}, moment=T0)
        except FactoryError:
            assert (folder / "s.csv").read_text() == "id\n"
        else:
            assert rewrite.read(folder)["s.csv"].text == text.removeprefix("\ufeff")
