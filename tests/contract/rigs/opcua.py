"""An OPC UA server that others wrote (asyncua), for the driver contract."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import ClassVar

from asyncua import Server, ua

from deungdae.core.types import Signal
from deungdae.virtual.opcua import standard


class Rig:
    """Three variables in namespace 2; the server keeps its port over a restart."""

    type = "opcua"
    bad = Signal(id="rig.bad", source="rig:ns=2;s=Missing")
    writable = "rig.a"
    browses = True
    signals: ClassVar[list[Signal]] = [
        Signal(id="rig.a", unit="Cel", source="rig:ns=2;s=A", access="rw"),
        Signal(id="rig.b", unit="kPa", source_unit="Pa", source="rig:ns=2;s=B"),
        Signal(id="rig.c", source="rig:ns=2;s=C"),
    ]

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
        self.options: dict[str, object] = {
            "url": self._url,
            "publishing": 0.02,
            "keepalive": 0.2,
            "timeout": 2.0,
        }
        self._values = {"A": 20.0, "B": 101_000.0, "C": 3}
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = server = await standard.server()  # whose 6,000 nodes are read but once
        server.disable_clock()  # it would take a second to stop
        server.set_endpoint(self._url)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        await server.register_namespace("urn:rig")
        for name, value in self._values.items():
            node = await server.nodes.objects.add_variable(ua.NodeId(name, 2), name, value)
            if name == "A":
                await node.set_writable()
        await server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def change(self, id: str, value: float) -> None:
        name = id[-1].upper()
        self._values[name] = type(self._values[name])(value * (1000 if name == "B" else 1))
        kind = ua.VariantType.Int64 if name == "C" else ua.VariantType.Double
        now = datetime.now(UTC)
        sample = ua.DataValue(ua.Variant(self._values[name], kind), SourceTimestamp=now)
        assert self._server is not None
        await self._server.write_attribute_value(ua.NodeId(name, 2), sample)

    async def read(self, id: str) -> float:
        name = id[-1].upper()
        assert self._server is not None
        value = self._server.read_attribute_value(ua.NodeId(name, 2)).Value
        assert value is not None
        return float(value.Value) / (1000 if name == "B" else 1)
