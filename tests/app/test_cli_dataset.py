"""`deungdae dataset` on folders and tables: built, shown, verified, given, taken; and bad input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from deungdae.app.cli import main
from deungdae.app.datasets import Shelf, files, shelf
from deungdae.core.errors import StoreError

PIXELS = np.random.default_rng(7).integers(0, 256, (40, 16, 16, 3), np.uint8)


def picture(n: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS[n]).save(file, kind)
    return file.getvalue()


class Asked:
    """Runs `deungdae dataset …` on one shelf and keeps what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str], sets: Path) -> None:
        self._capsys = capsys
        self.sets = sets
        self.err = ""

    def __call__(
        self, what: str, *arguments: object, code: int = 0, sets: Path | None = None
    ) -> str:
        words = [what, *map(str, arguments), "--sets", str(sets or self.sets), "--person", "kim"]
        if what == "build" and "--audit" not in words:
            words.append("--no-audit")  # it takes a second
        words = [word for word in words if word != "--audit"]
        self._capsys.readouterr()
        assert main(["dataset", *words]) == code
        out, self.err = self._capsys.readouterr()
        return out

    def json(self, *arguments: object, **told: Any) -> Any:
        return json.loads(self(*arguments, "--json", **told))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for the disk: what survives a power cut is proven in tests/wires."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(os, "fdatasync", lambda handle: None)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Asked:
    return Asked(capsys, tmp_path / "datasets")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give twenty images in good/ and ten in crack/, two of each brick."""
    for n in range(30):
        place = tmp_path / "bricks" / ("good" if n < 20 else "crack")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"b{n // 2:02d}_{n % 2}.png").write_bytes(picture(n))
    return tmp_path / "bricks"


def manifest(folder: Path, rows: list[str], head: str = "file,label,brick,mask") -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


class TestFolders:
    def test_labels_are_the_folders_and_groups_the_beginnings_of_names(
        self, ask: Asked, folder: Path
    ) -> None:
        card = ask.json("build", "bricks", "--images", folder, "--groups", "prefix")
        assert (card["items"], card["groups"], card["kind"]) == (30, 15, "images")
        assert [(c["label"], c["items"], c["groups"]) for c in card["counts"]] == [
            ("crack", 10, 5), ("good", 20, 10),
        ]  # fmt: skip
        assert 'group = "prefix"' in card["declaration"]

    def test_one_group_an_image_is_said(self, ask: Asked, folder: Path) -> None:
        assert "each image is its own group" in ask("build", "bricks", "--images", folder)

    def test_a_group_by_a_pattern(self, ask: Asked, folder: Path) -> None:
        card = ask.json("build", "bricks", "--images", folder, "--groups", r"^b(\d)")
        assert card["groups"] == 2
        ask("build", "bricks", "--images", folder, "--groups", "(", code=2)
        assert "regular expression" in ask.err

    def test_the_same_folder_elsewhere_is_the_same_version(
        self, ask: Asked, folder: Path, tmp_path: Path
    ) -> None:
        first = ask.json("build", "bricks", "--images", folder)
        other = tmp_path / "moved"
        other.mkdir()
        for path in sorted(folder.rglob("*.png"), reverse=True):
            target = other / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
        second = ask.json("build", "bricks", "--images", other, sets=tmp_path / "second")
        assert first["version"] == second["version"]

    def test_a_broken_image_is_named_and_the_others_are_kept(
        self, ask: Asked, folder: Path
    ) -> None:
        (folder / "good" / "b00_0.png").write_bytes(picture(0)[:200])
        (folder / "good" / "b00_1.png").write_bytes(b"")
        (folder / "crack" / "b10_0.jpg").write_bytes(b"no image")
        told = ask("build", "bricks", "--images", folder)
        assert "28 images" in told
        for name in ("good/b00_0.png", "good/b00_1.png", "crack/b10_0.jpg"):
            assert name in told

    def test_one_image_under_two_labels_is_nobodys(self, ask: Asked, folder: Path) -> None:
        (folder / "crack" / "copy.png").write_bytes(picture(0))
        card = ask.json("build", "bricks", "--images", folder)
        assert (card["items"], card["contradicting"]) == (30, 1)
        limits = " ".join(card["limits"])
        assert "1 items have labels that contradict each other" in limits
        assert "1 files are copies of others" in limits

    def test_few_images_are_built_and_promise_nothing(self, ask: Asked, tmp_path: Path) -> None:
        (tmp_path / "few").mkdir()
        for n in range(3):
            (tmp_path / "few" / f"{n}.png").write_bytes(picture(n))
        card = ask.json("build", "few", "--images", tmp_path / "few")
        assert card["items"] == 3
        assert card["limits"][0] == "3 items: no error rate can be promised from so few"

    def test_an_image_too_large_is_refused_before_it_is_decoded(
        self, ask: Asked, folder: Path
    ) -> None:
        """200 megapixels in a file of some kB: only its head says so."""
        head = bytearray(picture(0))
        head[16:24] = (20_000).to_bytes(4, "big") + (10_000).to_bytes(4, "big")
        (folder / "good" / "huge.png").write_bytes(head)
        card = ask.json("build", "bricks", "--images", folder)
        assert card["items"] == 30
        assert "huge.png" in card["left_out"][0]

    def test_nothing_to_take_is_said(self, ask: Asked, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        ask("build", "x", "--images", tmp_path / "empty", code=1)
        assert "holds no image" in ask.err
        ask("build", "x", "--images", tmp_path / "nowhere", code=2)
        assert "is no folder" in ask.err
        ask("build", "x", "--images", tmp_path / "empty", "--mask", "mask", code=2)
        assert "mask names a column of a manifest" in ask.err


class TestManifests:
    def test_labels_groups_masks_and_further_columns(self, ask: Asked, folder: Path) -> None:
        mask = io.BytesIO()
        Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(mask, "PNG")
        (folder / "mask.png").write_bytes(mask.getvalue())
        rows = [f"good/b{n // 2:02d}_{n % 2}.png,free,B{n // 2},,12.5,a" for n in range(20)]
        rows += ["crack/b10_0.png,crack,B10,mask.png,13,b"]
        manifest(folder, rows, "file,label,brick,mask,force,image")
        card = ask.json("build", "bricks", "--images", folder, "--manifest", "manifest.csv",
                        "--label", "label", "--good", "free", "--groups", "brick",
                        "--mask", "mask")  # fmt: skip
        assert (card["items"], card["groups"], card["masks"], card["good"]) == (21, 11, 1, ["free"])
        assert [(c["name"], c["kind"]) for c in card["columns"]] == [
            ("force", "number"), ("image_", "text"),  # packages have an `image` of their own
        ]  # fmt: skip
        dataset = Shelf(ask.sets).get("bricks")
        assert [dataset.bad(item) for item in dataset.items].count(True) == 1

    def test_a_column_that_is_not_there(self, ask: Asked, folder: Path) -> None:
        manifest(folder, ["good/b00_0.png,free,B0,"])
        ask("build", "bricks", "--images", folder, "--manifest", "manifest.csv",
            "--label", "lable", code=2)  # fmt: skip
        assert "did you mean label?" in ask.err

    def test_masks_that_are_missing_or_of_another_size(self, ask: Asked, folder: Path) -> None:
        small = io.BytesIO()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(small, "PNG")
        (folder / "small.png").write_bytes(small.getvalue())
        manifest(
            folder, ["crack/b10_0.png,crack,B1,gone.png", "crack/b10_1.png,crack,B1,small.png"]
        )
        card = ask.json("build", "bricks", "--images", folder, "--manifest", "manifest.csv",
                        "--label", "label", "--mask", "mask")  # fmt: skip
        assert (card["items"], card["masks"]) == (2, 0)
        assert "gone.png" in card["left_out"][0]
        assert "4 x 4 pixels" in card["left_out"][1]

    def test_files_outside_the_folder_are_not_taken(self, ask: Asked, folder: Path) -> None:
        (folder.parent / "secret.png").write_bytes(picture(39))
        (folder / "link.png").symlink_to(folder.parent / "secret.png")
        rows = ["../secret.png,good,a,", "good/b00_0.png,good,a,", "link.png,good,a,", ",good,a,"]
        manifest(folder, rows)
        card = ask.json("build", "bricks", "--images", folder, "--manifest", "manifest.csv")
        assert card["items"] == 1
        assert len(card["left_out"]) == 3

    def test_a_manifest_of_a_korean_spreadsheet(self, ask: Asked, folder: Path) -> None:
        rows = "file;판정\ngood/b00_0.png;양품\ncrack/b10_0.png;균열\n"
        (folder / "manifest.csv").write_bytes(rows.encode("cp949"))
        card = ask.json("build", "bricks", "--images", folder, "--manifest", "manifest.csv",
                        "--label", "판정", "--good", "양품")  # fmt: skip
        assert [count["label"] for count in card["counts"]] == ["균열", "양품"]

    def test_a_ragged_manifest(self, ask: Asked, folder: Path) -> None:
        manifest(folder, ["good/b00_0.png,free"])
        ask("build", "bricks", "--images", folder, "--manifest", "manifest.csv", code=2)
        assert "line 2" in ask.err


class TestTables:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        path = tmp_path / "shots.csv"
        rows = ["time,force,verdict,mould"]
        for n in range(30):
            verdict = "good" if n % 7 else "bad"
            rows.append(f"2026-11-0{1 + n // 10}T08:00:{n:02d}Z,{n * 0.5},{verdict},M{n % 3}")
        path.write_text("\n".join(rows) + "\n")
        return path

    def test_rows_with_times_groups_and_labels(self, ask: Asked, table: Path) -> None:
        card = ask.json("build", "shots", "--table", table, "--label", "verdict", "--groups",
                        "mould", "--time", "time")  # fmt: skip
        assert (card["kind"], card["items"], card["groups"]) == ("rows", 30, 3)
        assert [column["name"] for column in card["columns"]] == ["force"]
        assert card["drift"][0] > 0

    def test_parquet_is_the_same_as_csv(self, ask: Asked, table: Path) -> None:
        from pyarrow import csv

        words = ("--label", "verdict", "--groups", "mould", "--time", "time")
        first = ask.json("build", "shots", "--table", table, *words)
        other = table.with_suffix(".parquet")
        parquet.write_table(csv.read_csv(table), other)
        assert ask.json("build", "shots", "--table", other, *words)["version"] == first["version"]

    def test_what_is_no_table(self, ask: Asked, tmp_path: Path) -> None:
        path = tmp_path / "x.parquet"
        path.write_bytes(b"PAR1 no")
        ask("build", "x", "--table", path, code=2)
        assert "is no Parquet file" in ask.err
        (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x81")
        ask("build", "x", "--table", tmp_path / "x.csv", code=2)
        assert "no text in UTF-8" in ask.err
        (tmp_path / "y.csv").write_text("a,b\n")
        ask("build", "x", "--table", tmp_path / "y.csv", code=1)
        assert "holds no rows" in ask.err

    def test_times_to_the_nanosecond_and_decimals(self, ask: Asked, tmp_path: Path) -> None:
        import pyarrow as pa

        columns = {
            "at": pa.array([1, 10**18 + 1], pa.timestamp("ns", "UTC")),
            "price": pa.array([Decimal("1.25"), None], pa.decimal128(9, 2)),
            "serial": pa.array([2**60, 2**60 + 1]),
        }
        parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
        card = ask.json("build", "x", "--table", tmp_path / "x.parquet", "--time", "at")
        assert card["drift"] == [1, 10**18 + 1]
        dataset = Shelf(ask.sets).get("x")
        assert dataset.column("price")[0] == 1.25
        assert dataset.column("serial")[1] == "1152921504606846977"

    def test_two_columns_of_one_name(self, ask: Asked, tmp_path: Path) -> None:
        (tmp_path / "x.csv").write_text("force,force,,\n1,2,,\n")
        ask("build", "x", "--table", tmp_path / "x.csv", code=2)
        assert "two columns that are called 'force'" in ask.err
        (tmp_path / "x.csv").write_text("force,,\n1,,\n")
        assert [
            c["name"] for c in ask.json("build", "x", "--table", tmp_path / "x.csv")["columns"]
        ] == ["force"]

    @settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(content=st.binary(max_size=200), kind=st.sampled_from(["csv", "parquet"]))
    def test_any_bytes_are_a_table_or_refused(
        self, tmp_path: Path, content: bytes, kind: str
    ) -> None:
        path = tmp_path / f"x.{kind}"
        path.write_bytes(content)
        with suppress(ValueError):
            assert isinstance(files.read_table(path), list)


class TestDeclarations:
    def test_a_file_says_all_of_it(self, ask: Asked, folder: Path) -> None:
        path = folder.parent / "bricks.dataset.toml"
        path.write_text("""
