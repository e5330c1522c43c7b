"""Times as texts: a list says the same as a column, text by text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.machines import _moment as moment

DAYS = st.datetimes().map(lambda day: f"{day.isoformat()}Z")
COMMON = st.from_regex(
    r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d(\.\d{1,9})?Z\n?", fullmatch=True
)


@given(st.lists(st.one_of(DAYS, COMMON, st.text(max_size=30)), max_size=5))
def test_a_list_says_the_same_as_a_column(texts: list[str]) -> None:
    times, wrong = moment.listed(texts)
    expected, also_wrong = moment.columns(pa.array(texts, pa.string()))
    assert times.tolist() == expected.tolist()
    assert wrong.keys() == also_wrong.keys()


@pytest.mark.parametrize(
    "odd",
    [
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00Z\n2026-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "NaT",
    ],
)
def test_what_is_no_time_is_told_and_the_others_stay(odd: str) -> None:
    times, wrong = moment.listed(["2026-01-01T00:00:00.5Z", odd])
    assert times.tolist() == [1_767_225_600_500_000_000, moment.NEVER]
    assert list(wrong) == [1]
