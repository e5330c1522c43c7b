"""The times of one station, as its log tells them."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from deungdae.core.types import SECOND, FloatArray
from deungdae.sim.line import STATES

from .fit import Fit, fit
from .log import Gap, Log
from .mix import cycles_of
from .timeline import RUNNING, UNKNOWN
from .work import Work

LONG = 2.5  # times the median; without states, a longer gap between parts is no cycle
LOOKS = 5  # samples of power that a state needs


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """cycles: by product, '' for all alike, empty where none could be timed. power: kW."""

    cycles: dict[str, Fit]
    power: dict[str, float]
    gaps: tuple[Gap, ...]

    @property
    def error(self) -> float:
        """Return the relative standard error of the cycle times."""
        parts = sum(each.n for each in self.cycles.values())
        total = sum((each.error * each.n) ** 2 for each in self.cycles.values())
        return math.sqrt(total) / parts if parts else 0.0

    @property
    def cycle(self) -> str | float | dict[str, str | float]:
        """Return the cycle time as `line.toml` has it."""
        written: dict[str, str | float] = {
            product: str(each.distribution) for product, each in self.cycles.items()
        }
        return written.get("", written)


def times_of(log: Log, name: str, work: Work) -> Times:
    """Return what one station's log tells of its times."""
    station = log.stations[name]
    gaps: list[Gap] = []
    if len(station.parts) and work.has_states:
        cycles, _, gaps = cycles_of(name, work, station.parts.product)
    elif len(station.parts):
        cycles, gaps = _between(name, work)
    elif station.count is not None and work.has_states:
        cycles, gaps = _counted(log, name, work)
    else:
        cycles = {}
    return Times(cycles=cycles, power=_power(log, name, work), gaps=tuple(gaps))


def _between(name: str, work: Work) -> tuple[dict[str, Fit], list[Gap]]:
    """Return the cycle of a station without states: the shorter gaps between its parts."""
    gaps = np.diff(np.unique(work.done))
    if len(gaps) < 2:
        return {}, []
    short = gaps[gaps <= LONG * float(np.median(gaps))]
    why = f"{len(gaps) - len(short)} of {len(gaps)} gaps between parts were too long for cycles"
    told = Gap(station=name, what="stops", why=why, bound="hunger, blocking, failures: all unknown")
    return {"": fit(short)}, [told]


def _counted(log: Log, name: str, work: Work) -> tuple[dict[str, Fit], list[Gap]]:
    """Return the cycle of a station with a counter: running time by parts counted."""
    count = log.stations[name].count
    line = next(iter(work.timelines.values()))
    if count is None or len(count) < 2:
        return {}, []
    at = (count.time - log.start) / SECOND
    made = np.diff(count.value)
    ran = np.diff(line.clock(at, RUNNING))
    dark = np.diff(line.clock(at, UNKNOWN))
    usable = (made > 0) & (dark == 0) & (ran > 0)
    if not usable.any():
        return {}, []
    gaps = []
    if (made < 0).any():
        why = f"the counter fell {int((made < 0).sum())} times"
        gaps.append(Gap(station=name, what="count", why=why, bound="those steps are left out"))
    if np.median(made[usable]) > 1:
        why = f"one count tells of {np.median(made[usable]):g} parts: single cycles are not seen"
        gaps.append(Gap(station=name, what="cycle", why=why, bound="its spread is too small"))
    each: FloatArray = np.repeat(
        ran[usable] / made[usable], np.minimum(made[usable], 100).astype(int)
    )
    return {"": fit(each)}, gaps


def _power(log: Log, name: str, work: Work) -> dict[str, float]:
    """Return the mean power in each state."""
    samples = log.stations[name].power
    if samples is None or len(work.timelines) != 1:
        return {}
    line = next(iter(work.timelines.values()))
    codes = line.code_at((samples.time - log.start) / SECOND)
    return {
        state: round(float(samples.value[codes == code].mean()), 4)
        for code, state in enumerate(STATES)
        if (codes == code).sum() >= LOOKS and samples.value[codes == code].mean() >= 0
    }