description = "bricks of line 1"
contributor = "Quality"
licence = "CC0-1.0"
limit = 25
[consent]
by = "works council"
on = "2026-11-02"
uses = ["training of our inspection"]
[folder]
images = "bricks"
group = "prefix"
""")
        card = ask.json("build", path)
        assert (card["name"], card["licence"], card["items"]) == ("bricks", "CC0-1.0", 25)
        assert card["consent"]["uses"] == ["training of our inspection"]
        assert any("limit = 25" in limit for limit in card["limits"])

    def test_every_fault_is_told_with_its_line(self, ask: Asked, tmp_path: Path) -> None:
        path = tmp_path / "x.dataset.toml"
        path.write_text('licens = "CC0"\nlimit = 0\n[folder]\nimage = "bricks"\n')
        ask("build", path, code=2)
        for words in ("x.dataset.toml:1: licens", "did you mean licence?", ":2: limit",
                      "did you mean images?"):  # fmt: skip
            assert words in ask.err
        path.write_text('[folder]\nimages = "a"\n[table]\nfile = "b"\n')
        ask("build", path, code=2)
        assert "exactly one of" in ask.err
        (tmp_path / "My Bricks.dataset.toml").write_text('[folder]\nimages = "a"\n')
        ask("build", tmp_path / "My Bricks.dataset.toml", code=2)
        assert "no name of a set" in ask.err
        ask("build", tmp_path / "none.dataset.toml", code=2)
        assert "is not there" in ask.err

    def test_what_is_asked_in_a_wrong_way(self, ask: Asked, folder: Path, tmp_path: Path) -> None:
        ask("build", "Bricks!", "--images", folder, code=2)
        assert "no name of a set" in ask.err
        ask("build", "bricks", code=2)
        assert "say where the data are" in ask.err
        ask("build", "x", "--table", "x.csv", "--mask", "mask", code=2)
        assert "are for images" in ask.err
        path = tmp_path / "line.dataset.toml"
        ask("build", path, "--licence", "CC0-1.0", "--groups", "lot", code=2)
        assert "leave out --groups, --licence" in ask.err
        path.write_text('[signals]\nsignals = ["press.force"]\n')
        ask("build", path, code=2)
        assert "--factory or --store" in ask.err


@pytest.fixture
def built(ask: Asked, folder: Path) -> Asked:
    ask("build", "bricks", "--images", folder, "--groups", "prefix", "--licence", "CC-BY-4.0")
    return ask


class TestKept:
    def test_is_listed_and_shown_with_its_use(self, built: Asked) -> None:
        built("use", "bricks", "--for", "training of inspection 3")
        (row,) = built.json("list")
        assert (row["set"], row["items"]) == ("bricks", 30)
        shown = built.json("show", f"bricks@{row['version'][:8]}")
        assert [(e["kind"], e["who"]) for e in shown["log"]] == [("built", "kim"), ("use", "kim")]
        assert "training of inspection 3" in built("show", "bricks")

    def test_names_that_are_not_there(self, built: Asked) -> None:
        built("show", "brick", code=2)
        assert "did you mean bricks?" in built.err
        built("show", "bricks@0000000", code=2)
        built("show", "../bricks", code=2)

    def test_all_is_as_it_was_kept(self, built: Asked) -> None:
        built("verify", "bricks")
        assert "all is as it was kept" in built.err

    @pytest.mark.parametrize(
        ("pattern", "change", "said"),
        [
            ("bricks/*/items.parquet", lambda c: c[:-9] + b"x" + c[-8:], "bricks@"),
            ("bricks/*/card.json", lambda c: c.replace(b"CC-BY", b"CC-XX"), "card was changed"),
            ("blobs/*/*", lambda c: c[:-1] + b"?", "damaged"),
            ("bricks/journal/*.jsonl", lambda c: c.replace(b'"kim"', b'"lee"'), "log of use"),
        ],
    )  # fmt: skip
    def test_any_changed_byte_is_found(
        self, built: Asked, pattern: str, change: Callable[[bytes], bytes], said: str
    ) -> None:
        path = next(iter(sorted(built.sets.glob(pattern))))
        path.write_bytes(change(path.read_bytes()))
        assert said in built("verify", "bricks", code=1)

    def test_another_label_put_in_later_is_refused(self, built: Asked) -> None:
        """As whoever wants a better figure would do it: in the table, with good Parquet."""
        path = next(built.sets.glob("bricks/*/items.parquet"))
        table = parquet.read_table(path)
        place = table.schema.get_field_index("label")
        labels = ["good"] * len(table)
        import pyarrow as pa

        field = table.schema.field(place)
        parquet.write_table(table.set_column(place, field, pa.array(labels)), path)
        with pytest.raises(StoreError, match="was changed after it was made"):
            Shelf(built.sets).get("bricks")

    def test_a_lost_image_is_found(self, built: Asked) -> None:
        next(iter(built.sets.glob("blobs/*/*"))).unlink()
        assert "is not in" in built("verify", "bricks", code=1)


class TestDropped:
    def test_only_what_no_other_set_shows_goes(
        self, built: Asked, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = built.json("list")[0]["version"]
        for path in sorted(folder.rglob("*.png"))[:10]:
            path.unlink()
        built("build", "bricks", "--images", folder)
        assert built.json("drop", f"bricks@{first}")["freed"] == 0  # all was put within the hour
        (folder / "good" / "new.png").write_bytes(picture(35))
        second = built.json("build", "bricks", "--images", folder)["version"]
        monkeypatch.setattr(shelf, "FRESH", -1.0)
        assert built.json("drop", f"bricks@{second}")["freed"] > 0
        (left,) = built.json("list")
        built("verify", f"bricks@{left['version']}")
        assert len(list(built.sets.glob("blobs/*/*"))) == left["items"] == 20

    def test_what_was_used_is_not_dropped_by_a_slip(self, built: Asked) -> None:
        version = built.json("list")[0]["version"]
        built("use", "bricks", "--for", "training of inspection 3")
        built("drop", f"bricks@{version}", code=2)
        assert "training of inspection 3" in built.err
        built("drop", "bricks", code=2)
        assert "say which version" in built.err
        built("drop", f"bricks@{version}", "--used")
        assert "no set" in built("list") + built.err
        assert [entry.kind for entry in Shelf(built.sets).log("bricks")][-1] == "drop"

    def test_no_image_goes_while_another_set_cannot_be_read(
        self, built: Asked, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shelf, "FRESH", -1.0)
        first = built.json("list")[0]["version"]
        built("build", "other", "--images", folder)
        next(iter(built.sets.glob("other/*/items.parquet"))).write_bytes(b"")
        built("drop", f"bricks@{first}", code=2)
        assert len(list(built.sets.glob("blobs/*/*"))) == 30


class TestGolden:
    """Images with one of a right part beside each, as boards come."""

    @pytest.fixture
    def boards(self, tmp_path: Path) -> Path:
        place = tmp_path / "boards"
        place.mkdir()
        for n in range(6):
            (place / f"b{n}_temp.png").write_bytes(picture(n // 3))
            (place / f"b{n}_test.png").write_bytes(picture(n + 10))
            boxes = "2 3 6 9 1\n\n1, 1, 40.2, 4, open\n" if n % 2 else ""
            (place / f"b{n}.txt").write_text(boxes)
        rows = "".join(f"b{n}_test.png,b{n}_temp.png,b{n}.txt,B{n // 2}\n" for n in range(6))
        (place / "manifest.csv").write_text("test,temp,boxes,board\n" + rows)
        return place

    def test_a_manifest_names_the_golden_images_and_the_boxes_of_defects(
        self, ask: Asked, boards: Path, tmp_path: Path
    ) -> None:
        card = ask.json("build", "boards", "--images", boards, "--manifest", "manifest.csv",
                        "--file", "test", "--golden", "temp", "--mask", "boxes",
                        "--groups", "board")  # fmt: skip
        assert (card["items"], card["masks"], card["columns"]) == (6, 6, [])
        assert {each["label"]: each["items"] for each in card["counts"]} == {"good": 3, "defect": 3}
        kept = Shelf(ask.sets)
        items = kept.get("boards").items
        assert [kept.content(item.golden) for item in items] == [picture(n // 3) for n in range(6)]
        mask = np.asarray(Image.open(io.BytesIO(kept.content(items[1].mask)))) > 127
        wanted = np.zeros((16, 16), bool)
        wanted[3:9, 2:6] = wanted[1:4, 1:] = True
        assert np.array_equal(mask, wanted)
        ask("export", "boards", tmp_path / "given.zip")
        there = tmp_path / "there"
        assert ask.json("import", tmp_path / "given.zip", sets=there)["version"] == card["version"]
        assert Shelf(there).get("boards").items == items
        ask("anonymise", "boards", "veiled")
        assert all(item.golden for item in kept.get("veiled").items)

    @pytest.mark.parametrize(("golden", "items"), [("_test=_temp", 6), ("b0_temp.png", 8)])
    def test_without_a_manifest_a_name_says_it(
        self, ask: Asked, boards: Path, golden: str, items: int
    ) -> None:
        card = ask.json("build", "boards", "--images", boards, "--golden", golden)
        found = Shelf(ask.sets).get("boards").items
        assert (card["items"], len(found)) == (items, items)
        assert all(item.golden for item in found)
        assert picture(0) in [Shelf(ask.sets).content(item.golden) for item in found]

    def test_what_cannot_be_taken_is_named(self, ask: Asked, boards: Path) -> None:
        small = io.BytesIO()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(small, "PNG")
        (boards / "b0_temp.png").write_bytes(small.getvalue())
        (boards / "b1_temp.png").unlink()
        (boards / "b2.txt").write_text("1 2 three 4")
        card = ask.json("build", "boards", "--images", boards, "--manifest", "manifest.csv",
                        "--file", "test", "--golden", "temp", "--mask", "boxes")  # fmt: skip
        assert card["items"] == 6
        told = "; ".join(card["left_out"])
        assert "golden b0_temp.png of b0_test.png: is 4 x 4 pixels, the image 16 x 16" in told
        assert "golden b1_temp.png of b1_test.png: is not there" in told
        assert "mask b2.txt of b2_test.png: line 1 is '1 2 three 4', not left, top" in told
        ask("build", "boards", "--images", boards, "--golden", "=_temp", code=2)
        assert "write what to change in a name, as _test=_temp" in ask.err

    def test_a_set_without_golden_images_is_the_set_that_it_was(self, built: Asked) -> None:
        items = Shelf(built.sets).folder.glob("bricks/*/items.parquet")
        assert "golden" not in parquet.read_table(next(items)).column_names


class TestGiven:
    def test_is_taken_elsewhere_as_it_was(self, built: Asked, tmp_path: Path) -> None:
        for target in (tmp_path / "given.zip", tmp_path / "given"):
            built("export", "bricks", target, "--for", "a university")
            other = tmp_path / f"there-{target.suffix}"
            card = built.json("import", target, sets=other)
            assert card == built.json("show", "bricks")["card"]
            built("verify", "bricks", sets=other)
        log = built.json("show", "bricks")["log"]
        assert [entry["data"].get("purpose") for entry in log if entry["kind"] == "export"] == [
            "a university", "a university",
        ]  # fmt: skip

    def test_is_refused_where_the_card_and_the_items_disagree(
        self, built: Asked, tmp_path: Path
    ) -> None:
        """Sums can be made to fit by anybody; the version cannot."""
        import hashlib

        built("export", "bricks", tmp_path / "given.zip")
        with zipfile.ZipFile(tmp_path / "given.zip") as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        card = json.loads(files["card.json"])
        for change, said in (
            ({"good": ["good", "crack"]}, "was changed after"),
            ({"format": "deungdae.dataset/9"}, "only deungdae.dataset/1"),
            ({"name": "../x"}, "no name of a set"),
            ({"version": "../../x"}, "no version"),
            ({"columns": [{"name": "force"}]}, "not those of the card"),
        ):
            files["card.json"] = json.dumps(card | change).encode()
            files["SHA256SUMS"] = "".join(
                f"{hashlib.sha256(content).hexdigest()}  {name}\n"
                for name, content in files.items() if name != "SHA256SUMS"
            ).encode()  # fmt: skip
            target = tmp_path / "changed.zip"
            with zipfile.ZipFile(target, "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            built("import", target, code=2, sets=tmp_path / "there")
            assert said in built.err
        assert not list((tmp_path / "there").glob("*/*"))

    def test_what_is_lost_is_not_given_away(self, built: Asked, tmp_path: Path) -> None:
        next(iter(built.sets.glob("blobs/*/*"))).unlink()
        built("export", "bricks", tmp_path / "given.zip", code=2)
        assert "is not given away" in built.err
        assert not list(tmp_path.glob("given*"))

    def test_is_read_with_pyarrow_and_pillow_alone(self, built: Asked, tmp_path: Path) -> None:
        """In a process of its own, which would fail on any module of ours."""
        built("export", "bricks", tmp_path / "given")
        program = """
