"""Phase I: limits from samples of which some had a cause of their own, and which were left out."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData

from .charts import Marks

Places = NDArray[np.int64]


class Removal(msgspec.Struct, frozen=True):
    """A sample that was left out: its place, from 0; the round; the rules that it broke."""

    place: int
    round: int
    rules: tuple[str, ...]


class Screened(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of phase I.

    kept: places of the samples that the limits come from. removed: in order. unexplained: places
    that still break a rule, but stay because nobody knows a cause.
    """

    kept: tuple[int, ...]
    removed: tuple[Removal, ...]
    unexplained: tuple[Removal, ...]

    @property
    def rounds(self) -> int:
        """Return how often limits were computed anew because samples had been removed."""
        return max((each.round for each in self.removed), default=0)


def screen(
    samples: int,
    judge: Callable[[Places], dict[str, Marks]],
    *,
    causes: Collection[int] | None = None,
    most: float = 0.25,
) -> Screened:
    """Return phase I without the samples that broke a rule, judged anew until none does.

    judge: from the places of the samples that are still kept, int64[k], to what fired on limits
    that come from them alone: rule -> bool[k]. causes: places for which an assignable cause was
    found; only those are removed. None: all that break a rule, which is right only where somebody
    then looks for the causes: 0.3 % of the samples of an undisturbed process break a rule too.
    Raises NotEnoughData if more than the share `most` would go: then it is no stable process.
    Source: Montgomery, Introduction to Statistical Quality Control, ch. 6.2 and 7.2.
    """
    kept = np.arange(samples)
    removed: list[Removal] = []
    round_ = 0
    while True:
        round_ += 1
        out = _out(kept, judge(kept), round_)
        going = [each for each in out if causes is None or each.place in causes]
        if not going:
            return Screened(
                kept=tuple(kept.tolist()), removed=tuple(removed), unexplained=tuple(out)
            )
        removed += going
        if len(removed) > most * samples:
            raise NotEnoughData(
                f"{len(removed)} of {samples} samples of phase I break a rule: "
                "the process is not stable, limits from the rest would say nothing"
            )
        kept = np.setdiff1d(kept, [each.place for each in going])


def _out(kept: Places, fired: dict[str, Marks], round_: int) -> list[Removal]:
    """Return what breaks a rule, in order of place."""
    out = []
    for at, place in enumerate(kept.tolist()):
        rules = tuple(name for name, marks in fired.items() if marks[at])
        if rules:
            out.append(Removal(place, round_, rules))
    return out
