"""The kernel beside exact answers, quickly: the cases of benchmarks/validation.py, a part of each.

The full table, with half-widths below 0.3 %, is docs/reference/validation.md.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> Any:
    """Return a file of benchmarks/ as a module, as its scripts see each other."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


exact, validation = load("exact"), load("validation")
CASES = {case.name: case for case in validation.cases()}


@pytest.mark.parametrize("name", CASES)
def test_exact_answer(name: str) -> None:
    result = validation.run(CASES[name], share=0.02)
    assert abs(result.z) < 3.3, result  # 30 cases: one in thirty seeds would show more
    assert result.width < 0.04


def test_formulas_agree_with_chains() -> None:
    """What exact.py says, said by another way of its own."""
    assert exact.mmc(0.8, 1, 1) == pytest.approx(4)
    assert exact.mg1(0.8, 1, 2) == pytest.approx(4)
    assert exact.saturated([1, 1, 1], [0, 0]) == pytest.approx(22 / 39)  # Hunt (1956)
    for places in range(5):  # births and deaths on places + 3 states
        assert exact.saturated([1, 1], [places]) == pytest.approx((places + 2) / (places + 3))
    for first, second, places in ((0.9, 0.8, 3), (0.7, 0.7, 5), (0.6, 0.95, 1)):
        chain = exact.bernoulli_before_service(first, second, places)
        assert exact.bernoulli(first, second, places) == pytest.approx(chain, abs=1e-12)
    # White & Christie (1958): (1 + μ f / (f + r)²) λ / (μ r / (f + r) - λ)
    up = 0.4 / 0.45
    known = (1 + 0.05 / 0.45**2) * 0.6 / (up - 0.6)
    assert exact.failing_always(0.6, 1, 0.05, 0.4) == pytest.approx(known)
    assert exact.cobham([0.3, 0.4], [1, 1], [2, 2]).sum() == pytest.approx(
        exact.mg1(0.7, 1, 2) - 0.7
    )
    assert exact.batch_queue(0.8, 1, 1, 400) == pytest.approx(4)
    assert exact.assembly(1, 1000, 1.5, 2) == pytest.approx(
        exact.saturated([1, 1.5], [2]), rel=1e-3
    )
