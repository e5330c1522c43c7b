"""What all virtual machines share: their options, and the plant behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.sim import plant
from deungdae.sim.plant import Plant


class PlantOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is simulated, and how fast it moves."""

    model: Annotated[str, Meta(description="What it simulates: a model of sim/plant")] = "kiln"
    seed: Annotated[int, Meta(ge=0, description="The same seed gives the same machine")] = 1
    parameters: Annotated[
        dict[str, float], Meta(description="Parameters of the model that differ from its own")
    ] = {}
    step: Annotated[
        float, Meta(gt=0, le=60, description="How often time moves on", extra={"unit": "s"})
    ] = 0.1

    def __post_init__(self) -> None:
        plant.create(self.model, self.seed, self.parameters)


class MachineOptions(PlantOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every `[virtual.…]` table of a server may say."""

    host: Annotated[
        str, Meta(description="Address to listen on; beyond this computer only with `open`")
    ] = "127.0.0.1"
    open: Annotated[
        bool,
        Meta(
            description="Let other computers in, without encryption and without a login: anybody "
            "who reaches the port may read and write. Only for an isolated test network."
        ),
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.open or is_loopback(self.host)):
            raise ValueError(
                f"host {self.host!r} is not this computer alone, and a virtual machine has neither "
                "encryption nor a login: leave host away, or say open = true in an isolated network"
            )


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach a server that listens on the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def machine(options: PlantOptions) -> Plant:
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
