"""How machines fail and are repaired: every machine learnt from itself and from its like."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from deungdae.core.types import FloatArray
from deungdae.sim.distribution import Distribution
from deungdae.sim.line import Failure, Maintenance

from .fit import FEW, Fit, distance_of, fit, shape_of
from .log import Gap
from .pool import Pool, pool
from .timeline import DOWN, MAINTENANCE, RUNNING
from .work import Stops, Work, stops_of

LIKE = 3  # machines of one name (press-1, press-2 …) that make a pool of their own
MOSTLY = 0.9  # share of running from which it hardly matters what failures come with
UNSEEN = -math.log(0.05)  # failures that may be expected, at 95 %, where none was seen


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """The failures of all stations. failures: by station; fits: by `<station>.repair`."""

    failures: dict[str, Failure]
    fits: dict[str, Fit]
    failing: tuple[Pool, ...]
    repairing: tuple[Pool, ...]
    gaps: tuple[Gap, ...]


def failing(work: Mapping[str, Work], crew: str) -> Failing:
    """Return how the stations fail. crew: who repairs, '' where nobody was ever waited for."""
    watched = {name: each for name, each in work.items() if each.has_states}
    stops = {name: stops_of(each) for name, each in watched.items()}
    gaps = [_never(name, watched[name]) for name, each in stops.items() if each.count == 0]
    failed = {name: each for name, each in stops.items() if each.count}
    clocks: dict[str, Literal["operation", "time"]] = {}
    for name, each in failed.items():
        clocks[name], doubt = _clock(name, each, watched[name])
        gaps += doubt
    exposure = {name: _exposure(watched[name], clocks[name]) for name in failed}
    rated = _pools({name: (float(each.count), exposure[name]) for name, each in failed.items()})
    fits, repairing, more = _repairs(failed)
    gaps += more
    shapes = _shapes(failed, clocks, exposure)
    rates = {key: rate for pooled in rated for key, rate in pooled.means().items()}
    times = {key: time for pooled in repairing for key, time in pooled.inverse_means().items()}
    found = {}
    for name, each in failed.items():
        key = f"{name}#0"
        repair = fits[f"{name}.repair"].distribution
        repair = repair.scaled(times[key] / repair.mean) if key in times else repair
        found[name] = Failure(
            every=str(_interval(shapes[name], 1 / rates[key])), repair=str(repair),
            of=clocks[name], crew=crew if each.waits else "",
        )  # fmt: skip
    return Failing(failures=found, fits=fits, failing=rated, repairing=repairing, gaps=tuple(gaps))


def maintained(name: str, work: Work, crew: str) -> tuple[Maintenance | None, list[Gap]]:
    """Return the planned maintenance of a station, counted by what keeps its interval steadiest."""
    stops = stops_of(work, MAINTENANCE)
    if not stops.count:
        return None, []
    if len(stops.intervals) < 2 or not len(stops.repairs):
        why = f"{stops.count} were seen: too few for an interval"
        return None, [Gap(station=name, what="maintenance", why=why, bound="left out")]
    starts = np.concatenate([line.spells(MAINTENANCE)[0] for line in work.timelines.values()])
    by_parts = np.diff(np.searchsorted(np.sort(work.done), np.sort(starts)))
    clocks: list[tuple[Literal["operation", "time", "parts"], FloatArray]] = [
        ("operation", stops.intervals),
        ("time", stops.clock_intervals),
    ]
    if len(work.timelines) == 1:
        clocks.append(("parts", by_parts[by_parts > 0].astype(np.float64)))
    steadiest = min(
        (each for each in clocks if len(each[1]) >= 2 and each[1].mean() > 0),
        key=lambda each: each[1].std() / each[1].mean(),
    )
    of, intervals = steadiest
    gaps = []
    if intervals.std() > 0.2 * intervals.mean():
        why = f"its intervals vary by {intervals.std() / intervals.mean():.0%}, by any count"
        gaps.append(Gap(station=name, what="maintenance", why=why, bound="their mean is used"))
    every = float(intervals.mean())
    length = fit(stops.repairs).distribution
    return Maintenance(
        every=round(every) if of == "parts" else every, length=str(length), of=of, crew=crew
    ), gaps


def _never(name: str, work: Work) -> Gap:
    ran = work.time_in(RUNNING)
    return Gap(
        station=name,
        what="failures",
        why=f"it never failed in {ran / 3600:.3g} h of running: its MTBF cannot be known",
        # the rule of three: Hanley and Lippman-Hand, JAMA 249 (1983)
        bound=f"MTBF at least {ran / UNSEEN / 3600:.3g} h of running, at 95 %; modelled as never",
    )


def _clock(name: str, stops: Stops, work: Work) -> tuple[Literal["operation", "time"], list[Gap]]:
    """Return whether failures come with running or with time, and whether that is not sure.

    Failures that come with running begin while it runs; of those that come with time, only the
    share of the time that it runs.
    """
    if stops.from_rest >= max(2, 0.05 * stops.count):
        return "time", []
    up = work.known - work.time_in(DOWN)
    running = work.time_in(RUNNING) / up if up > 0 else 1.0
    if running > MOSTLY or running**stops.count < 0.05:
        return "operation", []
    why = f"{stops.count} failures do not tell whether they come with running or with time"
    return "operation", [Gap(station=name, what="failures", why=why, bound="running is assumed")]


def _exposure(work: Work, of: str) -> float:
    if of == "operation":
        return max(work.time_in(RUNNING), 1.0)
    return max(work.known - work.time_in(DOWN), 1.0)


def _stem(name: str) -> str:
    return re.sub(r"[-_ ]?\d+$", "", name)


def _pools(members: dict[str, tuple[float, float]]) -> tuple[Pool, ...]:
    """Return a pool of each LIKE machines or more of one name, and one of all others."""
    stems: dict[str, list[str]] = {}
    for name in members:
        stems.setdefault(_stem(name), []).append(name)
    groups = [group for group in stems.values() if len(group) >= LIKE]
    rest = [name for group in stems.values() if len(group) < LIKE for name in group]
    return tuple(
        pool({f"{name}#0": members[name] for name in group}) for group in (*groups, rest) if group
    )


def _repairs(
    failed: Mapping[str, Stops],
) -> tuple[dict[str, Fit], tuple[Pool, ...], list[Gap]]:
    """Return the times to repair: a form of its own where a machine has shown one, else the common.

    The common form is that of all repairs, each in units of its own machine's mean.
    """
    seen = {name: each.repairs for name, each in failed.items() if len(each.repairs)}
    gaps = [
        Gap(station=name, what="repair", why="no repair was seen from beginning to end",
            bound="the mean of the other machines")
        for name in failed if name not in seen
    ]  # fmt: skip
    everything = np.concatenate([*seen.values(), np.empty(0)])
    if not len(everything):
        return (
            {f"{name}.repair": _assumed() for name in failed},
            (),
            [*gaps, Gap(station="", what="repair", why="no repair was ever seen whole",
                        bound="exponential with a mean of 900 s is assumed")],
        )  # fmt: skip
    units = [each / each.mean() for each in seen.values() if len(each) >= 3 and each.mean() > 0]
    common = fit(np.concatenate(units)) if units else fit(everything / everything.mean())
    overall = float(everything.mean())
    fits: dict[str, Fit] = {}
    members: dict[str, tuple[float, float]] = {}
    for name in failed:
        x = seen.get(name)
        if x is None:
            fits[f"{name}.repair"] = msgspec.structs.replace(
                common, distribution=_rescaled(common.distribution, overall), n=0
            )
            continue
        found = _repair(x, common)
        fits[f"{name}.repair"] = found
        spread = max(_spread(found, common), 0.02)
        k = len(x) / spread**2
        members[name] = (k, k * float(x.mean()))
    return fits, _pools(members), gaps


def _repair(x: FloatArray, common: Fit) -> Fit:
    mean = float(x.mean())
    spread = float(x.std(ddof=1)) / mean / math.sqrt(len(x)) if len(x) > 1 and mean > 0 else 1.0
    form = _rescaled(common.distribution, mean)

    def told(distribution: Distribution, distance: float | None = None) -> Fit:
        return Fit(distribution=distribution, n=len(x), mean=mean, deviation=float(x.std()),
                   error=spread, distance=distance)  # fmt: skip

    if mean <= 0:
        return told(Distribution("constant", (0.0,)))
    if len(x) < FEW or form.kind == "constant":
        return told(form)
    distance = distance_of(form, np.sort(x))
    if distance <= 1.63 / math.sqrt(len(x)):
        return told(form, distance)
    return fit(x)


def _spread(found: Fit, common: Fit) -> float:
    """Return the coefficient of variation of a machine's repairs, as far as it can be told."""
    if found.n >= FEW:
        return found.spread
    return common.spread if common.n > 1 else 1.0


