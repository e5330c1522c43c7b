"""A capability study: do the parts look normal, does it matter, and how many will be out."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from . import distributions
from .capability import LEAST, Index, nearest, sigma_freedom, width
from .charts import LEAST as LEAST_SIGMA
from .charts import Process, Spread, learn
from .distributions import FAMILIES, Fitted, Shape

Method = Literal["auto", "normal", "percentile", "clements"]
ALPHA = 0.05  # below this chance the parts are not taken for normal
MACHINE = 50  # parts of a machine study
_SHARES = (0.00135, 0.5, 0.99865)  # what lies within three sigma of a normal distribution
_LEAST = 2
_TESTED = 8  # parts; below, the test of a shape finds nothing
_ROUNDING = 1e-12  # of the values: a spread below it is that of the arithmetic
_STRAY = 6.0  # standard deviations, by the median of the distances
_DRAWN = 2_000  # parts of a sample of the bootstrap, at most
_CURVES = 200  # Pearson curves of one bootstrap: each is drawn by itself
_COARSE = 0.5  # of the standard deviation: a measuring step above it is what a test would find


class Normality(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the parts look normal.

    anderson, p: test of Anderson and Darling. rejected: p below 5 %. matters: the indices would be
    others, by more than their own interval. coarse: the measuring step is so wide beside the
    spread that the test finds steps; then nothing is said of the shape.
    """

    anderson: float
    p: float
    rejected: bool
    matters: bool
    coarse: bool


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Indices of all parts, by one method. shape: the distribution behind them; ppm: expected."""

    method: Method
    shape: str
    pp: Index | None
    ppk: Index
    ppm: float | None


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """The capability of n parts against lsl and usl, either may be None.

    cp, cpk: by the spread within subgroups, None where it is not known; pp, ppk: by that of all
    parts; cp and pp are None with one limit, for which programs give them many meanings. cm, cmk:
    of a machine study, in place of pp, ppk. out: parts out of specification; ppm: expected, per
    million.
    otherwise: what the parts' true shape says, where they are not normal but reckoned as such.
    notes: what to know about it.
    """

    n: int
    mean: float
    deviation: float
    within: float | None
    low: float
    high: float
    lsl: float | None
    usl: float | None
    cp: Index | None = None
    cpk: Index | None = None
    pp: Index | None = None
    ppk: Index | None = None
    cm: Index | None = None
    cmk: Index | None = None
    method: Method
    shape: str
    normality: Normality | None
    out: int
    ppm: float | None
    otherwise: Figures | None = None
    notes: tuple[str, ...] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What parts are held against.

    lsl, usl: specification limits, at least one. With one, Ppk is the distance of the mean to it in
    three sigma. method `auto`: normal, unless Anderson and Darling's test says no (5 %) and the
    measuring step is fine enough; then the percentiles (ISO 22514-4) of the family that is most
    likely by Akaike's criterion and itself passes the test; if none passes, Clements' (1989) from
    four moments.
    shape: that family, where it is known. machine: parts of one short run; Cm, Cmk instead of Pp,
    Ppk (ISO 22514-3). rounds: of the bootstrap, from which come the intervals of what is not
    normal; those of the normal see `capability`.
    """

    lsl: float | None = None
    usl: float | None = None
    method: Method = "normal"
    shape: Shape | None = None
    spread: Spread = "range"
    machine: bool = False
    rounds: int = 500


def study(groups: FloatArray, asked: Asked, random: np.random.Generator) -> Study:
    """Return the capability of parts in subgroups [m, n]; single parts are [m, 1].

    Raises NotEnoughData below 2 parts or where nothing varies, ValueError without a limit or with
    lsl >= usl.
    """
    _check(groups, asked)
    parts = groups.reshape(-1)
    notes = [*_few(len(parts), asked.machine), *_stray(parts)]
    normality = _normality(parts, random)
    rejected = normality is not None and normality.rejected
    told, more = _figures(parts, asked, rejected, random)
    notes += more
    otherwise = None
    if rejected and asked.method == "normal" and told.method == "normal":
        by_shape = msgspec.structs.replace(asked, method="auto")
        otherwise, more = _figures(parts, by_shape, rejected, random)
        notes += more
    plain, shaped = (told, otherwise) if otherwise else (_by_normal(parts, asked), told)
    if normality is not None:
        half = (plain.ppk.high - plain.ppk.low) / 2
        apart = abs(shaped.ppk.value - plain.ppk.value) > half
        normality = msgspec.structs.replace(normality, matters=rejected and apart)
        notes += _said(normality, plain, shaped)
    process = _process(groups, asked)
    cp, cpk = (None, None) if process is None else _within(process, asked, len(parts))
    return Study(
        n=len(parts),
        mean=float(parts.mean()),
        deviation=float(parts.std(ddof=1)),
        within=None if process is None else process.sigma,
        low=float(parts.min()),
        high=float(parts.max()),
        lsl=asked.lsl,
        usl=asked.usl,
        cp=cp,
        cpk=cpk,
        pp=None if asked.machine else told.pp,
        ppk=None if asked.machine else told.ppk,
        cm=told.pp if asked.machine else None,
        cmk=told.ppk if asked.machine else None,
        method=told.method,
        shape=told.shape,
        normality=normality,
        out=int(((parts < _or(asked.lsl, -np.inf)) | (parts > _or(asked.usl, np.inf))).sum()),
        ppm=told.ppm,
        otherwise=otherwise,
        notes=tuple(notes),
    )


