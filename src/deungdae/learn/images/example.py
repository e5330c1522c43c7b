"""What an inspection learns from: images with what is known of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData

from .sight import Pixels, checked

LEAST = 10  # good images below which nothing is learnt


class Example(msgspec.Struct, frozen=True, eq=False):
    """One image of a part.

    pixels: uint8[h, w, 3]; bad: None where nobody has said; group: the part, lot or batch that it
    shows, whose images always stay together; ref: how people find it; mask: bool[h, w], where the
    defect is, of a bad one; time: ns since 1970; golden: uint8[h, w, 3], a right part, taken alike.
    """

    pixels: Pixels
    bad: bool | None
    group: str
    ref: str = ""
    mask: NDArray[np.bool_] | None = None
    time: int = 0
    golden: Pixels | None = None


def examined(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return what is odd about the examples, in words.

    Raises ValueError for what is no image or a mask of another size, NotEnoughData for fewer than
    ten good images or for good ones of a single group.
    """
    for each in examples:
        checked(each.pixels)
        if each.mask is not None and each.mask.shape != each.pixels.shape[:2]:
            raise ValueError(
                f"{each.ref}: a mask of {each.mask.shape}, an image of {each.pixels.shape[:2]}"
            )
    good = [each for each in examples if each.bad is False]
    if len(good) < LEAST:
        raise NotEnoughData(
            f"{len(good)} good images of {len(examples)}: with fewer than {LEAST} no inspection is "
            "learnt and no error rate can be told; take more images of good parts"
        )
    if len({each.group for each in good}) < 2:
        raise NotEnoughData(
            f"all {len(good)} good images are of one group, {good[0].group}: nothing is left to "
            "test on; take images of another part"
        )
    return (*_contradictions(examples), *_kinds(examples))


def _contradictions(examples: Sequence[Example]) -> list[str]:
    said = defaultdict(list)
    for number, each in enumerate(examples):
        if each.bad is not None:
            said[each.pixels.shape, each.pixels.tobytes()].append(number)
    both = [
        numbers for numbers in said.values() if len({examples[one].bad for one in numbers}) == 2
    ]
    names = [[examples[one].ref or f"number {one}" for one in numbers] for numbers in both]
    return [f"the same image is called good and bad: {', '.join(each)}" for each in names]


def _kinds(examples: Sequence[Example]) -> list[str]:
    bad = {each.group for each in examples if each.bad}
    if not bad:
        return [
            "no image of a defect: learnt from good parts alone, and tested on defects that were "
            "made; nothing can be promised about real ones"
        ]
    if len(bad) < 2:
        return [f"all images of defects are of one group, {bad.pop()}: tested on few real ones"]
    return []
