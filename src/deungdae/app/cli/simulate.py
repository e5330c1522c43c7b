"""The verb simulate: what a line would do, or a log of what it did."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from deungdae.core.clock import from_iso
from deungdae.core.types import Signal

from .output import Output

HOUR, DAY = 3600.0, 86_400.0
START = "2026-01-05T00:00:00"  # a Monday: simulated weeks begin with one unless told otherwise


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("simulate", help="what a line would make, with intervals")
    verb.add_argument("line", type=Path, metavar="F", help="line.toml or its folder")
    length = verb.add_mutually_exclusive_group()
    length.add_argument("--days", type=float, metavar="D", help="how long (7)")
    length.add_argument("--hours", type=float, metavar="H")
    verb.add_argument("--replications", type=int, default=20, metavar="N", help="how often (20)")
    verb.add_argument("--seed", type=int, default=1, metavar="N", help="the same, the same (1)")
    verb.add_argument("--start", default=START, metavar="TIME",
                      help=f"when it begins, for shifts; local time ({START})")  # fmt: skip
    verb.add_argument("--workers", type=int, default=0, metavar="N", help="processes (all cores)")
    verb.add_argument("--ray", default="off", metavar="off|auto|ADDRESS", help="a Ray cluster")
    verb.add_argument("--write", type=Path, metavar="S",
                      help="write the log of one replication into a history")  # fmt: skip
    verb.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app import simulation  # noqa: PLC0415 — what computes, for this verb alone
    from deungdae.app.compute import Compute, ComputeOptions  # noqa: PLC0415

    line = simulation.read(options.line)
    horizon = _horizon(options)
    origin = _origin(options.start, line.timezone)
    if options.write is not None:
        return _write(options, output, line, horizon, origin)
    if options.replications < 1:
        raise ValueError(f"--replications {options.replications}: at least 1, better 20")
    with Compute(ComputeOptions(ray=options.ray, workers=options.workers)) as compute:
        outcome = compute.simulate(
            line, horizon=horizon, replications=options.replications, seed=options.seed,
            origin=origin,
        )  # fmt: skip
    found = simulation.summary(outcome)
    if output.as_json:
        output.value(msgspec.to_builtins(found))
    else:
        _print(found, output)
    return 0


def _origin(text: str, zone: str) -> int:
    try:
        return from_iso(text, ZoneInfo(zone))
    except ValueError as error:
        raise ValueError(f"--start {text}: no ISO 8601 time, e.g. {START}") from error


def _horizon(options: argparse.Namespace) -> float:
    days = 7.0 if options.days is None else options.days
    given = options.hours * HOUR if options.hours is not None else days * DAY
    if not 0 < given <= 100 * 365 * DAY:
        raise ValueError("--days, --hours: a time above 0, at most a hundred years")
    return float(given)


def _print(found: Any, output: Output) -> None:
    counted = (found.horizon - found.warm_up) / DAY
    output.say(
        f"{found.line}: {found.replications} replications of {found.horizon / DAY:g} days,"
        f" {counted:g} of them counted; seed {found.seed}, by {found.method}\n"
    )
    output.rows(
        [
            _row("throughput, good parts", found.throughput),
            _row("lead time, mean", found.lead_time, 1 / HOUR, "h"),
            _row("lead time, 9 of 10 parts", found.lead_time_90, 1 / HOUR, "h"),
            _row("parts in the line", found.wip),
            _row("bad parts", found.scrap),
            _row("energy per good part", found.energy_per_part),
        ]
    )
    output.say("\nstations, % of the counted time")
    output.rows(
        [
            {"station": each.station, "servers": each.servers}
            | {state: round(100 * part, 1) or None for state, part in each.share.items()}
            | {"bottleneck %": round(100 * each.bottleneck, 1), "kW.h": each.energy.mean}
            for each in found.stations
        ]
    )
    if found.orders:
        output.say("\norders")
        output.rows(
            [
                {"order": o.order, "due, h": o.due / HOUR, "in time, %": round(100 * o.met, 1)}
                for o in found.orders
            ]
        )
    output.say(f"\nbottleneck: {found.bottleneck or 'none'}")


def _row(name: str, quantity: Any, factor: float = 1.0, unit: str = "") -> dict[str, object]:
    return {
        "what": name,
        "mean": None if quantity.mean is None else quantity.mean * factor,
        "±": None if quantity.half_width is None else quantity.half_width * factor,
        "unit": unit or quantity.unit,
        "note": quantity.reason,
    }


def _write(
    options: argparse.Namespace, output: Output, line: Any, horizon: float, origin: int
) -> int:
    """Write the log of one replication, hour by hour."""
    from deungdae.historian.store import Historian  # noqa: PLC0415 — 40 MB, for a log alone
    from deungdae.sim import record  # noqa: PLC0415
    from deungdae.sim.kernel import Simulation  # noqa: PLC0415

    simulation = Simulation(line, seed=options.seed, origin=origin)
    events = 0
    with Historian(options.write) as store:
        assets = [asset for each in record.assets(line) for asset in each]
        store.register([Signal(id=f"{asset}.state", kind="state") for asset in assets])
        store.register([Signal(id=f"{asset}.part", kind="scan") for asset in assets])
        while simulation.time < horizon:
            trace = simulation.advance(min(simulation.time + HOUR, horizon))
            found = record.events(trace, line, origin)
            store.append(found)
            events += len(found)
        while store.tidy(origin + round(horizon * 1e9)):
            pass
    told = {"store": str(options.write), "events": events, "days": horizon / DAY}
    if output.as_json:
        output.value(told)
    output.say(f"wrote {events:,} events of {horizon / DAY:g} days to {options.write}")
    return 0
