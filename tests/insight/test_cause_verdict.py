"""The process or the specification: verdicts on parts whose trouble is known."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.insight.cause import Limits, judge, placeholders, words


def parts(middle: float, sigma: float, n: int = 30, seed: int = 1) -> np.ndarray:
    z = np.random.default_rng(seed).normal(size=n)
    return np.asarray(middle + sigma * (z - z.mean()) / z.std(ddof=1))


def test_all_parts_off_by_the_same_is_the_specification() -> None:
    found = judge(parts(10.4, 0.005), Limits(nominal=10, lower=9.9, upper=10.1))
    assert found.kind == "specification"
    assert found.said.startswith("a specification fault, not the process")
    assert (found.outside, found.sure) == (30, False)
    assert found.pp is not None
    assert found.pp == pytest.approx(0.2 / 0.03, rel=1e-6)


def test_the_program_tells_print_from_process() -> None:
    wrong_print = Limits(nominal=10, lower=9.9, upper=10.1, aimed=10.15)
    found = judge(parts(10.15, 0.005), wrong_print)
    assert (found.kind, found.sure) == ("specification", True)
    assert "the program aims at 10.15" in found.evidence[0]
    wrong_machine = Limits(nominal=10, lower=9.9, upper=10.1, aimed=10)
    found = judge(parts(10.15, 0.005), wrong_machine)
    assert found.kind == "off-centre"
    assert found.shift == pytest.approx(-0.15)


@pytest.mark.parametrize(
    ("middle", "nominal", "why"),
    [(12.7, 0.5, "inch and mm"), (5.0, 10.0, "radius and diameter"), (-3.0, 3.0, "the sign")],
)
def test_numbers_that_betray_themselves(middle: float, nominal: float, why: str) -> None:
    limits = Limits(nominal=nominal, lower=nominal - 0.02, upper=nominal + 0.02)
    found = judge(parts(middle, 0.003), limits)
    assert (found.kind, found.sure) == ("specification", True)
    assert why in found.said


def test_two_nominals_exchanged() -> None:
    limits = Limits(nominal=8, lower=7.9, upper=8.1)
    found = judge(parts(6.5, 0.004), limits, others=[4.5, 6.5])
    assert "another characteristic: exchanged" in found.said


def test_an_inspection_that_passed_what_is_outside_used_other_limits() -> None:
    found = judge(parts(10.15, 0.005), Limits(lower=9.9, upper=10.1), passed=[True] * 30)
    assert (found.kind, found.sure) == ("specification", True)
    assert "it used others" in found.said


def test_a_setting_that_is_off_a_little() -> None:
    found = judge(parts(10.09, 0.01), Limits(lower=9.9, upper=10.1))
    assert found.kind == "off-centre"
    assert found.shift == pytest.approx(-0.09)
    assert 0 < found.outside < 30


def test_too_much_spread() -> None:
    found = judge(parts(10, 0.08), Limits(lower=9.9, upper=10.1))
    assert found.kind == "spread"
    assert "even in the middle" in found.said


def test_one_wild_part() -> None:
    values = parts(10, 0.01)
    values[6] = 10.4
    found = judge(values, Limits(lower=9.9, upper=10.1), parts=[f"A{n:02d}" for n in range(30)])
    assert (found.kind, found.special, found.outside) == ("special", ("A06",), 1)
    assert found.pp is not None
    assert found.pp > 3


def test_a_process_that_moves() -> None:
    values = parts(10, 0.01) + np.linspace(-0.12, 0.12, 30)
    assert judge(values, Limits(lower=9.9, upper=10.1)).kind == "drift"
    assert judge(values, Limits(lower=9.9, upper=10.1), ordered=False).kind == "spread"


def test_nothing_is_the_matter() -> None:
    found = judge(parts(10, 0.01), Limits(nominal=10, lower=9.9, upper=10.1))
    assert (found.kind, found.outside, found.shift) == ("capable", 0, None)


def test_one_limit() -> None:
    near = judge(np.abs(parts(0.04, 0.008)), Limits(upper=0.05))
    assert (near.kind, near.pp) == ("spread", None)
    beyond = judge(np.abs(parts(0.09, 0.008)), Limits(upper=0.05))
    assert "what the process can do and what is wanted do not meet" in beyond.said
    wide = judge(parts(0.09, 0.008), Limits(upper=0.05), bonus=np.full(30, 0.2))
    assert wide.kind == "capable"


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(lower=11, upper=10), "above the upper limit"),
        (Limits(lower=10, upper=10), "no part can be exactly that"),
        (Limits(nominal=12, lower=9, upper=11), "above its own upper limit"),
        (Limits(nominal=8, lower=9, upper=11), "below its own lower limit"),
        (Limits(upper=0), "cannot meet it"),
    ],
)
def test_a_specification_that_makes_no_sense(limits: Limits, why: str) -> None:
    found = judge(parts(10, 0.01), limits)
    assert found.kind == "specification"
    assert why in found.said


def test_two_documents_that_disagree() -> None:
    limits = Limits(nominal=10, lower=9.9, upper=10.1)
    assert judge(parts(10, 0.01), limits, nominal_told=[10.05]).kind == "specification"
    assert judge(parts(10, 0.01), limits, nominal_told=[10.0]).kind == "capable"


def test_parts_that_nobody_measured() -> None:
    nominal = np.array([4.5, 4.5, 4.5, 25.0, np.nan])
    table = nominal + 0.01 + 0.001 * np.random.default_rng(1).normal(size=(12, 5))
    table[:, 4] = 0.3
    table[5, :3] = 4.5
    blank = placeholders(table, nominal)
    assert np.flatnonzero(blank).tolist() == [5]
    found = judge(table[:, 0], Limits(nominal=4.5, lower=4.2, upper=4.8), placeholder=blank)
    assert found.parts == 11
    assert "nobody measured" in found.evidence[-1]
    assert "specification" not in " ".join(words.verdict("hole", found))


def test_too_few() -> None:
    with pytest.raises(NotEnoughData, match="5 parts have a value; at least 8"):
        judge(np.arange(5.0), Limits(upper=3))
    with pytest.raises(NotEnoughData):
        judge(np.array([np.nan] * 20), Limits(upper=3))


def test_all_the_same_value() -> None:
    assert judge(np.full(20, 5.0), Limits(lower=4, upper=6)).kind == "capable"
    assert judge(np.full(20, 7.0), Limits(lower=4, upper=6)).kind == "specification"
