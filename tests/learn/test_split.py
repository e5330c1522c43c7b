"""Splits that keep groups whole, duplicates by looks, and the audit that finds a leak."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import NotEnoughData
from deungdae.learn.split import (
    alike,
    audit,
    by_time,
    folds,
    hashes,
    joined,
    near_duplicates,
    thumbnail,
)

ITEMS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=80)


def _whole(groups: np.ndarray, side: np.ndarray) -> bool:
    return all(len(np.unique(side[groups == each])) == 1 for each in np.unique(groups))


@settings(max_examples=50, deadline=None)
@given(ITEMS, st.integers(2, 5), st.integers(0, 9))
def test_a_group_is_never_across(items: list[tuple[int, int]], k: int, seed: int) -> None:
    groups, strata = (np.array(each) for each in zip(*items, strict=True))
    n = len(np.unique(groups))
    if n < k:
        with pytest.raises(NotEnoughData, match=f"cannot fill {k} folds"):
            folds(groups, k, seed, strata)
    else:
        fold = folds(groups, k, seed, strata)
        assert _whole(groups, fold)
        assert set(fold) == set(range(k))
        assert (fold == folds(groups, k, seed, strata)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.integers(0, 50), st.integers(0, 40), st.integers(0, 5))
def test_every_fold_has_both_kinds_where_groups_suffice(
    k: int, more: int, bad: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    kind = np.arange(k + more + k + bad) < k + bad
    groups = np.repeat(np.arange(len(kind)), random.integers(1, 8, len(kind)))
    fold = folds(groups, k, seed, kind[groups])
    for number in range(k):
        assert set(kind[groups][fold == number]) == {True, False}
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 14  # a group of each kind at most


def test_later_groups_test_and_none_lies_on_both_sides() -> None:
    time = np.array([0, 10, 20, 30, 40, 50, 60, 70])
    groups = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
    teaches, tests = by_time(time, 0.25, groups=groups)
    assert groups[tests].tolist() == ["d", "d"]
    assert groups[teaches].tolist() == list("aabbcc")
    teaches, tests = by_time(time, 0.25, groups=groups, gap=10)
    assert groups[teaches].tolist() == list("aabb")  # c ends 10 before: within the gap
    across = np.array(["a", "a", "b", "b", "c", "d", "d", "c"])
    teaches, tests = by_time(time, 0.4, groups=across)
    assert "c" not in across[teaches | tests]
    with pytest.raises(NotEnoughData, match="a side is empty"):
        by_time(time, 0.25, groups=np.zeros(8))
    with pytest.raises(NotEnoughData):
        by_time([], 0.25)


def test_namings_are_joined_over_each_other() -> None:
    assert joined(["a", "a", "b", "c"], [1, 2, 2, 3]).tolist() == [0, 0, 0, 1]
    assert joined(["x", "y"]).tolist() == [0, 1]


def _picture(random: np.random.Generator, light: float = 1.0, shift: int = 0) -> np.ndarray:
    from scipy.ndimage import zoom

    coarse = random.random((12, 9))
    fine = zoom(coarse, 12, order=1)
    return np.clip(np.roll(fine, shift, axis=1) * 180 * light + 5, 0, 255).astype(np.uint8)


def _hash(pixels: np.ndarray) -> np.uint64:
    return np.uint64(hashes(thumbnail(pixels)[None])[0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0.4, 1.3), st.integers(-2, 2))
def test_a_hash_survives_other_light_and_a_small_shift(seed: int, light: float, shift: int) -> None:
    first = _picture(np.random.default_rng(seed))
    other = _picture(np.random.default_rng(seed), light, shift)
    away = np.bitwise_count(_hash(first) ^ _hash(other))
    assert away <= 14
    stranger = _picture(np.random.default_rng(seed + 5000))
    assert np.bitwise_count(_hash(first) ^ _hash(stranger)) > 14
    coloured = np.repeat(first[:, :, None], 3, axis=2)
    assert _hash(coloured) == _hash(first)


def test_an_even_image_has_a_hash_and_an_empty_one_has_none() -> None:
    assert _hash(np.full((5, 700), 9, np.uint8)) == 0
    assert (thumbnail(np.full((1, 1), 9, np.uint8)) == 0).all()
    with pytest.raises(ValueError, match="are no image"):
        _hash(np.zeros((0, 4), np.uint8))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 40))
def test_pairs_are_those_that_differ_little(codes: list[int], distance: int) -> None:
    first, second = alike(np.array(codes, np.uint64), distance)
    expected = [
        (i, j)
        for i in range(len(codes))
        for j in range(i + 1, len(codes))
        if (codes[i] ^ codes[j]).bit_count() <= distance
    ]
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected
    cluster = near_duplicates(np.array(codes, np.uint64), distance)
    assert all(cluster[i] == cluster[j] for i, j in expected)


def _set(leaks: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 60 parts of 5 images; the verdict shows in the features only if it does not leak."""
    random = np.random.default_rng(seed)
    bad = np.arange(60) % 3 == 0
    own = random.normal(size=(60, 12))
    if not leaks:
        own = np.zeros((60, 12))
        own[bad, 0] = 2.0
    groups = np.repeat(np.arange(60), 5)
    return own[groups] + 0.4 * random.normal(size=(300, 12)), bad[groups], groups


