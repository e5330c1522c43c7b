"""Routes about the factory's own files: read, check, save, put back, and the plan's layout."""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import tomlkit
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app import describe, rewrite
from deungdae.app.auth import Role
from deungdae.core.errors import Fault

from .context import Context, Here, Json, Who, needs, person
from .deeds import Deed
from .failure import WebError
from .schema import answer, binary

TEXT = 8_000_000  # characters of all files of one request: 100,000 signals
DIFF = 20_000  # characters of a change that the journal keeps
LARGEST = {"/api/v1/files": 3 * TEXT}  # bytes of a request, by its path

S = TypeVar("S")
router = APIRouter(prefix="/api/v1", default_response_class=Json)
look = Depends(needs(Role.VIEWER))
act = Depends(needs(Role.ENGINEER))

Texts = Annotated[
    dict[str, Annotated[str, Field(max_length=TEXT)]], Field(min_length=1, max_length=100)
]
Versions = Annotated[dict[str, str], Field(max_length=100)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]


class Drafts(BaseModel):
    """Texts of files by name, as somebody has them in an editor."""

    model_config = ConfigDict(extra="forbid")
    files: Texts


class Change(Deed):
    """Texts to save. versions: of each of these files, as it was read."""

    files: Texts
    versions: Versions


class Restoring(Deed):
    """To put back what a change replaced. versions: of its files, as they are now."""

    versions: Versions


class Layout(Deed):
    """Where equipment stands: [x, y] by asset. version: as it was read."""

    positions: Annotated[dict[str, tuple[Finite, Finite]], Field(max_length=10_000)]
    version: str


class Speech(Deed):
    """Another language of the factory. version: of the factory file, as it was read."""

    language: Literal["ko", "en"]
    version: str


class FaultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in a file, with what would be right. line: null where it is the whole."""

    file: str
    line: int | None
    key: str
    value: str
    problem: str
    remedy: str


class FilesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The description as it is on disk, and what is wrong in it."""

    folder: str
    files: list[rewrite.File]
    faults: list[FaultAnswer]


class SavedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The description after a change. changes: what the running factory took over, in words."""

    files: list[rewrite.File]
    changes: list[str]


class ConflictAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody changed a file meanwhile: how it is now, who did it, and how it differs.

    person, time: '' where it was not changed through Deungdae. diff: from what was sent to what is.
    """

    error: str
    remedy: str
    rule: str
    file: rewrite.File
    person: str
    time: str
    diff: str


class VersionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One change that was made through Deungdae, by names of files."""

    id: str
    time: str
    person: str
    files: list[str]


class TextsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a change replaced and wrote. after: null where it is not known any more."""

    id: str
    time: str
    person: str
    before: dict[str, str]
    after: dict[str, str | None]


class LayoutAnswer(msgspec.Struct, frozen=True):
    """Where equipment stands on the plan, [x, y] by asset. version: of the file that says so."""

    positions: Mapping[str, Sequence[float]]
    version: str


@router.get("/files", dependencies=[act], **answer(FilesAnswer))
async def files(here: Here) -> Json:
    """Return the files that describe this factory, and all that is wrong in them."""
    found, faults = await on_disk(here, lambda path: (rewrite.read(path), rewrite.check(path, {})))
    told = [tell(each) for each in faults]
    return Json(FilesAnswer(folder=str(found.folder), files=list(found.files), faults=told))


@router.get("/files/export", dependencies=[act], **binary(("application/zip",)))
async def export(here: Here) -> Response:
    """Give all files of the description as one archive."""
    data = await on_disk(here, lambda path: _zipped(rewrite.read(path)))
    name = f"{here.runtime.factory.id}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="application/zip", headers=headers)


@router.post("/files/check", dependencies=[act], **answer(list[FaultAnswer]))
async def check(here: Here, drafts: Drafts) -> Json:
    """Tell every fault that the description would have with these texts; changes nothing."""
    faults = await on_disk(here, lambda path: rewrite.check(path, drafts.files))
    return Json([tell(each) for each in faults])


@router.put("/files", dependencies=[act], **answer(SavedAnswer, 409))
async def save(here: Here, who: Who, change: Change) -> Json:
    """Save texts, if they are right and nobody changed them meanwhile; the factory takes them."""
    return await _saved(here, person(who, change.person), change.files, change.versions)


@router.get("/files/versions", dependencies=[act], **answer(list[VersionAnswer]))
async def versions(here: Here) -> Json:
    """List the changes that were made through Deungdae, newest first."""
    found = await on_disk(here, rewrite.history)
    return Json(
        [VersionAnswer(id=e.id, time=e.time, person=e.person, files=sorted(e.after)) for e in found]
    )


@router.get("/files/versions/{id}", dependencies=[act], **answer(TextsAnswer, 404))
async def version(here: Here, id: str) -> Json:
    """Return what a change replaced, and what it wrote."""
    saved = await _find(here, id)
    before, after = await on_disk(
        here, lambda path: (rewrite.before(path, saved), rewrite.after(path, saved))
    )
    told = {name: after.get(name) for name in before}
    return Json(
        TextsAnswer(id=saved.id, time=saved.time, person=saved.person, before=before, after=told)
    )


