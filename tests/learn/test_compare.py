"""Two judges of the same parts: what each would have cost."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.learn.compare import PASS, REJECT, UNSURE, Costs, compare, tally, verdicts

BAD = np.array([True, True, False, False, False, False])


def test_scores_between_the_limits_are_for_a_person() -> None:
    said = verdicts(np.array([0.1, 0.2, 0.5, 0.7, 0.71]), 0.2, 0.7)
    assert said.tolist() == [PASS, UNSURE, UNSURE, UNSURE, REJECT]


def test_what_a_judge_costs() -> None:
    said = np.array([PASS, REJECT, REJECT, PASS, UNSURE, PASS], np.int8)
    found = tally(said, BAD, Costs(escape=10, false_reject=2, look=1))
    assert (found.good, found.bad, found.escaped, found.falsely_rejected, found.asked) == (
        4, 2, 1, 1, 1,
    )  # fmt: skip
    assert found.cost == pytest.approx((10 + 2 + 1) / 6)


@pytest.mark.parametrize(
    ("new_misses", "old_misses", "verdict"),
    [(0, 30, "better"), (30, 0, "worse"), (2, 3, "not worse")],
)
def test_one_is_better_only_where_the_data_tell(
    new_misses: int, old_misses: int, verdict: str
) -> None:
    bad = np.repeat([True, False], 50)
    right = np.where(bad, REJECT, PASS).astype(np.int8)
    new, old = right.copy(), right.copy()
    new[:new_misses], old[10 : 10 + old_misses] = PASS, PASS
    groups = [str(n) for n in range(100)]
    found = compare(new, old, bad, groups, against="a", random=np.random.default_rng(1))
    assert (found.verdict, found.against) == (verdict, "a")
    assert found.saved.value == pytest.approx((old_misses - new_misses) / 10)
    assert found.saved.low <= found.saved.value <= found.saved.high


def test_few_parts_tell_nothing() -> None:
    said = np.zeros(6, np.int8)
    with pytest.raises(NotEnoughData, match="6 of at least 10"):
        compare(said, said, BAD, list("abcdef"), random=np.random.default_rng(1))
