"""Trained models: the card of each, its signature, and its way from the shadow to deciding."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from .compare import Contest
from .drift import Window
from .measure import Interval

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

Stage = Literal["shadow", "advise", "decide"]


class Tampered(ValueError):
    """A model is not what its card says, or the card is not what was signed."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of model that was tried, and its area under the ROC curve on groups it never saw."""

    method: str
    auroc: float


class Borrowed(msgspec.Struct, frozen=True, kw_only=True):
    """Weights from elsewhere that were given to a training.

    name: of the file; content: its SHA-256; kind: of the network that they are of; licence: as who
    gave them says; used: whether the model judges with them.
    """

    name: str
    content: str
    kind: str
    licence: str = ""
    used: bool


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """What the limits of a model hold for new parts, as far as the known ones can carry it.

    escape: share of bad parts that pass at most, false_reject: of good ones that are rejected; 0
    where that is never decided without a person, None where nothing can be promised.
    """

    escape: float | None
    false_reject: float | None


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is to be known of a model, and what it is allowed to be used for.

    version: the first 12 digits of content, the SHA-256 of the model's file; dataset: name and
    version of what it learnt from. A part whose score is below `accept` is good, one above
    `reject` is bad, what lies between is for a person. escape, false_reject: shares of bad and of
    good parts that were asked for; promised: those that the two limits hold, in words in `limits`
    (None: made before it was kept). metrics: figures on groups that were held out, held_bad of
    whose parts are bad (None: made before it was counted); compared: with what judged before it,
    on the same ones. seconds: of the budget; trained: ns since 1970; weights: from elsewhere,
    where some were given.
    signature: Ed25519 over the rest, hexadecimal.
    """

    name: str
    content: str
    method: str
    dataset: str
    images: int
    groups: int
    bad: int
    held_out: int
    trained: int
    seed: int
    seconds: float
    accept: float
    reject: float
    escape: float
    false_reject: float
    metrics: dict[str, Interval] = {}
    compared: Contest | None = None
    tried: tuple[Trial, ...] = ()
    limits: tuple[str, ...] = ()
    window: Window | None = None
    held_bad: int | None = None
    weights: Borrowed | None = None
    promised: Promised | None = None
    signature: str = ""

    @property
    def version(self) -> str:
        """Return the short name of what was learnt."""
        return self.content.removeprefix("sha256:")[:12]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A version that somebody set to a stage; '' takes the model out of use. time: ns."""

    version: str
    stage: Stage | Literal[""]
    person: str
    time: int
    because: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Which version acts, at which stage, and which one is watched in the shadow; '' for none.

    before: what acted last before, to go back to.
    """

    acting: str = ""
    stage: Stage | Literal[""] = ""
    shadow: str = ""
    before: str = ""


def digest(content: bytes) -> str:
    """Return what a card says of the content of a model's file."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def signed(card: Card, key: Ed25519PrivateKey) -> Card:
    """Return the card with its signature."""
    return msgspec.structs.replace(card, signature=key.sign(_said(card)).hex())


def check(card: Card, content: bytes, key: Ed25519PublicKey) -> None:
    """Raise Tampered where the file or the card is not what was signed with that key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 — only who has models

    if digest(content) != card.content:
        raise Tampered(
            f"the file of model {card.name} {card.version} was changed after it was trained: "
            f"it is {digest(content)[:19]}…, its card says {card.content[:19]}…"
        )
    try:
        key.verify(bytes.fromhex(card.signature), _said(card))
    except (InvalidSignature, ValueError) as error:
        raise Tampered(
            f"the card of model {card.name} {card.version} was changed after it was signed, "
            "or is of another factory"
        ) from error


def standing(moves: Iterable[Move]) -> Standing:
    """Return what holds after these moves, in their order."""
    found = Standing()
    for move in moves:
        if move.stage == "shadow" and move.version == found.acting:
            found = Standing(shadow=move.version, before=move.version)
        elif move.stage == "shadow":
            found = msgspec.structs.replace(found, shadow=move.version)
        elif move.stage:
            shadow = "" if found.shadow == move.version else found.shadow
            before = found.before if found.acting == move.version else found.acting or found.before
            found = Standing(acting=move.version, stage=move.stage, shadow=shadow, before=before)
        else:
            found = Standing(before=found.acting or found.before)
    return found


def _said(card: Card) -> bytes:
    told = msgspec.to_builtins(msgspec.structs.replace(card, signature=""))
    # cards that were signed before there were these stay valid
    for later in ("window", "held_bad", "weights", "promised"):
        if told[later] is None:
            del told[later]
    return msgspec.json.encode(told, order="sorted")
