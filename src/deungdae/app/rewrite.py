"""Changes the files of a factory's description safely: checked first, whole or not at all, kept.

What a file held before is kept in `.versions` beside it, with who changed it, so that it can be
looked at and put back.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError

from deungdae.core import registry
from deungdae.core.clock import to_iso
from deungdae.core.errors import DeungdaeError, FactoryError, Fault
from deungdae.core.types import SECOND
from deungdae.wires import vault

from . import describe

VERSIONS = ".versions"  # folder of what files held before
KEPT = 200  # changes that are kept
_SAVED = "saved.json"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a description. name: relative to the factory's folder, with `/`.

    text: without a byte-order mark, lines ended by newlines alone. version: of the bytes on disk,
    '' where the file is not there. encoding: utf-8, or cp949 as Korean spreadsheets save CSV, or
    '' where it is neither: then there is no text.
    """

    name: str
    text: str
    version: str
    encoding: str = "utf-8"


class Files(msgspec.Struct, frozen=True):
    """The description of a factory as files, factory.toml first."""

    folder: Path
    files: tuple[File, ...]

    @property
    def versions(self) -> dict[str, str]:
        """Return each file's version."""
        return {file.name: file.version for file in self.files}

    def __getitem__(self, name: str) -> File:
        """Return a file, or what stands for one that is not there."""
        return next((f for f in self.files if f.name == name), File(name=name, text="", version=""))


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """One change. before, after: version of each changed file, '' where there was none."""

    id: str
    time: str
    person: str
    before: dict[str, str] = {}
    after: dict[str, str] = {}


class Conflict(DeungdaeError):
    """Somebody changed a file meanwhile. file: as it is now; saved: the change, if made here."""

    def __init__(self, file: File, saved: Saved | None) -> None:
        who = f"by {saved.person or 'somebody'} at {saved.time}" if saved else "outside of Deungdae"
        super().__init__(f"{file.name} was changed meanwhile, {who}")
        self.file = file
        self.saved = saved


class Unwritable(DeungdaeError):
    """A file cannot be written. remedy: what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


def read(path: Path) -> Files:
    """Return every file of a description that can be found, right or wrong.

    path: factory.toml or its folder. Raises Unwritable where factory.toml cannot be read.
    """
    path = path / "factory.toml" if path.is_dir() else path
    first = _read(path.parent, path.name)
    names = _named(first.text)
    return Files(path.parent, (first, *(_read(path.parent, name) for name in names)))


def check(path: Path, texts: Mapping[str, str]) -> list[Fault]:
    """Return every fault that the description would have with these texts; touches no file.

    texts: by name; others are as on disk. A fault's file is a name as of `read`.
    """
    folder = path if path.is_dir() else path.parent
    try:
        describe.read(path, texts)
    except FactoryError as error:
        return [_relative(fault, folder) for fault in error.faults]
    return []


def save(
    path: Path,
    changes: Mapping[str, str],
    versions: Mapping[str, str],
    *,
    moment: int,
    person: str = "",
) -> Files:
    """Write the texts of files, all or none, and return the description as it is then.

    versions: of each changed file, as it was when the person began. moment: now, ns.
    Raises Conflict where it is another by now, FactoryError where the result would be wrong, and
    Unwritable; then nothing was changed.
    """
    path = path / "factory.toml" if path.is_dir() else path
    with _alone(path.parent):
        now = read(path)
        _check_names(now, changes)
        for name in changes:
            if now[name].version != versions.get(name, ""):
                raise Conflict(now[name], _author(path.parent, name, now[name].version))
        if faults := check(path, changes):
            raise FactoryError(faults)
        changed = {
            name: text
            for name, text in changes.items()
            if text != now[name].text or now[name].encoding != "utf-8"
        }
        if changed:
            _write(path.parent, now, changed, person, moment)
        return read(path)


def change(
    path: Path,
    version: str | None,
    edit: Callable[[tomlkit.TOMLDocument], None],
    *,
    moment: int,
    person: str = "",
) -> Files:
    """Change a few keys of factory.toml; comments, order and all else stay. See `save`.

    version: of factory.toml when the person began; None: whatever it is now.
    """
    path = path / "factory.toml" if path.is_dir() else path
    file = _read(path.parent, path.name)
    versions = {file.name: file.version if version is None else version}
    return save(path, {file.name: edited(file.text, edit)}, versions, moment=moment, person=person)


def edited(text: str, edit: Callable[[tomlkit.TOMLDocument], None]) -> str:
    """Return a TOML text after an edit. Raises FactoryError where it is no TOML."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise _no_file("factory.toml", f"is no TOML: {error}", "mend it in the editor") from error
    edit(document)
    return tomlkit.dumps(document)


