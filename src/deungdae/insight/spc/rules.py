"""The run rules: patterns that a process in control hardly ever shows.

Each is told at the point that completes it. A point on a line is not beyond it, and one on the
centre is on neither side. "Two of three" wants the last one to be one of the two, and does not wait
for a third where the first two already are.
Sources: Western Electric, Statistical Quality Control Handbook (1956): the four zone tests, then
stratification, mixture, systematic change and trend, numbered by us in that order; the handbook
gives no number of points for the last two: 14 and 6 as with Nelson. Nelson (1984), Journal of
Quality Technology 16(4), tests 1 to 8, numbered as there. They are made for means and individuals.
The tests of ranges are the handbook's for ranges of small subgroups (below five parts), whose
distribution leans to one side.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray

from .charts import Marks

RuleName = Literal[
    "nelson_1", "nelson_2", "nelson_3", "nelson_4",
    "nelson_5", "nelson_6", "nelson_7", "nelson_8",
    "western_electric_1", "western_electric_2", "western_electric_3", "western_electric_4",
    "western_electric_5", "western_electric_6", "western_electric_7", "western_electric_8",
]  # fmt: skip
RangeRuleName = Literal[
    "range_1", "range_2", "range_3", "range_4", "range_5", "range_6", "range_7",
]  # fmt: skip


class Rule(msgspec.Struct, frozen=True):
    """meaning: in words; fires: from standardised points float64[n] to where: bool[n]."""

    meaning: str
    fires: Callable[[FloatArray], Marks]


def _on_one_side(z: FloatArray, least: int, of: int, beyond: float) -> Marks:
    """Return where `least` of the last `of` points lie beyond a line on one side."""
    above, below = z > beyond, z < -beyond
    fires: Marks = (above & (_last(above, of) >= least)) | (below & (_last(below, of) >= least))
    return fires


def _one_way(z: FloatArray, points: int, side: int, beyond: float) -> Marks:
    """Return where so many points in a row lie beyond a line on the given side."""
    return _in_a_row(side * z > beyond, points)


def _steady(z: FloatArray, points: int) -> Marks:
    """Return where so many points rise steadily, or fall."""
    step, all_of = _steps(z), points - 1
    return _in_a_row(step > 0, all_of) | _in_a_row(step < 0, all_of)


def _alternating(z: FloatArray, points: int) -> Marks:
    """Return where so many points go up and down in turn."""
    step = _steps(z)
    turn = np.zeros(len(z), bool)
    turn[1:] = step[1:] * step[:-1] < 0
    return _in_a_row(turn, points - 2)


def _within(z: FloatArray, points: int) -> Marks:
    return _in_a_row(np.abs(z) < 1, points)


def _none_within(z: FloatArray, points: int) -> Marks:
    return _in_a_row(np.abs(z) > 1, points)


def _steps(z: FloatArray) -> FloatArray:
    """Return the sign of each step, 0 at the first point."""
    signs = np.zeros(len(z))
    signs[1:] = np.sign(z[1:] - z[:-1])
    return signs


def _in_a_row(marks: Marks, points: int) -> Marks:
    whole: Marks = _last(marks, points) == points
    return whole


def _last(marks: Marks, of: int) -> NDArray[np.int64]:
    """Return how many of the last `of` points up to each are marked: int64[n]."""
    count = np.concatenate([np.zeros(of, np.int64), np.cumsum(marks, dtype=np.int64)])
    found: NDArray[np.int64] = count[of:] - count[: len(marks)]
    return found


_BEYOND = Rule("a point beyond 3 sigma", partial(_on_one_side, least=1, of=1, beyond=3))
_TWO = Rule(
    "two of three points beyond 2 sigma on one side",
    partial(_on_one_side, least=2, of=3, beyond=2),
)
_FOUR = Rule(
    "four of five points beyond 1 sigma on one side",
    partial(_on_one_side, least=4, of=5, beyond=1),
)
_TREND = Rule("six points in a row rising, or falling", partial(_steady, points=6))
_TURNS = Rule("fourteen points in a row up and down", partial(_alternating, points=14))
_LAYERS = Rule("fifteen points in a row within 1 sigma", partial(_within, points=15))
_MIXTURE = Rule("eight points in a row beyond 1 sigma", partial(_none_within, points=8))
RULES: dict[RuleName, Rule] = {
    "nelson_1": _BEYOND,
    "nelson_2": Rule(
        "nine points in a row on one side of the centre",
        partial(_on_one_side, least=9, of=9, beyond=0),
    ),
    "nelson_3": _TREND,
    "nelson_4": _TURNS,
    "nelson_5": _TWO,
    "nelson_6": _FOUR,
    "nelson_7": _LAYERS,
    "nelson_8": _MIXTURE,
    "western_electric_1": _BEYOND,
    "western_electric_2": _TWO,
    "western_electric_3": _FOUR,
    "western_electric_4": Rule(
        "eight points in a row on one side of the centre",
        partial(_on_one_side, least=8, of=8, beyond=0),
    ),
    "western_electric_5": _LAYERS,
    "western_electric_6": _MIXTURE,
    "western_electric_7": _TURNS,
    "western_electric_8": _TREND,
}
RANGE_RULES: dict[RangeRuleName, Rule] = {
    "range_1": Rule("a range above 3 sigma", partial(_one_way, points=1, side=1, beyond=3)),
    "range_2": Rule(
        "two ranges in a row above 2 sigma", partial(_one_way, points=2, side=1, beyond=2)
    ),
    "range_3": Rule(
        "three ranges in a row above 1 sigma", partial(_one_way, points=3, side=1, beyond=1)
    ),
    "range_4": Rule(
        "seven ranges in a row above the centre", partial(_one_way, points=7, side=1, beyond=0)
    ),
    "range_5": Rule(
        "ten ranges in a row below the centre", partial(_one_way, points=10, side=-1, beyond=0)
    ),
    "range_6": Rule(
        "six ranges in a row below 1 sigma", partial(_one_way, points=6, side=-1, beyond=1)
    ),
    "range_7": Rule(
        "four ranges in a row below 2 sigma", partial(_one_way, points=4, side=-1, beyond=2)
    ),
}
