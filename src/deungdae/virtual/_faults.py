"""What is made to go wrong with a virtual machine, by command: what real machines do at night."""

from __future__ import annotations

from math import isfinite
from typing import Literal, NamedTuple, get_args

import msgspec
import numpy as np

from deungdae.core.clock import Clock
from deungdae.core.types import SECOND
from deungdae.sim.plant import Plant

Kind = Literal["drop", "freeze", "rubbish", "slow", "jump"]
KINDS: tuple[str, ...] = get_args(Kind)
_OF_QUANTITIES = ("freeze", "rubbish")
_LATEST = 3600.0  # s that an answer may be late
_FURTHEST = 3.2e9  # s that a clock may be wrong: a century, so that a reset to 1970 is possible


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    drop: the machine closes its connections and takes no new ones. freeze: values stay as they
    are, with fresh times. rubbish: values are nonsense. slow: every answer comes `amount` seconds
    late. jump: the machine's clock is `amount` seconds ahead. quantity: of freeze and rubbish;
    empty: all. seconds: how long, of the machine's time; 0: until cleared.
    """

    kind: Kind
    quantity: str = ""
    amount: float = 5.0
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not (isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds must be 0 (until cleared) or more, not {self.seconds}")
        if self.kind == "slow" and not 0 <= self.amount <= _LATEST:
            raise ValueError(f"slow: amount must be 0 to {_LATEST:g} s, not {self.amount}")
        if self.kind == "jump" and not abs(self.amount) <= _FURTHEST:
            raise ValueError(f"jump: amount must be within ±{_FURTHEST:g} s, not {self.amount}")
        if self.quantity and self.kind not in _OF_QUANTITIES:
            raise ValueError(f"{self.kind} is of the whole machine: leave quantity empty")


class _On(NamedTuple):
    """A fault that is on: until when, in monotonic s, and the values that it froze."""

    fault: Fault
    end: float
    frozen: dict[str, float | str]


class Faults:
    """The faults of one machine that are on now.

    plant: whose values a freeze takes at once; without it a value freezes when it is next shown.
    """

    def __init__(self, clock: Clock, seed: int = 1, plant: Plant | None = None) -> None:
        self._clock = clock
        self._plant = plant
        self.random = np.random.default_rng(seed)  # for nonsense that only a protocol can say
        self._on: list[_On] = []

    def put(self, fault: Fault) -> None:
        """Let it begin now; one of the same kind and quantity is replaced.

        Raises ValueError for a quantity that the plant does not have.
        """
        frozen = self._values(fault) if fault.kind == "freeze" else {}
        self._check(fault.quantity)
        self.clear(fault.kind, fault.quantity)
        end = self._clock.monotonic() + fault.seconds if fault.seconds else float("inf")
        self._on.append(_On(fault, end, frozen))

    def clear(self, kind: str = "", quantity: str | None = None) -> None:
        """End all faults, or those of a kind, or of a kind and quantity."""
        self._on = [
            one
            for one in self._on
            if (kind and one.fault.kind != kind)
            or (quantity is not None and one.fault.quantity != quantity)
        ]

    @property
    def on(self) -> list[Fault]:
        """Return what is on now, in the order in which it began."""
        return [one.fault for one in self._now()]

    @property
    def dropped(self) -> bool:
        """Return whether nobody may be connected now."""
        return any(fault.kind == "drop" for fault in self.on)

    @property
    def delay(self) -> float:
        """Return how late an answer comes, s."""
        return sum(fault.amount for fault in self.on if fault.kind == "slow")

    @property
    def shift(self) -> int:
        """Return how far the machine's clock is ahead, ns."""
        return round(sum(fault.amount for fault in self.on if fault.kind == "jump") * SECOND)

    def shown(self, quantity: str, value: float | str) -> float | str:
        """Return what the machine says instead of the true value.

        A frozen value stays as it was even where it is also to be rubbish.
        """
        for fault, _, frozen in self._now():
            if fault.kind == "freeze" and fault.quantity in ("", quantity):
                return frozen.setdefault(quantity, value)
        return self._nonsense(value) if self.spoilt(quantity) else value

    def spoilt(self, quantity: str) -> bool:
        """Return whether a quantity is rubbish now; '': whether everything is.

        For bridges whose protocol can say worse than a wrong value: another type, an error. What
        is frozen is not rubbish.
        """
        kinds = {fault.kind for fault in self.on if fault.quantity in ("", quantity)}
        return "rubbish" in kinds and "freeze" not in kinds

    def _now(self) -> list[_On]:
        if self._on:
            now = self._clock.monotonic()
            self._on = [one for one in self._on if one.end > now]
        return self._on

    def _check(self, quantity: str) -> None:
        if self._plant is not None and quantity:
            self._plant.get(quantity)

    def _values(self, fault: Fault) -> dict[str, float | str]:
        if self._plant is None:
            return {}
        names = [fault.quantity] if fault.quantity else [q.name for q in self._plant.quantities]
        return {name: self._plant.get(name) for name in names}

    def _nonsense(self, value: float | str) -> float | str:
        if isinstance(value, str):
            return "".join(chr(code) for code in self.random.integers(33, 0x2FF, 8))
        wild = (float("nan"), float("inf"), -1e30, 1e30, -value - 1.0, 0.0)
        return float(self.random.choice(wild))
