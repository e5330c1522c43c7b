"""The examples dealt out to folds, so that every model is judged on groups that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.learn.split import folds

from .example import Example
from .sight import Sight, is_grey

FOLDS = 4  # models of each method, each of which has not seen a part of the groups
FEW = 2  # where time is short
SHORT = 400.0  # s of one core that are short

Progress = Callable[[str, float], None]


class Crew(Protocol):
    """Processes that work side by side: how many, and what they do with parts of the work."""

    count: int

    def map(self, work: Callable[[Any], Any], parts: list[Any]) -> Iterator[Any]:
        """Yield the result of each part, in their order."""
        ...


class School(msgspec.Struct, frozen=True, eq=False):
    """All that methods learn from.

    fold: int64[n]; twins: where real defects are missing, good examples with made ones, by number;
    grey: whether no image has a colour.
    """

    examples: Sequence[Example]
    fold: NDArray[np.int64]
    twins: dict[int, Example]
    grey: bool
    seed: int

    @property
    def folds(self) -> int:
        """The number of folds."""
        return int(self.fold.max()) + 1

    def taught(self, fold: int | None = None) -> list[int]:
        """Return which examples may teach the model of a fold, or that of all."""
        return [
            number
            for number, each in enumerate(self.examples)
            if each.bad is not None and self.fold[number] != fold
        ]

    def tested(self, fold: int) -> list[int]:
        """Return which examples the model of a fold has not seen."""
        found: list[int] = np.flatnonzero(self.fold == fold).tolist()
        return found

    def good(self, numbers: Sequence[int]) -> list[int]:
        """Return the good ones of these examples."""
        return [number for number in numbers if self.examples[number].bad is False]

    def judged(self, figure: FloatArray, twin: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the figures, [n] or [n, k], of all that is known to be good or bad, and which.

        figure: of each example; twin: of its twin, where it has one.
        """
        known = np.array([each.bad is not None for each in self.examples])
        bad = np.array([bool(each.bad) for each in self.examples])[known]
        twins = np.array(sorted(self.twins), np.int64)
        return (
            np.concatenate([figure[known], twin[twins]]),
            np.concatenate([bad, np.ones(len(twins), np.bool_)]),
        )

    def known_folds(self) -> NDArray[np.int64]:
        """Return the fold of each row that `judged` gives."""
        known = np.array([each.bad is not None for each in self.examples])
        twins = np.array(sorted(self.twins), np.int64)
        return np.concatenate([self.fold[known], self.fold[twins]])


def enrolled(examples: Sequence[Example], seconds: float, seed: int) -> School:
    """Return the examples dealt out to folds by their groups.

    seconds: of one core, for all models. Raises NotEnoughData where a fold would leave no good
    images to learn from.
    """
    groups = [each.group for each in examples]
    kind = [{None: 0, False: 1, True: 2}[each.bad] for each in examples]
    good = {each.group for each in examples if each.bad is False}
    count = FEW if seconds < SHORT else FOLDS
    fold = folds(groups, min(count, len(good)), seed, kind)
    grey = all(is_grey(each.pixels) for each in examples)
    school = School(examples, fold, {}, grey, seed)
    for one in range(school.folds):
        if not school.good(school.taught(one)):
            raise NotEnoughData("the good images are of too few groups: take some of other parts")
    return school


def seen(example: Example, sight: Sight) -> NDArray[np.float32]:
    """Return an example as a model takes it: float32[1, channels, h, w]."""
    return sight.tensor(sight.shown(example.pixels))
