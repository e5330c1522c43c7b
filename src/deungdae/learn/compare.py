"""Two judges of the same parts, which neither has learnt from: what each would have cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .measure import Interval, bootstrap

LEAST = 10  # parts of which a comparison can be told at all
PASS, UNSURE, REJECT = 0, 1, 2  # verdicts, as int8
Verdicts = NDArray[np.int8]


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a part costs, in any unit of money: a bad one that goes out, a good one that is thrown
    away, and one that a person must look at."""

    escape: float = 10.0
    false_reject: float = 1.0
    look: float = 0.1


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge does with parts of which it is known what they are.

    escaped: bad ones that pass; falsely_rejected: good ones that it rejects; asked: for a person.
    cost: mean of a part, in the unit of the costs.
    """

    good: int
    bad: int
    escaped: int
    falsely_rejected: int
    asked: int
    cost: float


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """What a new judge does where the one before did something, on the same parts.

    against: the version before, '' for what judged without a model. saved: mean cost of a part
    that the new one saves, with its 95 % interval over groups. verdict: `better` where all of the
    interval is above 0, `worse` where the new one costs more on these parts, by however little;
    else the data do not tell them apart.
    """

    against: str
    new: Tally
    old: Tally
    saved: Interval
    verdict: Literal["better", "not worse", "worse"]


def verdicts(score: FloatArray, accept: float, reject: float) -> Verdicts:
    """Return what scores mean: below `accept` a part passes, above `reject` it is rejected."""
    found = np.full(len(score), UNSURE, np.int8)
    found[score > reject] = REJECT
    found[score < accept] = PASS
    return found


def tally(said: Verdicts, bad: NDArray[np.bool_], costs: Costs) -> Tally:
    """Return what a judge does with n parts. said: int8[n], bad: bool[n]."""
    return Tally(
        good=int((~bad).sum()),
        bad=int(bad.sum()),
        escaped=int(((said == PASS) & bad).sum()),
        falsely_rejected=int(((said == REJECT) & ~bad).sum()),
        asked=int((said == UNSURE).sum()),
        cost=float(_costs(said, bad, costs).mean()) if len(said) else 0.0,
    )


def compare(
    new: Verdicts,
    old: Verdicts,
    bad: NDArray[np.bool_],
    groups: Sequence[str],
    *,
    against: str = "",
    costs: Costs | None = None,
    random: np.random.Generator,
) -> Contest:
    """Return what the new judge does where the old one did something, on the same n parts.

    groups: of each part; whole groups are drawn anew for the interval. Raises NotEnoughData.
    """
    if len(bad) < LEAST:
        raise NotEnoughData(f"{len(bad)} of at least {LEAST} parts that neither model learnt from")
    costs = costs or Costs()
    saving = _costs(old, bad, costs) - _costs(new, bad, costs)
    saved = bootstrap(lambda each: float(each.mean()), groups, saving, random=random)
    verdict: Literal["better", "not worse", "worse"] = "not worse"
    if saved.low > 0:
        verdict = "better"
    elif saved.value < 0:
        verdict = "worse"
    return Contest(
        against=against,
        new=tally(new, bad, costs),
        old=tally(old, bad, costs),
        saved=saved,
        verdict=verdict,
    )


def _costs(said: Verdicts, bad: NDArray[np.bool_], costs: Costs) -> FloatArray:
    """Return the cost of each part. One that a person looks at is judged right."""
    found: FloatArray = (
        costs.escape * ((said == PASS) & bad)
        + costs.false_reject * ((said == REJECT) & ~bad)
        + costs.look * (said == UNSURE)
    )
    return found
