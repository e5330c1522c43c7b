"""Which part of a bearing is pitted, from physics and healthy running alone.

Nothing here has learnt from faults, so it carries over to other sizes, loads and bearings:

1. A pitted race gates the ringing of the housing: in some band the squared envelope swings at the
   frequency of the strikes and its multiples. How deep it swings (the amplitude of the first four
   lines together, as a share of the mean) does not depend on how loud the machine is or how long
   was listened. A healthy bearing swings too, since balls pass under the load; a place is shown
   when it swings deeper than `SHOWN` and than ever in healthy running.
2. A pitted ball meets the races only now and then, so its lines are weak, and often missing (Smith
   and Randall, 2015, Mech. Syst. Signal Process. 64-65, 100-131, of these recordings). When the
   level of a high band has risen far above healthy running and no race is shown, balls, cage or
   lubrication remain: told as "ball", and told that it is by elimination.

`SHOWN` is the one number that was set by looking at recordings with faults (the six of CWRU at no
load: races .82 and more, others .66 and less); leaving one size of fault out moves it little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import exp, pi, sqrt
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .bearing import PLACES, SLIP, WORDS, Multiples, Place
from .block import Block, resampled
from .envelope import Spectrum, spectra

SHOWN = 0.75  # depth from which a place is shown
RISEN = 8.0  # dB above healthy running, 2.5 times the amplitude: then something has changed
HARMONICS = 4
_CLEAR = 3.0  # lines on each side of a multiple of the shaft's own that it may blur
_EVIDENCE = 3.5  # mean log2(1 + r^2) of three lines; a band of noise rarely reaches it
_SEEN = 4.0  # times the floor from which a line is seen
_BANDS = 8  # of the levels
_DEEPER = 1.5  # times the deepest healthy swing, where that is more than `SHOWN`
_MATTERS = 0.01  # share of the whole power below which a band does not count
_APART = 6.0  # healthy standard deviations of a level to a limit that was learnt
_FASTER = 1.2  # times the speed of healthy running up to which levels are compared
_TURNS = 25.0  # fewest turns of the shaft whose lines lie apart


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """How much one place is struck, in the band that shows it most.

    depth: swing of the squared envelope; peak: the highest line over its floor; frequency: Hz;
    slip: of it against the computed one; harmonics: how many of the first four are seen;
    sidebands: how many beside them, a turn (inner race) or a cage's turn (ball) off.
    """

    place: Place
    depth: float
    peak: float
    frequency: float
    slip: float
    harmonics: int
    sidebands: int
    low: float
    high: float
    kurtosis: float


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one block shows: strikes by place, and level by band, dB. speed: turns/s; rate: Hz."""

    strikes: dict[Place, Strike]
    level: tuple[float, ...]
    rate: float
    speed: float
    seconds: float
    doubts: tuple[str, ...] = ()


