"""A mosquitto, and a machine that publishes JSON there, for the contract of drivers."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
import time
from pathlib import Path

from deungdae.core.errors import DoorError
from deungdae.core.types import Signal
from deungdae.wires.mqtt.broker import Broker
from deungdae.wires.mqtt.link import Link, dial

NAMES = ("a", "b", "c")


class Rig:
    """Three retained topics with value and time; the first can be set."""

    type = "mqtt"
    writable = "rig.a"
    browses = True

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.options: dict[str, object] = {
            "url": f"mqtt://127.0.0.1:{self.port}",
            "timeout": 2.0,
            "session": 0,
            "listen": 0.5,
        }
        self.signals = [
            Signal(
                id=f"rig.{name}",
                source=f"rig:rig/{name}?v&time=ts&write=rig/{name}/set",
                access="rw",
            )
            for name in NAMES
        ]
        self.bad: Signal | None = Signal(id="rig.bad", source="rig:rig/a?nothing.here")
        self._values = dict.fromkeys(NAMES, 1.5)
        self._folder = tempfile.TemporaryDirectory()
        self._broker: asyncio.subprocess.Process | None = None
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run broker and machine, on the same port each time."""
        config = Path(self._folder.name) / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._broker = await asyncio.create_subprocess_exec(
            shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._link = await self._dial()
        await self._link.subscribe(["rig/+/set"], 1)
        for name in NAMES:
            await self._publish(name)
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
        self._values[id.removeprefix("rig.")] = value
        await self._publish(id.removeprefix("rig."))

    async def read(self, id: str) -> float:
        """Return what the machine holds."""
        return self._values[id.removeprefix("rig.")]

    async def _dial(self) -> Link:
        broker = Broker(url=f"mqtt://127.0.0.1:{self.port}", timeout=2.0)
        async with asyncio.timeout(10):
            while True:
                try:
                    return await dial(broker, "machine", clean=True)
                except DoorError:
                    await asyncio.sleep(0.02)

    async def _publish(self, name: str) -> None:
        assert self._link is not None
        content = {"v": self._values[name], "ts": time.time_ns() // 1000}
        await self._link.publish(f"rig/{name}", json.dumps(content).encode(), retain=True)

    async def _obey(self, link: Link) -> None:
        while True:
            for message in await link.receive():
                name = message.topic.decode().split("/")[1]
                self._values[name] = float(message.payload)
                link.acknowledge([message.packet])
                await self._publish(name)
