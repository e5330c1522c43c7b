"""Capability studies: published values, what is not normal, and when it matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.insight.spc import Asked, Study, distributions, study
from deungdae.insight.spc.study import best


def of(parts: FloatArray, **asked: Any) -> Study:
    return study(parts.reshape(-1, 1), Asked(**asked), np.random.default_rng(1))


# ---- the distributions


def test_fits_are_those_of_another_library() -> None:
    random = np.random.default_rng(1)
    parts = 4 * random.weibull(1.7, 200)
    shape, _, scale = stats.weibull_min.fit(parts, floc=0)
    assert distributions.refit("weibull", parts[None])[0] == pytest.approx([shape, scale], rel=1e-4)
    shape, _, scale = stats.gamma.fit(parts, floc=0)
    assert distributions.refit("gamma", parts[None])[0] == pytest.approx([shape, scale], rel=1e-4)
    away, _, scale = stats.foldnorm.fit(parts, floc=0)
    folded = distributions.refit("folded normal", parts[None])[0]
    assert folded == pytest.approx([away * scale, scale], rel=1e-3)


def test_quantiles_turn_back_into_shares() -> None:
    parts = 2 + np.random.default_rng(2).gamma(3, 1, 100)
    for shape in distributions.FAMILIES:
        fitted = distributions.fit(shape, parts, np.random.default_rng(1))
        for share in (0.00135, 0.2, 0.5, 0.99865):
            (value,) = fitted.quantiles((share,))
            assert fitted.below(value) == pytest.approx(share, rel=1e-6)
            assert fitted.above(value) == pytest.approx(1 - share, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "p"), [(0.470, 0.25), (0.631, 0.10), (0.752, 0.05), (0.873, 0.025), (1.035, 0.01)]
)
def test_the_test_of_the_normal_has_its_published_points(a: float, p: float) -> None:
    # Source: D'Agostino and Stephens (1986), table 4.7: of A* = A² (1 + 0.75/n + 2.25/n²)
    assert distributions._p_of_normal(a, 10**9) == pytest.approx(p, rel=0.03)


@pytest.mark.parametrize("shape", ["weibull", "folded normal", "rayleigh"])
def test_the_test_of_a_true_shape_rejects_one_in_twenty(shape: Any) -> None:
    random = np.random.default_rng(3)
    drawn = {
        "weibull": lambda: random.weibull(1.7, 40),
        "folded normal": lambda: np.abs(random.normal(1, 1, 40)),
        "rayleigh": lambda: random.rayleigh(2, 40),
    }[shape]
    rejected = np.mean([distributions.fit(shape, drawn(), random).p < 0.05 for _ in range(60)])
    assert rejected <= 0.15


def test_pearson_curves_are_those_that_have_a_name() -> None:
    # of kurtosis 3 + 1.5 skewness² it is the gamma; without skewness above 3 it is Student's t
    three = (0.00135, 0.5, 0.99865)
    for skew in (0.5, 1.0):
        curve = distributions._pearson_curve(skew, 3 + 1.5 * skew**2 - 1e-9)
        assert np.interp(three, *curve) == pytest.approx(stats.pearson3.ppf(three, skew), abs=1e-4)
    curve = distributions._pearson_curve(0.0, 4.5)
    known = stats.t.ppf(three, 8) / np.sqrt(8 / 6)
    assert np.interp(three, *curve) == pytest.approx(known, abs=1e-3)
    with pytest.raises(NotEnoughData, match="no Pearson curve"):
        distributions._pearson_curve(2.0, 3.0)


# ---- the study


def test_normal_parts_stay_normal() -> None:
    parts = np.random.default_rng(4).normal(10, 1, 100)
    found = of(parts, lsl=6, usl=14, method="auto")
    assert (found.method, found.shape, found.otherwise) == ("normal", "normal", None)
    assert found.pp is not None
    assert found.ppk is not None
    assert found.pp.value == pytest.approx(8 / (6 * parts.std(ddof=1)))
    assert found.ppk.value == pytest.approx(
        min(14 - parts.mean(), parts.mean() - 6) / (3 * parts.std(ddof=1))
    )
    tails = stats.norm(parts.mean(), parts.std(ddof=1))
    assert found.ppm == pytest.approx(1e6 * (tails.cdf(6) + tails.sf(14)), rel=1e-6)
    assert found.notes == ()


def test_one_limit_gives_ppk_alone() -> None:
    parts = np.random.default_rng(5).normal(0.03, 0.005, 40)
    found = of(parts, usl=0.05)
    assert (found.pp, found.cp) == (None, None)
    assert found.ppk is not None
    assert found.ppk.value == pytest.approx((0.05 - parts.mean()) / (3 * parts.std(ddof=1)))


def test_skewed_parts_are_told_and_it_matters() -> None:
    parts = np.random.default_rng(6).lognormal(0, 0.5, 300)
    found = of(parts, usl=4)
    assert found.normality is not None
    assert found.normality.rejected
    assert found.normality.matters
    assert found.otherwise is not None
    assert found.otherwise.method == "percentile"
    truth = (4 - 1) / (np.exp(0.5 * 3) - 1)  # median 1, upper percentile e^1.5
    assert found.otherwise.ppk.low < truth < found.otherwise.ppk.high
    assert found.ppk is not None
    assert found.ppk.value > truth * 1.1  # as if normal it looks better than it is
    assert any("not normal" in note and "it matters" in note for note in found.notes)


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ("lognormal", np.random.default_rng(1).lognormal(1, 0.6, 400)),
        ("weibull", 3 * np.random.default_rng(2).weibull(4.5, 600)),
        ("folded normal", np.abs(np.random.default_rng(3).normal(0.2, 1, 400))),
    ],
)
def test_the_family_is_found(shape: str, parts: FloatArray) -> None:
    found = best(parts, np.random.default_rng(1))
    assert found is not None
    assert found.shape == shape


def test_intervals_of_percentiles_hold_the_truth() -> None:
    random = np.random.default_rng(7)
    truth, held = 3 / (np.exp(1.2) - 1), 0
    for _ in range(40):
        parts = random.lognormal(0, 0.4, 100)
        found = of(parts, usl=4, shape="lognormal", rounds=200)
        assert found.ppk is not None
        held += found.ppk.low <= truth <= found.ppk.high
    assert held >= 34


def test_clements_reckons_by_four_moments() -> None:
    parts = np.random.default_rng(7).gamma(4, 1, 2000)
    found = of(parts, usl=16, method="clements", rounds=50)
    _, middle, high = stats.gamma.ppf((0.00135, 0.5, 0.99865), 4)
    assert found.shape == "pearson"
    assert found.ppk is not None
    assert found.ppk.value == pytest.approx((16 - middle) / (high - middle), rel=0.1)
    assert found.ppm is None


def test_a_coarse_step_is_no_shape() -> None:
    parts = np.round(np.random.default_rng(8).normal(0, 1, 200))
    found = of(parts, lsl=-6, usl=6, method="auto")
    assert found.normality is not None
    assert found.normality.coarse
    assert found.method == "normal"
    assert any("coarse" in note for note in found.notes)


def test_a_value_that_was_not_measured_is_named() -> None:
    parts = np.append(np.random.default_rng(9).normal(4.52, 0.002, 40), 4.5)
    notes = of(parts, lsl=4.2, usl=4.8).notes
    assert any(note.startswith("4.5: far from all other values") for note in notes)


def test_the_tail_of_a_leaning_distribution_is_no_stray() -> None:
    parts = np.random.default_rng(6).lognormal(0, 0.3, 5000)
    assert not any("far from all" in note for note in of(parts, usl=9).notes)


def test_a_machine_study_has_indices_of_its_own() -> None:
    found = of(np.random.default_rng(10).normal(0, 1, 50), lsl=-5, usl=5, machine=True)
    assert found.pp is None
    assert found.cpk is None
    assert found.cm is not None
    assert found.cmk is not None
    assert found.cmk.value <= found.cm.value
    short = of(np.random.default_rng(10).normal(0, 1, 20), lsl=-5, usl=5, machine=True)
    assert "20 parts, of 50 that such a study should have" in short.notes


@pytest.mark.parametrize(
    ("parts", "asked", "error", "said"),
    [
        ([1.0], {"usl": 2}, NotEnoughData, "2 parts or more, not 1"),
        ([1.0] * 9, {"usl": 2}, NotEnoughData, "all 9 parts measure 1"),
        ([1.0, 2.0], {}, ValueError, "needs a specification limit"),
        ([1.0, 2.0], {"lsl": 3, "usl": 2}, ValueError, "not below"),
        ([1.0, float("nan")], {"usl": 2}, ValueError, "no number"),
        ([-1.0, 1, 2, 3, 4], {"usl": 9, "shape": "weibull"}, NotEnoughData, "above 0"),
    ],
)
def test_what_cannot_be_reckoned_is_said(
    parts: list[float], asked: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        of(np.asarray(parts), **asked)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30),
    st.sampled_from(["normal", "auto", "clements"]),
)
def test_any_parts_have_a_study_or_a_reason(parts: list[float], method: Any) -> None:
    try:
        found = of(np.asarray(parts), lsl=-1, usl=1, method=method, rounds=20)
    except NotEnoughData:
        return
    assert found.ppk is not None
    assert np.isfinite([found.ppk.value, found.mean, found.deviation]).all()


def test_the_seed_makes_it_the_same_again() -> None:
    parts = np.random.default_rng(11).lognormal(0, 0.5, 60)
    assert of(parts, usl=5, method="auto") == of(parts, usl=5, method="auto")


def test_published_capability_of_first_articles(shared_data: Path) -> None:
    # the inspection program's own study of 28 characteristics stands in the same document
    from lxml import etree

    from deungdae.wires import qif

    folder = shared_data / "nist-smstestbed" / "tdp" / "mtc" / "FAIR"
    content = next(folder.glob("*.qif")).read_bytes()
    by_name: dict[str, list[qif.Measurement]] = {}
    for each in qif.measurements(content):
        by_name.setdefault(each.characteristic, []).append(each)
    root = etree.fromstring(content)
    known = [node for node in root.iter("{*}ValueStats") if node.find("{*}Ppk") is not None]
    assert len(known) == len(by_name) == 28
    compared = 0
    for parts, node in zip(by_name.values(), known, strict=True):
        published = {
            name: float(node.findtext(f"{{*}}{name}", "nan")) for name in ("Pp", "Ppk", "Cp")
        }
        if parts[0].lower is None or parts[0].kind == "UserDefinedLinear":
            continue
        found = of(
            np.asarray([part.value for part in parts]), lsl=parts[0].lower, usl=parts[0].upper
        )
        assert found.pp is not None
        assert found.ppk is not None
        assert found.cp is not None
        assert found.pp.value == pytest.approx(published["Pp"], rel=1e-6)
        assert found.ppk.value == pytest.approx(published["Ppk"], rel=1e-6)
        assert found.cp.value == pytest.approx(published["Cp"], rel=5e-4)  # it rounds d2 to 1.128
        compared += 1
    assert compared == 25
