"""Whether images of a folder look like those a model learnt from, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deungdae.app.cli import main
from deungdae.app.models import Models
from deungdae.core.errors import NotEnoughData
from deungdae.learn.drift import Window, look
from deungdae.learn.images import Judgement
from deungdae.learn.registry import Card


class Reader:
    """Sees no part in images that are nearly white."""

    def judge(self, pixels: np.ndarray) -> Judgement:
        if pixels.mean() > 240:
            raise NotEnoughData("no part is seen")
        return Judgement(float(pixels[0, 0, 0]) / 1000, np.zeros((1, 1), np.float32))


def image(random: np.random.Generator, light: float) -> np.ndarray:
    grain = random.normal(light + random.normal(0, 4), 20 + random.normal(0, 2), (24, 24, 3))
    return np.clip(grain, 0, 255).astype(np.uint8)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a model that learnt from bright images."""
    monkeypatch.setattr("deungdae.insight.vision.taught.load", lambda content: Reader())
    random = np.random.default_rng(0)
    seen = [image(random, 150) for _ in range(200)]
    table = {key: [look(each)[key] for each in seen] for key in look(seen[0])}
    score = [Reader().judge(each).score for each in seen]
    card = Card(
        name="eye", content="", method="marks", dataset="d@1", images=200, groups=200, bad=9,
        held_out=50, trained=1, seed=1, seconds=9.0, accept=0.4, reject=0.6, escape=0.05,
        false_reject=0.05, window=Window.of({**table, "score": score}),
    )  # fmt: skip
    Models(tmp_path / "models").add(card, b"a model")
    return tmp_path / "models"


def folder(path: Path, light: float, count: int = 60) -> Path:
    random = np.random.default_rng(5)
    path.mkdir()
    for n in range(count):
        Image.fromarray(image(random, light)).save(path / f"{n:03}.png")
    (path / "notes.txt").write_text("no image")
    (path / "broken.png").write_bytes(b"no image either")
    return path


def told(capsys: pytest.CaptureFixture[str], models: Path, images: Path, rc: int) -> Any:
    capsys.readouterr()
    asked = ["inspect", "drift", "--models", str(models), "--images", str(images), "--json"]
    assert main(asked) == rc
    return json.loads(capsys.readouterr().out)


def test_images_as_ever_and_darker_ones(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = told(capsys, models, folder(tmp_path / "same", 150), 0)
    assert (same["images"], same["notices"], len(same["changes"])) == (60, [], 4)
    dark = told(capsys, models, folder(tmp_path / "dark", 80), 1)
    problems = [each["problem"] for each in dark["notices"]]
    assert "the images are darker than those it learnt from" in problems
    asked = ["inspect", "drift", "--models", str(models), "--images", str(tmp_path / "dark")]
    assert main(asked) == 1
    assert "clean the lamp" in capsys.readouterr().out


def test_images_without_parts_few_images_and_no_folder(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    white = told(capsys, models, folder(tmp_path / "white", 400), 1)
    assert "on many images the model sees no part any more" in [
        each["problem"] for each in white["notices"]
    ]
    for images, said in ((folder(tmp_path / "few", 150, 9), "9 parts show no drift yet"),
                         (tmp_path / "none", "there is no such folder")):  # fmt: skip
        asked = ["inspect", "drift", "--models", str(models), "--images", str(images)]
        assert main(asked) != 0
        assert said in capsys.readouterr().err
