"""The 34 key performance indicators of ISO 22400-2:2014: names, formulas, terms, units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import msgspec

Terms: TypeAlias = Mapping[str, float]


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One indicator.

    number: as in ISO 22400-2. name: stable key; title: as the standard has it. terms: what the
    formula needs; `PQ known` is the part of PQ that was made in known planned time, `APT counted`
    the part of APT in which parts were counted. trend: which way is better.
    timed: whether unknown time makes the value uncertain; then [low, high] can be told.
    calculate: terms -> value in `unit`; raises ZeroDivisionError where it is not defined.
    """

    number: int
    name: str
    title: str
    formula: str
    terms: tuple[str, ...]
    unit: str
    trend: Literal["up", "down"]
    timed: bool
    calculate: Callable[[Terms], float]


def _oee(t: Terms, used: str) -> float:
    """Return used time/PBT * effectiveness * quality ratio in %; 0 where nothing was made."""
    if t["PQ known"] == 0 and t["PBT"] > 0:
        return 0.0
    effectiveness = t["PRI"] * t["PQ known"] / t["APT counted"]
    return 100 * t[used] / t["PBT"] * effectiveness * t["GQ"] / t["PQ"]


def _index(t: Terms, spread: str) -> float:
    return (t["USL"] - t["LSL"]) / (6 * t[spread])


def _critical_index(t: Terms, spread: str, mean: str) -> float:
    return min(t["USL"] - t[mean], t[mean] - t["LSL"]) / (3 * t[spread])


def _share(
    number: int, name: str, title: str, part: str, whole: str, trend: Literal["up", "down"], *,
    timed: bool = False, formula: str = "",
) -> Definition:  # fmt: skip
    return Definition(
        number=number,
        name=name,
        title=title,
        formula=formula or f"{part}/{whole}",
        terms=(part, whole),
        unit="%",
        trend=trend,
        timed=timed,
        calculate=lambda t: 100 * t[part] / t[whole],
    )


def _other(
    number: int, name: str, title: str, formula: str, terms: str, unit: str,
    trend: Literal["up", "down"], calculate: Callable[[Terms], float], *, timed: bool = False,
) -> Definition:  # fmt: skip
    return Definition(
        number=number, name=name, title=title, formula=formula, terms=tuple(terms.split(", ")),
        unit=unit, trend=trend, timed=timed, calculate=calculate,
    )  # fmt: skip


# in s; the others are counts or have the units of their signals
SECONDS = frozenset({
    "PBT", "APT", "APT counted", "AUST", "AUPT", "ADET", "ADOT", "AUBT", "AOET", "PRI", "unknown",
    "TBF", "TTF", "TTR", "CMT", "PMT",
})  # fmt: skip

_OEE = "PBT, APT, PRI, PQ known, APT counted, GQ, PQ"

