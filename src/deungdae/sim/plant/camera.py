"""An inspection camera over a belt: an image of each brick that comes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Annotated

import msgspec
import numpy as np

from deungdae.sim.scene import KINDS, Defect, Light, Scene, brick

from .cycle import COUNT, ENERGY, POWER, STATE, Cycle
from .parts import (
    Alarm,
    Frame,
    Method,
    NotNegative,
    Quantity,
    Share,
    known,
    length,
    offered,
    settable,
)

_DIM = 0.55  # of the lamp's light, below which it should be changed


class CameraParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A camera with its lamp. Times in s."""

    cycle: Annotated[float, msgspec.Meta(ge=0.2)] = 6.0  # between bricks, while it is not driven
    defects: Share = 0.08  # share of bricks with a defect, while nobody shows it others
    height: Annotated[int, msgspec.Meta(ge=48, le=1200)] = 240  # of an image, pixels
    width: Annotated[int, msgspec.Meta(ge=64, le=1600)] = 320
    lamp_life: NotNegative = 6000 * 3600.0  # until its light has fallen to 1/e; 0: it does not
    daylight: Share = 0.15  # what comes in from outside, at noon
    wander: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.02  # of the light, image by image
    power_on: NotNegative = 0.12  # kW
    power_off: NotNegative = 0.02  # kW


class Camera:
    """An image is drawn when it is asked for, from the camera's seed and the brick's number, so
    time passes cheaply. The lamp fades, and daylight adds a warm or cold tint over the day.
    """

    methods = (Method(name="change_lamp", description="put a new lamp in"),)
    quantities = (
        STATE,
        COUNT,
        Quantity(name="serial", kind="text", description="of the brick before it"),
        Quantity(name="product", kind="text", description="of the brick before it"),
        Quantity(name="light", unit="%", low=0, high=200, description="of what it was set up to"),
        Quantity(name="temperature", unit="K", low=0, high=20_000, description="of the light"),
        Quantity(name="lamp_time", unit="h", low=0, description="that the lamp has burnt"),
        POWER,
        ENERGY,
    )

    def __init__(self, parameters: CameraParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random = random
        self._seed = int(random.integers(2**62))
        self._cycle = Cycle(parameters.cycle)
        self._number = 0  # of the image
        self._serial = self._product = ""
        self._defects: tuple[Defect | str, ...] = ()
        self._scene: Scene | None = None  # of that number, once it was asked for
        self._time = 0.0  # s
        self._burnt = 0.0  # s
        self._energy = 0.0
        self._light = Light()
        self._shown = False  # whether somebody else says what is before it

    @property
    def defects(self) -> tuple[Defect | str, ...]:
        """Return what is wrong with the brick before it."""
        return self._defects

    def step(self, dt: float) -> None:
        self._time += length(dt)
        off = self._cycle.state == "off"
        self._burnt += 0.0 if off else dt
        self._energy += self._power * dt / 3600
        for _ in range(self._cycle.step(dt)):
            self._come()

    def drive(self, state: str, phase: float, product: str = "") -> None:
        if self._cycle.drive(state, phase, product) and not self._shown:
            self._come()

    def resume(self, values: Mapping[str, float]) -> None:
        """Go on with the pictures of another camera."""
        self._number = int(values.get("count", self._number))
        self._burnt = values.get("lamp_time", self._burnt / 3600) * 3600
        self._energy = values.get("energy", self._energy)

    def show(self, serial: str, product: str, defects: Sequence[Defect | str] = ()) -> None:
        """Have this brick before the camera from now on. Raises ValueError for a defect unknown.

        A defect that is only a kind gets a severity of its own.
        """
        for each in defects:
            kind = each.kind if isinstance(each, Defect) else each
            if kind not in KINDS:
                raise ValueError(f"no defect is called {kind!r}; known: {', '.join(KINDS)}")
        self._shown = True
        self._take(serial, product, tuple(defects))

    def frame(self) -> Frame | None:
        scene = self.scene()
        return None if scene is None else Frame(self._number, self._serial, scene.pixels)

    def scene(self) -> Scene | None:
        """Return the latest image with what is wrong in it, or None before the first."""
        if self._scene is None and self._number:
            random = np.random.default_rng((self._seed, self._number))
            size = (self._p.height, self._p.width)
            self._scene = brick(random, self._product, self._defects, self._light, size)
        return self._scene

    def get(self, name: str) -> float | str:
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "count": float(self._number),
            "serial": self._serial,
            "product": self._product,
            "light": 100 * self._light.gain,
            "temperature": self._light.temperature,
            "lamp_time": self._burnt / 3600,
            "power": self._power,
            "energy": self._energy,
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)

    def call(self, method: str) -> None:
        offered(self.methods, method)
        self._burnt = 0.0

    def alarms(self) -> tuple[Alarm, ...]:
        return (
            Alarm(
                name="lamp_dim",
                active=self._lamp < _DIM,
                severity=300,
                message=f"the lamp gives {100 * self._lamp:.0f} % of its light; change it",
                quantity="light",
            ),
        )

    @property
    def _lamp(self) -> float:
        return exp(-self._burnt / self._p.lamp_life) if self._p.lamp_life else 1.0

    @property
    def _power(self) -> float:
        return self._p.power_off if self._cycle.state == "off" else self._p.power_on

    def _come(self) -> None:
        """Let a brick come of which nobody has told anything."""
        wrong = self._random.random() < self._p.defects
        kind = KINDS[int(self._random.integers(len(KINDS)))]
        product = self._cycle.product or "straight"
        serial = f"{product.upper()}-{self._number + 1:07d}"
        self._take(serial, product, (kind,) if wrong else ())

    def _take(self, serial: str, product: str, defects: tuple[Defect | str, ...]) -> None:
        self._number += 1
        self._serial, self._product, self._defects = serial, product, defects
        self._scene = None
        self._light = self._lit()

    def _lit(self) -> Light:
        """Return the light at this moment: the lamp, and the day that comes in at the side."""
        p = self._p
        day = max(-np.cos(2 * np.pi * self._time / 86_400.0), 0.0) * p.daylight
        gain = self._lamp * (1 + p.wander * self._random.standard_normal()) + day
        return Light(
            gain=float(np.clip(gain, 0.05, 2.0)),
            gradient=float(0.08 + day),
            direction=float(self._random.normal(135, 8)),
            temperature=float(5500 + 1500 * day / max(gain, 0.05)),
        )
