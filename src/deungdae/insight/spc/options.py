"""What can be asked of a control chart in the factory file, and what contradicts itself there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec

from deungdae.core.errors import Fault
from deungdae.insight.training import wrong
from deungdae.model.factory import Factory

from . import charts
from .attributes import COUNTED
from .multivariate import fewest
from .rules import RuleName

MOST = 1e100  # no measured value; squares of larger ones overflow


class SpcOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is charted, against which limits, and what is told."""

    signal: Annotated[
        str,
        msgspec.Meta(description="Id of the measured signal, one sample per part", min_length=1),
    ]
    chart: Annotated[
        Literal["individuals", "xbar_r", "xbar_s", "ewma", "cusum", "p", "np", "c", "u", "t2"],
        msgspec.Meta(
            description="Single parts with moving ranges, means with ranges or with standard "
            "deviations, for small lasting shifts a weighted mean or cumulative sums; of counts: "
            "share or number of bad parts (p, np), faults of a sample or of a unit (c, u); of "
            "several measurements of one part their T² (t2)"
        ),
    ] = "individuals"
    together: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Ids of the other measurements of the same part, which `t2` charts "
            "together with `signal`"
        ),
    ] = ()
    near: Annotated[
        float,
        msgspec.Meta(
            description="Measurements of one part come within so long of that of `signal`: less "
            "than half the time from part to part",
            gt=0,
            extra={"unit": "s"},
        ),
    ] = 1.0
    subgroup: Annotated[
        int, msgspec.Meta(description="Consecutive parts of one point", ge=1, le=25)
    ] = 1
    within: Annotated[
        float,
        msgspec.Meta(
            description="Parts of a subgroup come within so long of its first, 0: no matter",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 0.0
    split: Annotated[
        str,
        msgspec.Meta(
            description="Id of a signal (lot, cavity, tool): with its change a subgroup begins anew"
        ),
    ] = ""
    apart: Annotated[
        bool,
        msgspec.Meta(
            description="What `split` tells takes turns, like cavities: each has a subgroup of its "
            "own, and parts of others may come between"
        ),
    ] = False
    size: Annotated[
        float | None,
        msgspec.Meta(description="Parts or units of each sample that is counted (p, np, u)"),
    ] = None
    size_signal: Annotated[
        str,
        msgspec.Meta(
            description="Id of the signal that tells the size of each sample (p, u), with the "
            "count or before it"
        ),
    ] = ""
    every: Annotated[
        float,
        msgspec.Meta(
            description="Least time between two parts: of a process that is measured all the time "
            "its neighbouring values are no new parts",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 0.0
    learn: Annotated[
        int, msgspec.Meta(description="Points of phase I, from which the limits come", ge=2, le=500)
    ] = 25
    trained_from: Annotated[
        str,
        msgspec.Meta(
            description="From here on parts are read from the history at each start, the first "
            "`learn` points as phase I: a restart loses nothing. ISO 8601, local where it tells no "
            "zone"
        ),
    ] = ""
    centre: Annotated[
        float | None,
        msgspec.Meta(description="Known mean, in the signal's unit: then nothing is learnt"),
    ] = None
    sigma: (
        Annotated[
            float,
            msgspec.Meta(
                description="Known standard deviation of parts, in the signal's unit",
                ge=charts.LEAST,
            ),
        ]
        | None
    ) = None
    rules: Annotated[
        tuple[RuleName, ...],
        msgspec.Meta(description="Run rules on single parts or means; more of them cry wolf more"),
    ] = ("nelson_1", "nelson_2", "nelson_3", "nelson_4")
    weight: Annotated[
        float, msgspec.Meta(description="Weight of the newest point in `ewma`", gt=0, le=1)
    ] = 0.2
    width: Annotated[
        float,
        msgspec.Meta(description="Distance of the limits of `ewma`, in standard deviations", gt=0),
    ] = 2.962
    slack: Annotated[
        float,
        msgspec.Meta(description="Shift that `cusum` passes over, in standard deviations", ge=0),
    ] = 0.5
    decision: Annotated[
        float,
        msgspec.Meta(description="Sum at which `cusum` signals, in standard deviations", gt=0),
    ] = 5.0
    lsl: Annotated[
        float | None,
        msgspec.Meta(description="Lower specification limit, in the signal's unit"),
    ] = None
    usl: Annotated[
        float | None,
        msgspec.Meta(description="Upper specification limit, in the signal's unit"),
    ] = None
    study: Annotated[
        int, msgspec.Meta(description="Latest parts that capability is told of", ge=30, le=1000)
    ] = 125


class _Where(NamedTuple):
    """Whose options they are."""

    name: str
    factory: Factory


def faults(options: SpcOptions, name: str, factory: Factory) -> Iterator[Fault]:
    """Yield what contradicts itself in the options of an analysis, or does not fit the signal."""
    where = _Where(name, factory)
    for option, id in (("signal", options.signal), *(("together", id) for id in options.together)):
        signal = factory.signals.get(id)
        if signal is not None and signal.kind != "number":
            yield _fault(where, option, id, f"is of kind {signal.kind}, not a number")
    for each in wrong(factory.zone, trained_from=options.trained_from):
        yield _fault(where, *each)
    if options.chart in ("xbar_r", "xbar_s") and options.subgroup < 2:
        yield _fault(where, "subgroup", options.subgroup, "a mean needs two parts or more")
    if options.chart == "individuals" and options.subgroup > 1:
        yield _fault(
            where, "subgroup", options.subgroup, "single parts have no subgroups", "use xbar_r"
        )
    if options.chart in COUNTED:
        yield from _faults_of_counts(options, where)
    elif options.size is not None or options.size_signal:
        option = "size_signal" if options.size_signal else "size"
        yield _fault(where, option, getattr(options, option), "only counts have a size")
    if options.chart == "t2":
        yield from _faults_of_several(options, where)
    elif options.together:
        yield _fault(where, "together", options.together, "only t2 charts several signals")
    elif options.chart not in COUNTED and (options.centre is None) != (options.sigma is None):
        missing = "sigma" if options.sigma is None else "centre"
        yield _fault(where, missing, None, "centre and sigma are given together, or learnt both")
    if options.apart and not options.split:
        yield _fault(where, "apart", True, "nothing tells the parts apart", "give split")
    if options.lsl is not None and options.usl is not None and options.lsl >= options.usl:
        yield _fault(where, "lsl", options.lsl, f"is not below usl = {options.usl:g}")


def _faults_of_several(options: SpcOptions, where: _Where) -> Iterator[Fault]:
    """Yield what is wrong with the options of t2."""
    ids = (options.signal, *options.together)
    if not options.together:
        yield _fault(where, "together", None, "T² is of several signals", "name the others")
    elif len(set(ids)) < len(ids):
        yield _fault(where, "together", options.together, "a signal is named twice")
    least = fewest(len(ids), options.subgroup)
    if options.learn < least:
        problem = f"T² of {len(ids)} signals needs {least} points of phase I or more"
        yield _fault(where, "learn", options.learn, problem)
    if options.centre is not None or options.sigma is not None:
        option = "sigma" if options.centre is None else "centre"
        problem = "T² learns how its signals vary together"
        yield _fault(where, option, getattr(options, option), problem, "remove it")
    if options.lsl is not None or options.usl is not None:
        yield _fault(where, "usl", options.usl, "T² has no specification limits")


def _faults_of_counts(options: SpcOptions, where: _Where) -> Iterator[Fault]:
    """Yield what is wrong with the options of p, np, c and u."""
    if options.subgroup > 1:
        yield _fault(where, "subgroup", options.subgroup, "each count is a point of its own")
    if options.sigma is not None:
        yield _fault(where, "sigma", options.sigma, "the spread of counts follows from centre")
    if options.lsl is not None or options.usl is not None:
        yield _fault(where, "usl", options.usl, "counts have no specification limits")
    if options.size is not None and not options.size > 0:
        yield _fault(where, "size", options.size, "is not above 0")
    told = (options.size is not None) + bool(options.size_signal)
    if options.chart == "c" and told:
        yield _fault(where, "size", options.size, "samples of c are all alike", "use u")
    if options.chart == "np" and options.size_signal:
        yield _fault(where, "size_signal", options.size_signal, "np has one size", "use p")
    if options.chart in ("p", "np", "u") and told != 1:
        yield _fault(where, "size", options.size, "give size or size_signal, one of them")
    most = 1.0 if options.chart in ("p", "np") else MOST
    if options.centre is not None and not 0 < options.centre < most:
        yield _fault(where, "centre", options.centre, "is no share, or no number above 0")


def _fault(where: _Where, option: str, value: object, problem: str, remedy: str = "") -> Fault:
    return where.factory.fault("insight", where.name, option, value, problem, remedy)
