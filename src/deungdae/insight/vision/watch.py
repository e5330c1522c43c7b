"""Whether a trained inspection still sees what it learnt from, in words of those who look after it.

Four questions: do the images look as they did, does it decide as in its first days, do its scores
come as they came then, and what do people say of what it decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import Finding, FloatArray
from deungdae.learn.drift import FEWEST, Change, Errors, Stream, Window, errors, exchangeable
from deungdae.learn.inspection import SCORE
from deungdae.learn.measure import Interval, rate, wilson
from deungdae.learn.registry import Card

from .labels import DRAWN, Label

FIRST = 100  # parts on the line that show how a model decides when it is new
AFTER_LIGHT = ("contrast", "sharpness")  # they go with brightness: that is told alone
MOSTLY = 0.9  # share of parts looked at, from which on they were not chosen for how they look
CODES = {"pass": -1, "reject": 1}  # as learn.drift.errors has them; 0: a person is asked


About = Literal["images", "scores", "errors"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A part as a model judged it. time: ns; score: NaN where it saw no part; drawn: by chance."""

    time: int
    ref: str
    part: str
    score: float
    verdict: str
    drawn: bool = False


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed, and what to do. since: ns, None where it cannot be told."""

    problem: str
    remedy: str
    since: int | None = None
    about: About = "images"


WORDS = {  # of a quantity that is lower, and of one that is higher: what is seen, and what to do
    ("brightness", False): Notice(
        problem="the images are darker than those it learnt from",
        remedy="clean the lamp and look whether it still burns, or teach the model anew",
    ),
    ("brightness", True): Notice(
        problem="the images are brighter than those it learnt from",
        remedy="look for light from outside and at the exposure time, or teach the model anew",
    ),
    ("contrast", False): Notice(
        problem="the images are paler than those it learnt from",
        remedy="clean the lens and its window, or teach the model anew",
    ),
    ("contrast", True): Notice(
        problem="the images are harsher than those it learnt from",
        remedy="look where the light comes from, or teach the model anew",
    ),
    ("sharpness", False): Notice(
        problem="the images are more blurred than those it learnt from",
        remedy="clean the lens, set the focus, hold the camera still, or teach the model anew",
    ),
    ("sharpness", True): Notice(
        problem="the images are sharper or noisier than those it learnt from",
        remedy="look at the camera's gain and focus, or teach the model anew",
    ),
    (SCORE, False): Notice(
        problem="the parts look better to the model than the good ones it learnt from",
        remedy="look at some that passed and label them, then teach the model anew",
        about="scores",
    ),
    (SCORE, True): Notice(
        problem="the parts look worse to the model than the good ones it learnt from",
        remedy="look at some: are more of them bad? If not, label them and teach the model anew",
        about="scores",
    ),
}
UNSEEN = Notice(
    problem="on many images the model sees no part any more", remedy="look where the camera points"
)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The share of parts with a verdict: among the model's first ones on the line, and now."""

    verdict: str
    first: Interval
    now: Interval


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a question: whether images, scores or errors are as they were.

    state: `open` where nothing was found, and more must be looked at to be sure; reasons: why there
    is no answer, or none to a part of the question.
    """

    about: About
    state: Literal["same", "changed", "open", "unknown"]
    reasons: tuple[str, ...] = ()


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """How a model fares. judged: parts of the period; looked: images of them that were compared.

    changes: of light, sharpness and score, against what it learnt from; shares and stream: against
    its first parts on the line; errors: what people said; escape: share of the bad parts that
    pass, None where it cannot be told. notices: what is to be told; missing: why a question has no
    answer; questions: what is known of each.
    """

    judged: int
    looked: int
    changes: tuple[Change, ...]
    shares: tuple[Share, ...]
    stream: Stream | None
    errors: Errors
    notices: tuple[Notice, ...]
    missing: tuple[str, ...]
    escape: Interval | None = None
    questions: tuple[Question, ...] = ()


def seen(findings: Iterable[Finding], version: str) -> list[Seen]:
    """Return what a version of a model said of parts, acting or watched, in the given order."""
    found = []
    for each in findings:
        told = _said(each, version)
        if told is None:
            continue
        verdict, score = told
        ref = each.evidence.get("image", "")
        part = each.evidence.get("serial", "") or ref
        found.append(
            Seen(
                time=each.end, ref=ref, part=part, score=score, verdict=verdict,
                drawn=DRAWN in each.evidence,
            )
        )  # fmt: skip
    return found


def spread(parts: Sequence[Seen], count: int) -> list[Seen]:
    """Return at most so many parts with an image, evenly over all."""
    shown = [each for each in parts if each.ref]
    if len(shown) <= count:
        return shown
    return [shown[n] for n in np.linspace(0, len(shown) - 1, count).round().astype(int)]


def watch(
    card: Card,
    first: Sequence[Seen],
    now: Sequence[Seen],
    looks: Mapping[str, Mapping[str, float]],
    labels: Mapping[str, Label],
) -> Watched:
    """Return how a model fares. first: its first parts on the line; now: the period, in order.

    looks: what learn.drift.look said of images, by their reference; labels: likewise.
    Raises NotEnoughData where fewer than 30 parts can be compared.
    """
    if len(now) < FEWEST:
        raise NotEnoughData(
            f"{card.name} {card.version} judged {len(now)} parts in this time: "
            f"{FEWEST} are needed to tell whether it has drifted"
        )
    missing: dict[About, str] = {}
    compared = [each for each in now if each.ref in looks]
    changes: tuple[Change, ...] = ()
    notices: list[Notice] = []
    shares: tuple[Share, ...] = ()
    stream: Stream | None = None
    try:
        changes, notices = _inputs(card.window, compared, looks)
    except NotEnoughData as error:
        missing["images"] = str(error)
    try:
        shares, stream = _line(first, now)
    except NotEnoughData as error:
        missing["scores"] = str(error)
    notices += [each for share in shares for each in _of_share(share)]
    if stream is not None and stream.alarm is not None:
        notices.append(
            Notice(
                problem="the scores do not come any more as in the model's first days",
                remedy="look at some of the newest parts, label them, and teach the model anew",
                since=_scored(now)[stream.alarm].time,
                about="scores",
            )
        )
    found, escape = _errors(now, labels)
    notices += _of_errors(card, found, escape)
    told = {each.about for each in notices}
    return Watched(
        judged=len(now),
        looked=len(compared),
        changes=changes,
        shares=shares,
        stream=stream,
        errors=found,
        notices=tuple(notices),
        missing=tuple(missing.values()),
        escape=escape,
        questions=(
            _answer("images", told, known=bool(changes), why=missing),
            _answer("scores", told, known=bool(changes or shares), why=missing),
            _of_people(card, told, found, escape),
        ),
    )


def compare(
    window: Window | None, table: Mapping[str, FloatArray], parts: Sequence[str]
) -> tuple[tuple[Change, ...], list[Notice]]:
    """Return how images differ from those of a card's window, and what is to be told of it.

    table: float[n] of each quantity, in order of time; parts: [n]. Raises NotEnoughData.
    """
    if window is None:
        raise NotEnoughData(
            "the model's card does not tell what it learnt from: it was made of too few images"
        )
    changes = window.compare(table, parts)
    drifted = {each.name for each in changes if each.drifted}
    explained = AFTER_LIGHT if "brightness" in drifted else ()
    return changes, [
        _notice(each, window, table)
        for each in changes
        if each.drifted and each.name not in explained
    ]


def _said(finding: Finding, version: str) -> tuple[str, float] | None:
    evidence = finding.evidence
    if evidence.get("model", "").endswith(f" {version}"):
        score = math.nan if finding.value is None else finding.value
        return evidence.get("verdict", "unsure"), score
    verdict, _, rest = evidence.get("shadow", "").partition(" ")
    told, _, whose = rest.partition(" ")
    if whose != version:
        return None
    return verdict, math.nan if told == "-" else float(told)


def _inputs(
    window: Window | None,
    compared: Sequence[Seen],
    looks: Mapping[str, Mapping[str, float]],
) -> tuple[tuple[Change, ...], list[Notice]]:
    """Return how images differ, and what is to be told of it. Raises NotEnoughData."""
    table = {
        each.name: np.array([looks[part.ref].get(each.name, part.score) for part in compared])
        for each in (window.references if window is not None else ())
    }
    changes, notices = compare(window, table, [each.part for each in compared])
    return changes, [
        msgspec.structs.replace(each, since=compared[each.since].time)
        if each.since is not None
        else each
        for each in notices
    ]


def _notice(change: Change, window: Window, table: Mapping[str, FloatArray]) -> Notice:
    """Return what is to be told of a change; since: place of the first that differs."""
    if change.size == 0:
        return UNSEEN
    (reference,) = (each for each in window.references if each.name == change.name)
    values = np.asarray(table[change.name], np.float64)
    away = values - float(np.mean(reference.quantiles))
    higher = bool(np.nanmean(away) > 0)
    since = _since(away if higher else -away)
    return msgspec.structs.replace(WORDS[change.name, higher], since=since)


def _since(away: FloatArray) -> int:
    """Return the place from which on values lie beyond what was before.

    The place that parts them best, for a step: what is above half of the newest ones' distance
    speaks for the time after the step, what is below for the time before.
    """
    known = np.where(np.isfinite(away), away, np.nanmean(away))
    height = max(float(np.mean(known[-FEWEST:])), float(known.mean()))
    after = np.cumsum((known - height / 2)[::-1])[::-1]
    return int(np.argmax(after))


def _line(first: Sequence[Seen], now: Sequence[Seen]) -> tuple[tuple[Share, ...], Stream]:
    """Return how the verdicts and scores of now stand against the first ones on the line.

    Raises NotEnoughData.
    """
    if len(first) < FIRST:
        raise NotEnoughData(
            f"the model judged {len(first)} parts before this time: {FIRST} show how it decides"
        )
    shares = tuple(
        Share(verdict=verdict, first=_share(first, verdict), now=_share(now, verdict))
        for verdict in ("reject", "unsure")
    )
    reference, live = ([each.score for each in _scored(parts)] for parts in (first, now))
    return shares, exchangeable(reference, live, random=np.random.default_rng(0))


def _scored(parts: Sequence[Seen]) -> list[Seen]:
    """Return the first image with a score of each part: several of one part are alike."""
    found: dict[str, Seen] = {}
    for each in parts:
        if math.isfinite(each.score):
            found.setdefault(each.part, each)
    return list(found.values())


def _share(parts: Sequence[Seen], verdict: str) -> Interval:
    return wilson(sum(each.verdict == verdict for each in parts), len(parts))


def _of_share(share: Share) -> list[Notice]:
    if share.now.low <= share.first.high:
        return []
    if share.verdict == "unsure":
        return [
            Notice(
                problem="the model asks a person more often than in its first days",
                remedy="label what it asked about, and teach it anew",
                about="scores",
            )
        ]
    return [
        Notice(
            problem="the model rejects more parts than in its first days",
            remedy="look whether they are bad; if not, label them and teach it anew",
            about="scores",
        )
    ]


def _answer(
    about: About, told: Iterable[About], *, known: bool, why: Mapping[About, str]
) -> Question:
    """Return whether images or scores are as they were."""
    state: Literal["same", "changed", "unknown"] = "same" if known else "unknown"
    reasons = dict.fromkeys(why[each] for each in ("images", about) if each in why)
    return Question(
        about=about, state="changed" if about in told else state, reasons=tuple(reasons)
    )


def _of_people(
    card: Card, told: Iterable[About], found: Errors, escape: Interval | None
) -> Question:
    """Return what people's looks say. That nothing was found in few of them is no answer yet."""
    if "errors" in told:
        return Question(about="errors", state="changed", reasons=found.said)
    if escape is not None and escape.high <= card.escape:
        return Question(about="errors", state="same", reasons=found.said)
    state: Literal["open", "unknown"] = "open" if found.bad_accepted is not None else "unknown"
    return Question(about="errors", state=state, reasons=found.said)


