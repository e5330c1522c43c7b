"""A machine that speaks lines, for the contract that every driver keeps."""

from __future__ import annotations

import asyncio
import socket

from deungdae.core.types import Signal


class Rig:
    """Three values; who connects is told all, then what changes."""

    type = "lines"
    writable = "rig.a"
    browses = True

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.options: dict[str, object] = {"host": "127.0.0.1", "port": self.port, "timeout": 1.0}
        self.signals = [
            Signal(id=f"rig.{name}", source=f"rig:{name}", access="rw") for name in ("a", "b", "c")
        ]
        self.bad: Signal | None = Signal(id="rig.bad", source="rig:nowhere")
        self.values = {"a": 1.5, "b": 2.5, "c": 3.5}
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Serve, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """End the server and every connection."""
        if self._server is not None:
            self._server.close()
            for link in self._links:
                link.close()
            self._server = None

    async def change(self, id: str, value: float) -> None:
        """Have the machine hold another value, and tell it."""
        name = id.removeprefix("rig.")
        self.values[name] = value
        for link in self._links:
            link.write(f"{name} {value}\n".encode())

    async def read(self, id: str) -> float:
        """Return what the machine holds."""
        return self.values[id.removeprefix("rig.")]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everything = "".join(f"{name} {value}\n" for name, value in self.values.items())
        writer.write(f"{everything}\n".encode())
        self._links.add(writer)
        try:
            while line := await reader.readline():
                name, value = line.decode().split()
                await self.change(f"rig.{name}", float(value))
        except ConnectionError:
            pass
        finally:
            self._links.discard(writer)
            writer.close()