def best(parts: FloatArray, random: np.random.Generator) -> Fitted | None:
    """Return the family that is most likely and passes its own test, None if none does."""
    fits = []
    for shape, family in FAMILIES.items():
        if shape != "normal" and not (family.positive and parts.min() <= 0):
            fits.append(distributions.fit(shape, parts, random))
    good = [found for found in fits if found.p >= ALPHA]
    return min(good, key=lambda found: found.aic, default=None)


def _check(groups: FloatArray, asked: Asked) -> None:
    lsl, usl = asked.lsl, asked.usl
    if lsl is None and usl is None:
        raise ValueError("capability needs a specification limit")
    if lsl is not None and usl is not None and lsl >= usl:
        raise ValueError(f"the lower limit {lsl:g} is not below the upper one {usl:g}")
    if not np.isfinite(groups).all():
        raise ValueError("a measured value is no number")
    if groups.size < _LEAST:
        raise NotEnoughData(f"capability needs {_LEAST} parts or more, not {groups.size}")
    if np.std(groups) <= _ROUNDING * max(np.abs(groups).max(), LEAST_SIGMA):
        raise NotEnoughData(f"all {groups.size} parts measure {groups.flat[0]:g}: no spread")


def _normality(parts: FloatArray, random: np.random.Generator) -> Normality | None:
    """Return what the test says, None of too few parts. What matters is not known yet.

    Values far from all others are left out of the test: they are told of by themselves.
    """
    parts = parts[~_strays(parts)]
    if len(parts) < _TESTED or np.ptp(parts) == 0:
        return None
    found = distributions.fit("normal", parts, random)
    coarse = bool(_step(parts) > _COARSE * parts.std(ddof=1))
    rejected = found.p < ALPHA and not coarse
    return Normality(
        anderson=found.anderson, p=found.p, rejected=rejected, matters=False, coarse=coarse
    )


def _process(groups: FloatArray, asked: Asked) -> Process | None:
    """Return what subgroups show, None of a machine study, and where they show no spread."""
    if asked.machine or len(groups) < 2:
        return None
    try:
        return learn(groups, asked.spread)
    except NotEnoughData:
        return None


def _within(process: Process, asked: Asked, n: int) -> tuple[Index | None, Index]:
    freedom = sigma_freedom(process)
    return (
        width(asked.lsl, asked.usl, process.sigma, freedom),
        nearest(asked.lsl, asked.usl, process.centre, process.sigma, freedom, n),
    )


def _figures(
    parts: FloatArray, asked: Asked, rejected: bool, random: np.random.Generator
) -> tuple[Figures, list[str]]:
    """Return the indices of all parts, and what to say of how they were found."""
    if asked.shape is not None and asked.shape != "normal":
        fitted = distributions.fit(asked.shape, parts, random)
        return _by_quantiles(parts, asked, "percentile", fitted, random), []
    if asked.method == "clements":
        return _by_quantiles(parts, asked, "clements", None, random), []
    if asked.method == "normal" or (asked.method == "auto" and not rejected):
        return _by_normal(parts, asked), []
    found = best(parts, random)
    if found is not None:
        return _by_quantiles(parts, asked, "percentile", found, random), []
    try:
        by_moments = _by_quantiles(parts, asked, "clements", None, random)
    except NotEnoughData as error:
        return _by_normal(parts, asked), [f"no distribution fits, and {error}: taken as normal"]
    return by_moments, ["no distribution fits: percentiles by four moments (Clements)"]


def _by_normal(parts: FloatArray, asked: Asked) -> Figures:
    mean, deviation = float(parts.mean()), float(parts.std(ddof=1))
    pp, ppk = _normal_indices(parts, asked.lsl, asked.usl)
    fitted = Fitted("normal", (mean, deviation), float("nan"), float("nan"), float("nan"))
    return Figures(method="normal", shape="normal", pp=pp, ppk=ppk, ppm=_ppm(fitted, asked))


def _normal_indices(
    parts: FloatArray, lsl: float | None, usl: float | None
) -> tuple[Index | None, Index]:
    n, deviation = len(parts), float(parts.std(ddof=1))
    return (
        width(lsl, usl, deviation, n - 1),
        nearest(lsl, usl, float(parts.mean()), deviation, n - 1, n),
    )


