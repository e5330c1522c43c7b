"""The inspection of images: learnt from few, the same each time, and judged from its file alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import msgspec
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import NotEnoughData
from deungdae.learn.images import Example, Inspector, Region, Trained, school, train
from deungdae.learn.images.candidates import one_thread
from deungdae.learn.images.crops import Crops, Shown
from deungdae.learn.images.defects import made
from deungdae.learn.images.export import exported
from deungdae.learn.images.inspector import KEY, Recipe
from deungdae.learn.images.lesson import learnt
from deungdae.learn.images.network import FIGURES, FILL, Network, Panel
from deungdae.learn.images.sight import Sight
from deungdae.learn.measure import auroc

SIZE = 40


def tile(random: np.random.Generator, *, bad: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a striped tile in a light of its own, with a dark hole if bad, and where that is."""
    y, x = np.mgrid[:SIZE, :SIZE]
    image = 130 + 20 * np.sin(x / 3 + random.uniform(0, 6)) + random.normal(0, 6, (SIZE, SIZE))
    image += random.uniform(-30, 30)
    hole = np.zeros((SIZE, SIZE), bool)
    if bad:
        top, left = random.uniform(8, SIZE - 8, 2)
        hole = (y - top) ** 2 + (x - left) ** 2 < 16
        image[hole] -= 60
    return np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, 2), hole


