"""From examples to an inspection that says how good it is: trained, given its limits, and judged
on parts that were held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .compare import PASS, REJECT, UNSURE, verdicts
from .measure import Conformal, Interval, auroc, bootstrap, rate
from .measure.conformal import needed
from .registry import Card, Trial, digest

if TYPE_CHECKING:
    from .images import Example, Inspector

HELD_OUT = 4  # one group in so many is never learnt from, by any version
NEVER_PASS, NEVER_REJECT = -1.0, 2.0  # limits beyond all scores, which are 0 to 1
LEAST = 10  # images below which nothing is promised

Progress = Callable[[str, float], None]


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a training.

    dataset: name@version of the examples; seconds: budget; escape, false_reject: shares of bad
    and of good parts on which decisions may be wrong; now: ns since 1970.
    """

    name: str
    dataset: str
    seconds: float
    seed: int = 1
    escape: float = 0.05
    false_reject: float = 0.05
    now: int = 0


def is_held_out(group: str) -> bool:
    """Return whether a group is kept for judging: the same ones for every version of a model.

    By a hash of its name, so that a part that comes later is on one side for ever.
    """
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4]) % HELD_OUT == 0


def teach(
    lesson: Lesson, examples: Sequence[Example], progress: Progress | None = None
) -> tuple[Card, bytes]:
    """Return the card of a new model, unsigned, and its file.

    Groups that are held out are not learnt from; the limits come from the scores that parts got
    from models that had not seen their group. Raises NotEnoughData.
    """
    from . import images  # noqa: PLC0415 — torch, for who trains

    kept = [each for each in examples if each.bad is not None and is_held_out(each.group)]
    shown = [each for each in examples if not (each.bad is not None and is_held_out(each.group))]
    trained = images.train(shown, seconds=lesson.seconds, seed=lesson.seed, progress=progress)
    known = np.array([each.bad is not None for each in shown])
    bad = np.array([bool(each.bad) for each in shown])[known]
    score = trained.score[known]
    groups = [each.group for each in shown if each.bad is not None]
    accept, reject, said = limits(score, bad, groups, lesson)
    card = Card(
        name=lesson.name,
        content=digest(trained.content),
        method=trained.method,
        dataset=lesson.dataset,
        images=len(shown),
        groups=len({each.group for each in shown}),
        bad=int(bad.sum()),
        held_out=len(kept),
        trained=lesson.now,
        seed=lesson.seed,
        seconds=lesson.seconds,
        accept=accept,
        reject=reject,
        escape=lesson.escape,
        false_reject=lesson.false_reject,
        tried=tuple(Trial(method=each.method, auroc=each.auroc) for each in trained.tried),
        limits=(*said, *trained.said),
    )
    metrics, missing = measured(card, images.Inspector.load(trained.content), kept)
    return (
        msgspec.structs.replace(card, metrics=metrics, limits=(*card.limits, *missing)),
        trained.content,
    )


def limits(
    score: FloatArray, bad: NDArray[np.bool_], groups: Sequence[str], lesson: Lesson
) -> tuple[float, float, tuple[str, ...]]:
    """Return below which score a part passes, above which it is rejected, and what is promised.

    Where there are too few bad parts to promise anything about them, all passes that is not
    rejected, and that is said: so does an inspection that knows good parts only.
    """
    found = Conformal.fit(
        score, bad, groups, escape=lesson.escape, false_reject=lesson.false_reject
    )
    if found.reject is None:
        return NEVER_PASS, NEVER_REJECT, (found.promise,)
    if found.accept is not None:
        return found.accept, found.reject, (found.promise,)
    said = (
        f"Nothing is promised about bad parts that pass: {lesson.escape:.1%} needs "
        f"{needed(lesson.escape)} bad parts, there are {found.bad_parts}. Good parts that are "
        f"rejected: at most {lesson.false_reject:.1%}."
    )
    return float(np.nextafter(found.reject, np.inf)), found.reject, (said,)


def scores(inspector: Inspector, examples: Sequence[Example]) -> FloatArray:
    """Return the score of each example, float64[n]."""
    return np.array([inspector.judge(each.pixels).score for each in examples], np.float64)


def measured(
    card: Card, inspector: Inspector, examples: Sequence[Example]
) -> tuple[dict[str, Interval], tuple[str, ...]]:
    """Return figures of a model on examples that it did not learn from, and what cannot be told.

    auroc; escape and false_reject: shares of the bad and of the good parts that it decides wrongly;
    automatic: share of the parts that it decides.
    """
    known = [each for each in examples if each.bad is not None]
    if len(known) < LEAST:
        return {}, (f"judged on {len(known)} parts only: {LEAST} are needed to give any figure",)
    score = scores(inspector, known)
    bad = np.array([bool(each.bad) for each in known])
    groups = np.array([each.group for each in known])
    said = verdicts(score, card.accept, card.reject)
    wanted: dict[str, Callable[[], Interval]] = {
        "auroc": lambda: bootstrap(
            auroc, groups, score, bad, random=np.random.default_rng(0), strata=bad
        ),
        "escape": lambda: rate(said[bad] == PASS, groups[bad]),
        "false_reject": lambda: rate(said[~bad] == REJECT, groups[~bad]),
        "automatic": lambda: rate(said != UNSURE, groups),
    }
    found: dict[str, Interval] = {}
    missing = []
    for name, figure in wanted.items():
        try:
            found[name] = figure()
        except NotEnoughData as error:
            missing.append(f"{name} on held-out parts: {error}")
    return found, tuple(missing)
