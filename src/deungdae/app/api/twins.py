"""Twins over HTTP, after Eclipse Ditto: things with features, reported beside desired.

A revision is the time of the newest record that a twin knows, in ns: so any revision can be asked
for again, and an ETag tells whether anything has happened since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.types import SECOND, Event

from . import answers, lines, things
from .condition import holds
from .context import Context, Here, Json, needs
from .deeds import Name, Words, judged
from .failure import WebError
from .mirrors import DESIRED, LONGEST, Stand
from .moments import length
from .schema import answer
from .things import stand_at

router = APIRouter(prefix="/api/v1", default_response_class=Json)
look = Depends(needs(Role.VIEWER))
act = Depends(needs(Role.ENGINEER))

At = Annotated[str, Query(description="a revision, ISO 8601, or e.g. -1h; empty: now")]
Match = Annotated[str, Header(description="the ETag of the state that the wish is based on")]
Condition = Annotated[
    str, Query(max_length=1000, description='e.g. `and(eq(properties/state,"running"),exists(…))`')
]


class DesiredAnswer(msgspec.Struct, frozen=True):
    """What became of each wish, and the feature afterwards."""

    outcomes: list[answers.OutcomeAnswer]
    feature: things.FeatureAnswer


class Desired(BaseModel):
    """Values that properties of a feature shall have; null: it is desired no longer."""

    model_config = ConfigDict(extra="forbid")
    person: Name
    reason: Words
    ttl: float = Field(60.0, ge=1, le=LONGEST / SECOND, description="s after which it lapses")
    values: dict[str, Annotated[float, Field(allow_inf_nan=False)] | None] = Field(
        min_length=1, max_length=20, description="in the unit of each signal"
    )


@router.get("/twins", dependencies=[look], **answer(dict[str, lines.LineAnswer]))
async def twins(here: Here) -> Json:
    """List the twins of this factory, with the line that each mirrors."""
    found = lines.twins(here.runtime)
    return Json({name: lines.told(each) for name, each in found.items()})


@router.get("/twins/{id}", dependencies=[look], **answer(things.TwinAnswer, 404))
async def twin(here: Here, id: str, at: At = "") -> Json:
    """Return a twin: what each station and buffer of its line does, now or at a moment."""
    found = lines.twin(here.runtime, id)
    stand = await stand_at(here, id, found, at)
    read = await things.readings(here.runtime, found, stand.time if at else None)
    told = things.TwinAnswer(
        id=id,
        name=found.line.name,
        revision=str(stand.revision),
        time=to_iso(stand.time),
        model=found.twin.revision,
        learnt=things.learnt(found),
        improvable=bool(found.line.levers),
        validity=things.validity(here.runtime, found),
        features=things.features(found, stand, read),
    )
    return _tagged(told, stand)


@router.get(
    "/twins/{id}/features/{feature}", dependencies=[look], **answer(things.FeatureAnswer, 404)
)
async def feature(here: Here, id: str, feature: str, at: At = "") -> Json:
    """Return one station or buffer of a twin."""
    found = lines.twin(here.runtime, id)
    stand = await stand_at(here, id, found, at)
    read = await things.readings(here.runtime, found, stand.time if at else None)
    return _tagged(_named(things.features(found, stand, read), feature), stand)


@router.patch(
    "/twins/{id}/features/{feature}/desired",
    dependencies=[act],
    **answer(DesiredAnswer, 404, 409, 412, 502),
)
async def desire(
    here: Here,
    id: str,
    feature: str,
    wish: Desired,
    if_match: Match = "",
    condition: Condition = "",
) -> Json:
    """Ask for values of a feature's properties; the gate judges each like any other command.

    Others that are desired stay so. With `If-Match` or `condition` it is refused with 412 if the
    twin has changed, or the condition does not hold.
    """
    return await _desire(here, id, feature, wish, if_match, condition)


@router.put(
    "/twins/{id}/features/{feature}/desired",
    dependencies=[act],
    **answer(DesiredAnswer, 404, 409, 412, 502),
)
async def replace(
    here: Here,
    id: str,
    feature: str,
    wish: Desired,
    if_match: Match = "",
    condition: Condition = "",
) -> Json:
    """As PATCH, but what is not named is desired no longer."""
    found = lines.twin(here.runtime, id)
    stand = await here.mirrors.now(id, found)
    asset = lines.asset(found, feature) if feature in found.assets else ""
    dropped = {key: None for owner, key in stand.desired if owner == asset}
    whole = wish.model_copy(update={"values": {**dropped, **wish.values}})
    return await _desire(here, id, feature, whole, if_match, condition)


@router.post("/twins/{id}/snapshots", dependencies=[look], **answer(things.SnapshotAnswer, 404))
async def snapshot(here: Here, id: str) -> Json:
    """Return where the line stands now: what waits, what each machine does and for how long."""
    stand = await here.mirrors.now(id, lines.twin(here.runtime, id))
    told = things.SnapshotAnswer(
        id=str(stand.time), time=to_iso(stand.time), snapshot=stand.snapshot
    )
    return _tagged(told, stand)


@router.get("/twins/{id}/score", dependencies=[look], **answer(things.ScoreAnswer, 404))
async def score(
    here: Here,
    id: str,
    window: Annotated[str, Query(description="how far back, e.g. 30d")] = "30d",
) -> Json:
    """Say how good a twin's forecasts were, which machines drift, and whether to believe it."""
    found = lines.twin(here.runtime, id)
    now = here.runtime.clock.now()
    store, start = here.runtime.store, now - length(window)
    told = await here.runtime.clock.call(
        lambda: store.findings(start, now + 1, origin=id, name="score")
    )
    return Json(things.score(here.runtime, found, told))


