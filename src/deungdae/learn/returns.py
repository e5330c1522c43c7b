"""What a project brought: what is, against what would have been without it.

An interrupted time series: the periods before teach what the figure would have been, from its
level, its trend and what else changed; neighbouring periods are alike (AR(1)). What is not known
of their likeness is in the interval, for that is what most claims of savings leave out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.learn.measure import Interval

FEWEST_BEFORE = 20
FEWEST_AFTER = 8
DRAWS = 4000
LIKENESS = np.linspace(-0.3, 0.95, 26)  # correlations of neighbours that are believed possible


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one figure since a project began, per period on average.

    observed: mean after the start; expected: what it would have been without the project; change:
    observed − expected, with its interval. placebo: the change that the same method finds in the
    middle of the time before, where nothing began: None where that time is too short to look.
    likeness: correlation of neighbouring periods. beyond: what else lies outside all that was seen
    before, so that the expectation is a guess there.
    """

    name: str
    before: int
    after: int
    observed: float
    expected: float
    change: Interval
    placebo: Interval | None
    likeness: float
    beyond: tuple[str, ...]

    @property
    def shown(self) -> bool:
        """Return whether a change is shown: sure, and not seen where nothing began."""
        return not self.change.holds(0.0) and (self.placebo is None or self.placebo.holds(0.0))

    @property
    def said(self) -> str:
        """Return the result in a sentence or two."""
        c = self.change
        ranged = (
            f"{self.name}: {self.observed:.3g} instead of {self.expected:.3g} expected, a change "
            f"of {c.value:+.3g} ({c.low:+.3g} to {c.high:+.3g})"
        )
        if self.placebo is not None and not self.placebo.holds(0.0):
            said = (
                f"{ranged}. Not shown: the same reckoning finds a change of "
                f"{self.placebo.value:+.3g} before the project, where nothing began."
            )
        elif c.holds(0.0):
            said = f"{ranged}. Not shown: it may as well be none."
        else:
            said = f"{ranged}."
        if self.beyond:
            said += f" {', '.join(self.beyond)} went beyond what was seen before: take care."
        return said


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """What a change is worth in the time since the start; more is better.

    value, low, high: money, of the effect's interval. shown: whether the change is.
    """

    name: str
    value: Decimal
    low: Decimal
    high: Decimal
    shown: bool


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """All savings of a project against its cost, in one currency of one year.

    value, low, high: savings less cost. The ends are the sums of the ends, for savings of one line
    rise and fall together: careful, whatever their dependence. All count, the losses and those
    that are not shown too.
    """

    savings: tuple[Saving, ...]
    cost: Decimal
    value: Decimal
    low: Decimal
    high: Decimal
    currency: str
    year: int

    @property
    def said(self) -> str:
        """Return the result in a sentence."""
        unit = f"{self.currency} ({self.year})"
        span = f"{self.value:,} {unit}, between {self.low:,} and {self.high:,}"
        if self.low > 0:
            return f"The project has brought {span} more than its cost."
        if self.high < 0:
            return f"The project has not earned its cost yet: {span}."
        return f"Not shown whether the project has earned its cost: {span}."


