"""A twin: a line with what is known of each of its numbers, and what is not known at all."""

from __future__ import annotations

import hashlib
import math

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.sim import distribution
from deungdae.sim.line import SCRAP, Failure, Line, Station

from .fit import Fit
from .log import Gap
from .pool import Pool

REWORK = "rework"  # where a share of parts goes, beside names of buffers, OUT and SCRAP


class Beliefs(msgspec.Struct, frozen=True, kw_only=True):
    """How well the numbers of a line are known.

    cycles: relative standard error of a station's cycle times. failing, repairing: rates, 1/s, of
    failing and of being repaired, by `<station>#<number of the failure>`. shares: parts of each
    station by where they went: buffers, `out`, `scrap`, `rework`.
    """

    cycles: dict[str, float] = {}
    failing: tuple[Pool, ...] = ()
    repairing: tuple[Pool, ...] = ()
    shares: dict[str, dict[str, float]] = {}


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What the line did in the log. good: parts that left it good; hours: in which that is known.

    throughput: good parts per hour.
    """

    good: int
    hours: float

    @property
    def throughput(self) -> float:
        """Return good parts per hour."""
        return self.good / self.hours if self.hours > 0 else math.nan


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """A line learnt from records over [start, end), ns. learnt_at: when, ns.

    fits: by `<station>.cycle`, `<station>.repair` and so on: what was fitted to how much.
    gaps: what could not be told.
    """

    line: Line
    fits: dict[str, Fit] = {}
    gaps: tuple[Gap, ...] = ()
    beliefs: Beliefs = Beliefs()
    observed: Observed = Observed(good=0, hours=0.0)
    start: int = 0
    end: int = 0
    learnt_at: int = 0

    @property
    def revision(self) -> str:
        """Return a name for what it says of the line: the same twin has the same everywhere."""
        said = msgspec.json.encode((self.line, self.beliefs), order="deterministic")
        return hashlib.sha256(said).hexdigest()[:12]

    def sample(self, random: np.random.Generator) -> Line:
        """Return a line as it may just as well be: one draw of all that is not known exactly."""
        failing = _joint(self.beliefs.failing, random)
        repairing = _joint(self.beliefs.repairing, random)
        stations = {}
        for name, station in self.line.stations.items():
            changed = _failures(name, station, failing, repairing)
            changed = _shares(changed, self.beliefs.shares.get(name, {}), random)
            error = self.beliefs.cycles.get(name, 0.0)
            if error > 0:
                factor = math.exp(float(random.normal(0.0, error)))
                changed = msgspec.structs.replace(changed, cycle=scaled(changed.cycle, factor))
            stations[name] = changed
        return msgspec.structs.replace(self.line, stations=stations)


def encode(twin: Twin) -> bytes:
    """Return the twin as JSON."""
    return msgspec.json.format(msgspec.json.encode(twin, order="deterministic"), indent=1)


def decode(text: str | bytes) -> Twin:
    """Return the twin of a JSON text. Raises NotEnoughData, naming what is wrong with it."""
    try:
        return msgspec.json.decode(text, type=Twin)
    except msgspec.DecodeError as error:
        raise NotEnoughData(f"this is no twin: {error}; write one with: twin build") from error


def scaled(
    written: str | float | dict[str, str | float], factor: float
) -> str | float | dict[str, str | float]:
    """Return a time, or a table of times, with all of them `factor` times as long."""
    if isinstance(written, dict):
        return {name: _scaled(value, factor) for name, value in written.items()}
    return _scaled(written, factor)


def _scaled(written: str | float, factor: float) -> str | float:
    parsed = distribution.parse(written)
    return written if parsed.mean == 0 else str(parsed.scaled(factor))


def with_mean(written: str | float, mean: float) -> str | float:
    """Return a time of the same form with another mean."""
    parsed = distribution.parse(written)
    return str(parsed.scaled(mean / parsed.mean)) if parsed.mean > 0 else written


def _joint(pools: tuple[Pool, ...], random: np.random.Generator) -> dict[str, float]:
    drawn: dict[str, float] = {}
    for pool in pools:
        drawn |= pool.sample(random)
    return drawn


def _failures(
    name: str, station: Station, failing: dict[str, float], repairing: dict[str, float]
) -> Station:
    changed: list[Failure] = []
    for number, failure in enumerate(station.failures):
        key = f"{name}#{number}"
        every, repair = failure.every, failure.repair
        if key in failing:
            every = with_mean(every, 1 / max(failing[key], 1e-12))
        if key in repairing:
            repair = with_mean(repair, 1 / max(repairing[key], 1e-9))
        changed.append(msgspec.structs.replace(failure, every=every, repair=repair))
    return msgspec.structs.replace(station, failures=tuple(changed))


def _shares(station: Station, counts: dict[str, float], random: np.random.Generator) -> Station:
    if len(counts) < 2:
        return station
    # Jeffreys' prior: half a part more for each place
    drawn = random.dirichlet([count + 0.5 for count in counts.values()])
    share = dict(zip(counts, (float(each) for each in drawn), strict=True))
    scrap, rework = share.pop(SCRAP, 0.0), share.pop(REWORK, 0.0)
    total = math.fsum(share.values())
    to: str | dict[str, float] = station.to
    if len(share) > 1 and total > 0:
        to = {place: value / total for place, value in share.items()}
        last = list(to)[-1]
        to[last] = 1 - math.fsum(value for place, value in to.items() if place != last)
    return msgspec.structs.replace(station, scrap=scrap, rework=rework, to=to)
