"""Gauge R&R: repeatability, reproducibility and parts, by analysis of variance or by ranges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Literal

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.insight.spc.constants import LARGEST, constants
from deungdae.learn.measure import Interval

Design = Literal["crossed", "nested"]
ALPHA = 0.25  # of the interaction's test: above, it is taken for repeatability (AIAG's choice)
DRAWS = 10_000  # of the generalised intervals
_GOOD, _FAIR = 10.0, 30.0  # % of study or tolerance
_CATEGORIES = 5  # that a gauge should tell apart


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the variation.

    deviation: standard deviation; contribution: % of the total variance; study: % of the total
    deviation; tolerance: six deviations in % of the tolerance, None where it is not known.
    """

    deviation: Interval
    contribution: float
    study: Interval
    tolerance: Interval | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the analysis of variance. p: of its F test, None where it has none."""

    freedom: int
    square: float
    mean: float
    p: float | None


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """A gauge study. Components: repeatability, operator, interaction, reproducibility, gauge,
    part, total.

    pooled: the interaction showed so little that it counts as repeatability. ndc: categories that
    the gauge tells apart; whole ones: rounded down. verdict: `good` up to 10 % of the tolerance
    (of the study where there is none), `fair` up to 30 %, else `poor`. notes: what to know.
    """

    design: Design
    parts: int
    operators: int
    trials: int
    anova: dict[str, Line]
    components: dict[str, Component]
    pooled: bool
    ndc: Interval
    verdict: Literal["good", "fair", "poor"]
    notes: tuple[str, ...] = ()


class Ranges(msgspec.Struct, frozen=True, kw_only=True):
    """A gauge study by averages and ranges: standard deviations, % of the study, categories.

    By pencil, and without the interaction: for comparing with older reports. Source: AIAG MSA-4.
    """

    repeatability: float
    reproducibility: float
    gauge: float
    part: float
    total: float
    study: dict[str, float]
    ndc: float


def table(
    part: Sequence[str], operator: Sequence[str], value: Sequence[float], design: Design = "crossed"
) -> FloatArray:
    """Return rows of a study as [parts, operators, trials].

    nested: each operator has own parts, so place i is that operator's i-th. Raises NotEnoughData
    where a cell has fewer trials, or a part is missing.
    """
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for p, o, v in zip(part, operator, value, strict=True):
        cells[o, p].append(v)
    operators = list(dict.fromkeys(operator))
    own = {o: [p for of, p in cells if of == o] for o in operators}
    rows = [list(dict.fromkeys(part))] * len(operators) if design == "crossed" else own.values()
    trials = {len(cell) for cell in cells.values()}
    counts = {len(row) for row in rows}
    if len(trials) != 1 or len(counts) != 1:
        raise NotEnoughData("every operator must measure as many parts, each as often")
    missing = [
        (o, p) for o, row in zip(operators, rows, strict=True) for p in row if (o, p) not in cells
    ]
    if missing:
        raise NotEnoughData(f"operator {missing[0][0]} did not measure part {missing[0][1]}")
    found = np.asarray([[cells[o, p] for p in row] for o, row in zip(operators, rows, strict=True)])
    return np.moveaxis(found, 0, 1)


def crossed(
    x: FloatArray,
    random: np.random.Generator,
    *,
    tolerance: float | None = None,
    alpha: float = ALPHA,
) -> Gauge:
    """Return the study in which every operator measures every part, x: [parts, operators, trials].

    tolerance: usl - lsl. alpha: chance above which the interaction is pooled.
    Raises NotEnoughData below two parts, operators or trials, and without spread.
    Sources: AIAG, Measurement Systems Analysis, 4th ed. (2010), ch. III B; intervals: generalised
    (Hamada and Weerahandi 2000; Burdick, Borror and Montgomery 2005).
    """
    p, o, r = _shape(x)
    part, operator = x.mean(axis=(1, 2)), x.mean(axis=(0, 2))
    cell, grand = x.mean(axis=2), x.mean()
    squares = {
        "part": o * r * ((part - grand) ** 2).sum(),
        "operator": p * r * ((operator - grand) ** 2).sum(),
        "interaction": r * ((cell - part[:, None] - operator + grand) ** 2).sum(),
        "repeatability": ((x - cell[:, :, None]) ** 2).sum(),
    }
    freedom = {
        "part": p - 1,
        "operator": o - 1,
        "interaction": (p - 1) * (o - 1),
        "repeatability": p * o * (r - 1),
    }
    chance = _chance("interaction", "repeatability", squares, freedom)
    pooled = chance > alpha
    against = "repeatability" if pooled else "interaction"
    if pooled:
        squares["repeatability"] += squares.pop("interaction")
        freedom["repeatability"] += freedom.pop("interaction")
    lines = _lines(squares, freedom, {"part": against, "operator": against})
    if not pooled:
        lines["interaction"] = msgspec.structs.replace(lines["interaction"], p=chance)

    def components(mean: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        error, other = mean["repeatability"], mean[against]
        return {
            "repeatability": error,
            "operator": (mean["operator"] - other) / (p * r),
            "interaction": np.zeros_like(error) if pooled else (other - error) / r,
            "part": (mean["part"] - other) / (o * r),
        }

    return _gauge("crossed", (p, o, r), lines, components, pooled, tolerance, random)


def nested(x: FloatArray, random: np.random.Generator, *, tolerance: float | None = None) -> Gauge:
    """Return the study in which each operator measures parts of his own, as destructive tests ask.

    x: [parts, operators, trials]; parts of one operator and batch are taken for the same.
    Raises NotEnoughData as `crossed`. Source: AIAG MSA-4, ch. IV; Montgomery, Design of
    Experiments, ch. 14.
    """
    p, o, r = _shape(x)
    operator, cell, grand = x.mean(axis=(0, 2)), x.mean(axis=2), x.mean()
    squares = {
        "operator": p * r * ((operator - grand) ** 2).sum(),
        "part": r * ((cell - operator) ** 2).sum(),
        "repeatability": ((x - cell[:, :, None]) ** 2).sum(),
    }
    freedom = {"operator": o - 1, "part": o * (p - 1), "repeatability": p * o * (r - 1)}
    lines = _lines(squares, freedom, {"operator": "part", "part": "repeatability"})

    def components(mean: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        error = mean["repeatability"]
        return {
            "repeatability": error,
            "operator": (mean["operator"] - mean["part"]) / (p * r),
            "interaction": np.zeros_like(error),
            "part": (mean["part"] - error) / r,
        }

    return _gauge("nested", (p, o, r), lines, components, False, tolerance, random)


def ranges(x: FloatArray) -> Ranges:
    """Return the study by averages and ranges, x: [parts, operators, trials].

    Raises NotEnoughData as `crossed`, and above 25 of each, where ranges waste too much.
    """
    p, o, r = _shape(x)
    if max(p, o, r) > LARGEST:
        raise NotEnoughData(f"ranges are for up to {LARGEST} parts, operators and trials")
    mean_range = float(np.ptp(x, axis=2).mean())
    ev = mean_range / _d2(r, p * o)
    spread = float(np.ptp(x.mean(axis=(0, 2))))
    av = sqrt(max((spread / _d2(o, 1)) ** 2 - ev**2 / (p * r), 0.0))
    pv = float(np.ptp(x.mean(axis=(1, 2)))) / _d2(p, 1)
    grr = sqrt(ev**2 + av**2)
    tv = sqrt(grr**2 + pv**2)
    found = {"repeatability": ev, "reproducibility": av, "gauge": grr, "part": pv}
    return Ranges(
        repeatability=ev,
        reproducibility=av,
        gauge=grr,
        part=pv,
        total=tv,
        study={name: 100 * value / tv for name, value in found.items()},
        ndc=1.41 * pv / grr if grr else float("inf"),
    )


def _d2(n: int, samples: int) -> float:
    """Return d2*, the mean range of few samples; of more than 15 AIAG takes d2 itself."""
    of = constants(n)
    return of.d2 if samples > 15 else sqrt(of.d2**2 + of.d3**2 / samples)


def _shape(x: FloatArray) -> tuple[int, int, int]:
    p, o, r = x.shape
    if min(p, o, r) < 2:
        raise NotEnoughData(
            f"a gauge study needs 2 parts, operators and trials or more, not {p}, {o} and {r}"
        )
    if not np.isfinite(x).all():
        raise NotEnoughData("a measured value is no number")
    if np.std(x) <= 1e-12 * max(float(np.abs(x).max()), 1e-100):
        raise NotEnoughData("all measured values are equal")
    return p, o, r


def _lines(
    squares: Mapping[str, float], freedom: Mapping[str, int], against: Mapping[str, str]
) -> dict[str, Line]:
    return {
        name: Line(
            freedom=freedom[name],
            square=float(square),
            mean=float(square) / freedom[name],
            p=_chance(name, against[name], squares, freedom) if name in against else None,
        )
        for name, square in squares.items()
    }


def _chance(
    name: str, against: str, squares: Mapping[str, float], freedom: Mapping[str, int]
) -> float:
    """Return the p-value of an F test."""
    from scipy.special import fdtrc  # noqa: PLC0415 — loads only where it is needed

    below = squares[against] / freedom[against]
    above = squares[name] / freedom[name]
    if below <= 0:
        return 0.0 if above > 0 else 1.0
    return float(fdtrc(freedom[name], freedom[against], above / below))


def _gauge(
    design: Design,
    shape: tuple[int, int, int],
    lines: dict[str, Line],
    components: Callable[[Mapping[str, FloatArray]], dict[str, FloatArray]],
    pooled: bool,
    tolerance: float | None,
    random: np.random.Generator,
) -> Gauge:
    """Return the study from its mean squares.

    Each interval comes from mean squares that are divided by a chi-square per degree of freedom:
    what the true ones can be, seen from those that were found.
    """
    means = {name: np.asarray([line.mean]) for name, line in lines.items()}
    drawn = {
        name: line.mean * line.freedom / random.chisquare(line.freedom, DRAWS)
        for name, line in lines.items()
    }
    here, there = (_sums(components(each)) for each in (means, drawn))
    found = {name: _component(name, here, there, tolerance) for name in here}
    with np.errstate(divide="ignore", invalid="ignore"):
        ndc = _interval(*(1.41 * np.sqrt(each["part"] / each["gauge"]) for each in (here, there)))
    gauge = found["gauge"]
    share = gauge.study.value if gauge.tolerance is None else gauge.tolerance.value
    p, o, r = shape
    notes = []
    if p * o < 15:
        notes.append(f"{p} parts by {o} operators are few: look at the intervals")
    if ndc.value < _CATEGORIES:
        notes.append(f"it tells {int(ndc.value)} categories apart, {_CATEGORIES} are wanted")
    return Gauge(
        design=design,
        parts=p,
        operators=o,
        trials=r,
        anova=lines,
        components=found,
        pooled=pooled,
        ndc=ndc,
        verdict="good" if share <= _GOOD else "fair" if share <= _FAIR else "poor",
        notes=tuple(notes),
    )


def _sums(parts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return all components as variances; what came out below 0 is 0."""
    own = {name: np.maximum(value, 0.0) for name, value in parts.items()}
    both = own["operator"] + own["interaction"]
    gauge = own["repeatability"] + both
    return {
        "repeatability": own["repeatability"],
        "operator": own["operator"],
        "interaction": own["interaction"],
        "reproducibility": both,
        "gauge": gauge,
        "part": own["part"],
        "total": gauge + own["part"],
    }


def _component(
    name: str,
    here: Mapping[str, FloatArray],
    there: Mapping[str, FloatArray],
    tolerance: float | None,
) -> Component:
    share, shares = (each[name] / each["total"] for each in (here, there))
    return Component(
        deviation=_interval(np.sqrt(here[name]), np.sqrt(there[name])),
        contribution=100 * float(share[0]),
        study=_interval(100 * np.sqrt(share), 100 * np.sqrt(shares)),
        tolerance=None
        if tolerance is None
        else _interval(*(600 * np.sqrt(each[name]) / tolerance for each in (here, there))),
    )


def _interval(value: FloatArray, drawn: FloatArray) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(value[0]), float(low), float(high))
