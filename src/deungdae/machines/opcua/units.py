"""UNECE common codes, as OPC UA servers give them with a variable, to UCUM.

Source: UNECE Recommendation 20; unitId = the code's characters as one big-endian number
(OPC 10000-8 §5.6.3). The units that plants use; others stay empty, for a person to fill in.
"""

from __future__ import annotations

from typing import Any

from deungdae.core.units import UnknownUnitError, parse

UCUM = "http://unitsofmeasure.org"
_CODES = {
    "C62": "1", "P1": "%", "59": "[ppm]", "CEL": "Cel", "KEL": "K", "FAH": "[degF]",
    "PAL": "Pa", "KPA": "kPa", "MPA": "MPa", "HPA": "hPa", "BAR": "bar", "MBR": "mbar",
    "PS": "[psi]", "ATM": "atm", "MTR": "m", "CMT": "cm", "MMT": "mm", "4H": "um", "KMT": "km",
    "INH": "[in_i]", "FOT": "[ft_i]", "MTK": "m2", "CMK": "cm2", "MMK": "mm2", "MTQ": "m3",
    "LTR": "L", "MLT": "mL", "GLL": "[gal_us]", "KGM": "kg", "GRM": "g", "MGM": "mg", "TNE": "t",
    "LBR": "[lb_av]", "SEC": "s", "C26": "ms", "B98": "us", "MIN": "min", "HUR": "h", "DAY": "d",
    "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz", "RPM": "{rotation}/min", "RPS": "{rotation}/s",
    "C97": "rad/s", "2A": "rad/s", "DD": "deg", "C81": "rad", "MTS": "m/s", "2X": "m/min",
    "C16": "mm/s", "H81": "mm/min", "KMH": "km/h", "MSK": "m/s2", "MQH": "m3/h", "MQS": "m3/s",
    "L2": "L/min", "E32": "L/h", "G51": "L/s", "KGS": "kg/s", "E93": "kg/h", "F31": "kg/min",
    "4U": "kg/h", "NEW": "N", "B47": "kN", "NU": "N.m", "B48": "kN.m", "JOU": "J", "KJO": "kJ",
    "3B": "MJ", "GV": "GJ", "WHR": "W.h", "KWH": "kW.h", "MWH": "MW.h", "WTT": "W", "KWT": "kW",
    "MAW": "MW", "D46": "V.A", "KVA": "kV.A", "D44": "var", "KVR": "kvar", "VLT": "V", "2Z": "mV",
    "KVT": "kV", "AMP": "A", "4K": "mA", "OHM": "Ohm", "D10": "S/m", "LUX": "lx", "LUM": "lm",
    "2N": "dB", "23": "g/cm3", "KMQ": "kg/m3", "GL": "g/L", "C65": "Pa.s", "C24": "mPa.s",
}  # fmt: skip
_UCUM = {int.from_bytes(code.encode(), "big"): ucum for code, ucum in _CODES.items()}


def ucum(information: Any) -> str:
    """Return the UCUM code of an EUInformation, '' where we know none."""
    shown = str(getattr(getattr(information, "DisplayName", None), "Text", None) or "")
    if getattr(information, "NamespaceUri", None) == UCUM:
        return shown if _known(shown) else ""
    return _UCUM.get(int(getattr(information, "UnitId", -1)), "")


def _known(code: str) -> bool:
    try:
        parse(code)
    except UnknownUnitError:
        return False
    return True
