"""A stretch of vibration that can be judged: evenly sampled, with the shaft's speed at each sample.

What cannot be judged is refused in words: too short, irregular, constant, not finite, standing
still. What can be judged with a doubt, such as a clipped signal, carries the doubt with it.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND, FloatArray, TimeArray

JITTER = 0.2  # of a step: where samples lie further from an even grid, no spectrum means anything
_SHAKY = 0.02  # of a step: jitter worth telling
_CLIPPED = 1e-3  # share of samples at the very ends of the range above which a signal is clipped
_STEADY = 1e-3  # relative change of speed within a block that smears no line
_LARGEST = 1e100  # squares of larger values overflow
_FEW = 0.02  # gaps in a sample, above which its times are no grid with gaps
_IRREGULAR = (
    "samples come irregularly: a sensor that counts its own samples is needed, not times of arrival"
)
_SUSPECT = 6.0  # dB by which lines at quarters of the speed must stand out before the rate is


class Block(msgspec.Struct, frozen=True, eq=False):
    """value: float64[n], without its mean; rate: samples a second; turning: float64[n], turns/s.

    doubts: what to know about it, in words.
    """

    value: FloatArray
    rate: float
    turning: FloatArray
    doubts: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Return how long it lasts."""
        return len(self.value) / self.rate

    @property
    def speed(self) -> float:
        """Return the mean speed of the shaft, turns/s."""
        return float(self.turning.mean())

    @property
    def steady(self) -> bool:
        """Return whether the speed stays so still that angle and time are the same."""
        return bool(np.ptp(self.turning) <= _STEADY * self.speed)


def recorded(value: FloatArray, rate: float, turning: FloatArray | float) -> Block:
    """Return evenly sampled values as a block.

    value: [n], any unit; rate: Hz; turning: turns/s, one for all or [n].
    Raises NotEnoughData for values that are not finite or all the same, and for a shaft that
    stands still or whose speed is not known.
    """
    value = np.asarray(value, np.float64)
    speed = np.broadcast_to(np.asarray(turning, np.float64), value.shape)
    if not rate > 0 or not np.isfinite(rate):
        raise NotEnoughData(f"a sampling rate of {rate:g} Hz is none")
    if len(value) < 2:
        raise NotEnoughData(f"{len(value)} samples are no vibration")
    lost = int((~(np.abs(value) < _LARGEST)).sum())
    if lost:
        raise NotEnoughData(f"{lost} of {len(value)} samples are no numbers")
    if not np.ptp(value):
        raise NotEnoughData(f"the sensor gave {value[0]:g} all the time: is it connected?")
    if not np.isfinite(speed).all():
        raise NotEnoughData("the shaft's speed is not known")
    if speed.min() <= 0:
        raise NotEnoughData("the shaft stands still")
    return Block(value - value.mean(), float(rate), speed, tuple(_clipping(value)))


def evenly(time: TimeArray) -> tuple[int, float, tuple[str, ...]]:
    """Return where the last stretch without a gap begins, its rate in Hz, and doubts.

    time: int64[n], ns, rising. Raises NotEnoughData for samples that are too irregular.
    """
    if len(time) < 16:
        raise NotEnoughData(f"{len(time)} samples are no vibration")
    steps = np.diff(time)
    step = float(np.median(steps))
    gaps = np.flatnonzero(steps > 1.5 * step)
    first = int(gaps[-1]) + 1 if len(gaps) else 0
    kept = time[first:]
    if len(gaps) > _FEW * len(time):
        raise NotEnoughData(_IRREGULAR)
    if len(kept) < 16:
        raise NotEnoughData(f"samples have gaps: {len(gaps)} in {len(time)}")
    slope = (kept[-1] - kept[0]) / (len(kept) - 1)
    jitter = float(np.abs(kept - kept[0] - np.arange(len(kept)) * slope).max() / slope)
    if jitter > JITTER:
        raise NotEnoughData(_IRREGULAR)
    doubts = []
    if len(gaps):
        doubts.append(f"samples have gaps: judged is what came after the last of {len(gaps)}")
    if jitter > _SHAKY:
        doubts.append(f"sample times waver by {jitter:.1%} of a step")
    return first, SECOND / slope, tuple(doubts)


def resampled(given: Block, rate: float) -> Block:
    """Return the block at a lower rate, Hz, with what would alias taken out before."""
    if rate >= given.rate:
        return given
    from scipy.signal import resample_poly  # noqa: PLC0415 — half a second, for whom it concerns

    ratio = Fraction(rate / given.rate).limit_denominator(1000)
    value = np.asarray(resample_poly(given.value, ratio.numerator, ratio.denominator))
    places = np.linspace(0, len(given.value) - 1, len(value))
    turning = np.interp(places, np.arange(len(given.value)), given.turning)
    return Block(value, given.rate * float(ratio), turning, given.doubts)


def doubt_of_rate(given: Block) -> str:
    """Return why the stated rate looks wrong, or ''.

    A machine's spectrum has lines at whole multiples of its shaft's speed. Where they stand at
    every quarter or half too, the true rate is that many times the stated one.
    """
    power = np.abs(np.fft.rfft(given.value * np.hanning(len(given.value)))) ** 2
    step = given.speed / (given.rate / len(given.value))  # bins in one order
    for times in (4, 2):
        orders = np.arange(1, 10 * times) / times
        between = orders[orders * times % times != 0]
        if step / times < 8 or (between[-1] + 1) * step > len(power):
            continue
        height = np.median([_prominence(power, order * step, step / times) for order in between])
        beside = [_prominence(power, (o + 0.37 / times) * step, step / times) for o in between]
        if height - np.median(beside) > _SUSPECT:
            return (
                f"lines stand at every {1 / times:g} of the shaft's speed: was it sampled at "
                f"{times * given.rate:g} Hz, not {given.rate:g}?"
            )
    return ""


def _prominence(power: FloatArray, place: float, width: float) -> float:
    """Return how far a line stands above its surroundings, dB; place and width in bins."""
    reach = max(int(0.05 * width), 1)
    middle = round(place)
    line = power[max(middle - reach, 0) : middle + reach + 1]
    around = power[max(middle - int(width / 2), 0) : middle + int(width / 2) + 1]
    return float(10 * np.log10((line.max() + 1e-300) / (np.median(around) + 1e-300)))


def _clipping(value: FloatArray) -> list[str]:
    """Return the doubt that a sensor was driven to the end of its range."""
    ends = [(value == end).sum() / len(value) for end in (value.max(), value.min())]
    share = float(max(ends))
    if share * len(value) < 3 or share < _CLIPPED:
        return []
    return [f"clipped: {share:.1%} of the samples are at the end of the range"]