import sys
sys.modules["deungdae"] = None
import pyarrow.parquet as parquet
from PIL import Image
items = parquet.read_table("items.parquet").to_pylist()
sizes = {Image.open(f"images/{item['image']}").size for item in items}
print(len(items), len({item["group"] for item in items}), sizes)
"""
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "given", check=True,
                              capture_output=True, text=True)  # fmt: skip
        assert done.stdout.strip() == "30 15 {(16, 16)}"
        readme = (tmp_path / "given" / "README.md").read_text()
        assert "parquet.read_table" in readme
        assert "CC-BY-4.0" in readme

    def test_the_reference_reader_of_croissant_reads_it(self, built: Asked, tmp_path: Path) -> None:
        built("export", "bricks", tmp_path / "given")
        program = """
import warnings
import mlcroissant
dataset = mlcroissant.Dataset("croissant.json")
issues = dataset.metadata.issues
assert not issues._errors and not issues._warnings, issues
items = list(dataset.records("items"))
images = list(dataset.records("images"))
names = {item["items/image"] for item in items}
assert {each["images/filename"] for each in images} == names
assert images[0]["images/content"].size == (16, 16)
print(len(items), len(images))
"""
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "given", check=False,
                              capture_output=True, text=True)  # fmt: skip
        assert done.stdout.strip() == "30 30", done.stderr


class TestAnonymous:
    def test_tells_of_nobody_and_shows_the_same(self, built: Asked, tmp_path: Path) -> None:
        card = built.json("anonymise", "bricks", "shared", "--description", "bricks")
        assert (card["items"], card["groups"], card["licence"]) == (30, 15, "CC-BY-4.0")
        shelf = Shelf(built.sets)
        before, after = shelf.get("bricks"), shelf.get("shared")
        shown = [{Image.open(io.BytesIO(shelf.content(i.ref))).tobytes() for i in d.items}
                 for d in (before, after)]  # fmt: skip
        assert shown[0] == shown[1]
        assert all(item.name.startswith("item-") for item in after.items)
        key = built.sets / "anonymise.key"
        assert key.stat().st_mode & 0o777 == 0o600
        built("export", "shared", tmp_path / "given")
        assert not [path for path in (tmp_path / "given").rglob("*") if path.name == key.name]
        text = (tmp_path / "given" / "card.json").read_text()
        assert "b00_0" not in text

    def test_an_image_that_only_its_notes_turn_is_written_anew(
        self, ask: Asked, tmp_path: Path
    ) -> None:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "Kim's camera"
        (tmp_path / "x").mkdir()
        Image.fromarray(PIXELS[0][:8]).save(tmp_path / "x" / "a.jpg", exif=exif)
        Image.fromarray(PIXELS[1]).save(tmp_path / "x" / "b.bmp")
        ask("build", "turned", "--images", tmp_path / "x")
        ask("anonymise", "turned", "shared")
        shelf = Shelf(ask.sets)
        contents = [shelf.content(item.ref) for item in shelf.get("shared").items]
        assert all(content.startswith(b"\x89PNG") for content in contents)
        assert {Image.open(io.BytesIO(c)).size for c in contents} == {(8, 16), (16, 16)}
        ask("anonymise", "turned", "turned", code=2)
        assert "choose another" in ask.err


class TestAudit:
    def test_runs_by_itself_and_says_what_would_flatter(self, ask: Asked, folder: Path) -> None:
        """Each brick is on two images that are nearly the same; the labels are by brick."""
        for path in folder.rglob("*_1.png"):
            pixels = np.asarray(Image.open(path.with_name(path.name.replace("_1", "_0"))))
            Image.fromarray(pixels // 2 + 60).save(path)
        told = ask("build", "bricks", "--images", folder, "--groups", "prefix", "--audit")
        assert "A random split of this set would" in told
        shown = ask.json("show", "bricks")
        assert shown["audit"]["said"][0] in told
        assert [entry["kind"] for entry in shown["log"]] == ["built", "audit"]
        low = shown["audit"]["flatters"][1]
        assert shown["audit"]["leaks"] == (low > 0)

    def test_finds_one_brick_under_two_names(self, ask: Asked, folder: Path) -> None:
        for path in folder.rglob("*_1.png"):
            pixels = np.asarray(Image.open(path.with_name(path.name.replace("_1", "_0"))))
            Image.fromarray(pixels // 2 + 60).save(path)
        ask("build", "bricks", "--images", folder)
        found = ask.json("audit", "bricks")
        assert ["crack/b10_0.png", "crack/b10_1.png"] in found["pairs"]
        assert "15 in truth" in " ".join(found["said"])

    def test_says_why_there_can_be_none(self, ask: Asked, tmp_path: Path) -> None:
        (tmp_path / "one" / "good").mkdir(parents=True)
        for n in range(12):
            (tmp_path / "one" / "good" / f"{n}.png").write_bytes(picture(n))
        ask("build", "one", "--images", tmp_path / "one")
        assert "No audit can be made" in ask("audit", "one")

    def test_rows_are_looked_at_by_their_numbers(self, ask: Asked, tmp_path: Path) -> None:
        random = np.random.default_rng(3)
        rows = ["force,verdict,lot"]
        for lot in range(20):
            own = random.normal(0, 3)
            rows += [f"{own + random.normal(0, 0.01)},{'bad' if lot % 2 else 'good'},{lot}"] * 5
        (tmp_path / "x.csv").write_text("\n".join(rows))
        ask("build", "x", "--table", tmp_path / "x.csv", "--label", "verdict", "--groups", "lot")
        found = ask.json("audit", "x")
        assert found["leaks"]
        assert found["random"][0] > 0.95


def test_tiles_are_built_as_their_manifest_says(
    ask: Asked, shared_data: Path, tmp_path: Path
) -> None:
    """Every tenth tile with all its exposures: half a minute of fsync is no test."""
    folder = shared_data / "magnetic-tile"
    head, *rows = (folder / "manifest.csv").read_text().splitlines()
    chosen = [row for row in rows if row.endswith("0")]
    (tmp_path / "some.csv").write_text("\n".join([head, *chosen]))
    card = ask.json("build", "tiles", "--images", folder, "--manifest", tmp_path / "some.csv",
                    "--label", "label", "--good", "free", "--groups", "tile_group",
                    "--mask", "mask")  # fmt: skip
    assert (card["items"], card["masks"]) == (len(chosen), len(chosen))
    assert card["groups"] == len({row.rpartition(",")[2] for row in chosen})
    assert [column["name"] for column in card["columns"]] == ["exposure", "frame_no"]
    assert "free" in {count["label"] for count in card["counts"]}
