"""`deungdae inspect` where a right part is known of each image: trained, measured, judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deungdae.app.cli import main
from deungdae.app.models import Models
from deungdae.learn.registry import Tampered

PARTS = 96  # every other one bad


def sheet(bars: int) -> NDArray[np.uint8]:
    pixels = np.full((72, 96), 225, np.uint8)
    for left in range(6, 90, 84 // bars):
        pixels[8:64, left : left + 6] = 30
    return pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give punched sheets of two products as boards come: a test and its template, boxes in a text,
    dust on each."""
    place = tmp_path_factory.mktemp("sheets")
    random = np.random.default_rng(1)
    lines = ["test,template,boxes,lot"]
    for n in range(PARTS):
        golden = sheet(3 + n % 4 // 2)
        seen = golden.copy()
        x = int(random.integers(4, 88))
        seen[66:69, x : x + 3] = 30
        boxes = ""
        if n % 2:
            y, left = int(random.integers(12, 50)), 6 + 84 // (3 + n % 4 // 2)
            seen[y : y + 7, left : left + 6] = 225
            boxes = f"{left - 4} {y - 4} {left + 10} {y + 11} gap\n"
        Image.fromarray(golden).save(place / f"{n}_temp.png")
        Image.fromarray(seen).save(place / f"{n}_test.png")
        (place / f"{n}.txt").write_text(boxes)
        lines.append(f"{n}_test.png,{n}_temp.png,{n}.txt,L{n}")
    (place / "manifest.csv").write_text("\n".join(lines))
    return place


@pytest.fixture(scope="module")
def models(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("house")
    asked = ["inspect", "train", "--images", folder, "--file", "test", "--golden", "template",
             "--mask", "boxes", "--groups", "lot", "--model", "sheets", "--budget", "60s",
             "--models", place / "models", "--sets", place / "datasets"]  # fmt: skip
    assert main(list(map(str, asked))) == 0
    return place / "models"


def ask(models: Path, capsys: pytest.CaptureFixture[str], what: str, *more: object) -> Any:
    words = ["inspect", what, "--models", models, "--sets", models.parent / "datasets", *more]
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_it_is_kept_signed_with_what_it_reaches_on_lots_that_were_held_out(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (card,) = Models(models).cards("sheets")
    assert card.method == "beside the golden image"
    assert card.held_out >= 10
    assert card.metrics["auroc"].value == 1.0
    code, told = ask(models, capsys, "evaluate")
    assert code == 0
    assert told["held_out"] is True
    assert told["metrics"]["auroc"]["value"] == 1.0
    file = models / "sheets" / card.version / "model.onnx"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    with pytest.raises(Tampered):
        Models(models).read("sheets", card.version)
    file.write_bytes(content)


def test_where_nobody_can_be_asked_the_cheapest_limit_is_told(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    costs = ["--escape-costs", "50000", "--reject-costs", "2000"]
    code, told = ask(models, capsys, "evaluate", *costs, "--bad-share", "2%")
    assert code == 0
    found = told["cheapest"]
    assert (found["escape"], found["false_reject"], found["cost"]) == (0.0, 0.0, 0.0)
    assert found["accept_all"] == pytest.approx(0.02 * 50_000)
    assert found["reject_all"] == pytest.approx(0.98 * 2000)
    code, told = ask(models, capsys, "evaluate", *costs)
    assert code == 2
    assert "--bad-share" in str(told)


def test_it_finds_defects_of_sheets_that_it_never_saw(
    models: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    golden = sheet(5)  # of another product: the golden image is all that must be known of it
    bad = np.roll(golden, (1, 2), (0, 1))
    bad[30:37, 24:30] = 225
    for name, pixels in (("golden", golden), ("bad", bad), ("good", np.roll(golden, -1, 0))):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    images = [tmp_path / "bad.png", tmp_path / "good.png"]
    code, rows = ask(models, capsys, "judge", *images, "--golden", tmp_path / "golden.png")
    assert code == 1
    assert [row["verdict"] for row in rows] == ["reject", "pass"]
    (box,) = (tuple(map(int, each.split())) for each in rows[0]["boxes"].split("; "))
    left, top, width, height = box
    assert left <= 24 < 30 <= left + width
    assert top <= 30 < 37 <= top + height
    assert rows[1]["boxes"] == ""


def test_without_the_golden_image_it_judges_nothing(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (row,) = ask(models, capsys, "judge", folder / "0_test.png")
    assert (code, row["verdict"]) == (1, "unreadable")
    assert "compares with a golden image, and none is said" in row["problem"]
    words = ["inspect", "judge", str(folder / "0_test.png"), "--models", str(models)]
    assert main([*words, "--golden", "gone.png"]) == 2
    assert "--golden gone.png: there is no such file" in capsys.readouterr().err
