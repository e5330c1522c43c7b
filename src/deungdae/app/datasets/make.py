"""Cuts a set by its declaration, and puts it on the shelf."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import tomlkit

from deungdae.app.album import Album
from deungdae.app.remote import Archive
from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.learn.dataset import Dataset, Declaration, Origin, Pictures, Signals
from deungdae.model.factory import Factory, locate

from . import files, line
from .files import Cut
from .shelf import NAME, Shelf

ENDING = ".dataset.toml"


def read(path: Path) -> Declaration:
    """Return the declaration in a file. Raises FactoryError with every fault."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError as error:
        raise _fault(path, "file", "is not there", "give the path of a declaration") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _fault(path, "file", f"cannot be read: {error}", "see https://toml.io") from error
    found, problems = strict.decode(Declaration, table)
    if found is None:
        lines = locate(text)
        raise FactoryError(
            [
                Fault(
                    file=str(path),
                    line=lines.get(each.key),
                    key=".".join(str(part) for part in each.key) or "file",
                    value=each.value,
                    problem=each.problem,
                    remedy=each.remedy,
                )
                for each in problems
            ]
        )
    name = found.name or path.name.removesuffix(ENDING).removesuffix(".toml")
    if not NAME.fullmatch(name):
        problem = f"{name!r} is no name of a set"
        raise _fault(path, "name", problem, 'name = "…": small letters, digits, - and _')
    return msgspec.structs.replace(found, name=name)


def from_files(
    shelf: Shelf, declared: Declaration, base: Path, zone: ZoneInfo, who: str
) -> Dataset:
    """Return the set of a declaration with [folder] or [table], kept on the shelf.

    base: the folder that relative paths begin from. Raises ValueError, NotEnoughData, StoreError.
    """
    if declared.folder is not None:
        cut = files.images(declared.folder, base, shelf.put, zone, declared.good)
        origin = Origin(files=declared.folder.images)
    elif declared.table is not None:
        cut = files.rows(declared.table, base, zone)
        origin = Origin(files=declared.table.file)
    else:
        raise ValueError("this set comes from the line: it needs a history")
    return _keep(shelf, declared, cut, origin, who)


class Line(NamedTuple):
    """A line's history, the pictures of its cameras, and how it is described.

    factory: None where only the history is known; it then has no pictures.
    """

    store: Archive
    factory: Factory | None = None

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone of the factory."""
        return self.factory.zone if self.factory else ZoneInfo("UTC")


def is_of_line(declared: Declaration) -> bool:
    """Return whether a set is cut from a history, not from files."""
    return declared.pictures is not None or declared.signals is not None


def from_line(shelf: Shelf, declared: Declaration, source: Line, who: str) -> Dataset:
    """Return the set of a declaration with [pictures] or [signals], kept on the shelf.

    Raises ValueError, NotEnoughData, StoreError.
    """
    asked = declared.pictures or declared.signals
    if asked is None:
        raise ValueError("this set comes from files: it needs no history")
    now, zone, factory = shelf.clock.now(), source.zone, source.factory
    said_until = asked.known if isinstance(asked, Pictures) else ""
    when = line.period(asked.since, asked.until, said_until, now, zone)
    if isinstance(asked, Signals):
        cut = line.rows(asked, when, declared.limit, source.store, zone)
    elif factory is None:
        raise ValueError("pictures lie in the folders of a factory's cameras: say which factory")
    else:
        content = Album(factory).content
        cut = line.images(asked, when, declared.limit, source.store, content, shelf.put, zone)
    origin = Origin(
        factory=factory.id if factory else "",
        line=_line_of(factory, asked.signals[0]) if factory else "",
        signals=asked.signals,
        start=when.start,
        end=when.end,
    )
    return _keep(shelf, declared, cut, origin, who)


def _line_of(factory: Factory, signal: str) -> str:
    """Return the line that a signal's asset stands in, or ''."""
    asset = factory.assets.get(signal.rpartition(".")[0])
    while asset is not None and asset.level != "line":
        asset = factory.assets.get(asset.parent)
    return asset.id if asset else ""


def _keep(shelf: Shelf, declared: Declaration, cut: Cut, origin: Origin, who: str) -> Dataset:
    items, limits = cut.items, [*declared.limits, *cut.limits]
    if len(items) > declared.limit:
        limits.append(
            f"the newest {declared.limit} of {len(items)} items: limit = {declared.limit}"
        )
        items = sorted(items, key=lambda item: (item.time, item.name))[-declared.limit :]
    dataset = Dataset.of(
        declared.name,
        items,
        columns=cut.columns,
        good=declared.good,
        limits=limits,
        left_out=tuple(cut.left_out),
        origin=origin,
        description=declared.description,
        contributor=declared.contributor,
        consent=declared.consent,
        licence=declared.licence,
        parents=declared.parents,
        declaration=text_of(declared),
    )
    return shelf.keep(dataset, who)


def text_of(declared: Declaration) -> str:
    """Return a declaration as TOML: what was said, without what was left as it is."""
    return tomlkit.dumps(_said(msgspec.to_builtins(declared)))


def _said(table: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        kept = _said(value) if isinstance(value, dict) else value
        if isinstance(kept, list | tuple):
            kept = [_said(each) if isinstance(each, dict) else each for each in kept]
        if kept not in (None, "", [], (), {}):
            found[key] = kept
    return found


def _fault(path: Path, key: str, problem: str, remedy: str) -> FactoryError:
    return FactoryError([Fault(file=str(path), key=key, problem=problem, remedy=remedy)])
