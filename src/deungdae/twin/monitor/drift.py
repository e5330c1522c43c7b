"""Drift of cycle times: a two-sided cumulative sum over the live cycles of each station."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from deungdae.core.types import FloatArray

SLACK = 0.15  # k: half the shift, in standard deviations, that is worth finding
LIMIT = 25.0  # h: 0.6 false alarms in 10,000 parts at most, with SLACK
STEADY = 0.01  # a cycle that hardly varies is measured in hundredths of itself
WILD = 5.0  # standard deviations; one odd cycle counts for no more


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What the sums say of one station.

    high, low: the sums now, of LIMIT. direction: '' where there is no alarm. since: place of the
    first cycle of the drift; alarm: place of the cycle at which it was told.
    size: relative change of the cycle time since then, with its 95 % interval.
    """

    n: int
    high: float
    low: float
    direction: Literal["", "longer", "shorter"] = ""
    since: int = 0
    alarm: int = 0
    size: float = 0.0
    size_low: float = 0.0
    size_high: float = 0.0


def drift(
    cycles: FloatArray,
    mean: FloatArray | float,
    deviation: FloatArray | float,
    *,
    slack: float = SLACK,
    limit: float = LIMIT,
) -> Drift:
    """Return whether cycles have become longer or shorter than they were.

    cycles: float64[n] s in order; mean, deviation: what each was expected to be, s. The sums are
    S⁺ = max(0, S⁺ + z − k) and S⁻ = max(0, S⁻ − z − k) over the standardised cycles z; an alarm is
    told when one passes h. The drift began after that sum was 0 last, and its size is the mean
    since then: a little too large, because it is looked at only after an alarm, and the less so the
    longer it lasts. Source: Page (1954); Hawkins and Olwell (1998).
    """
    expected = np.broadcast_to(np.asarray(mean, np.float64), cycles.shape)
    spread = np.maximum(np.broadcast_to(np.asarray(deviation, np.float64), cycles.shape),
                        STEADY * expected)  # fmt: skip
    z = np.clip((cycles - expected) / spread, -WILD, WILD)
    up, down = _sums(z, slack), _sums(-z, slack)
    n = len(z)
    high, low = (float(each[-1]) if n else 0.0 for each in (up, down))
    told = Drift(n=n, high=high, low=low)
    alarms = {
        "longer": int(np.argmax(up > limit)) if (up > limit).any() else n,
        "shorter": int(np.argmax(down > limit)) if (down > limit).any() else n,
    }
    # both may have alarmed one after the other: what holds now is the one that is up now
    standing = [name for name, sums in (("longer", up), ("shorter", down))
                if alarms[name] < n and sums[-1] > 0]  # fmt: skip
    if not standing:
        return told
    direction = max(standing, key=lambda name: high if name == "longer" else low)
    sums = up if direction == "longer" else down
    since = int(np.flatnonzero(np.concatenate([[0.0], sums]) == 0)[-1])
    if not (sums[since:] > limit).any():
        return told  # that alarm is over: the sum came back to 0 since
    relative = (cycles[since:] - expected[since:]) / expected[since:]
    size = float(relative.mean())
    error = float(relative.std(ddof=1)) / math.sqrt(len(relative)) if len(relative) > 1 else 0.0
    return msgspec.structs.replace(
        told, direction=direction, since=since,
        alarm=since + int(np.argmax(sums[since:] > limit)),
        size=size, size_low=size - 1.96 * error, size_high=size + 1.96 * error,
    )  # fmt: skip


def _sums(z: FloatArray, slack: float) -> FloatArray:
    """Return max(0, S + z − slack) along the way: float64[n]."""
    # S_n = X_n − min(0, X_1 … X_n) for X the plain sum of z − slack (reflection at 0)
    plain = np.cumsum(z - slack)
    sums: FloatArray = plain - np.minimum(np.minimum.accumulate(plain), 0.0)
    return sums
