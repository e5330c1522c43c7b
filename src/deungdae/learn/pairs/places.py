"""Where a part differs from its golden image, and what each such place looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData

from .tones import Mask, Pixels, laid_over, two_tones

_GROWN = 4  # pixels that a difference reaches beyond where it is sure
_GAP = 4  # pixels, across which two pieces of a difference are told as one
_WINDOW = 24  # pixels around a place that are looked at
_LEAST = 3  # pixels in which two things must touch
_SMALL = 20  # pixels; what is smaller is a crumb
_MOST = 300  # places; more is another part, not a faulty one
_LARGEST = 0.15  # share of the pixels; likewise
_LEAST_SIDE = 32  # pixels of an image
_EIGHT = np.ones((3, 3), bool)

LOOKS = (
    "too much", "area", "short side", "long side", "filled", "depth", "mean depth",
    "width", "length", "slenderness", "to the border",
    *(f"{what} at {away}" for away in (1, 2, 3) for what in ("own tone", "own tone, golden")),
    "own tone at 4", "arcs at 4", "largest arc", "second arc", "third arc",
    *(
        f"{what}{whose}"
        for whose in ("", ", golden")
        for what in ("touching", "largest touch", "second touch")
    ),
    "of what it hangs on", "pieces",
    *(
        f"{what}{whose}"
        for whose in ("", ", golden")
        for what in ("parted", "large parted", "second part", "share of the second")
    ),
)  # fmt: skip


class Place(NamedTuple):
    """Somewhere that differs. box: left, top, right, bottom, pixels; looks: of LOOKS."""

    box: tuple[int, int, int, int]
    looks: list[float]

    @property
    def dark(self) -> bool:
        """Return whether it is dark where it should be light; else the other way."""
        return self.looks[LOOKS.index("too much")] > 0

    @property
    def depth(self) -> float:
        """Return how far its innermost pixel is from where its tone should be, pixels."""
        return self.looks[LOOKS.index("depth")]


def places(golden: Pixels, seen: Pixels) -> list[Place]:
    """Return where an image differs from the golden one by more than how it lies.

    Both uint8[h, w] or uint8[h, w, 3]. Raises ValueError where they differ in size or are tiny,
    NotEnoughData where they differ all over.
    """
    check(golden, seen)
    there = two_tones(seen)
    wanted = laid_over(two_tones(golden), there)
    return [*_differing(there, wanted, 1.0), *_differing(~there, ~wanted, 0.0)]


def check(golden: Pixels, seen: Pixels) -> None:
    """Raise ValueError where two images differ in size or are tiny: they cannot be compared."""
    if golden.shape[:2] != seen.shape[:2]:
        sizes = [f"{each.shape[1]}×{each.shape[0]}" for each in (golden, seen)]
        raise ValueError(
            f"the golden image has {sizes[0]} pixels and the other {sizes[1]}: "
            "take both with the same camera and cut them alike"
        )
    if min(seen.shape[:2]) < _LEAST_SIDE:
        raise ValueError(f"an image of less than {_LEAST_SIDE} pixels cannot be compared")


def _differing(there: Mask, wanted: Mask, polarity: float) -> Iterator[Place]:
    """Yield where a tone is there and should not be."""
    from scipy import ndimage  # noqa: PLC0415 — 20 MB, for those who compare images alone

    extra = there & ~wanted
    sure = _opened(there & ~_grown(wanted, 1))  # an edge may be off by a pixel
    whole = sure
    for _ in range(_GROWN):
        whole = _grown(whole, 1) & extra
    labels, count = ndimage.label(_grown(whole, _GAP), _EIGHT)
    share = np.count_nonzero(whole) / whole.size
    if count > _MOST or share > _LARGEST:
        raise NotEnoughData(
            f"the image differs from its golden image in {count} places and {100 * share:.0f} % "
            "of its pixels: is it of the same product, in the same place, in the same light?"
        )
    labels *= whole
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        yield _place(there, wanted, labels, number, where, polarity)


def _place(
    there: Mask,
    wanted: Mask,
    labels: NDArray[Any],
    number: int,
    where: tuple[slice, ...],
    polarity: float,
) -> Place:
    """Return the place of one label."""
    h, w = there.shape
    rows, columns = where
    window = (
        slice(max(rows.start - _WINDOW, 0), min(rows.stop + _WINDOW, h)),
        slice(max(columns.start - _WINDOW, 0), min(columns.stop + _WINDOW, w)),
    )
    spot = labels[window] == number
    border = min(rows.start, columns.start, h - rows.stop, w - columns.stop)
    looks = [
        polarity,
        *_shape(spot, wanted[window], (rows.stop - rows.start, columns.stop - columns.start)),
        min(border, _WINDOW),
        *_surroundings(spot, there[window], wanted[window]),
    ]
    box = (columns.start, rows.start, columns.stop, rows.stop)
    return Place(box, [float(look) for look in looks])


def _shape(spot: Mask, wanted: Mask, sides: tuple[int, int]) -> Iterator[float]:
    """Yield how large, deep and slender a spot is."""
    from scipy import ndimage  # noqa: PLC0415

    area = int(spot.sum())
    depth = ndimage.distance_transform_edt(~wanted)[spot]
    y, x = np.nonzero(spot)
    spread = np.cov(np.stack([y, x]), ddof=0) if area > 2 else np.zeros((2, 2))
    narrow, wide = np.sqrt(np.linalg.eigvalsh(spread).clip(0) + 0.1)
    yield from (area, min(sides), max(sides), area / (sides[0] * sides[1]))
    yield from (depth.max(), depth.mean(), narrow, wide, wide / narrow)


def _surroundings(spot: Mask, there: Mask, wanted: Mask) -> Iterator[float]:
    """Yield what lies around a spot: of its own tone, of the other, in the image and the golden."""
    from scipy import ndimage  # noqa: PLC0415

    near = spot
    for _ in range(3):
        wider = _grown(near, 1)
        ring = wider & ~near
        yield from ((ring & tone).sum() / max(ring.sum(), 1) for tone in (there, wanted))
        near = wider
    near = _grown(spot, 2)
    ring = _grown(near, 1) & ~near
    all_round = max(int(ring.sum()), 1)
    arcs = _sizes(ndimage.label(ring & there, _EIGHT)[0])
    yield (ring & there).sum() / all_round
    yield (arcs >= _LEAST).sum()
    yield from (arcs[:3] / all_round)
    for tone in (there, wanted):
        touched = _touched(tone & ~near, _grown(near, 2), _EIGHT)[0]
        yield from ((touched >= _LEAST).sum(), *touched[:2])
    pieces, count = ndimage.label(there)
    own = np.bincount(pieces[spot], minlength=count + 1) > 0
    yield spot.sum() / own[pieces].sum()
    yield own.sum()
    for tone in (~there, ~wanted):
        whole = _touched(tone, near, _EIGHT)[1]
        parts = np.sort(whole)[::-1]
        yield from ((parts > 0).sum(), (parts > _SMALL).sum(), parts[1])
        yield parts[1] / max(parts.sum(), 1)


def _touched(tone: Mask, near: Mask, neighbours: Mask) -> tuple[NDArray[np.int64], ...]:
    """Return of each piece of a tone how much lies near, and how large those are: both [>= 2].

    Largest first, filled up with zeros.
    """
    from scipy import ndimage  # noqa: PLC0415

    pieces, count = ndimage.label(tone, neighbours)
    touch = np.bincount(pieces[near], minlength=count + 3)[1:]
    whole = np.where(touch > 0, np.bincount(pieces.ravel(), minlength=count + 3)[1:], 0)
    return np.sort(touch)[::-1], whole


def _sizes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return how large the pieces are, largest first: [>= 3]."""
    return np.sort(np.bincount(labels.ravel(), minlength=4)[1:])[::-1]


def _grown(mask: Mask, pixels: int) -> Mask:
    """Return a mask grown by some pixels to all sides, and corners."""
    for _ in range(pixels):
        tall = mask.copy()
        tall[1:] |= mask[:-1]
        tall[:-1] |= mask[1:]
        mask = tall.copy()
        mask[:, 1:] |= tall[:, :-1]
        mask[:, :-1] |= tall[:, 1:]
    return mask


def _opened(mask: Mask) -> Mask:
    """Return what holds 2 x 2 pixels, since a line of one pixel is an edge."""
    full = mask[:-1, :-1] & mask[1:, :-1] & mask[:-1, 1:] & mask[1:, 1:]
    opened = np.zeros_like(mask)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            opened[rows, columns] |= full
    return opened
