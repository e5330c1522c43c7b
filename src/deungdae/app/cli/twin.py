"""The verb twin: learn a line from its records, score it, ask it what if, let it improve."""

from __future__ import annotations

import argparse
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from deungdae.core.clock import to_iso
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.types import DAY, SECOND
from deungdae.sim.line import Line

from .moments import add_period, add_store, first_of, opened, period_of, zone_of
from .output import Output, Row

if TYPE_CHECKING:
    from deungdae.core.ports import Window
    from deungdae.twin.replicate import Log, Twin

TWIN = Path("twin.json")
HOUR = 3600.0


def add(verbs: Any) -> None:
    """Add the verb with its own verbs."""
    verb = verbs.add_parser("twin", help="build, score, whatif, improve: a line and its double")
    own = verb.add_subparsers(metavar="build|score|whatif|improve", required=True)
    _add_build(own.add_parser("build", help="learn a line from its records"))
    _add_score(own.add_parser("score", help="shift by shift: forecast before, compared after"))
    _add_whatif(own.add_parser("whatif", help="a change, beside the line as it is"))
    _add_improve(own.add_parser("improve", help="the best use of a budget"))
    for each in own.choices.values():
        each.add_argument("--json", action="store_true", help="print JSON with stable keys")


def _add_build(verb: argparse.ArgumentParser) -> None:
    add_store(verb)
    add_period(verb)
    verb.add_argument("--line", type=Path, metavar="F", help="line.toml, where one is declared")
    verb.add_argument("--station", action="append", default=[], metavar="A", help="else all")
    verb.add_argument("--write", type=Path, default=TWIN, metavar="FILE", help=f"({TWIN})")
    verb.set_defaults(run=_build)


def _add_score(verb: argparse.ArgumentParser) -> None:
    add_store(verb)
    add_period(verb)
    verb.add_argument("--line", type=Path, metavar="F", help="line.toml, where one is declared")
    verb.add_argument("--station", action="append", default=[], metavar="A", help="else all")
    verb.add_argument("--learn", type=float, default=0.5, metavar="SHARE",
                      help="share of the period to learn from, before the rest (0.5)")  # fmt: skip
    verb.add_argument("--hours", type=float, default=8.0, metavar="H", help="of a shift (8)")
    verb.set_defaults(run=_score)


