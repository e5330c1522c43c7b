"""What a scanned text says, if it says more than itself."""

from __future__ import annotations

from .forms import GTIN, HRI, LINK, SYMBOLOGY, UNMARKED, Meaning


def read(text: str, *, guess: bool = True) -> Meaning:
    """Return what a scanned text says; a text that is not GS1 says nothing and is not doubted.

    guess: also read texts that only look like GS1, without symbology identifier, FNC1,
    parentheses or address: 01 or 02 with 14 digits, 00 with 18, and GTINs with a right check
    digit.
    """
    marked = any(form.match(text) for form in (SYMBOLOGY, LINK, HRI)) or "\x1d" in text
    if not marked and not (guess and (UNMARKED.match(text) or GTIN.fullmatch(text))):
        return Meaning({})
    from . import gs1  # noqa: PLC0415 — 16 MB, for those who scan GS1 alone

    return gs1.read(text, guess=guess)
