"""What is made to go wrong with a virtual machine, by command: what real machines do at night."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec
import numpy as np

from deungdae.core.clock import Clock
from deungdae.core.types import SECOND

Kind = Literal["drop", "freeze", "rubbish", "slow", "jump"]
KINDS: tuple[str, ...] = get_args(Kind)


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


class Faults:
    """The faults of one machine that are on now."""

    def __init__(self, clock: Clock, seed: int = 1) -> None:
        self._clock = clock
        self._random = np.random.default_rng(seed)
        self._on: list[tuple[Fault, float]] = []  # with the moment at which each ends
        self._frozen: dict[str, float | str] = {}

    def put(self, fault: Fault) -> None:
        """Let it begin now; one of the same kind and quantity is replaced."""
        self.clear(fault.kind, fault.quantity)
        end = self._clock.monotonic() + fault.seconds if fault.seconds else float("inf")
        self._on.append((fault, end))

    def clear(self, kind: str = "", quantity: str | None = None) -> None:
        """End all faults, or those of a kind, or of a kind and quantity."""
        self._on = [
            (fault, end)
            for fault, end in self._on
            if (kind and fault.kind != kind)
            or (quantity is not None and fault.quantity != quantity)
        ]

    @property
    def on(self) -> list[Fault]:
        """Return what is on now."""
        now = self._clock.monotonic()
        self._on = [(fault, end) for fault, end in self._on if end > now]
        return [fault for fault, _ in self._on]

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
        """Return what the machine says instead of the true value."""
        kinds = {fault.kind for fault in self.on if fault.quantity in ("", quantity)}
        if "freeze" in kinds:
            return self._frozen.setdefault(quantity, value)
        self._frozen.pop(quantity, None)
        if "rubbish" in kinds:
            return self._nonsense(value)
        return value

    def _nonsense(self, value: float | str) -> float | str:
        if isinstance(value, str):
            return "".join(chr(code) for code in self._random.integers(33, 0x2FF, 8))
        wild = (float("nan"), float("inf"), -1e30, 1e30, -value - 1.0, 0.0)
        return float(self._random.choice(wild))
