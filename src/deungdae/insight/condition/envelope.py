"""Envelope spectra of many bands at once, by order of the shaft: what is struck how often.

A pit in a race makes the housing ring each time a ball rolls over it. The ringing is high, the
strikes are low: the squared envelope of a band shows them. Which band rings is not known, so all of
a tree of bands are looked at, from the whole to one eighth, as in a kurtogram; the envelope is
then sampled anew by the shaft's angle, so that lines stay sharp while the speed changes.

Sources: Antoni (2007), Mech. Syst. Signal Process. 21, 108-124 (kurtogram, with bands of 1/2 and
1/3); Randall and Antoni (2011), ibid. 25, 485-520 (squared envelope, order tracking).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray

from .block import Block

SPLITS = (1, 2, 3, 4, 6, 8)
_FLOOR = 61  # lines whose median is the floor around a line


class Spectrum(msgspec.Struct, frozen=True, eq=False):
    """The squared envelope's spectrum of one band.

    low, high: Hz. kurtosis: of the band's complex envelope, 0 for noise, high for impulses.
    amplitude: float64[n], of each line, as a share of the mean squared envelope; line i is at
    order i * step. floor: float64[n], median around each line.
    """

    low: float
    high: float
    kurtosis: float
    step: float
    amplitude: FloatArray
    floor: FloatArray


def bands(rate: float, least: float) -> list[tuple[float, float]]:
    """Return the bands, Hz, none narrower than `least`: [(low, high), ...]."""
    found = []
    for parts in SPLITS:
        width = rate / 2 / parts
        if width >= least:
            found += [(part * width, (part + 1) * width) for part in range(parts)]
    return found


def spectra(block: Block, least: float) -> Iterator[Spectrum]:
    """Yield the envelope spectrum of each band. least: narrowest band, Hz."""
    from scipy.ndimage import median_filter  # noqa: PLC0415 — slow to import

    whole = np.fft.rfft(block.value)
    n = len(block.value)
    turns = np.concatenate([[0.0], np.cumsum(block.turning)]) / block.rate
    for low, high in bands(block.rate, least):
        first, last = (round(edge * n / block.rate) for edge in (low, high))
        squared = _squared(whole[first:last])
        mean = float(squared.mean())
        if mean <= 0:
            continue
        if not block.steady:
            squared = _by_angle(squared, turns)
        relative = squared / mean - 1
        amplitude = np.abs(np.fft.rfft(relative * np.hanning(len(relative)))) * 4 / len(relative)
        yield Spectrum(
            low,
            high,
            float((squared**2).mean() / mean**2 - 2),
            1 / float(turns[-1]),
            amplitude,
            np.maximum(median_filter(amplitude, _FLOOR, mode="nearest"), 1e-12),
        )


def _squared(lines: NDArray[np.complex128]) -> FloatArray:
    """Return the squared envelope of a band from its lines; twice as fast as the band is wide."""
    tapered = lines * np.hanning(len(lines) + 2)[1:-1]
    return np.asarray(np.abs(np.fft.ifft(tapered, 2 * len(lines))) ** 2, np.float64)


def _by_angle(squared: FloatArray, turns: FloatArray) -> FloatArray:
    """Return the envelope at even steps of the shaft's angle, as many as in time."""
    count = len(squared)
    places = np.linspace(0, len(turns) - 1, count, endpoint=False)
    angle = np.interp(places, np.arange(len(turns)), turns)
    return np.asarray(np.interp(np.arange(count) / count * turns[-1], angle, squared))