def effect(
    name: str,
    figure: ArrayLike,
    start: int,
    *,
    random: np.random.Generator,
    covariates: Mapping[str, ArrayLike] | None = None,
    trend: bool = True,
    ramp: int = 0,
    level: float = 0.95,
) -> Effect:
    """Return how a figure changed since period `start`, against what was to be expected.

    figure: float[n], one for each day, shift or week in order, per part or per hour where volume
    changes (escapes per 1000 parts, minutes per part). covariates: float[n] each, what else moves
    the figure and what the project cannot have moved: volume, mix of products, temperature.
    trend: whether what rose or fell steadily before would have gone on. ramp: periods from the
    start on that count for neither side. NaN: no value in that period; it is left out.
    The level, trend, covariates and change have flat priors; the likeness of neighbours is
    averaged over with its restricted likelihood, so its uncertainty widens the interval.
    Raises NotEnoughData for fewer than 20 periods before (more with covariates) or 8 after, and
    where a covariate tells the same as the start.
    Source: Wagner et al. (2002); Harville (1974); Turner et al. (2021), who compare the methods.
    """
    y = np.asarray(figure, np.float64)
    columns = {key: np.asarray(each, np.float64) for key, each in (covariates or {}).items()}
    if any(each.shape != y.shape for each in columns.values()):
        raise ValueError("figure and covariates are not of one length")
    place = np.arange(len(y))
    kept = np.isfinite(y) & ((place < start) | (place >= start + ramp))
    for each in columns.values():
        kept &= np.isfinite(each)
    before, after = kept & (place < start), kept & (place >= start)
    least = FEWEST_BEFORE + 4 * len(columns)
    if before.sum() < least or after.sum() < FEWEST_AFTER:
        raise NotEnoughData(
            f"{name}: {before.sum()} periods before and {after.sum()} after the start; "
            f"{least} and {FEWEST_AFTER} are needed at least"
        )
    change, likeness = _change(name, y, place, start, kept, columns, trend, random, level)
    observed = float(y[after].mean())
    middle = int(place[before][before.sum() // 2])
    placebo = None
    if before.sum() // 2 >= least - FEWEST_BEFORE // 2:
        placebo, _ = _change(name, y, place, middle, before, columns, trend, random, level)
    return Effect(
        name=name, before=int(before.sum()), after=int(after.sum()), observed=observed,
        expected=observed - change.value, change=change, placebo=placebo, likeness=likeness,
        beyond=tuple(
            key for key, each in columns.items()
            if each[after].mean() < each[before].min() or each[after].mean() > each[before].max()
        ),
    )  # fmt: skip


def saving(effect: Effect, amount: float, price: Decimal) -> Saving:
    """Return what a change is worth: −change × amount × price.

    amount: how often the figure's unit occurred since the start, e.g. thousands of parts made;
    price: money for one unit of the figure, what an escape, a reject or a minute costs. A figure
    of which more is better has a negative price.
    """
    ends = sorted(_money(-each * amount, price) for each in (effect.change.low, effect.change.high))
    return Saving(
        name=effect.name, value=_money(-effect.change.value * amount, price),
        low=ends[0], high=ends[1], shown=effect.shown,
    )  # fmt: skip


def total(savings: Sequence[Saving], cost: Decimal, *, currency: str, year: int) -> Return:
    """Return all savings of a project less its cost, money of one currency and year."""
    if not savings:
        raise NotEnoughData("nothing was measured that the project may have saved")
    value, low, high = (
        sum((getattr(each, end) for each in savings), -cost) for end in ("value", "low", "high")
    )
    return Return(
        savings=tuple(savings), cost=cost, value=value, low=low, high=high,
        currency=currency, year=year,
    )  # fmt: skip


def _money(amount: float, price: Decimal) -> Decimal:
    return (Decimal(repr(float(amount))) * price).quantize(Decimal(1))


def _change(
    name: str,
    y: NDArray[np.float64],
    place: NDArray[np.int64],
    start: int,
    kept: NDArray[np.bool_],
    columns: Mapping[str, NDArray[np.float64]],
    trend: bool,
    random: np.random.Generator,
    level: float,
) -> tuple[Interval, float]:
    """Return the step of the figure at `start` among the kept periods, and the likeness."""
    rows = np.flatnonzero(kept)
    parts = [(place[rows] >= start).astype(np.float64), np.ones(len(rows))]
    if trend:
        parts.append(_standard(rows.astype(np.float64)))
    parts += [_standard(each[rows]) for each in columns.values()]
    design = np.column_stack(parts)
    if np.linalg.matrix_rank(design, tol=1e-6 * len(rows)) < design.shape[1]:
        raise NotEnoughData(
            f"{name}: a covariate tells the same as the start, or as another: leave one out"
        )
    spread = float(y[rows].std())
    if spread == 0:
        raise NotEnoughData(f"{name} is {y[rows[0]]:g} in all periods: it tells nothing")
    steps, errors, weights = _fits(design, y[rows] / spread, np.diff(rows))
    freedom = len(rows) - design.shape[1]
    chosen = random.choice(len(LIKENESS), DRAWS, p=weights)
    drawn = steps[chosen] + errors[chosen] * random.standard_t(freedom, DRAWS)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) * spread
    value = float(weights @ steps) * spread
    return Interval(value, float(low), float(high), level), float(weights @ LIKENESS)


def _fits(
    design: NDArray[np.float64], y: NDArray[np.float64], apart: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return for each likeness the step, its standard error, and how well it fits.

    apart: periods between neighbours that are kept; over a gap of g the likeness is ρ^g.
    """
    steps, errors, logs = [], [], []
    n, width = design.shape
    for rho in LIKENESS:
        link = np.sign(rho) ** apart * np.abs(rho) ** apart
        scale = np.sqrt(1.0 - link**2)  # deviation of what is new, of the whole
        table = np.column_stack([design, y])
        white = np.vstack([table[:1], (table[1:] - link[:, None] * table[:-1]) / scale[:, None]])
        x, z = white[:, :width], white[:, width]
        inverse = np.linalg.inv(x.T @ x)
        weight = inverse @ (x.T @ z)
        rest = max(1e-12, float(np.sum((z - x @ weight) ** 2)))
        steps.append(float(weight[0]))
        errors.append(np.sqrt(rest / (n - width) * inverse[0, 0]))
        sign, size = np.linalg.slogdet(inverse)
        logs.append(-np.log(scale).sum() + 0.5 * sign * size - 0.5 * (n - width) * np.log(rest))
    likelihood = np.exp(np.array(logs) - max(logs))
    return np.array(steps), np.array(errors), likelihood / likelihood.sum()


def _standard(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the column with mean 0 and deviation 1; a constant one stays as zeros."""
    spread = float(column.std())
    standard: NDArray[np.float64] = (column - column.mean()) / (spread or 1.0)
    return standard
