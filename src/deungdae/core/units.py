"""UCUM unit codes: reading them, and converting once, at the door.

Case-sensitive codes with every metric prefix, products, quotients, powers and annotations. The
atoms are those that plants use; sources: The Unified Code for Units of Measure 2.2, tables 1-18.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import pi
from typing import NamedTuple

import msgspec

from .types import Signal


class Unit(NamedTuple):
    """value in base units = value * factor + offset; powers: the exponents of _BASE."""

    factor: float
    offset: float
    powers: tuple[int, ...]


_BASE = ("m", "s", "g", "rad", "K", "C", "cd", "mol", "bit")
_ONE = (0,) * len(_BASE)
_PREFIXES = {
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3,
    "h": 1e2, "da": 1e1, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12,
    "f": 1e-15, "a": 1e-18, "z": 1e-21, "y": 1e-24,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip

# atom: (factor, unit it is a multiple of); metric atoms take prefixes
_METRIC = {
    "L": (1e-3, "m3"), "l": (1e-3, "m3"), "t": (1e6, "g"), "sr": (1, "rad2"),
    "Hz": (1, "s-1"), "N": (1e3, "g.m/s2"), "Pa": (1, "N/m2"), "bar": (1e5, "Pa"),
    "J": (1, "N.m"), "W": (1, "J/s"), "A": (1, "C/s"), "V": (1, "J/C"), "F": (1, "C/V"),
    "Ohm": (1, "V/A"), "S": (1, "A/V"), "Wb": (1, "V.s"), "T": (1, "Wb/m2"), "H": (1, "Wb/A"),
    "lm": (1, "cd.sr"), "lx": (1, "lm/m2"), "Bq": (1, "s-1"), "Gy": (1, "J/kg"),
    "Sv": (1, "J/kg"), "kat": (1, "mol/s"), "eV": (1.602176634e-19, "J"), "cal": (4.184, "J"),
    "P": (1, "dyn.s/cm2"), "St": (1, "cm2/s"), "dyn": (1, "g.cm/s2"), "ar": (100, "m2"),
    "By": (8, "bit"), "Bd": (1, "s-1"), "m[Hg]": (133322, "Pa"), "m[H2O]": (9806.65, "Pa"),
    "Np": (1, "1"), "B": (1, "1"), "eq": (1, "mol"), "osm": (1, "mol"), "[iU]": (1, "1"),
}  # fmt: skip
_PLAIN = {
    "%": (1e-2, "1"), "[ppth]": (1e-3, "1"), "[ppm]": (1e-6, "1"), "[ppb]": (1e-9, "1"),
    "10*": (10, "1"), "10^": (10, "1"), "[pi]": (pi, "1"), "min": (60, "s"), "h": (3600, "s"),
    "d": (86400, "s"), "wk": (7, "d"), "a": (365.25, "d"), "mo": (365.25 / 12, "d"),
    "deg": (pi / 180, "rad"), "'": (1 / 60, "deg"), "''": (1 / 3600, "deg"),
    "circ": (2 * pi, "rad"),
    "atm": (101325, "Pa"), "[psi]": (6894.757293168362, "Pa"), "[in_i]": (0.0254, "m"),
    "[ft_i]": (0.3048, "m"), "[yd_i]": (0.9144, "m"), "[mi_i]": (1609.344, "m"),
    "[lb_av]": (453.59237, "g"), "[oz_av]": (28.349523125, "g"), "[gal_us]": (3.785411784, "L"),
    "[Btu_IT]": (1055.05585262, "J"), "[HP]": (745.6998715822702, "W"), "[g]": (9.80665, "m/s2"),
    "[lbf_av]": (4.4482216152605, "N"), "[cin_i]": (1.6387064e-5, "m3"),
    "[cft_i]": (0.028316846592, "m3"), "[kn_i]": (1852 / 3600, "m/s"), "[car_m]": (0.2, "g"),
    "[degRe]": (1.25, "K"),
}  # fmt: skip
_OFFSET = {"Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9)}
_TOKEN = re.compile(r"\{[^}]*\}|[./()]|10[*^]|\d+|(?:\[[^\]]*\]|[A-Za-z%'])+|[+-]\d+")


class UnknownUnitError(ValueError):
    """The code is not UCUM, or uses an atom that we do not know."""


@lru_cache(maxsize=4096)
def parse(code: str) -> Unit:
    """Return what a UCUM code means. Raises UnknownUnitError."""
    if not code.isascii():
        raise UnknownUnitError(f"{code!r} is no UCUM code: only ASCII, e.g. Cel for °C, um for µm")
    if special := _special(code):
        return special
    tokens = _tokens(code)
    unit, rest = _term(code, tokens)
    if rest:
        raise UnknownUnitError(f"{code!r} is no UCUM code: cannot read it from {rest[0]!r} on")
    return unit


def conversion(source: str, target: str) -> tuple[float, float]:
    """Return (gain, bias) so that value in target = value in source * gain + bias.

    Raises UnknownUnitError, also when the two do not measure the same thing.
    """
    a, b = parse(source), parse(target)
    if a.powers != b.powers:
        raise UnknownUnitError(
            f"{source!r} cannot become {target!r}: they measure different things"
        )
    if a == b:
        return 1.0, 0.0
    return a.factor / b.factor, (a.offset - b.offset) / b.factor


class Scaling(msgspec.Struct, frozen=True):
    """value in the signal's unit = raw * gain + bias."""

    gain: float
    bias: float

    @property
    def plain(self) -> bool:
        """Return whether raw values are already in the signal's unit."""
        return self.gain == 1.0 and self.bias == 0.0

    def raw(self, value: float) -> float:
        """Return what to write to the machine for a value in the signal's unit."""
        return (value - self.bias) / self.gain