class Healthy(msgspec.Struct, frozen=True, kw_only=True):
    """What healthy running looks like.

    depth: mean, standard deviation and highest of each place; level: mean and deviation, dB;
    speeds: slowest and fastest, turns/s.
    """

    rate: float
    speeds: tuple[float, float]
    blocks: int
    depth: dict[Place, tuple[float, float, float]]
    level: tuple[tuple[float, float], ...]


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a bearing.

    by: `lines` where its strikes are seen, `elimination` where only the rest remains.
    ratio: depth (or rise of level) over its limit; above 1 for a fault.
    chance: that a healthy block looks so, extrapolated from those learnt; None without any.
    risen: dB by which the loudest high band stands above healthy running, and where.
    """

    place: Place | Literal["none"]
    by: Literal["lines", "elimination", "nothing"]
    ratio: float
    chance: float | None
    strikes: dict[Place, Strike]
    limits: dict[Place, float]
    risen: float | None
    band: tuple[float, float] | None
    doubts: tuple[str, ...]

    @property
    def word(self) -> str:
        """Return the place in words."""
        return WORDS[self.place]


class _Rise(NamedTuple):
    """The band (Hz) that rose most: dB, over its limit, and its chance in healthy running."""

    band: tuple[float, float]
    risen: float
    ratio: float
    chance: float


def turns_needed(multiples: Multiples) -> float:
    """Return how many turns tell every place's lines from multiples of the shaft's own."""
    return max(_TURNS, *(_turns(getattr(multiples, place)) for place in PLACES))


def look(block: Block, multiples: Multiples) -> Look:
    """Return what a block shows. Raises NotEnoughData where it cannot show every place."""
    _fit(block, multiples)
    best: dict[Place, Strike] = {}
    for spectrum in spectra(block, 3 * multiples.inner * block.speed):
        for place in PLACES:
            strike = _strike(spectrum, place, multiples, block.speed)
            if strike is not None and (place not in best or strike.depth > best[place].depth):
                best[place] = strike
    return Look(
        strikes=best,
        level=_levels(block),
        rate=block.rate,
        speed=block.speed,
        seconds=block.seconds,
        doubts=block.doubts,
    )


def learn(looks: Sequence[Look]) -> Healthy:
    """Return what healthy looks have in common.

    Raises NotEnoughData for fewer than two, and where most of them already show a fault.
    """
    if len(looks) < 2:
        raise NotEnoughData(f"{len(looks)} healthy blocks: limits need two or more")
    rate = looks[0].rate
    if any(abs(each.rate - rate) > 0.01 * rate for each in looks):
        raise NotEnoughData("healthy blocks were sampled at different rates")
    depths = {place: [_depth(each, place) for each in looks] for place in PLACES}
    struck = [place for place in PLACES if np.median(depths[place]) > SHOWN]
    if struck:
        raise NotEnoughData(
            f"what should be healthy running already shows a fault of the {WORDS[struck[0]]}"
        )
    depth = {place: (*_spread(found), max(found)) for place, found in depths.items()}
    level = tuple(_spread(band) for band in zip(*(each.level for each in looks), strict=True))
    speeds = [each.speed for each in looks]
    return Healthy(
        rate=rate,
        speeds=(min(speeds), max(speeds)),
        blocks=len(looks),
        depth=depth,
        level=level,
    )


def diagnose(seen: Look, healthy: Healthy | None = None, *, shown: float = SHOWN) -> Diagnosis:
    """Return which place is shown, if any; without healthy running only by its own lines.

    shown: depth from which a place is. Levels are compared at about the speed of healthy running
    alone, since all of a machine grows louder with its speed.
    Raises NotEnoughData where healthy running was sampled at another rate.
    """
    if healthy is not None and abs(healthy.rate - seen.rate) > 0.01 * seen.rate:
        raise NotEnoughData(
            f"sampled at {seen.rate:g} Hz, healthy running at {healthy.rate:g} Hz: bring both to "
            f"one rate"
        )
    limits = {place: _limit(place, healthy, shown) for place in PLACES}
    ratios = {place: _depth(seen, place) / limits[place] for place in PLACES}
    if "cage" in seen.strikes and seen.strikes["cage"].harmonics < HARMONICS:
        ratios["cage"] = 0.0  # a pitted ball passes the load once in a cage's turn, too
    struck = max(PLACES, key=lambda each: ratios[each])
    chance = None
    if healthy is not None:
        chance = _chance(_depth(seen, struck), *healthy.depth[struck][:2])
    rise = _rise(seen, healthy)
    doubts = list(seen.doubts)
    if healthy is not None and rise is None:
        doubts.append(
            f"levels are not compared: healthy running was learnt at {60 * healthy.speeds[0]:.0f} "
            f"to {60 * healthy.speeds[1]:.0f} turns a minute, this is {60 * seen.speed:.0f}"
        )
    place: Place | Literal["none"] = "none"
    by: Literal["lines", "elimination", "nothing"] = "nothing"
    ratio = ratios[struck]
    if ratio > 1:
        place, by = struck, "lines"
    elif rise is not None and rise.ratio > 1:
        place, by, ratio, chance = "ball", "elimination", rise.ratio, rise.chance
    return Diagnosis(
        place=place,
        by=by,
        ratio=ratio,
        chance=chance,
        strikes=seen.strikes,
        limits=limits,
        risen=None if rise is None else rise.risen,
        band=None if rise is None else rise.band,
        doubts=tuple(doubts),
    )


def together(looks: Sequence[Look]) -> Look:
    """Return what several blocks of one recording show together: the median of each figure."""
    if not looks:
        raise NotEnoughData("no block of the recording can be judged")
    strikes: dict[Place, Strike] = {}
    for place in PLACES:
        middle = float(np.median([_depth(each, place) for each in looks]))
        told = [each.strikes[place] for each in looks if place in each.strikes]
        if told and middle > 0:
            nearest = min(told, key=lambda strike: abs(strike.depth - middle))
            strikes[place] = msgspec.structs.replace(nearest, depth=middle)
    level = np.median([each.level for each in looks], axis=0)
    return Look(
        strikes=strikes,
        level=tuple(float(each) for each in level),
        rate=looks[0].rate,
        speed=float(np.median([each.speed for each in looks])),
        seconds=looks[0].seconds,
        doubts=tuple(dict.fromkeys(doubt for each in looks for doubt in each.doubts)),
    )


def cut(block: Block, seconds: float) -> Iterator[Block]:
    """Yield the whole blocks of so many seconds that a recording holds."""
    n = round(seconds * block.rate)
    for first in range(0, len(block.value) - n + 1, n):
        value = block.value[first : first + n]
        turning = block.turning[first : first + n]
        if np.ptp(value):
            yield Block(value - value.mean(), block.rate, turning, block.doubts)


def looks(
    block: Block, multiples: Multiples, *, seconds: float | None = None, rate: float | None = None
) -> list[Look]:
    """Return what each block of a recording shows.

    seconds: length of a block, else as many as its lines need, and one at least; rate: to bring it
    to, where the other recording was sampled more slowly.
    """
    given = block if rate is None else resampled(block, rate)
    length = seconds or max(1.0, 1.1 * turns_needed(multiples) / given.speed)
    found = [look(each, multiples) for each in cut(given, length)]
    if not found:
        raise NotEnoughData(f"{given.seconds:.2g} s hold no block of {length:.2g} s")
    return found


def _fit(block: Block, multiples: Multiples) -> None:
    """Raises NotEnoughData for a block too short or too slowly sampled for its bearing."""
    need = turns_needed(multiples)
    turns = block.speed * block.seconds
    if turns < need:
        raise NotEnoughData(
            f"{turns:.0f} turns of the shaft are too few to tell the bearing's lines from the "
            f"shaft's own: {need:.0f} are needed, {need / block.speed:.2g} s"
        )
    fastest = multiples.inner * block.speed
    if block.rate < 6 * fastest:
        raise NotEnoughData(
            f"sampled at {block.rate:g} Hz, but the inner race is struck {fastest:.0f} times a "
            f"second and the ringing lies far above: sample at {20 * fastest:.0f} Hz or more"
        )


def _turns(multiple: float) -> float:
    """Return the turns after which two of the first harmonics lie clear of the shaft's own."""
    orders = multiple * np.arange(1, HARMONICS + 1)
    apart = np.sort(np.abs(orders - np.round(orders)))[-2]
    return float(_CLEAR / max(apart, 1e-3))


