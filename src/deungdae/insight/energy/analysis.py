"""The energy of the running shift or day, told while it runs and once when it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from math import isfinite
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.ports import Needs, Samples, Store, Window
from deungdae.core.types import DAY, HOUR, SECOND, Event, Finding
from deungdae.core.units import UnknownUnitError, conversion
from deungdae.insight import states
from deungdae.insight.kpi import timeline
from deungdae.insight.kpi.counters import increments
from deungdae.model.calendar import days_between, local_midnight
from deungdae.model.factory import Factory

from .account import QUARTER, Account, CarrierUse, MachineUse, load, products, readings, shares
from .carbon import Carrier, Factor
from .pieces import Amount, Pieces, from_counter, from_power, total, within

_NOTHING = Samples(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8))
_WORTH_TELLING = 0.01  # share of a period of which nothing is known


class Meter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tells the energy of one machine, and what it is set against."""

    energy: Annotated[str, msgspec.Meta(description="Id of the counter of electric energy")] = ""
    power: Annotated[
        str, msgspec.Meta(description="Id of the electric power, where no counter is")
    ] = ""
    wrap: Annotated[
        float,
        msgspec.Meta(description="The counter starts again from 0 at this value; 0: never", ge=0),
    ] = 0.0
    rated: Annotated[
        float,
        msgspec.Meta(
            description="Most that it can draw: bounds what nobody heard; 0: not known",
            ge=0,
            extra={"unit": "kW"},
        ),
    ] = 0.0
    state: Annotated[str, msgspec.Meta(description="Id of the machine's state")] = ""
    good: Annotated[str, msgspec.Meta(description="Id of the counter of good parts")] = ""
    count: Annotated[str, msgspec.Meta(description="Id of the counter of all parts")] = ""
    reject: Annotated[str, msgspec.Meta(description="Id of the counter of scrapped parts")] = ""

    @property
    def source(self) -> str:
        """Return the id of the signal that tells the energy."""
        return self.energy or self.power

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the ids of the counters that give the good parts: one, or all and scrapped."""
        if self.good:
            return (self.good,)
        return (self.count, self.reject) if self.count and self.reject else ()


class EnergyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The meters of a site."""

    asset: Annotated[
        str, msgspec.Meta(description="Id of the site or line of the total", min_length=1)
    ]
    meters: Annotated[
        dict[str, Meter],
        msgspec.Meta(description="By id of the machine: what tells its energy", min_length=1),
    ]
    main: Annotated[
        Meter | None,
        msgspec.Meta(description="Main meter of the site; without it the total is the sum"),
    ] = None
    period: Annotated[
        Literal["shift", "day"],
        msgspec.Meta(description="Over what is counted; `shift` is `day` where there are none"),
    ] = "day"
    co2: Annotated[
        Factor | None,
        msgspec.Meta(description="Greenhouse gas of a kW.h of electricity from the grid"),
    ] = None
    carriers: Annotated[
        dict[str, Carrier],
        msgspec.Meta(description="By name, as `gas`: what else is used than electricity"),
    ] = {}
    every: Annotated[
        float,
        msgspec.Meta(description="How often it is told", ge=1, extra={"unit": "s"}),
    ] = 60.0


class _Period(NamedTuple):
    start: int
    end: int


