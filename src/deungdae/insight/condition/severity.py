"""How badly a machine shakes: velocity from acceleration, and the zones of ISO 10816-3."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import numpy as np

from deungdae.core.errors import NotEnoughData

from .block import Block

Zone: TypeAlias = Literal["A", "B", "C", "D"]
Mounting: TypeAlias = Literal["rigid", "flexible"]

# ISO 10816-3:2009 tables A.1 and A.2 (taken over by ISO 20816-3:2022): where zones A, B and C end,
# mm/s rms. Group 1: above 300 kW or shaft height from 315 mm; group 2: 15 to 300 kW.
LIMITS: dict[tuple[int, Mounting], tuple[float, float, float]] = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}
MEANING: dict[Zone, str] = {
    "A": "as of a new machine",
    "B": "fit for long running",
    "C": "not fit for long running: plan a repair",
    "D": "can damage the machine",
}
_HIGHEST = 1000.0  # Hz
_SLOW = 10.0  # turns/s, 600 a minute: below, the standard measures from 2 Hz, else from 10 Hz


class Indicators(msgspec.Struct, frozen=True):
    """velocity: mm/s rms; acceleration: m/s2 rms; kurtosis: 3 for noise; crest: peak over rms."""

    velocity: float
    acceleration: float
    kurtosis: float
    crest: float


def zone(velocity: float, group: int, mounting: Mounting) -> Zone:
    """Return the zone of a velocity, mm/s rms. A value on a boundary is in the better zone."""
    limits = LIMITS[group, mounting]
    zones: tuple[Zone, ...] = ("A", "B", "C", "D")
    return zones[sum(velocity > limit for limit in limits)]


def indicators(block: Block) -> Indicators:
    """Return the broad-band indicators of a block of acceleration in m/s2."""
    value = block.value
    power = float((value**2).mean())
    return Indicators(
        velocity(block),
        power**0.5,
        float((value**4).mean() / power**2),
        float(np.abs(value).max() / power**0.5),
    )


def velocity(block: Block) -> float:
    """Return the rms velocity, mm/s, from 10 (slow shafts: 2) to 1000 Hz, of m/s2.

    Integrated by frequency: V(f) = A(f) / (2 pi f). Raises NotEnoughData for a block that is too
    short to hold the lowest frequency five times, or sampled too slowly to hold the highest.
    """
    lowest = 2.0 if block.speed < _SLOW else 10.0
    if block.seconds < 5 / lowest:
        raise NotEnoughData(
            f"{block.seconds:.2g} s are too short for velocity from {lowest:g} Hz on: "
            f"{5 / lowest:g} s are needed"
        )
    if block.rate < 2 * _HIGHEST:
        raise NotEnoughData(
            f"sampled at {block.rate:g} Hz, velocity up to {_HIGHEST:g} Hz is not seen: "
            f"sample at {2.56 * _HIGHEST:g} Hz or more"
        )
    window = np.hanning(len(block.value))
    lines = np.abs(np.fft.rfft(block.value * window)) ** 2
    frequency = np.fft.rfftfreq(len(block.value), 1 / block.rate)
    chosen = (frequency >= lowest) & (frequency <= _HIGHEST)
    power = lines[chosen] / (2 * np.pi * frequency[chosen]) ** 2
    return 1000 * float(np.sqrt(2 * power.sum() / (len(block.value) * (window**2).sum())))