def scaling(signal: Signal) -> Scaling:
    """Return how a signal's raw values become values in its unit: scale, offset, source unit."""
    gain, bias = conversion(signal.source_unit or signal.unit, signal.unit)
    return Scaling(signal.scale * gain, signal.offset * gain + bias)


def _special(code: str) -> Unit | None:
    """Return a unit with an offset, which UCUM lets stand only alone."""
    bare = re.sub(r"\{[^}]*\}$", "", code)
    for atom, (factor, offset) in _OFFSET.items():
        if bare.endswith(atom) and (bare == atom or bare[: -len(atom)] in _PREFIXES):
            prefix = _PREFIXES.get(bare[: -len(atom)], 1.0)
            return Unit(factor * prefix, offset, _power("K"))
    return None


def _tokens(code: str) -> list[str]:
    if code == "":
        raise UnknownUnitError("'' is no UCUM code: write 1 for a plain number")
    tokens, place = [], 0
    while place < len(code):
        match = _TOKEN.match(code, place)
        if match is None:
            raise UnknownUnitError(f"{code!r} is no UCUM code: cannot read {code[place:]!r}")
        tokens.append(match.group())
        place = match.end()
    return tokens


def _term(code: str, tokens: list[str]) -> tuple[Unit, list[str]]:
    sign = 1
    if tokens and tokens[0] == "/":
        sign, tokens = -1, tokens[1:]
    total, tokens = _component(code, tokens)
    if sign < 0:
        total = _times(Unit(1.0, 0.0, _ONE), total, -1)
    while tokens and tokens[0] in (".", "/"):
        sign = 1 if tokens[0] == "." else -1
        part, tokens = _component(code, tokens[1:])
        total = _times(total, part, sign)
    return total, tokens


def _component(code: str, tokens: list[str]) -> tuple[Unit, list[str]]:
    if not tokens:
        raise UnknownUnitError(f"{code!r} is no UCUM code: it ends too early")
    head, rest = tokens[0], tokens[1:]
    if head.startswith("{"):
        return Unit(1.0, 0.0, _ONE), rest
    if head == "(":
        inner, rest = _term(code, rest)
        if not rest or rest[0] != ")":
            raise UnknownUnitError(f"{code!r} is no UCUM code: a ')' is missing")
        return inner, rest[1:]
    if head.isdigit():
        return Unit(float(head), 0.0, _ONE), rest
    unit = _atom(code, head)
    if rest and re.fullmatch(r"[+-]?\d+", rest[0]):
        unit = _times(Unit(1.0, 0.0, _ONE), unit, int(rest[0]))
        rest = rest[1:]
    if rest and rest[0].startswith("{"):
        rest = rest[1:]
    return unit, rest


def _atom(code: str, name: str) -> Unit:
    if name in _BASE:
        return Unit(1.0, 0.0, _power(name))
    for table in (_PLAIN, _METRIC):
        if name in table:
            factor, of = table[name]
            return _times(Unit(float(factor), 0.0, _ONE), parse(of), 1)
    if name in _OFFSET:
        raise UnknownUnitError(f"{code!r}: {name} has an offset and can only stand alone; use K")
    for length in (2, 1):
        prefix, bare = name[:length], name[length:]
        if prefix in _PREFIXES and (bare in _METRIC or bare in _BASE):
            return _times(Unit(_PREFIXES[prefix], 0.0, _ONE), _atom(code, bare), 1)
    raise UnknownUnitError(f"{code!r} is no UCUM code that we know: no unit is called {name!r}")


def _times(a: Unit, b: Unit, power: int) -> Unit:
    powers = tuple(x + power * y for x, y in zip(a.powers, b.powers, strict=True))
    return Unit(a.factor * b.factor**power, 0.0, powers)


def _power(name: str) -> tuple[int, ...]:
    return tuple(int(base == name) for base in _BASE)
