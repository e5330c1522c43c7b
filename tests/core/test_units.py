"""UCUM codes: known answers, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core import units
from deungdae.core.types import Signal

# exact by definition: The Unified Code for Units of Measure 2.2, tables 1-18
KNOWN = [
    ("kW.h", "J", 3.6e6),
    ("bar", "kPa", 100),
    ("[psi]", "Pa", 6894.757293168362),
    ("mm[Hg]", "Pa", 133.322),
    ("[in_i]", "mm", 25.4),
    ("L/min", "m3/h", 0.06),
    ("/min", "Hz", 1 / 60),
    ("1/min", "/min", 1),
    ("%", "1", 0.01),
    ("10*3", "1", 1000),
    ("10*-6", "[ppm]", 1),
    ("t", "kg", 1000),
    ("kg.m/s2", "N", 1),
    ("N.m", "J", 1),
    ("V.A", "W", 1),
    ("m3/(s.m2)", "m/s", 1),
    ("deg", "rad", 3.141592653589793 / 180),
    ("{part}/h", "/d", 24),
    ("KiBy", "By", 1024),
    ("[lbf_av]", "N", 4.4482216152605),
]


@pytest.mark.parametrize(("source", "target", "factor"), KNOWN)
def test_known_factors(source: str, target: str, factor: float) -> None:
    gain, bias = units.conversion(source, target)
    assert gain == pytest.approx(factor, rel=1e-12)
    assert bias == 0


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [("Cel", "K", 0, 273.15), ("[degF]", "Cel", 212, 100), ("[degF]", "Cel", -40, -40),
     ("K", "[degF]", 373.15, 212), ("mK", "Cel", 273150, 0)],
)  # fmt: skip
def test_temperatures_have_offsets(source: str, target: str, value: float, expected: float) -> None:
    gain, bias = units.conversion(source, target)
    assert value * gain + bias == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "code",
    ["", "°C", "Nm3", "kg m", "kW..h", "m/", "(m", "m)", "2.54cm", "Cel/min", "min/Cel", "kWh",
     "㎥", "m^2^", "{a", "[unknown]"],
)  # fmt: skip
def test_what_is_no_code_is_refused_by_name(code: str) -> None:
    with pytest.raises(units.UnknownUnitError, match=r"no UCUM code|offset|know"):
        units.parse(code)


def test_different_quantities_do_not_convert() -> None:
    with pytest.raises(units.UnknownUnitError, match="different things"):
        units.conversion("kW", "kW.h")


def test_a_signal_is_scaled_once_from_raw_to_its_unit() -> None:
    signal = Signal(id="a.t", unit="Cel", source_unit="[degF]", scale=0.1, offset=32)
    scaling = units.scaling(signal)
    raw = 1800  # 180 + 32 = 212 °F
    assert raw * scaling.gain + scaling.bias == pytest.approx(100)
    assert scaling.raw(100) == pytest.approx(raw)


@given(st.sampled_from([code for code, _, _ in KNOWN]), st.floats(-1e9, 1e9))
def test_there_and_back_is_the_same(code: str, value: float) -> None:
    scaling = units.Scaling(*units.conversion(code, code))
    assert scaling.plain
    assert scaling.raw(value) == value


@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_refused(text: str) -> None:
    try:
        unit = units.parse(text)
    except units.UnknownUnitError:
        return
    assert len(unit.powers) == len(units.parse("1").powers)
