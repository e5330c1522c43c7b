"""Is it the process or the specification? One characteristic of some parts, judged with evidence.

A process that repeats itself far better than its tolerance, and still has parts outside, does not
vary too much: it was aimed elsewhere, or what it is measured against is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

LEAST = 8  # parts with a value
CAPABLE = 1.33
WILD = 6.0  # robust sigma beyond which one part is not of the others' kind
FAR = 3.0  # half tolerances: no setting drifts so far unseen, a number in the print does
SCALES = {
    25.4: "25.4 times (inch and mm)", 1 / 25.4: "1/25.4 of (inch and mm)",
    2.0: "twice (radius and diameter)", 0.5: "half of (radius and diameter)",
    10.0: "10 times (a decimal place)", 0.1: "a tenth of (a decimal place)",
    -1.0: "minus (the sign)", 1000.0: "1000 times (a unit)", 0.001: "1/1000 of (a unit)",
}  # fmt: skip

Kind: TypeAlias = Literal["specification", "off-centre", "spread", "special", "capable", "drift"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed, in the unit of the values; None where it is not limited.

    aimed: the value that the machine's program or setting aims at, where it is known.
    """

    nominal: float | None = None
    lower: float | None = None
    upper: float | None = None
    aimed: float | None = None

    @property
    def target(self) -> float | None:
        """Return where the middle of the parts should be; None with one limit and no nominal."""
        if self.lower is not None and self.upper is not None:
            return (self.lower + self.upper) / 2
        return self.nominal


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is the matter with one characteristic.

    kind: specification: what it is measured against is wrong, not the process; off-centre: shift
    it by `shift`; spread: the process varies too much; special: only the parts in `special` differ;
    drift: it moves; capable: nothing is.
    outside: share of parts outside the limits. pp, ppk: after special parts are taken out.
    sure: whether evidence of its own says so, else it is the likeliest of what the data leave open.
    """

    kind: Kind
    said: str
    evidence: tuple[str, ...]
    parts: int
    outside: int
    mean: float
    spread: float
    pp: float | None
    ppk: float | None
    shift: float | None = None
    special: tuple[str, ...] = ()
    sure: bool = True


def judge(
    values: FloatArray,
    limits: Limits,
    *,
    parts: Sequence[str] = (),
    passed: Sequence[bool] = (),
    others: Sequence[float] = (),
    nominal_told: Sequence[float] = (),
    bonus: FloatArray | None = None,
    placeholder: NDArray[np.bool_] | None = None,
    ordered: bool = True,
) -> Verdict:
    """Return what is the matter with one characteristic, in the order of making.

    values: float64[n], NaN where none. parts: their names. passed: what the inspection itself said.
    others: nominal values of other characteristics of the same part. nominal_told: nominals that
    other documents give for this characteristic. bonus: what a part's own size adds to the upper
    limit. placeholder: parts whose values as a whole are not believed.
    Raises NotEnoughData below 8 parts.
    """
    known = np.isfinite(values)
    if int(known.sum()) < LEAST:
        raise NotEnoughData(f"{int(known.sum())} parts have a value; at least {LEAST} are needed")
    names = np.asarray(parts or [str(number + 1) for number in range(len(values))])
    faults = _senseless(limits, nominal_told)
    false = known & placeholder if placeholder is not None else np.zeros(len(values), bool)
    real = known & ~false
    if int(real.sum()) < LEAST:
        raise NotEnoughData(f"only {int(real.sum())} parts were measured; {LEAST} are needed")
    x, name = values[real], names[real]
    room = np.zeros(len(x)) if bonus is None else np.nan_to_num(bonus[real])
    out = _outside(x, limits, room)
    wild = _wild(x)
    calm = x[~wild]
    pp, ppk = _indices(calm, limits, float(np.median(room)))
    facts = _Facts(
        x=x, calm=calm, out=out, wild=wild, names=name, limits=limits, pp=pp, ppk=ppk,
        unmeasured=tuple(names[false]), ordered=ordered,
        passed=np.asarray(passed, bool)[real] if len(passed) else None, others=tuple(others),
    )  # fmt: skip
    if faults:
        return facts.verdict("specification", "; ".join(faults), faults)
    return _decide(facts)


class _Facts(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What is known of one characteristic. calm: the values without the wild ones."""

    x: FloatArray
    calm: FloatArray
    out: NDArray[np.bool_]
    wild: NDArray[np.bool_]
    names: NDArray[np.str_]
    limits: Limits
    pp: float | None
    ppk: float | None
    unmeasured: tuple[str, ...]
    ordered: bool
    passed: NDArray[np.bool_] | None
    others: tuple[float, ...]

    @property
    def middle(self) -> float:
        return float(self.calm.mean())

    @property
    def sigma(self) -> float:
        return float(self.calm.std(ddof=1))

    def verdict(
        self, kind: Kind, said: str, evidence: Sequence[str], *, shift: float | None = None,
        special: Sequence[str] = (), sure: bool = True,
    ) -> Verdict:  # fmt: skip
        beside = list(evidence)
        if self.unmeasured:
            shown = ", ".join(self.unmeasured)
            beside.append(f"not counted, since nobody measured them: parts {shown}")
        return Verdict(
            kind=kind, said=said, evidence=tuple(beside), parts=len(self.x),
            outside=int(self.out.sum()), mean=self.middle, spread=self.sigma, pp=self.pp,
            ppk=self.ppk, shift=shift, special=tuple(str(name) for name in special), sure=sure,
        )  # fmt: skip


