"""From examples to an inspection that says how good it is: trained, given its limits, and judged
on parts that were held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .compare import PASS, REJECT, UNSURE, verdicts
from .drift import Window, look
from .measure import Conformal, Interval, auroc, bootstrap, rate
from .measure.conformal import needed
from .registry import Borrowed, Card, Promised, Trial, digest

if TYPE_CHECKING:
    from .images import Example, Judgement, Weights
    from .images.school import Crew

HELD_OUT = 4  # one group in so many is never learnt from, by any version
CARRIED = 0.1  # share of good parts rejected that is promised instead, where fewer cannot be
NEVER_PASS, NEVER_REJECT = -1.0, 2.0  # limits beyond all scores, which are 0 to 1
TELLING = 5  # bad parts from which on ways of learning can be told apart
ENOUGH = 0.995  # AUROC on groups not seen: with it nothing slower is tried
QUICK = 0.05  # share of the time of a way of learning that is followed by another
LOOKS = ("brightness", "contrast", "sharpness")
SCORE = "score"  # its name in a card's window
LEAST = 10  # images below which nothing is promised

Progress = Callable[[str, float], None]


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a training.

    dataset: name@version of the examples; seconds: budget; escape, false_reject: shares of bad
    and of good parts on which decisions may be wrong; now: ns since 1970; weights: from
    elsewhere, which networks may use.
    """

    name: str
    dataset: str
    seconds: float
    seed: int = 1
    escape: float = 0.05
    false_reject: float = 0.05
    now: int = 0
    weights: Weights | None = None


def is_held_out(group: str) -> bool:
    """Return whether a group is kept for judging: the same ones for every version of a model.

    By a hash of its name, so that a part that comes later is on one side for ever.
    """
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4]) % HELD_OUT == 0


class Judge(Protocol):
    """A trained model at work."""

    def judge(self, pixels: NDArray[np.uint8]) -> Judgement:
        """Return the score, 0 to 1, and the heat of uint8[h, w, 3]. Raises NotEnoughData where what
        it is to judge is not seen, ValueError for what is no image."""
        ...


@runtime_checkable
class Compares(Judge, Protocol):
    """A judge that compares parts with an image of a right one, and judges nothing without."""

    def beside(self, golden: NDArray[np.uint8]) -> Judge:
        """Return the judge of parts that shall look like uint8[h, w, 3]."""
        ...


def beside(judge: Judge, golden: NDArray[np.uint8] | None) -> Judge:
    """Return the judge, beside a golden image where it is one that compares."""
    return judge.beside(golden) if golden is not None and isinstance(judge, Compares) else judge


class Made(msgspec.Struct, frozen=True, eq=False):
    """What a way of learning made. content: of a file that `load` reads; score: float64[n], what
    each example got from a model that had not seen its group; said: what it cannot do."""

    content: bytes
    method: str
    score: FloatArray
    tried: tuple[Trial, ...]
    said: tuple[str, ...] = ()


Maker = Callable[["Sequence[Example]", Lesson, "Progress | None"], Made]


def networks(
    examples: Sequence[Example],
    lesson: Lesson,
    progress: Progress | None = None,
    *,
    used: Callable[[], float] | None = None,
    crew: Crew | None = None,
) -> Made:
    """Return the best of simple models of whole images and of networks. Raises NotEnoughData.

    used: the share of the budget that is used up, by the caller's clock; crew: see images.train.
    """
    from . import images  # noqa: PLC0415 — PyTorch, for who trains

    made = images.train(
        examples,
        seconds=lesson.seconds,
        seed=lesson.seed,
        progress=progress,
        used=used,
        crew=crew,
        weights=lesson.weights,
    )
    tried = tuple(Trial(method=each.method, auroc=each.auroc) for each in made.tried)
    return Made(made.content, made.method, made.score, tried, made.said)


