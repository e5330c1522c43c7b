"""Whether a trained inspection still sees what it learnt from, in words of those who look after it.

Four questions: do the images look as they did, does it decide as in its first days, do its scores
come as they came then, and what do people say of what it decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import Finding, FloatArray
from deungdae.learn.drift import FEWEST, Change, Errors, Stream, Window, errors, exchangeable
from deungdae.learn.inspection import SCORE
from deungdae.learn.measure import Interval, wilson
from deungdae.learn.registry import Card

from .labels import Label

FIRST = 100  # parts on the line that show how a model decides when it is new
AFTER_LIGHT = ("contrast", "sharpness")  # they go with brightness: that is told alone
MOSTLY = 0.9  # share of parts looked at, from which on they were not chosen for how they look
CODES = {"pass": -1, "reject": 1}  # as learn.drift.errors has them; 0: a person is asked


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A part as a model judged it. time: ns; score: NaN where it saw no part."""

    time: int
    ref: str
    part: str
    score: float
    verdict: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed, and what to do. since: ns, None where it cannot be told."""

    problem: str
    remedy: str
    since: int | None = None


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
    ),
    (SCORE, True): Notice(
        problem="the parts look worse to the model than the good ones it learnt from",
        remedy="look at some: are more of them bad? If not, label them and teach the model anew",
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


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """How a model fares. judged: parts of the period; looked: images of them that were compared.

    changes: of light, sharpness and score, against what it learnt from; shares and stream: against
    its first parts on the line; errors: what people said. notices: what is to be told; missing: why
    a question has no answer.
    """

    judged: int
    looked: int
    changes: tuple[Change, ...]
    shares: tuple[Share, ...]
    stream: Stream | None
    errors: Errors
    notices: tuple[Notice, ...]
    missing: tuple[str, ...]


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
        found.append(Seen(time=each.end, ref=ref, part=part, score=score, verdict=verdict))
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
    missing: list[str] = []
    compared = [each for each in now if each.ref in looks]
    changes: tuple[Change, ...] = ()
    notices: list[Notice] = []
    shares: tuple[Share, ...] = ()
    stream: Stream | None = None
    try:
        changes, notices = _inputs(card.window, compared, looks)
    except NotEnoughData as error:
        missing.append(str(error))
    try:
        shares, stream = _line(first, now)
    except NotEnoughData as error:
        missing.append(str(error))
    notices += [each for share in shares for each in _of_share(share)]
    if stream is not None and stream.alarm is not None:
        notices.append(
            Notice(
                problem="the scores do not come any more as in the model's first days",
                remedy="look at some of the newest parts, label them, and teach the model anew",
                since=_scored(now)[stream.alarm].time,
            )
        )
    found = _errors(card, now, labels)
    if found.bad_accepted is not None and found.bad_accepted.low > card.escape:
        notices.append(
            Notice(
                problem="more bad parts pass than the model's limits were set for",
                remedy="let it advise only until it was taught anew",
            )
        )
    if found.good_rejected is not None and found.good_rejected.low > 0.5:
        notices.append(
            Notice(
                problem="most of the parts that it rejects are good",
                remedy="teach the model anew with what people said of them",
            )
        )
    return Watched(
        judged=len(now),
        looked=len(compared),
        changes=changes,
        shares=shares,
        stream=stream,
        errors=found,
        notices=tuple(notices),
        missing=tuple(missing),
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
            )
        ]
    return [
        Notice(
            problem="the model rejects more parts than in its first days",
            remedy="look whether they are bad; if not, label them and teach it anew",
        )
    ]


def _errors(card: Card, now: Sequence[Seen], labels: Mapping[str, Label]) -> Errors:
    """Return how wrong decisions were. Only where people looked at nearly all parts with a verdict
    do these stand for the others: else they looked at what was strange."""
    verdict = np.array([CODES.get(each.verdict, 0) for each in now])
    looked = np.array([each.ref in labels for each in now])
    bad = np.array([each.ref in labels and labels[each.ref].verdict == "reject" for each in now])
    fair = np.zeros(len(now), np.bool_)
    for code in CODES.values():
        there = verdict == code
        if there.any() and looked[there].mean() >= MOSTLY:
            fair |= there & looked
    parts = [each.part for each in now]
    return errors(verdict, bad, fair, parts)
