"""What a GS1 text says: element strings, Digital Links and GTINs, parsed by biip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from biip import ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_messages import GS1Message
from biip.gtin import Gtin
from biip.symbology import GS1Symbology, SymbologyIdentifier

from .forms import GTIN, HRI, LINK, SYMBOLOGY, UNMARKED, Meaning

# application identifiers (GS1 General Specifications, section 3) that have a name in the data
NAMES = {
    "00": "sscc", "01": "gtin", "02": "content", "10": "lot", "11": "produced", "13": "packed",
    "15": "best_before", "17": "expiry", "21": "serial", "30": "count", "37": "count",
    "240": "item", "241": "part", "400": "order", "414": "gln", "8003": "grai", "8004": "giai",
}  # fmt: skip


def read(text: str, *, guess: bool) -> Meaning:
    """Return what a text says that may be GS1: see codes.read."""
    identifier, symbology, body = _symbology(text)
    data = {"symbology": identifier} if identifier else {}
    try:
        found = _parts(body, symbology, guess=guess and not identifier)
    except (ParseError, ValueError) as error:
        return Meaning({**data, "format": "gs1"}, str(error))
    return Meaning({**data, **found.data}, found.doubt)


def _parts(body: str, symbology: GS1Symbology | None, *, guess: bool) -> Meaning:
    if LINK.match(body):
        return _elements("gs1-link", GS1DigitalLinkURI.parse(body).element_strings)
    if symbology in GS1Symbology.with_gs1_messages() or "\x1d" in body:
        return _elements("gs1", GS1Message.parse(body.lstrip("\x1d")).element_strings)
    if symbology in GS1Symbology.with_gtin():
        return Meaning({"format": "gtin", "gtin": Gtin.parse(body).as_gtin_14()})
    if HRI.match(body):
        return _elements("gs1", GS1Message.parse_hri(body).element_strings)
    if guess and UNMARKED.match(body):
        return _elements("gs1", GS1Message.parse(body).element_strings)
    if guess and GTIN.fullmatch(body):
        return _perhaps_gtin(body)
    return Meaning({})


def _perhaps_gtin(body: str) -> Meaning:
    try:
        return Meaning({"format": "gtin", "gtin": Gtin.parse(body).as_gtin_14()})
    except ParseError:
        return Meaning({})  # a house number of as many digits is no error


def _symbology(text: str) -> tuple[str, GS1Symbology | None, str]:
    """Return the symbology identifier (ISO/IEC 15424), what GS1 calls it, and the rest."""
    if SYMBOLOGY.match(text):
        try:
            found = SymbologyIdentifier.extract(text)
        except ParseError:
            return text[:3], None, text[3:]
        return text[:3], found.gs1_symbology, text[3:]
    return "", None, text


def _elements(format: str, elements: Iterable[Any]) -> Meaning:
    data, doubts = {"format": format}, []
    for element in elements:
        value = element.date.isoformat() if element.date else element.value
        data[NAMES.get(element.ai.ai, f"ai{element.ai.ai}")] = value
        doubts += [x for x in (element.gtin_error, element.sscc_error, element.gln_error) if x]
    return Meaning(data, "; ".join(doubts))