KPIS: tuple[Definition, ...] = (
    _share(1, "worker_efficiency", "Worker efficiency", "APWT", "APAT", "up"),
    _share(2, "allocation_ratio", "Allocation ratio", "AUBT", "AOET", "up", timed=True,
           formula="sum(AUBT)/AOET"),
    _other(3, "throughput_rate", "Throughput rate", "PQ/AOET", "PQ known, AOET", "{item}/h", "up",
           lambda t: 3600 * t["PQ known"] / t["AOET"], timed=True),
    _share(4, "allocation_efficiency", "Allocation efficiency", "AUBT", "PBT", "up", timed=True),
    _share(5, "utilization_efficiency", "Utilization efficiency", "APT", "AUBT", "up", timed=True),
    _other(6, "oee", "OEE index", "Availability*Effectiveness*Quality ratio", _OEE, "%", "up",
           lambda t: _oee(t, "APT"), timed=True),
    _other(7, "nee", "NEE index", "(AUPT/PBT)*Effectiveness*Quality ratio",
           f"AUST, AUPT, {_OEE}", "%", "up", lambda t: _oee(t, "AUPT"), timed=True),
    _share(8, "availability", "Availability", "APT", "PBT", "up", timed=True),
    _other(9, "effectiveness", "Effectiveness", "PRI*PQ/APT", "PRI, PQ known, APT counted", "%",
           "up", lambda t: 100 * t["PRI"] * t["PQ known"] / t["APT counted"], timed=True),
    _share(10, "quality_ratio", "Quality ratio", "GQ", "PQ", "up"),
    _share(11, "setup_ratio", "Setup ratio", "AUST", "AUPT", "down", timed=True),
    _other(12, "technical_efficiency", "Technical efficiency", "APT/(APT+ADET)", "APT, ADET", "%",
           "up", lambda t: 100 * t["APT"] / (t["APT"] + t["ADET"]), timed=True),
    _share(13, "production_process_ratio", "Production process ratio", "APT", "AOET", "up",
           timed=True, formula="sum(APT)/AOET"),
    _share(14, "actual_to_planned_scrap_ratio", "Actual to planned scrap ratio", "SQ", "PSQ",
           "down"),
    _share(15, "first_pass_yield", "First pass yield", "GP", "IP", "up"),
    _share(16, "scrap_ratio", "Scrap ratio", "SQ", "PQ", "down"),
    _share(17, "rework_ratio", "Rework ratio", "RQ", "PQ", "down"),
    _share(18, "fall_off_ratio", "Fall off ratio", "SQ", "PQ first", "down",
           formula="SQ/PQ of first operation"),
    _other(19, "cm", "Machine capability index Cm", "(USL-LSL)/(6*s)", "USL, LSL, s", "1", "up",
           lambda t: _index(t, "s")),
    _other(20, "cmk", "Critical machine capability index Cmk",
           "min((USL-xbar)/(3*s);(xbar-LSL)/(3*s))", "USL, LSL, mean of study, s", "1", "up",
           lambda t: _critical_index(t, "s", "mean of study")),
    _other(21, "cp", "Process capability index Cp", "(USL-LSL)/(6*sigma_hat)",
           "USL, LSL, sigma_hat", "1", "up", lambda t: _index(t, "sigma_hat")),
    _other(22, "cpk", "Critical process capability index Cpk",
           "min((USL-xbarbar)/(3*sigma_hat);(xbarbar-LSL)/(3*sigma_hat))",
           "USL, LSL, mean, sigma_hat", "1", "up",
           lambda t: _critical_index(t, "sigma_hat", "mean")),
    _other(23, "energy_consumption", "Comprehensive energy consumption e",
           "E/PQ with E = sum(M_i*R_i)+Q", "E, PQ", "kW.h/{item}", "down",
           lambda t: t["E"] / t["PQ"]),
    _other(24, "inventory_turns", "Inventory turns", "TH/average inventory", "TH, inventory",
           "/d", "up", lambda t: t["TH"] / t["inventory"]),
    _share(25, "finished_goods_ratio", "Finished goods ratio", "GQ as CM", "CM", "up",
           formula="GQ/CM"),
    _share(26, "integrated_goods_ratio", "Integrated goods ratio", "IGQ", "CM", "up"),
    _share(27, "production_loss_ratio", "Production loss ratio", "PL", "CM", "down"),
    _share(28, "storage_and_transportation_loss_ratio", "Storage and transportation loss ratio",
           "STL", "CM", "down"),
    _share(29, "other_loss_ratio", "Other loss ratio", "OL", "CM", "down"),
    _share(30, "equipment_load_ratio", "Equipment load ratio", "PQ", "EPC", "up"),
    _other(31, "mtbf", "Mean operating time between failures MTBF", "sum(TBF_i)/(FE+1)",
           "TBF, FE", "s", "up", lambda t: t["TBF"] / (t["FE"] + 1)),
    _other(32, "mttf", "Mean time to failure MTTF", "sum(TTF_i)/(FE+1)", "TTF, FE", "s", "up",
           lambda t: t["TTF"] / (t["FE"] + 1)),
    _other(33, "mttr", "Mean time to restoration MTTR", "sum(TTR_i)/(FE+1)", "TTR, FE", "s", "down",
           lambda t: t["TTR"] / (t["FE"] + 1)),
    _other(34, "corrective_maintenance_ratio", "Corrective maintenance ratio", "CMT/(CMT+PMT)",
           "CMT, PMT", "%", "down", lambda t: 100 * t["CMT"] / (t["CMT"] + t["PMT"])),
)  # fmt: skip
