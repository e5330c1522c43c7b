"""Sets of data on the factory's shelf: which there are, and the card of each."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query

from deungdae.app.auth import Role
from deungdae.app.datasets import SETS, Shelf, UnknownSetError
from deungdae.app.datasets.audit import Audit, kept
from deungdae.core.clock import to_iso
from deungdae.core.errors import StoreError
from deungdae.historian.journal import Entry
from deungdae.learn.dataset import Card

from .context import Context, Here, Json, needs
from .failure import WebError
from .schema import answer

router = APIRouter(
    prefix="/api/v1/datasets",
    default_response_class=Json,
    dependencies=[Depends(needs(Role.VIEWER))],
)


class DatasetCount(msgspec.Struct, frozen=True):
    """How many items, and groups, have a label. means: good, bad, or '' for no label."""

    label: str
    means: Literal["good", "bad", ""]
    items: int
    groups: int


class DatasetColumn(msgspec.Struct, frozen=True):
    """A further column of a set."""

    name: str
    kind: str
    unit: str
    description: str


class DatasetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a set. since, until: first and last item, '' where times are not known."""

    name: str
    version: str
    kind: Literal["images", "rows"]
    made: str
    items: int
    groups: int
    counts: list[DatasetCount]
    since: str
    until: str
    licence: str
    contributor: str


class DatasetDeed(msgspec.Struct, frozen=True):
    """What was done with a set: built, import, use, export, audit, anonymise."""

    time: str
    what: str
    who: str
    purpose: str


class DatasetAudit(msgspec.Struct, frozen=True):
    """What an audit found. flatters: by how much AUROC a random split would; with its interval."""

    said: tuple[str, ...]
    leaks: bool
    flatters: tuple[float, float, float] | None
    pairs: tuple[tuple[str, str], ...]


class DatasetCardAnswer(DatasetAnswer, frozen=True, kw_only=True):
    """The whole card of a version, with the log of its use, newest first, and its audit."""

    description: str
    factory: str
    line: str
    signals: tuple[str, ...]
    files: str
    consent_by: str
    consent_on: str
    uses: tuple[str, ...]
    good: tuple[str, ...]
    columns: list[DatasetColumn]
    sources: dict[str, int]
    contradicting: int
    masks: int
    declaration: str
    parents: tuple[str, ...]
    left_out: tuple[str, ...]
    limits: tuple[str, ...]
    anonymised: tuple[str, ...]
    log: list[DatasetDeed]
    audit: DatasetAudit | None


@router.get("", **answer(list[DatasetAnswer]))
async def datasets(here: Here) -> Json:
    """List every version of every set, the newest first."""
    cards = await here.runtime.clock.call(_shelf(here).cards)
    return Json([_told(card) for card in cards])


@router.get("/{name}", **answer(DatasetCardAnswer, 404))
async def dataset(
    here: Here,
    name: Annotated[str, Path(max_length=64, description="name of the set")],
    version: Annotated[
        str, Query(max_length=64, description="its version or how it begins, else the newest")
    ] = "",
) -> Json:
    """Give the card of a set."""
    try:
        found = await here.runtime.clock.call(_find, _shelf(here), f"{name}@{version}")
    except UnknownSetError as error:
        raise WebError(404, str(error), "deungdae dataset build makes one") from error
    except StoreError as error:
        raise WebError(503, str(error), "deungdae dataset verify tells more") from error
    return Json(found)


def _shelf(here: Context) -> Shelf:
    factory = here.runtime.factory
    history = str(getattr(factory.sections.get("historian"), "path", "history"))
    return Shelf(factory.path.parent / history / SETS)


def _find(shelf: Shelf, asked: str) -> DatasetCardAnswer:
    card = shelf.card(asked.rstrip("@"))
    deeds = [entry for entry in shelf.log(card.name) if entry.data.get("version") == card.version]
    return DatasetCardAnswer(
        **msgspec.structs.asdict(_told(card)),
        description=card.description,
        factory=card.origin.factory,
        line=card.origin.line,
        signals=card.origin.signals,
        files=card.origin.files,
        consent_by=card.consent.by,
        consent_on=card.consent.on,
        uses=card.consent.uses,
        good=card.good,
        columns=[DatasetColumn(c.name, c.kind, c.unit, c.description) for c in card.columns],
        sources=card.sources,
        contradicting=card.contradicting,
        masks=card.masks,
        declaration=card.declaration,
        parents=card.parents,
        left_out=card.left_out,
        limits=card.limits,
        anonymised=card.anonymised,
        log=[_deed(entry) for entry in reversed(deeds)],
        audit=_audit(kept(shelf, card)),
    )


def _told(card: Card) -> DatasetAnswer:
    since, until = (to_iso(moment) if moment else "" for moment in card.drift)
    return DatasetAnswer(
        name=card.name,
        version=card.version,
        kind=card.kind,
        made=to_iso(card.made),
        items=card.items,
        groups=card.groups,
        counts=[
            DatasetCount(each.label, _meaning(each.label, card), each.items, each.groups)
            for each in card.counts
        ],
        since=since,
        until=until,
        licence=card.licence,
        contributor=card.contributor,
    )


def _meaning(label: str, card: Card) -> Literal["good", "bad", ""]:
    if not label:
        return ""
    return "good" if label in card.good else "bad"


def _deed(entry: Entry) -> DatasetDeed:
    return DatasetDeed(
        to_iso(entry.time), entry.kind, entry.who, str(entry.data.get("purpose", ""))
    )


def _audit(found: Audit | None) -> DatasetAudit | None:
    if found is None:
        return None
    return DatasetAudit(found.said, found.leaks, found.flatters, found.pairs)
