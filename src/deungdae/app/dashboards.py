"""Dashboards that people put together for themselves: one file each, beside the factory file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from deungdae.core.errors import DeungdaeError
from deungdae.wires import vault

FOLDER = "dashboards"  # beside factory.toml
MOST = 200  # dashboards of a factory
NAME = re.compile(r"[a-z0-9가-힣](?:[a-z0-9가-힣-]{0,58}[a-z0-9가-힣])?")

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Title = Annotated[str, msgspec.Meta(max_length=100)]


class Tile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tile. asset, signals: what it shows; span: s that a trend reaches back.

    kind: value (a signal's figure), trend (signals over time), state (of a machine), kpi (OEE and
    its factors), line (the drawn plan), stopped (what stands, longest first), alarms, text, clock.
    """

    kind: Literal["value", "trend", "state", "kpi", "line", "stopped", "alarms", "text", "clock"]
    title: Title = ""
    asset: Annotated[str, msgspec.Meta(max_length=200)] = ""
    signals: Annotated[tuple[Id, ...], msgspec.Meta(max_length=12)] = ()
    span: Annotated[int, msgspec.Meta(ge=60, le=31 * 86400)] = 3600
    text: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    size: Literal["small", "medium", "large", "wide"] = "medium"


class Dashboard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tiles under a title. person: who saved it last."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    tiles: Annotated[tuple[Tile, ...], msgspec.Meta(max_length=60)] = ()
    person: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A dashboard with its name and the version of its file."""

    name: str
    version: str
    dashboard: Dashboard


class ChangedMeanwhile(DeungdaeError):
    """Somebody else saved or removed it since it was read."""


class Dashboards:
    """All dashboards of a factory. Every method blocks on the disk."""

    def __init__(self, factory: Path) -> None:
        """Take the path of the factory file."""
        self._folder = factory.parent / FOLDER

    def list(self) -> list[Kept]:
        """Return all that can be read, by title."""
        files = self._folder.glob("*.json") if self._folder.is_dir() else ()
        names = [file.stem for file in files if NAME.fullmatch(file.stem)]
        found = [self.get(name) for name in names]
        return sorted(
            (each for each in found if each is not None), key=lambda each: each.dashboard.title
        )

    def get(self, name: str) -> Kept | None:
        """Return a dashboard, or None. Raises ValueError for a file that is damaged."""
        try:
            content = self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return Kept(name, _version(content), msgspec.json.decode(content, type=Dashboard))
        except msgspec.DecodeError as error:
            raise ValueError(f"{FOLDER}/{name}.json is damaged: {error}") from error

    def save(self, name: str, dashboard: Dashboard, version: str) -> Kept:
        """Keep a dashboard. version: of the one it replaces, '' for a new one.

        Raises ChangedMeanwhile where that is not the one there, ValueError for a name that cannot
        be a file's, or one dashboard too many.
        """
        self._check(name, version)
        if not version and len(self.list()) >= MOST:
            raise ValueError(f"there are {MOST} dashboards: remove one first")
        content = msgspec.json.format(msgspec.json.encode(dashboard), indent=2)
        vault.write(self._file(name), content)
        return Kept(name, _version(content), dashboard)

    def remove(self, name: str, version: str) -> None:
        """Remove a dashboard. Raises ChangedMeanwhile."""
        self._check(name, version)
        self._file(name).unlink(missing_ok=True)

    def _check(self, name: str, version: str) -> None:
        known = self.get(name)
        if (known.version if known else "") != version:
            who = f" by {known.dashboard.person}" if known and known.dashboard.person else ""
            state = f"was changed{who}" if known else "is not there any more"
            raise ChangedMeanwhile(f"the dashboard {name!r} {state}")

    def _file(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a dashboard: small letters, digits and -")
        return self._folder / f"{name}.json"


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