def _by_quantiles(
    parts: FloatArray,
    asked: Asked,
    way: Literal["percentile", "clements"],
    fitted: Fitted | None,
    random: np.random.Generator,
) -> Figures:
    """Return the indices by percentiles. Source: ISO 22514-4:2016; Clements (1989)."""
    pp, ppk = _ratios(_three(parts[None], fitted), asked)
    if not len(ppk):
        raise NotEnoughData("the moments of the parts are those of no Pearson curve")
    many_pp, many_ppk = _ratios(_three(_again(parts, asked, random), fitted), asked)
    return Figures(
        method=way,
        shape="pearson" if fitted is None else fitted.shape,
        pp=None if pp is None or many_pp is None else _index(float(pp[0]), many_pp),
        ppk=_index(float(ppk[0]), many_ppk),
        ppm=None if fitted is None else _ppm(fitted, asked),
    )


def _again(parts: FloatArray, asked: Asked, random: np.random.Generator) -> FloatArray:
    """Return the samples of a bootstrap, without those of one value alone: [b, n].

    Of very many parts no more than `_DRAWN`: intervals are then wider than they need to be.
    """
    size = min(len(parts), _DRAWN)
    drawn: FloatArray = random.choice(parts, size=(asked.rounds, size))
    varied: FloatArray = drawn[np.ptp(drawn, axis=1) > 0]
    return varied


def _three(samples: FloatArray, fitted: Fitted | None) -> FloatArray:
    """Return the three percentiles of each sample: [b, 3]; without a family, by its moments."""
    if fitted is not None:
        parameters = distributions.refit(fitted.shape, samples)
        return distributions.quantiles(fitted.shape, parameters, _SHARES)
    found = []
    for sample in samples[:_CURVES]:
        with suppress(NotEnoughData):  # a sample may have moments that no curve has
            found.append(distributions.pearson(sample, _SHARES))
    return np.asarray(found).reshape(-1, len(_SHARES))


def _ratios(three: FloatArray, asked: Asked) -> tuple[FloatArray | None, FloatArray]:
    """Return Pp, or None, and Ppk of percentiles [b, 3]."""
    low, middle, high = three.T
    lsl, usl = asked.lsl, asked.usl
    rooms = []
    if usl is not None:
        rooms.append((usl - middle) / (high - middle))
    if lsl is not None:
        rooms.append((middle - lsl) / (middle - low))
    ppk: FloatArray = np.min(rooms, axis=0)
    if lsl is not None and usl is not None:
        return (usl - lsl) / (high - low), ppk
    return None, ppk


def _index(value: float, drawn: FloatArray) -> Index:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Index(value, float(low), float(high))


def _ppm(fitted: Fitted, asked: Asked) -> float:
    below = 0.0 if asked.lsl is None else fitted.below(asked.lsl)
    above = 0.0 if asked.usl is None else fitted.above(asked.usl)
    return 1e6 * (below + above)


def _step(parts: FloatArray) -> float:
    """Return the step of the measuring: the smallest distance between two values."""
    return float(np.diff(np.unique(parts)).min())


def _few(n: int, machine: bool) -> list[str]:
    wanted = MACHINE if machine else LEAST
    return [f"{n} parts, of {wanted} that such a study should have"] if n < wanted else []


def _strays(parts: FloatArray) -> NDArray[np.bool_]:
    """Return which value, or which few of many, stand so far from all others: bool[n].

    Far: beyond six sigma of the middle, and half of that beyond all that are not. So the tail of
    a distribution that leans to one side is none.
    """
    away = np.abs(parts - np.median(parts))
    usual = max(float(np.median(away)) / 0.6745, _step(parts))  # sigma of a normal distribution
    far: NDArray[np.bool_] = away > _STRAY * usual
    if not 1 <= int(far.sum()) <= max(len(parts) // 50, 1):
        return np.zeros(len(parts), bool)
    low, high = parts[~far].min(), parts[~far].max()
    apart = np.maximum(low - parts, parts - high)
    found: NDArray[np.bool_] = far & (apart > _STRAY / 2 * usual)
    return found


def _stray(parts: FloatArray) -> list[str]:
    named = ", ".join(f"{value:g}" for value in parts[_strays(parts)][:3])
    return [f"{named}: far from all other values; look whether it was measured"] if named else []


def _said(normality: Normality, plain: Figures, shaped: Figures) -> list[str]:
    """Return what to say of the parts' shape."""
    if normality.coarse and normality.p < ALPHA:
        return ["the measuring step is too coarse beside the spread to tell the shape"]
    if not normality.rejected:
        return []
    if shaped.method == "normal":
        return [f"the parts are not normal (p = {normality.p:.2g}): Ppk may be far off"]
    effect = "it matters" if normality.matters else "it hardly matters"
    return [
        f"the parts are not normal (p = {normality.p:.2g}), and {effect}: "
        f"Ppk {shaped.ppk.value:.2f} by their shape, {plain.ppk.value:.2f} as if normal"
    ]


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