def _errors(now: Sequence[Seen], labels: Mapping[str, Label]) -> tuple[Errors, Interval | None]:
    """Return how wrong decisions were, and the share of bad parts that pass.

    Only where people looked at nearly all parts with a verdict, or at nearly all of them that were
    drawn by chance, do these stand for the others: else they looked at what was strange. Each of
    them stands for as many as have its verdict; a `drawn` that was changed meanwhile gives the time
    with more of them more weight.
    """
    verdict = np.array([CODES.get(each.verdict, 0) for each in now])
    drawn = np.array([each.drawn for each in now])
    looked = np.array([each.ref in labels for each in now])
    bad = np.array([each.ref in labels and labels[each.ref].verdict == "reject" for each in now])
    fair = np.zeros(len(now), np.bool_)
    said = []
    for code in (*CODES.values(), 0):
        there = verdict == code
        if there.any() and looked[there].mean() >= MOSTLY:
            fair |= there & looked
        elif (there & drawn).any() and looked[there & drawn].mean() >= MOSTLY:
            fair |= there & drawn & looked
        elif code and (there & drawn).any():
            count, of = int((there & drawn & looked).sum()), int((there & drawn).sum())
            remedy = f"{count} of {of} parts drawn by chance were looked at: look at the others"
            said.append(remedy)
    parts = np.array([each.part for each in now])
    found = errors(verdict, bad, fair, parts)
    escape = _escape(verdict, bad, fair, parts, found.bad_accepted)
    return msgspec.structs.replace(found, said=(*dict.fromkeys(said), *found.said)), escape