def _decide(facts: _Facts) -> Verdict:
    calm_out = facts.out & ~facts.wild
    drift = _drift(facts.calm) if facts.ordered else None
    fits = facts.ppk is None or facts.ppk >= 1.0
    if not calm_out.any() and fits:
        return _calm(facts, drift)
    offset = _offset(facts)
    narrow = facts.pp is not None and facts.pp >= CAPABLE
    if offset is not None and (narrow or _far(facts, offset)):
        return _aimed(facts, offset)
    if drift is not None:
        return facts.verdict("drift", drift, [_indices_said(facts)])
    return _wide(facts, offset)


def _calm(facts: _Facts, drift: str | None) -> Verdict:
    """Return the verdict where the common parts are within the limits."""
    if facts.wild.any():
        names, shown = list(facts.names[facts.wild]), ", ".join(_each(facts))
        bad = int((facts.out & facts.wild).sum())
        said = f"special cause: parts {shown} are not of the others' kind"
        said += f"; {bad} of them outside" if bad else "; all are still within the limits"
        evidence = [
            f"the others: {facts.middle:g} ± {facts.sigma:.2g}" + _index_tail(facts),
            "look at what was different when these were made, not at the process",
        ]
        return facts.verdict("special", said, evidence, special=names)
    evidence = [_indices_said(facts)]
    offset = _offset(facts)
    shift = None
    if offset is not None and facts.pp is not None and abs(offset) > 3 * facts.sigma:
        evidence.append(f"steadily {offset:+.3g} from the middle, which the tolerance allows")
        shift = -offset
    if drift is not None:
        evidence.append(drift)
    return facts.verdict("capable", "all parts within the limits", evidence, shift=shift)


def _each(facts: _Facts) -> list[str]:
    """Return each special part with its value."""
    return [
        f"{name} ({value:g})"
        for name, value in zip(facts.names[facts.wild], facts.x[facts.wild], strict=True)
    ]


def _aimed(facts: _Facts, offset: float) -> Verdict:
    """Return the verdict on a process that is narrow enough, and not where it should be."""
    limits = facts.limits
    half = _half(limits)
    evidence = [
        _indices_said(facts),
        f"the parts lie {offset:+.4g} from the middle and vary by only {facts.sigma:.2g}:"
        f" {abs(offset) / max(facts.sigma, 1e-300):.0f} sigma, and {abs(offset) / half:.1f} times"
        " what the tolerance allows",
    ]
    why = _wrong_number(facts)
    all_out = bool((facts.out | facts.wild).all())
    if why:
        said = "a specification fault, not the process: " + why[0]
        return facts.verdict("specification", said, [*why, *evidence])
    if limits.aimed is not None:
        evidence.insert(0, f"the program aims at {limits.aimed:g}, as the print does")
    elif all_out:
        said = (
            f"a specification fault, not the process: every part is {offset:+.4g} off, all by the"
            " same amount; look at nominal, datum and unit before the machine is touched"
        )
        if not _far(facts, offset):
            evidence.append(f"if the machine is not set to the print, shift it by {-offset:+.4g}")
        return facts.verdict("specification", said, evidence, shift=-offset, sure=False)
    said = f"off-centre: the process is good enough; shift it by {-offset:+.4g}"
    return facts.verdict("off-centre", said, evidence, shift=-offset)