def teach(
    lesson: Lesson,
    examples: Sequence[Example],
    progress: Progress | None = None,
    *,
    makers: Sequence[Maker] = (networks,),
    load: Callable[[bytes], Judge] | None = None,
) -> tuple[Card, bytes]:
    """Return the card of a new model, unsigned, and its file.

    makers: ways of learning, the quickest first; the one that ranks the examples best is taken,
    and while too few bad parts are known to tell, the first that can learn at all. Groups that are
    held out are not learnt from; the limits come from the scores that parts got from models that
    had not seen their group. Raises NotEnoughData, and ValueError for weights that are none.
    """
    kind = _kind(lesson.weights)
    kept = [each for each in examples if each.bad is not None and is_held_out(each.group)]
    shown = [each for each in examples if not (each.bad is not None and is_held_out(each.group))]
    known = np.array([each.bad is not None for each in shown])
    bad = np.array([bool(each.bad) for each in shown])[known]
    made, said = _best(lesson, shown, progress, makers, int(bad.sum()))
    score = made.score[known]
    groups = [each.group for each in shown if each.bad is not None]
    weights, whence = _borrowed(lesson.weights, kind, made.method)
    accept, reject, promised, promise = limits(score, bad, groups, lesson)
    card = Card(
        name=lesson.name,
        content=digest(made.content),
        method=made.method,
        dataset=lesson.dataset,
        images=len(shown),
        groups=len({each.group for each in shown}),
        bad=int(bad.sum()),
        held_out=len(kept),
        held_bad=sum(bool(each.bad) for each in kept),
        trained=lesson.now,
        seed=lesson.seed,
        seconds=lesson.seconds,
        accept=accept,
        reject=reject,
        escape=lesson.escape,
        false_reject=lesson.false_reject,
        tried=made.tried,
        limits=(promise, *made.said, *whence, *said),
        window=window(shown, made.score),
        weights=weights,
        promised=promised,
    )
    metrics, missing = measured(card, kept, scores((load or _network)(made.content), kept))
    return (
        msgspec.structs.replace(card, metrics=metrics, limits=(*card.limits, *missing)),
        made.content,
    )


def _kind(weights: Weights | None) -> str:
    """Return which network weights are of, before anything is learnt. Raises ValueError."""
    if weights is None:
        return ""
    from .images.training import kind  # noqa: PLC0415 — PyTorch, for who trains

    return kind(weights)


def _borrowed(
    weights: Weights | None, kind: str, method: str
) -> tuple[Borrowed | None, tuple[str, ...]]:
    """Return what a card says of weights from elsewhere, and that in words."""
    if weights is None:
        return None, ()
    from .images.weights import METHOD  # noqa: PLC0415 — as late as the weights

    said = f"weights from elsewhere were given, {weights.name}, but {method} judges, without them"
    if method == METHOD:
        licence = weights.licence or "not said"
        said = f"it judges with weights from elsewhere: {weights.name}, {kind}; licence: {licence}"
    found = Borrowed(
        name=weights.name,
        content=digest(weights.content),
        kind=kind,
        licence=weights.licence,
        used=method == METHOD,
    )
    return found, (said,)


def _best(
    lesson: Lesson,
    shown: Sequence[Example],
    progress: Progress | None,
    makers: Sequence[Maker],
    bad: int,
) -> tuple[Made, tuple[str, ...]]:
    """Return what ranks the examples best, and why others made nothing. Raises NotEnoughData."""
    found: list[Made] = []
    said: list[str] = []
    for number, maker in enumerate(makers):
        if found and (bad < TELLING or _area(found[-1]) >= ENOUGH):
            break
        try:
            found.append(maker(shown, lesson, _part(progress, number, len(makers))))
        except NotEnoughData as error:
            said.append(str(error))
    if not found:
        raise NotEnoughData(said[-1])  # of the most general way
    said = [f"another way of learning was left out: {why}" for why in said]
    tried = tuple(each for made in found for each in made.tried)
    best = max(found, key=_area)
    return msgspec.structs.replace(best, tried=tried), tuple(said)


