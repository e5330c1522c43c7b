"""G-code: tools, cuts and holes of programs whose geometry is known."""

from __future__ import annotations

from contextlib import suppress
from math import pi
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import BadReply
from deungdae.wires import gcode

PROGRAM = b"""%
O1234 (BRACKET)
(T5 | DRILL 4.5 | H5)
G21 G90 G17
T5 M6
S3000 M3
G0 X0 Y0 Z10.
G81 X10. Y20. Z-5. R2. F120
X30.
G80
T2 M6 ; finish
S8000 M3
G0 X0 Y0 Z5.
G1 Z-1. F600
X60.
G3 X60. Y0 I5. J0
G2 X50. Y10. R10.
M30
%
"""


def test_operations_begin_with_a_tool_change() -> None:
    program = gcode.read(PROGRAM)
    drill, mill = program.operations
    assert (program.number, program.title, program.unit) == ("1234", "BRACKET", "mm")
    assert (drill.tool, drill.words, drill.speeds, drill.feeds) == (5, "DRILL 4.5", (3000,), (120,))
    assert (mill.tool, mill.first, mill.last) == (2, 10, program.blocks)
    assert program.notes == ()


def test_holes_are_where_the_cycle_stands() -> None:
    drill, mill = gcode.read(PROGRAM).operations
    assert [(hole.x, hole.y, hole.z, hole.kind) for hole in drill.holes] == [
        (10.0, 20.0, -5.0, "drill"),
        (30.0, 20.0, -5.0, "drill"),
    ]
    (circle,) = mill.holes
    assert (circle.x, circle.y, circle.kind, circle.diameter) == (65.0, 0.0, "circle", 10.0)


def test_the_length_of_lines_and_arcs() -> None:
    _, mill = gcode.read(PROGRAM).operations
    exact = 6 + 60 + 10 * pi + 10 * pi / 2
    assert mill.length == pytest.approx(exact, rel=2e-3)
    assert mill.seconds == pytest.approx(60 * mill.length / 600)
    assert mill.low == pytest.approx((0, -5, -1), abs=0.01)
    assert mill.high == pytest.approx((70, 10, 5), abs=0.02)


def test_inches_become_millimetres_and_steps_add_up() -> None:
    (only,) = gcode.read(b"G20 G91\nT1 M6\nG1 X1. F10.\nX1.\nY-.5").operations
    assert only.length == pytest.approx(2.5 * 25.4)
    assert only.feeds == (254.0,)


def test_what_is_not_followed_is_said() -> None:
    program = gcode.read(b"G21\n#100=5\nG1 X#100\nM98 P2000\nG41 D1\nG1 X5. {oops}\n")
    assert [note.partition(":")[0] for note in program.notes] == [
        "line 2", "line 3", "line 4", "line 5", "line 6",
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"%\n%\n", b"hello\n", b"\0\1\2G1 X1"])
def test_no_program(content: bytes) -> None:
    with pytest.raises(BadReply, match="no G-code"):
        gcode.read(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text("GXYZMTSFIJRN0123456789.-+ ()%;\n", max_size=300))
def test_any_text_is_read_or_refused(content: bytes | str) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    with suppress(BadReply):
        gcode.read(raw)


def test_the_program_of_the_covers(shared_data: Path) -> None:
    path = next((shared_data / "nist-smstestbed/tdp/mtc/NC-Code").glob("*.NC"))
    program = gcode.read(path.read_bytes())
    (engraving,) = program.operations
    assert (program.title, program.unit) == ("NIST_MTC_CRADA_COVER_REV-A", "inch")
    assert (engraving.tool, engraving.words) == (23, "1/8 SPOTDRILL")
    assert program.blocks == 1463
    assert engraving.feeds == (1016.0,)  # F40. in inches per minute
    assert program.notes == ()
