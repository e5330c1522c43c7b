"""Conditions on the state of a twin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.app.api.condition import holds

STATE = {
    "properties": {"state": "running", "level": 3, "product": None},
    "features": {"press-1": {"properties": {"state": "down"}}},
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('eq(properties/state,"running")', True),
        ('ne(properties/state,"running")', False),
        ("eq(/properties/level,3)", True),
        ("gt(properties/level,2.5)", True),
        ("ge(properties/level,3)", True),
        ("lt(properties/level,3)", False),
        ("le(properties/level,3)", True),
        ('gt(properties/state,"idle")', True),
        ("exists(properties/level)", True),
        ("exists(properties/product)", False),
        ("exists(properties/nothing)", False),
        ("eq(properties/product,null)", True),
        ("gt(properties/nothing,1)", False),
        ("ne(properties/nothing,1)", True),
        ('gt(properties/level,"2")', False),  # a text is no number
        ('eq(features/press-1/properties/state,"down")', True),
        ("and(ge(properties/level,1),le(properties/level,5))", True),
        ('or(eq(properties/level,9), not(eq(properties/state,"down")))', True),
        (r'eq(properties/state,"a \"quoted, (text)\"")', False),
    ],
)
def test_a_condition_holds_or_not(condition: str, expected: bool) -> None:
    assert holds(condition, STATE) is expected


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "eq",
        "eq(properties/level",
        "eq(properties/level,3) and more",
        "like(properties/state,3)",
        "eq(properties/state,running)",
        'eq(properties/state,"open',
        "not(" * 50 + "exists(a)" + ")" * 50,
    ],
)
def test_what_is_no_condition_is_told(condition: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — each says something else
        holds(condition, STATE)


@given(st.text(alphabet='eqnotand(),"/ 3\\', max_size=60))
def test_nothing_that_is_written_breaks_it(condition: str) -> None:
    try:
        holds(condition, STATE)
    except ValueError:
        return