class Energy:
    """Tells the electric energy of each machine, by state and per good part, and of the site.

    From counters of energy, with resets and overflows, or from power. The maximum demand is the
    largest mean power over a quarter of an hour by the clock, as it is billed in Korea. What nobody
    heard is not guessed: the value is what was metered, and where the most that a machine can draw
    is stated (`rated`), the bounds say what it can have been.

    ```toml
    [insight.site_energy]
    type = "energy"
    asset = "brickworks"
    period = "shift"
    meters.press1 = { energy = "press1.energy", state = "press1.state", good = "press1.good" }
    meters.kiln1 = { power = "kiln1.power", rated = 120 }
    co2 = { factor = 0.4173, year = 2023, source = "Korean grid, fixed 2025-12-17" }
    carriers.gas = { asset = "kiln1", counter = "kiln1.gas" }
    ```

    `co2` states the factor with its year; without it no carbon is told. Gas and the like have
    factors of their own, per unit of their counter.
    """

    Options = EnergyOptions

    def __init__(self, name: str, options: EnergyOptions, factory: Factory) -> None:
        """Raises FactoryError where a meter names no energy, or a signal is in another unit."""
        self.name = name
        self.options = options
        self.factory = factory
        faults = list(self._faults())
        if faults:
            raise FactoryError(faults)

    @property
    def needs(self) -> Needs:
        """Return the named signals, back to the start of the period that ended last."""
        meters = self._meters()
        told = [meter.state for meter in meters if meter.state]
        numbers = [id for meter in meters for id in (meter.source, *meter.parts)]
        numbers += [id for id in told if self._is_number(id)]
        every = round(self.options.every * SECOND)
        return Needs(
            signals=tuple(dict.fromkeys(numbers)),
            events=tuple(dict.fromkeys(id for id in told if not self._is_number(id))),
            every=every,
            history=DAY + HOUR + 2 * every,
        )

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        """Return the energy of the running period, and of one that ended just now.

        Raises NotEnoughData where no meter told anything.
        """
        meters = {asset: self._pieces(m, window) for asset, m in self.options.meters.items()}
        main = self._pieces(self.options.main, window) if self.options.main else None
        known = [p for p in (*meters.values(), main) if p is not None and p.known.any()]
        if not known:
            ids = ", ".join(meter.source for meter in self._meters())
            raise NotEnoughData(f"no energy was told yet by {ids}")
        findings: list[Finding] = []
        measured = list(meters.values()) if main is None else [main]
        for period in self._periods(now):
            for asset, meter in self.options.meters.items():
                findings += self._machine(asset, meter, meters[asset], window, period)
            findings += self._site(meters, main, period)
            findings.append(self._peak(measured, period))
        findings.append(self._demand(measured, now))
        return findings

    def account(self, store: Store, start: int, end: int) -> Account:
        """Return what was used in [start, end), as far as it was told. Raises NotEnoughData."""
        window = self._window(store, start, end)
        meters = {asset: self._pieces(m, window) for asset, m in self.options.meters.items()}
        main = self._pieces(self.options.main, window) if self.options.main else None
        measured = list(meters.values()) if main is None else [main]
        if not any(pieces.known.any() for pieces in (*meters.values(), *measured)):
            ids = ", ".join(meter.source for meter in self._meters())
            raise NotEnoughData(f"no energy was told in this period by {ids}")
        period = _Period(start, end)
        parts = [within(pieces, [period]) for pieces in meters.values()]
        return Account(
            start=start,
            end=end,
            energy=total(parts) if main is None else within(main, [period]),
            machines=tuple(
                self._use(asset, meter, meters[asset], window, period)
                for asset, meter in self.options.meters.items()
            ),
            carriers=tuple(self._carrier(name, window, period) for name in self.options.carriers),
            load=load(measured, start, end),
            factor=self.options.co2,
        )

    def _window(self, store: Store, start: int, end: int) -> Window:
        """Return all that an account needs of a period."""
        meters = self._meters()
        told = [meter.state for meter in meters if meter.state]
        counters = [meter.energy for meter in meters if meter.energy]
        counters += [carrier.counter for carrier in self.options.carriers.values()]
        powers = [meter.power for meter in meters if meter.power]
        samples = readings(
            store, counters, powers, start, end + 1
        )  # one at the end closes the last
        coded = [id for id in told if self._is_number(id)]
        samples |= store.query(coded, start, end, before=True) if coded else {}
        ids = [id for id in told if not self._is_number(id)]
        ids += [_parts_of(asset) for asset in self.options.meters]
        events: dict[str, list[Event]] = {id: [] for id in ids}
        for event in store.events(start, end, ids=ids, before=True):
            events[event.id].append(event)
        return Window(start, end, samples, {id: tuple(each) for id, each in events.items()})

    def _use(
        self, asset: str, meter: Meter, pieces: Pieces, window: Window, period: _Period
    ) -> MachineUse:
        made = [part for part in window.events[_parts_of(asset)] if part.kind == "scan"]
        return MachineUse(
            asset=asset,
            energy=within(pieces, [period]),
            states=shares(pieces, self._spans(meter, window, period)),
            products=shares(pieces, products(made, *period)) if made else {},
        )

    def _carrier(self, name: str, window: Window, period: _Period) -> CarrierUse:
        carrier = self.options.carriers[name]
        signal = self.factory.signals.get(carrier.counter)
        samples = window.samples.get(carrier.counter, _NOTHING)
        pieces = from_counter(samples, window.start, window.end, wrap=carrier.wrap)
        return CarrierUse(
            name=name,
            asset=carrier.asset,
            unit=signal.unit if signal else "1",
            amount=within(pieces, [period]),
            factor=carrier.co2,
        )

    def _pieces(self, meter: Meter, window: Window) -> Pieces:
        samples = window.samples.get(meter.source, _NOTHING)
        gain = self._gain(meter)
        if meter.energy:
            return from_counter(
                samples, window.start, window.end, gain=gain, wrap=meter.wrap, rated=meter.rated
            )
        return from_power(samples, window.start, window.end, gain=gain, rated=meter.rated)

    def _machine(
        self, asset: str, meter: Meter, pieces: Pieces, window: Window, period: _Period
    ) -> Iterator[Finding]:
        """Yield the energy of one machine, by state, and per good part."""
        amount = within(pieces, [period])
        by_state = {
            f"in {state}": _spell(within(pieces, spans))
            for state, spans in self._spans(meter, window, period).items()
        }
        evidence = {"signal": meter.source, **by_state}
        yield self._finding(asset, "energy", period, amount, evidence)
        if meter.parts:
            yield self._per_part(asset, meter, pieces, window, period)

    def _site(
        self, meters: dict[str, Pieces], main: Pieces | None, period: _Period
    ) -> Iterator[Finding]:
        """Yield the energy of the site, and what no machine's meter shows of it."""
        parts = {asset: within(pieces, [period]) for asset, pieces in meters.items()}
        evidence = {f"of {asset}": _spell(part) for asset, part in parts.items()}
        metered = total(parts.values())
        whole = metered if main is None else within(main, [period])
        yield self._finding(self.options.asset, "energy", period, whole, evidence)
        if main is not None:
            rest = Amount(
                value=whole.value - metered.value,
                low=whole.low - metered.high,
                high=whole.high - metered.low,
                unknown=max(whole.unknown, metered.unknown),
                silent=whole.silent or metered.silent,
            )
            yield self._finding(self.options.asset, "unmetered", period, rest, evidence)

    def _finding(
        self,
        asset: str,
        name: str,
        period: _Period,
        amount: Amount,
        evidence: dict[str, str],
        unit: str = "kW.h",
    ) -> Finding:
        """Return an amount as a finding: without a value if silent, with bounds if they are."""
        bounds = {"low": amount.low, "high": amount.high}
        told = {side: f"{x:.12g}" for side, x in bounds.items() if isfinite(x)}
        return Finding(
            origin=self.name,
            asset=asset,
            name=name,
            start=period.start,
            end=period.end,
            value=None if amount.silent else amount.value,
            unit=unit,
            uncertainty=None
            if amount.silent or len(told) < len(bounds)
            else max(amount.high - amount.value, amount.value - amount.low),
            reason=_doubt(amount, period.end - period.start),
            evidence=told | evidence,
        )

    def _per_part(
        self, asset: str, meter: Meter, pieces: Pieces, window: Window, period: _Period
    ) -> Finding:
        """Return the energy per good part, over the time in which all was told."""
        counters = [window.samples.get(id, _NOTHING) for id in meter.parts]
        whole = [increments(counter, *period) for counter in counters]
        since = max([_known_from(pieces, period), *(r.known for r in whole if r is not None)])
        rises = [increments(counter, since, period.end) for counter in counters]
        made = [rise.total for rise in rises if rise is not None]
        good = made[0] - sum(made[1:]) if len(made) == len(rises) else 0.0
        if since < period.end and good > 0:
            amount = within(pieces, [(since, period.end)])
            evidence = {"good parts": f"{good:.12g}", "energy": _spell(amount)}
            evidence["since"] = to_iso(since, self.factory.zone)
            return self._finding(asset, "energy_per_good", period, amount.per(good), evidence)
        if since < period.end and len(made) == len(rises):
            return self._lacking(asset, "energy_per_good", period, "no good part was made")
        ids = ", ".join((meter.source, *meter.parts))
        return self._lacking(asset, "energy_per_good", period, f"too little was told by {ids}")

    def _lacking(
        self, asset: str, name: str, period: _Period, reason: str, unit: str = "kW.h"
    ) -> Finding:
        """Return a finding without a value."""
        start, end = period
        return Finding(
            origin=self.name, asset=asset, name=name, start=start, end=end, unit=unit, reason=reason
        )

    def _peak(self, meters: list[Pieces], period: _Period) -> Finding:
        """Return the largest mean power over a whole quarter of an hour by the clock."""
        first, last = -(-period.start // QUARTER) * QUARTER, period.end // QUARTER * QUARTER
        blocks = [
            (_power(meters, start, start + QUARTER), start) for start in range(first, last, QUARTER)
        ]
        told = [(block.value, start) for block, start in blocks if not block.silent]
        if not told:
            reason = "no whole quarter of an hour was told yet"
            return self._lacking(self.options.asset, "peak_demand", period, reason, unit="kW")
        value, at = max(told)
        peak = Amount(
            value=value,
            low=max(block.low for block, _ in blocks),
            high=max(block.high for block, _ in blocks),
            unknown=sum(block.unknown for block, _ in blocks),
            silent=False,
        )
        evidence = {"from": to_iso(at, self.factory.zone), "quarters": str(len(blocks))}
        return self._finding(self.options.asset, "peak_demand", period, peak, evidence, unit="kW")

    def _demand(self, meters: list[Pieces], now: int) -> Finding:
        """Return the mean power of the quarter of an hour that runs now, so far."""
        block = _Period((now - 1) // QUARTER * QUARTER, now)
        elapsed = {"elapsed": f"{(block.end - block.start) / SECOND:.12g} s of 900 s"}
        power = _power(meters, *block)
        return self._finding(self.options.asset, "demand", block, power, elapsed, unit="kW")

    def _spans(
        self, meter: Meter, window: Window, period: _Period
    ) -> dict[str, list[tuple[int, int]]]:
        """Return when the machine was in each state; what was not told is `unknown`."""
        if not meter.state:
            return {}
        events: tuple[Event, ...] = window.events.get(meter.state, ())
        samples = window.samples.get(meter.state, _NOTHING)
        told = (
            timeline.told_by_samples(samples) if len(samples) else timeline.told_by_events(events)
        )
        spells = states.spells(
            told,
            *period,
            heard=window.samples.get(meter.source, _NOTHING).time,
            gaps=timeline.gaps(events),
            zone=self.factory.zone,
        )
        spans: dict[str, list[tuple[int, int]]] = {}
        for spell in spells:
            spans.setdefault(spell.state, []).append((spell.start, spell.end))
        return spans

    def _periods(self, now: int) -> list[_Period]:
        """Return the running period, and the one before if it ended at most two calls ago."""
        recent = now - 2 * round(self.options.every * SECOND)
        zone, calendar = self.factory.zone, self.factory.calendar
        if self.options.period == "shift" and calendar.shifts:
            shifts = calendar.shifts_between(recent - 1, now + 1, zone)
            whole = [_Period(shift.start, shift.end) for shift in shifts]
        else:
            days = [day for day, _ in days_between(recent - 1, now + 1, zone)]
            whole = [
                _Period(local_midnight(day, zone), local_midnight(day + timedelta(1), zone))
                for day in days
            ]
        running = [_Period(start, now) for start, end in whole if start < now < end]
        return [period for period in whole if recent <= period.end <= now] + running

    def _meters(self) -> list[Meter]:
        main = [self.options.main] if self.options.main else []
        return [*self.options.meters.values(), *main]

    def _is_number(self, id: str) -> bool:
        signal = self.factory.signals.get(id)
        return signal is not None and signal.kind == "number"

    def _gain(self, meter: Meter) -> float:
        """Return kW.h or kW per unit of the meter's signal; one without a unit is in these."""
        signal = self.factory.signals.get(meter.source)
        if signal is None or signal.unit == "1":
            return 1.0
        return conversion(signal.unit, "kW.h" if meter.energy else "kW")[0]

    def _faults(self) -> Iterator[Fault]:
        fault = partial(self.factory.fault, "insight", self.name)
        places = {f"meters.{asset}": meter for asset, meter in self.options.meters.items()}
        if self.options.main is not None:
            places["main"] = self.options.main
        for place, meter in places.items():
            if bool(meter.energy) == bool(meter.power):
                yield fault(place, None, "needs either `energy` or `power`")
                continue
            try:
                self._gain(meter)
            except UnknownUnitError as error:
                yield fault(place, meter.source, str(error))
        if self.options.asset in self.options.meters:
            yield fault("asset", self.options.asset, "is one of the meters: use `main`")


def _parts_of(asset: str) -> str:
    """Return the id of the scans of a machine's finished parts, by the house's convention."""
    return f"{asset}.part"


def _power(meters: list[Pieces], start: int, end: int) -> Amount:
    """Return the mean power of all meters over [start, end), kW."""
    amount = total(within(pieces, [(start, end)]) for pieces in meters)
    return amount.per((end - start) / HOUR)


def _known_from(pieces: Pieces, period: _Period) -> int:
    """Return from when on the meter told anything within the period; its end if never."""
    told = pieces.known & (pieces.end > period.start)
    return max(int(pieces.start[told][0]), period.start) if told.any() else period.end


def _doubt(amount: Amount, length: int) -> str:
    """Return what to know of an amount of which not everything was told."""
    share = amount.unknown / length
    if amount.silent:
        return "nothing was told of it in this time"
    if share < _WORTH_TELLING:
        return ""
    remedy = "" if isfinite(amount.high) else "; to bound it, state `rated` of each meter"
    return f"not everything was told in {100 * share:.1f} % of the time{remedy}"


def _spell(amount: Amount) -> str:
    """Return an amount as text, with its bounds where they differ from it."""
    value = f"{amount.value:.12g} kW.h"
    if amount.low == amount.high:
        return value
    most = f" to {amount.high:.6g}" if isfinite(amount.high) else " at least"
    return f"{value} ({amount.low:.6g}{most})"
