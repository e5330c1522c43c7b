"""What a twin expects of its line, with all that it does not know in the interval."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY, FloatArray
from deungdae.sim.line import Line, Snapshot
from deungdae.sim.outcome import Outcome

from .twin import Twin

Run = Callable[..., Outcome]
WEEK = 7 * 86_400.0


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A value with the interval that holds the truth with the stated confidence.

    parameters: standard deviation that comes from what is not known of the line's numbers;
    simulation: standard error that more replications would take away.
    """

    mean: float
    low: float
    high: float
    confidence: float
    parameters: float
    simulation: float
    draws: int


def capability(
    twin: Twin,
    *,
    run: Run,
    draws: int = 100,
    weeks: int = 4,
    confidence: float = 0.90,
    seed: int = 1,
) -> Interval:
    """Return the good parts per hour that the line makes in the long run.

    Each draw of the twin's parameters is simulated twice, over `weeks` after a day of warm-up. The
    spread between draws is what is not known; that of simulation is told apart from it by an
    analysis of variance, and taken off: the deviations of the draws' means shrink by
    √(1 − within / between).
    """
    if draws < 10:
        raise NotEnoughData(f"{draws} draws give no interval: take 10 at least, better 100")
    random = np.random.default_rng(seed)
    values = np.empty((draws, 2))
    for draw in range(draws):
        line = settled(twin.sample(random))
        outcome = run(
            line, horizon=line.warm_up + weeks * WEEK, seed=seed,
            replications=range(2 * draw, 2 * draw + 2), origin=twin.start,
        )  # fmt: skip
        values[draw] = outcome.throughput
    return _interval(values, confidence)


def forecasts(
    twin: Twin,
    horizon: float,
    *,
    run: Run,
    replications: int = 200,
    draws: int = 20,
    seed: int = 1,
    start: Snapshot | None = None,
    origin: int = 0,
) -> Outcome:
    """Return what the line may do over the next `horizon` s: each replication one possible course.

    The replications are dealt out over `draws` draws of the parameters, so their spread holds both
    chance and what is not known. start: where the line stands now; origin: ns, now.
    """
    draws = max(min(draws, replications), 1)
    random = np.random.default_rng(seed)
    cuts = np.linspace(0, replications, draws + 1).astype(int)
    parts = [
        run(
            twin.sample(random), horizon=horizon, seed=seed, replications=range(a, b),
            start=start, origin=origin,
        )
        for a, b in zip(cuts.tolist(), cuts.tolist()[1:], strict=False)
    ]  # fmt: skip
    return Outcome.join(parts)


def settled(line: Line, warm_up: float = DAY / 1e9) -> Line:
    """Return the line with a warm-up of so many s at least."""
    return msgspec.structs.replace(line, warm_up=max(line.warm_up, warm_up))


def _interval(values: FloatArray, confidence: float) -> Interval:
    """Return the interval of draws [n, 2], each simulated twice."""
    means = values.mean(axis=1)
    mean = float(means.mean())
    within = float(((values[:, 0] - values[:, 1]) ** 2).mean()) / 4  # variance of a draw's mean
    between = float(means.var(ddof=1))
    kept = max(1 - within / between, 0.0) if between > 0 else 0.0
    shrunk = mean + (means - mean) * np.sqrt(kept)
    # of m draws and the truth each rank is as likely: so few draws make no interval too narrow
    m = len(means)
    ranks = (m + 1) * np.asarray([(1 - confidence) / 2, (1 + confidence) / 2]) - 1
    low, high = np.interp(ranks, np.arange(m), np.sort(shrunk))
    error = float(np.sqrt(between / m))
    return Interval(
        mean=mean, low=float(low), high=float(high), confidence=confidence,
        parameters=float(np.sqrt(between * kept)), simulation=error, draws=len(means),
    )  # fmt: skip
