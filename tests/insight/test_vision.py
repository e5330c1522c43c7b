"""The inspection of bricks: where they lie, what good ones are, what is found, and how often."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Picture, Window
from deungdae.core.types import SECOND, Finding, Signal
from deungdae.insight.vision import Reference, Vision, VisionOptions, heat_map, inspect, learn
from deungdae.insight.vision.face import face, shape_of
from deungdae.insight.vision.place import find, shrunk
from deungdae.model.factory import Factory, Identity
from deungdae.sim.scene import KINDS, Defect, Scene, brick, wandering

Pixels = NDArray[np.uint8]
SIZE = (150, 200)


def plain(
    corners: list[tuple[float, float]], size: tuple[int, int] = (120, 160), light: float = 1.0
) -> Pixels:
    """Return a brown quadrangle on grey, edges smooth. corners: clockwise, (x, y)."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    inside = np.full(size, np.inf)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        across = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        inside = np.minimum(inside, across / np.hypot(bx - ax, by - ay))
    cover = np.clip(inside + 0.5, 0, 1)[..., None]
    noise = np.random.default_rng(1).normal(0, 1.5, (*size, 3))
    image = (np.asarray([150, 100, 70]) * cover + 40 * (1 - cover)) * light + noise
    return np.clip(image, 0, 255).astype(np.uint8)


# ---- where it lies


@pytest.mark.parametrize(
    "corners",
    [
        [(30.0, 30.0), (130.0, 30.0), (130.0, 90.0), (30.0, 90.0)],
        [(34.0, 25.0), (132.0, 36.0), (126.0, 92.0), (28.0, 81.0)],  # turned
        [(30.0, 30.0), (130.0, 38.0), (130.0, 82.0), (30.0, 90.0)],  # an arch brick
    ],
)
def test_corners_are_found_to_half_a_pixel(corners: list[tuple[float, float]]) -> None:
    found = find(plain(corners)).corners
    assert np.abs(found - np.asarray(corners)).max() < 1.0
    assert np.abs(found - np.asarray(corners)).mean() < 0.6


def test_a_shadow_beside_the_brick_is_not_the_brick() -> None:
    corners = [(30.0, 30.0), (130.0, 30.0), (130.0, 90.0), (30.0, 90.0)]
    image = plain(corners).astype(float)
    image[34:97, 131:136] *= 0.2  # at the right, where the lamp from the left does not reach
    image[91:97, 34:136] *= 0.2
    found = find(image.astype(np.uint8)).corners
    assert np.abs(found - np.asarray(corners)).max() < 1.0


def test_a_large_image_is_searched_small_and_found_in_its_own_pixels() -> None:
    corners = [(150.0, 100.0), (650.0, 120.0), (640.0, 400.0), (140.0, 380.0)]
    assert np.abs(find(plain(corners, (480, 800))).corners - np.asarray(corners)).max() < 3.0


def test_an_image_without_a_brick_is_said_to_be_one() -> None:
    empty = np.random.default_rng(2).normal(60, 2, (120, 160, 3)).astype(np.uint8)
    with pytest.raises(NotEnoughData):
        find(empty)
    with pytest.raises(NotEnoughData, match="less than 32 pixels"):
        find(np.zeros((10, 10, 3), np.uint8))


@settings(deadline=None, max_examples=30)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 48), st.integers(1, 48), st.just(3))))
def test_any_image_is_seen_or_refused(pixels: Pixels) -> None:
    try:
        place = find(pixels)
    except NotEnoughData:
        return
    assert np.isfinite(face(pixels, place, shape_of(place.corners)).layers).all()


def test_the_light_is_taken_out_and_the_colour_stays() -> None:
    corners = [(30.0, 30.0), (130.0, 30.0), (130.0, 90.0), (30.0, 90.0)]
    fall = np.linspace(0.6, 1.2, 160)[None, :, None]
    even = plain(corners)
    aslant = np.clip(even * fall, 0, 255).astype(np.uint8)
    faces = [face(image, find(image), (60, 100)) for image in (even, aslant)]
    assert np.abs(faces[1].layers[0, 3:-3, 3:-3]).mean() < 0.02
    tints = [seen.colour - seen.colour[1] for seen in faces]  # against green
    assert tints[1] == pytest.approx(tints[0], abs=0.01)
    assert faces[0].colour == pytest.approx(np.log([150 / 40, 100 / 40, 70 / 40]), abs=0.03)


