"""Bias and linearity of a gauge: how far it is from the truth, and whether everywhere alike."""

from __future__ import annotations

from math import sqrt

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.learn.measure import Interval

ALPHA = 0.05


class Bias(msgspec.Struct, frozen=True, kw_only=True):
    """How far the mean of n readings is from the reference.

    bias with its 95 % interval; repeatability: standard deviation of the readings; p: of a t test
    of no bias; biased: p below 5 %. process: the bias in % of six sigma of the process, or of the
    tolerance, if it was given.
    """

    n: int
    reference: float
    bias: Interval
    repeatability: float
    p: float
    biased: bool
    process: float | None = None


class Linearity(msgspec.Struct, frozen=True, kw_only=True):
    """How the bias changes over the range: bias = intercept + slope × reference.

    With 95 % intervals; residual: standard deviation about the line, r2: share that it explains.
    p_slope, p_intercept: of t tests of none. linear: neither differs from 0. at: of each reference,
    its bias by the line with its 95 % interval, and whether it may be 0.
    """

    n: int
    slope: Interval
    intercept: Interval
    residual: float
    r2: float
    p_slope: float
    p_intercept: float
    linear: bool
    at: dict[float, Interval]


def bias(values: FloatArray, reference: float, spread: float | None = None) -> Bias:
    """Return the bias of readings of one master part.

    spread: six sigma of the process, or the tolerance. Raises NotEnoughData below 2 readings, and
    without spread. Source: AIAG, Measurement Systems Analysis, 4th ed., ch. III B, independent
    sample method.
    """
    from scipy.stats import t  # noqa: PLC0415 — loads only where it is needed

    n = len(values)
    if n < 2:
        raise NotEnoughData(f"a bias needs 2 readings or more, not {n}")
    off, deviation = float(values.mean() - reference), float(values.std(ddof=1))
    if deviation == 0:
        raise NotEnoughData("all readings are equal: the gauge is too coarse to judge its bias")
    error = deviation / sqrt(n)
    half = float(t.isf(ALPHA / 2, n - 1)) * error
    p = float(2 * t.sf(abs(off) / error, n - 1))
    return Bias(
        n=n,
        reference=reference,
        bias=Interval(off, off - half, off + half),
        repeatability=deviation,
        p=p,
        biased=p < ALPHA,
        process=None if spread is None else 100 * abs(off) / spread,
    )


def linearity(reference: FloatArray, value: FloatArray) -> Linearity:
    """Return the linearity of readings of several master parts.

    reference, value: [n], of each reading. Raises NotEnoughData below 3 readings of 2 references.
    Source: AIAG MSA-4, ch. III B.
    """
    from scipy.stats import t  # noqa: PLC0415 — loads only where it is needed

    n, own = len(value), np.unique(reference)
    if n < 3 or len(own) < 2:
        raise NotEnoughData(f"linearity needs readings of 2 references, not {n} of {len(own)}")
    off = value - reference
    centre = float(reference.mean())
    width = float(((reference - centre) ** 2).sum())
    slope = float(((reference - centre) * off).sum()) / width
    intercept = float(off.mean()) - slope * centre
    left = off - intercept - slope * reference
    residual = sqrt(float((left**2).sum()) / (n - 2))
    if residual == 0:
        raise NotEnoughData("all readings lie on one line: the gauge is too coarse to judge")
    quantile = float(t.isf(ALPHA / 2, n - 2))
    errors = residual / sqrt(width), residual * sqrt(1 / n + centre**2 / width)
    p_slope, p_intercept = (
        float(2 * t.sf(abs(each) / error, n - 2))
        for each, error in zip((slope, intercept), errors, strict=True)
    )
    total = float(((off - off.mean()) ** 2).sum())
    return Linearity(
        n=n,
        slope=_about(slope, quantile * errors[0]),
        intercept=_about(intercept, quantile * errors[1]),
        residual=residual,
        r2=1 - float((left**2).sum()) / total if total else 0.0,
        p_slope=p_slope,
        p_intercept=p_intercept,
        linear=min(p_slope, p_intercept) >= ALPHA,
        at={
            float(x): _about(
                intercept + slope * x, quantile * residual * sqrt(1 / n + (x - centre) ** 2 / width)
            )
            for x in own
        },
    )


def _about(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half)
