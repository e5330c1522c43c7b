"""UNECE common codes, as OPC UA servers give them with a variable, to UCUM.

Source: UNECE Recommendation 20 as in the OPC Foundation's UNECE_to_OPCUA.csv; unitId = the code's
characters as one big-endian number (OPC 10000-8 §5.6.3). The units that plants use; others stay
empty, for a person to fill in.
"""

from __future__ import annotations

from typing import Any

from deungdae.core.units import UnknownUnitError, parse

UCUM = "http://unitsofmeasure.org"
_CODES = {
    "C62": "1", "P1": "%", "59": "[ppm]", "CEL": "Cel", "KEL": "K", "FAH": "[degF]",
    "PAL": "Pa", "A97": "hPa", "KPA": "kPa", "MPA": "MPa", "BAR": "bar", "MBR": "mbar",
    "PS": "[psi]", "ATM": "atm", "MTR": "m", "CMT": "cm", "MMT": "mm", "4H": "um", "KMT": "km",
    "INH": "[in_i]", "FOT": "[ft_i]", "MTK": "m2", "CMK": "cm2", "MMK": "mm2", "MTQ": "m3",
    "CMQ": "cm3", "LTR": "L", "HLT": "hL", "MLT": "mL", "GLL": "[gal_us]", "KGM": "kg",
    "GRM": "g", "MGM": "mg", "TNE": "t", "LBR": "[lb_av]", "SEC": "s", "C26": "ms", "B98": "us",
    "MIN": "min", "HUR": "h", "DAY": "d", "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz",
    "RPM": "{rotation}/min", "M46": "{rotation}/min", "RPS": "{rotation}/s", "C94": "/min",
    "C97": "/s", "2A": "rad/s", "E96": "deg/s", "DD": "deg", "C81": "rad", "MTS": "m/s",
    "2X": "m/min", "C16": "mm/s", "H81": "mm/min", "KMH": "km/h", "MSK": "m/s2", "MQH": "m3/h",
    "G53": "m3/min", "MQS": "m3/s", "L2": "L/min", "41": "mL/min", "G51": "L/s", "KGS": "kg/s",
    "E93": "kg/h", "F31": "kg/min", "E18": "t/h", "NEW": "N", "B47": "kN", "NU": "N.m",
    "B48": "kN.m", "JOU": "J", "KJO": "kJ", "3B": "MJ", "GV": "GJ", "WHR": "W.h", "KWH": "kW.h",
    "MWH": "MW.h", "GWH": "GW.h", "WTT": "W", "KWT": "kW", "MAW": "MW", "D46": "V.A",
    "KVA": "kV.A", "D44": "V.A{reactive}", "KVR": "kV.A{reactive}", "VLT": "V", "2Z": "mV",
    "KVT": "kV", "AMP": "A", "4K": "mA", "B84": "uA", "AMH": "A.h", "OHM": "Ohm", "B49": "kOhm",
    "B75": "MOhm", "D10": "S/m", "G42": "uS/cm", "LUX": "lx", "LUM": "lm", "D54": "W/m2",
    "2N": "dB", "23": "g/cm3", "KMQ": "kg/m3", "GL": "g/L", "M1": "mg/L", "C65": "Pa.s",
    "C24": "mPa.s",
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