def _far(facts: _Facts, offset: float) -> bool:
    """Return whether all parts are farther away than a setting goes unseen."""
    all_out = bool((facts.out | facts.wild).all())
    return all_out and abs(offset) >= max(FAR * _half(facts.limits), 10 * facts.sigma)


def _wrong_number(facts: _Facts) -> list[str]:
    """Return what says that the number is wrong which the parts are measured against."""
    limits, middle, sigma = facts.limits, facts.middle, facts.sigma
    near = 3 * sigma
    found = []
    if limits.aimed is not None and limits.target is not None:
        contradiction = abs(limits.aimed - limits.target) > near + 1e-9
        if abs(middle - limits.aimed) <= max(near, 0.1 * _half(limits)) and contradiction:
            found.append(
                f"the program aims at {limits.aimed:g} and the parts are there; the print wants"
                f" {limits.target:g}: the process does what it was told"
            )
    if facts.passed is not None and facts.out.any() and facts.passed[facts.out].all():
        found.append(
            "the inspection itself passed the parts that lie outside these limits: it used others"
        )
    nominal = limits.nominal if limits.nominal is not None else limits.target
    if nominal:
        for scale, words in SCALES.items():
            if abs(middle - scale * nominal) <= max(near, 0.005 * abs(scale * nominal)):
                found.append(f"the parts are {words} the nominal {nominal:g}")
    if nominal == 0 and limits.lower is not None and abs(middle) > FAR * _half(limits):
        found.append(f"the nominal is 0 and the parts are at {middle:g}: it was never filled in")
    same = sorted({other for other in facts.others if other and abs(middle - other) <= near})
    if same and nominal is not None and abs(middle - nominal) > FAR * _half(limits):
        found.append(f"the parts fit the nominal {same[0]:g} of another characteristic: exchanged")
    return found


def _wide(facts: _Facts, offset: float | None) -> Verdict:
    """Return the verdict on a process that varies too much for its limits."""
    evidence = [_indices_said(facts)]
    if facts.pp is not None:
        said = f"too much spread: even in the middle it would not fit (Pp {facts.pp:.2f})"
        if facts.pp >= 1 and offset is not None:
            said = (
                f"off-centre by {offset:+.3g} and little room (Pp {facts.pp:.2f}): shift it by"
                f" {-offset:+.3g}, and find what makes it vary"
            )
            return facts.verdict("off-centre", said, evidence, shift=-offset)
        if offset is not None and abs(offset) > facts.sigma:
            evidence.append(f"and {offset:+.3g} from the middle")
    elif bool((facts.out | facts.wild).all()):
        said = (
            "no part reaches the limit: what the process can do and what is wanted do not meet;"
            " agree on the limit, or change the process"
        )
        return facts.verdict("spread", said, evidence, sure=False)
    else:
        said = "too near its limit for how much it varies" + _index_tail(facts)
    if facts.wild.any():
        shown = ", ".join(_each(facts))
        where = " and outside" if facts.out[facts.wild].any() else ""
        evidence.append(f"besides, parts {shown} are of another kind{where}")
    return facts.verdict("spread", said, evidence)


def _senseless(limits: Limits, told: Sequence[float]) -> list[str]:
    """Return what is wrong with the specification itself, whatever the parts are."""
    lower, upper, nominal = limits.lower, limits.upper, limits.nominal
    found = []
    if lower is not None and upper is not None and lower > upper:
        found.append(f"the lower limit {lower:g} is above the upper limit {upper:g}")
    elif lower is not None and lower == upper:
        found.append(f"both limits are {lower:g}: no part can be exactly that")
    elif lower is None and upper is not None and upper <= 0 and not nominal:
        found.append(f"a tolerance of {upper:g}: a deviation that is never negative cannot meet it")
    if nominal is not None and not found:
        if lower is not None and nominal < lower:
            found.append(f"the nominal {nominal:g} is below its own lower limit {lower:g}")
        if upper is not None and nominal > upper:
            found.append(f"the nominal {nominal:g} is above its own upper limit {upper:g}")
    other = [each for each in told if nominal is not None and abs(each - nominal) > 1e-9]
    if other and nominal is not None and abs(other[0] - nominal) > 0.2 * _half(limits):
        found.append(f"one document says {nominal:g}, another {other[0]:g}")
    return found