def tiles(count: int, bad: int, seed: int = 0) -> list[Example]:
    """Return tiles, two of each group; the first so many are bad."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        pixels, hole = tile(random, bad=number < bad)
        group, mask = f"tile {number // 2}", hole if number < bad else None
        found.append(
            Example(pixels=pixels, bad=number < bad, group=group, ref=f"{number}.png", mask=mask)
        )
    return found


def figure(content: bytes, examples: list[Example]) -> float:
    """Return the AUROC of a file on examples."""
    inspector = Inspector.load(content)
    score = [inspector.judge(each.pixels).score for each in examples]
    return auroc(score, [bool(each.bad) for each in examples])


def panel() -> tuple[Panel, Recipe]:
    """Return two networks that have learnt nothing, and how they are to be shown images."""
    torch.manual_seed(0)
    network = Panel([Network(1), Network(1)], [0.1] * FIGURES, 0.5).eval()
    return network, Recipe(Sight(1, area=100_000, multiple=FILL), "networks", 2.0, -1.0)


FILE = exported(*panel())
JUDGE = Inspector.load(FILE)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def simple() -> Trained:
    return train(tiles(32, 12), seconds=0, seed=1)


def test_simple_methods_tell_clear_defects_on_parts_that_they_have_not_seen(
    simple: Trained,
) -> None:
    assert figure(simple.content, tiles(40, 20, seed=9)) > 0.95
    assert auroc(simple.score, [each.bad for each in tiles(32, 12)]) > 0.9
    methods = {each.method: each.auroc for each in simple.tried}
    assert methods.keys() == {"always good", "pca", "nearest neighbour", "ridge"}
    assert methods["always good"] == 0.5
    assert methods[simple.method] == max(methods.values())
    assert "too short for networks" in simple.said[-1]


def test_training_again_gives_the_same_file(simple: Trained) -> None:
    again = train(tiles(32, 12), seconds=0, seed=1)
    assert again.content == simple.content
    assert np.array_equal(again.score, simple.score)


def test_networks_learn_to_tell_defects_and_are_the_same_each_time() -> None:
    shown = [Shown(each.pixels[:, :, :1], bool(each.bad), each.group, each.mask)
             for each in tiles(32, 12)]  # fmt: skip
    told: list[float] = []
    first, _ = learnt(shown, 32, 12, 5, told.append)
    second, _ = learnt(shown, 32, 12, 5, lambda _done: None)
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert told[-1] == 1.0


def test_networks_are_tried_within_the_budget_and_judge_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(school, "FOLDS", 2)
    said: list[str] = []
    trained = train(
        tiles(16, 6), seconds=8, seed=1, progress=lambda what, _share: said.append(what)
    )
    tried = {each.method: each.auroc for each in trained.tried}
    assert "network 2 of 2" in said
    assert said[-1] == "done"
    assert tried["networks"] > 0.5
    assert tried[trained.method] == max(tried.values())


def test_a_lesson_ends_in_good_order_when_its_time_is_used_up() -> None:
    shown = [Shown(each.pixels[:, :, :1], bool(each.bad), each.group, each.mask)
             for each in tiles(32, 12)]  # fmt: skip
    clock = iter([0.1, 0.5, 0.9, 1.3])
    told: list[float] = []
    _, steps = learnt(shown, 32, 50, 5, told.append, lambda: next(clock))
    assert steps == 4
    assert told == [0.1, 0.5, 0.9, 1.0]


def test_the_file_judges_as_the_networks_do() -> None:
    network, recipe = panel()
    sight = recipe.sight
    random = np.random.default_rng(0)
    for shape in ((64, 64), (100, 70), (331, 203)):
        pixels = np.repeat(random.integers(0, 255, (*shape, 1), np.uint8), 3, 2)
        with torch.inference_mode():
            logit, heat = network(torch.from_numpy(sight.tensor(sight.shown(pixels))))
        judged = JUDGE.judge(pixels)
        assert judged.score == pytest.approx(float(torch.sigmoid(2 * logit - 1)[0]), abs=1e-5)
        rows, columns = judged.heat.shape
        assert (rows, columns) == (round(shape[0] / 8), round(shape[1] / 8))
        wanted = torch.sigmoid(2 * heat - 1)[0, 0, :rows, :columns].numpy()
        assert np.allclose(judged.heat, wanted, atol=1e-4)
    assert exported(network, recipe) == FILE


def test_good_parts_alone_are_enough_and_it_is_said_what_that_is_worth() -> None:
    trained = train(tiles(20, 0), seconds=0)
    assert figure(trained.content, tiles(40, 20, seed=9)) > 0.9
    assert "nothing can be promised about real ones" in trained.said[0]
    assert len(trained.score) == 20
    assert trained.score.max() < 1


def test_images_that_nobody_labelled_get_a_score_too() -> None:
    examples = tiles(24, 8)
    examples[0] = msgspec.structs.replace(examples[0], bad=None)
    examples[-1] = msgspec.structs.replace(examples[-1], bad=None)
    trained = train(examples, seconds=0)
    assert trained.score[0] > trained.score[-1]


def test_too_few_images_are_refused_with_what_is_missing() -> None:
    with pytest.raises(NotEnoughData, match="9 good images of 11: with fewer than 10"):
        train(tiles(11, 2), seconds=0)
    with pytest.raises(NotEnoughData, match="0 good images of 12"):
        train(tiles(12, 12), seconds=0)
    alone = [msgspec.structs.replace(each, group="one") for each in tiles(12, 0)]
    with pytest.raises(NotEnoughData, match="one group"):
        train(alone, seconds=0)


def test_labels_that_contradict_each_other_are_named() -> None:
    examples = tiles(20, 6)
    examples.append(msgspec.structs.replace(examples[0], bad=False, ref="again.png", mask=None))
    said = train(examples, seconds=0).said
    assert said[0] == "the same image is called good and bad: 0.png, again.png"


def test_images_without_any_structure_are_survived() -> None:
    flat = [
        Example(pixels=np.full((20, 30, 3), level, np.uint8), bad=level > 110, group=str(level))
        for level in range(100, 114)
    ]
    trained = train(flat, seconds=0)
    assert np.isfinite(trained.score).all()
    assert 0 <= Inspector.load(trained.content).judge(flat[0].pixels).score <= 1


def test_colour_is_looked_at_where_there_is_some() -> None:
    random = np.random.default_rng(3)
    examples = []
    for number in range(24):
        pixels = random.integers(90, 110, (32, 32, 3)).astype(np.uint8)
        pixels[:, :, 0] += 60  # the good are red all over
        if number < 10:  # a green spot, as light as what is about it
            pixels[8:16, 8:16] = pixels[8:16, 8:16, [1, 0, 2]]
        examples.append(Example(pixels=pixels, bad=number < 10, group=str(number)))
    trained = train(examples, seconds=0)
    assert auroc(trained.score, [each.bad for each in examples]) > 0.95


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a file of 0 bytes"),
        (b"not a model at all", "no ONNX file"),
        (b"\x08\x08" * 50, "no ONNX file"),
    ],
)
def test_what_is_no_model_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Inspector.load(content)


def test_a_model_that_was_changed_is_refused() -> None:
    model = onnx.load_from_string(FILE)

    def with_recipe(recipe: str) -> bytes:
        onnx.helper.set_model_props(model, {KEY: recipe})
        return bytes(model.SerializeToString())

    good = next(each.value for each in model.metadata_props)
    Inspector.load(with_recipe(good))
    for recipe, said in (
        ("{", "damaged"),
        (good.replace('"format":1', '"format":2'), "format 2"),
        (good.replace('"channels":1', '"channels":2'), "damaged"),
        (good.replace('"area":100000', '"area":-1'), "damaged"),
        (good.replace('"area"', '"space"'), "damaged"),
    ):
        with pytest.raises(ValueError, match=said):
            Inspector.load(with_recipe(recipe))
    onnx.helper.set_model_props(model, {"other": "x"})
    with pytest.raises(ValueError, match="not one of this house"):
        Inspector.load(bytes(model.SerializeToString()))
    with pytest.raises(ValueError, match="no inspection"):
        Inspector.load(FILE[:-2000])


@settings(deadline=None, max_examples=20)
@given(height=st.integers(16, 200), width=st.integers(16, 200), level=st.integers(0, 255))
def test_images_of_any_size_are_judged(height: int, width: int, level: int) -> None:
    judged = JUDGE.judge(np.full((height, width, 3), level, np.uint8))
    assert 0 <= judged.score <= 1
    assert judged.heat.min() >= 0
    assert judged.heat.max() <= 1
    assert judged.heat.dtype == np.float32


def test_a_large_image_is_shrunk_before_it_is_judged() -> None:
    random = np.random.default_rng(0)
    large = random.integers(0, 255, (2400, 3200, 3)).astype(np.uint8)
    heat = JUDGE.judge(large).heat
    assert heat.size * 64 <= 1.1 * JUDGE.recipe.sight.area


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((15, 40, 3), np.uint8),
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.uint16),
    ],
)
def test_what_is_no_image_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"an image is|px"):
        JUDGE.judge(pixels)
    with pytest.raises(ValueError, match=r"an image is|px"):
        train([*tiles(12, 0), Example(pixels=pixels, bad=True, group="x")], seconds=0)


def test_a_region_that_is_borne_with_lowers_the_score(simple: Trained) -> None:
    inspector = Inspector.load(simple.content)
    hole = next(each for each in tiles(8, 8, seed=4) if each.mask is not None)
    plain = inspector.judge(hole.pixels)
    rows, columns = np.nonzero(plain.heat == plain.heat.max())
    top, left = rows[0] / plain.heat.shape[0], columns[0] / plain.heat.shape[1]
    around = Region(
        top=max(0, top - 0.3),
        left=max(0, left - 0.3),
        bottom=min(1, top + 0.3),
        right=min(1, left + 0.3),
    )
    half = inspector.judge(hole.pixels, [msgspec.structs.replace(around, tolerance=0.5)])
    none = inspector.judge(hole.pixels, [around])
    assert plain.score > half.score > none.score
    assert none.heat[rows[0], columns[0]] == 0
    with pytest.raises(ValueError, match="a region lies in the image"):
        Region(top=0.5, left=0, bottom=0.4, right=1)


def test_made_defects_are_seen_and_lie_where_they_are_said_to_be() -> None:
    random = np.random.default_rng(0)
    image = torch.from_numpy(random.uniform(0.3, 0.6, (1, 3, 64, 64)).astype(np.float32))
    for _ in range(60):
        drawn, mask = made(image, image.flip(3), random)
        assert drawn.shape == image.shape
        assert mask.shape == (1, 1, 64, 64)
        assert float(drawn.min()) >= 0
        assert float(drawn.max()) <= 1


def test_crops_show_good_and_bad_whatever_is_known_of_the_defects() -> None:
    random = np.random.default_rng(0)
    for masked in (True, False):
        shown = [
            Shown(each.pixels[:, :, :1], bool(each.bad), each.group, each.mask if masked else None)
            for each in tiles(20, 6)
        ]
        crops = Crops(shown, 32, random).batch(60)
        assert {crop.image.shape for crop in crops} == {(1, 1, 32, 32)}
        assert 10 < sum(crop.bad == 1 for crop in crops) < 50
        assert all(crop.told for crop in crops) is masked


def test_judging_needs_no_training_package() -> None:
    """What judges must stay small: no PyTorch, scikit-learn, SciPy or onnx in its process."""
    code = (
        "import sys, numpy; from deungdae.learn.images import Inspector, Example, train;"
        "Inspector.load(sys.stdin.buffer.read()).judge(numpy.zeros((40, 60, 3), numpy.uint8));"
        "print(sorted({'torch', 'sklearn', 'scipy', 'onnx', 'lightgbm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=FILE, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
