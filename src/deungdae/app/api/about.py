"""Routes about this installation: which Deungdae it is, of what, and what there is to keep."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec
from fastapi import APIRouter, Depends

from deungdae import __version__
from deungdae.app import rewrite
from deungdae.app.auth import Role
from deungdae.model.factory import Factory

from .context import Here, Json, needs
from .files import on_disk
from .schema import answer

MOST = 200_000  # files that are counted in one folder

router = APIRouter(prefix="/api/v1", default_response_class=Json)


class PartAnswer(msgspec.Struct, frozen=True):
    """A package that Deungdae uses. licence: as the package itself states it."""

    name: str
    version: str
    licence: str


class AboutAnswer(msgspec.Struct, frozen=True):
    """Which Deungdae runs here, on what, under which licence."""

    version: str
    python: str
    licence: str
    parts: list[PartAnswer]


class StoreAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Something to keep safe. more: it holds more files than were counted."""

    kind: Literal["history", "images", "files"]
    path: str
    bytes: int
    more: bool


class StorageAnswer(msgspec.Struct, frozen=True):
    """What there is to keep safe. free, total: bytes of the history's disk."""

    places: list[StoreAnswer]
    free: int
    total: int


@router.get("/about", dependencies=[Depends(needs(Role.VIEWER))], **answer(AboutAnswer))
async def about(here: Here) -> Json:
    """Say which Deungdae this is and what it is made of."""
    return Json(await here.runtime.clock.call(_about))


@router.get("/storage", dependencies=[Depends(needs(Role.ENGINEER))], **answer(StorageAnswer))
async def storage(here: Here) -> Json:
    """Say what there is to keep safe: where it is and how big."""
    factory = here.runtime.factory
    return Json(await on_disk(here, lambda path: _storage(factory, path)))


@cache
def _about() -> AboutAnswer:
    own = metadata.metadata("deungdae")
    names = {
        re.split(r"[^A-Za-z0-9_.-]", each)[0] for each in _required() if "extra ==" not in each
    }
    parts = []
    for name in sorted(names, key=str.lower):
        found = metadata.metadata(name)
        parts.append(PartAnswer(found["Name"], found["Version"], _licence(found)))
    return AboutAnswer(__version__, platform.python_version(), _licence(own), parts)


def _required() -> Iterable[str]:
    return metadata.requires("deungdae") or ()


def _licence(found: metadata.PackageMetadata) -> str:
    """Return a licence in few words: older packages carry its whole text, or only a class."""
    stated = next((found[key] for key in ("License-Expression", "License") if key in found), "")
    if stated and "\n" not in stated and len(stated) < 80:
        return stated
    classes = (each for each in found.get_all("Classifier") or () if each.startswith("License"))
    return ", ".join(each.rpartition(" :: ")[2] for each in classes) or "?"


def _storage(factory: Factory, path: Path) -> StorageAnswer:
    folder = path.parent
    history = folder / str(getattr(factory.sections.get("historian"), "path", "history"))
    cameras = factory.room("machines").values()
    images = {folder / str(each.options.folder) for each in cameras if each.type == "camera"}
    files = rewrite.read(path).files
    size = sum((folder / each.name).stat().st_size for each in files if each.version)
    places = [
        _place("history", history),
        *(_place("images", each) for each in sorted(images)),
        StoreAnswer(kind="files", path=str(folder), bytes=size, more=False),
    ]
    disk = shutil.disk_usage(history if history.is_dir() else folder)
    return StorageAnswer(places, disk.free, disk.total)


def _place(kind: Literal["history", "images"], folder: Path) -> StoreAnswer:
    size, count = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            count += 1
            if count > MOST:
                return StoreAnswer(kind=kind, path=str(folder), bytes=size, more=True)
            try:
                size += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:  # the history tidies while we count
                continue
    return StoreAnswer(kind=kind, path=str(folder), bytes=size, more=False)