def test_shrinking_gives_means() -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    small = shrunk(pixels, 2)
    assert small.shape == (2, 3, 3)
    assert small[1, 2, 0] == pixels[2:4, 4:6, 0].mean()


# ---- what is learnt and found


@pytest.fixture(scope="module")
def good() -> list[Pixels]:
    """Return good bricks in one light."""
    random = np.random.default_rng(20260302)
    return [brick(random, size=SIZE).pixels for _ in range(60)]


@pytest.fixture(scope="module")
def reference(good: list[Pixels]) -> Reference:
    return learn(good, false_rejects=0.05)


def broken(kind: str, seed: int, severity: float = 0.8) -> Scene:
    """Return a brick with a defect that nobody would miss, in some light."""
    random = np.random.default_rng(seed)
    return brick(random, defects=[Defect(kind=kind, severity=severity)], size=SIZE)


@pytest.mark.parametrize("kind", KINDS)
def test_severe_defects_are_rejected(reference: Reference, kind: str) -> None:
    found = [inspect(broken(kind, seed).pixels, reference) for seed in range(6)]
    assert sum(verdict.reject for verdict in found) >= 5
    if kind in ("colour", "crack"):
        assert sum(kind in verdict.kinds for verdict in found) >= 4


@pytest.mark.parametrize("kind", ["crack", "blowhole", "stain"])
def test_the_heat_is_where_the_defect_is(reference: Reference, kind: str) -> None:
    hits = 0
    for seed in range(6):
        scene = broken(kind, seed)
        verdict = inspect(scene.pixels, reference)
        heat = heat_map(verdict, *SIZE)
        assert heat.shape == SIZE
        assert heat.dtype == np.float32
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        near = scene.masks[kind][max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        left, top, width, height = verdict.boxes[0] if verdict.boxes else (0, 0, 0, 0)
        boxed = left - 2 <= x <= left + width + 2 and top - 2 <= y <= top + height + 2
        hits += bool(near.any() and boxed)
    assert hits >= 5


def area_under_curve(good: NDArray[np.float64], bad: NDArray[np.float64]) -> float:
    return float((bad[:, None] > good).mean() + (bad[:, None] == good).mean() / 2)


def test_bricks_in_other_light_are_told_apart(reference: Reference) -> None:
    """The full measurement, with intervals by light, is benchmarks/ai_bricks.py."""
    random = np.random.default_rng(5)

    def score(*defects: Defect) -> float:
        scene = brick(random, defects=defects, light=wandering(random), size=SIZE)
        return inspect(scene.pixels, reference).score

    whole = np.asarray([score() for _ in range(30)])
    severe = [score(Defect(kind=kind, severity=0.6)) for kind in KINDS for _ in range(6)]
    assert area_under_curve(whole, np.asarray(severe)) > 0.95
    assert (whole > reference.threshold).mean() < 0.25


def test_a_hole_is_further_from_good_than_a_speck_of_rust(
    good: list[Pixels], reference: Reference
) -> None:
    """Both are as dark; a hole is as dark in all colours, rust is red."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    spot = np.exp(-((y - 75) ** 2 + (x - 100) ** 2) / (2 * 1.5**2))[..., None]
    scores = [
        inspect((good[3] * np.exp(spot * np.log(shade))).astype(np.uint8), reference).score
        for shade in ([0.65, 0.65, 0.65], [0.78, 0.60, 0.59])
    ]
    assert scores[0] > scores[1]


def test_the_same_images_teach_the_same(good: list[Pixels], reference: Reference) -> None:
    again = learn(good, false_rejects=0.05)
    assert again.version == reference.version
    assert learn(good[:30]).version != reference.version
    assert pickle.loads(pickle.dumps(reference)).version == reference.version


def test_a_few_bad_ones_among_those_learnt_from_are_set_aside(
    good: list[Pixels], reference: Reference
) -> None:
    bad = ["stain", "stain", "crack", "blowhole", "colour", "chip"]  # a tenth
    spoilt = [*good[:54], *(broken(kind, seed).pixels for seed, kind in enumerate(bad))]
    found = learn(spoilt, false_rejects=0.05)
    assert found.set_aside >= 5
    assert found.threshold < 2 * reference.threshold
    assert inspect(broken("stain", 77).pixels, found).reject
    assert inspect(broken("crack", 77).pixels, found).reject


def test_stated_false_rejects_are_held_where_nothing_changes(reference: Reference) -> None:
    random = np.random.default_rng(9)
    rejects = sum(inspect(brick(random, size=SIZE).pixels, reference).reject for _ in range(60))
    assert rejects <= 9  # 3 are stated; 10 or more have a chance of about 0.001


def test_too_few_images_teach_nothing(good: list[Pixels]) -> None:
    with pytest.raises(NotEnoughData, match="9 of at least 10"):
        learn(good[:9])


# ---- the analysis

ID = "camera1.image"


def analysis(kind: str = "image", **options: Any) -> Vision:
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works"),
        signals={ID: Signal(id=ID, kind=kind)},  # type: ignore[arg-type]
    )
    return Vision("inspection", VisionOptions(signal=ID, **options), factory)


def show(work: Vision, pixels: Pixels, number: int) -> list[Finding]:
    picture = Picture(number * SECOND, f"sha256:{number:064x}", f"B{number}", pixels)
    now = (number + 1) * SECOND
    return list(work.update(now, Window(picture.time, now, images={ID: (picture,)})))


@pytest.fixture(scope="module")
def taught(good: list[Pixels]) -> Vision:
    work = analysis(learn=20, false_rejects=5)
    for number, pixels in enumerate(good[:19]):
        with pytest.raises(NotEnoughData, match=f"^{number + 1} of 20 images"):
            show(work, pixels, number)
    assert show(work, good[19], 19) == []
    return work


def test_it_asks_for_images_alone() -> None:
    assert analysis().needs.images == (ID,)
    with pytest.raises(NotEnoughData, match="0 of 100 images"):
        analysis().update(1, Window(0, 1))


def test_a_good_brick_passes_with_its_serial(taught: Vision, good: list[Pixels]) -> None:
    found = [show(taught, good[number], number)[0] for number in range(30, 36)]
    passed = [finding for finding in found if finding.severity == 0]
    assert len(passed) >= 4
    finding = passed[0]
    assert (finding.asset, finding.name, finding.reason) == ("camera1", "inspection", "")
    assert finding.value is not None
    assert finding.evidence["serial"] == f"B{finding.end // SECOND}"
    assert finding.evidence["image"].startswith("sha256:")
    assert finding.evidence["verdict"] == "pass"
    assert finding.start == finding.end


def test_a_bad_brick_is_a_warning_in_words(taught: Vision) -> None:
    (finding,) = show(taught, broken("stain", 3).pixels, 31)
    assert finding.severity == 2
    assert finding.reason.startswith("looks like")
    assert finding.evidence["verdict"] == "reject"
    assert finding.value is not None
    assert finding.value > float(finding.evidence["threshold"])
    assert len(finding.evidence["reference"]) == 12
    assert finding.evidence["boxes"]


def test_an_image_without_a_brick_is_a_notice_without_a_value(taught: Vision) -> None:
    (finding,) = show(taught, np.full((*SIZE, 3), 40, np.uint8), 32)
    assert (finding.value, finding.severity) == (None, 1)
    assert finding.reason == "no brick is seen in the image"


def test_images_without_a_brick_are_not_learnt_from(good: list[Pixels]) -> None:
    work = analysis(learn=20, false_rejects=5)
    with pytest.raises(NotEnoughData, match=r"^0 of 20 images"):
        show(work, np.full((*SIZE, 3), 40, np.uint8), 1)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"kind": "text"}, "not an image"),
        ({"learn": 20, "false_rejects": 1.0}, "cannot hold false_rejects = 1 %"),
    ],
)
def test_options_that_cannot_be_are_faults(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(FactoryError, match=problem):
        analysis(**options)
