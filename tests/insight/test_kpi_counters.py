"""Counters that reset, wrap, repeat and fail, and means of held values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.ports import Samples
from deungdae.core.types import Severity
from deungdae.insight.kpi.counters import held_mean, increments


def samples(*rows: tuple[int, float] | tuple[int, float, int]) -> Samples:
    return Samples(
        np.asarray([row[0] for row in rows], np.int64),
        np.asarray([row[1] for row in rows], np.float64),
        np.asarray([row[2] if len(row) == 3 else 0 for row in rows], np.uint8),
    )


def test_the_last_sample_before_the_period_is_the_base() -> None:
    found = increments(samples((0, 100), (12, 103), (15, 104)), 10, 20)
    assert found is not None
    assert found.total == 4
    assert found.time.tolist() == [12, 15]
    assert found.since.tolist() == [0, 12]
    assert found.known == 10


def test_without_a_base_the_first_sample_of_the_period_is_it() -> None:
    found = increments(samples((12, 103), (15, 104)), 10, 20)
    assert found is not None
    assert (found.total, found.known) == (1, 12)


def test_nothing_usable_is_none_and_a_silent_counter_counted_nothing() -> None:
    assert increments(samples(), 10, 20) is None
    assert increments(samples((12, 5, Severity.BAD)), 10, 20) is None
    assert increments(samples((25, 5)), 10, 20) is None
    silent = increments(samples((5, 7)), 10, 20)
    assert silent is not None
    assert silent.total == 0


def test_a_fall_is_a_reset_and_what_it_shows_then_was_counted_since() -> None:
    found = increments(samples((0, 98), (1, 100), (2, 3), (3, 5), (4, 0)), 0, 10)
    assert found is not None
    assert found.amount.tolist() == [2, 3, 2, 0]
    assert found.resets == 2


def test_a_wrap_goes_around_but_a_reset_in_the_same_counter_does_not() -> None:
    found = increments(samples((0, 65_530), (1, 4), (2, 1_000), (3, 2)), 0, 10, wrap=65_536)
    assert found is not None
    assert found.amount.tolist() == [10, 996, 2]
    assert found.resets == 1


def test_bad_samples_and_what_is_no_count_are_passed_over() -> None:
    rows = (
        (0, 10),
        (1, 0, Severity.BAD),
        (2, math.nan),
        (3, math.inf),
        (4, -1),
        (5, 1e300),
        (6, 12),
    )
    found = increments(samples(*rows), 0, 10)
    assert found is not None
    assert found.amount.tolist() == [2]


counter = st.lists(
    st.tuples(
        st.integers(0, 1000),
        st.integers(0, 500).map(float) | st.just(math.nan),
        st.sampled_from([0, 0, 0, int(Severity.BAD), int(Severity.UNCERTAIN)]),
    ),
    max_size=30,
    unique_by=lambda row: row[0],
).map(sorted)


@given(counter, st.lists(st.integers(0, 1000), min_size=3, max_size=3).map(sorted))
def test_a_period_split_anywhere_adds_up(
    rows: list[tuple[int, float, int]], edges: list[int]
) -> None:
    start, middle, end = edges
    whole, first, second = (
        increments(samples(*rows), a, b, 512) for a, b in ((start, end), (start, middle), edges[1:])
    )
    total = sum(part.total for part in (first, second) if part is not None)
    assert total == (whole.total if whole is not None else 0)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(60, 200))
def test_a_wrapping_counter_counts_what_was_made(made: list[int], wrap: int) -> None:
    made = [amount % (wrap // 2) for amount in made]
    shown = np.cumsum([0, *made]) % wrap
    found = increments(samples(*enumerate(shown.tolist())), 0, 1000, wrap)
    assert found is not None
    assert found.total == sum(made)
    assert found.resets == 0


def test_the_mean_of_a_held_value_weighs_by_time() -> None:
    mean, known = held_mean(samples((0, 2.0), (15, 8.0)), 10, 20)
    assert (mean, known) == (5.0, 1.0)
    mean, known = held_mean(samples((12, 2.0), (15, 9.0, Severity.BAD), (18, 5.0)), 10, 20)
    assert mean == pytest.approx((3 * 2 + 2 * 5) / 5)
    assert known == 0.5
    assert held_mean(samples(), 10, 20)[1] == 0.0
