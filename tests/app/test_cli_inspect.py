"""An inspection trained on the command line with weights from elsewhere."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deungdae.app.cli import main
from deungdae.app.models import Models
from deungdae.learn.images import candidates
from deungdae.learn.images.resnet import ResNet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give images of ribbed parts, and of some whose ribs run across in one place."""
    random = np.random.default_rng(0)
    rows = [("file", "label", "part")]
    for number in range(48):
        image = np.zeros((48, 48)) + 120 + 40 * np.sin(np.arange(48) * 1.4 + random.uniform(0, 6))
        if number < 16:
            image[12:34, 12:34] = image[:22, :22].T
        image += random.normal(0, 4, image.shape)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", "crack" if number < 16 else "good", f"part {number // 2}"))
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    torch.manual_seed(0)
    torch.save(ResNet("resnet18").state_dict(), tmp_path / "resnet18.pth")
    return tmp_path


def train(folder: Path, *more: object) -> int:
    """Train in seconds, too few for networks; return the exit code."""
    asked = ["--images", folder, "--groups", "part", "--model", "ribs", "--budget", "4s"]
    return main(["inspect", "train", *map(str, [*asked, *more]), "--workers", "1",
                 "--sets", str(folder / "sets"), "--models", str(folder / "models")])  # fmt: skip


def test_the_card_says_whose_weights_judge(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    simple = candidates.simple  # which are as good here
    monkeypatch.setattr(candidates, "simple", lambda *args: [next(simple(*args))])
    weights = folder / "resnet18.pth"
    assert train(folder, "--weights", weights, "--weights-licence", "BSD-3-Clause", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["method"] == "backbone"
    digest = f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    assert card["weights"] == {"name": "resnet18.pth", "content": digest, "kind": "resnet18",
                               "licence": "BSD-3-Clause", "used": True}  # fmt: skip
    said = "it judges with weights from elsewhere: resnet18.pth, resnet18; licence: BSD-3-Clause"
    assert said in card["limits"]
    (kept,) = Models(folder / "models").cards("ribs")  # signed, with all of that
    assert kept.weights is not None
    assert kept.weights.content == digest
    main(["inspect", "judge", str(folder / "0.png"), str(folder / "40.png"), "--json",
          "--models", str(folder / "models")])  # fmt: skip
    bad, good = json.loads(capsys.readouterr().out)
    assert bad["score"] > good["score"]


def test_it_says_that_weights_were_not_needed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, "--weights", folder / "resnet18.pth") == 0
    told = capsys.readouterr().out
    assert "- weights from elsewhere were given, resnet18.pth, but pca judges, without" in told
    assert "weights from elsewhere: resnet18.pth, sha256:" in told
    (kept,) = Models(folder / "models").cards("ribs")
    assert kept.weights is not None
    assert not kept.weights.used
    assert "backbone" in {each.method for each in kept.tried}


def test_what_are_no_weights_is_refused_before_anything_is_learnt(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.pth").write_text("conv1.weight = 3")
    with (folder / "huge.pth").open("wb") as file:
        file.truncate(601_000_000)  # takes no room
    for weights, said in (
        ("nowhere.pth", "there is no such file"),
        ("notes.pth", "weights notes.pth: it is damaged, or holds more than tensors"),
        ("huge.pth", "601,000,000 bytes; those of a ResNet have 600,000,000 at the most"),
    ):
        assert train(folder, "--weights", folder / weights) == 2
        assert said in capsys.readouterr().err
    assert train(folder, "--weights-licence", "MIT") == 2
    assert "of which weights? Say --weights FILE" in capsys.readouterr().err
    assert not (folder / "models").exists()
