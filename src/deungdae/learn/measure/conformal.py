"""Accept, reject or ask a person, with error rates that are promised for parts not yet seen.

Class-conditional (Mondrian) conformal limits: two order statistics, which is why no library is
used for them. What is promised holds for parts that come as the calibration parts came: drawn from
the same line, none of them used to train the scores. Several images of one part share one weight,
so that what is exchangeable is the part, not the image.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .figures import balanced
from .interval import Interval, arrays, rate

Decision: TypeAlias = Literal["accept", "reject", "ask"]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions did to parts that were kept back.

    automatic: share decided without a person. escape, false_reject: of all bad, all good: what was
    promised. wrong_accept, wrong_reject: of the bad and the good that were decided; reliability:
    1 − their mean, the balanced accuracy of what was decided; None where no bad or no good part
    was. accepted, rejected, asked: how many items.
    """

    automatic: Interval
    escape: Interval | None
    false_reject: Interval | None
    wrong_accept: Interval | None
    wrong_reject: Interval | None
    reliability: Interval | None
    accepted: int
    rejected: int
    asked: int


class Conformal(msgspec.Struct, frozen=True, kw_only=True):
    """Two limits: accept below one, reject above the other, ask a person between.

    accept, reject: the limits; None where so few parts carry no promise: then that verdict is
    never given. escape, false_reject: the promised rates: P(bad part accepted) ≤ escape and
    P(good part rejected) ≤ false_reject. confidence None: over the draw of calibration parts and
    of the new part together. Else: these rates hold for this very pair of limits, unless the
    calibration parts were a draw as unlucky as 1 − confidence, each rate by itself.
    bad_parts, good_parts: how many parts the promise rests on. reliability: aimed at, see `fit`.
    """

    accept: float | None
    reject: float | None
    escape: float
    false_reject: float
    bad_parts: int
    good_parts: int
    confidence: float | None = None
    reliability: float | None = None

    @staticmethod
    def fit(
        score: ArrayLike,
        bad: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        escape: float = 0.05,
        false_reject: float = 0.05,
        confidence: float | None = None,
        reliability: float | None = None,
    ) -> Conformal:
        """Return the limits that keep both rates for one new image of a new part.

        score: float[n], of images that did not train the model (out-of-fold scores will do, with
        a model trained anew on all: then the promise is near, not exact); bad: bool[n]; groups:
        [n], the part of each image, None where each is a part. Where parts are judged by their
        worst image, give `parts(score, bad, groups)`.
        Without confidence each image weighs 1 / (images of its part): exact for the next part.
        With it a part counts by its worst image: exact too, and a little careful.
        reliability: wanted balanced accuracy of what is decided. The limits then move apart, which
        keeps both promises, until the calibration parts show it; it is an aim, not a promise:
        `measure` tells whether it was reached.
        Source: Vovk, Gammerman and Shafer (2005); Lee, Barber and Willett (2023) for groups;
        Wilks (1941) and Bates et al. (2021) for the form with confidence.
        """
        scores, truths = arrays(score, bad)
        for name, promised in (("escape", escape), ("false_reject", false_reject)):
            if not 0.0 < promised < 1.0:
                raise ValueError(f"{name} = {promised}: no rate of exactly 0 or 1 can be promised")
        if confidence is not None and not 0.0 < confidence < 1.0:
            raise ValueError(f"confidence = {confidence} is not between 0 and 1")
        owners = np.arange(len(scores)) if groups is None else np.asarray(groups)
        low, bad_parts = _limit(scores[truths], owners[truths], escape, confidence)
        high, good_parts = _limit(-scores[~truths], owners[~truths], false_reject, confidence)
        high = None if high is None else -high
        if low is not None and high is not None and low > high:
            low = high = (low + high) / 2  # both promises hold anywhere between: nobody is asked
        if reliability is not None:
            low, high = _apart(scores, truths, owners, (low, high), reliability)
        return Conformal(
            accept=low, reject=high, escape=escape, false_reject=false_reject,
            bad_parts=bad_parts, good_parts=good_parts, confidence=confidence,
            reliability=reliability,
        )  # fmt: skip

    @property
    def best_escape(self) -> float:
        """Return the lowest escape rate that so many bad parts can carry."""
        return _best(self.bad_parts, self.confidence)

    @property
    def best_false_reject(self) -> float:
        """Return the lowest false-reject rate that so many good parts can carry."""
        return _best(self.good_parts, self.confidence)

    @property
    def promise(self) -> str:
        """Return in words what is guaranteed, and what cannot be with so few parts."""
        escape, stop = f"{self.escape:.1%}", f"{self.false_reject:.1%}"
        bad, good = (needed(each, self.confidence) for each in (self.escape, self.false_reject))
        said = []
        if self.accept is not None:
            said.append(
                f"At most {escape} of the bad parts are accepted: {self.bad_parts} carry that."
            )
        elif self.bad_parts < bad:
            said.append(
                f"No part is accepted without a person: at most {escape} of escapes takes {bad} "
                f"bad parts, there are {self.bad_parts}; they carry {self.best_escape:.1%}."
            )
        if self.reject is not None:
            said.append(
                f"At most {stop} of the good parts are rejected: {self.good_parts} carry that."
            )
        elif self.good_parts < good:
            said.append(
                f"No part is rejected without a person: at most {stop} of false rejects takes "
                f"{good} good parts, there are {self.good_parts}; they carry "
                f"{self.best_false_reject:.1%}."
            )
        if self.accept is None and self.reject is None and self.reliability is not None:
            said.append(
                f"No part is decided without a person: a reliability of {self.reliability:.0%} "
                "is not reached on these parts."
            )
        if self.confidence is not None:
            said.append(f"Each of these holds with {self.confidence:.0%} confidence.")
        return " ".join(said)

    def decide(self, score: float) -> Decision:
        """Return the verdict on one score; a score that is no number is asked about."""
        if self.accept is not None and score < self.accept:
            return "accept"
        if self.reject is not None and score > self.reject:
            return "reject"
        return "ask"

    def decisions(self, score: ArrayLike) -> NDArray[np.int8]:
        """Return −1 accept, 0 ask, 1 reject for each score: int8[n]."""
        scores = np.asarray(score, np.float64)
        verdict = np.zeros(scores.shape, np.int8)
        if self.reject is not None:
            verdict[scores > self.reject] = 1
        if self.accept is not None:
            verdict[scores < self.accept] = -1
        return verdict

    def automatic(self, score: ArrayLike) -> float:
        """Return the share of scores that no person needs to look at; 0 of none."""
        verdict = self.decisions(score)
        return float(np.mean(verdict != 0)) if verdict.size else 0.0

    def measure(
        self,
        score: ArrayLike,
        bad: ArrayLike,
        groups: ArrayLike | None = None,
        level: float = 0.95,
    ) -> Decided:
        """Return what the decisions do to parts that neither trained nor calibrated.

        Raises NotEnoughData if there is none.
        """
        scores, truths = arrays(score, bad)
        verdict = self.decisions(scores)
        owners = np.arange(len(scores)) if groups is None else np.asarray(groups)

        def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval | None:
            return rate(hits[among], owners[among], level) if among.any() else None

        accepted, rejected = verdict < 0, verdict > 0
        decided = verdict != 0
        wrong_accept = share(accepted, truths & decided)
        wrong_reject = share(rejected, ~truths & decided)
        both = None
        if wrong_accept is not None and wrong_reject is not None:
            both = balanced(wrong_accept, wrong_reject)
        return Decided(
            automatic=rate(decided, owners, level),
            escape=share(accepted, truths),
            false_reject=share(rejected, ~truths),
            wrong_accept=wrong_accept,
            wrong_reject=wrong_reject,
            reliability=both,
            accepted=int(accepted.sum()),
            rejected=int(rejected.sum()),
            asked=int((~decided).sum()),
        )


