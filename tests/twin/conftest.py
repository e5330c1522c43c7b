"""A plant that is none of ours: a small simulation of its own, whose records twins learn from."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from deungdae.core.types import Event

NEVER = 1e18


class Machine(dict[str, Any]):
    """name, cycle(random, product) s; servers, room (of the buffer before it), every, repair s;
    scrap, rework: shares; back: place of the station that reworks.
    """


class Plant:
    """Stations one behind the other; blocking after service; failures by running time."""

    def __init__(self, machines: Sequence[Machine], seed: int) -> None:
        self.machines = machines
        self.random = random.Random(seed)
        self.events: list[Event] = []
        self.good = 0
        self.serial = 0
        self.due: list[tuple[float, int, str, int, int]] = []
        self.order = 0
        self.waiting: list[list[int]] = [[] for _ in machines]
        self.back: list[list[int]] = [[] for _ in machines]
        self.servers = [
            [{"state": "", "part": 0, "left": 0.0, "fails": self._fails(each)}
             for _ in range(each.get("servers", 1))]
            for each in machines
        ]  # fmt: skip

    def run(self, seconds: float) -> list[Event]:
        for place, servers in enumerate(self.servers):
            for server in range(len(servers)):
                self._show(0.0, place, server, "starved")
        for server in range(len(self.servers[0])):
            self._begin(0.0, 0, server)
        while self.due and self.due[0][0] <= seconds:
            time, _, what, place, server = heapq.heappop(self.due)
            getattr(self, what)(time, place, server)
        return self.events

    def _fails(self, machine: Machine) -> float:
        every = machine.get("every")
        return self.random.expovariate(1 / every) if every else NEVER

    def _asset(self, place: int, server: int) -> str:
        name = self.machines[place]["name"]
        return name if len(self.servers[place]) == 1 else f"{name}-{server + 1}"

    def _tell(self, time: float, place: int, server: int, **what: Any) -> None:
        short = "state" if what["kind"] == "state" else "part"
        asset = self._asset(place, server)
        self.events.append(Event(id=f"{asset}.{short}", time=round(time * 1e9), **what))

    def _show(self, time: float, place: int, server: int, state: str) -> None:
        if self.servers[place][server]["state"] != state:
            self.servers[place][server]["state"] = state
            self._tell(time, place, server, kind="state", value=state)

    def _plan(self, time: float, what: str, place: int, server: int) -> None:
        self.order += 1
        heapq.heappush(self.due, (time, self.order, what, place, server))

    def _run_on(self, time: float, place: int, server: int) -> None:
        each = self.servers[place][server]
        self._show(time, place, server, "running")
        if each["left"] <= each["fails"]:
            each["fails"] -= each["left"]
            self._plan(time + each["left"], "done", place, server)
        else:
            each["left"] -= each["fails"]
            self._plan(time + each["fails"], "fail", place, server)

    def _begin(self, time: float, place: int, server: int) -> None:
        each = self.servers[place][server]
        if self.back[place]:
            each["part"] = self.back[place].pop(0)
        elif place == 0:
            self.serial += 1
            each["part"] = self.serial
        elif self.waiting[place]:
            each["part"] = self.waiting[place].pop(0)
        else:
            each["part"] = 0
            self._show(time, place, server, "starved")
            return
        each["left"] = self.machines[place]["cycle"](self.random)
        self._run_on(time, place, server)
        if place:
            self._room(time, place)

    def _room(self, time: float, place: int) -> None:
        """Let blocked machines before a station put their parts down."""
        for server, each in enumerate(self.servers[place - 1]):
            room = self.machines[place].get("room", 10)
            if each["state"] == "blocked" and len(self.waiting[place]) < room:
                self.waiting[place].append(each["part"])
                self._begin(time, place - 1, server)
                self._wake(time, place)

    def _wake(self, time: float, place: int) -> None:
        for server, each in enumerate(self.servers[place]):
            if not each["part"] and (self.waiting[place] or self.back[place]):
                self._begin(time, place, server)

    def fail(self, time: float, place: int, server: int) -> None:
        self._show(time, place, server, "down")
        repair = self.machines[place]["repair"](self.random)
        self._plan(time + repair, "up", place, server)

    def up(self, time: float, place: int, server: int) -> None:
        self.servers[place][server]["fails"] = self._fails(self.machines[place])
        self._run_on(time, place, server)

    def done(self, time: float, place: int, server: int) -> None:
        machine, part = self.machines[place], self.servers[place][server]["part"]
        lot = self.random.random()
        bad = machine.get("scrap", 0.0)
        result = "good"
        if lot < bad + machine.get("rework", 0.0):
            result = "scrap" if lot < bad else "rework"
        data = {"product": "a", "result": result}
        self._tell(time, place, server, kind="scan", value=str(part), data=data)
        if result == "rework":
            self.back[machine["back"]].append(part)
        elif result == "good" and place + 1 < len(self.machines):
            if len(self.waiting[place + 1]) >= self.machines[place + 1].get("room", 10):
                self._show(time, place, server, "blocked")
                return
            self.waiting[place + 1].append(part)
        elif result == "good":
            self.good += 1
        self._begin(time, place, server)
        if result == "rework":
            self._wake(time, machine["back"])
        elif result == "good" and place + 1 < len(self.machines):
            self._wake(time, place + 1)


@pytest.fixture(scope="session")
def plant() -> Callable[[Sequence[Machine], float, int], Plant]:
    """Return a function that runs a plant for so many s and returns it with its records."""

    def run(machines: Sequence[Machine], seconds: float, seed: int = 1) -> Plant:
        made = Plant(machines, seed)
        made.run(seconds)
        return made

    return run


@pytest.fixture(scope="session")
def machines() -> Callable[[], list[Machine]]:
    """Return a function that describes six machines with rework, scrap and two side by side."""

    def make() -> list[Machine]:
        def tri(random: random.Random) -> float:
            return random.triangular(45, 75, 60)

        made = [
            Machine(name=f"m{place + 1}", cycle=tri, room=4 + place, every=14_400.0,
                    repair=lambda random: random.expovariate(1 / 900))
            for place in range(6)
        ]  # fmt: skip
        made[1]["every"] = None
        made[3] |= {"rework": 0.05, "back": 2}
        made[4] |= {"servers": 2, "cycle": lambda random: random.lognormvariate(4.7, 0.2)}
        made[4]["scrap"] = 0.03
        return made

    return make


@pytest.fixture(scope="session")
def week(plant: Any, machines: Any) -> Plant:
    """Return seven days of the six machines."""
    done: Plant = plant(machines(), 7 * 86_400.0)
    return done


@pytest.fixture(scope="session")
def assets() -> list[str]:
    """Return the assets of the six machines."""
    return ["m1", "m2", "m3", "m4", "m5-1", "m5-2", "m6"]
