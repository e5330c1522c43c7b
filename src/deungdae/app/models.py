"""Trained models on disk: each in a folder with its signed card, and what was done with it."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from deungdae.core.errors import Refused, StoreError
from deungdae.core.ports import Appointed
from deungdae.learn.registry import Card, Move, Standing, Tampered, check, digest, signed, standing
from deungdae.wires import vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger("deungdae.models")

FOLDER = "models"  # in the history's folder
FILE, CARD, MOVES, KEY = "model.onnx", "card.json", "moves.jsonl", "signing.key"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,58}[a-z0-9])?")
VERSION = re.compile(r"[0-9a-f]{12}")


class Models:
    """All models of a factory, or of a folder. Every method blocks on the disk.

    A model and its card are read only where both are what was signed with the folder's key, which
    its owner alone may read. Several processes may read; one adds and moves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[int, tuple[Appointed, ...]]] = {}

    def names(self) -> list[str]:
        """Return the models that there are."""
        if not self.folder.is_dir():
            return []
        return sorted(each.name for each in self.folder.iterdir() if NAME.fullmatch(each.name))

    def cards(self, name: str) -> list[Card]:
        """Return the cards of all versions, oldest first. Raises Tampered, StoreError."""
        folder = self._of(name)
        if not folder.is_dir():
            return []
        found = [each.name for each in folder.iterdir() if VERSION.fullmatch(each.name)]
        cards = [self.read(name, version)[0] for version in found]
        return sorted(cards, key=lambda card: (card.trained, card.version))

    def read(self, name: str, version: str) -> tuple[Card, bytes]:
        """Return a card and the model's file.

        Raises Tampered where either is not what was signed, LookupError where there is none, and
        StoreError where it cannot be read.
        """
        if not VERSION.fullmatch(version):
            raise LookupError(f"{version!r} is no version of a model: 12 hexadecimal digits")
        folder = self._of(name) / version
        try:
            text, content = (folder / CARD).read_bytes(), (folder / FILE).read_bytes()
        except FileNotFoundError as error:
            raise LookupError(f"model {name} has no version {version}") from error
        except OSError as error:
            raise StoreError(f"{folder} cannot be read: {error.strerror or error}") from error
        try:
            card = msgspec.json.decode(text, type=Card)
        except msgspec.MsgspecError as error:
            raise Tampered(f"{folder / CARD} is no card of a model: {error}") from error
        check(card, content, self._key().public_key())
        if (card.name, card.version) != (name, version):
            raise Tampered(f"{folder} holds the model {card.name} {card.version}")
        return card, content

    def add(self, card: Card, content: bytes) -> Card:
        """Keep a model; return its card, signed. One that is there already stays as it is."""
        card = signed(msgspec.structs.replace(card, content=digest(content)), self._key())
        folder = self._of(card.name) / card.version
        if (folder / CARD).exists():
            return self.read(card.name, card.version)[0]
        try:
            vault.write(folder / FILE, content)
            vault.write(folder / CARD, msgspec.json.format(msgspec.json.encode(card)))
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error.strerror or error}") from error
        return card

    def moves(self, name: str) -> list[Move]:
        """Return what was done with a model, in order. Raises StoreError."""
        path = self._of(name) / MOVES
        try:
            lines = path.read_bytes().splitlines()
            return [msgspec.json.decode(line, type=Move) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error

    def standing(self, name: str) -> Standing:
        """Return which version acts, and which is watched."""
        return standing(self.moves(name))

    def move(self, name: str, move: Move) -> Standing:
        """Set a version to a stage; return what holds then.

        Raises LookupError for a version that is not there, Tampered, and Refused for one that
        shall judge and was not measured against the one that judges, or is worse than that.
        """
        moves = self.moves(name)
        if move.version:
            self._check(move, self.read(name, move.version)[0], moves)
        path = self._of(name) / MOVES
        moves.append(move)
        try:
            vault.write(path, b"".join(msgspec.json.encode(each) + b"\n" for each in moves))
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
        after = standing(moves)
        log.info(
            "model=%s acting=%s stage=%s shadow=%s",
            name, after.acting or "-", after.stage or "-", after.shadow or "-",
        )  # fmt: skip
        return after

    def _check(self, move: Move, card: Card, moves: list[Move]) -> None:
        acting = standing(moves).acting
        known = {each.version for each in moves if each.stage in ("advise", "decide")}
        if move.stage == "shadow" or move.version in known:  # who judged before may judge again
            return
        if move.stage == "decide":
            raise Refused("stage", f"{move.version} never advised; let it advise first")
        if acting and (card.compared is None or card.compared.against != acting):
            raise Refused("compare", f"{move.version} was not measured against {acting}")
        if card.compared is not None and card.compared.verdict == "worse":
            raise Refused(
                "compare", f"{move.version} costs more than {acting or 'what judges now'}"
            )

    def appointed(self, name: str) -> tuple[Appointed, ...]:
        """Return the versions that act and are watched, read anew where something was done.

        One that was tampered with, or is gone, is left out, and that is logged: what it judged,
        people or the next best analysis judge again.
        """
        path = self._of(name) / MOVES
        try:
            stamp = path.stat().st_mtime_ns + path.stat().st_size
        except OSError:
            return ()
        known = self._seen.get(name)
        if known is None or known[0] != stamp:
            known = self._seen[name] = stamp, self._appointed(name)
        return known[1]

    def _appointed(self, name: str) -> tuple[Appointed, ...]:
        found = []
        try:
            now = self.standing(name)
        except StoreError as error:
            log.error("state=unread %s", error)
            return ()
        for version, stage in ((now.acting, now.stage), (now.shadow, "shadow")):
            if not version:
                continue
            try:
                card, content = self.read(name, version)
            except (Tampered, LookupError, StoreError) as error:
                log.error("state=refused %s", error)
                continue
            found.append(Appointed(name, version, stage, card.accept, card.reject, content))
        return tuple(found)

    def _of(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a model: small letters, digits, - and _")
        return self.folder / name

    def _key(self) -> Ed25519PrivateKey:
        """Return the key with which cards are signed, made when it is needed first."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 — as late
            Ed25519PrivateKey,
        )

        path = self.folder / KEY
        try:
            if (content := vault.read(path)) is None:
                content = vault.once(path, Ed25519PrivateKey.generate().private_bytes_raw())
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        return Ed25519PrivateKey.from_private_bytes(content)
