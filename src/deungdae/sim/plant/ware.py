"""What firing did to the bricks of a wagon, and which defects come of it."""

from __future__ import annotations

from math import exp, log2

import msgspec

_RIGHT = 1350.0  # Cel, peak of a wagon fired as it should be
_SOAK = 4 * 3600.0  # s, its soak


class Wagon(msgspec.Struct, frozen=True, kw_only=True):
    """What a wagon went through. peak: Cel; soak: s above `soak_above`; rate: K/h, the fastest
    change while it crossed the quartz inversion (523..623 Cel)."""

    number: int
    peak: float
    soak: float
    rate: float


def defect_probability(peak: float, soak: float, rate: float = 0.0) -> dict[str, float]:
    """Return how likely a brick of that wagon has each kind of defect.

    peak: Cel; soak: s; rate: K/h through the quartz inversion. Twice the soak fires like 15 K
    more (Orton cones: 60 against 150 K/h moves a cone by about 20 K). `colour`: fired too little;
    `blowhole`: fired so hot that the body bloats; `crack`: heated or cooled too fast; `chip` and
    `stain`: handling, not the kiln's doing. The logistic curves are ours, not measured.
    """
    fired = peak + 15.0 * log2(max(soak, 60.0) / _SOAK)
    return {
        "colour": 0.002 + 0.95 * logistic((_RIGHT - 30.0 - fired) / 5.0),
        "blowhole": 0.002 + 0.80 * logistic((fired - _RIGHT - 50.0) / 8.0),
        "crack": 0.004 + 0.60 * logistic((rate - 300.0) / 25.0),
        "chip": 0.004,
        "stain": 0.003,
    }


def logistic(x: float) -> float:
    """Return 1 / (1 + e^-x)."""
    return 1.0 / (1.0 + exp(min(max(-x, -60.0), 60.0)))
