"""Control charts: published constants and examples, the rules by brute force, run lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from math import pi, sqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core import strict
from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import MINUTE, SECOND, Event, Finding, Flag, FloatArray, Severity, Signal
from deungdae.insight.spc import (
    RANGE_RULES,
    RULES,
    Process,
    Rule,
    Spc,
    SpcOptions,
    capability,
    constants,
    learn,
)
from deungdae.insight.spc import charts as spc_charts
from deungdae.model.factory import Factory, Identity

# ---- constants


# n: d2, d3, c4, A2, A3, D3, D4, B3, B4. Source: Montgomery, Introduction to Statistical Quality
# Control, appendix VI; from memory
PUBLISHED = {
    2: (1.128, 0.853, 0.7979, 1.880, 2.659, 0.0, 3.267, 0.0, 3.267),
    3: (1.693, 0.888, 0.8862, 1.023, 1.954, 0.0, 2.574, 0.0, 2.568),
    4: (2.059, 0.880, 0.9213, 0.729, 1.628, 0.0, 2.282, 0.0, 2.266),
    5: (2.326, 0.864, 0.9400, 0.577, 1.427, 0.0, 2.114, 0.0, 2.089),
    6: (2.534, 0.848, 0.9515, 0.483, 1.287, 0.0, 2.004, 0.030, 1.970),
    7: (2.704, 0.833, 0.9594, 0.419, 1.182, 0.076, 1.924, 0.118, 1.882),
    8: (2.847, 0.820, 0.9650, 0.373, 1.099, 0.136, 1.864, 0.185, 1.815),
    9: (2.970, 0.808, 0.9693, 0.337, 1.032, 0.184, 1.816, 0.239, 1.761),
    10: (3.078, 0.797, 0.9727, 0.308, 0.975, 0.223, 1.777, 0.284, 1.716),
    15: (3.472, 0.756, 0.9823, 0.223, 0.789, 0.347, 1.653, 0.428, 1.572),
    20: (3.735, 0.729, 0.9869, 0.180, 0.680, 0.415, 1.585, 0.510, 1.490),
    25: (3.931, 0.708, 0.9896, 0.153, 0.606, 0.459, 1.541, 0.565, 1.435),
}


@pytest.mark.parametrize("n", PUBLISHED)
def test_constants_are_those_of_the_tables(n: int) -> None:
    c = constants(n)
    mine = (c.d2, c.d3, c.c4, c.A2, c.A3, c.D3, c.D4, c.B3, c.B4)
    assert mine == pytest.approx(PUBLISHED[n], abs=1.05e-3)  # tables differ in the last place


def test_constants_have_their_closed_forms() -> None:
    assert constants(2).d2 == pytest.approx(2 / sqrt(pi), rel=1e-12)
    assert constants(2).d3 == pytest.approx(sqrt(2 - 4 / pi), rel=1e-10)
    assert constants(3).d2 == pytest.approx(3 / sqrt(pi), rel=1e-12)
    assert constants(2).c4 == pytest.approx(sqrt(2 / pi), rel=1e-12)


@pytest.mark.parametrize("n", [1, 26])
def test_there_are_no_constants_for_other_sizes(n: int) -> None:
    with pytest.raises(ValueError, match="2 to 25"):
        constants(n)


# ---- published examples


@pytest.fixture(scope="module")
def examples(shared_data: Path) -> Path:
    return shared_data / "spc-worked-examples"


@pytest.fixture(scope="module")
def expected(examples: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((examples / "expected.json").read_text(encoding="utf-8"))
    return found


def column(path: Path, name: str) -> FloatArray:
    head, *rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return np.asarray([float(row[head.index(name)]) for row in rows if row])


@pytest.fixture(scope="module")
def rings(examples: Path) -> FloatArray:
    return column(examples / "data" / "pistonrings.txt", "diameter").reshape(40, 5)


def test_piston_rings_by_ranges(rings: FloatArray, expected: dict[str, Any]) -> None:
    known = expected["pistonrings_phase1_xbar_R"]
    process = learn(rings[:25])
    assert process.centre == pytest.approx(known["grand_mean"], abs=1e-6)
    assert process.sigma == pytest.approx(known["sigma_R"], abs=1e-6)
    means, ranges = spc_charts.means(rings, process), spc_charts.ranges(rings, process)
    assert means.lower[0] == pytest.approx(known["xbar_LCL"], abs=1e-5)
    assert means.upper[0] == pytest.approx(known["xbar_UCL"], abs=1e-5)
    assert ranges.centre == pytest.approx(known["Rbar"], abs=1e-6)
    assert (ranges.lower[0], ranges.upper[0]) == pytest.approx(
        (known["R_LCL"], known["R_UCL"]), abs=1e-5
    )
    outside = (np.flatnonzero(means.outside()) + 1).tolist()
    assert outside == known["phase2_out_of_limits_subgroups"]


def test_piston_rings_by_deviations(rings: FloatArray, expected: dict[str, Any]) -> None:
    known = expected["pistonrings_phase1_S"]
    chart = spc_charts.deviations(rings, learn(rings[:25], "deviation"))
    assert chart.centre == pytest.approx(known["Sbar"], abs=1e-5)
    assert chart.upper[0] == pytest.approx(known["S_UCL"], abs=1e-5)


def test_viscosity_of_single_batches(examples: Path, expected: dict[str, Any]) -> None:
    known = expected["viscosity_individuals"]
    x = column(examples / "data" / "viscosity.txt", "viscosity")[: known["n"], None]
    process = learn(x)
    chart, moving = spc_charts.means(x, process), spc_charts.moving_ranges(x, process)
    assert process.centre == pytest.approx(known["mean"], abs=1e-3)
    assert moving.centre == pytest.approx(known["MRbar"], abs=1e-4)
    assert [chart.lower[0], chart.upper[0]] == pytest.approx(known["limits"], abs=1e-3)
    assert chart.outside().sum() == known["points_out"]


def test_ewma_of_a_published_case(expected: dict[str, Any]) -> None:
    known = expected["ewma"]
    process = Process(known["center"], known["sigma"])
    x = np.asarray(known["x"], float)[:, None]
    chart = spc_charts.ewma(x, process, known["lambda"], known["nsigmas"])
    assert chart.point == pytest.approx(known["ewma"])
    half = known["nsigmas"] * np.asarray(known["sigma_t"])
    assert chart.upper == pytest.approx(known["center"] + half)
    assert chart.lower == pytest.approx(known["center"] - half)


def test_western_electric_rules_of_published_cases(expected: dict[str, Any]) -> None:
    for number, case in enumerate(expected["western_electric_rules"]["cases"], start=1):
        rule = RULES[f"western_electric_{number}"]  # type: ignore[index]
        fired = np.flatnonzero(rule.fires(np.asarray(case["x"], float))) + 1
        assert fired.tolist() == case["violations"], case["rule"]


def test_cusum_of_a_published_example() -> None:
    # Source: Montgomery, table 9.1 and 9.2 (mean 10, sigma 1, k = 0.5, h = 5): signals at 29, 30
    x = [
        9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34,
        9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84,
        10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
    ]  # fmt: skip
    upper, lower = spc_charts.cusum(np.asarray(x)[:, None], Process(10, 1), 0.5, 5)
    assert upper.point[[3, 4, 28, 29]] == pytest.approx([1.16, 2.82, 5.28, 5.30])
    assert lower.point[:3] == pytest.approx([-0.05, -1.56, -1.77])
    assert (np.flatnonzero(upper.outside()) + 1).tolist() == [29, 30]
    assert not lower.outside().any()


# ---- rules by their definition


def by_definition(name: str, z: list[float], at: int) -> bool:
    """Return whether a rule fires at a point, from its words alone."""

    def recent(points: int) -> list[float]:
        return z[max(0, at + 1 - points) : at + 1]

    def one_side(least: int, of: int, line: float) -> bool:
        return any(
            side * z[at] > line and sum(side * v > line for v in recent(of)) >= least
            for side in (1, -1)
        )

    def run(points: int, holds: Callable[[list[float]], bool]) -> bool:
        return len(recent(points)) == points and holds(recent(points))

    def steps(values: list[float]) -> list[float]:
        return [float(np.sign(b - a)) for a, b in pairwise(values)]

    def turns(values: list[float]) -> bool:
        signs = steps(values)
        return all(a * b < 0 for a, b in pairwise(signs))

    return {
        "nelson_1": lambda: one_side(1, 1, 3),
        "nelson_2": lambda: one_side(9, 9, 0),
        "nelson_3": lambda: run(6, lambda v: abs(sum(steps(v))) == 5),
        "nelson_4": lambda: run(14, turns),
        "nelson_5": lambda: one_side(2, 3, 2),
        "nelson_6": lambda: one_side(4, 5, 1),
        "nelson_7": lambda: run(15, lambda v: all(abs(x) < 1 for x in v)),
        "nelson_8": lambda: run(8, lambda v: all(abs(x) > 1 for x in v)),
        "western_electric_1": lambda: one_side(1, 1, 3),
        "western_electric_2": lambda: one_side(2, 3, 2),
        "western_electric_3": lambda: one_side(4, 5, 1),
        "western_electric_4": lambda: one_side(8, 8, 0),
        "western_electric_5": lambda: run(15, lambda v: all(abs(x) < 1 for x in v)),
        "western_electric_6": lambda: run(8, lambda v: all(abs(x) > 1 for x in v)),
        "western_electric_7": lambda: run(14, turns),
        "western_electric_8": lambda: run(6, lambda v: abs(sum(steps(v))) == 5),
        "range_1": lambda: run(1, lambda v: min(v) > 3),
        "range_2": lambda: run(2, lambda v: min(v) > 2),
        "range_3": lambda: run(3, lambda v: min(v) > 1),
        "range_4": lambda: run(7, lambda v: min(v) > 0),
        "range_5": lambda: run(10, lambda v: max(v) < 0),
        "range_6": lambda: run(6, lambda v: max(v) < -1),
        "range_7": lambda: run(4, lambda v: max(v) < -2),
    }[name]()


# runs are rare in free numbers: draw pieces that have some
piece = st.one_of(
    st.lists(st.floats(-4, 4), max_size=6),
    st.tuples(
        st.sampled_from([-3.5, -2.5, -1.0, -0.5, 0.0, 0.5, 1.5, 2.0]), st.integers(1, 16)
    ).map(lambda pair: [pair[0]] * pair[1]),
    st.tuples(st.floats(-2, 2), st.floats(-1, 1), st.integers(2, 7)).map(
        lambda t: [t[0] + t[1] * i for i in range(t[2])]
    ),
    st.tuples(st.floats(0.1, 2), st.integers(2, 16)).map(
        lambda t: [t[0] * (-1) ** i for i in range(t[1])]
    ),
)
sequences = st.lists(piece, max_size=5).map(lambda pieces: [z for part in pieces for z in part])


@pytest.mark.parametrize("name", [*RULES, *RANGE_RULES])
@given(z=sequences)
def test_rules_fire_exactly_where_their_words_say(name: str, z: list[float]) -> None:
    rules: dict[Any, Rule] = {**RULES, **RANGE_RULES}
    fired = rules[name].fires(np.asarray(z, float))
    assert fired.tolist() == [by_definition(name, z, at) for at in range(len(z))]


@given(
    sequences,
    st.sampled_from([0.25, 2.0, 1024.0]),
    st.integers(-50, 50),
    st.sampled_from([1, 2, 5]),
)
def test_limits_move_and_scale_with_the_parts(
    z: list[float], scale: float, shift: int, n: int
) -> None:
    x = np.asarray(z[: len(z) // n * n]).reshape(-1, n)
    for spread in ("range", "deviation"):
        try:
            one = learn(x, spread)
        except NotEnoughData:
            continue
        if one.sigma < 1e-6:
            continue  # lost in rounding beside the shift
        other = learn(x * scale + shift, spread)
        assert other.centre == pytest.approx(one.centre * scale + shift, abs=1e-9 * scale)
        assert other.sigma == pytest.approx(one.sigma * scale, rel=1e-6)
        assert other.error == one.error


@given(sequences)
def test_a_cusum_is_what_page_defined(z: list[float]) -> None:
    upper, lower = spc_charts.cusum(np.asarray(z, float)[:, None], Process(0, 1), 0.5, 5)
    high = low = 0.0
    for place, value in enumerate(z):
        high, low = max(0.0, high + value - 0.5), max(0.0, low - value - 0.5)
        assert upper.point[place] == pytest.approx(high, abs=1e-9)
        assert lower.point[place] == pytest.approx(-low, abs=1e-9)


# ---- run lengths: what the charts promise, by simulation


def run_length(signals: Callable[[FloatArray], FloatArray], shift: float) -> tuple[float, float]:
    """Return the mean points until the first signal, and its standard error."""
    random = np.random.default_rng(20260302)
    lengths = []
    for _ in range(1000):
        before = 0
        while True:
            fired = np.flatnonzero(signals(random.standard_normal(2000) + shift))
            if len(fired):
                break
            before += 2000  # begun anew: rare, and short beside it
        lengths.append(before + fired[0] + 1)
    return float(np.mean(lengths)), float(np.std(lengths) / sqrt(len(lengths)))


def western_electric(*numbers: int) -> Callable[[FloatArray], FloatArray]:
    rules = [RULES[f"western_electric_{number}"] for number in numbers]  # type: ignore[index]
    return lambda z: np.logical_or.reduce([rule.fires(z) for rule in rules])


def two_sums(z: FloatArray) -> FloatArray:
    upper, lower = spc_charts.cusum(z[:, None], Process(0, 1), 0.5, 5)
    return upper.outside() | lower.outside()


@pytest.mark.parametrize(
    ("signals", "shift", "known"),
    [
        # Source: Champ and Woodall (1987), exact by Markov chains
        pytest.param(western_electric(1), 0, 370.40, id="rule 1"),
        pytest.param(western_electric(1, 2), 0, 225.44, id="rules 1, 2"),
        pytest.param(western_electric(1, 3), 0, 166.05, id="rules 1, 3"),
        pytest.param(western_electric(1, 4), 0, 152.73, id="rules 1, 4"),
        pytest.param(western_electric(1, 2, 3, 4), 0, 91.75, id="all four rules"),
        # Source: Montgomery, table 9.3 (Hawkins 1993): k = 0.5, h = 5
        pytest.param(two_sums, 0, 465, id="cusum at rest"),
        pytest.param(two_sums, 1, 10.4, id="cusum shifted by 1 sigma"),
    ],
)
def test_mean_run_lengths_are_as_published(
    signals: Callable[[FloatArray], FloatArray], shift: float, known: float
) -> None:
    mean, error = run_length(signals, shift)
    assert abs(mean - known) < 4 * error + 0.01 * known  # the published ones are rounded


def test_ewma_finds_a_shift_of_one_sigma_as_fast_as_published() -> None:
    # Source: Lucas and Saccucci (1990): weight 0.2, width 2.962: 10.5 points; with limits that
    # widen from the first point on it is a little faster
    def signals(z: FloatArray) -> FloatArray:
        return spc_charts.ewma(z[:200, None], Process(0, 1), 0.2, 2.962).outside()

    mean, error = run_length(signals, 1.0)
    assert 8.5 < mean < 10.5 + 4 * error


# ---- capability


def test_capability_of_a_known_process() -> None:
    random = np.random.default_rng(7)
    parts = random.normal(100, 2, (2000, 5))
    found = capability(parts, 91, 112)
    assert found.cp is not None
    assert found.pp is not None
    assert found.cp.value == pytest.approx(21 / 12, rel=0.02)
    assert found.cpk.value == pytest.approx(9 / 6, rel=0.02)
    assert found.pp.value == pytest.approx(21 / 12, rel=0.02)
    assert found.ppk.value == pytest.approx(9 / 6, rel=0.02)


@pytest.mark.parametrize("n", [1, 5])
def test_intervals_hold_the_truth_19_times_in_20(n: int) -> None:
    random = np.random.default_rng(8)
    held = dict.fromkeys(("cp", "cpk", "pp", "ppk"), 0)
    for _ in range(1000):
        found = capability(random.normal(0.5, 1, (125 // n, n)), -4, 4)
        for name, truth in (("cp", 4 / 3), ("cpk", 3.5 / 3), ("pp", 4 / 3), ("ppk", 3.5 / 3)):
            index = getattr(found, name)
            held[name] += index.low <= truth <= index.high
    assert all(930 <= times <= 970 for times in held.values()), held


def test_degrees_of_freedom_of_ranges_are_those_of_duncan() -> None:
    # Source: Duncan (1974), table D3: 5 parts, 1 subgroup 3.8, 20 subgroups 72.7 degrees of freedom
    of = constants(5)
    for groups, freedom in ((1, 3.8), (20, 72.7)):
        error = of.d3 / of.d2 / sqrt(groups)
        assert 1 / (2 * sqrt(1 + 2 * error**2) - 2) == pytest.approx(freedom, rel=0.02)


def test_one_limit_gives_no_width() -> None:
    found = capability(np.random.default_rng(1).normal(0, 1, (50, 1)), None, 3)
    assert found.cp is None
    assert found.pp is None
    assert found.cpk.value == pytest.approx((3 - found.mean) / (3 * found.within))


def test_capability_of_too_few_parts_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="30 parts; there are 10"):
        capability(np.arange(10.0).reshape(5, 2), 0, 1)


# ---- the analysis

NOW = from_iso("2026-03-02T14:00+09:00")
ID = "press1.length"


def analysis(**options: Any) -> Spc:
    signal = Signal(id=ID, unit="mm", kind=options.pop("kind", "number"))
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone="Asia/Seoul"),
        signals={ID: signal, **options.pop("signals", {})},
    )
    return Spc("length", SpcOptions(signal=ID, **options), factory)


class Feed:
    """Gives an analysis parts, one a minute."""

    def __init__(self, work: Spc) -> None:
        self.work = work
        self.time = NOW

    def __call__(self, *values: float, status: int = 0, repeat: bool = False) -> list[Finding]:
        times = []
        for _ in values:
            self.time += 0 if repeat else MINUTE
            times.append(self.time)
        samples = Samples(
            np.asarray(times, np.int64),
            np.asarray(values, float),
            np.full(len(values), status, np.uint8),
        )
        end = self.time + SECOND
        return list(self.work.update(end, Window(NOW, end, {ID: samples})))


def test_it_waits_for_phase_one_and_says_for_how_long() -> None:
    feed = Feed(analysis(chart="xbar_r", subgroup=5))
    with pytest.raises(NotEnoughData, match=r"1 of 25 points of 5 parts .* 118 parts are missing"):
        feed(*[230.0, 231.0] * 3, 229.0)


def test_limits_stay_and_a_broken_rule_is_named_where_it_was_broken() -> None:
    feed = Feed(analysis(learn=20))
    calm = [230.0 + 0.1 * (-1) ** (i // 2) for i in range(20)]
    first = feed(*calm)
    assert {f.name: f.severity for f in first} == {"control": 0, "spread": 0}
    control = first[0]
    assert (control.asset, control.unit, control.value) == ("press1", "mm", calm[-1])
    far = feed(240.0)[0]
    assert far.severity == 2
    assert far.reason.startswith("nelson_1: a point beyond 3 sigma, at 2026-03-02T14:21")
    assert far.evidence["rules"] == "nelson_1"
    assert {key: far.evidence[key] for key in ("cl", "lcl", "ucl")} == {
        key: control.evidence[key] for key in ("cl", "lcl", "ucl")
    }
    assert feed(230.0)[0].severity == 0


def test_all_new_points_are_judged_though_only_the_last_is_told() -> None:
    feed = Feed(analysis(centre=0, sigma=1))
    (control, _) = feed(0.5, 9.0, 0.2)
    assert control.value == 0.2
    assert control.severity == 2
    assert "14:02" in control.reason


def test_given_limits_chart_from_the_first_part_on() -> None:
    feed = Feed(analysis(centre=230, sigma=0.5))
    (control,) = feed(230.2)  # there is no moving range yet
    assert control.evidence["limits"] == "given"
    assert control.evidence["ucl"] == "231.5"
    assert [f.name for f in feed(230.3)] == ["control", "spread"]


def test_a_value_that_is_sent_again_is_no_part() -> None:
    feed = Feed(analysis(centre=230, sigma=0.5))
    feed(230.2)
    assert feed(230.2, repeat=True) == []
    assert feed(230.2)[0].evidence["points"] == "2"


def test_what_follows_too_soon_is_no_part() -> None:
    feed = Feed(analysis(centre=230, sigma=0.5, every=150))
    for value in (230.0, 235.0, 235.0, 230.1, 235.0):  # a minute after each other
        found = feed(value)
    assert found == []
    assert feed.work._value == [230.0, 230.1]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (1.0, Severity.BAD),
        (1.0, Flag.STALE | Severity.UNCERTAIN),
        (1.0, Flag.OUT_OF_RANGE),
        (float("nan"), 0),
        (float("inf"), 0),
    ],
)
def test_what_is_no_measurement_is_passed_over_and_counted(value: float, status: int) -> None:
    feed = Feed(analysis(centre=230, sigma=0.5))
    feed(230.2)
    assert feed(value, status=status) == []
    assert feed(230.1)[0].evidence["passed over"].startswith("1 samples")


def test_a_phase_one_out_of_control_is_told() -> None:
    feed = Feed(analysis(learn=20))
    control = feed(*[230.0 + 0.1 * (-1) ** (i // 2) for i in range(19)], 240.0)[0]
    assert control.severity == 1
    assert "phase I itself broke a rule at" in control.reason


def test_phase_one_waits_until_something_varies() -> None:
    feed = Feed(analysis(learn=3))
    for _ in range(2):
        with pytest.raises(NotEnoughData, match="equal"):
            feed(*[5.0] * 4)
    assert feed(5.0, 6.0, 5.5)[0].evidence["points"] == "4"


def test_subgroups_are_told_when_complete() -> None:
    feed = Feed(analysis(chart="xbar_s", subgroup=3, centre=0, sigma=1))
    with pytest.raises(NotEnoughData, match="0 of 1 points"):
        feed(0.1, 0.2)
    control, spread = feed(0.3)
    assert control.value == pytest.approx(0.2)
    assert spread.value == pytest.approx(0.1)
    assert feed(0.4) == []


def test_a_cusum_finds_a_small_lasting_shift() -> None:
    feed = Feed(analysis(chart="cusum", centre=0, sigma=1))
    assert feed(*[-0.5, 0.5] * 5)[0].severity == 0
    found = feed(*[-1.0] * 12)[0]
    assert found.severity == 2
    assert found.value == pytest.approx(-6.0)
    assert found.unit == "1"
    assert (found.evidence["lcl"], found.evidence["ucl"]) == ("-5", "5")


def test_an_ewma_tells_the_weighted_mean() -> None:
    found = Feed(analysis(chart="ewma", centre=0, sigma=1))(1.0, 1.0)[0]
    assert found.value == pytest.approx(0.36)


def test_capability_is_told_with_its_interval() -> None:
    feed = Feed(analysis(centre=0, sigma=1, lsl=-4, usl=4))
    assert [f.name for f in feed(0.1)] == ["control", "cpk"]  # and says what is missing
    parts = np.random.default_rng(2).normal(0, 1, 200).tolist()
    found = {f.name: f for f in feed(*parts)}
    assert found.keys() == {"control", "spread", "cp", "cpk", "pp", "ppk"}
    assert found["cpk"].evidence["parts"] == "125"
    assert found["cpk"].value == pytest.approx(4 / 3, abs=0.25)


def test_it_keeps_no_more_than_it_charts() -> None:
    feed = Feed(analysis(chart="xbar_r", subgroup=2, centre=0, sigma=1))
    feed(*[0.1, 0.2] * 1500, 0.5)
    assert feed(0.6)[0].evidence["points"] == "1001"
    assert feed(0.6, 0.6)[0].evidence["points"] == "1001"


# ---- counts and rational subgroups, live


def window(end: int, **told: Any) -> Window:
    """Return what is new: signals as {minute: value}, events as {minute: text}."""
    samples, events = {}, {}
    for name, rows in told.items():
        id = f"press1.{name}"
        if any(isinstance(value, str) for value in rows.values()):
            events[id] = tuple(
                Event(id=id, time=NOW + at * MINUTE, kind="scan", value=value)
                for at, value in rows.items()
            )
            continue
        time = np.asarray([NOW + at * MINUTE for at in rows], np.int64)
        value = np.asarray(list(rows.values()), float)
        samples[id] = Samples(time, value, np.zeros(len(rows), np.uint8))
    return Window(NOW, NOW + end * MINUTE, samples, events)


def test_shares_of_samples_of_other_sizes_have_limits_of_their_own() -> None:
    work = analysis(chart="p", size_signal="press1.size", centre=0.1, rules=("nelson_1",))
    assert work.needs.signals == (ID, "press1.size")
    found = work.update(NOW, window(9, size={0: 100, 2: 25}, length={0: 12, 1: 30, 2: 5, 3: 26}))
    (control,) = found
    assert control.value == pytest.approx(5 / 25)
    assert float(control.evidence["ucl"]) == pytest.approx(0.1 + 3 * sqrt(0.09 / 25))
    assert control.evidence["size"] == "25"
    assert control.evidence["passed over"].startswith("1 samples")  # 26 bad of 25
    assert control.unit == "1"
    assert control.severity == 2  # 30 of 100, though the last point is within
    assert "nelson_1" in control.reason


def test_counts_learn_their_centre() -> None:
    work = analysis(chart="c", learn=5)
    with pytest.raises(NotEnoughData, match="4 of 5 points"):
        work.update(NOW, window(9, length=dict(enumerate([4, 6, 5, 5]))))
    (control,) = work.update(NOW, window(9, length={5: 5}))
    assert control.severity == 0
    (control,) = work.update(NOW, window(9, length={6: 20}))
    assert float(control.evidence["centre"]) == 5
    assert "sigma" not in control.evidence
    assert control.severity == 2


def test_a_new_lot_begins_a_new_subgroup_live() -> None:
    options = {"chart": "xbar_r", "subgroup": 2, "centre": 230, "sigma": 1}
    signals = {"press1.lot": Signal(id="press1.lot", kind="scan")}
    work = analysis(split="press1.lot", signals=signals, **options)
    assert work.needs.events == ("press1.lot",)
    told = {"lot": {0: "A", 3: "B"}, "length": {1: 230.0, 2: 231, 2.5: 229, 3: 240, 4: 242}}
    found = {each.name: each for each in work.update(NOW, window(9, **told))}
    assert found["control"].value == pytest.approx(241)
    assert found["control"].evidence["points"] == "2"
    assert found["control"].evidence["left over"].startswith("1 parts")


def test_cavities_that_take_turns_have_subgroups_of_their_own() -> None:
    options = {"chart": "xbar_r", "subgroup": 2, "centre": 230, "sigma": 1}
    work = analysis(split="press1.cavity", apart=True, **options)
    assert work.needs.signals == (ID, "press1.cavity")
    told = {
        "cavity": {0: 1.0, 1: 2.0, 2: 1.0, 3: 2.0},
        "length": {0.5: 229.0, 1.5: 240, 2.5: 231, 3.5: 242},
    }
    found = {each.name: each for each in work.update(NOW, window(9, **told))}
    assert found["control"].value == pytest.approx(241)
    assert found["control"].evidence["points"] == "2"
    assert found["spread"].value == pytest.approx(2)
    assert "left over" not in found["control"].evidence


def test_a_pause_begins_a_new_subgroup_live() -> None:
    work = analysis(chart="xbar_r", subgroup=2, centre=230, sigma=1, within=90.0)
    found = work.update(NOW, window(99, length={0: 230.0, 5: 231, 6: 233, 7: 230}))
    assert found[0].value == pytest.approx(232)
    (control, *_) = work.update(NOW, window(99, length={0: 230.0, 8: 230}))
    assert control.value == pytest.approx(230)
    assert control.evidence["passed over"].startswith("1 samples")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"chart": "xbar_r"}, "two parts or more"),
        ({"subgroup": 5}, "no subgroups"),
        ({"centre": 1.0}, "given together"),
        ({"lsl": 2.0, "usl": 1.0}, "is not below usl"),
        ({"kind": "state"}, "not a number"),
        ({"chart": "p"}, "size or size_signal, one of them"),
        ({"chart": "u", "size": 5.0, "size_signal": "press1.size"}, "one of them"),
        ({"chart": "np", "size_signal": "press1.size"}, "np has one size"),
        ({"chart": "c", "size": 5.0}, "all alike"),
        ({"chart": "c", "subgroup": 5}, "point of its own"),
        ({"chart": "c", "centre": 5.0, "sigma": 1.0}, "follows from centre"),
        ({"chart": "c", "usl": 5.0}, "no specification limits"),
        ({"chart": "p", "size": 5.0, "centre": 1.5}, "is no share"),
        ({"size": 5.0}, "only counts have a size"),
        ({"apart": True}, "nothing tells the parts apart"),
    ],
)
def test_options_that_contradict_each_other_are_faults(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FactoryError, match=problem):
        analysis(**options)


def test_known_centre_and_sigma_are_read_from_a_file() -> None:
    table = {"signal": ID, "centre": 230, "sigma": 0.5}
    options, problems = strict.decode(SpcOptions, table)
    assert problems == []
    assert options == SpcOptions(signal=ID, centre=230.0, sigma=0.5)
    _, problems = strict.decode(SpcOptions, {**table, "sigma": 0})
    assert problems[0].key == ("sigma",)
    msgspec.json.schema(SpcOptions)
