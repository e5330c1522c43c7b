"""What all virtual machines share: their options, and the plant behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.sim import plant
from deungdae.sim.plant import Plant


class MachineOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every `[virtual.…]` table may say."""

    model: Annotated[str, Meta(description="What it simulates: a model of sim/plant")] = "kiln"
    seed: Annotated[int, Meta(ge=0, description="The same seed gives the same machine")] = 1
    parameters: Annotated[
        dict[str, float], Meta(description="Parameters of the model that differ from its own")
    ] = {}
    host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
    step: Annotated[
        float, Meta(gt=0, le=60, description="How often time moves on", extra={"unit": "s"})
    ] = 0.1

    def __post_init__(self) -> None:
        plant.create(self.model, self.seed, self.parameters)


def machine(options: MachineOptions) -> Plant:
    """Return the plant that the options name."""
    return plant.create(options.model, options.seed, options.parameters)


async def live(
    clock: Clock, behind: Plant, step: float, shown: Callable[[], Awaitable[None]]
) -> None:
    """Let time pass in a plant until cancelled; `shown` is called after every step."""
    before = clock.monotonic()
    while True:
        await clock.sleep(step)
        now = clock.monotonic()
        behind.step(now - before)
        before = now
        await shown()
