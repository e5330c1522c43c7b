"""A mosquitto, and a Sparkplug edge node there, for the contract of drivers."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import time
from pathlib import Path

from deungdae.core.errors import DoorError
from deungdae.core.types import Signal
from deungdae.wires import sparkplug as wire
from deungdae.wires.mqtt.broker import Broker
from deungdae.wires.mqtt.codec import Will
from deungdae.wires.mqtt.link import Link, dial
from deungdae.wires.sparkplug import Metric, Type

NAMES = ("a", "b", "c")
REBIRTH = "Node Control/Rebirth"


class Rig:
    """An edge node with three doubles, the second and third on a device; all can be set."""

    type = "sparkplug"
    writable = "rig.a"
    browses = True

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.options: dict[str, object] = {
            "url": f"mqtt://127.0.0.1:{self.port}",
            "timeout": 2.0,
            "listen": 1.0,
            "reorder": 0.2,
            "rebirth": 0.2,
            "patience": 1.0,
        }
        self.signals = [
            Signal(id="rig.a", source="rig:plant/line1/a", access="rw"),
            Signal(id="rig.b", source="rig:plant/line1/oven/b", access="rw"),
            Signal(id="rig.c", source="rig:plant/line1/oven/c", access="rw"),
        ]
        self.bad: Signal | None = Signal(id="rig.bad", source="rig:plant/line1/oven/nothing")
        self._values = dict.fromkeys(NAMES, 1.5)
        self._bdseq = -1
        self._seq = 0
        self._folder = tempfile.TemporaryDirectory()
        self._broker: asyncio.subprocess.Process | None = None
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run broker and edge node, on the same port each time."""
        config = Path(self._folder.name) / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._broker = await asyncio.create_subprocess_exec(
            shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._bdseq = (self._bdseq + 1) % 256
        self._link = await self._dial()
        await self._link.subscribe(
            ["spBv1.0/plant/NCMD/line1", "spBv1.0/plant/DCMD/line1/+", "spBv1.0/STATE/+"], 1
        )
        self._task = asyncio.create_task(self._obey(self._link))

    async def stop(self) -> None:
        """Kill the broker; every connection is lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._link is not None:
            self._link.abort()
        if self._broker is not None:
            self._broker.kill()
            await self._broker.wait()
        self._task = self._link = self._broker = None

    def clean(self) -> None:
        """Take the broker's folder away."""
        self._folder.cleanup()

    async def change(self, id: str, value: float) -> None:
        """Have the machine hold another value, and say so."""
        name = id.removeprefix("rig.")
        self._values[name] = value
        await self._send("NDATA" if name == "a" else "DDATA", [self._metric(name)])

    async def read(self, id: str) -> float:
        """Return what the machine holds."""
        return self._values[id.removeprefix("rig.")]

    async def _dial(self) -> Link:
        broker = Broker(url=f"mqtt://127.0.0.1:{self.port}", timeout=2.0)
        death = wire.encode(_now(), [self._session()])
        async with asyncio.timeout(10):
            while True:
                try:
                    return await dial(
                        broker, "edge", clean=True, will=Will("spBv1.0/plant/NDEATH/line1", death)
                    )
                except DoorError:
                    await asyncio.sleep(0.02)

    async def _birth(self) -> None:
        self._seq = 0
        rebirth = Metric(name=REBIRTH, datatype=Type.BOOLEAN, field=wire.BOOLEAN, value=0)
        await self._send("NBIRTH", [self._session(), rebirth, self._metric("a", born=True)])
        await self._send("DBIRTH", [self._metric(name, born=True) for name in ("b", "c")])

    def _session(self) -> Metric:
        return Metric(name="bdSeq", datatype=Type.INT64, field=wire.LONG, value=self._bdseq)

    def _metric(self, name: str, *, born: bool = False) -> Metric:
        return Metric(
            name=name if born else "",
            alias=NAMES.index(name),
            timestamp=_now(),
            datatype=Type.DOUBLE if born else 0,
            field=wire.DOUBLE,
            value=self._values[name],
        )

    async def _send(self, kind: str, metrics: list[Metric]) -> None:
        assert self._link is not None
        device = "/oven" if kind.startswith("D") else ""
        payload = wire.encode(_now(), metrics, seq=self._seq)
        self._seq = (self._seq + 1) % 256
        await self._link.publish(f"spBv1.0/plant/{kind}/line1{device}", payload, quality=0)

    async def _obey(self, link: Link) -> None:
        """Give birth when the host comes online or asks for it; take commands."""
        while True:
            for message in await link.receive():
                if message.packet:
                    link.acknowledge([message.packet])
                if b"/STATE/" in message.topic:
                    if b"true" in message.payload:
                        await self._birth()
                    continue
                for metric in wire.decode(message.payload).metrics:
                    if metric.name == REBIRTH:
                        await self._birth()
                    elif metric.alias is not None and isinstance(metric.value, float):
                        await self.change(f"rig.{NAMES[metric.alias]}", metric.value)


def _now() -> int:
    return time.time_ns() // 1_000_000
