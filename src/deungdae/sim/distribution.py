"""Distributions of times as people write them: `triangular(45, 60, 75)`, `exponential(900)`, `60`.

All are of non-negative times; a normal one is cut off at 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

_CALL = re.compile(r"^\s*([a-z]+)\s*\(([^()]*)\)\s*$")


class Distribution(msgspec.Struct, frozen=True):
    """One distribution. kind: a key of KINDS; parameters: its parameters, in their order.

    For `empirical` the parameters are the observed values, in rising order: each as likely, and
    between them what a straight line gives.
    """

    kind: str
    parameters: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean."""
        return KINDS[self.kind].mean(*self.parameters)

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of `factor` times the value; factor > 0."""
        kind = KINDS[self.kind]
        return Distribution(
            self.kind,
            tuple(
                value * factor if kind.scales is None or place in kind.scales else value
                for place, value in enumerate(self.parameters)
            ),
        )

    def __str__(self) -> str:
        if self.kind == "constant":
            return f"{self.parameters[0]:g}"
        return f"{self.kind}({', '.join(f'{value:.10g}' for value in self.parameters)})"


class Kind(NamedTuple):
    """names: of the parameters. fault: what is wrong with them, or ''. scales: which are times."""

    names: tuple[str, ...]
    mean: Callable[..., float]
    fault: Callable[..., str]
    scales: tuple[int, ...] | None = None


def _positive(*values: float) -> str:
    return "" if all(value > 0 for value in values) else "must be above 0"


def _not_negative(*values: float) -> str:
    return "" if all(value >= 0 for value in values) else "must not be negative"


def _rising(low: float, *rest: float) -> str:
    values = (low, *rest)
    if low < 0:
        return "must not be negative"
    return "" if list(values) == sorted(values) else "must rise from left to right"


def _normal_mean(mean: float, deviation: float) -> float:
    """Return the mean of a normal time, where what is below 0 counts as 0."""
    if deviation == 0:
        return mean
    z = mean / deviation
    below = 0.5 * math.erfc(z / math.sqrt(2))
    return mean * (1 - below) + deviation * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


KINDS: dict[str, Kind] = {
    "constant": Kind(("value",), lambda value: value, _not_negative),
    "uniform": Kind(("low", "high"), lambda low, high: (low + high) / 2, _rising),
    "triangular": Kind(("low", "mode", "high"), lambda a, b, c: (a + b + c) / 3, _rising),
    "exponential": Kind(("mean",), lambda mean: mean, _positive),
    "normal": Kind(("mean", "deviation"), _normal_mean, _not_negative),
    "lognormal": Kind(("mean", "deviation"), lambda mean, _: mean, _positive),
    "gamma": Kind(("shape", "scale"), lambda shape, scale: shape * scale, _positive, (1,)),
    "weibull": Kind(
        ("shape", "scale"),
        lambda shape, scale: scale * math.gamma(1 + 1 / shape),
        _positive,
        (1,),
    ),
    "erlang": Kind(
        ("stages", "mean"),
        lambda _, mean: mean,
        lambda stages, mean: (
            "needs a whole number of stages" if stages != int(stages) else _positive(stages, mean)
        ),
        (1,),
    ),
    "geometric": Kind(
        ("chance", "slot"),
        lambda chance, slot: slot / chance,
        lambda chance, slot: "needs 0 < chance <= 1" if not 0 < chance <= 1 else _positive(slot),
        (1,),
    ),
    "empirical": Kind((), lambda *values: math.fsum(values) / len(values), _rising),
}


def parse(text: str | float) -> Distribution:
    """Return the distribution that a text or a plain number means. Raises ValueError."""
    if isinstance(text, int | float):
        return _checked("constant", (float(text),), text)
    try:
        return _checked("constant", (float(text),), text)
    except ValueError as error:
        match = _CALL.match(text)
        if match is None:
            raise ValueError(_remedy(text, "is not understood")) from error
    kind, inside = match[1], match[2]
    if kind not in KINDS:
        raise ValueError(_remedy(text, f"{kind} is not known"))
    try:
        values = tuple(float(part) for part in inside.split(","))
    except ValueError as error:
        raise ValueError(_remedy(text, f"{inside!r} is no list of numbers")) from error
    return _checked(kind, tuple(sorted(values)) if kind == "empirical" else values, text)


def _checked(kind: str, values: tuple[float, ...], text: str | float) -> Distribution:
    names = KINDS[kind].names
    if names and len(values) != len(names):
        raise ValueError(f"{text!r}: {kind} takes {len(names)} numbers: {', '.join(names)}")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{text!r}: every number must be finite")
    if fault := KINDS[kind].fault(*values):
        raise ValueError(f"{text!r}: {', '.join(names) or 'values'} {fault}")
    return Distribution(kind, values)


def _remedy(text: str, problem: str) -> str:
    forms = ", ".join(f"{name}({', '.join(kind.names) or '…'})" for name, kind in KINDS.items())
    return f"{text!r}: {problem}; write a number, or one of {forms}"
