"""A pymodbus server for the contract of drivers."""

from __future__ import annotations

import socket
import struct

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from deungdae.core.types import Signal

PLACES = {"rig.a": 0, "rig.b": 2, "rig.c": 10}
HOLDING = 3


class Rig:
    """Three float32 in holding registers; nothing behind number 99."""

    type = "modbus"
    writable = "rig.a"
    browses = True

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.options: dict[str, object] = {
            "url": f"tcp://127.0.0.1:{self.port}",
            "period": 0.05,
            "timeout": 1.0,
        }
        self.signals = [
            Signal(id=id, source=f"rig:holding/{number}?float32", access="rw")
            for id, number in PLACES.items()
        ]
        self.bad: Signal | None = Signal(id="rig.bad", source="rig:holding/5000?float32")
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Serve, on the same port each time."""
        registers = [SimData(0, count=50, values=[1.5], datatype=DataType.FLOAT32)]
        nothing = [SimData(4095, values=0, datatype=DataType.BITS)]
        device = SimDevice(1, simdata=(nothing, nothing, registers, registers))
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        """End the server and every connection."""
        if self._server is not None:
            await self._server.shutdown()
            self._server = None

    async def change(self, id: str, value: float) -> None:
        """Have the machine hold another value."""
        words = list(struct.unpack(">HH", struct.pack(">f", value)))
        assert self._server is not None
        await self._server.async_setValues(1, HOLDING, PLACES[id], words)

    async def read(self, id: str) -> float:
        """Return what the machine holds."""
        assert self._server is not None
        words = await self._server.async_getValues(1, HOLDING, PLACES[id], 2)
        return float(struct.unpack(">f", struct.pack(">HH", *words))[0])
