"""Tables of parts from CSV: what is a number, what is a name, and what is wrong, with its place."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import FactoryError
from deungdae.insight.cause import read


def test_numbers_words_and_gaps() -> None:
    table = read(b"lot,temp,result\nL10,20.5,good\nL2,,bad\nL2,n/a,good\n", "parts.csv")
    assert table["lot"].levels == ("L2", "L10")  # as people sort
    assert table["lot"].value.tolist() == [1, 0, 0]
    assert table["temp"].value[0] == 20.5
    assert np.isnan(table["temp"].value[1:]).all()
    assert len(table) == 3


def test_numbered_things_are_names() -> None:
    rows = "\n".join(f"{n % 3 + 1},{n % 3 + 1},{n}" for n in range(12))
    table = read(f"machine,speed,y\n{rows}\n".encode(), "parts.csv", words=["speed"])
    assert table["machine"].levels == ("1", "2", "3")
    assert table["speed"].levels == ("1", "2", "3")
    assert table["y"].levels == ()


def test_semicolons_decimal_commas_and_korean() -> None:
    table = read("설비;온도\n1호기;180,5\n2호기;181,5\n".encode("cp949"), "부품.csv")
    assert table["온도"].value.tolist() == [180.5, 181.5]
    assert table["설비"].levels == ("1호기", "2호기")


def test_text_in_numbers_names_file_line_and_column() -> None:
    with pytest.raises(FactoryError) as caught:
        read(b"temp,y\n1,1\n2,x\n12a,3\n4,4\n5,5\n", "parts.csv")
    assert [(f.file, f.line, f.key, f.value) for f in caught.value.faults] == [
        ("parts.csv", 4, "temp", "12a"),
        ("parts.csv", 3, "y", "x"),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no rows"),
        (b"a,b\n1,2,3\n4,5\n", "3 cells under 2 headings"),
        (b"a,a\n1,2\n", "heading twice"),
        (b"a,\n1,2\n", "no heading"),
        (b"\xff\xff\xff\n", "neither UTF-8 nor CP949"),
    ],
)
def test_what_is_no_table(content: bytes, problem: str) -> None:
    with pytest.raises(FactoryError, match=problem):
        read(content, "parts.csv")


def test_an_unknown_column_of_words_is_named() -> None:
    with pytest.raises(FactoryError, match="tool: no such column"):
        read(b"a,b\n1,2\n", "parts.csv", words=["tool"])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text('ab1.,;"\n-', max_size=200).map(str.encode))
def test_any_file_is_a_table_or_a_fault(content: bytes) -> None:
    with suppress(FactoryError):
        table = read(content, "any.csv")
        assert all(len(column.value) == len(table) for column in table.columns)