def test_an_audit_finds_a_leak_and_only_a_leak() -> None:
    features, bad, groups = _set(leaks=True)
    found = audit(features, bad, groups, rounds=60, k=3)
    assert found.leaks
    assert found.random.value > 0.9
    assert found.grouped.holds(0.5)
    assert "would flatter you by 0." in found.said[0]
    clean = audit(*_set(leaks=False), rounds=60, k=3)
    assert not clean.leaks
    assert "no leak was shown" in clean.said[0]


def test_an_audit_names_shortcuts_and_groups_that_say_nothing() -> None:
    features, bad, _ = _set(leaks=False)
    found = audit(
        features[::5], bad[::5], np.arange(60), rounds=60, k=3,
        shortcuts={"time": np.where(bad[::5], 1000, 0) + np.arange(60),
                   "width": np.random.default_rng(0).random(60)},
    )  # fmt: skip
    assert [each.tells for each in found.shortcuts] == [True, False]
    assert "group of its own" in found.said[0]
    assert "time alone tells good from bad" in found.said[-1]
    assert found.flatters.value == 0.0


def test_an_audit_joins_groups_that_show_one_part_and_finds_contradictions() -> None:
    random = np.random.default_rng(4)
    faces = [_picture(random) for _ in range(30)]
    shown = np.stack([thumbnail(face) for face in [*faces, faces[0], faces[1]]])
    bad = np.array([number % 2 == 0 for number in range(30)] + [True, True])
    found = audit(shown, bad, np.arange(32), rounds=50, k=2)
    assert found.crossing == ((0, 30), (1, 31))
    assert found.contradictions == ((1, 31),)
    assert (found.groups, found.apart) == (32, 30)
    assert any("one is called good" in words for words in found.said)


def test_items_that_all_look_alike_are_not_joined() -> None:
    shown = np.tile(thumbnail(_picture(np.random.default_rng(1))), (40, 1, 1))
    found = audit(shown, np.arange(40) % 2 == 0, np.arange(40), rounds=50, k=2)
    assert found.same
    assert found.apart == 40


def test_one_kind_alone_cannot_be_audited() -> None:
    features, bad, groups = _set(leaks=True)
    with pytest.raises(NotEnoughData, match="good and bad"):
        audit(features, np.zeros_like(bad), groups)
    with pytest.raises(NotEnoughData, match="one group"):
        audit(features[:100], groups[:100] == 3, groups[:100])
    with pytest.raises(ValueError, match="items"):
        audit(features, bad[:-1], groups)


def test_magnetic_tiles_flatter(shared_data: Path) -> None:
    """SOURCE.md: .992 under a random split, .692 with whole tiles apart (on all 1,344 images)."""
    from PIL import Image

    folder = shared_data / "magnetic-tile"
    with (folder / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))[::2]  # half of them, to be quick
    tiles = np.array([row["tile_group"] for row in rows])
    shown = np.stack([thumbnail(np.asarray(Image.open(folder / row["file"]))) for row in rows])
    found = audit(shown, np.array([row["label"] != "free" for row in rows]), tiles, rounds=60, k=3)
    assert found.random.value > 0.9
    assert found.grouped.high < 0.85
    assert found.leaks
    assert ("g062", "g064") in {(tiles[i], tiles[j]) for i, j in found.crossing}
