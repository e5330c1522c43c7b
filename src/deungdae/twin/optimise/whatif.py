"""What if: a line with changes beside the line without, under the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.sim.line import Line, Snapshot
from deungdae.sim.outcome import Estimate, Outcome, estimate
from deungdae.twin.replicate.twin import Twin

from .change import Change, apply
from .measures import MEASURES

Run = Callable[..., Outcome]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of both lines. difference: changed less base, replication by replication.

    verdict: `better`, `worse`, `same` where not one replication differs, or `unknown` where the
    interval of the difference holds 0. needed: replications that could tell, where unknown.
    """

    unit: str
    base: Estimate
    changed: Estimate
    difference: Estimate
    verdict: str
    needed: int | None = None


class Bottleneck(msgspec.Struct, frozen=True, kw_only=True):
    """The station that is the bottleneck for most of the time, and share of time of each."""

    station: str
    shares: dict[str, float]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the changes would do. measures: by name of MEASURES; those without a value are left out,
    and named in notes. horizon: s.
    """

    changes: tuple[str, ...]
    horizon: float
    replications: int
    seed: int
    measures: dict[str, Comparison]
    bottleneck: Bottleneck
    changed_bottleneck: Bottleneck
    notes: tuple[str, ...] = ()


def whatif(
    line: Line | Twin,
    changes: Sequence[Change | str],
    *,
    horizon: float,
    replications: int = 200,
    seed: int = 1,
    start: Snapshot | None = None,
    origin: int = 0,
    run: Run | None = None,
    draws: int = 20,
) -> Answer:
    """Return what the changes would do over the next `horizon` s.

    Both lines see the same random numbers, so their difference is known better than either. Of a
    Twin, `draws` draws of its parameters are simulated: what is not known of the line is then in
    the intervals. start: where the line stands; origin: ns, now. run: as sim.kernel.simulate.
    Raises FactoryError for a change that the line does not allow, NotEnoughData for less than two
    replications.
    """
    run = usual() if run is None else run
    parsed = [Change.parse(each) if isinstance(each, str) else each for each in changes]
    lines = _lines(line, min(draws, replications // 2), seed)
    changed = [apply(each, parsed) for each in lines]
    cuts = np.linspace(0, replications, len(lines) + 1).astype(int).tolist()
    spans = [range(a, b) for a, b in pairwise(cuts)]

    def all_of(which: Sequence[Line]) -> Outcome:
        return Outcome.join([
            run(each, horizon=horizon, replications=span, seed=seed, start=start, origin=origin)
            for each, span in zip(which, spans, strict=True)
        ])  # fmt: skip

    before, after = all_of(lines), all_of(changed)
    measures, notes = compare(before, after, [len(span) for span in spans])
    return Answer(
        changes=tuple(str(each) for each in parsed),
        horizon=horizon,
        replications=replications,
        seed=seed,
        measures=measures,
        bottleneck=bottleneck(before),
        changed_bottleneck=bottleneck(after),
        notes=tuple(notes),
    )


def compare(
    before: Outcome, after: Outcome, groups: Sequence[int] = ()
) -> tuple[dict[str, Comparison], list[str]]:
    """Return each measure of two outcomes of the same replications, and what cannot be told.

    groups: sizes of groups of replications that share parameters; their means then are the sample.
    """
    measures: dict[str, Comparison] = {}
    notes: list[str] = []
    for name, measure in MEASURES.items():
        a, b = _grouped(measure.of(before), groups), _grouped(measure.of(after), groups)
        if name == "service" and not before.orders:
            continue
        usable = np.isfinite(a) & np.isfinite(b)
        if usable.sum() < max(2, 0.5 * len(a)):
            notes.append(f"{name}: {int(usable.sum())} of {len(a)} replications gave a value")
            continue
        found = _comparison(measure.unit, measure.better, a[usable], b[usable])
        measures[name] = found
        if found.verdict == "unknown":
            half = found.difference.half_width
            more = f"; about {found.needed:,} could" if found.needed else ""
            notes.append(
                f"{name}: too few replications to tell {found.difference.mean:+.3g} from none "
                f"(± {half:.2g}){more}"
            )
    if not measures:
        raise NotEnoughData("no measure has a value: no part left the line; simulate for longer")
    return measures, notes


def bottleneck(outcome: Outcome) -> Bottleneck:
    """Return the bottleneck of an outcome, by the active-period method."""
    shares = outcome.bottleneck.mean(axis=0)
    named = {name: round(float(each), 6) for name, each in zip(outcome.stations, shares,
                                                               strict=True)}  # fmt: skip
    return Bottleneck(station=outcome.stations[int(np.argmax(shares))], shares=named)


def _comparison(unit: str, better: int, a: FloatArray, b: FloatArray) -> Comparison:
    difference = estimate(b - a)
    needed = None
    if np.array_equal(a, b):
        verdict = "same"
    elif difference.low <= 0 <= difference.high:
        verdict = "unknown"
        if difference.mean:
            times = (difference.half_width / abs(difference.mean)) ** 2
            needed = min(math.ceil(len(a) * times * 1.1), 10**9)
    else:
        verdict = "better" if difference.mean * better > 0 else "worse"
    return Comparison(
        unit=unit, base=estimate(a), changed=estimate(b), difference=difference,
        verdict=verdict, needed=needed,
    )  # fmt: skip


def _grouped(values: FloatArray, groups: Sequence[int]) -> FloatArray:
    if len(groups) < 2:
        return values
    starts = np.concatenate([[0], np.cumsum(groups)[:-1]]).astype(int)
    means: FloatArray = np.add.reduceat(values, starts) / np.asarray(groups)
    return means


def _lines(line: Line | Twin, draws: int, seed: int) -> list[Line]:
    if isinstance(line, Line):
        return [line]
    if draws < 2:
        raise NotEnoughData("a twin needs four replications at least, better two hundred")
    random = np.random.default_rng(seed)
    return [line.sample(random) for _ in range(draws)]


def usual() -> Run:
    from deungdae.sim.kernel import simulate  # noqa: PLC0415 - compiles; only who simulates

    return simulate
