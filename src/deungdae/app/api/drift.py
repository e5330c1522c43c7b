"""Whether a trained inspection still sees, decides and is right as when it was taught."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query

from deungdae.app.album import Album
from deungdae.app.auth import Role
from deungdae.app.watch import watched
from deungdae.core.clock import to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.insight.vision.watch import About, Question, Share, Watched
from deungdae.learn.drift import Change
from deungdae.learn.measure import Interval
from deungdae.learn.registry import Card, Tampered

from .context import Context, Here, Json, needs
from .failure import WebError
from .looks import To
from .models import models_of, signal_of
from .moments import period
from .schema import answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)
Since = Annotated[str, Query(alias="from", description="ISO 8601, ns, or e.g. -15m; inclusive")]


class ModelDriftNotice(msgspec.Struct, frozen=True):
    """What has changed, what to do, and since when; '' where that cannot be told."""

    about: About
    problem: str
    remedy: str
    since: str


class ModelDriftErrors(msgspec.Struct, frozen=True):
    """What people said. looked: accepted and rejected parts that were looked at by chance.

    bad_accepted: share of bad parts among the accepted; good_rejected: of good ones among the
    rejected; escape: share of the bad parts that pass. None where nobody can tell; said: why.
    """

    looked: tuple[int, int]
    bad_accepted: Interval | None
    good_rejected: Interval | None
    escape: Interval | None
    said: tuple[str, ...]


class ModelDriftAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a version of a model fares in a period. See insight.vision.watch.Watched.

    judged: parts; looked: images that were compared. questions: whether images, scores and errors
    are as they were, none where reason tells why. shares: of verdicts, in its first days and now.
    betting: what became of 1 that was bet on a change of the scores; with 100 and more they
    changed. notices: what is to be told. reason: why nothing can be told, or ''.
    """

    name: str
    version: str
    start: str
    end: str
    judged: int
    looked: int
    questions: tuple[Question, ...]
    notices: list[ModelDriftNotice]
    changes: tuple[Change, ...]
    shares: tuple[Share, ...]
    betting: float | None
    errors: ModelDriftErrors | None
    missing: tuple[str, ...]
    reason: str


@router.get("/models/{name}/drift", **answer(ModelDriftAnswer, 404, 409))
async def drift(
    here: Here,
    name: str,
    since: Since = "-3d",
    until: To = "",
    version: Annotated[
        str, Query(description="else what acts, what is watched, or the newest")
    ] = "",
    sample: Annotated[int, Query(ge=30, le=200, description="images to be compared")] = 100,
) -> Json:
    """Return what has changed for a model since it was taught: light, decisions, scores, errors."""
    signal = signal_of(here, name)
    start, end = period(since, until, here.runtime.factory, here.runtime.clock.now())
    card = await here.runtime.clock.call(_card, here, name, version)
    try:
        found = await here.runtime.clock.call(_watched, here, card, signal, start, end, sample)
    except NotEnoughData as error:
        return Json(_told(here, card, start, end, None, str(error)))
    return Json(_told(here, card, start, end, found, ""))


def _card(here: Context, name: str, version: str) -> Card:
    models = models_of(here)
    try:
        if not version:
            now, cards = models.standing(name), models.cards(name)
            version = now.acting or now.shadow or (cards[-1].version if cards else "")
            if not version:
                raise WebError(404, f"{name} has learnt nothing yet", "train it first")
        return models.read(name, version)[0]
    except LookupError as error:
        raise WebError(404, str(error)) from error
    except Tampered as error:
        raise WebError(409, str(error), "train it anew", "tampered") from error


def _watched(here: Context, card: Card, signal: str, start: int, end: int, sample: int) -> Watched:
    content = Album(here.runtime.factory).content
    return watched(here.store, content, card, signal, start, end, sample=sample)


def _told(
    here: Context, card: Card, start: int, end: int, found: Watched | None, reason: str
) -> ModelDriftAnswer:
    zone = here.runtime.factory.zone
    notices = found.notices if found else ()
    return ModelDriftAnswer(
        name=card.name,
        version=card.version,
        start=to_iso(start, zone),
        end=to_iso(end, zone),
        judged=found.judged if found else 0,
        looked=found.looked if found else 0,
        questions=found.questions if found else (),
        notices=[
            ModelDriftNotice(
                each.about,
                each.problem,
                each.remedy,
                "" if each.since is None else to_iso(each.since, zone),
            )
            for each in notices
        ],
        changes=found.changes if found else (),
        shares=found.shares if found else (),
        betting=found.stream.highest if found and found.stream else None,
        errors=ModelDriftErrors(
            found.errors.looked,
            found.errors.bad_accepted,
            found.errors.good_rejected,
            found.escape,
            found.errors.said,
        )
        if found
        else None,
        missing=found.missing if found else (),
        reason=reason,
    )
