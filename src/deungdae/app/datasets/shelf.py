"""The folder in which sets of data lie, each version for ever, and the log of their use."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from deungdae.core import strict
from deungdae.core.clock import Clock, RealClock
from deungdae.core.errors import StoreError
from deungdae.historian.journal import Entry, Journal
from deungdae.learn.dataset import FORMAT, Card, Dataset, from_parquet, to_parquet
from deungdae.wires import vault
from deungdae.wires.blobs import Blobs

log = logging.getLogger("deungdae.datasets")

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
SHORT = 12  # digits of a version that are shown to people
CARD, ITEMS, AUDIT, BLOBS, JOURNAL = "card.json", "items.parquet", "audit.json", "blobs", "journal"
PATIENCE = 5.0  # s for another program that writes into the log of use
FRESH = 3600.0  # s that an image without a card is left: it may belong to a set that is being cut
LARGEST_CARD = 50_000_000  # bytes; it is read whole
_VERSION = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


class UnknownSetError(ValueError):
    """There is no set of this name or version; the message says which there are."""


class Shelf:
    """A folder `<name>/<version>/` with card and items, and `blobs/` with the images of all.

    Each name has a journal, a chain of hashes, of what was kept under it and who used it for what.
    Every method blocks on the disk. Several programs may use one shelf at once.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or RealClock()
        self.blobs = Blobs(folder / BLOBS)

    def keep(self, dataset: Dataset, who: str, how: str = "built") -> Dataset:
        """Return the set as it is kept, durable; what was kept under this version gets its card.

        The images must lie in `blobs` already. Raises StoreError.
        """
        card = dataset.card
        _check_name(card.name)
        if not card.made:
            card = msgspec.structs.replace(card, made=self.clock.now())
        files = {
            CARD: msgspec.json.format(msgspec.json.encode(card), indent=2),
            ITEMS: to_parquet(dataset.items, card.columns),
        }
        place = self._place(card)
        try:
            for name, content in files.items():
                vault.write(place / name, content)
        except OSError as error:
            raise StoreError(f"{place} cannot be written: {error.strerror or error}") from error
        self.note(card, how, who, {"items": card.items, "seal": card.seal})
        return Dataset(card, dataset.items)

    def cards(self, name: str = "") -> list[Card]:
        """Return the card of each version, of one name or of all, the newest first.

        A damaged one is only logged: it must not hide the others.
        """
        found = []
        for path in sorted(self.folder.glob(f"{name or '*'}/*/{CARD}")):
            try:
                found.append(self._card(path.parent))
            except StoreError as error:
                log.warning("set=%s state=damaged problem=%r", path.parent.parent.name, str(error))
        return sorted(found, key=lambda card: (-card.made, card.name, card.version))

    def card(self, asked: str) -> Card:
        """Return the card of `name`, the newest version, or of `name@version`, or its beginning.

        Raises UnknownSetError.
        """
        name, _, version = asked.partition("@")
        if NAME.fullmatch(name) and (self.folder / name / version / CARD).is_file():
            return self._card(self.folder / name / version)
        found = self.cards(name) if NAME.fullmatch(name) else []
        fitting = [card for card in found if card.version.startswith(version)]
        if not fitting:
            known = sorted({card.name for card in self.cards()})
            close = strict.closest(name, known)
            there = ", ".join(card.version[:SHORT] for card in found) or ", ".join(known) or "none"
            remedy = close or f"there are: {there}"
            raise UnknownSetError(f"there is no set {asked} in {self.folder}; {remedy}")
        if version and len({card.version for card in fitting}) > 1:
            raise UnknownSetError(f"{asked} begins {len(fitting)} versions: give more of it")
        return fitting[0]

    def get(self, asked: str) -> Dataset:
        """Return a set, `name` or `name@version`, whose items are those that were kept.

        The images are checked when they are read. Raises UnknownSetError, and StoreError where the
        items are not those of the version any more.
        """
        card = self.card(asked)
        try:
            items = from_parquet((self._place(card) / ITEMS).read_bytes(), card.columns)
        except (OSError, ValueError) as error:
            raise StoreError(f"{card.name}@{card.version[:SHORT]}: {error}") from error
        dataset = Dataset(card, items)
        if problems := dataset.problems():
            raise StoreError(f"{problems[0]}; build it anew, or import it again")
        return dataset

    def put(self, content: bytes) -> str:
        """Return the reference of an image or mask, which lies there from now on.

        What lies there already is not made durable again: sets share most of their images.
        """
        ref = f"sha256:{hashlib.sha256(content).hexdigest()}"
        try:
            os.utime(self.blobs.path(ref))  # so that no sweep takes it before it has its card
        except OSError:
            return self.blobs.put(content)
        return ref

    def content(self, ref: str) -> bytes:
        """Return the bytes of an image or mask. Raises LookupError, ValueError or StoreError."""
        return self.blobs.get(ref)

    def verify(self, asked: str) -> list[str]:
        """Return everything that is not as it was kept: items, images, card, log of use."""
        card = self.card(asked)
        problems = self._journal_problems(card)
        try:
            dataset = self.get(card.id)
        except StoreError as error:
            return [*problems, str(error)]
        for item in dataset.items:
            for ref in item.files:
                try:
                    self.blobs.get(ref)
                except (LookupError, ValueError, StoreError) as error:
                    problems.append(f"{item.name}: {error}")
        return problems

    def use(self, card: Card, who: str, purpose: str, **told: str) -> Entry:
        """Write into the log that somebody uses a set, and for what. Raises StoreError."""
        return self.note(card, "use", who, {"purpose": purpose, **told})

    def drop(self, card: Card, who: str) -> int:
        """Return how many bytes of images became free when a version was dropped.

        The log of use keeps that there was one. Raises StoreError; where a card or the items of
        another version cannot be read, no image is dropped, since it may be theirs.
        """
        self.note(card, "drop", who, {"items": card.items})
        try:
            shutil.rmtree(self._place(card))
        except OSError as error:
            raise StoreError(f"{card.id} cannot be dropped: {error}") from error
        return self._sweep()

    def _sweep(self) -> int:
        """Drop the images that no set names and no build has put there within the hour."""
        needed: set[Path] = set()
        for path in self.folder.glob(f"*/*/{CARD}"):
            for item in self.get(self._card(path.parent).id).items:
                needed |= {self.blobs.path(ref) for ref in item.files}
        until, freed = time.time() - FRESH, 0
        for path in self.blobs.folder.glob("??/*"):
            told = path.stat()
            if path not in needed and told.st_mtime < until:
                path.unlink()
                freed += told.st_size
        return freed

    def log(self, name: str) -> list[Entry]:
        """Return what was done with a set, the oldest first."""
        folder = self.folder / name / JOURNAL
        if not NAME.fullmatch(name) or not folder.is_dir():
            return []
        return self._with_journal(name, lambda journal: journal.read(0, 2**63 - 1))

    def keep_audit(self, card: Card, audit: bytes, who: str) -> None:
        """Keep what an audit found beside the card. Raises StoreError."""
        try:
            vault.write(self._place(card) / AUDIT, audit)
        except OSError as error:
            raise StoreError(f"the audit cannot be written: {error}") from error
        self.note(card, "audit", who, {})

    def audit(self, card: Card) -> bytes | None:
        """Return what the last audit found, as JSON, or None where there was none."""
        path = self._place(card) / AUDIT
        return path.read_bytes() if path.is_file() else None

    def _place(self, card: Card) -> Path:
        return self.folder / card.name / card.version

    def _card(self, place: Path) -> Card:
        try:
            content = (place / CARD).read_bytes()
            card = read_card(content)
        except (OSError, ValueError) as error:
            raise StoreError(f"{place / CARD}: {error}") from error
        if (card.name, card.version) != (place.parent.name, place.name):
            raise StoreError(f"{place / CARD}: the card is that of {card.id}")
        return card

    def note(self, card: Card, kind: str, who: str, told: Mapping[str, object]) -> Entry:
        """Write into the log what was done with a set. Raises StoreError."""
        data = {"set": card.name, "version": card.version, **told}
        return self._with_journal(card.name, lambda journal: journal.append(kind, data, who))

    def _journal_problems(self, card: Card) -> list[str]:
        try:
            broken = self._with_journal(card.name, lambda journal: journal.verify())
        except StoreError as error:
            return [f"log of use: {error}"]
        if broken:
            return [f"log of use: {broken}"]
        seals = [
            entry.data["seal"]
            for entry in self.log(card.name)
            if entry.data.get("version") == card.version and "seal" in entry.data
        ]
        if not seals:
            return ["log of use: it does not know this version"]
        return [] if seals[-1] == card.seal else ["the card was changed after it was kept"]

    def _with_journal(self, name: str, work: Callable[[Journal], T]) -> T:
        """Return work(journal), waiting a little where another program has it open."""
        folder = self.folder / name / JOURNAL
        until = self.clock.monotonic() + PATIENCE
        while True:
            try:
                journal = Journal(folder, self.clock)
            except StoreError as error:
                if "is held by" not in str(error) or self.clock.monotonic() > until:
                    raise
                time.sleep(0.05)
                continue
            with journal:
                return work(journal)


def read_card(content: bytes) -> Card:
    """Return the card in a JSON text. Raises ValueError for what is none that we understand."""
    if len(content) > LARGEST_CARD:
        raise ValueError(f"a card of {len(content):,} bytes; at most {LARGEST_CARD:,} are read")
    try:
        card = msgspec.json.decode(content, type=Card)
    except msgspec.MsgspecError as error:
        raise ValueError(f"this is no card of a set of data: {error}") from error
    if card.format != FORMAT:
        raise ValueError(f"the card is of format {card.format!r}; only {FORMAT} is understood")
    _check_name(card.name)
    if not _VERSION.fullmatch(card.version):
        raise ValueError(f"{card.version!r} is no version: 64 digits in 0-9, a-f")
    return card


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a set: small letters, digits, - and _ (64)")