def _escape(
    verdict: NDArray[np.int_],
    bad: NDArray[np.bool_],
    fair: NDArray[np.bool_],
    parts: NDArray[np.str_],
    bad_accepted: Interval | None,
) -> Interval | None:
    """Return the share of the bad parts that pass, None where too little is known.

    Of each verdict, the parts that were looked at fairly stand for all; the interval takes the
    worst of what is not sure on either side, so it is rather too wide.
    """
    if bad_accepted is None:
        return None
    caught = [0.0, 0.0, 0.0]  # bad parts that did not pass: likely, at least, at most
    for code in (1, 0):
        there = verdict == code
        if not there.any():
            continue
        if not (there & fair).any():
            return None
        share = rate(bad[there & fair], parts[there & fair])
        for n, each in enumerate((share.value, share.low, share.high)):
            caught[n] += each * int(there.sum())
    passed = int((verdict < 0).sum())
    ends = zip(
        (bad_accepted.value, bad_accepted.low, bad_accepted.high),
        (caught[0], caught[2], caught[1]),
        strict=True,
    )
    value, low, high = (_over(share * passed, others) for share, others in ends)
    return Interval(value, low, high)


def _over(escaped: float, caught: float) -> float:
    return escaped / (escaped + caught) if escaped + caught > 0 else 0.0


def _of_errors(card: Card, found: Errors, escape: Interval | None) -> list[Notice]:
    notices = []
    # a share of the passed ones is below that of the bad ones, as long as most parts are good
    least = max((each.low for each in (found.bad_accepted, escape) if each), default=0.0)
    if least > card.escape:
        notices.append(
            Notice(
                problem="more bad parts pass than the model's limits were set for",
                remedy="let it advise only until it was taught anew",
                about="errors",
            )
        )
    if found.good_rejected is not None and found.good_rejected.low > 0.5:
        notices.append(
            Notice(
                problem="most of the parts that it rejects are good",
                remedy="teach the model anew with what people said of them",
                about="errors",
            )
        )
    return notices