def history(path: Path) -> list[Saved]:
    """Return the changes that were made here, newest first."""
    folder = (path if path.is_dir() else path.parent) / VERSIONS
    found = []
    for file in sorted(folder.glob(f"*/{_SAVED}"), reverse=True):
        with suppress(OSError, msgspec.MsgspecError):  # one that is just being taken away
            found.append(msgspec.json.decode(file.read_bytes(), type=Saved))
    return found


def before(path: Path, saved: Saved) -> dict[str, str]:
    """Return the texts that a change replaced; of a file that it made: ''."""
    folder = (path if path.is_dir() else path.parent) / VERSIONS / saved.id
    return {
        name: _decoded((folder / _flat(name)).read_bytes())[0] if version else ""
        for name, version in saved.before.items()
    }


def after(path: Path, saved: Saved) -> dict[str, str]:
    """Return the texts that a change wrote, of files whose text then is still known."""
    now = read(path)
    found = {name: now[name].text for name, v in saved.after.items() if now[name].version == v}
    for later in history(path):
        missing = {
            name
            for name, v in saved.after.items()
            if name not in found and later.before.get(name) == v
        }
        found |= {name: text for name, text in before(path, later).items() if name in missing}
    return found


def _read(folder: Path, name: str) -> File:
    try:
        raw = (folder / name).read_bytes()
    except FileNotFoundError:
        return File(name=name, text="", version="")
    except OSError as error:
        problem = f"{name} cannot be read: {error.strerror}"
        raise Unwritable(problem, "see who may read it") from error
    text, encoding = _decoded(raw)
    return File(name=name, text=text, version=_version(raw), encoding=encoding)


