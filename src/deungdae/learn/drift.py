"""Whether what a model sees, says and gets wrong is still what it was when the model was taught.

Three questions with three answers: `Window.compare` for inputs and scores over a period,
`exchangeable` for scores one by one as they come, `errors` for what people said afterwards.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.learn.measure import Interval, rate

FEWEST = 30  # parts, below which two periods are not compared
KEPT = 200  # values that a card keeps of each quantity: its quantiles
SMALL = 0.25  # standard deviations; less matters to nobody, however sure it is
SURE = 0.01  # chance of any false word in one comparison of all quantities
WEALTH = 100.0  # a fair bettor reaches it in one of a hundred lives of a model at most


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity as it was: n parts, KEPT quantiles, and the share without a value."""

    name: str
    n: int
    quantiles: tuple[float, ...]
    missing: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How one quantity differs from its reference.

    size: how far values moved on average, in standard deviations of the reference (Wasserstein).
    psi: population stability index over the reference's tenths. p: of Kolmogorov and Smirnov's
    test, for all quantities together (Holm). before, now: medians. missing: share of the parts
    without a value. drifted: both sure and large enough to matter.
    """

    name: str
    size: float
    psi: float
    p: float
    before: float
    now: float
    missing: float
    drifted: bool

    @property
    def said(self) -> str:
        """Return the change in words, '' where there is none to tell."""
        if not self.drifted:
            return ""
        if self.size == 0:
            return f"{self.name}: {self.missing:.0%} of the parts have no value any more"
        if self.now == self.before:
            return f"{self.name} spreads otherwise than when the model was taught"
        now, before = f"{self.now:.3g}", f"{self.before:.3g}"
        if self.now > self.before:
            return f"{self.name} is higher than when the model was taught: {now}, not {before}"
        return f"{self.name} is lower than when the model was taught: {now}, not {before}"


class Window(msgspec.Struct, frozen=True):
    """What the model was taught on, small enough for its card."""

    references: tuple[Reference, ...]

    @staticmethod
    def of(table: Mapping[str, ArrayLike], groups: ArrayLike | None = None) -> Window:
        """Return the window of named quantities, float[n] each: inputs, features, the score.

        groups: [n], the part of each row: a part counts once, by its mean. NaN: no value.
        Raises NotEnoughData for fewer than 30 parts with a value.
        """
        references = []
        for name, values in table.items():
            each = _by_part(values, groups)
            known = _known(name, each)
            grid = (np.arange(KEPT) + 0.5) / KEPT
            kept = np.quantile(known, grid, method="inverted_cdf")
            references.append(
                Reference(
                    name=name, n=len(known), quantiles=tuple(kept.tolist()),
                    missing=1.0 - len(known) / len(each),
                )
            )  # fmt: skip
        return Window(tuple(references))

    def compare(
        self, table: Mapping[str, ArrayLike], groups: ArrayLike | None = None
    ) -> tuple[Change, ...]:
        """Return how each quantity of a period differs from the reference, the largest first.

        A quantity without a value for most parts has drifted. Raises NotEnoughData for fewer than
        30 parts; ValueError where a quantity is not given.
        Source: Massey (1951); Holm (1979); Siddiqi (2006) for the index.
        """
        given = [each for each in self.references if each.name in table]
        if len(given) < len(self.references):
            absent = [each.name for each in self.references if each.name not in table]
            raise ValueError(f"nothing was given for {', '.join(absent)}")
        live = [_by_part(table[each.name], groups) for each in given]
        if live and len(live[0]) < FEWEST:
            raise NotEnoughData(
                f"{len(live[0])} parts show no drift yet: {FEWEST} are needed at least"
            )
        found = [_change(old, new) for old, new in zip(given, live, strict=True)]
        sure = _holm(np.array([each.p for each in found]))
        told = [
            msgspec.structs.replace(
                each, p=float(p), drifted=each.drifted or bool(p < SURE and each.size >= SMALL)
            )
            for each, p in zip(found, sure, strict=True)
        ]
        return tuple(sorted(told, key=lambda each: (not each.drifted, -each.size)))


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A bet against "scores come as they came": what became of one unit of money.

    wealth: after the last score; highest: at its best; alarm: place of the first score after which
    it was WEALTH or more, None if never. Whatever n, a model without drift alarms in one of a
    hundred cases at most.
    """

    n: int
    wealth: float
    highest: float
    alarm: int | None


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """What people found among the parts that were looked at by chance.

    bad_accepted: share of bad parts among the accepted; good_rejected: of good parts among the
    rejected; None where none of them was drawn. looked: how many of each were. said: in words.
    """

    bad_accepted: Interval | None
    good_rejected: Interval | None
    looked: tuple[int, int]
    said: tuple[str, ...]


