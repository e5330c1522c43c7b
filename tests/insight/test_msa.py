"""Gauge studies: the worked examples of AIAG, and what the intervals promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.insight.msa import Gauge, bias, crossed, linearity, nested, ranges, table

# Source: AIAG, Measurement Systems Analysis, 4th ed., table III-B 15: 10 parts, A1-A3 B1-B3 C1-C3
READINGS = [
    [0.29, 0.41, 0.64, 0.08, 0.25, 0.07, 0.04, -0.11, -0.15],
    [-0.56, -0.68, -0.58, -0.47, -1.22, -0.68, -1.38, -1.13, -0.96],
    [1.34, 1.17, 1.27, 1.19, 0.94, 1.34, 0.88, 1.09, 0.67],
    [0.47, 0.50, 0.64, 0.01, 1.03, 0.20, 0.14, 0.20, 0.11],
    [-0.80, -0.92, -0.84, -0.56, -1.20, -1.28, -1.46, -1.07, -1.45],
    [0.02, -0.11, -0.21, -0.20, 0.22, 0.06, -0.29, -0.67, -0.49],
    [0.59, 0.75, 0.66, 0.47, 0.55, 0.83, 0.02, 0.01, 0.21],
    [-0.31, -0.20, -0.17, -0.63, 0.08, -0.34, -0.46, -0.56, -0.49],
    [2.26, 1.99, 2.01, 1.80, 2.12, 2.19, 1.77, 1.45, 1.87],
    [-1.36, -1.25, -1.31, -1.68, -1.62, -1.50, -1.49, -1.77, -2.16],
]
STUDY = np.asarray(READINGS).reshape(10, 3, 3)


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def deviations(found: Gauge) -> dict[str, float]:
    return {name: each.deviation.value for name, each in found.components.items()}


def test_the_worked_example_by_variance() -> None:
    # Source: AIAG MSA-4, table III-B 9 and 10 (interaction F 0.434, p 0.9741, pooled)
    found = crossed(STUDY, random())
    assert found.pooled
    assert found.anova["part"].square == pytest.approx(88.3619, abs=1e-4)
    assert found.anova["operator"].square == pytest.approx(3.1673, abs=1e-4)
    assert found.anova["repeatability"].square == pytest.approx(0.3590 + 2.7589, abs=1e-4)
    known = {"repeatability": 0.199933, "operator": 0.226838, "gauge": 0.302373, "part": 1.042327}
    for name, value in known.items():
        assert deviations(found)[name] == pytest.approx(value, abs=5e-6)
    assert deviations(found)["total"] == pytest.approx(1.085, abs=5e-4)
    contribution = {name: each.contribution for name, each in found.components.items()}
    assert contribution["repeatability"] == pytest.approx(3.4, abs=0.05)
    assert contribution["operator"] == pytest.approx(4.4, abs=0.05)
    assert contribution["gauge"] == pytest.approx(7.8, abs=0.05)
    assert contribution["part"] == pytest.approx(92.2, abs=0.05)
    assert found.components["gauge"].study.value == pytest.approx(27.9, abs=0.05)
    assert found.ndc.value == pytest.approx(4.861, abs=5e-4)
    assert found.verdict == "fair"


def test_the_worked_example_with_its_interaction() -> None:
    # Source: AIAG MSA-4, table III-B 8: MS 9.8180, 1.5836, 0.0199, 0.0460; F of interaction 0.434
    found = crossed(STUDY, random(), alpha=1.0)
    line = {name: (each.freedom, each.mean) for name, each in found.anova.items()}
    assert line["part"] == (9, pytest.approx(9.8180, abs=1e-4))
    assert line["operator"] == (2, pytest.approx(1.5836, abs=1e-4))
    assert line["interaction"] == (18, pytest.approx(0.0199, abs=1e-4))
    assert line["repeatability"] == (60, pytest.approx(0.0460, abs=1e-4))
    assert found.anova["interaction"].p == pytest.approx(0.9741, abs=5e-5)
    assert deviations(found)["interaction"] == 0  # what came out below 0 is 0


def test_the_worked_example_by_ranges() -> None:
    # Source: AIAG MSA-4, figure III-B 16; it goes on with rounded averages
    found = ranges(STUDY)
    assert found.repeatability == pytest.approx(0.20188, abs=2e-5)
    assert found.reproducibility == pytest.approx(0.22963, abs=1e-4)
    assert found.gauge == pytest.approx(0.30575, abs=1e-4)
    assert found.part == pytest.approx(1.10456, abs=2e-4)
    assert found.total == pytest.approx(1.14610, abs=2e-4)
    assert found.study["repeatability"] == pytest.approx(17.62, abs=0.02)
    assert found.study["reproducibility"] == pytest.approx(20.04, abs=0.02)
    assert found.study["gauge"] == pytest.approx(26.68, abs=0.02)
    assert found.study["part"] == pytest.approx(96.38, abs=0.02)
    assert found.ndc == pytest.approx(5.094, abs=2e-3)


def test_a_tolerance_gives_its_share_and_the_verdict() -> None:
    found = crossed(STUDY, random(), tolerance=20.0)
    gauge = found.components["gauge"]
    assert gauge.tolerance is not None
    assert gauge.tolerance.value == pytest.approx(600 * 0.302373 / 20, abs=1e-3)
    assert gauge.tolerance.low < gauge.tolerance.value < gauge.tolerance.high
    assert found.verdict == "good"


def draw(
    seed: np.random.Generator, part: float, operator: float, own: float, nested_: bool = False
) -> FloatArray:
    """Return readings of 10 parts by 3 operators, twice; repeatability 1."""
    parts = seed.normal(0, part, (10, 3) if nested_ else (10, 1))
    both = seed.normal(0, own, (10, 3))
    means = parts + seed.normal(0, operator, (1, 3)) + both
    return means[:, :, None] + seed.normal(0, 1, (10, 3, 2))


def test_intervals_of_a_crossed_study_hold_the_truth() -> None:
    seed, held = random(5), {"repeatability": 0, "gauge": 0, "part": 0, "share": 0}
    truth = {"repeatability": 1.0, "gauge": np.sqrt(1 + 1 + 0.25), "part": 4.0}
    share = 100 * truth["gauge"] / np.sqrt(truth["gauge"] ** 2 + 16)
    for _ in range(150):
        found = crossed(draw(seed, 4, 1, 0.5), seed, alpha=1.0).components
        for name, value in truth.items():
            held[name] += found[name].deviation.holds(value)
        held["share"] += found["gauge"].study.holds(share)
    assert all(times >= 134 for times in held.values()), held


def test_a_nested_study_finds_what_was_put_in() -> None:
    seed = random(6)
    x = np.concatenate([draw(seed, 4, 0.0, 0.0, nested_=True) for _ in range(30)])
    found = nested(x, seed)
    assert deviations(found)["repeatability"] == pytest.approx(1, rel=0.05)
    assert deviations(found)["part"] == pytest.approx(4, rel=0.1)
    held = 0
    for _ in range(100):
        gauge = nested(draw(seed, 4, 1, 0, nested_=True), seed).components["gauge"]
        held += gauge.deviation.holds(np.sqrt(2))
    assert held >= 88


def test_nested_by_hand() -> None:
    # two operators, two parts each, two trials: SS_O 8, SS_P(O) 8 + 8 = 2(1+1) + 2(1+1), SS_E 4
    x = np.asarray([[[0.0, 1.0], [2.0, 3.0]], [[2.0, 3.0], [4.0, 5.0]]])
    lines = nested(x, random()).anova
    assert (lines["operator"].square, lines["operator"].freedom) == (pytest.approx(8), 1)
    assert (lines["part"].square, lines["part"].freedom) == (pytest.approx(8), 2)
    assert (lines["repeatability"].square, lines["repeatability"].freedom) == (pytest.approx(2), 4)


def test_rows_become_a_study() -> None:
    rows = [(f"p{i}", o, STUDY[i, j, k]) for j, o in enumerate("ABC") for k in range(3)
            for i in range(10)]  # fmt: skip
    part, operator, value = zip(*rows, strict=True)
    assert (table(part, operator, value) == STUDY).all()
    own = [f"{o}-{p}" for p, o in zip(part, operator, strict=True)]
    assert (table(own, operator, value, "nested") == STUDY).all()
    with pytest.raises(NotEnoughData, match="as many parts"):
        table(part[1:], operator[1:], value[1:])
    with pytest.raises(NotEnoughData, match="did not measure part"):
        table(own, operator, value)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.ones((1, 2, 2)), "2 parts, operators and trials"),
        (np.ones((3, 3, 2)), "equal"),
        (np.full((3, 3, 2), np.nan), "no number"),
    ],
)
@pytest.mark.parametrize("way", [crossed, nested, lambda x, _: ranges(x)])
def test_studies_that_say_nothing_are_refused(way: Any, x: FloatArray, said: str) -> None:
    with pytest.raises(NotEnoughData, match=said):
        way(x, random())


def test_a_perfect_gauge_has_no_end_of_categories() -> None:
    x = np.arange(4.0)[:, None, None] + np.zeros((4, 3, 2))
    found = crossed(x, random())
    assert found.components["gauge"].study.value == 0
    assert found.ndc.value == np.inf
    assert found.verdict == "good"


# ---- bias and linearity

MASTER = [5.8, 5.7, 5.9, 5.9, 6.0, 6.1, 6.0, 6.1, 6.4, 6.3, 6.0, 6.1, 6.2, 5.6, 6.0]
# Source: AIAG MSA-4, table III-B 4
LINEAR = {
    2.0: [2.7, 2.5, 2.4, 2.5, 2.7, 2.3, 2.5, 2.5, 2.4, 2.4, 2.6, 2.4],
    4.0: [5.1, 3.9, 4.2, 5.0, 3.8, 3.9, 3.9, 3.9, 3.9, 4.0, 4.1, 3.8],
    6.0: [5.8, 5.7, 5.9, 5.9, 6.0, 6.1, 6.0, 6.1, 6.4, 6.3, 6.0, 6.1],
    8.0: [7.6, 7.7, 7.8, 7.7, 7.8, 7.8, 7.8, 7.7, 7.8, 7.5, 7.6, 7.7],
    10.0: [9.1, 9.3, 9.5, 9.3, 9.4, 9.5, 9.5, 9.5, 9.6, 9.2, 9.3, 9.4],
}


def test_the_worked_example_of_bias() -> None:
    # Source: AIAG MSA-4, table III-B 2: 0.0067, s 0.2120, t 0.1218, interval -0.1107 to 0.1241
    found = bias(np.asarray(MASTER), 6.0, spread=2.5)
    assert found.bias.value == pytest.approx(0.0067, abs=5e-5)
    assert found.repeatability == pytest.approx(0.2120, abs=5e-5)
    assert (found.bias.low, found.bias.high) == pytest.approx((-0.1107, 0.1241), abs=5e-5)
    assert not found.biased
    assert found.process == pytest.approx(0.267, abs=1e-3)
    assert bias(np.asarray(MASTER) + 0.3, 6.0).biased


def test_the_worked_example_of_linearity() -> None:
    # Source: AIAG MSA-4, ch. III B: bias = 0.7367 - 0.1317 x, s 0.2395, R² 71.4 %, t -12.04, 10.16
    reference = np.repeat(list(LINEAR), 12)
    found = linearity(reference, np.concatenate(list(LINEAR.values())))
    assert found.slope.value == pytest.approx(-0.1317, abs=5e-5)
    assert found.intercept.value == pytest.approx(0.7367, abs=5e-5)
    assert found.residual == pytest.approx(0.2395, abs=5e-5)
    assert found.r2 == pytest.approx(0.714, abs=5e-4)
    assert not found.linear
    assert found.at[2.0].low > 0  # reads too high at the small end
    assert found.at[10.0].high < 0  # and too low at the large one
    assert found.at[6.0].holds(0.0)


@pytest.mark.parametrize(
    ("reference", "value"), [([1.0, 1.0, 1.0], [1.0, 2, 3]), ([1.0, 2.0], [1.0, 2.0])]
)
def test_linearity_needs_several_masters(reference: list[float], value: list[float]) -> None:
    with pytest.raises(NotEnoughData):
        linearity(np.asarray(reference), np.asarray(value))


@pytest.mark.parametrize("values", [[6.0], [6.0, 6.0]])
def test_bias_needs_readings_that_differ(values: list[float]) -> None:
    with pytest.raises(NotEnoughData):
        bias(np.asarray(values), 6.0)