def _version(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _decoded(raw: bytes) -> tuple[str, str]:
    """Return the text and its encoding; both '' where it is none that we know."""
    for encoding in ("utf-8-sig", "cp949"):
        with suppress(UnicodeDecodeError):
            text = raw.decode(encoding).replace("\r\n", "\n")
            return text, "utf-8" if encoding == "utf-8-sig" else encoding
    return "", ""


def _encoded(name: str, text: str, before: bytes) -> bytes:
    """Return a text as UTF-8, with the byte-order mark and the ends of lines as they were.

    A table that is new, or was no UTF-8, gets the mark: spreadsheets then read Korean right.
    """
    raw = text.replace("\r\n", "\n").encode()
    if b"\r\n" in before:
        raw = raw.replace(b"\n", b"\r\n")
    fresh = not before or _decoded(before)[1] != "utf-8"
    marked = before.startswith(codecs.BOM_UTF8) or (fresh and name.endswith(".csv"))
    return codecs.BOM_UTF8 + raw if marked else raw


def _named(text: str) -> list[str]:
    """Return the other files that a description names, as far as it can be understood."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return []
    names = [table["signals"]] if isinstance(table.get("signals"), str) else []
    for room in registry.ROOMS:
        tables = table.get(room)
        for content in tables.values() if isinstance(tables, dict) else ():
            if isinstance(content, dict):
                names += _files(room, content)
    return [name for name in dict.fromkeys(names) if _is_within(name)]


def _files(room: str, content: Mapping[str, object]) -> Iterator[str]:
    """Yield the files that a plug-in's table names."""
    try:
        cls = registry.load(room, str(content.get("type")))
    except (registry.UnknownTypeError, ImportError):
        return
    for option in getattr(cls, "files", ()):
        if isinstance(name := content.get(option), str) and name:
            yield name


def _is_within(name: str) -> bool:
    """Return whether a name stays in the factory's folder: no page may read or write elsewhere."""
    path = Path(name)
    return (
        name == path.as_posix()
        and not path.is_absolute()
        and not any(part.startswith(".") for part in path.parts)
        and path.suffix in (".toml", ".csv", ".txt", ".json")
    )


def _check_names(now: Files, changes: Mapping[str, str]) -> None:
    """Raise FactoryError for a file that the description, as it is or will be, does not name."""
    allowed = {*now.versions, *_named(changes.get(now.files[0].name, ""))}
    for name in changes:
        if name not in allowed:
            remedy = f"these are: {', '.join(sorted(allowed))}"
            raise _no_file(name, "is no file of this description", remedy)
        if now[name].version and not now[name].encoding:
            raise _no_file(name, "is no text that can be read", "save it as UTF-8 first")


def _no_file(name: str, problem: str, remedy: str) -> FactoryError:
    return FactoryError([Fault(file=name, key="file", problem=problem, remedy=remedy)])


def _relative(fault: Fault, folder: Path) -> Fault:
    with suppress(ValueError):
        name = Path(fault.file).relative_to(folder).as_posix()
        return msgspec.structs.replace(fault, file=name)
    return fault


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one after the other change a folder, whichever thread or process it is."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _author(folder: Path, name: str, version: str) -> Saved | None:
    """Return the change that gave a file its version, if it was made here."""
    return next((each for each in history(folder) if each.after.get(name) == version), None)


def _write(folder: Path, now: Files, changes: Mapping[str, str], person: str, moment: int) -> None:
    """Put new texts in place of files: first all is on disk, then each takes its place at once."""
    raws = {name: _raw(folder, name) for name in changes}
    news = {name: _encoded(name, text, raws[name]) for name, text in changes.items()}
    # factory.toml comes last: it names the others
    targets = sorted(((folder / name).resolve(), name) for name in changes)
    targets.sort(key=lambda each: each[1] == now.files[0].name)
    kept = folder / VERSIONS / _id(moment)
    ready: list[tuple[Path, Path]] = []
    try:
        for target, name in targets:
            _check_writable(target, name)
            ready.append((_prepared(target, news[name]), target))
        _keep(kept, now, raws, news, Saved(id=kept.name, time=to_iso(moment), person=person))
        for file, target in ready:
            file.replace(target)
        _settle({target.parent for target, _ in targets})
    except OSError as error:
        shutil.rmtree(kept, ignore_errors=True)
        problem = f"{', '.join(changes)} cannot be written: {error.strerror or error}"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Unwritable(
            problem, "make room on the disk" if full else "see who may write"
        ) from error
    finally:
        for file, _ in ready:
            file.unlink(missing_ok=True)  # those in place are not there any more
    for old in sorted((folder / VERSIONS).iterdir())[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _raw(folder: Path, name: str) -> bytes:
    with suppress(FileNotFoundError):
        return (folder / name).read_bytes()
    return b""


def _check_writable(target: Path, name: str) -> None:
    """Raise Unwritable for a file that was made read-only: somebody meant it."""
    if target.exists() and not (
        os.access(target, os.W_OK) and target.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP)
    ):
        raise Unwritable(f"{name} is read-only", "nothing was changed; allow it with: chmod u+w")


def _prepared(target: Path, raw: bytes) -> Path:
    """Return a durable new file beside the one whose place it will take."""
    handle, ready = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
            os.fchmod(file.fileno(), mode)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(ready).unlink(missing_ok=True)
        raise
    return Path(ready)


def _settle(folders: set[Path]) -> None:
    """Make the new names in folders durable."""
    for folder in folders:
        vault.sync(folder)


def _keep(
    place: Path,
    now: Files,
    raws: Mapping[str, bytes],
    news: Mapping[str, bytes],
    saved: Saved,
) -> None:
    """Keep what files hold before a change."""
    place.mkdir(parents=True)
    for name, raw in raws.items():
        if now[name].version:
            (place / _flat(name)).write_bytes(raw)
    saved = msgspec.structs.replace(
        saved,
        before={name: now[name].version for name in raws},
        after={name: _version(raw) for name, raw in news.items()},
    )
    (place / _SAVED).write_bytes(msgspec.json.encode(saved))


def _id(moment: int) -> str:
    """Return a name for a change that sorts by time."""
    whole, fraction = divmod(moment, SECOND)
    return f"{re.sub('[-:]', '', to_iso(whole * SECOND))}-{fraction:09d}"


def _flat(name: str) -> str:
    """Return a file's name for a folder without folders."""
    return name.replace("/", "__")