@router.post("/files/versions/{id}/restore", dependencies=[act], **answer(SavedAnswer, 404, 409))
async def restore(here: Here, who: Who, id: str, restoring: Restoring) -> Json:
    """Put back what a change replaced; a file that it made stays."""
    saved = await _find(here, id)
    before = await on_disk(here, lambda path: rewrite.before(path, saved))
    texts = {name: text for name, text in before.items() if saved.before[name]}
    if not texts:
        raise WebError(404, "nothing was there before this change", "edit the files instead")
    return await _saved(here, person(who, restoring.person), texts, restoring.versions)


@router.put("/language", dependencies=[act], **answer(SavedAnswer, 409))
async def language(here: Here, who: Who, speech: Speech) -> Json:
    """Let the factory speak another language, to whom has not chosen one."""
    file = (await on_disk(here, rewrite.read)).files[0]

    def speak(document: tomlkit.TOMLDocument) -> None:
        document["factory"]["language"] = speech.language

    texts = {file.name: rewrite.edited(file.text, speak)}
    return await _saved(here, person(who, speech.person), texts, {file.name: speech.version})


@router.get("/layout", dependencies=[look], **answer(LayoutAnswer))
async def layout(here: Here) -> Json:
    """Say where equipment stands on the plan."""
    found = await on_disk(here, rewrite.read)
    return Json(LayoutAnswer(here.runtime.factory.layout, found.files[0].version))


@router.put("/layout", dependencies=[act], **answer(LayoutAnswer, 409))
async def place(here: Here, who: Who, given: Layout) -> Json:
    """Say anew where equipment stands; written into the factory file, which stays as it is else."""
    found = await on_disk(here, rewrite.read)
    file = found.files[0]
    text = rewrite.edited(file.text, lambda document: _place(document, given.positions))
    told = await _saved(
        here, person(who, given.person), {file.name: text}, {file.name: given.version}
    )
    if told.status_code != 200:
        return told
    return await layout(here)


async def on_disk(here: Context, work: Callable[[Path], S]) -> S:
    """Do something with the factory's files. Raises WebError where the disk does not let it."""
    try:
        return await here.runtime.clock.call(work, here.runtime.factory.path)
    except rewrite.Unwritable as error:
        raise WebError(503, str(error), error.remedy) from error


async def _find(here: Context, id: str) -> rewrite.Saved:
    found = await on_disk(here, rewrite.history)
    for each in found:
        if each.id == id:
            return each
    raise WebError(404, f"no change is called {id!r}", "only the newest are kept")


async def _saved(
    here: Context, who: str, texts: Mapping[str, str], versions: Mapping[str, str]
) -> Json:
    """Save texts and let the running factory take them over; answer a conflict as one."""
    runtime = here.runtime
    moment = runtime.clock.now()

    def save(path: Path) -> tuple[rewrite.Files, rewrite.Files]:
        before = rewrite.read(path)
        return before, rewrite.save(path, texts, versions, moment=moment, person=who)

    try:
        before, after = await on_disk(here, save)
    except rewrite.Conflict as error:
        return Json(_conflict(error, texts), 409)
    changes = []
    if after.versions != before.versions:
        await here.note("files", {"files": sorted(texts), "diff": _diff(before, after)}, who)
        factory = await runtime.clock.call(describe.read, runtime.factory.path)
        changes = await runtime.reload(factory)
    return Json(SavedAnswer(files=list(after.files), changes=changes))


def _conflict(error: rewrite.Conflict, texts: Mapping[str, str]) -> ConflictAnswer:
    name, saved = error.file.name, error.saved
    return ConflictAnswer(
        error=str(error),
        remedy="look at what was changed, then merge or discard yours",
        rule="conflict",
        file=error.file,
        person=saved.person if saved else "",
        time=saved.time if saved else "",
        diff=_unified(name, texts[name], error.file.text),
    )


def tell(fault: Fault) -> FaultAnswer:
    """Return a fault as it is answered."""
    return FaultAnswer(
        file=fault.file,
        line=fault.line,
        key=fault.key,
        value="" if fault.value is None else str(fault.value)[:200],
        problem=fault.problem,
        remedy=fault.remedy,
    )


def _diff(before: rewrite.Files, after: rewrite.Files) -> str:
    """Return what changed in all files, as far as the journal keeps it."""
    names = dict.fromkeys([*before.versions, *after.versions])
    told = "".join(_unified(name, before[name].text, after[name].text) for name in names)
    return told if len(told) <= DIFF else told[:DIFF] + "\n… and more"


def _unified(name: str, before: str, after: str) -> str:
    pair = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    lines = difflib.unified_diff(*pair, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _zipped(found: rewrite.Files) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in found.files:
            if file.version:
                archive.writestr(file.name, (found.folder / file.name).read_bytes())
    return data.getvalue()


def _place(document: tomlkit.TOMLDocument, positions: Mapping[str, tuple[float, float]]) -> None:
    """Write the positions into [layout]; what stands there with the same value stays as it is."""
    table = document.setdefault("layout", tomlkit.table())
    for asset in [each for each in table if each not in positions]:
        del table[asset]
    for asset, spot in positions.items():
        written = [_short(each) for each in spot]
        if table.get(asset) != written:
            table[asset] = written
    if not positions:
        del document["layout"]


def _short(number: float) -> float | int:
    """Return a number as it is written: a tenth of the plan's unit is enough."""
    rounded = round(number, 1)
    return int(rounded) if rounded == int(rounded) else rounded