def look(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Return what light and lens do to an image: brightness, contrast, sharpness.

    pixels: uint8[h, w] or [h, w, 3]. brightness, contrast: mean and standard deviation of grey,
    of full scale; sharpness: log10 of the variance of the Laplacian, of full scale squared.
    """
    if pixels.ndim not in (2, 3) or min(pixels.shape[:2], default=0) < 3:
        raise ValueError(f"pixels {pixels.shape} are too few to tell light and sharpness")
    grey = np.asarray(pixels, np.float32) / 255.0
    if grey.ndim == 3:
        grey = grey.mean(axis=2)
    ring = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    bend = ring - 4.0 * grey[1:-1, 1:-1]
    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "sharpness": float(np.log10(float(bend.var()) + 1e-9)),
    }


def exchangeable(reference: ArrayLike, live: ArrayLike, *, random: np.random.Generator) -> Stream:
    """Return whether live scores, in order, come as those of the reference came.

    reference: scores from the line, e.g. of the time in shadow; live: float[n], one for each part
    (several of one part are alike, and would look like drift). Each score is ranked among all that
    came before it; under no drift the ranks are even, and no bet on them can win for long.
    Raises NotEnoughData for fewer than 30 in the reference.
    Source: Vovk et al. (2021), Retrain or not retrain: the simple jumper; Ville (1939).
    """
    seen = sorted(float(each) for each in np.asarray(reference, np.float64))
    scores = np.asarray(live, np.float64)
    if not (np.isfinite(seen).all() and np.isfinite(scores).all()):
        raise ValueError("some scores are no numbers")
    if len(seen) < FEWEST:
        raise NotEnoughData(f"{len(seen)} scores are no reference: {FEWEST} are needed at least")
    way = np.array([-1.0, 0.0, 1.0])  # bets on low ranks, on nothing, on high ranks
    capital = np.full(3, 1.0 / 3.0)
    highest, alarm, total = 1.0, None, 1.0
    for place, score in enumerate(scores.tolist()):
        below, upto = bisect.bisect_left(seen, score), bisect.bisect_right(seen, score)
        rank = (below + random.random() * (upto - below + 1)) / (len(seen) + 1)
        seen.insert(upto, score)
        capital = 0.99 * capital + 0.01 * capital.mean()
        capital = capital * (1.0 + way * 2.0 * (rank - 0.5))
        total = float(capital.sum())
        highest = max(highest, total)
        if alarm is None and total >= WEALTH:
            alarm = place
    return Stream(n=len(scores), wealth=total, highest=highest, alarm=alarm)


def errors(
    decision: ArrayLike,
    bad: ArrayLike,
    drawn: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    most_bad_accepted: float | None = None,
) -> Errors:
    """Return how wrong the decisions are, from parts that people looked at by chance.

    decision: −1 accept, 0 ask, 1 reject: int[n]; bad: bool[n], what people said; drawn: bool[n],
    whether the part was chosen by chance. Parts that the model asked about, or that somebody
    doubted, say nothing of the others and are left out. most_bad_accepted: the share that was
    expected when the model was taught.
    """
    verdict, truths = np.asarray(decision), np.asarray(bad, np.bool_)
    chosen = np.asarray(drawn, np.bool_)
    owners = np.arange(len(truths)) if groups is None else np.asarray(groups)
    accepted, rejected = chosen & (verdict < 0), chosen & (verdict > 0)
    escaped = rate(truths[accepted], owners[accepted]) if accepted.any() else None
    stopped = rate(~truths[rejected], owners[rejected]) if rejected.any() else None
    said = []
    if escaped is None:
        said.append("No accepted part was looked at by chance: escapes cannot be seen.")
    elif most_bad_accepted is not None and escaped.low > most_bad_accepted:
        said.append(
            f"{escaped.value:.1%} of the accepted parts are bad ({escaped.low:.1%} to "
            f"{escaped.high:.1%}), {most_bad_accepted:.1%} were expected: the model has drifted."
        )
    elif most_bad_accepted is not None and escaped.high > most_bad_accepted:
        said.append(
            f"{int(accepted.sum())} accepted parts looked at by chance do not show yet that at "
            f"most {most_bad_accepted:.1%} are bad: it may be {escaped.high:.1%}."
        )
    if stopped is None:
        said.append("No rejected part was looked at by chance: false rejects cannot be seen.")
    return Errors(
        bad_accepted=escaped,
        good_rejected=stopped,
        looked=(int(accepted.sum()), int(rejected.sum())),
        said=tuple(said),
    )


def _by_part(values: ArrayLike, groups: ArrayLike | None) -> NDArray[np.float64]:
    """Return one value for each part: the mean of those that it has, NaN where it has none."""
    numbers = np.asarray(values, np.float64)
    if groups is None:
        return numbers
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    known = np.isfinite(numbers)
    count = np.bincount(inverse, known)
    total = np.bincount(inverse, np.where(known, numbers, 0.0))
    mean: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _known(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    if len(known) < FEWEST:
        raise NotEnoughData(
            f"{name}: {len(known)} parts have a value, a reference takes {FEWEST} at least"
        )
    return known


def _change(old: Reference, values: NDArray[np.float64]) -> Change:
    """Return the change of one quantity; p is not yet that of all together."""
    known = values[np.isfinite(values)]
    missing = 1.0 - len(known) / len(values)
    lost = missing > old.missing + 0.1 and missing > 2 * old.missing
    kept = np.array(old.quantiles)
    before = float(np.median(kept))
    if len(known) < FEWEST:
        return Change(
            name=old.name, size=0.0, psi=0.0, p=1.0, before=before, now=before,
            missing=missing, drifted=lost,
        )  # fmt: skip
    now = np.quantile(known, (np.arange(KEPT) + 0.5) / KEPT, method="inverted_cdf")
    moved = float(np.abs(now - kept).mean())
    spread = float(kept.std())
    size = min(99.0, moved / spread) if spread > 0 else 99.0 * (moved > 0)
    return Change(
        name=old.name, size=size, psi=_psi(kept, known), p=_smirnov(kept, old.n, known),
        before=before, now=float(np.median(known)), missing=missing, drifted=lost,
    )  # fmt: skip


def _psi(kept: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    """Return Σ (now − before) ln(now / before) over the tenths of the reference."""
    edges = np.unique(np.quantile(kept, np.linspace(0.1, 0.9, 9), method="inverted_cdf"))
    bins = len(edges) + 1
    shares = [
        (np.bincount(np.searchsorted(edges, each), minlength=bins) + 0.5) / (len(each) + bins / 2)
        for each in (kept, known)
    ]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _smirnov(kept: NDArray[np.float64], n: int, known: NDArray[np.float64]) -> float:
    """Return the p of the two-sample test; what the quantiles leave out is taken off the distance.

    Source: Stephens (1970) for the approximation.
    """
    from scipy.special import kolmogorov  # noqa: PLC0415 — loads only where it is needed

    values = np.concatenate([kept, known])
    first = np.searchsorted(np.sort(kept), values, "right") / len(kept)
    second = np.searchsorted(np.sort(known), values, "right") / len(known)
    away = max(0.0, float(np.abs(first - second).max()) - 0.5 / KEPT)
    root = np.sqrt(n * len(known) / (n + len(known)))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * away))


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the p of each test such that all are right together."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    told = np.empty(len(p))
    told[order] = np.minimum(1.0, stepped)
    return told
