"""Makes a set that may leave the factory of one that may not."""

from __future__ import annotations

import io
import secrets
from collections.abc import Collection
from pathlib import Path

import numpy as np

from deungdae.core.errors import StoreError
from deungdae.learn.dataset import Dataset, anonymous, strip
from deungdae.wires import vault

from .shelf import Shelf

KEY = "anonymise.key"  # in the shelf's folder, for its owner's eyes only


def anonymise(
    shelf: Shelf,
    asked: str,
    name: str,
    who: str,
    *,
    keep: Collection[str] = (),
    coarse: int = 0,
    **card: object,
) -> Dataset:
    """Return the anonymous set, kept under another name. See learn.dataset.anonymous.

    Raises ValueError, and StoreError where the set is not whole.
    """
    dataset = shelf.get(asked)
    if name == dataset.card.name:
        raise ValueError(f"{name} is the name of what it is made of: choose another")
    refs: dict[str, str] = {}
    for item in dataset.items:
        for ref in item.files:
            if ref not in refs:
                refs[ref] = shelf.put(_stripped(_content(shelf, item.name, ref)))
    key = _key(shelf.folder / KEY)
    made = anonymous(dataset, name, key, refs, keep=keep, coarse=coarse, card=card)
    shelf.note(dataset.card, "anonymise", who, {"made": made.card.id})
    return shelf.keep(made, who, "anonymised")


def _content(shelf: Shelf, name: str, ref: str) -> bytes:
    try:
        return shelf.content(ref)
    except LookupError as error:
        raise StoreError(f"{name}: {error}; import or build the set again") from error


def _stripped(content: bytes) -> bytes:
    """Return an image of the same pixels and nothing else: as it is where that can be, else a PNG.

    A camera that was held askew is turned by a note in the file: such an image is written anew.
    """
    from deungdae.wires.pixels import decoded  # noqa: PLC0415 — for sets of images alone

    pixels = decoded(content)
    try:
        bare = strip(content)
        if np.array_equal(decoded(bare), pixels):
            return bare
    except ValueError:
        pass  # another kind of file, or one that only its notes hold together
    from PIL import Image  # noqa: PLC0415 — as above

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _key(path: Path) -> bytes:
    """Return the factory's key, made when it is first needed. Raises StoreError."""
    try:
        return vault.read(path) or vault.once(path, secrets.token_bytes(32))
    except OSError as error:
        raise StoreError(f"{path}: the key cannot be kept: {error.strerror or error}") from error