def _named(features: Mapping[str, things.FeatureAnswer], name: str) -> things.FeatureAnswer:
    if name not in features:
        remedy = strict.closest(name, features)
        raise WebError(404, f"the line has no station or buffer {name!r}", remedy)
    return features[name]


def _tagged(told: object, stand: Stand) -> Json:
    return Json(told, headers={"ETag": f'"{stand.revision}"'})


async def _desire(
    here: Context, id: str, name: str, wish: Desired, if_match: str, condition: str
) -> Json:
    found = lines.twin(here.runtime, id)
    stand = await here.mirrors.now(id, found)
    features = things.features(found, stand, await things.readings(here.runtime, found, None))
    feature = _named(features, name)
    _fits(stand, features, name, if_match, condition)
    signals = {key: _writable(here, feature, key) for key in wish.values}
    outcomes = []
    for key, value in wish.values.items():
        if value is None:
            await _note(here, feature.asset, key, {})
        else:
            outcome = await _ask(here, signals[key], value, wish)
            outcomes.append(outcome)
            await _note(here, feature.asset, key, _evidence(here, outcome, value, wish))
    stand = await here.mirrors.now(id, found)
    after = things.features(found, stand, await things.readings(here.runtime, found, None))
    return _tagged(DesiredAnswer(outcomes, after[name]), stand)


def _fits(
    stand: Stand,
    features: Mapping[str, things.FeatureAnswer],
    name: str,
    if_match: str,
    condition: str,
) -> None:
    """Raise WebError where the twin is not as the wish supposes."""
    wanted = if_match.strip().removeprefix("W/").strip('"')
    if wanted not in ("", "*", str(stand.revision)):
        problem = f"the twin is at revision {stand.revision}, not {wanted}"
        raise WebError(412, problem, "look at it again, and then wish")
    if not condition:
        return
    plain = msgspec.to_builtins(features)
    try:
        met = holds(condition, {**plain[name], "features": plain})
    except ValueError as error:
        raise WebError(422, str(error), 'e.g. eq(properties/state,"running")') from error
    if not met:
        raise WebError(412, f"{condition} does not hold", "look at the twin again, and then wish")


def _writable(here: Context, found: things.FeatureAnswer, key: str) -> str:
    """Return the id of the signal behind a property. Raises WebError."""
    own = {
        signal.short: signal.id
        for signal in here.runtime.factory.signals.values()
        if found.asset and signal.asset == found.asset and signal.access == "rw"
    }
    if key not in own:
        remedy = f"what can be desired: {', '.join(own)}" if own else "nothing of it can be written"
        raise WebError(422, f"{key!r} cannot be desired", remedy)
    return own[key]


async def _ask(here: Context, signal: str, value: float, wish: Desired) -> answers.OutcomeAnswer:
    """Return what became of a wish that was not refused. Raises WebError."""
    control = here.runtime.control
    asked = control.command(signal, value, wish.person, wish.reason)
    lasting = msgspec.structs.replace(asked, expires=asked.issued + round(wish.ttl * SECOND))
    return judged(here, answers.outcome(here.runtime, await control.ask(lasting)))


async def _note(here: Context, asset: str, key: str, data: dict[str, str]) -> None:
    """Record what is desired of a property; without data: nothing any longer."""
    now = here.runtime.clock.now()
    event = Event(
        id=f"{asset}.{DESIRED}", time=now, kind="note", value=key, data=data, received=now
    )
    await here.runtime.intake.put((event,))


def _evidence(
    here: Context, outcome: answers.OutcomeAnswer, value: float, wish: Desired
) -> dict[str, str]:
    now = here.runtime.clock.now()
    return {
        "value": repr(value),
        "person": wish.person,
        "reason": wish.reason,
        "asked": str(now),
        "expires": str(now + round(wish.ttl * SECOND)),
        "command": outcome.command.id,
        "result": outcome.result,
    }
