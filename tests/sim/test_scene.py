"""Pictures of bricks: one seed one picture, and masks that lie exactly where the defect is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deungdae.sim.scene import KINDS, PRODUCTS, Defect, Light, Scene, brick, wandering

STILL = Light(noise=0.0, blur=0.0)


def picture(seed: int, *defects: Defect | str, light: Light = STILL, product: str = "straight"
            ) -> Scene:  # fmt: skip
    return brick(np.random.default_rng(seed), product, defects, light)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return pixels.astype(np.float64).mean(axis=2)


def test_one_seed_gives_one_picture() -> None:
    first, second, other = (picture(seed, "crack", "stain") for seed in (3, 3, 4))
    assert (first.pixels == second.pixels).all()
    assert all((first.masks[kind] == second.masks[kind]).all() for kind in first.masks)
    assert (first.pixels != other.pixels).any()


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_brick_is_a_bright_block_on_a_dark_belt(product: str) -> None:
    scene = picture(1, product=product)
    assert scene.pixels.shape == (240, 320, 3)
    assert scene.pixels.dtype == np.uint8
    assert scene.masks == {}
    bright = grey(scene.pixels) > 120
    long, near, far = PRODUCTS[product]
    scale = 0.8 * min(320 / 230, 240 / 150)
    assert bright.sum() == pytest.approx(long * (near + far) / 2 * scale**2, rel=0.04)
    assert grey(scene.pixels)[~bright].mean() < 90


@pytest.mark.parametrize("kind", KINDS)
def test_outside_its_mask_a_defect_changes_little(kind: str) -> None:
    """The same brick is drawn with and without: what a defect draws is drawn after the clay."""
    differ = []
    for seed in range(5):
        good, bad = picture(seed), picture(seed, Defect(kind=kind, severity=0.8))
        mask = bad.masks[kind]
        assert mask.shape == (240, 320)
        assert mask.any()
        body = grey(good.pixels) > 100  # the belt is drawn last, and differs
        change = np.abs(bad.pixels.astype(np.float64) - good.pixels).max(axis=2)
        differ.append(change[mask & body].mean())
        near = mask.copy()
        for axis in (0, 1):
            for shift in range(-4, 5):
                near |= np.roll(mask, shift, axis)
        outside = change[body & ~near]
        if outside.size:  # a wrong colour is everywhere
            assert np.quantile(outside, 0.99) < 15
    assert np.mean(differ) > 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_worse_defect_is_seen_better(kind: str) -> None:
    """More pixels, or for a colour the same pixels in a colour further off."""
    seen = []
    for severity in (0.15, 0.5, 0.95):
        total = 0.0
        for seed in range(6):
            good = picture(seed).pixels.astype(np.float64)
            bad = picture(seed, Defect(kind=kind, severity=severity))
            change = np.abs(bad.pixels - good).sum(axis=2)
            total += float(change[bad.masks[kind]].sum())
        seen.append(total)
    assert seen[0] < seen[1] < seen[2]


def test_masks_lie_on_the_brick_and_colour_covers_all_of_it() -> None:
    whole = picture(5, Defect(kind="colour", severity=0.5)).masks["colour"]
    for seed in range(5, 9):
        scene = picture(seed, *KINDS)
        assert set(scene.masks) == set(KINDS)
        for mask in scene.masks.values():
            assert not (mask & ~scene.masks["colour"]).any()
    assert whole.mean() == pytest.approx(0.8**2 * (114 / 230) * (320 / 240), rel=0.05)


def test_two_of_a_kind_share_a_mask() -> None:
    one = picture(9, Defect(kind="stain", severity=0.6))
    two = picture(9, Defect(kind="stain", severity=0.6), Defect(kind="stain", severity=0.6))
    assert len(two.defects) == 2
    assert two.masks["stain"].sum() > one.masks["stain"].sum()


def test_light_acts_as_light_does() -> None:
    good = grey(picture(2).pixels)
    assert grey(picture(2, light=Light(gain=0.5, noise=0, blur=0)).pixels).mean() < good.mean()
    warm = picture(2, light=Light(temperature=3500, noise=0, blur=0)).pixels.mean(axis=(0, 1))
    cold = picture(2, light=Light(temperature=8000, noise=0, blur=0)).pixels.mean(axis=(0, 1))
    assert warm[0] / warm[2] > cold[0] / cold[2]
    shaded = grey(picture(2, light=Light(shadow=0.6, shadow_at=0.5, noise=0, blur=0)).pixels)
    assert shaded[:, :120].mean() < 0.85 * good[:, :120].mean()
    assert shaded[:, 240:].mean() > 0.97 * good[:, 240:].mean()
    slanted = grey(picture(2, light=Light(gradient=0.8, direction=0, noise=0, blur=0)).pixels)
    assert slanted[:, 250:].mean() / slanted[:, :70].mean() > 1.2
    blurred = grey(picture(2, light=Light(noise=0, blur=2)).pixels)
    assert np.abs(np.diff(blurred, axis=1)).mean() < 0.6 * np.abs(np.diff(good, axis=1)).mean()
    noisy = grey(picture(2, light=Light(noise=10, blur=0)).pixels)
    assert np.std(noisy - good) == pytest.approx(10 / np.sqrt(3), rel=0.1)  # mean of 3 channels


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(48, 200),
    width=st.integers(64, 260),
    kinds=st.lists(st.sampled_from(KINDS), max_size=3),
    severity=st.floats(0, 1),
)
def test_any_size_light_and_severity_can_be_drawn(
    seed: int, height: int, width: int, kinds: list[str], severity: float
) -> None:
    random = np.random.default_rng(seed)
    flaws = [Defect(kind=kind, severity=severity) for kind in kinds]
    scene = brick(random, "arch", flaws, wandering(random), (height, width))
    assert scene.pixels.shape == (height, width, 3)
    assert {flaw.kind for flaw in scene.defects} == set(scene.masks) == set(kinds)


def test_a_defect_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'dent'; known: crack, chip, blowhole, stain, colour"):
        picture(1, "dent")
