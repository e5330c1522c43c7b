"""Drift that is there is found, drift that is not is not, and few parts say that they are few."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.learn.drift import WEALTH, Window, errors, exchangeable, look


def _table(random: np.random.Generator, n: int, **shift: float) -> dict[str, np.ndarray]:
    return {name: random.normal(size=n) + shift.get(name, 0.0) for name in ("a", "b", "c", "score")}


def test_what_moved_is_named_in_words() -> None:
    random = np.random.default_rng(0)
    window = Window.of(_table(random, 400))
    first, *others = window.compare(_table(random, 100, b=-1.5))
    assert (first.name, first.drifted) == ("b", True)
    assert first.size == pytest.approx(1.5, abs=0.3)
    assert first.psi > 0.25
    assert first.said.startswith("b is lower than when the model was taught: -1.")
    assert ", not " in first.said
    assert not any(each.drifted for each in others)
    assert all(each.said == "" for each in others)


def test_a_window_fits_into_a_card_and_comes_back() -> None:
    window = Window.of(_table(np.random.default_rng(0), 1000))
    content = msgspec.json.encode(window)
    assert len(content) < 20_000
    assert msgspec.json.decode(content, type=Window) == window


def test_no_drift_is_seldom_called_one() -> None:
    random = np.random.default_rng(1)
    false = 0
    for _ in range(200):
        window = Window.of(_table(random, 150))
        false += any(each.drifted for each in window.compare(_table(random, 60)))
    assert false <= 200 * 0.01 + 3 * (200 * 0.01) ** 0.5


def test_a_sure_but_tiny_change_matters_to_nobody() -> None:
    random = np.random.default_rng(2)
    window = Window.of({"a": random.normal(size=20_000)})
    (found,) = window.compare({"a": random.normal(size=20_000) + 0.1})
    assert found.p < 0.01
    assert not found.drifted


def test_images_of_one_part_count_once() -> None:
    """40 parts photographed 25 times each are 40 values, not 1000."""
    random = np.random.default_rng(3)
    false = 0
    for _ in range(100):
        old, new = random.normal(size=40), random.normal(size=40)
        owners = np.repeat(np.arange(40), 25)
        window = Window.of({"a": old[owners]}, owners)
        assert window.references[0].n == 40
        false += window.compare({"a": new[owners]}, owners)[0].drifted
    assert false <= 4


def test_constants_and_lost_values_are_seen() -> None:
    random = np.random.default_rng(4)
    window = Window.of({"constant": np.full(50, 3.0), "gone": random.normal(size=50)})
    same = window.compare({"constant": np.full(50, 3.0), "gone": random.normal(size=50)})
    assert not any(each.drifted for each in same)
    values = np.where(np.arange(50) < 45, np.nan, 0.0)
    told = {
        each.name: each for each in window.compare({"constant": np.full(50, 4.0), "gone": values})
    }
    assert told["constant"].drifted
    assert told["gone"].said == "gone: 90% of the parts have no value any more"


def test_few_parts_are_not_compared() -> None:
    random = np.random.default_rng(5)
    with pytest.raises(NotEnoughData, match="a: 29 parts have a value"):
        Window.of({"a": random.normal(size=29)})
    window = Window.of({"a": random.normal(size=30)})
    with pytest.raises(NotEnoughData, match="29 parts show no drift yet"):
        window.compare({"a": random.normal(size=29)})
    with pytest.raises(ValueError, match="nothing was given for a"):
        window.compare({"b": [1.0]})
    with pytest.raises(NotEnoughData, match="0 scores are no reference"):
        exchangeable([], [1.0], random=random)
    with pytest.raises(ValueError, match="no numbers"):
        exchangeable(random.normal(size=50), [np.nan], random=random)


def test_a_bet_wins_under_drift_and_seldom_without() -> None:
    """Ville: without drift wealth reaches 100 in one of a hundred streams at most."""
    random = np.random.default_rng(6)
    false = 0
    for _ in range(150):
        stream = exchangeable(random.normal(size=100), random.normal(size=300), random=random)
        false += stream.alarm is not None
        assert stream.highest >= stream.wealth
    assert false <= 5
    live = np.concatenate([random.normal(size=100), random.normal(size=200) + 1.5])
    stream = exchangeable(random.normal(size=200), live, random=random)
    assert stream.alarm is not None
    assert 100 < stream.alarm < 160
    assert stream.highest >= WEALTH


def test_equal_scores_are_no_drift() -> None:
    random = np.random.default_rng(7)
    assert exchangeable(np.zeros(50), np.zeros(500), random=random).alarm is None


def test_light_and_lens_show_in_three_numbers() -> None:
    random = np.random.default_rng(8)
    grey = random.integers(100, 160, (40, 50)).astype(np.uint8)
    sharp, dark = look(grey), look((grey // 2).astype(np.uint8))
    blurred = np.mean(
        [np.roll(grey, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)], axis=0
    )
    assert dark["brightness"] == pytest.approx(sharp["brightness"] / 2, abs=0.01)
    assert dark["contrast"] < sharp["contrast"]
    assert look(blurred.astype(np.uint8))["sharpness"] < sharp["sharpness"] - 0.3
    assert look(np.repeat(grey[:, :, None], 3, axis=2)) == pytest.approx(sharp, abs=1e-5)
    assert look(np.zeros((9, 9), np.uint8))["sharpness"] == pytest.approx(-9)
    with pytest.raises(ValueError, match="too few"):
        look(np.zeros((2, 9), np.uint8))


def test_errors_are_told_only_from_parts_drawn_by_chance() -> None:
    decision = np.repeat([-1, 0, 1], [100, 50, 50])
    bad = np.repeat([False, True], [100, 100])
    drawn = np.arange(200) % 2 == 0
    found = errors(decision, bad, drawn, most_bad_accepted=0.02)
    assert found.bad_accepted is not None
    assert found.bad_accepted.value == 0.0
    assert found.looked == (50, 25)
    assert found.said == (
        "50 accepted parts looked at by chance do not show yet that at most 2.0% are bad: "
        "it may be 7.1%.",
    )
    drifted = errors(decision, bad | (np.arange(200) % 4 == 0), drawn, most_bad_accepted=0.02)
    assert "the model has drifted" in drifted.said[0]
    blind = errors(decision, bad, np.zeros(200, bool))
    assert blind.bad_accepted is blind.good_rejected is None
    assert "escapes cannot be seen" in blind.said[0]
