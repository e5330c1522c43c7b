"""A network that learnt elsewhere: read with suspicion, and tried like any other method."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.learn.images import Example, Inspector, Trained, Weights, candidates, train, training
from deungdae.learn.images.backbone import KNOWN, SIGHT, Backbone, Memory, cost
from deungdae.learn.images.borrowed import read
from deungdae.learn.images.candidates import one_thread
from deungdae.learn.images.export import exported
from deungdae.learn.images.inspector import Recipe
from deungdae.learn.images.resnet import KINDS, ResNet
from deungdae.learn.images.school import enrolled
from deungdae.learn.measure import auroc

SIMPLE = candidates.simple
SECONDS = 4.0  # enough for weights from elsewhere, and too short for networks


def blank(kind: str) -> dict[str, torch.Tensor]:
    """Return weights that are all 0, in few bytes."""
    with torch.device("meta"):
        state = ResNet(kind).state_dict()
    return {
        name: torch.zeros((), dtype=each.dtype).expand(each.shape) for name, each in state.items()
    }


def saved(tensors: object, *, old: bool = False) -> bytes:
    """Return what torch.save writes, now or until 2020."""
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


def safe(tensors: Mapping[str, torch.Tensor], **changed: object) -> bytes:
    """Return a file in the format of safetensors. changed: what its header says instead."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    names = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    for name, each in tensors.items():
        content = each.numpy().tobytes()
        at = [len(body), len(body) + len(content)]
        header[name] = {"dtype": names[each.dtype], "shape": list(each.shape), "data_offsets": at}
        header[name] |= changed  # type: ignore[operator]
        body += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


torch.manual_seed(0)
STATE = dict(ResNet("resnet18").state_dict())  # it learnt nothing
FILE = saved(STATE)
WEIGHTS = Weights(FILE, "resnet18.pth", "BSD-3-Clause")


def parts(count: int = 24, bad: int = 10, seed: int = 0) -> list[Example]:
    """Return ribbed parts in a light of their own; in one place of the bad ones ribs run across."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        image = np.zeros((64, 64))
        image += 120 + 40 * np.sin(np.arange(64) * 1.4 + random.uniform(0, 6))
        if number < bad:
            top, left = random.integers(8, 40, 2)
            image[top : top + 20, left : left + 20] = image[:20, :20].T
        image = image * random.uniform(0.7, 1.3) + random.normal(0, 4, (64, 64))
        pixels = np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, 2)
        found.append(Example(pixels=pixels, bad=number < bad, group=f"part {number // 2}"))
    return found


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with one_thread():
        yield


def alone(examples: list[Example]) -> Trained:
    """Return what is learnt where no simple method tells anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "simple", lambda *args: islice(SIMPLE(*args), 1))
        return train(examples, seconds=SECONDS, seed=1, weights=WEIGHTS)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return alone(parts())


@pytest.mark.parametrize("kind", KINDS)
def test_which_network_it_is_is_told_from_its_tensors(kind: str) -> None:
    assert training.kind(Weights(saved(blank(kind)), "some.pth")) == kind


def test_a_resnet_sees_as_its_inventors_drew_it() -> None:
    """Shapes and products: He et al. (2016), table 1, for images of 224 px and without stage 4."""
    for kind, channels, products in (
        ("resnet18", (128, 256), 1.8e9 - 0.41e9),
        ("resnet34", (128, 256), 3.6e9 - 0.64e9),
    ):
        network = ResNet(kind).eval()
        with torch.inference_mode():
            second, third = network(torch.zeros(1, 3, 224, 224))
        assert second.shape == (1, channels[0], 28, 28)
        assert third.shape == (1, channels[1], 14, 14)
        assert network.work() * 224**2 == pytest.approx(products, rel=0.05)


@pytest.mark.parametrize(
    "content",
    [
        saved(STATE, old=True),
        saved({name: each.half() for name, each in STATE.items()}),
        saved({name: each for name, each in STATE.items() if "tracked" not in name}),
        saved(STATE | {"fc.weight": torch.zeros(1000, 512), "layer4.0.x": torch.zeros(1)}),
        safe(STATE),
        safe({name: each.half() for name, each in STATE.items()}),
    ],
)
def test_files_of_all_ages_are_read(content: bytes) -> None:
    network = read(Weights(content, "some.pth"))
    assert not network.training
    for name, each in network.state_dict().items():
        assert torch.allclose(each.float(), STATE[name].float(), atol=1e-3)


def with_one(name: str, value: torch.Tensor) -> bytes:
    """Return a file of which one tensor is another."""
    return saved(STATE | {name: value})