def _rescaled(form: Distribution, mean: float) -> Distribution:
    return form.scaled(mean / form.mean) if form.mean > 0 and mean > 0 else form


def _assumed() -> Fit:
    return Fit(
        distribution=Distribution("exponential", (900.0,)), n=0, mean=900.0, deviation=900.0,
        error=1.0,
    )  # fmt: skip


def _shapes(
    failed: Mapping[str, Stops], clocks: Mapping[str, str], exposure: Mapping[str, float]
) -> dict[str, float]:
    """Return the Weibull shape of the times to failure, common to all machines."""
    intervals, scales, open_ends = [], [], []
    for name, stops in failed.items():
        own = stops.intervals if clocks[name] == "operation" else stops.clock_intervals
        mean = exposure[name] / stops.count
        intervals.append(own)
        scales.append(np.full(len(own), mean))
        if clocks[name] == "operation":
            open_ends.append(stops.open_ends / mean)
    if not intervals:
        return {}
    shape = shape_of(
        np.concatenate(intervals), np.concatenate(scales), np.concatenate([*open_ends, np.empty(0)])
    )
    return dict.fromkeys(failed, shape)


def _interval(shape: float, mean: float) -> Distribution:
    if shape == 1.0:
        return Distribution("exponential", (mean,))
    return Distribution("weibull", (shape, mean / math.gamma(1 + 1 / shape)))
