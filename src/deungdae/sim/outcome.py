"""What replications of a line gave, and what may be concluded from them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, sqrt

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.sim.line import STATES

Counts = NDArray[np.int64]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean with its interval: low to high holds the truth with the stated confidence."""

    mean: float
    half_width: float
    low: float
    high: float
    n: int
    confidence: float = 0.95

    @property
    def relative(self) -> float:
        """Return the half-width as a share of the mean; inf where the mean is 0."""
        return self.half_width / abs(self.mean) if self.mean else inf


class Outcome(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The results of R replications, one row each, in rising order of `replications`.

    All but `finished` count from the end of the warm-up to the horizon.
    throughput: float64[R], good parts out of the line per hour.
    made, escaped, scrapped, lost: int64[R, P], parts by product: out and good; out, but bad; in the
    scrap; turned away because the buffer at which they arrived was full.
    done: int64[R, S], parts that a station finished.
    lead_time, lead_time_90: float64[R] s, mean and 90 % quantile over the good parts out, from
    birth to leaving; nan where none left. The quantile is read from classes 4.4 % wide.
    wip: float64[R], parts in the line, mean over time. level: float64[R, B], the same by buffer.
    state_time: float64[R, S, 8] s, in the order of STATES, summed over the servers.
    energy: float64[R, S] kW.h.
    sole, shifting: float64[R, S], share of time in which the station alone, or it and another, is
    the bottleneck: has the longest uninterrupted active period (Roser, Nakano, Tanaka 2002).
    finished: float64[R, O] s, when the order had all its good parts; inf if it never had.
    method: how it was computed, `events` or `maxplus`.
    """

    line: str
    stations: tuple[str, ...]
    servers: tuple[int, ...]
    buffers: tuple[str, ...]
    products: tuple[str, ...]
    orders: tuple[str, ...]
    due: FloatArray
    seed: int
    horizon: float
    warm_up: float
    method: str
    replications: Counts
    throughput: FloatArray
    made: Counts
    escaped: Counts
    scrapped: Counts
    lost: Counts
    done: Counts
    lead_time: FloatArray
    lead_time_90: FloatArray
    wip: FloatArray
    level: FloatArray
    state_time: FloatArray
    energy: FloatArray
    sole: FloatArray
    shifting: FloatArray
    finished: FloatArray

    def __len__(self) -> int:
        return len(self.replications)

    @property
    def counted(self) -> float:
        """Return the time that is counted in each replication, s."""
        return self.horizon - self.warm_up

    @property
    def met(self) -> NDArray[np.bool_]:
        """Return which orders were finished by when they were due: bool[R, O]."""
        met: NDArray[np.bool_] = self.finished <= self.due
        return met

    @property
    def service(self) -> FloatArray:
        """Return the share of orders met, float64[R]; nan without orders."""
        if not self.orders:
            return np.full(len(self), np.nan)
        share: FloatArray = self.met.mean(axis=1)
        return share

    @property
    def bottleneck(self) -> FloatArray:
        """Return the share of time in which each station is a bottleneck, float64[R, S]."""
        share: FloatArray = self.sole + self.shifting
        return share

    def share(self, state: str) -> FloatArray:
        """Return the share of counted time that each station's servers spent so: float64[R, S]."""
        time = self.state_time[:, :, STATES.index(state)]
        share: FloatArray = time / (self.counted * np.asarray(self.servers))
        return share

    @staticmethod
    def join(parts: Sequence[Outcome]) -> Outcome:
        """Return all replications of the parts as one outcome, in order of their numbers.

        Raises ValueError where the parts are not of one line, seed and horizon, where a
        replication comes twice, or where there is none.
        """
        if not parts:
            raise ValueError("there is no outcome to join")
        first = parts[0]
        for part in parts[1:]:
            for name in ("line", "stations", "buffers", "products", "orders", "seed", "horizon",
                         "warm_up", "method"):  # fmt: skip
                if getattr(part, name) != getattr(first, name):
                    raise ValueError(f"these outcomes differ in {name}: they are not of one run")
        numbers = np.concatenate([part.replications for part in parts])
        order = np.argsort(numbers, kind="stable")
        if np.any(np.diff(numbers[order]) == 0):
            raise ValueError("these outcomes share a replication: it would count twice")
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])[order] for name in _ROWS
        }
        return msgspec.structs.replace(first, **joined)


_ROWS = (
    "replications", "throughput", "made", "escaped", "scrapped", "lost", "done", "lead_time",
    "lead_time_90", "wip", "level", "state_time", "energy", "sole", "shifting", "finished",
)  # fmt: skip


def estimate(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return the mean of independent replications, with Student's interval.

    values: [n], of any unit. Raises NotEnoughData for n < 2, where no interval can be known, and
    for values that are not finite.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - heavy, and only a twin asks for it

    sample = np.asarray(values, np.float64).ravel()
    n = len(sample)
    if n < 2:
        raise NotEnoughData(f"{n} replication gives no interval: run two at least, better twenty")
    if not np.all(np.isfinite(sample)):
        missing = int(n - np.isfinite(sample).sum())
        raise NotEnoughData(f"{missing} of {n} replications gave no value: run them for longer")
    mean = float(sample.mean())
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * float(sample.std(ddof=1)) / sqrt(n)
    return Estimate(
        mean=mean, half_width=half, low=mean - half, high=mean + half, n=n, confidence=confidence
    )


def difference(after: ArrayLike, before: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return the mean of after - before, replication by replication.

    after, before: [n], of the same replications with the same seed: the common random numbers make
    the difference far surer than either. Raises ValueError where they are not as many, and
    NotEnoughData as `estimate`. Source: Law (2015), Simulation Modeling and Analysis, 10.2.
    """
    one, other = np.asarray(after, np.float64).ravel(), np.asarray(before, np.float64).ravel()
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} replications: they cannot be paired")
    return estimate(one - other, confidence)


def needed(values: ArrayLike, half_width: float, confidence: float = 0.95) -> int:
    """Return how many replications bring the interval to a half-width, as far as these tell.

    values: [n], of a first few replications; half_width: above 0, in their unit. The answer hangs
    on the spread of those few; ten tell it within a factor of two or so. Raises NotEnoughData as
    `estimate`. Source: Law (2015), Simulation Modeling and Analysis, 9.4.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - heavy, and only a twin asks for it

    if half_width <= 0:
        raise ValueError(f"half_width = {half_width}: must be above 0")
    first = estimate(values, confidence)
    if first.half_width == 0:
        return 2
    spread = first.half_width * sqrt(first.n) / float(stdtrit(first.n - 1, 0.5 + confidence / 2))
    n = 2
    while float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread / sqrt(n) > half_width:
        n = max(n + 1, ceil((1.9 * spread / half_width) ** 2))
    return n