def _part(progress: Progress | None, number: int, of: int) -> Progress | None:
    """Return what tells how far one of several ways is, so that the whole never goes back.

    The last takes nearly all of the time: those before it are quick.
    """
    if progress is None:
        return None
    begun = number * QUICK
    length = QUICK if number < of - 1 else 1 - begun
    return lambda what, share: progress(what, begun + share * length)


def _area(made: Made) -> float:
    return max((each.auroc for each in made.tried), default=0.0)


def _network(content: bytes) -> Judge:
    from .images import Inspector  # noqa: PLC0415 — ONNX Runtime

    return Inspector.load(content)


def limits(
    score: FloatArray, bad: NDArray[np.bool_], groups: Sequence[str], lesson: Lesson
) -> tuple[float, float, Promised, str]:
    """Return below which score a part passes, above which it is rejected, and what is promised.

    Where so few good parts cannot carry the share that is asked for, the lowest that they can is
    promised. Where there are too few bad parts to promise anything about them, all passes that is
    not rejected, and that is said: so does an inspection that knows good parts only.
    """
    stop = lesson.false_reject
    found = Conformal.fit(score, bad, groups, escape=lesson.escape, false_reject=stop)
    if found.reject is None and found.best_false_reject <= CARRIED:
        # what so few good parts can carry follows from their number alone, so it may be promised
        stop = found.best_false_reject * (1 + 1e-9)
        found = Conformal.fit(score, bad, groups, escape=lesson.escape, false_reject=stop)
    if found.reject is None:
        escape = 0.0 if found.accept is None else lesson.escape
        accept = NEVER_PASS if found.accept is None else found.accept
        return accept, NEVER_REJECT, Promised(escape=escape, false_reject=0.0), found.promise
    if found.accept is not None:
        promised = Promised(escape=lesson.escape, false_reject=stop)
        return found.accept, found.reject, promised, found.promise
    said = (
        f"Nothing is promised about bad parts that pass: {lesson.escape:.1%} needs "
        f"{needed(lesson.escape)} bad parts, there are {found.bad_parts}. Good parts that are "
        f"rejected: at most {stop:.1%}."
    )
    promised = Promised(escape=None, false_reject=stop)
    return float(np.nextafter(found.reject, np.inf)), found.reject, promised, said


def window(examples: Sequence[Example], score: FloatArray) -> Window | None:
    """Return what later parts are compared with, None where there are too few to compare with.

    score: float[n], of models that had not seen the part. Of good parts alone: on the line most
    are good, while a training is given as many bad ones as there are.
    """
    looks = [look(each.pixels) for each in examples]
    good = [n for n, each in enumerate(examples) if each.bad is False]
    try:
        found = Window.of(
            {name: [each[name] for each in looks] for name in LOOKS},
            [each.group for each in examples],
        )
        of_good = Window.of({SCORE: score[good]}, [examples[n].group for n in good])
    except NotEnoughData:
        return None
    return Window((*found.references, *of_good.references))


def scores(judge: Judge, examples: Sequence[Example]) -> FloatArray:
    """Return the score of each example, float64[n]; 1 where what is to be judged is not seen."""
    return np.array([_score(judge, each) for each in examples], np.float64)


def _score(judge: Judge, example: Example) -> float:
    try:
        return beside(judge, example.golden).judge(example.pixels).score
    except NotEnoughData:
        return 1.0


def measured(
    card: Card, known: Sequence[Example], score: FloatArray
) -> tuple[dict[str, Interval], tuple[str, ...]]:
    """Return figures of a model on examples that it did not learn from, and what cannot be told.

    known: good and bad ones; score: float64[n], what it gives them. Of the figures, auroc; escape
    and false_reject: shares of the bad and of the good parts that it decides wrongly; automatic:
    share of the parts that it decides.
    """
    if len(known) < LEAST:
        return {}, (f"judged on {len(known)} parts only: {LEAST} are needed to give any figure",)
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
