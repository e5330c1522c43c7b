"""A machining centre that mills moulds: a program in cuts, told in the words of MTConnect.

Parameters are typical orders of magnitude, not measurements of one machine. Equations and sources:
docs/explanation/the-virtual-plant.md.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import ceil
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from .cycle import ENERGY, POWER, STATE, Cycle
from .parts import Alarm, NotNegative, Quantity, clipped, known, length, settable

Positive = Annotated[float, msgspec.Meta(gt=0)]

# MTConnect part 2: Execution, ControllerMode and FunctionalMode
EXECUTIONS = ("READY", "ACTIVE", "INTERRUPTED", "FEED_HOLD", "STOPPED", "PROGRAM_COMPLETED")
_MODES = ("AUTOMATIC", "MANUAL")
_FUNCTIONS = ("PRODUCTION", "SETUP", "MAINTENANCE")
# what each state of the station is in those words
_SHOWN = {
    "running": ("ACTIVE", "AUTOMATIC", "PRODUCTION"),
    "starved": ("READY", "AUTOMATIC", "PRODUCTION"),
    "blocked": ("PROGRAM_COMPLETED", "AUTOMATIC", "PRODUCTION"),
    "setup": ("READY", "MANUAL", "SETUP"),
    "down": ("STOPPED", "AUTOMATIC", "PRODUCTION"),
    "maintenance": ("READY", "MANUAL", "MAINTENANCE"),
    "waiting": ("INTERRUPTED", "AUTOMATIC", "PRODUCTION"),
    "off": ("READY", "MANUAL", "PRODUCTION"),
}
_STEP = 5.0  # s
_X, _Y, _Z = 250.0, 134.0, 70.0  # mm: the pocket that is milled


class Cut(NamedTuple):
    """One operation. Lengths in mm, feed in mm/min; share: of the program's time."""

    tool: int
    diameter: float
    teeth: int
    speed: float  # of the spindle, 1/min
    depth: float  # a_p
    width: float  # a_e
    force: float  # specific cutting force k_c, MPa
    feed_tooth: float  # mm
    passes: int  # across the pocket, in each layer
    layers: int
    share: float

    @property
    def feed(self) -> float:
        """Return the table feed, mm/min."""
        return self.feed_tooth * self.teeth * self.speed

    @property
    def power(self) -> float:
        """Return the net cutting power P_c = a_p a_e v_f k_c / (60 10^6), kW."""
        return self.depth * self.width * self.feed * self.force / 60e6


PROGRAM = (
    Cut(1, 32.0, 4, 1800.0, 2.0, 22.0, 2000.0, 0.20, 6, 6, 0.55),  # roughing
    Cut(2, 16.0, 4, 3200.0, 1.0, 6.0, 2200.0, 0.10, 12, 4, 0.25),  # half-finishing
    Cut(3, 10.0, 2, 6500.0, 0.3, 0.5, 2600.0, 0.06, 30, 1, 0.20),  # finishing
)
_ENDS = tuple(accumulate(cut.share for cut in PROGRAM))
_CHANGE = 0.02  # share of the program that changing a tool takes


class MachiningParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A machining centre; each cycle is one mould plate. Powers in kW, times in s."""

    cycle: Annotated[float, msgspec.Meta(ge=5)] = 1800.0  # while it is not driven
    spindle: Annotated[float, msgspec.Meta(ge=1, le=200)] = 15.0  # rated power of the spindle
    efficiency: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    idle: NotNegative = 2.2  # controls, hydraulics, coolant
    axes: NotNegative = 1.1  # while they move
    off: NotNegative = 0.2
    tool_life: Positive = 60.0  # parts until a tool's cutting force has doubled
    worn: Annotated[float, msgspec.Meta(ge=0.01)] = 0.6  # growth at which it is changed
    noise: Annotated[float, msgspec.Meta(ge=0, le=0.2)] = 0.04  # of the load, relative


class Machining:
    """The spindle's load is what the cut needs: P = P_c (1 + wear) / efficiency, of the rated.

    The axes cross the pocket to and fro, layer by layer, as the phase of the cycle goes on. A
    tool blunts with every part and is changed when it has; after a long path its load tells.
    """

    quantities = (
        STATE,
        Quantity(name="execution", kind="state", states=EXECUTIONS, description="of the program"),
        Quantity(name="mode", kind="state", states=_MODES, description="of the controller"),
        Quantity(name="function", kind="state", states=_FUNCTIONS, description="what it is for"),
        Quantity(name="program", kind="text", description="name of the program"),
        Quantity(name="part_count", low=0, description="parts completed in all"),
        Quantity(name="tool", low=0, high=99, description="number of the tool in the spindle"),
        Quantity(name="spindle_speed", unit="/min", low=0, high=24_000, description="of the tool"),
        Quantity(name="spindle_load", unit="%", low=0, high=300, description="of the rated power"),
        Quantity(name="feed", unit="mm/min", low=0, high=50_000, description="along the path"),
        Quantity(
            name="feed_override", unit="%", low=0, high=120, access="rw",
            description="that the operator has set",
        ),
        Quantity(name="x", unit="mm", low=-1000, high=1000, description="position of the tool"),
        Quantity(name="y", unit="mm", low=-1000, high=1000, description="position of the tool"),
        Quantity(name="z", unit="mm", low=-1000, high=1000, description="position of the tool"),
        Quantity(name="tool_wear", low=0, high=10, description="growth of the cutting force"),
        POWER,
        ENERGY,
    )  # fmt: skip

    def __init__(self, parameters: MachiningParameters, random: np.random.Generator) -> None:
        self._p = parameters
        self._random, self._noise = random.spawn(2)
        self._cycle = Cycle(parameters.cycle)
        self._override = 100.0
        self._wear = [float(wear) for wear in self._random.uniform(0, parameters.worn, 3)]
        self._shake = 0.0
        self._energy = 0.0

    def step(self, dt: float) -> None:
        count = ceil(length(dt) / _STEP)
        for _ in range(count):
            self._energy += self._power * dt / count / 3600
            for _ in range(self._cycle.step(dt / count * self._pace)):
                self._blunt()
        if count:
            self._shake = self._p.noise * float(np.clip(self._noise.standard_normal(), -4, 4))

    def drive(self, state: str, phase: float, product: str = "") -> None:
        if self._cycle.drive(state, phase, product):
            self._blunt()

    def get(self, name: str) -> float | str:
        cut, share = self._now()
        x, y, z = self._place(cut, share)
        execution, mode, function = _SHOWN[self._cycle.state]
        cutting = self._cutting
        values: dict[str, float | str] = {
            "state": self._cycle.state,
            "execution": "FEED_HOLD" if self._held else execution,
            "mode": mode,
            "function": function,
            "program": self._program,
            "part_count": float(self._cycle.count),
            "tool": float(cut.tool),
            "spindle_speed": cut.speed if cutting else 0.0,
            "spindle_load": self._load * 100 * (1 + self._shake),
            "feed": cut.feed * self._pace if cutting else 0.0,
            "feed_override": self._override,
            "x": x,
            "y": y,
            "z": z,
            "tool_wear": self._wear[cut.tool - 1],
            "power": self._power,
            "energy": self._energy,
        }
        return values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        self._override = clipped(settable(self.quantities, name, value), value)

    def alarms(self) -> tuple[Alarm, ...]:
        cut, _ = self._now()
        return (
            Alarm(
                name="system",
                active=self._cycle.state == "down",
                severity=800,
                message="the machine has stopped on a fault",
                quantity="execution",
            ),
            Alarm(
                name="tool_worn",
                active=self._wear[cut.tool - 1] > 0.9 * self._p.worn,
                severity=300,
                message=f"tool {cut.tool} is blunt",
                quantity="tool_wear",
            ),
        )

    @property
    def _pace(self) -> float:
        """Return how fast the program runs; a line that drives it sets the pace itself."""
        return 1.0 if self._cycle.driven else self._override / 100

    @property
    def _held(self) -> bool:
        return self._cycle.running and self._pace == 0

    @property
    def _program(self) -> str:
        return f"MOULD-{self._cycle.product or 'STRAIGHT'}".upper() + ".NC"

    @property
    def _cutting(self) -> bool:
        _, share = self._now()
        return self._cycle.running and not self._held and share > 0

    @property
    def _load(self) -> float:
        """Return the spindle's load, as a share of the rated power."""
        if not self._cutting:
            return 0.0
        cut, _ = self._now()
        needed = cut.power * self._pace * (1 + self._wear[cut.tool - 1])
        return min((needed / self._p.efficiency + 0.3) / self._p.spindle, 2.5)

    @property
    def _power(self) -> float:
        p = self._p
        if self._cycle.state == "off":
            return p.off
        return p.idle + (p.axes + p.spindle * self._load if self._cutting else 0.0)

    def _now(self) -> tuple[Cut, float]:
        """Return the present cut and how far it is done; 0 while its tool is changed."""
        index = min(bisect_right(_ENDS, self._cycle.phase), len(PROGRAM) - 1)
        cut = PROGRAM[index]
        start = _ENDS[index] - cut.share
        done = (self._cycle.phase - start - _CHANGE) / (cut.share - _CHANGE)
        return cut, min(max(done, 0.0), 1.0)

    def _place(self, cut: Cut, share: float) -> tuple[float, float, float]:
        """Return where the tool is: to and fro along x, row by row along y, layer by layer."""
        if share <= 0:
            return 0.0, 0.0, 150.0  # where tools are changed
        layer, within = divmod(min(share, 0.999999) * cut.layers, 1)
        row, along = divmod(within * cut.passes, 1)
        x = along if row % 2 == 0 else 1 - along
        clear = cut.diameter / 2
        y = clear + (_Y - cut.diameter) * row / max(cut.passes - 1, 1)
        return clear + (_X - cut.diameter) * x, y, -_Z * (layer + 1) / cut.layers

    def _blunt(self) -> None:
        """Wear every tool by one part, and change what is blunt."""
        p = self._p
        for tool, wear in enumerate(self._wear):
            more = wear + (1 + 0.2 * self._random.standard_normal()) / p.tool_life
            self._wear[tool] = max(more, 0.0) if more < p.worn else 0.0
