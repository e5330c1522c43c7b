"""Sampling plans: entries of the standards' tables, their worked examples, and exact curves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from deungdae.core.errors import NotEnoughData
from deungdae.insight.acceptance import (
    AQLS,
    LEVELS,
    Lot,
    Plan,
    Severity,
    State,
    accept,
    after,
    design,
    estimate,
    judge,
    letter,
    probability,
    quality,
    single,
    variables,
)

# ---- attributes: tables


@pytest.mark.parametrize(
    ("lot", "level", "code"),
    [
        # Source: ISO 2859-1, table 1
        (2, "II", "A"), (8, "III", "B"), (9, "II", "B"), (500, "II", "H"), (501, "II", "J"),
        (1200, "II", "J"), (2000, "I", "H"), (2000, "II", "K"), (2000, "III", "L"),
        (2000, "S-1", "C"), (2000, "S-2", "D"), (2000, "S-3", "E"), (2000, "S-4", "G"),
        (500_000, "II", "P"), (500_001, "II", "Q"), (500_001, "III", "R"), (10**9, "S-4", "K"),
    ],
)  # fmt: skip
def test_code_letters(lot: int, level: Any, code: str) -> None:
    assert letter(lot, level) == code


@pytest.mark.parametrize(
    ("code", "aql", "severity", "n", "ac", "re"),
    [
        # Source: ANSI/ASQ Z1.4, tables II-A, II-B, II-C. All 3 × 416 cells were compared once with
        # those of the R package AQLSchemes; these are the corners, arrows and everyday ones
        ("J", 1.0, "normal", 80, 2, 3), ("K", 0.65, "normal", 125, 2, 3),
        ("E", 1.0, "normal", 13, 0, 1), ("F", 1.0, "normal", 13, 0, 1),
        ("G", 1.0, "normal", 50, 1, 2), ("H", 1.0, "normal", 50, 1, 2),
        ("Q", 1.0, "normal", 1250, 21, 22), ("R", 1.0, "normal", 1250, 21, 22),
        ("A", 6.5, "normal", 2, 0, 1), ("A", 10.0, "normal", 5, 1, 2),
        ("A", 1000.0, "normal", 2, 30, 31), ("B", 1000.0, "normal", 3, 44, 45),
        ("R", 1000.0, "normal", 3, 44, 45), ("A", 0.01, "normal", 1250, 0, 1),
        ("R", 0.015, "normal", 800, 0, 1), ("R", 0.025, "normal", 2000, 1, 2),
        ("F", 65.0, "normal", 20, 21, 22), ("F", 100.0, "normal", 13, 21, 22),
        ("J", 1.0, "tightened", 80, 1, 2), ("G", 1.0, "tightened", 80, 1, 2),
        ("F", 1.0, "tightened", 20, 0, 1), ("Q", 1.0, "tightened", 1250, 18, 19),
        ("R", 0.025, "tightened", 3150, 1, 2), ("A", 10.0, "tightened", 8, 1, 2),
        ("A", 1000.0, "tightened", 2, 27, 28), ("B", 1000.0, "tightened", 3, 41, 42),
        ("J", 1.0, "reduced", 32, 1, 3), ("K", 1.0, "reduced", 50, 1, 4),
        ("L", 1.0, "reduced", 80, 2, 5), ("E", 1.0, "reduced", 5, 0, 1),
        ("A", 25.0, "reduced", 2, 1, 2), ("B", 40.0, "reduced", 2, 2, 4),
        ("C", 650.0, "reduced", 2, 21, 24), ("C", 1000.0, "reduced", 2, 30, 31),
    ],
)  # fmt: skip
def test_single_plans(code: str, aql: float, severity: Severity, n: int, ac: int, re: int) -> None:
    plan = single(code, aql, severity)
    assert (plan.n, plan.accept, plan.reject) == (n, ac, re)


@settings(deadline=None)
@given(
    st.sampled_from("ABCDEFGHJKLMNPQR"),
    st.sampled_from(AQLS),
    st.sampled_from(["normal", "tightened", "reduced"]),
)
def test_every_cell_has_a_plan_that_makes_sense(code: str, aql: float, severity: Any) -> None:
    plan = single(code, aql, severity)
    assert 0 <= plan.accept < plan.reject
    assert plan.n >= 2
    if severity != "reduced":
        assert plan.reject == plan.accept + 1


@settings(deadline=None)
@given(st.sampled_from("EFGHJKLMNP"), st.sampled_from(AQLS[5:14]))
def test_good_lots_mostly_pass_and_tightened_is_stricter(code: str, aql: float) -> None:
    normal, tightened = single(code, aql), single(code, aql, "tightened")
    at = aql / 100
    passes = [accept(plan.n, plan.accept, at)[0] for plan in (normal, tightened)]
    assert passes[0] > 0.85
    worse = quality(normal.n, normal.accept, 0.5)
    assert (
        accept(tightened.n, tightened.accept, worse)[0]
        <= accept(normal.n, normal.accept, worse)[0] + 1e-9
    )


def test_letters_grow_with_the_lot_and_the_level() -> None:
    letters = "ABCDEFGHJKLMNPQR"
    for level in LEVELS:
        codes = [letters.index(letter(lot, level)) for lot in (2, 20, 200, 2000, 20_000, 200_000)]
        assert codes == sorted(codes)
    for lot in (2, 100, 1000, 10**6):
        codes = [letters.index(letter(lot, level)) for level in ("S-1", "S-2", "S-3", "S-4")]  # type: ignore[arg-type]
        assert codes == sorted(codes)


@pytest.mark.parametrize(
    "call", [lambda: letter(1), lambda: single("J", 1.1), lambda: single("I", 1.0)]
)
def test_what_no_table_has_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"table|code letter|2 parts or more"):
        call()


# ---- curves


def test_the_curve_of_a_textbook_plan() -> None:
    # Source: Montgomery, table 15.2: n = 89, c = 2
    share = [0.005, 0.010, 0.020, 0.030, 0.040, 0.050, 0.060, 0.070, 0.080, 0.090]
    known = [0.9897, 0.9397, 0.7366, 0.4985, 0.3042, 0.1721, 0.0919, 0.0468, 0.0230, 0.0109]
    assert accept(89, 2, share) == pytest.approx(known, abs=1.1e-4)


def test_the_two_points_of_a_plan_of_the_standard() -> None:
    # Source: ISO 2859-1, table 10-J: n = 80, Ac 2: accepted at 95 % 1.03, at 10 % 6.52 % bad
    assert quality(80, 2, 0.95) == pytest.approx(0.0103, abs=5e-5)
    assert quality(80, 2, 0.10) == pytest.approx(0.0652, abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(0, 10), st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_worse_lots_are_accepted_less(n: int, c: int, shares: list[float]) -> None:
    found = accept(n, c, sorted(shares))
    assert all(b <= a + 1e-12 for a, b in pairwise(found))
    assert ((found >= 0) & (found <= 1)).all()


def test_a_lot_of_known_size_is_drawn_without_putting_back() -> None:
    assert accept(10, 0, 0.1, lot=20)[0] == pytest.approx(10 / 20 * 9 / 19)
    assert accept(20, 1, 0.05, lot=20)[0] == 1  # every part is seen: one bad of 20
    assert accept(5, 0, 0.02, counted="faults")[0] == pytest.approx(np.exp(-0.1))
    with pytest.raises(ValueError, match="every part"):
        accept(30, 0, 0.1, lot=20)


@pytest.mark.parametrize(("n", "c", "share"), [(0, 0, 0.1), (10, -1, 0.1), (10, 0, 1.5)])
def test_impossible_plans_are_refused(n: int, c: int, share: float) -> None:
    with pytest.raises(ValueError, match="plan inspects"):
        accept(n, c, share)


# ---- switching


def run(state: State, plan: Plan | None, *bad: int, steady: bool = True) -> State:
    for found in bad:
        own = plan or single("J", 1.0, state.severity)
        state = after(state, Lot(own, found), steady=steady)
    return state


def test_two_of_five_refused_tighten() -> None:
    state = run(State(), None, 0, 3, 0, 0)
    assert state.severity == "normal"
    assert run(state, None, 3).severity == "tightened"
    assert run(State(), None, 3, 0, 0, 0, 0, 3).severity == "normal"  # six apart
    assert run(State(), None, 3, 3).because == "2 of 5 lots or fewer were not accepted"


def test_five_accepted_loosen_again_and_five_refused_stop() -> None:
    tight = State(severity="tightened")
    assert run(tight, None, 0, 0, 0, 0).severity == "tightened"
    assert run(tight, None, 0, 0, 0, 0, 0).severity == "normal"
    assert run(tight, None, 0, 2, 0, 0, 0, 0).severity == "tightened"
    stopped = run(tight, None, 2, 0, 2, 2, 0, 2, 2)
    assert stopped.stopped
    with pytest.raises(ValueError, match="stopped"):
        run(stopped, None, 0)


def test_a_score_of_thirty_reduces() -> None:
    # Ac 2 at AQL 1.0: 3 for lots that AQL 0.65 (Ac 1) would accept too, else from the start
    assert run(State(), None, *[1] * 9).score == 27
    assert run(State(), None, *[1] * 10).severity == "reduced"
    assert run(State(), None, *[1] * 9, 2).score == 0
    assert run(State(), None, *[1] * 12, steady=False).severity == "normal"
    small = single("H", 1.0)  # Ac 1: 2 for each accepted lot
    assert run(State(), small, *[1] * 15).severity == "reduced"


def test_reduced_ends_with_a_doubtful_lot() -> None:
    reduced = State(severity="reduced")
    assert run(reduced, None, 1).severity == "reduced"
    between = single("J", 1.0, "reduced")  # Ac 1, Re 3
    assert Lot(between, 2).accepted
    assert run(reduced, None, 2).severity == "normal"
    assert not Lot(between, 3).accepted
    assert run(reduced, None, 3).severity == "normal"
    assert run(reduced, None, 0, steady=False).severity == "normal"


def test_a_lot_of_another_severity_is_refused() -> None:
    with pytest.raises(ValueError, match="was inspected normal, not tightened"):
        after(State(severity="tightened"), Lot(single("J", 1.0), 0))


# ---- variables


def test_the_worked_example_of_z19() -> None:
    # Source: ANSI/ASQ Z1.9, examples B-1 and B-3: lot of 40, level II, AQL 1 %, limit 209: n = 5,
    # k = 1.53, M = 3.32; mean 195, s 8.81, quality index 1.59, estimate 2.19 %: accepted
    plan = variables(40, 1.0)
    assert (plan.letter, plan.n) == ("D", 5)
    assert plan.k == pytest.approx(1.53, abs=0.01)
    assert plan.most == pytest.approx(0.0332, abs=2e-4)
    parts = np.asarray([197.0, 188.0, 184.0, 205.0, 201.0])
    found = judge(parts, plan, usl=209)
    assert found.quality == pytest.approx(1.59, abs=5e-3)
    assert found.bad == pytest.approx(0.0219, abs=5e-4)
    assert found.accepted
    assert not judge(parts, plan, usl=208).accepted
    # against 180 and 209 together: 0.66 % more, and still accepted
    both = judge(parts, plan, lsl=180, usl=209)
    assert both.bad == pytest.approx(0.0219 + 0.0066, abs=1e-3)
    assert both.accepted
    assert not judge(parts, plan, lsl=181.5, usl=209).accepted


@pytest.mark.parametrize(
    ("aql", "known"),
    [
        # Source: ANSI/ASQ Z1.9, table B-1, letters D (5), E (7), F (10), G (15), I (25), J (35)
        (1.0, (1.53, 1.62, 1.72, 1.79, 1.85, 1.89)),
        (2.5, (1.24, 1.33, 1.41, 1.47, 1.53, 1.57)),
        (10.0, (0.675, 0.755, 0.828, 0.886, 0.936, 0.969)),
    ],
)
def test_constants_of_form_one(aql: float, known: tuple[float, ...]) -> None:
    lots = (50, 90, 150, 280, 500, 1200)
    codes = "DEFGIJ"
    sizes = (40, 60, 100, 200, 450, 1000)
    for code, lot, size, k in zip(codes, lots, sizes, known, strict=True):
        plan = variables(size, aql)
        assert (plan.letter, size <= lot) == (code, True)
        assert plan.k == pytest.approx(k, abs=0.0105)


def test_tightened_takes_the_plan_of_the_next_aql() -> None:
    assert variables(1000, 1.0, "tightened").most == variables(1000, 0.65).most
    assert variables(1000, 0.10, "tightened").most == pytest.approx(0.00253)
    assert variables(1000, 1.0, "reduced").n < variables(1000, 1.0).n


@settings(deadline=None)
@given(st.sampled_from(AQLS[5:16]), st.integers(2, 10**6))
def test_plans_by_variables_pass_good_lots(aql: float, lot: int) -> None:
    plan = variables(lot, aql)
    assert probability(plan.n, plan.k, aql / 100)[0] > 0.8


def test_estimates_have_no_bias() -> None:
    random = np.random.default_rng(1)
    x = random.normal(0, 1, (20_000, 7))
    away = (1.5 - x.mean(axis=1)) / x.std(axis=1, ddof=1)
    found = np.mean([estimate(each, 7) for each in away])
    assert found == pytest.approx(stats.norm.sf(1.5), rel=0.03)


def test_a_plan_of_ones_own_keeps_both_promises() -> None:
    # Source: Montgomery, ex. 16.1 by nomograph: 1 % at 95 %, 6 % at 10 %: n = 40, k = 1.9
    plan = design(0.01, 0.06)
    assert plan.n == pytest.approx(40, abs=2)
    assert plan.k == pytest.approx(1.9, abs=0.01)
    good, bad = probability(plan.n, plan.k, [0.01, 0.06])
    assert good >= 0.95
    assert bad <= 0.10
    smaller = plan.n - 1
    k = np.linspace(1, 3, 2001)
    ok = [
        k_
        for k_ in k
        if probability(smaller, k_, 0.01)[0] >= 0.95 and probability(smaller, k_, 0.06)[0] <= 0.10
    ]
    assert ok == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: variables(40, 1.1), ValueError),
        (lambda: variables(1, 1.0), ValueError),
        (lambda: design(0.05, 0.01), ValueError),
        (lambda: design(0.01, 0.0101), ValueError),
        (lambda: judge(np.ones(4), variables(40, 1.0), usl=2), ValueError),
        (lambda: judge(np.arange(5.0), variables(40, 1.0)), ValueError),
        (lambda: judge(np.ones(5), variables(40, 1.0), usl=2), NotEnoughData),
    ],
)
def test_plans_by_variables_refuse_what_they_cannot_do(call: Any, error: Any) -> None:
    with pytest.raises(error):
        call()
