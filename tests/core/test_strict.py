"""Strict reading: all problems at once, each with its key and a remedy."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core import strict


class Inner(msgspec.Struct, frozen=True):
    low: float
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low is not below high")


class Outer(msgspec.Struct, frozen=True):
    name: str
    mode: Literal["on", "off"] = "off"
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    one: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}


def problems(table: dict[str, object], *, text: bool = False) -> dict[str, tuple[str, str]]:
    value, found = strict.decode(Outer, table, text=text)
    assert (value is None) == bool(found)
    return {".".join(map(str, p.key)): (p.problem, p.remedy) for p in found}


def test_what_is_right_becomes_the_struct() -> None:
    value, found = strict.decode(Outer, {"name": "a", "many": [{"low": 0}], "count": 3})
    assert found == []
    assert value == Outer(name="a", count=3, many=(Inner(low=0),))


def test_every_problem_is_told_at_once_with_its_key() -> None:
    table: dict[str, object] = {
        "nam": "a", "mode": "on?", "count": 0, "one": {"low": "x"},
        "many": [{"low": 0}, {"lo": 1}, 5], "named": {"k": {"low": 2, "high": 1}},
    }  # fmt: skip
    found = problems(table)
    assert set(found) == {
        "nam", "name", "mode", "count", "one.low", "many.1.lo", "many.1.low", "many.2", "named.k"
    }  # fmt: skip
    assert found["nam"][1] == "did you mean name?"
    assert found["mode"][1] == "one of on, off"
    assert found["named.k"][0] == "low is not below high"


def test_text_of_a_spreadsheet_becomes_numbers() -> None:
    value, found = strict.decode(Outer, {"name": "5", "count": "7"}, text=True)
    assert found == []
    assert value == Outer(name="5", count=7)
    assert "count" in problems({"name": "a", "count": "seven"}, text=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["name", "mode", "count", "one", "many", "named", "x"]), JSON)
)
def test_any_table_is_read_or_refused_in_words(table: dict[str, object]) -> None:
    value, found = strict.decode(Outer, table)
    assert (value is None) == bool(found)
    assert all(problem.problem for problem in found)