BAD = {
    "empty": (b"", "a file of 0 bytes"),
    "text": (b"conv1.weight = 3\n", "it is damaged, or holds more than tensors"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "it is damaged, or holds more"),
    "cut off": (FILE[:-1000], "it is damaged"),
    "an old one cut off": (saved(STATE, old=True)[:-1000], r"damaged|no file of"),
    "a whole model": (saved(Path("any")), "it is damaged, or holds more than tensors"),
    "a pickle": (pickle.dumps({"a": 1}), "no file of torch.save or safetensors"),
    "one tensor": (saved(torch.zeros(3)), "it holds a Tensor"),
    "a checkpoint": (saved({"epoch": 3, "state_dict": STATE}), "calls epoch is no tensor"),
    "in parallel": (
        saved({f"module.{name}": each for name, each in STATE.items()}),
        "called otherwise: module.conv1.weight",
    ),
    "no tensors": (saved({}), "called otherwise: nothing"),
    "deeper": (
        saved(blank("resnet50") | {"layer3.6.conv1.weight": torch.zeros(256, 1024, 1, 1)}),
        r"most like resnet50, but layer3.6.conv1.weight is \(256, 1024, 1, 1\), not missing",
    ),
    "grey": (
        with_one("conv1.weight", torch.zeros(64, 1, 7, 7)),
        r"most like resnet18, but conv1.weight is \(64, 1, 7, 7\), not \(64, 3, 7, 7\)",
    ),
    "lacking": (
        saved({name: each for name, each in STATE.items() if name != "bn1.weight"}),
        r"most like resnet18, but bn1.weight is missing, not \(64,\)",
    ),
    "huge in words": (
        with_one("conv1.weight", torch.zeros(1).expand(10**6, 10**6)),
        r"conv1.weight is \(1000000, 1000000\)",
    ),
    "no number": (with_one("bn1.bias", torch.full((64,), torch.nan)), "bn1.bias holds what is no"),
    "whole numbers": (with_one("bn1.bias", torch.zeros(64, dtype=torch.int32)), "torch.int32"),
    "below 0": (with_one("bn1.running_var", -torch.ones(64)), "a spread below 0"),
    "without values": (with_one("bn1.bias", torch.zeros(64, device="meta")), "on meta tensors"),
    "too large": (
        with_one("conv1.weight", torch.full((64, 3, 7, 7), 3e38)),
        "it sees what is no number",
    ),
    "safe, cut off": (safe(STATE)[:-1000], "damaged safetensors"),
    "safe, shared": (safe(STATE, data_offsets=[0, 9_000_000]), "damaged safetensors"),
    "safe, odd": (safe(STATE, dtype="F8"), "damaged safetensors"),
    "safe, nothing": (struct.pack("<Q", 2) + b"{}", "called otherwise: nothing"),
    "safe, no header": (struct.pack("<Q", 10**18) + b"{", "damaged safetensors"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_are_no_weights_is_refused_in_words(what: str) -> None:
    content, said = BAD[what]
    with pytest.raises(ValueError, match=rf"^weights some.pth: .*({said})") as refused:
        read(Weights(content, "some.pth"))
    assert "right are those of resnet18, resnet34, resnet50, wide_resnet50_2" in str(refused.value)
    assert "weights_only" not in str(refused.value)  # nobody is told how to run what is in it


SMALL = {"zip": saved({"conv1.weight": torch.ones(2)}), "safe": safe({"bn1.bias": torch.ones(2)}),
         "old": saved({"bn1.bias": torch.ones(2)}, old=True)}  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from([*SMALL]), at=st.integers(0, 2000), other=st.binary(max_size=12))
def test_whatever_is_in_a_file_it_is_refused_in_words(kind: str, at: int, other: bytes) -> None:
    content = bytearray(SMALL[kind])
    at %= len(content)
    content[at : at + len(other)] = other
    for broken in (bytes(content), bytes(content[:at]), other):
        with pytest.raises(ValueError, match="right are those of"):
            read(Weights(broken, "some.pth"))


def test_a_file_that_is_too_large_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deungdae.learn.images.borrowed.LARGEST", 1000)
    with pytest.raises(ValueError, match=r"a file of [\d,]+ bytes, 1,000 at the most"):
        read(WEIGHTS)


def test_more_may_not_be_packed_in_it_than_its_size_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2_000_000))
    monkeypatch.setattr("deungdae.learn.images.borrowed.LARGEST", 1_000_000)
    with pytest.raises(ValueError, match="2,000,000 bytes are packed in it, 1,000,000"):
        read(Weights(file.getvalue(), "some.pth"))


