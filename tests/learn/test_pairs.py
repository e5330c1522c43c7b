"""Parts beside their golden image: what differs, how it is named, and what is refused.

The full measurement, with intervals by board, is benchmarks/ai_boards.py.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from deungdae.core.errors import NotEnoughData
from deungdae.learn.pairs import Comparer, Mark, Pair, Trained, train
from deungdae.learn.pairs.comparer import boxed
from deungdae.learn.pairs.places import LOOKS, places
from deungdae.learn.pairs.tones import laid_over, two_tones

Pixels = NDArray[np.uint8]
SIZE = 160


def board(random: np.random.Generator) -> Pixels:
    """Return a board: dark lines of copper, 10 pixels wide, every 30 pixels; and a pad."""
    pixels = np.full((SIZE, SIZE), 255, np.uint8)
    for top in range(15, SIZE - 10, 30):
        pixels[top : top + 10, :] = 0
    left = int(random.integers(40, 100))
    pixels[40:90, left : left + 30] = 0
    return pixels


def spoilt(golden: Pixels, random: np.random.Generator, group: str) -> Pair:
    """Return a pair with a hole in the pad, a piece of copper between lines, and a cut line."""
    seen = golden.copy()
    pad = int(np.flatnonzero(golden[60] == 0)[0])
    boxes, kinds = [], []
    for kind in random.permutation(["hole", "copper", "cut"])[: random.integers(1, 4)]:
        side = int(random.integers(6, 10))
        x = int(random.integers(10, SIZE - 25))
        left, top, tone, high = {
            "hole": (pad + 10, 60, 255, side),
            "copper": (x, 120 - side, 0, side),
            "cut": (x, 135, 255, 10),
        }[str(kind)]
        seen[top : top + high, left : left + side] = tone
        boxes.append((left - 8, top - 8, left + side + 8, top + high + 8))
        kinds.append(str(kind))
    return Pair(golden, seen, tuple(boxes), tuple(kinds), group)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    random = np.random.default_rng(3)
    boards = [board(random) for _ in range(4)]
    return [spoilt(boards[number % 4], random, group=f"board {number % 4}") for number in range(40)]


@pytest.fixture(scope="module")
def trained(pairs: list[Pair]) -> Trained:
    return train(pairs)


@pytest.fixture(scope="module")
def comparer(trained: Trained) -> Comparer:
    return Comparer.load(trained.content)


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the intersection over the union of two boxes."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(across, 0.0) * max(down, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return both / (areas - both)


def right(marks: tuple[Mark, ...], pair: Pair) -> Iterator[bool]:
    """Yield of each marked defect whether it is found, with its name."""
    for box, kind in zip(pair.boxes, pair.kinds, strict=True):
        yield any(mark.kind == kind and overlap(mark.box, box) > 0.5 for mark in marks)


def test_defects_of_boards_it_has_not_seen_are_found_and_named(
    pairs: list[Pair], trained: Trained
) -> None:
    hits = [hit for f, pair in zip(trained.found, pairs, strict=True) for hit in right(f, pair)]
    assert np.mean(hits) > 0.95
    assert sum(map(len, trained.found)) <= len(hits) + 2
    assert trained.missed == 0


def test_the_file_says_what_the_trees_said(pairs: list[Pair], comparer: Comparer) -> None:
    hits = [hit for p in pairs for hit in right(tuple(comparer.compare(p.golden, p.seen)), p)]
    assert all(hits)
    assert comparer.knowledge.kinds == ("copper", "cut", "hole")


def test_what_is_alike_has_no_marks(pairs: list[Pair], comparer: Comparer) -> None:
    assert comparer.compare(pairs[0].golden, pairs[0].golden) == []
    colour = np.repeat(pairs[0].golden[..., None], 3, axis=2)
    assert comparer.compare(pairs[0].golden, colour) == []


@pytest.mark.parametrize("off", [(3, 0), (0, -5), (-7, 6)])
def test_a_part_that_lies_a_little_off_has_the_marks_that_it_would_have(
    pairs: list[Pair], comparer: Comparer, off: tuple[int, int]
) -> None:
    pair = pairs[1]
    moved = np.roll(pair.seen, off, (0, 1))
    found = comparer.compare(pair.golden, moved)
    wanted = [tuple(b + off[1 - i % 2] for i, b in enumerate(box)) for box in pair.boxes]
    for box, kind in zip(wanted, pair.kinds, strict=True):
        assert any(mark.kind == kind and overlap(mark.box, box) > 0.5 for mark in found)


def test_of_a_single_kind_what_is_none_is_told_apart(pairs: list[Pair]) -> None:
    holes = [
        Pair(
            each.golden,
            each.seen,
            tuple(box for box, kind in zip(each.boxes, each.kinds, strict=True) if kind == "hole"),
            tuple(kind for kind in each.kinds if kind == "hole"),
            each.group,
        )
        for each in pairs
    ]
    found = train(holes)
    comparer = Comparer.load(found.content)
    again = [tuple(comparer.compare(each.golden, each.seen)) for each in holes]
    for marks in (found.found, again):
        hits = [h for m, each in zip(marks, holes, strict=True) for h in right(m, each)]
        assert np.mean(hits) > 0.95
        assert sum(map(len, marks)) <= len(hits) + 2


def test_the_same_pairs_teach_the_same(pairs: list[Pair], trained: Trained) -> None:
    again = train(pairs)
    assert again.content == trained.content
    assert again.found == trained.found


# ---- the parts of it


def test_two_tones_are_parted_in_their_gap() -> None:
    pixels = np.array([[10, 20, 30, 200, 210, 220]], np.uint8)
    assert two_tones(pixels).tolist() == [[True, True, True, False, False, False]]
    assert not two_tones(np.full((4, 4), 255, np.uint8)).any()
    assert two_tones(np.zeros((4, 4, 3), np.uint8)).all()


def test_parts_that_are_off_otherwise_than_the_rest_are_laid_over_too() -> None:
    random = np.random.default_rng(1)
    golden = np.kron(random.random((40, 40)) > 0.5, np.ones((8, 8), bool))
    seen = np.roll(golden, (2, 3), (0, 1))
    seen[:, 160:] = np.roll(golden, (5, 3), (0, 1))[:, 160:]
    unlike = laid_over(golden, seen) ^ seen
    assert unlike[16:-16, 16:128].mean() < 0.005
    assert unlike[16:-16, 192:-16].mean() < 0.005
    assert (golden ^ seen).mean() > 0.2


def test_each_place_is_told_by_all_looks(pairs: list[Pair]) -> None:
    found = [place for pair in pairs[:5] for place in places(pair.golden, pair.seen)]
    assert found
    assert all(len(place.looks) == len(LOOKS) for place in found)
    assert np.isfinite([place.looks for place in found]).all()


def test_boxes_stay_within_the_image() -> None:
    assert boxed((0, 5, 10, 15), (4.0, 0.0, 0.1), (18, 100)) == (0.0, 0.0, 15.0, 18.0)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), size=st.tuples(st.integers(32, 40), st.integers(32, 40)))
def test_any_two_images_are_compared_or_refused(
    comparer: Comparer, data: st.DataObject, size: tuple[int, int]
) -> None:
    golden, seen = (data.draw(arrays.arrays(np.uint8, size)) for _ in range(2))
    try:
        found = comparer.compare(golden, seen)
    except NotEnoughData:
        return
    for mark in found:
        assert 0 <= mark.score <= 1
        assert 0 <= mark.box[0] <= mark.box[2] <= size[1]


# ---- what is refused


def test_images_of_two_sizes_are_refused(comparer: Comparer, pairs: list[Pair]) -> None:
    with pytest.raises(ValueError, match="160×160 pixels and the other 160×100"):
        comparer.compare(pairs[0].golden, pairs[0].golden[:100])


def test_tiny_images_are_refused(comparer: Comparer) -> None:
    with pytest.raises(ValueError, match="less than 32 pixels"):
        comparer.compare(np.zeros((31, 90), np.uint8), np.zeros((31, 90), np.uint8))


def test_another_product_is_refused(comparer: Comparer) -> None:
    random = np.random.default_rng(2)
    blocks = [np.kron(random.integers(0, 2, (80, 80)), np.ones((8, 8))) for _ in range(2)]
    golden, seen = ((255 * block).astype(np.uint8) for block in blocks)
    with pytest.raises(NotEnoughData, match="is it of the same product"):
        comparer.compare(golden, seen)


def test_too_little_teaches_nothing(pairs: list[Pair]) -> None:
    with pytest.raises(NotEnoughData, match="marked defects in 1 groups"):
        train(pairs[::4])
    with pytest.raises(NotEnoughData, match="at least 10 in 2"):
        train(pairs[:2])


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08"])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no model of a comparison"):
        Comparer.load(content)


def test_judging_loads_nothing_that_trains() -> None:
    asked = (
        "import sys, deungdae.learn.pairs as p; p.Comparer;"
        "print([n for n in ('torch', 'sklearn', 'lightgbm', 'onnx') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_real_boards_are_compared(shared_data: Path) -> None:
    """Eight boards of DeepPCB: every place that people marked differs from the golden image."""
    folder = shared_data / "deeppcb"
    with (folder / "manifest.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[::20]
    marked = found = 0
    for row in rows:
        images = [
            np.asarray(Image.open(folder / row[f"{of}_image"])) for of in ("template", "test")
        ]
        differing = [place.box for place in places(images[0], images[1])]
        for line in (folder / row["annotation"]).read_text().splitlines():
            box = tuple(int(part) for part in line.split()[:4])
            marked += 1
            found += any(overlap(box, place) > 0 for place in differing)
    assert marked >= 40
    assert found / marked > 0.97