def _add_what(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--twin", type=Path, metavar="FILE", help=f"twin.json or line.toml ({TWIN})")
    verb.add_argument("--days", type=float, default=7.0, metavar="D", help="horizon (7)")
    verb.add_argument("--seed", type=int, default=1, metavar="N", help="of the replications (1)")
    verb.add_argument("--workers", type=int, default=0, metavar="N", help="processes (all cores)")


def _add_whatif(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--set", action="append", required=True, dest="changes", metavar="CHANGE",
                      help="press-2.cycle=-10%%, buffer.capacity=20, fitters.size=2 …")  # fmt: skip
    _add_what(verb)
    verb.add_argument("--replications", type=int, default=200, metavar="N", help="(200)")
    verb.set_defaults(run=_whatif)


def _add_improve(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--budget", required=True, metavar="MONEY", help="what may be spent")
    verb.add_argument("--currency", default="KRW", metavar="CODE", help="ISO 4217 (KRW)")
    verb.add_argument("--objective", default="throughput", metavar="MEASURE", help="(throughput)")
    verb.add_argument("--levers", type=Path, metavar="F",
                      help="with [[levers]]; else the twin's own, or ./line.toml")  # fmt: skip
    _add_what(verb)
    verb.add_argument("--replications", type=int, default=20, metavar="N", help="each try (20)")
    verb.set_defaults(run=_improve)


# ---- build


def _build(options: argparse.Namespace, output: Output) -> int:
    from deungdae.twin import replicate  # noqa: PLC0415 — what learns, for these verbs alone

    with opened(options.store) as store:
        log, _ = _log(options, store)
    twin = replicate.learn(log, name=_name(options), declared=_declared(options), now=_now())
    options.write.write_bytes(replicate.encode(twin))
    beside = options.write.with_suffix(".toml")
    beside.write_text(replicate.write(twin.line), encoding="utf-8")
    if output.as_json:
        output.value(msgspec.to_builtins(twin) | {"revision": twin.revision})
        return 0
    _print_twin(twin, output)
    output.say(f"\nwrote {options.write} and {beside}; next: deungdae twin whatif --set …")
    return 0


def _print_twin(twin: Twin, output: Output) -> None:
    days = (twin.end - twin.start) / DAY
    output.say(f"{twin.line.name}: learnt from {days:.1f} days; revision {twin.revision}\n")
    output.rows(
        [
            {"what": name, "fits": str(fit.distribution)[:60], "observed": fit.n,
             "mean, s": fit.mean, "± %": 100 * 1.96 * fit.error}
            for name, fit in twin.fits.items()
        ]
    )  # fmt: skip
    output.say("\nwhat the records do not tell")
    output.rows(
        [
            {"station": gap.station or "line", "what": gap.what, "why": gap.why, "so": gap.bound}
            for gap in twin.gaps
        ],
        empty="nothing: all is known",
    )


def _log(options: argparse.Namespace, store: Any, share: float = 1.0) -> tuple[Log, Window]:
    """Return the log of the first share of the period, and all records of the period."""
    from deungdae.core.ports import Window  # noqa: PLC0415
    from deungdae.twin import replicate  # noqa: PLC0415
    from deungdae.twin.replicate.log import assets_of  # noqa: PLC0415

    last = max((e.time for e in store.events(0, _now(), kinds=["state"])), default=_now())
    start, end = period_of(options, first_of(store))
    end = min(end, last + 1) if not options.until else end
    declared = _declared(options)
    names = options.station or _stations(store)
    stations = assets_of(declared, {}) if declared else {name: (name,) for name in names}
    if not stations:
        raise ValueError(f"--store {options.store}: no asset in it tells a state")
    cut = start + round((end - start) * share)
    log = replicate.log_of(store, stations, start, cut, zone=zone_of(options))
    assets = [asset for each in stations.values() for asset in each]
    ids = [f"{asset}.{what}" for asset in assets for what in ("state", "part")]
    events = store.events(start, end, ids=ids, before=True)
    by_id = {id: tuple(event for event in events if event.id == id) for id in ids}
    return log, Window(start, end, {}, by_id)


def _stations(store: Any) -> list[str]:
    """Return the assets that tell a state, in the order in which the store came to know them."""
    return list(dict.fromkeys(s.asset for s in store.signals() if s.short == "state"))


def _declared(options: argparse.Namespace) -> Line | None:
    from deungdae.app import simulation  # noqa: PLC0415

    return simulation.read(options.line) if options.line else None


def _name(options: argparse.Namespace) -> str:
    return str(options.store.resolve().name)


# ---- score


def _score(options: argparse.Namespace, output: Output) -> int:
    from deungdae.model.factory import Factory, Identity  # noqa: PLC0415
    from deungdae.twin import replicate  # noqa: PLC0415
    from deungdae.twin.monitor import Monitor, MonitorOptions  # noqa: PLC0415

    if not 0 < options.learn < 1:
        raise ValueError(f"--learn {options.learn}: a share between 0 and 1")
    with opened(options.store) as store:
        log, window = _log(options, store, options.learn)
    twin = replicate.learn(log, name=_name(options), declared=_declared(options), now=log.end)
    factory = Factory(
        path=Path(), identity=Identity(id="store", timezone=zone_of(options).key),
        texts={"twin": replicate.encode(twin).decode()},
    )  # fmt: skip
    shifts = min(max(20, round((window.end - log.end) / (options.hours * HOUR * SECOND))), 500)
    watch = MonitorOptions(line="twin", hours=options.hours, shifts=shifts)
    monitor = Monitor("twin", watch, factory)
    scores, belief, drifts = monitor.history(window.end, window)
    if output.as_json:
        output.value(
            {"twin": twin.revision, "belief": belief, "shifts": scores,
             "drift": msgspec.to_builtins(drifts)}
        )  # fmt: skip
        return 0
    zone = zone_of(options)
    output.rows(
        [
            {"shift": to_iso(each.start, zone), "made": each.made, "expected": each.expected,
             "90 % from": each.low, "to": each.high, "inside": "yes" if each.inside else "NO",
             "CRPS": each.crps}
            for each in scores
        ]
    )  # fmt: skip
    output.say(f"\n{'it may be believed' if belief.yes else 'not to be believed yet'}:")
    output.say("\n".join(f"- {reason}" for reason in belief.reasons))
    for station, drift in drifts.items():
        if drift.direction:
            output.say(f"- {station}: cycles are {drift.direction} by {drift.size:+.1%}")
    return 0


# ---- whatif, improve


def _whatif(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.compute import Compute, ComputeOptions  # noqa: PLC0415
    from deungdae.twin.optimise import whatif  # noqa: PLC0415

    found = _twin(options)
    with Compute(ComputeOptions(workers=options.workers)) as compute:
        answer = whatif(
            found, options.changes, horizon=options.days * 24 * HOUR + _line(found).warm_up,
            replications=options.replications, seed=options.seed, run=compute.simulate,
        )  # fmt: skip
    if output.as_json:
        output.value(answer)
        return 0
    output.say(
        f"{', '.join(answer.changes)}: {options.days:g} days, {answer.replications} replications\n"
    )
    output.rows(_measures(answer))
    output.say(f"\nbottleneck: {answer.bottleneck.station} → {answer.changed_bottleneck.station}")
    for note in answer.notes:
        output.say(f"note: {note}")
    return 0


def _measures(answer: Any) -> list[Row]:
    return [
        {"what": name, "now": told.base.mean, "then": told.changed.mean,
         "difference": told.difference.mean, "±": told.difference.half_width, "unit": told.unit,
         "": told.verdict}
        for name, told in answer.measures.items()
    ]  # fmt: skip


def _improve(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.compute import Compute, ComputeOptions  # noqa: PLC0415
    from deungdae.twin.optimise import improve  # noqa: PLC0415

    try:
        budget = Decimal(options.budget.replace(",", "").replace("_", ""))
    except InvalidOperation as error:
        raise ValueError(f"--budget {options.budget}: no amount of money") from error
    line = _line(_twin(options))
    with Compute(ComputeOptions(workers=options.workers)) as compute:
        plan = improve(
            line, _levers(options, line), budget, currency=options.currency,
            horizon=options.days * 24 * HOUR + line.warm_up, objective=options.objective,
            replications=options.replications, seed=options.seed, run=compute.simulate,
        )  # fmt: skip
    if output.as_json:
        output.value(plan)
        return 0
    output.say(f"{plan.objective}, with {plan.budget:,} {plan.currency} at most:\n")
    for change in plan.changes or ("leave everything as it is",):
        output.say(f"  {change}")
    output.say(
        f"\ncost {plan.cost:,} {plan.currency}; with a chance of {plan.chance:.0%} the best of"
        f" {len(plan.finalists)} finalists, or within {plan.indifference:.3g} of it;"
        f" {plan.tried} combinations tried\n"
    )
    output.rows(_measures(plan.answer))
    for note in (*plan.notes, *plan.answer.notes):
        output.say(f"note: {note}")
    return 0


def _levers(options: argparse.Namespace, line: Line) -> Any:
    """Return what may be changed, and for how much."""
    from deungdae.app import simulation  # noqa: PLC0415

    if options.levers:
        return simulation.read(options.levers).levers
    beside = Path("line.toml")
    return line.levers or (simulation.read(beside).levers if beside.exists() else ())


def _twin(options: argparse.Namespace) -> Twin | Line:
    """Return the twin or line that is asked."""
    from deungdae.app import simulation  # noqa: PLC0415
    from deungdae.twin import replicate  # noqa: PLC0415

    path = options.twin or (TWIN if TWIN.exists() else Path("line.toml"))
    if path.suffix != ".json":
        return simulation.read(path)
    try:
        return replicate.decode(path.read_bytes())
    except FileNotFoundError as error:
        remedy = "learn one with: deungdae twin build --store S"
        fault = Fault(file=str(path), key="file", problem="is not there", remedy=remedy)
        raise FactoryError([fault]) from error


def _line(found: Twin | Line) -> Line:
    return found if isinstance(found, Line) else found.line


def _now() -> int:
    return time.time_ns()
