"""The journal: what was commanded, permitted, refused and who logged in, in a chain of hashes.

One file a month, one JSON line an entry. Each entry's hash covers its content and the hash of the
entry before, across files, so that nothing can be altered, removed or put in between unseen. The
end could still be cut off, or everything rewritten: keep `head` where the journal's machine cannot
reach it (a peer, the programme's server), and compare.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from deungdae.core.clock import Clock, RealClock, to_iso
from deungdae.core.errors import StoreError, StoreFailed
from deungdae.core.types import HOUR
from deungdae.wires import vault

from .hold import Hold

log = logging.getLogger("deungdae.journal")

BEGINNING = "0" * 64  # what the first entry names as the hash before it
LOOKED = 100_000  # entries that are looked at for one page
_CHUNK = 1 << 16


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done, wished or refused.

    n: 1, 2, 3 … without gaps. time: when it was written, ns. kind: command, permit, refusal, write,
    readback, login, mode, note … who: person, policy or part of the system. data: the details.
    previous: hash of the entry before; hash: SHA-256, in hex, over all the other fields.
    """

    n: int
    time: int
    kind: str
    who: str
    data: dict[str, object]
    previous: str
    hash: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for: all of what is given must fit.

    start <= time < end; before: only those with a smaller number, 0: all. kinds, who: exactly, ():
    any. text: somewhere in who, kind or data, in capitals or not.
    """

    start: int
    end: int
    before: int = 0
    kinds: tuple[str, ...] = ()
    who: str = ""
    text: str = ""

    def fits(self, entry: Entry) -> bool:
        """Return whether an entry is asked for."""
        return (
            self.start <= entry.time < self.end
            and (not self.before or entry.n < self.before)
            and (not self.kinds or entry.kind in self.kinds)
            and (not self.who or entry.who == self.who)
            and (not self.text or self.text.casefold() in _words(entry))
        )


class Page(msgspec.Struct, frozen=True):
    """Entries, the newest first. rest: older ones are asked for by before=rest; 0: there are none.

    Where many do not fit a page may be short, even empty, and yet have a rest.
    """

    entries: list[Entry]
    rest: int


class Broken(msgspec.Struct, frozen=True):
    """Where the chain does not hold: file, line from 1, and what is wrong there."""

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


class Journal:
    """An append-only chain of entries in a folder. One process at a time; safe across threads."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Open or begin the journal in a folder.

        A last line that a power cut tore is kept aside and noted. Raises StoreError where another
        process holds the journal, or where its end is not a sound entry.
        """
        self.path = path
        self._clock = clock or RealClock()
        self._lock = threading.Lock()
        self._failure = ""
        self._file = -1
        self._month = ""
        self._n = 0
        self._head = BEGINNING
        path.mkdir(parents=True, exist_ok=True)
        self._hold = Hold(path / "journal.lock", f"the journal at {path}")
        try:
            self._continue()
        except BaseException:
            self.close()
            raise

    def append(self, kind: str, data: dict[str, object], who: str = "") -> Entry:
        """Return the new entry, durable. Raises StoreError; then nothing more is accepted.

        data: what JSON can carry.
        """
        with self._lock:
            if self._failure:
                raise StoreFailed(self._failure)
            now = self._clock.now()
            plain = msgspec.json.decode(msgspec.json.encode(data))  # as a reader will see it
            entry = _sealed(
                Entry(n=self._n + 1, time=now, kind=kind, who=who, data=plain, previous=self._head)
            )
            line = msgspec.json.encode(entry) + b"\n"
            try:
                self._write(self._month_of(now), line)
            except OSError as error:
                self._failure = (
                    f"the journal at {self.path} could not be written and accepts nothing until it"
                    f" is opened anew: {error}; check the disk"
                )
                raise StoreFailed(self._failure) from error
            self._n, self._head = entry.n, entry.hash
            return entry

    def read(self, start: int, end: int) -> list[Entry]:
        """Return the entries with start <= time < end, in order of writing. Raises StoreError."""
        found = []
        month = to_iso(max(start, 0))[:7]
        for path in self._files():
            if path.stem < month:  # holds nothing newer than its month
                continue
            for number, line in enumerate(_lines(path), start=1):
                try:
                    entry = msgspec.json.decode(line, type=Entry)
                except msgspec.MsgspecError as error:
                    raise StoreError(
                        f"{path.name}:{number} is no journal entry: {error}"
                    ) from error
                if start <= entry.time < end:
                    found.append(entry)
        return found

    def newest(self, wanted: Wanted, limit: int) -> Page:
        """Return the newest entries that are wanted, at most `limit`. Raises StoreError.

        Reads backwards from the end, so that a long journal costs no more than a short one.
        """
        found: list[Entry] = []
        for looked, entry in enumerate(self._backwards(), start=1):
            if wanted.fits(entry):
                found.append(entry)
            if len(found) == limit or looked == LOOKED:
                return Page(found, entry.n if entry.n > 1 else 0)
            if entry.time < wanted.start - _SLACK:
                break
        return Page(found, 0)

    def _backwards(self) -> Iterator[Entry]:
        for path in reversed(self._files()):
            for line in _lines_backwards(path):
                yield _decoded_plainly(line, path)

    def verify(self) -> Broken | None:
        """Return the first place where the chain does not hold, or None where all of it does."""
        with self._lock:
            end, head = self._n, self._head
        n, previous = 0, BEGINNING
        for path in self._files():
            for number, line in enumerate(_lines(path), start=1):
                problem = _problem(line, n + 1, previous)
                if problem:
                    return Broken(path.name, number, problem)
                entry = msgspec.json.decode(line, type=Entry)
                n, previous = entry.n, entry.hash
                if n == end:
                    return None if previous == head else Broken(path.name, number, "was replaced")
        return None if n == end else Broken(self._month, 0, f"entries {n + 1} to {end} are gone")

    def head(self) -> str:
        """Return the hash of the newest entry: whoever keeps it can prove what came before."""
        return self._head

    def close(self) -> None:
        """Close the journal. May be called twice."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            if self._failure != _CLOSED:
                self._failure = _CLOSED
                self._hold.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _continue(self) -> None:
        """Find the end of the chain; put a torn last line aside."""
        torn = ""
        for path in reversed(self._files()):
            torn = torn or _mend(path)
            last = _last_line(path)
            if last:
                entry = _decoded(last, path)
                self._n, self._head, self._month = entry.n, entry.hash, path.name
                break
        if torn:
            log.warning("file=%s state=mended problem='torn last line kept aside'", torn)
            self.append("note", {"problem": "the last line was torn", "kept": torn}, "journal")

    def _month_of(self, now: int) -> str:
        """Return the file to write to: never an older one, should the clock have gone back."""
        return max(self._month, f"{to_iso(now)[:7]}.jsonl")

    def _write(self, month: str, line: bytes) -> None:
        if month != self._month or self._file < 0:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            path = self.path / month
            is_new = not path.exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o640)
            self._month = month
            if is_new:
                vault.sync(self.path)
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes were written")
        os.fdatasync(self._file)

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("*.jsonl"))


