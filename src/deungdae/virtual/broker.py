"""A small MQTT broker on this computer, where a virtual plant has none beside it."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Health


class Broker:
    """An MQTT 3.1.1 broker on this computer, for a virtual plant to be tried without another.

    Whoever runs on this computer may publish and subscribe; nobody else can reach it. A factory
    has a real broker (mosquitto, EMQX, …). Needs `pip install deungdae[demo]`.

    ```toml
    [virtual.broker]
    type = "broker"
    port = 1884
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 1883

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        try:
            from amqtt import broker  # noqa: PLC0415 — only where a plant wants one
        except ImportError as error:
            self._turn("offline", "the library amqtt is not installed")
            raise Unreachable(
                f"{self.name} needs the library amqtt", remedy="pip install 'deungdae[demo]'"
            ) from error
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # what matters is told in our words
        where = f"127.0.0.1:{self.options.port}"
        server = broker.Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": where}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        try:
            await server.start()
        except broker.BrokerError as error:
            self._turn("offline", f"cannot listen on {where}")
            remedy = "is it in use? choose another port, above 1023"
            raise Unreachable(f"{self.name} cannot listen on {where}", remedy=remedy) from error
        self._turn("online")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await server.shutdown()
            self._turn("stopped")

    def _turn(self, state: Literal["online", "offline", "stopped"], problem: str = "") -> None:
        self._health = Health(state=state, since=self._clock.now(), problem=problem)
        self._log.info("state=%s port=%d problem=%s", state, self.options.port, problem or "none")