def _strike(spectrum: Spectrum, place: Place, multiples: Multiples, speed: float) -> Strike | None:
    """Return how one band shows a place, or None where it shows no lines."""
    multiple = getattr(multiples, place)
    harmonics = np.arange(1, HARMONICS + 1)[:, None]
    count = int(np.ceil(4 * SLIP * 3 * multiple / spectrum.step)) + 1
    slips = np.linspace(1 - SLIP, 1 + SLIP, count)
    orders = harmonics * slips * multiple
    lines = np.round(orders / spectrum.step).astype(int)
    # its own lines would be taken for the bearing's
    usable = np.abs(orders - np.round(orders)) > _CLEAR * spectrum.step
    usable &= lines + 1 < len(spectrum.amplitude)
    lines = np.where(usable, lines, 1)
    ratio = np.where(usable, spectrum.amplitude[lines] / spectrum.floor[lines], 0.0)
    used = usable[:3].sum(axis=0)
    evidence = np.log2(1 + ratio[:3] ** 2).sum(axis=0) / np.maximum(used, 1)
    evidence[used < 2] = 0.0
    best = int(evidence.argmax())
    if evidence[best] < _EVIDENCE:
        return None
    own, clear = lines[:, best], usable[:, best]
    height = np.max([spectrum.amplitude[own + shift] for shift in (-1, 0, 1)], axis=0)
    power = np.maximum(height**2 - 3 * spectrum.floor[own] ** 2, 0.0)[clear]
    beside = {"inner": 1.0, "ball": multiples.cage}.get(place, 0.0)
    return Strike(
        place=place,
        depth=sqrt(float(power.sum()) * HARMONICS / int(clear.sum())),
        peak=float(ratio[:, best].max()),
        frequency=float(slips[best]) * multiple * speed,
        slip=float(slips[best]) - 1,
        harmonics=int((ratio[:, best] > _SEEN).sum()),
        sidebands=_sidebands(spectrum, orders[clear, best], beside),
        low=spectrum.low,
        high=spectrum.high,
        kurtosis=spectrum.kurtosis,
    )


