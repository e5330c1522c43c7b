"""Single sampling plans by attributes: ANSI/ASQ Z1.4 = ISO 2859-1:1989 (MIL-STD-105E).

The master tables follow from the standard's construction: sizes and AQLs are steps of one series,
so that the acceptance number is the same along each diagonal. Every cell that follows was compared
with the tables as the R package AQLSchemes holds them (normal, tightened and reduced, 16 letters by
26 AQLs). ISO 2859-1:1999 has the same plans for normal and tightened inspection; its reduced ones
have no gap between acceptance and rejection number, and are not here.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

import msgspec

Severity = Literal["normal", "tightened", "reduced"]
Level = Literal["S-1", "S-2", "S-3", "S-4", "I", "II", "III"]
LEVELS: tuple[Level, ...] = ("S-1", "S-2", "S-3", "S-4", "I", "II", "III")
LETTERS = "ABCDEFGHJKLMNPQRS"  # S: only of tightened inspection
AQLS = (
    *(0.010, 0.015, 0.025, 0.040, 0.065, 0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5),
    *(10.0, 15.0, 25.0, 40.0, 65.0, 100.0, 150.0, 250.0, 400.0, 650.0, 1000.0),
)  # up to 10: bad parts of a hundred; above: faults of a hundred parts
PARTS = 10.0  # largest AQL that counts bad parts; beyond, faults are counted
_LOTS = (
    *(8, 15, 25, 50, 90, 150, 280, 500, 1200, 3200, 10_000, 35_000, 150_000, 500_000),
)  # largest lot of each row
_CODES: dict[Level, str] = {  # table I: a letter for each row of lot sizes
    "S-1": "AAAABBBBCCCCDDD",
    "S-2": "AAABBBCCCDDDEEE",
    "S-3": "AABBCCDDEEFFGGH",
    "S-4": "AABCCDEEFGGHJJK",
    "I": "AABCCDEFGHJKLMN",
    "II": "ABCDEFGHJKLMNPQ",
    "III": "BCDEFGHJKLMNPQR",
}
_SIZES: dict[Severity, tuple[int, ...]] = {
    "normal": (2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000),
    "tightened": (2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000, 3150),
    "reduced": (2, 2, 2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800),
}
# acceptance and rejection number by the diagonal, place of the letter + place of the AQL
_NUMBERS: dict[Severity, dict[int, tuple[int, int]]] = {
    "normal": {
        **{14: (0, 1), 17: (1, 2), 18: (2, 3), 19: (3, 4), 20: (5, 6), 21: (7, 8)},
        **{22: (10, 11), 23: (14, 15), 24: (21, 22), 25: (30, 31), 26: (44, 45)},
    },
    "tightened": {
        **{15: (0, 1), 18: (1, 2), 19: (2, 3), 20: (3, 4), 21: (5, 6), 22: (8, 9)},
        **{23: (12, 13), 24: (18, 19), 25: (27, 28), 26: (41, 42)},
    },
    "reduced": {
        **{14: (0, 1), 17: (0, 2), 18: (1, 3), 19: (1, 4), 20: (2, 5), 21: (3, 6)},
        **{22: (5, 8), 23: (7, 10), 24: (10, 13), 25: (14, 17), 26: (21, 24)},
    },
}
# the smallest samples of reduced inspection, which cannot become smaller, leave the diagonals
_SMALL: dict[str, dict[float, tuple[int, int]]] = {
    "A": {25: (1, 2), 40: (2, 3), 65: (3, 4), 100: (5, 6), 150: (7, 8), 250: (10, 11),
          400: (14, 15), 650: (21, 22), 1000: (30, 31)},
    "B": {25: (1, 3), 40: (2, 4), 65: (3, 5), 100: (5, 6), 150: (7, 8), 250: (10, 11),
          400: (14, 15), 650: (21, 22), 1000: (30, 31)},
}  # fmt: skip
_UP = {"normal": 15, "tightened": 0, "reduced": 15}  # diagonal whose arrow points up
_LARGEST = 24  # diagonal, of samples from F on
_SMALLER = LETTERS.index("F")
_ZERO = AQLS.index(6.5)  # no plan with acceptance number 0 beyond


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Inspect n parts; accept the lot with up to `accept` bad ones, reject it from `reject` on.

    Between both, with reduced inspection, the lot is accepted and the next is inspected normally.
    n as large as the lot, or larger: inspect every part.
    """

    letter: str
    severity: Severity
    aql: float
    n: int
    accept: int
    reject: int


def letter(lot: int, level: Level = "II") -> str:
    """Return the code letter of a lot of so many parts. Raises ValueError below two."""
    if lot < 2:
        raise ValueError(f"a lot has 2 parts or more, not {lot}")
    return _CODES[level][bisect_left(_LOTS, lot)]


def single(code: str, aql: float, severity: Severity = "normal") -> Plan:
    """Return the single sampling plan of a code letter; where the table has an arrow, the next one.

    Raises ValueError for an AQL that no table has.
    """
    if aql not in AQLS:
        raise ValueError(
            f"AQL {aql:g} is in no table; take one of {', '.join(f'{a:g}' for a in AQLS)}"
        )
    if code not in LETTERS[:-1]:
        raise ValueError(f"{code!r} is no code letter")
    row, column = LETTERS.index(code), AQLS.index(aql)
    rows = len(_SIZES[severity])
    up = range(row - 1, -1, -1)
    down = range(row + 1, rows)
    diagonal = row + column
    first, then = (up, down) if diagonal == _UP[severity] or diagonal > _LARGEST else (down, up)
    for place in (row, *first, *then):
        numbers = _cell(place, column, severity)
        if numbers is not None:
            break
    else:
        raise ValueError(f"no plan for {code}, AQL {aql:g}")
    return Plan(
        letter=LETTERS[place],
        severity=severity,
        aql=aql,
        n=_SIZES[severity][place],
        accept=numbers[0],
        reject=numbers[1],
    )


def _cell(row: int, column: int, severity: Severity) -> tuple[int, int] | None:
    """Return acceptance and rejection number of a cell, None where it has an arrow."""
    small = _SMALL.get(LETTERS[row], {}) if severity == "reduced" else {}
    if small and AQLS[column] >= min(small):
        return small[AQLS[column]]
    diagonal = row + column
    if row >= _SMALLER and diagonal > _LARGEST:
        return None
    numbers = _NUMBERS[severity].get(diagonal)
    return None if numbers and numbers == (0, 1) and column > _ZERO else numbers
