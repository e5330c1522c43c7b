"""The terms of the formulas that are not times: parts, people, material, energy, spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.ports import Samples, Window
from deungdae.core.types import DAY, SECOND, FloatArray, Severity, TimeArray, severity
from deungdae.core.units import UnknownUnitError, conversion
from deungdae.model.factory import Factory

from .counters import Increments, held_mean, increments
from .spec import KpiOptions
from .timeline import Stretch

MACHINE_STUDY = 50  # parts of a machine capability study, by custom
PROCESS_STUDY = 125  # parts of a process capability study, by custom 25 subgroups of 5
_WHOLE = 0.99  # share of a period over which a level must be known
_NOTHING = Samples(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8))


class Ledger:
    """Terms by name, of each that is missing the reason, and what to know of others."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.missing: dict[str, str] = {}
        self.remarks: dict[str, list[str]] = {}

    def put(self, term: str, value: float) -> None:
        """Enter a term."""
        self.values[term] = value

    def lack(self, reason: str, *terms: str) -> None:
        """Say why there are no such terms."""
        self.missing.update(dict.fromkeys(terms, reason))

    def remark(self, text: str, *terms: str) -> None:
        """Say what to know of terms."""
        for term in terms:
            self.remarks.setdefault(term, []).append(text)


class Quantities:
    """Enters what the counters of one asset told over [start, end) into a ledger."""

    def __init__(
        self, spec: KpiOptions, factory: Factory, window: Window, start: int, end: int
    ) -> None:
        self.spec = spec
        self.factory = factory
        self.window = window
        self.start = start
        self.end = end

    def enter(self, ledger: Ledger, line: Sequence[Stretch], planned_seconds: float) -> None:
        """Enter every term that is not a time. line: of [start, end)."""
        self._parts(ledger)
        self._known_parts(ledger, line)
        self._planned(ledger, planned_seconds)
        self._people(ledger)
        self._material(ledger)
        self._energy(ledger)
        self._inventory(ledger)
        self._spread(ledger)

    def _parts(self, ledger: Ledger) -> None:
        for term, option, what in (
            ("PQ", "count", "all parts"),
            ("GQ", "good", "good parts"),
            ("SQ", "reject", "scrapped parts"),
            ("RQ", "rework", "parts to be reworked"),
            ("IP", "inspected", "inspected parts"),
            ("GP", "first_pass", "parts that passed the first inspection"),
            ("PQ first", "first_operation", "parts of the first operation"),
        ):
            self._count(ledger, term, option, what)
        counts, spec = ledger.values, self.spec
        reworked = counts.get("RQ", 0.0)
        if not spec.good and {"PQ", "SQ"} <= counts.keys():
            ledger.put("GQ", counts["PQ"] - counts["SQ"] - reworked)
        elif not spec.good and spec.count:
            ledger.lack("needs the good parts: name a counter under `good` or `reject`", "GQ")
        if not spec.count and {"GQ", "SQ"} <= counts.keys():
            ledger.put("PQ", counts["GQ"] + counts["SQ"] + reworked)
        if {"GQ", "PQ"} <= counts.keys() and not 0 <= counts["GQ"] <= counts["PQ"]:
            said = f"{counts.pop('GQ'):g} good of {counts['PQ']:g}"
            ledger.lack(f"the counters contradict each other: {said}", "GQ")

    def _count(self, ledger: Ledger, term: str, option: str, what: str) -> None:
        id = getattr(self.spec, option)
        if not id:
            ledger.lack(f"needs the {what}: name a counter under `{option}`", term)
            return
        rises = self._rises(id)
        if rises is None:
            ledger.lack(f"{id} ({what}) has no good sample before {self._at(self.end)}", term)
            return
        ledger.put(term, rises.total)
        if rises.resets:
            ledger.remark(f"{id} fell {rises.resets} times: counted on from 0", term)
        if rises.known > self.start:
            ledger.remark(f"{id} is known only from {self._at(rises.known)} on", term)
        if rises.total == 0:
            ledger.remark(f"{id} did not rise", term)

    def _known_parts(self, ledger: Ledger, line: Sequence[Stretch]) -> None:
        """Enter the parts that were seen to be made in known planned time, and that time's APT."""
        ids = [self.spec.count] if self.spec.count else [self.spec.good, self.spec.reject]
        if not self.spec.count and self.spec.rework:
            ids.append(self.spec.rework)
        all_rises = [self._rises(id) for id in ids if id]
        if "PQ" not in ledger.values or not all_rises:
            reason = ledger.missing.get("PQ", "needs all parts")
            ledger.lack(reason, "PQ known", "APT counted")
            return
        rises = [found for found in all_rises if found is not None]
        since = max(found.known for found in rises)
        made = sum(float(found.amount[_seen(found, line)].sum()) for found in rises)
        producing = [p for p in line if p.category == "production" and p.busy and p.end > since]
        ledger.put("PQ known", made)
        ledger.put("APT counted", sum(p.end - max(p.start, since) for p in producing) / SECOND)
        for text in ledger.remarks.get("PQ", ()):
            ledger.remark(text, "PQ known")

    def _planned(self, ledger: Ledger, planned_seconds: float) -> None:
        spec = self.spec
        if spec.cycle:
            ledger.put("PRI", spec.cycle)
        else:
            ledger.lack("needs the planned run time per item: state it under `cycle`", "PRI")
        if spec.capacity and planned_seconds:
            ledger.put("EPC", spec.capacity * planned_seconds / 3600)
        elif spec.capacity:
            ledger.lack("no time was planned", "EPC")
        else:
            ledger.lack("needs what the equipment can make: state it under `capacity`", "EPC")
        if spec.planned_scrap is None:
            ledger.lack("needs the planned scrap: state it under `planned_scrap`", "PSQ")
        elif "PQ" in ledger.values:
            ledger.put("PSQ", spec.planned_scrap / 100 * ledger.values["PQ"])
        else:
            ledger.lack(ledger.missing["PQ"], "PSQ")

    def _people(self, ledger: Ledger) -> None:
        hour = "h"
        for term, option, what in (
            ("APWT", "worked", "hours of work on orders"),
            ("APAT", "attended", "hours of attendance"),
        ):
            self._amount(ledger, term, option, what, hour)

    def _material(self, ledger: Ledger) -> None:
        unit = self._unit(self.spec.material)
        for term, option, what in (
            ("CM", "material", "consumed material"),
            ("IGQ", "integrated", "integrated good quantity"),
            ("PL", "production_loss", "material lost in production"),
            ("STL", "storage_loss", "material lost in storage and transport"),
            ("OL", "other_loss", "material lost otherwise"),
        ):
            self._amount(ledger, term, option, what, unit)
        counted = self._unit(self.spec.good or self.spec.count)
        if "GQ" not in ledger.values:
            ledger.lack(ledger.missing["GQ"], "GQ as CM")
        elif (gain := _gain(counted, unit)) is None:
            ledger.lack(f"good parts are counted in {counted!r}, material in {unit!r}", "GQ as CM")
        else:
            ledger.put("GQ as CM", ledger.values["GQ"] * gain)

    def _amount(self, ledger: Ledger, term: str, option: str, what: str, unit: str) -> None:
        """Enter what a counter counted, in `unit`; one without a unit is taken as it is."""
        self._count(ledger, term, option, what)
        if term in ledger.values:
            id = getattr(self.spec, option)
            gain = 1.0 if self._unit(id) == "1" else _gain(self._unit(id), unit)
            if gain is None:
                del ledger.values[term]
                ledger.lack(f"{id} is in {self._unit(id)!r}, which is no {unit!r}", term)
            else:
                ledger.values[term] *= gain

    def _energy(self, ledger: Ledger) -> None:
        spec, total = self.spec, 0.0
        if not (spec.energy or spec.power or spec.carriers):
            ledger.lack("needs the energy: name a counter under `energy`, or `power`", "E")
            return
        sources = dict(spec.carriers)
        if spec.energy:
            gain = _gain(self._unit(spec.energy), "kW.h")
            if gain is None:
                found = self._unit(spec.energy)
                ledger.lack(f"{spec.energy} is in {found!r}, which is no energy", "E")
                return
            sources[spec.energy] = gain
        for id, gain in sources.items():
            rises = self._rises(id)
            if rises is None:
                ledger.lack(f"{id} (energy) has no good sample before {self._at(self.end)}", "E")
                return
            total += rises.total * gain
        if spec.power and not spec.energy:
            watts = _gain(self._unit(spec.power), "kW")
            mean, known = self._level(spec.power)
            if watts is None or known < _WHOLE:
                found = self._unit(spec.power)
                ledger.lack(
                    f"{spec.power} is in {found!r}, which is no power"
                    if watts is None
                    else f"{spec.power} is known for only {100 * known:.1f} % of the period",
                    "E",
                )
                return
            total += mean * watts * (self.end - self.start) / (3600 * SECOND)
        ledger.put("E", total)

    def _inventory(self, ledger: Ledger) -> None:
        if not self.spec.inventory:
            ledger.lack("needs the stock level: name its signal under `inventory`", "inventory")
        else:
            mean, known = self._level(self.spec.inventory)
            if known >= _WHOLE:
                ledger.put("inventory", mean)
            else:
                shown = f"{100 * known:.1f} %"
                ledger.lack(
                    f"{self.spec.inventory} is known for only {shown} of the period", "inventory"
                )
        if "PQ" in ledger.values:
            ledger.put("TH", ledger.values["PQ"] * DAY / (self.end - self.start))
        else:
            ledger.lack(ledger.missing["PQ"], "TH")

    def _spread(self, ledger: Ledger) -> None:
        spec = self.spec
        for term, limit in (("USL", spec.usl), ("LSL", spec.lsl)):
            if limit is None:
                ledger.lack(f"needs the specification limit: state it under `{term.lower()}`", term)
            else:
                ledger.put(term, limit)
        if not spec.measure:
            reason = "needs a measured characteristic: name its signal under `measure`"
            ledger.lack(reason, "s", "sigma_hat", "mean", "mean of study")
            return
        samples = self.window.samples.get(spec.measure, _NOTHING)
        inside = (samples.time >= self.start) & (samples.time < self.end)
        usable = inside & (severity(samples.status) != Severity.BAD) & np.isfinite(samples.value)
        value = samples.value[usable]
        with np.errstate(over="ignore", invalid="ignore"):  # told as too large in the end
            self._study(ledger, value)
            self._process(ledger, value)

    def _study(self, ledger: Ledger, value: FloatArray) -> None:
        study = value[-MACHINE_STUDY:]
        if len(study) < MACHINE_STUDY:
            reason = f"{self.spec.measure} has {len(study)} samples, fewer than {MACHINE_STUDY}"
            ledger.lack(reason, "s", "mean of study", "n of study")
            return
        ledger.put("s", float(study.std(ddof=1)))
        ledger.put("mean of study", float(study.mean()))
        ledger.put("n of study", len(study))

    def _process(self, ledger: Ledger, value: FloatArray) -> None:
        size = self.spec.subgroup
        groups = value[: len(value) // size * size].reshape(-1, size)
        if groups.size < PROCESS_STUDY:
            reason = f"{self.spec.measure} has {len(value)} samples, fewer than {PROCESS_STUDY}"
            ledger.lack(reason, "sigma_hat", "mean", "n")
            return
        ledger.put("sigma_hat", float(np.sqrt(groups.var(axis=1, ddof=1).mean())))
        ledger.put("mean", float(groups.mean()))
        ledger.put("n", groups.size)

    def _rises(self, id: str) -> Increments | None:
        samples = self.window.samples.get(id, _NOTHING)
        return increments(samples, self.start, self.end, self.spec.wrap)

    def _level(self, id: str) -> tuple[float, float]:
        return held_mean(self.window.samples.get(id, _NOTHING), self.start, self.end)

    def _unit(self, id: str) -> str:
        signal = self.factory.signals.get(id)
        return signal.unit if signal is not None else "1"

    def _at(self, moment: int) -> str:
        return to_iso(moment, self.factory.zone)


def _seen(rises: Increments, line: Sequence[Stretch]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which increments fell in planned time without unknown time since the sample before.

    What a sample shows was made before it, so that of two stretches that meet there the first has.
    """
    busy = _edges([p for p in line if p.busy and p.category != "unknown"])
    unknown = _edges([p for p in line if p.category == "unknown"])
    at = np.searchsorted(busy[0], rises.time, "left") - 1
    inside = (at >= 0) & (rises.time <= np.append(busy[1], 0)[at])
    next_unknown = np.searchsorted(unknown[1], rises.since, "right")
    begins = np.append(unknown[0], np.iinfo(np.int64).max)[next_unknown]
    seen: np.ndarray[tuple[int], np.dtype[np.bool_]] = inside & (begins >= rises.time)
    return seen


def _edges(line: Sequence[Stretch]) -> tuple[TimeArray, TimeArray]:
    starts = np.asarray([part.start for part in line], np.int64)
    return starts, np.asarray([part.end for part in line], np.int64)


def _gain(source: str, target: str) -> float | None:
    """Return the factor from one unit to another, None where they measure different things."""
    try:
        return conversion(source, target)[0]
    except UnknownUnitError:
        return None