_CLOSED = "the journal is closed"
_SLACK = HOUR  # by which a clock may have gone back between two entries
_canonical = msgspec.json.Encoder(order="deterministic")


def _sealed(entry: Entry) -> Entry:
    """Return the entry with its hash."""
    content = _canonical.encode(msgspec.structs.replace(entry, hash=""))
    return msgspec.structs.replace(entry, hash=hashlib.sha256(content).hexdigest())


def _problem(line: bytes, n: int, previous: str) -> str:
    """Return what is wrong with a line that should be entry n after `previous`, or ''."""
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"no journal entry: {error}"
    if entry.n != n:
        return f"entry {entry.n} stands where entry {n} should"
    if entry.previous != previous:
        return "does not follow from the entry before"
    if _sealed(entry).hash != entry.hash:
        return "the content does not fit its hash"
    return ""


def _decoded(line: bytes, path: Path) -> Entry:
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the journal {path} does not end in an entry: {error}; restore it from a backup"
        ) from error
    if _sealed(entry).hash != entry.hash:
        raise StoreError(
            f"the last entry of the journal {path} does not fit its hash: it was altered;"
            " restore it from a backup"
        )
    return entry


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\n")


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, the last first; what is written meanwhile is not seen."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        held = b""
        while place:
            step = min(_CHUNK, place)
            place = file.seek(place - step)
            first, *lines = (file.read(step) + held).split(b"\n")
            yield from (line for line in reversed(lines) if line)
            held = first
        if held:
            yield held


def _decoded_plainly(line: bytes, path: Path) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"{path.name} holds what is no journal entry: {error}") from error


def _words(entry: Entry) -> str:
    """Return an entry as text to search in."""
    return f"{entry.who} {entry.kind} {msgspec.json.encode(entry.data).decode()}".casefold()


def _last_line(path: Path) -> bytes:
    """Return the last line without reading the whole file; b'' where there is none."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        tail = b""
        while place and tail.count(b"\n") < 2:
            step = min(_CHUNK, place)
            place = file.seek(place - step)
            tail = file.read(step) + tail
    return tail.rstrip(b"\n").rpartition(b"\n")[2]


def _mend(path: Path) -> str:
    """Move a last line without its end into a file of its own; return that file's name, or ''."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return ""
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return ""
        torn = _last_line(path)
        aside = path.with_name(f"{path.stem}-{size}.torn")
        with aside.open("wb") as kept:
            kept.write(torn)
            kept.flush()
            os.fsync(kept.fileno())
        vault.sync(path.parent)
        file.truncate(size - len(torn))
        os.fsync(file.fileno())
    return aside.name