def test_it_judges_where_it_tells_best(trained: Trained) -> None:
    tried = {each.method: each.auroc for each in trained.tried}
    assert tried.keys() == {"always good", "backbone"}
    assert trained.method == "backbone"
    assert tried["backbone"] > 0.9
    assert tried["backbone"] == pytest.approx(
        auroc(trained.score, [bool(each.bad) for each in parts()])
    )
    inspector = Inspector.load(trained.content)
    others = parts(40, 20, seed=9)
    judged = [inspector.judge(each.pixels) for each in others]
    assert auroc([each.score for each in judged], [bool(each.bad) for each in others]) > 0.9
    assert judged[0].heat.shape == (8, 8)


def test_it_is_tried_beside_the_others_and_not_taken_where_one_is_as_good() -> None:
    found = train(parts(), seconds=SECONDS, seed=1, weights=WEIGHTS)
    tried = {each.method: each.auroc for each in found.tried}
    assert tried.keys() == {"always good", "pca", "nearest neighbour", "ridge", "backbone"}
    assert found.method != "backbone"
    assert tried[found.method] == max(tried.values())


def test_training_again_gives_the_same_file(trained: Trained) -> None:
    again = alone(parts())
    assert again.content == trained.content
    assert np.array_equal(again.score, trained.score)


def test_from_good_parts_alone_the_furthest_place_tells() -> None:
    found = alone(parts(20, 0))
    assert found.method == "backbone"
    inspector, others = Inspector.load(found.content), parts(40, 20, seed=9)
    judged = [inspector.judge(each.pixels) for each in others]
    assert auroc([each.score for each in judged], [bool(each.bad) for each in others]) > 0.9
    assert max(each.heat.max() - each.score for each in judged) < 1e-3


def test_its_cost_is_reckoned_and_what_is_too_dear_is_said() -> None:
    school = enrolled(parts(), 10.0, 0)
    dear = [cost(school, ResNet(kind)) for kind in KINDS]
    assert dear == sorted(dear) == [cost(school, ResNet(kind)) for kind in KINDS]
    found = train(parts(), seconds=0.1, weights=WEIGHTS)
    assert "backbone" not in {each.method for each in found.tried}
    assert any("0.1 s are too short for weights from elsewhere" in each for each in found.said)


def test_the_file_judges_as_the_network_does() -> None:
    eye = read(WEIGHTS)
    torch.manual_seed(1)
    memory = Memory(eye, torch.rand(50, sum(eye.channels)), torch.full((sum(eye.channels),), 3.0))
    network = Backbone(memory, [0.5, 0.1, 0.2, 0.0, -0.1], 0.3, -1.0, 2.0).eval()
    inspector = Inspector.load(exported(network, Recipe(SIGHT, "backbone", 2.0, -1.0)))
    random = np.random.default_rng(0)
    for shape in ((16, 16), (64, 96), (331, 203), (700, 900)):
        pixels = random.integers(0, 255, (*shape, 3), np.uint8)
        with torch.inference_mode():
            logit, heat = network(torch.from_numpy(SIGHT.tensor(SIGHT.shown(pixels))))
        judged = inspector.judge(pixels)
        assert judged.score == pytest.approx(float(torch.sigmoid(2 * logit - 1)[0]), abs=1e-4)
        rows, columns = judged.heat.shape
        assert rows * columns * 64 < 1.2 * SIGHT.area
        wanted = torch.sigmoid(2 * heat - 1)[0, 0, :rows, :columns].numpy()
        assert np.allclose(judged.heat, wanted, atol=1e-3)


def test_what_is_known_of_good_places_is_bounded(trained: Trained) -> None:
    layers = 3_000_000  # numbers that resnet18 has in what is used of it
    assert len(trained.content) < 4 * (layers + KNOWN * 400) * 1.1


def test_images_without_any_structure_are_survived() -> None:
    flat = [
        Example(pixels=np.full((20, 30, 3), level, np.uint8), bad=level > 110, group=str(level))
        for level in range(100, 114)
    ]
    found = train(flat, seconds=SECONDS, weights=WEIGHTS)
    assert np.isfinite(found.score).all()


def test_judging_needs_no_training_package(trained: Trained) -> None:
    code = (
        "import sys, numpy; from deungdae.learn.images import Inspector;"
        "Inspector.load(sys.stdin.buffer.read()).judge(numpy.zeros((40, 60, 3), numpy.uint8));"
        "print(sorted({'torch', 'sklearn', 'scipy', 'onnx', 'lightgbm'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=trained.content, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"[]"