def _apart(
    scores: NDArray[np.float64],
    bad: NDArray[np.bool_],
    owners: NDArray[np.generic],
    limits: tuple[float | None, float | None],
    aim: float,
) -> tuple[float | None, float | None]:
    """Return the limits, moved apart, that decide most of the parts that are so reliable.

    Half an error is added to those that are seen: a few parts without error show little.
    """
    low, high = limits
    if low is None or high is None:
        return None, None  # what decides one way only is wrong about all of the other kind
    lows = np.unique(np.append(scores[scores <= low], low))
    highs = np.unique(np.append(scores[scores >= high], high))
    below, above = {}, {}
    for kind in (True, False):
        own = scores[bad == kind]
        _, inverse, counts = np.unique(owners[bad == kind], return_inverse=True, return_counts=True)
        order = np.argsort(own)
        mass = np.append(0.0, np.cumsum((1.0 / counts[inverse])[order]))
        below[kind] = mass[np.searchsorted(own[order], lows, "left")][:, None]
        above[kind] = (mass[-1] - mass[np.searchsorted(own[order], highs, "right")])[None]
    wrong_accept = (below[True] + 0.5) / (below[True] + above[True] + 1.0)
    wrong_reject = (above[False] + 0.5) / (below[False] + above[False] + 1.0)
    reached = 1.0 - (wrong_accept + wrong_reject) / 2.0 >= aim
    if not reached.any():
        return None, None
    decided = below[True] + above[True] + below[False] + above[False]
    first, second = np.unravel_index(np.argmax(np.where(reached, decided, -1.0)), decided.shape)
    return float(lows[first]), float(highs[second])