def _sidebands(spectrum: Spectrum, orders: FloatArray, beside: float) -> int:
    """Return how many lines stand `beside` (orders) from the given ones."""
    if not beside:
        return 0
    places = np.round(np.concatenate([orders - beside, orders + beside]) / spectrum.step)
    lines = places.astype(int)
    lines = lines[(lines > 0) & (lines < len(spectrum.amplitude))]
    return int((spectrum.amplitude[lines] > _SEEN * spectrum.floor[lines]).sum())


def _levels(block: Block) -> tuple[float, ...]:
    """Return the power in each of eight bands up to half the rate, dB."""
    power = np.abs(np.fft.rfft(block.value * np.hanning(len(block.value)))) ** 2
    parts = np.array_split(power / len(block.value) ** 2, _BANDS)
    return tuple(float(10 * np.log10(part.sum() + 1e-300)) for part in parts)


def _rise(seen: Look, healthy: Healthy | None) -> _Rise | None:
    """Return the high band that rose most, or None where levels cannot be compared.

    The lowest band is left out: there the shaft and the driven machine shake. So are bands with
    next to no power: the noise of a sensor is no sign of a bearing.
    """
    if healthy is None or not _same_speed(seen, healthy):
        return None
    width = seen.rate / 2 / _BANDS
    whole = sum(10 ** (level / 10) for level in seen.level)
    most = _Rise((width, seen.rate / 2), 0.0, 0.0, 1.0)
    for number in range(1, _BANDS):
        level, (mean, spread) = seen.level[number], healthy.level[number]
        if 10 ** (level / 10) < _MATTERS * whole:
            continue
        risen = level - mean
        ratio = risen / max(RISEN, _APART * spread)
        if ratio > most.ratio:
            band = (number * width, (number + 1) * width)
            most = _Rise(band, risen, ratio, _chance(level, mean, spread))
    return most


def _same_speed(seen: Look, healthy: Healthy) -> bool:
    slowest, fastest = healthy.speeds
    return slowest / _FASTER <= seen.speed <= fastest * _FASTER


def _depth(seen: Look, place: Place) -> float:
    return seen.strikes[place].depth if place in seen.strikes else 0.0


def _limit(place: Place, healthy: Healthy | None, shown: float) -> float:
    if healthy is None:
        return shown
    return max(shown, _DEEPER * healthy.depth[place][2])


def _spread(values: Iterable[float]) -> tuple[float, float]:
    """Return mean and the standard deviation of one more value, both of few."""
    array = np.asarray(list(values))
    wider = sqrt(1 + 1 / len(array))
    return float(array.mean()), float(array.std(ddof=1)) * wider


def _chance(value: float, mean: float, spread: float) -> float:
    """Return the chance that a healthy block exceeds a value: a Gumbel law, by its moments."""
    scale = max(spread, 0.02 * max(abs(mean), 1.0)) * sqrt(6) / pi
    away = (value - (mean - 0.5772 * scale)) / scale
    return 1 - exp(-exp(-min(max(away, -30.0), 700.0)))


def in_words(found: Diagnosis) -> str:
    """Return a diagnosis as a sentence for the person at the machine."""
    if found.by == "lines" and found.place != "none":
        strike = found.strikes[found.place]
        return (
            f"{found.word}: struck {strike.frequency:.1f} times a second; {strike.harmonics} "
            f"harmonics between {strike.low:.0f} and {strike.high:.0f} Hz, the highest "
            f"{strike.peak:.0f} times its surroundings"
        )
    if found.by == "elimination" and found.band is not None:
        return (
            f"not as in healthy running: {found.risen:.0f} dB more between {found.band[0]:.0f} and "
            f"{found.band[1]:.0f} Hz, and no race is struck: ball, cage or lubrication remain"
        )
    return "no fault shown"
