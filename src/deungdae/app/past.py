"""The days before a demo began: the same line and machines, simulated, and written as history.

A process of its own, because it wants the compiled kernel and its memory: `python -m
deungdae.app.past FOLDER`. It ends before the plant begins, and leaves there how all stood, so that
the plant goes on with the same bricks, counters and orders. What it writes is what the doors of
factory.toml would have brought, only more seldom; a note and the journal say that it is simulated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from deungdae.core.clock import Clock, RealClock, to_iso
from deungdae.core.ports import Bridge, Samples, Window
from deungdae.core.types import DAY, HOUR, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.insight.alarms import said
from deungdae.insight.spc import Spc
from deungdae.machines.modbus import address as modbus
from deungdae.sim.kernel import Kind, Trace
from deungdae.sim.labels import Scan
from deungdae.sim.line import STATES
from deungdae.sim.plant import Plant
from deungdae.sim.plant.camera import Camera
from deungdae.sim.plant.parts import Alarming, Driven
from deungdae.sim.works import Before, Works

from . import describe, simulation
from . import plant as plants
from .runtime import sign_of_life

BEFORE = "before.json"  # in the demo's folder: how all stood when the past ended
NOTE = "deungdae.past"  # id of the event that says what is simulated
DAYS = 2.0
WARM = 2 * 86_400.0  # s that the line runs unseen before: until kiln and dryer hold known bricks
SEEDS = range(2, 10)  # of which one is taken with which there is something to see at the end
WAITING = 100  # bricks before the camera are something to see: wagons come an hour or two apart
STEP = 300.0  # s between two looks at the machines
TURN = 6 * HOUR  # of one commit
AT_EACH_PART = ("density", "force", "wear")  # of a press
POINTS = 100  # of a control chart that the past ends with
DAY_SHIFT = 8  # hour at which it begins
OPERATORS = ("주간조 (모의)", "야간조 (모의)")  # who saw the alarms of the day and of the night


class Source(NamedTuple):
    """Where a signal comes from: a quantity of a machine, or one of its alarms."""

    signal: Signal
    machine: Plant
    kind: Literal["quantity", "alarm"]
    name: str


class Past:
    """The past of one demo. until: ns since 1970, when it ends; seed: None for one that ends with
    bricks before the camera."""

    def __init__(self, folder: Path, until: int, days: float, seed: int | None) -> None:
        self.factory = describe.read(folder / "factory.toml")
        self._plant = plants.read(folder / "plant.toml")
        self.start = until - round(days * DAY)
        self.until = until
        clock = RealClock()
        bridges = {
            name: bridge(plugin, name, clock)
            for name, plugin in self._plant.room("virtual").items()
        }
        line = next(p.options.works for p in self._plant.room("virtual").values() if _stands(p))
        self.line = simulation.read(folder / line)
        eyes = [
            plugin.options.station
            for name, plugin in self._plant.room("virtual").items()
            if _stands(plugin) and isinstance(getattr(bridges[name], "plant", None), Camera)
        ]
        self.seed = seed if seed is not None else self._lively(eyes)
        self._works = Works(self.line, seed=self.seed, origin=self.start, warm=WARM)
        self._alone: list[Plant] = []
        self._cameras: dict[str, Camera] = {}
        self._sources: list[Source] = []
        for name, made in bridges.items():
            self._take(name, made, self._plant.room("virtual")[name])
        self._works.heard = self._hear
        self._signals = self.factory.signals
        self._usual = {  # s: what takes longer was no cycle alone, the press has stood
            name: 1.4 * station.cycle_of(self.line.product_names[0]).mean
            for name, station in self.line.stations.items()
        }
        self._alarms = {
            station: [each for each in self._sources
                      if each.signal.asset == station and each.signal.kind == "alarm"]
            for station in self.line.stations
        }  # fmt: skip
        self._at = {  # what is told with each part, by station
            station: [each for each in self._sources if each.signal.asset == station
                      and each.name in AT_EACH_PART]
            for station in self.line.stations
        }  # fmt: skip
        self._told: dict[str, str] = {}
        self._last: dict[str, float] = {}
        self._items: list[Batch | Event | Finding] = []
        self._rows: list[tuple[int, int, float]] = []  # handle, time, value

    def write(self, store: Historian) -> Before:
        """Write everything, and return how all stands at the end."""
        signals = list(self.factory.signals.values())
        signs = [sign_of_life(asset) for asset in sorted({each.asset for each in signals})]
        handles = store.register([*signals, *signs]).tolist()
        self._handles = dict(zip(self.factory.signals, handles, strict=False))
        seconds = (self.until - self.start) / SECOND
        turn = 0.0
        while self._works.time < seconds:
            until = min(self._works.time + STEP, seconds)
            for machine in self._alone:
                machine.step(until - self._works.time)
            trace = self._works.advance(until)
            if trace is not None:
                self._states(trace)
            self._look(signs)
            if self._works.time - turn >= TURN / SECOND:
                turn = self._works.time
                self._store(store)
        self._store(store)
        self._chart(store)
        return self._works.ended()

    def _lively(self, eyes: list[str]) -> int:
        """Return the first seed with which enough waits before these stations at the end.

        The line alone is run: the machines in it change when bricks come by seconds only.
        """
        whole = WARM + (self.until - self.start) / SECOND
        before = {name for eye in eyes for name in self.line.stations[eye].takes_from}
        found: dict[int, int] = {}
        for seed in SEEDS:
            works = Works(self.line, seed=seed, origin=self.until, warm=whole)
            waits = works.ended().snapshot.buffers
            found[seed] = min((len(waits[name]) for name in before), default=WAITING)
            if found[seed] >= WAITING:
                break
        return max(found, key=lambda seed: found[seed])

    def _chart(self, store: Historian) -> None:
        """Draw the last points of each control chart whose limits are known."""
        found: list[Finding] = []
        for name, plugin in self.factory.room("insight").items():
            if plugin.type != "spc" or plugin.options.centre is None:
                continue
            work, id = Spc(name, plugin.options, self.factory), plugin.options.signal
            samples = store.query([id], self.start, self.until)[id]
            for n in range(max(len(samples) - POINTS, 0), len(samples)):
                at = slice(n, n + 1)
                one = Samples(samples.time[at], samples.value[at], samples.status[at])
                time = int(samples.time[n]) + 1
                found += work.update(time, Window(time - 1, time, {id: one}))
        store.append(found)

    def _take(self, name: str, made: Bridge, plugin: Any) -> None:
        """Let a machine stand in the line, and learn which signals come from it."""
        machine: Plant | None = getattr(made, "plant", None)
        if machine is None:
            return
        if plugin.options.works:
            self._works.join(plugin.options.station, machine)
            if isinstance(machine, Camera):
                self._cameras[plugin.options.station] = machine
        else:
            self._alone.append(machine)
        for signal in self.factory.signals_of(name):
            if (source := _source(signal, made, machine)) is not None:
                self._sources.append(source)

    def _hear(self, scan: Scan) -> None:
        """Take what is read at a station, and what its press then says of the brick."""
        time = self._time(scan.time)
        id = f"{scan.station}.{scan.name}"
        if id in self._signals:
            self._tell(id, "scan", scan.value, time, scan.data)
        if scan.name != "part":
            return
        for source in self._at[scan.station]:
            self._sample(source, time)
        before, self._last[scan.station] = self._last.get(scan.station, 0.0), scan.time
        cycle = f"{scan.station}.cycle_time"
        if cycle in self._handles and scan.time - before < self._usual[scan.station]:
            self._rows.append((self._handles[cycle], time, scan.time - before))
        if scan.station in self._cameras:
            self._inspected(scan, time)

    def _inspected(self, scan: Scan, time: int) -> None:
        """Tell what became of a brick before the camera; of those days there are no pictures."""
        insight = self.factory.room("insight").items()
        origin = next((name for name, plugin in insight if plugin.type == "vision"), "")
        if not origin:
            return
        evidence = {"serial": scan.value, "verdict": "pass"}
        if scan.data["result"] != "good":
            defects = self._cameras[scan.station].defects
            kinds = ", ".join(each if isinstance(each, str) else each.kind for each in defects)
            evidence |= {"verdict": "reject", "kinds": kinds}
        self._items.append(
            Finding(
                origin=origin, asset=scan.station, name="inspection", start=time, end=time,
                reason="simulated past: no picture was kept", evidence=evidence,
            )
        )  # fmt: skip

    def _states(self, trace: Trace) -> None:
        """Take the states of stations with one server, to the moment."""
        names = list(self.line.stations)
        rows = np.flatnonzero(trace.kind == Kind.STATE)
        for row in rows.tolist():
            station = names[trace.station[row]]
            id = f"{station}.state"
            if self.line.stations[station].servers == 1 and id in self._signals:
                time, word = self._time(float(trace.time[row])), STATES[trace.value[row]]
                if "down" in (word, self._told.get(id)):
                    self._ring(station, word, time)
                self._tell(id, "state", word, time)

    def _ring(self, station: str, word: str, time: int) -> None:
        """Tell at the moment what a machine that breaks down, or works again, says of it."""
        for source in self._alarms[station]:
            if isinstance(source.machine, Driven):  # what waits keeps all but its fault
                source.machine.drive("down" if word == "down" else "waiting", 0.0)
            self._tell(source.signal.id, "alarm", _alarm(source), time)

    def _look(self, signs: list[Signal]) -> None:
        """Look at all machines, as doors do."""
        now = self.start + round(self._works.time * SECOND)
        for source in self._sources:
            kind = source.signal.kind
            if kind == "number" and source.name not in (*AT_EACH_PART, "cycle_time"):
                self._sample(source, now)
            elif kind == "state" and not self._exact(source):
                self._tell(source.signal.id, "state", str(source.machine.get(source.name)), now)
            elif kind == "alarm":
                self._tell(source.signal.id, "alarm", _alarm(source), now)
        if now // HOUR != (now - round(STEP * SECOND)) // HOUR:
            self._items += [
                Event(id=each.id, time=now, kind="note", value="alive", received=now)
                for each in signs
            ]

    def _exact(self, source: Source) -> bool:
        station = self.line.stations.get(source.signal.asset)
        return station is not None and station.servers == 1 and source.name == "state"

    def _sample(self, source: Source, time: int) -> None:
        if source.signal.kind == "number":
            value = float(source.machine.get(source.name))
            self._rows.append((self._handles[source.signal.id], time, value))

    def _tell(
        self, id: str, kind: Literal["state", "scan", "alarm"], value: str, time: int,
        data: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Keep an event; of a state or an alarm only what changes."""
        if kind != "scan":
            if self._told.get(id) == value:
                return
            self._told[id] = value
        event = Event(id=id, time=time, kind=kind, value=value, received=time, data=data or {})
        self._items.append(event)
        if kind == "alarm":
            self._acknowledge(event)

    def _acknowledge(self, event: Event) -> None:
        """Let whoever had the shift see an alarm some minutes after it came."""
        known = said(event)
        when = event.time + (30 + event.time // SECOND % 240) * SECOND
        if known is None or not known.active or when >= self.until:
            return
        turn = self._hours_of_day(when) // 12
        self._items.append(
            Event(
                id=f"{known.alarm}.acknowledge",
                time=when,
                kind="note",
                value="",
                received=when,
                data={"person": OPERATORS[turn], "note": ""},
            )
        )

    def _hours_of_day(self, moment: int) -> int:
        """Return the hour of a moment in the factory's time, from the start of the day shift."""
        local = datetime.fromtimestamp(moment / SECOND, self.factory.zone)
        return (local.hour - DAY_SHIFT) % 24

    def _time(self, seconds: float) -> int:
        """Return the time of a moment of the line, which ran before, ns since 1970."""
        return self.start + round((seconds - WARM) * SECOND)

    def _store(self, store: Historian) -> None:
        items, rows = self._items, self._rows
        self._items, self._rows = [], []
        if rows:
            handle, time, value = zip(*rows, strict=True)
            items.append(Batch.of(handle, time, value, received=max(time)))
        store.append(items)


def bridge(plugin: Any, name: str, clock: Clock) -> Bridge:
    """Return a virtual machine as it was in those days: its kiln had no loop of Deungdae's yet."""
    options = plugin.options
    if getattr(options, "parameters", {}).get("manual"):
        kept = {key: value for key, value in options.parameters.items() if key != "manual"}
        options = msgspec.structs.replace(options, parameters=kept)
    made: Bridge = plugin.cls(name, options, clock)
    return made


def _stands(plugin: Any) -> bool:
    return bool(getattr(plugin.options, "works", ""))


def _source(signal: Signal, made: Bridge, machine: Plant) -> Source | None:
    """Return where a signal comes from, by its address as the machine's protocol has it."""
    names = {quantity.name for quantity in machine.quantities}
    alarms = {each.name for each in machine.alarms()} if isinstance(machine, Alarming) else set()
    for kind, name in _named(signal.address, made, machine):
        if kind == "quantity" and name in names:
            return Source(signal, machine, "quantity", name)
        if kind == "alarm" and name in alarms:
            return Source(signal, machine, "alarm", name)
    return None


def _named(
    address: str, made: Bridge, machine: Plant
) -> Iterator[tuple[Literal["quantity", "alarm"], str]]:
    """Yield what an address may name: of registers what lies there, else the last of its words."""
    if cells := getattr(made, "cells", None):
        point = modbus.parse(address, modbus.Defaults())
        for cell in cells:
            if (cell.table, cell.first) == (point.table, point.number):
                if point.bit is None:
                    yield "quantity", cell.quantity.name
                elif isinstance(machine, Alarming):
                    yield "alarm", machine.alarms()[point.bit].name
        return
    text = address.rpartition("s=")[2]
    own, _, rest = text.partition(".")
    if rest.startswith("Alarms."):
        yield "alarm", rest.removeprefix("Alarms.").removesuffix(".ActiveState.Id")
    yield "quantity", rest or own.rpartition("/")[2]


def _alarm(source: Source) -> str:
    """Return what an alarm says: by a bit whether it is active, by a text what it is."""
    if source.kind == "quantity":
        return str(source.machine.get(source.name))
    assert isinstance(source.machine, Alarming)
    return str(int(any(a.active for a in source.machine.alarms() if a.name == source.name)))


def write(folder: Path, until: int, days: float = DAYS, seed: int | None = None) -> None:
    """Write the past of a demo into the history of its folder, and how all stood at its end.

    Raises FactoryError, StoreError.
    """
    past = Past(folder, until, days, seed)
    history = folder / str(past.factory.sections["historian"].path)
    told = {
        "from": to_iso(past.start), "until": to_iso(until), "line": past.line.name,
        "seed": str(past.seed),
    }  # fmt: skip
    note = Event(
        id=NOTE, time=past.start, kind="note", value="simulated past", received=until, data=told
    )
    with Historian(history, past.factory.sections["historian"]) as store:
        store.append([note])
        before = past.write(store)
    with Journal(history / "journal", RealClock()) as journal:
        journal.append("past", {"simulated": True, **told}, "demo")
    (folder / BEFORE).write_bytes(msgspec.json.encode(before))


def main(arguments: list[str] | None = None) -> int:
    """Write the past of a demo."""
    parser = argparse.ArgumentParser(prog="deungdae.app.past")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", type=int, required=True)
    parser.add_argument("--days", type=float, default=DAYS)
    options = parser.parse_args(arguments)
    write(options.folder, options.until, options.days)
    return 0


if __name__ == "__main__":
    sys.exit(main())
