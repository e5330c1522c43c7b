"""What the machine of a station does: its own endless cycles, or those of the line."""

from __future__ import annotations

from math import isfinite

from deungdae.sim.line.parts import STATES

from .parts import Quantity

STATE = Quantity(name="state", kind="state", states=STATES, description="what the machine does")
COUNT = Quantity(name="count", low=0, description="cycles completed in all")
POWER = Quantity(name="power", unit="kW", low=0, high=10_000, description="electric power")
ENERGY = Quantity(name="energy", unit="kW.h", low=0, description="electric energy used in all")
PART = Quantity(name="part", kind="text", description="the last part that it finished")
LOT = Quantity(name="lot", kind="text", description="the last batch that it made")
LOADED = Quantity(name="loaded", kind="text", description="the last carrier that went in")
ORDER = Quantity(name="order", kind="text", description="the order that it works for")


class Cycle:
    """State, phase and product of a machine; count of its cycles.

    Until it is driven it runs for ever, one cycle after another, but for the stops that the
    machine itself makes. A driven cycle is complete when its phase falls: states in which
    nothing is worked on keep the phase that was, so a breakdown is no new cycle.
    """

    def __init__(self, length: float) -> None:
        self.state = "running"
        self.phase = 0.0
        self.product = ""
        self.count = 0
        self.length = length  # s, of a cycle; once driven, of the last one
        self.driven = False
        self.told: dict[str, str] = {}  # what a line says of parts and orders
        self._ran = 0.0  # s since the present cycle began
        self._stopped = 0.0  # s that are left of an own stop

    @property
    def running(self) -> bool:
        """Return whether a part is worked on."""
        return self.state == "running"

    def drive(self, state: str, phase: float, product: str) -> bool:
        """Take over what the line says; return whether a cycle is complete by that.

        Raises ValueError for a state that there is not, or a phase outside 0..1.
        """
        if state not in STATES:
            raise ValueError(f"no state is called {state!r}; known: {', '.join(STATES)}")
        if not (isfinite(phase) and 0 <= phase <= 1):
            raise ValueError(f"a phase is a number from 0 to 1, not {phase}")
        complete = self._complete(state, phase)
        self.state, self.product, self.driven = state, product, True
        if state in {"running", "blocked", "starved"}:
            self.phase = float(phase) if state != "starved" else 0.0
        if complete:
            self.count += 1
            self.length = self._ran or self.length
            self._ran = 0.0
        return complete

    def stop(self, state: str, seconds: float) -> None:
        """Stand for a time; a driven machine stands only when the line says so."""
        if not self.driven:
            self.state, self._stopped = state, seconds

    def start(self) -> None:
        """End an own stop."""
        if not self.driven:
            self.state, self._stopped = "running", 0.0

    def step(self, dt: float) -> int:
        """Let dt seconds pass; return how many cycles were completed in them."""
        if self.driven:
            self._ran += dt if self.running else 0.0
            return 0
        passed = max(dt - self._stopped, 0.0)
        self._stopped = max(self._stopped - dt, 0.0)
        if self._stopped:
            return 0
        self.state = "running"
        self.phase += passed / self.length
        complete = int(self.phase)
        self.phase -= complete
        self.count += complete
        return complete

    def _complete(self, state: str, phase: float) -> bool:
        if state == "starved":
            return self.phase > 0
        return state in {"running", "blocked"} and phase < self.phase
