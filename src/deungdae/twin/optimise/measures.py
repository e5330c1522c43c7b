"""The numbers by which two lines are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from deungdae.core.types import FloatArray
from deungdae.sim.outcome import Outcome


class Measure(NamedTuple):
    """unit: UCUM; better: +1 where more is better, -1 where less is; of: float64[R]."""

    unit: str
    better: int
    of: Callable[[Outcome], FloatArray]


def _per_part(outcome: Outcome) -> FloatArray:
    made = outcome.made.sum(axis=1)
    energy = outcome.energy.sum(axis=1)
    each: FloatArray = np.where(made > 0, energy / np.maximum(made, 1), np.nan)
    return each


def _scrap(outcome: Outcome) -> FloatArray:
    bad = (outcome.scrapped + outcome.escaped).sum(axis=1)
    every = bad + outcome.made.sum(axis=1)
    share: FloatArray = np.where(every > 0, bad / np.maximum(every, 1), np.nan)
    return share


MEASURES: dict[str, Measure] = {
    "throughput": Measure("/h", 1, lambda outcome: outcome.throughput),
    "lead_time": Measure("s", -1, lambda outcome: outcome.lead_time),
    "wip": Measure("1", -1, lambda outcome: outcome.wip),
    "energy_per_part": Measure("kW.h", -1, _per_part),
    "scrap": Measure("1", -1, _scrap),
    "service": Measure("1", 1, lambda outcome: outcome.service),
}