def placeholders(table: FloatArray, nominal: FloatArray) -> NDArray[np.bool_]:
    """Return the parts whose values are the nominals themselves: bool[n], nobody measured them.

    table: float64[n, m], parts and characteristics; nominal: float64[m], NaN where there is none.
    A part is one where at least three values, and half of those with a nominal, are exactly it,
    while fewer than a tenth of the others' are.
    """
    same = table == nominal
    told = np.isfinite(nominal) & np.isfinite(table)
    hits, of = same.sum(axis=1), told.sum(axis=1)
    share = hits / np.maximum(of, 1)
    usual = float(np.median(share))
    return np.asarray((hits >= 3) & (share >= 0.5) & (usual < 0.1))


def _wild(x: FloatArray) -> NDArray[np.bool_]:
    """Return the values that are not of the others' kind; at most a quarter can be."""
    middle = np.median(x)
    away = np.abs(x - middle)
    step = _step(x)
    sigma = max(1.4826 * float(np.median(away)), step, 1e-12)
    wild = away > WILD * sigma
    return wild if wild.sum() <= len(x) / 4 else np.zeros(len(x), bool)


def _step(x: FloatArray) -> float:
    """Return the smallest step between values that differ: what the gauge resolves."""
    steps = np.diff(np.unique(x))
    return float(steps.min()) if len(steps) else 0.0


def _outside(x: FloatArray, limits: Limits, room: FloatArray) -> NDArray[np.bool_]:
    out = np.zeros(len(x), bool)
    if limits.lower is not None:
        out |= x < limits.lower - 1e-9
    if limits.upper is not None:
        out |= x > limits.upper + room + 1e-9
    return out


def _indices(x: FloatArray, limits: Limits, room: float) -> tuple[float | None, float | None]:
    """Return Pp and Ppk, None where there is no limit or no spread."""
    sigma = max(float(x.std(ddof=1)), 1e-12 * max(1.0, abs(float(x.mean()))))
    lower, upper = limits.lower, None if limits.upper is None else limits.upper + room
    sides = []
    if lower is not None:
        sides.append((float(x.mean()) - lower) / (3 * sigma))
    if upper is not None:
        sides.append((upper - float(x.mean())) / (3 * sigma))
    pp = None if lower is None or upper is None else (upper - lower) / (6 * sigma)
    return pp, min(sides) if sides else None


def _offset(facts: _Facts) -> float | None:
    target = facts.limits.target
    if target is None or (facts.limits.lower is None or facts.limits.upper is None):
        return None
    return facts.middle - target


def _half(limits: Limits) -> float:
    if limits.lower is not None and limits.upper is not None:
        return max((limits.upper - limits.lower) / 2, 1e-12)
    return max(abs(limits.upper or limits.lower or 0.0), 1e-12)


def _drift(x: FloatArray) -> str | None:
    """Return in words that the process moves while these parts are made, or None."""
    from scipy.special import stdtr  # noqa: PLC0415 — costs 20 MB, and only this needs it

    place = np.arange(len(x)) - (len(x) - 1) / 2
    r = float(np.corrcoef(place, x)[0, 1]) if np.ptp(x) > 0 else 0.0
    t = abs(r) * np.sqrt((len(x) - 2) / max(1 - r * r, 1e-12))
    if 2 * float(stdtr(len(x) - 2, -t)) > 0.001:
        return None
    moved = float(place @ x / (place @ place)) * (len(x) - 1)
    return f"it moves: by {moved:+.3g} from the first part to the last"


def _indices_said(facts: _Facts) -> str:
    return f"{facts.middle:g} ± {facts.sigma:.2g}" + _index_tail(facts)


def _index_tail(facts: _Facts) -> str:
    pp = "" if facts.pp is None else f", Pp {_shown(facts.pp)}"
    return pp + ("" if facts.ppk is None else f", Ppk {_shown(facts.ppk)}")


def _shown(index: float) -> str:
    return f"{index:.2f}" if abs(index) < 1000 else "over 1000" if index > 0 else "below -1000"
