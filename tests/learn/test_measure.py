"""Figures of merit, their intervals and agreement, against known answers and as properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn import metrics

from deungdae.core.errors import NotEnoughData
from deungdae.learn import measure
from deungdae.learn.measure import Interval
from deungdae.learn.measure.figures import balanced

LABELLED = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(bad for _, bad in rows) < len(rows)
)


@settings(max_examples=50, deadline=None)
@given(LABELLED)
def test_the_ranking_is_that_of_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    score, bad = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert measure.auroc(score, bad) == pytest.approx(metrics.roc_auc_score(bad, score))
    assert measure.auroc(-score, bad) == pytest.approx(1 - measure.auroc(score, bad))


@pytest.mark.parametrize("bad", [[True, True], [False, False], []])
def test_one_kind_alone_has_no_ranking(bad: list[bool]) -> None:
    with pytest.raises(NotEnoughData, match="both kinds are needed"):
        measure.auroc([0.0] * len(bad), bad)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="1 scores are no numbers"):
        measure.auroc([0.1, math.nan], [True, False])


def test_no_error_in_n_is_no_proof() -> None:
    """The rule of three: 0 of 100 leaves up to 3.6 % (two-sided), Clopper and Pearson."""
    found = measure.exact(0, 100)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 100))


def test_exact_and_wilson_are_as_printed() -> None:
    """Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148."""
    assert_allclose([measure.exact(81, 263).low, measure.exact(81, 263).high], [0.2527, 0.3676],
                    atol=5e-5)  # fmt: skip
    assert_allclose([measure.wilson(81, 263).low, measure.wilson(81, 263).high], [0.2553, 0.3662],
                    atol=5e-5)  # fmt: skip
    assert_allclose([measure.exact(15, 148).low, measure.exact(15, 148).high], [0.0578, 0.1617],
                    atol=5e-5)  # fmt: skip
    assert_allclose([measure.wilson(15, 148).low, measure.wilson(15, 148).high], [0.0624, 0.1605],
                    atol=5e-5)  # fmt: skip
    # 18 of 20, as in any table
    assert_allclose([measure.exact(18, 20).low, measure.exact(18, 20).high], [0.6830, 0.9877],
                    atol=1e-4)  # fmt: skip
    assert measure.exact(0, 10).low == 0
    assert measure.exact(10, 10).high == 1


def test_copies_of_one_part_add_no_certainty() -> None:
    hit = np.array([True] * 3 + [False] * 17)
    single = measure.rate(hit)
    copied = measure.rate(np.repeat(hit, 7), np.repeat(np.arange(20), 7))
    assert copied.value == pytest.approx(single.value)
    assert copied.low <= single.low
    assert copied.high >= single.high - 0.01
    free = measure.rate(np.zeros(140, bool), np.repeat(np.arange(20), 7))
    assert free.high == pytest.approx(measure.exact(0, 20).high)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=50))
def test_a_rate_lies_in_its_interval(rows: list[tuple[bool, int]]) -> None:
    found = measure.rate([row[0] for row in rows], [row[1] for row in rows])
    assert 0.0 <= found.low <= found.value + 1e-12
    assert found.value <= found.high + 1e-12 <= 1.0 + 2e-12
    assert found.low < found.high


def test_a_balanced_figure_keeps_an_interval_where_no_error_was_seen() -> None:
    none = measure.exact(0, 30)
    found = balanced(none, none)
    assert found.value == 1.0
    assert found.low == pytest.approx(1 - math.hypot(*[1 - 0.025 ** (1 / 30)] * 2) / 2)


def test_bootstrap_draws_whole_groups() -> None:
    """Seven copies of each part: as wide as of the parts alone, not √7 narrower."""
    random = np.random.default_rng(3)
    bad = np.arange(80) < 30
    score = random.normal(size=80) + bad
    alone = measure.bootstrap(measure.auroc, np.arange(80), score, bad, random=random, strata=bad)
    copies = [np.repeat(each, 7) for each in (np.arange(80), score, bad)]
    grouped = measure.bootstrap(measure.auroc, *copies, random=random, strata=copies[2])
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_bootstrap_covers_the_truth() -> None:
    """AUROC of two normals one deviation apart is Φ(1/√2) = .7602 (Hanley and McNeil 1982)."""
    random = np.random.default_rng(5)
    bad = np.arange(60) < 20
    held = 0
    for _ in range(80):
        score = random.normal(size=60) + bad
        held += measure.bootstrap(
            measure.auroc, np.arange(60), score, bad, rounds=100, random=random, strata=bad
        ).holds(0.7602)
    assert held >= 68  # 95 % of 80 is 76; four standard errors below


def test_a_perfect_ranking_is_not_certain() -> None:
    bad = np.arange(40) < 10
    found = measure.bootstrap(
        measure.auroc, np.arange(40), bad * 1.0, bad, random=np.random.default_rng(0), strata=bad
    )
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(0.025 ** (1 / 10))


def test_bootstrap_says_when_the_groups_are_too_few() -> None:
    with pytest.raises(NotEnoughData, match="4 groups give no interval"):
        measure.bootstrap(np.mean, [1, 2, 3, 4], [1, 2, 3, 4], random=np.random.default_rng(0))


def test_the_cheapest_limit_follows_the_costs() -> None:
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    bad = np.array([False, False, True, False, False, True, True, True])
    dear = measure.threshold(score, bad, cost_escape=1000, cost_false_reject=1)
    assert (dear.limit, dear.escape, dear.false_reject) == (0.25, 0.0, 0.5)
    assert dear.cost == pytest.approx(0.5 * 0.5)
    cheap = measure.threshold(score, bad, cost_escape=1, cost_false_reject=1000)
    assert (cheap.escape, cheap.false_reject) == (0.25, 0.0)
    assert cheap.limit == pytest.approx(0.65)
    rare = measure.threshold(score, bad, 1000, 1, prevalence=0.0001)
    assert rare.limit == cheap.limit
    assert rare.accept_all == pytest.approx(0.1)
    assert rare.reject_all == pytest.approx(0.9999)


def test_a_useless_score_is_not_worth_its_rejects() -> None:
    found = measure.threshold([0.9, 0.1], [False, True], 1.0, 10.0)
    assert found.cost == found.accept_all
    assert found.escape == 1.0


@settings(max_examples=50, deadline=None)
@given(LABELLED, st.floats(0, 100), st.floats(0.1, 100))
def test_no_other_limit_is_cheaper(
    rows: list[tuple[int, bool]], escape: float, reject: float
) -> None:
    score, bad = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    best = measure.threshold(score, bad, escape, reject)
    for limit in range(-6, 7):
        wrong = escape * np.sum((score < limit) & bad) + reject * np.sum((score >= limit) & ~bad)
        assert best.cost <= wrong / len(bad) + 1e-9
    assert best.cost <= min(best.accept_all, best.reject_all) + 1e-9


def test_parts_are_as_bad_as_their_worst_image() -> None:
    score, bad, _ = measure.parts([0.1, 0.9, 0.2], [False, True, False], ["a", "a", "b"])
    assert score.tolist() == [0.9, 0.2]
    assert bad.tolist() == [True, False]


def test_platt_is_the_logistic_of_the_scores() -> None:
    """Drawn from 1 / (1 + exp(−(2 x − 1))), it is found again."""
    random = np.random.default_rng(1)
    x = random.normal(size=4000)
    fitted = measure.platt(x, random.random(4000) < 1 / (1 + np.exp(1 - 2 * x)))
    assert fitted.slope == pytest.approx(2.0, abs=0.15)
    assert fitted.offset == pytest.approx(-1.0, abs=0.12)


def test_platt_stays_finite_where_the_scores_part_the_kinds() -> None:
    said = measure.platt([0.0, 1.0] * 5, [False, True] * 5).probability([0.0, 1.0])
    assert_allclose(said, [1 / 7, 6 / 7], atol=1e-3)
    assert_allclose(measure.platt([3.0] * 4, [True, False] * 2).probability(3.0), 0.5)


def test_reliability_is_how_far_what_was_said_is_from_what_was_true() -> None:
    random = np.random.default_rng(2)
    score = random.random(2000)
    bad = random.random(2000) < score**2
    told = measure.reliability(score**2, bad)
    assert told.error < 0.03
    assert told.brier < told.known
    raw = measure.reliability(score, bad)
    assert raw.error == pytest.approx(1 / 6, abs=0.02)  # ∫ x − x²
    assert sum(each.n for each in raw.bins) == 2000


def _pairs(both: int, first: int, second: int, neither: int) -> np.ndarray:
    return np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [both, first, second, neither], axis=0)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # AIAG, Measurement Systems Analysis, 4th ed., III C: A*B, A*C, B*C; A, B, C * reference
        ((44, 6, 3, 97), 0.86),
        ((43, 7, 8, 92), 0.78),
        ((42, 5, 9, 94), 0.79),
        ((45, 5, 3, 97), 0.88),
        ((45, 2, 3, 100), 0.92),
        ((42, 9, 6, 93), 0.77),
    ],
)
def test_kappa_is_as_printed(table: tuple[int, int, int, int], expected: float) -> None:
    found = measure.kappa(_pairs(*table), random=np.random.default_rng(0), rounds=100)
    assert round(found.value, 2) == expected
    assert found.low < found.value < found.high


def test_kappa_of_many_is_that_of_fleiss() -> None:
    """10 subjects, 14 raters, 5 categories: .210 (Fleiss' kappa, Wikipedia's worked example)."""
    counts = np.array(
        [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
         [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]
    )  # fmt: skip
    ratings = np.array([np.repeat(list("abcde"), row) for row in counts])
    found = measure.kappa(ratings, random=np.random.default_rng(0), rounds=100)
    assert found.value == pytest.approx(0.210, abs=5e-4)


def test_full_agreement_is_not_certain_and_one_verdict_says_nothing() -> None:
    found = measure.kappa(_pairs(10, 0, 0, 10), random=np.random.default_rng(0))
    assert found.value == 1.0
    assert 0.6 < found.low < 0.7
    with pytest.raises(NotEnoughData, match="all verdicts are the same"):
        measure.kappa(_pairs(20, 0, 0, 0), random=np.random.default_rng(0))


def test_an_interval_reads_as_one() -> None:
    assert str(Interval(0.8, 0.75, 0.851)) == "0.800 (0.750 to 0.851)"
    assert Interval(0.8, 0.75, 0.85).holds(0.75)