def needed(promised: float, confidence: float | None = None) -> int:
    """Return how many parts of a kind it takes to promise an error rate for that kind."""
    if confidence is None:
        return math.ceil(1.0 / promised - 1.0 - 1e-9)
    return math.ceil(math.log1p(-confidence) / math.log1p(-promised) - 1e-9)


def _best(n: int, confidence: float | None) -> float:
    """Return the lowest rate that n parts can carry."""
    if confidence is None:
        return 1.0 / (n + 1)
    return 1.0 - (1.0 - confidence) ** (1.0 / n) if n else 1.0


def _limit(
    scores: NDArray[np.float64],
    owners: NDArray[np.generic],
    promised: float,
    confidence: float | None,
) -> tuple[float | None, int]:
    """Return the highest limit that a new score lies below with probability ≤ promised; the parts.

    scores: of one kind. None where there are too few parts.
    """
    names, inverse, counts = np.unique(owners, return_inverse=True, return_counts=True)
    n = len(names)
    if confidence is not None:
        worst = np.full(n, np.inf)
        np.minimum.at(worst, inverse, scores)
        k = _rank(n, promised, confidence)
        return (float(np.sort(worst)[k - 1]) if k else None), n
    order = np.argsort(-scores, kind="stable")
    mass = np.cumsum(1.0 / counts[inverse][order])  # of the n + 1 parts, the new one among them
    enough = np.flatnonzero(mass >= (1.0 - promised) * (n + 1) - 1e-9)
    return (float(scores[order[enough[0]]]) if len(enough) else None), n


def _rank(n: int, promised: float, confidence: float) -> int:
    """Return the largest k for which the k-th lowest of n is below the rate's quantile so surely.

    P(Binomial(n, promised) ≥ k) ≥ confidence; 0 where there is none.
    """
    from scipy.special import bdtr  # noqa: PLC0415 — loads only where it is needed

    if n == 0:
        return 0
    fewer = bdtr(np.arange(n, dtype=np.float64), n, promised)  # P(≤ k − 1) for k = 1 … n
    return int(np.count_nonzero(fewer <= 1.0 - confidence + 1e-12))
