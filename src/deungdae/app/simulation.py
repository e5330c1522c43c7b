"""What a simulation says, for the command line, the API and the pages alike."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.sim import line as lines
from deungdae.sim.line import STATES, Line
from deungdae.sim.outcome import Estimate, Outcome, estimate


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over replications with its 95 % interval; None where it cannot be given, and why."""

    mean: float | None = None
    half_width: float | None = None
    unit: str
    reason: str = ""


class StationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One station. share: of the counted time in each state, 0..1; bottleneck: of all time."""

    station: str
    servers: int
    parts: Quantity
    share: dict[str, float]
    energy: Quantity
    bottleneck: float


class OrderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One order. met: share of replications in which it was done by when it was due."""

    order: str
    due: float
    met: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What the replications of one line say. Times in s; counted: horizon without warm-up."""

    line: str
    horizon: float
    warm_up: float
    replications: int
    seed: int
    method: str
    throughput: Quantity
    lead_time: Quantity
    lead_time_90: Quantity
    wip: Quantity
    scrap: Quantity
    energy_per_part: Quantity
    service: Quantity
    bottleneck: str
    stations: tuple[StationSummary, ...]
    buffers: dict[str, Quantity]
    orders: tuple[OrderSummary, ...]


def summary(outcome: Outcome) -> Summary:
    """Return the means and intervals of an outcome."""
    good = outcome.made.sum(axis=1).astype(float)
    bad = (outcome.scrapped.sum(axis=1) + outcome.escaped.sum(axis=1)).astype(float)
    energy = outcome.energy.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scrap = 100 * bad / (good + bad)
        per_part = energy / good
    share = outcome.bottleneck.mean(axis=0)
    return Summary(
        line=outcome.line,
        horizon=outcome.horizon,
        warm_up=outcome.warm_up,
        replications=len(outcome),
        seed=outcome.seed,
        method=outcome.method,
        throughput=_quantity(outcome.throughput, "/h"),
        lead_time=_quantity(outcome.lead_time, "s"),
        lead_time_90=_quantity(outcome.lead_time_90, "s"),
        wip=_quantity(outcome.wip, "{part}"),
        scrap=_quantity(scrap, "%"),
        energy_per_part=_quantity(per_part, "kW.h"),
        service=_quantity(100 * outcome.service, "%"),
        bottleneck=outcome.stations[int(share.argmax())] if share.any() else "",
        stations=tuple(_station(outcome, number) for number in range(len(outcome.stations))),
        buffers={
            name: _quantity(outcome.level[:, number], "{part}")
            for number, name in enumerate(outcome.buffers)
        },
        orders=tuple(
            OrderSummary(
                order=name, due=float(outcome.due[number]), met=float(outcome.met[:, number].mean())
            )
            for number, name in enumerate(outcome.orders)
        ),
    )


def _station(outcome: Outcome, number: int) -> StationSummary:
    whole = outcome.counted * outcome.servers[number]
    time = outcome.state_time[:, number, :].mean(axis=0) / whole
    return StationSummary(
        station=outcome.stations[number],
        servers=outcome.servers[number],
        parts=_quantity(outcome.done[:, number].astype(float), "{part}"),
        share={state: round(float(part), 6) for state, part in zip(STATES, time, strict=True)},
        energy=_quantity(outcome.energy[:, number], "kW.h"),
        bottleneck=float(outcome.bottleneck[:, number].mean()),
    )


def _quantity(values: FloatArray, unit: str) -> Quantity:
    try:
        found: Estimate = estimate(values)
    except NotEnoughData as error:
        known = values[np.isfinite(values)]
        mean = float(known.mean()) if len(known) else None
        return Quantity(mean=mean, unit=unit, reason=str(error))
    return Quantity(mean=found.mean, half_width=found.half_width, unit=unit)


def read(path: Path) -> Line:
    """Return the line that a file describes. path: line.toml or its folder.

    Raises FactoryError with every fault.
    """
    path = path / "line.toml" if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        problem, remedy = "is not there", "a line has a file of its own: see docs/reference"
        fault = Fault(file=str(path), key="file", problem=problem, remedy=remedy)
        raise FactoryError([fault]) from error
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {error}"
        fault = Fault(file=str(path), key="file", problem=problem, remedy="it must be UTF-8 text")
        raise FactoryError([fault]) from error
    return lines.read(text, str(path))
