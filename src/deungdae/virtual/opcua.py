"""A simulated machine that answers OPC UA, for practice, tests and commissioning."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from asyncua import Server, ua
from asyncua.common.callback import CallbackType
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Health
from deungdae.sim import plant
from deungdae.sim.plant import Quantity

NAMESPACE = "urn:deungdae:virtual"
_UCUM = "http://unitsofmeasure.org"  # OPC UA lets a unit name its own catalogue
_VARIANTS = {
    "number": ua.VariantType.Double,
    "state": ua.VariantType.UInt32,
    "text": ua.VariantType.String,
}


class Opcua:
    """A simulated machine that answers OPC UA on this computer.

    Under Objects lies one object with the bridge's name, and in it a variable for each quantity
    of the model, with the node id `ns=2;s=<name>.<quantity>`: numbers as Double with engineering
    unit and range, states as UInt32 with the names of the states, texts as String. A client may
    write what the model lets be set; beyond its range a value stops at the end, and that is what
    reads back. There is no security: anybody who reaches the port may write, so it listens on
    this computer alone unless `host` says otherwise.

    ```toml
    [virtual.kiln]
    type = "opcua"
    model = "kiln"
    port = 4840
    ```
    """

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        model: Annotated[str, Meta(description="What it simulates: a model of sim/plant")] = "kiln"
        seed: Annotated[int, Meta(ge=0, description="The same seed gives the same machine")] = 1
        parameters: Annotated[
            dict[str, float], Meta(description="Parameters of the model that differ from its own")
        ] = {}
        host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 4840
        step: Annotated[
            float, Meta(gt=0, le=60, description="How often time moves on", extra={"unit": "s"})
        ] = 0.1

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self.plant = plant.create(options.model, options.seed, options.parameters)
        self._nodes: dict[ua.NodeId, Quantity] = {}
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        where = f"{self.options.host}:{self.options.port}"
        server = await self._made()
        try:
            await server.start()
        except OSError as error:
            remedy = "is it in use? choose another port, above 1023"
            self._turn("offline", f"cannot listen on {where}", remedy)
            raise Unreachable(f"{self.name} cannot listen on {where}", remedy=remedy) from error
        self._turn("online")
        try:
            await self._live(server)
        finally:
            await server.stop()
            self._turn("stopped")

    async def _made(self) -> Server:
        """Return a server with a node for each quantity, not yet started."""
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://{self.options.host}:{self.options.port}/")
        server.set_server_name(f"Deungdae {self.name}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        index = await server.register_namespace(NAMESPACE)
        machine = await server.nodes.objects.add_object(ua.NodeId(self.name, index), self.name)
        for quantity in self.plant.quantities:
            await self._add(machine, index, quantity)
        server.subscribe_server_callback(CallbackType.PostWrite, self._written(server))
        return server

    async def _add(self, machine: Any, index: int, quantity: Quantity) -> None:
        node = await machine.add_variable(
            ua.NodeId(f"{self.name}.{quantity.name}", index),
            ua.QualifiedName(quantity.name, index),
            self._value(quantity),
            _VARIANTS[quantity.kind],
        )
        self._nodes[node.nodeid] = quantity
        await node.write_attribute(
            ua.AttributeIds.Description, ua.DataValue(ua.LocalizedText(quantity.description))
        )
        if quantity.access == "rw":
            await node.set_writable()
        for name, content in _properties(quantity):
            await node.add_property(0, name, content)

    async def _live(self, server: Server) -> None:
        """Let time pass in the plant and show what comes of it."""
        before = self._clock.monotonic()
        while True:
            await self._clock.sleep(self.options.step)
            now = self._clock.monotonic()
            self.plant.step(now - before)
            before = now
            for node, quantity in self._nodes.items():
                await server.write_attribute_value(node, self._sample(quantity))

    def _written(self, server: Server) -> Any:
        """Return what is to be done when a client has written."""

        async def act(event: Any, _service: Any) -> None:
            if not event.is_external:
                return
            for item, result in zip(
                event.request_params.NodesToWrite, event.response_params, strict=True
            ):
                quantity = self._nodes.get(item.NodeId)
                if quantity is None or not result.is_good():
                    continue
                try:
                    self.plant.set(quantity.name, float(item.Value.Value.Value))
                except (ValueError, TypeError) as error:
                    self._log.warning("write refused name=%s error=%s", quantity.name, error)
                await server.write_attribute_value(item.NodeId, self._sample(quantity))

        return act

    def _sample(self, quantity: Quantity) -> ua.DataValue:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=self._clock.now() // 1000
        )
        variant = ua.Variant(self._value(quantity), _VARIANTS[quantity.kind])
        return ua.DataValue(variant, SourceTimestamp=moment, ServerTimestamp=moment)

    def _value(self, quantity: Quantity) -> float | int | str:
        value = self.plant.get(quantity.name)
        return quantity.states.index(str(value)) if quantity.kind == "state" else value

    def _turn(
        self, state: Literal["online", "offline", "stopped"], problem: str = "", remedy: str = ""
    ) -> None:
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)
        self._log.info("state=%s port=%d problem=%s", state, self.options.port, problem)


def _properties(quantity: Quantity) -> list[tuple[str, Any]]:
    """Return unit and range of a number, or the names of a state (OPC 10000-8 §5.3)."""
    if quantity.kind == "state":
        names = [ua.LocalizedText(state) for state in quantity.states]
        return [("EnumStrings", ua.Variant(names, ua.VariantType.LocalizedText, is_array=True))]
    if quantity.kind == "text":
        return []
    unit = ua.EUInformation(_UCUM, -1, ua.LocalizedText(quantity.unit))
    found: list[tuple[str, Any]] = [("EngineeringUnits", unit)]
    if quantity.low is not None and quantity.high is not None:
        found.append(("EURange", ua.Range(quantity.low, quantity.high)))
    return found
