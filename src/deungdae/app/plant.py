"""The virtual plant as a process of its own: servers on this computer, and a desk to break them at.

It loads nothing of the platform, so that what connects to it does so by its protocols alone, and
so that both fit into a small box: `python -m deungdae.app.plant plant.toml`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from deungdae.core import strict
from deungdae.core.clock import Clock, RealClock, ScaledClock
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.ports import Bridge
from deungdae.model import factory as model
from deungdae.model.factory import Factory

from . import bridges, log, thrift

DESK = "desk.sock"  # beside the description; only who may write there may use it
LONGEST = 10_000  # bytes of one order


class Plant:
    """All virtual machines of a description, and the desk at which they are made to fail."""

    def __init__(self, factory: Factory, clock: Clock) -> None:
        self.clock = clock
        self.desk = factory.path.parent / DESK
        self.bridges: dict[str, Bridge] = {
            name: plugin.cls(name, plugin.options, clock)
            for name, plugin in factory.room("virtual").items()
        }

    async def run(self) -> None:
        """Serve until cancelled."""
        with contextlib.suppress(FileNotFoundError):
            self.desk.unlink()  # of a plant that was killed
        before = os.umask(0o177)
        try:
            desk = await asyncio.start_unix_server(self._attend, self.desk, limit=LONGEST)
        finally:
            os.umask(before)
        try:
            async with desk, asyncio.TaskGroup() as group:
                for name, bridge in self.bridges.items():
                    group.create_task(bridges.keep(name, bridge, self.clock), name=name)
        finally:
            self.desk.unlink(missing_ok=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer orders, one JSON object a line, until the caller leaves."""
        try:
            while line := await reader.readline():
                answer = self.obey(line)
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the caller has left, or said more than anybody needs to: the plant goes on
        finally:
            writer.close()

    def obey(self, line: bytes) -> dict[str, Any]:
        """Return the answer to one order: `{}`, `{machine, clear}` or `{machine, kind, …}`.

        Every answer lists the machines with their faults; `error` says what was not understood.
        """
        try:
            order = msgspec.json.decode(line, type=dict[str, Any])
            self._do(order)
        except (msgspec.DecodeError, ValueError) as error:
            return {"error": str(error), "machines": self._state()}
        return {"machines": self._state()}

    def _do(self, order: Mapping[str, Any]) -> None:
        if not order:
            return
        name = str(order.get("machine", ""))
        if name not in self.bridges:
            known = strict.closest(name, self.bridges) or f"known: {', '.join(self.bridges)}"
            raise ValueError(f"no machine is called {name!r}; {known}")
        faults = getattr(self.bridges[name], "faults", None)
        if faults is None:
            raise ValueError(f"{name} has no faults to choose from")
        if order.get("clear"):
            faults.clear()
            return
        from deungdae.virtual._faults import Fault as Wrong  # noqa: PLC0415

        wanted = {key: value for key, value in order.items() if key != "machine"}
        fault, problems = strict.decode(Wrong, wanted)
        if fault is None:
            told = [f"{'.'.join(map(str, p.key))}: {p.problem}; {p.remedy}" for p in problems]
            raise ValueError("; ".join(told))
        faults.put(fault)

    def _state(self) -> dict[str, Any]:
        return {
            name: {
                "state": bridge.health.state,
                "problem": bridge.health.problem,
                "faults": [
                    msgspec.to_builtins(fault)
                    for fault in getattr(getattr(bridge, "faults", None), "on", ())
                ],
            }
            for name, bridge in self.bridges.items()
        }


def read(path: Path) -> Factory:
    """Return the virtual machines of plant.toml, or of that of a folder. Raises FactoryError."""
    factory = model.read(path / "plant.toml" if path.is_dir() else path)
    others = [room for room, plugins in factory.plugins.items() if plugins and room != "virtual"]
    if others:
        problem = f"holds {', '.join(others)}: a plant has virtual machines alone"
        remedy = "put them into factory.toml, and run that with: deungdae run"
        raise FactoryError(
            [Fault(file=str(factory.path), key=others[0], problem=problem, remedy=remedy)]
        )
    return factory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a virtual plant until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="deungdae plant")
    parser.add_argument("plant", type=Path)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--since", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--before", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--log", default="info")
    options = parser.parse_args(arguments)
    log.configure(options.log)
    thrift.be_thrifty()
    try:
        factory = read(options.plant.resolve())
        if options.before is not None:
            from deungdae.virtual._machine import go_on  # noqa: PLC0415 — the kernel's neighbours

            go_on(options.before.resolve())
        os.chdir(factory.path.parent)
        asyncio.run(_run(factory, clock_of(options.speed, options.since)))
    except FactoryError as error:
        print("\n".join(str(fault) for fault in error.faults), file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        logging.getLogger("deungdae.plant").info("state=stopped")
    return 0


async def _run(factory: Factory, clock: Clock) -> None:
    running = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)  # type: ignore[union-attr]
    await Plant(factory, clock).run()


def clock_of(speed: float, since: int | None) -> Clock:
    """Return the clock of a demo. since: when it began, ns since 1970, so that all agree."""
    clock = RealClock()
    if speed == 1.0:
        return clock
    begun = clock.now() if since is None else since
    return ScaledClock(begun, speed, begun)


if __name__ == "__main__":
    raise SystemExit(main())
