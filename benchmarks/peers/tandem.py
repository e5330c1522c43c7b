"""L10 in SimPy, as its users write it: a process for each station, a Store for each buffer."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import simpy

STATIONS, CAPACITY = 10, 10
SERVICE = (45.0, 75.0, 60.0)  # low, high, mode, s
FAILS, REPAIR = 14_400.0, 900.0  # means, s
INSPECTS, SHARE = 4, 0.05  # station 5 of 10, counted from 0; what it sends back to the one before


class Tandem:
    """One line. state_time: [stations, (running, starved, blocked, down)], s."""

    def __init__(self, seed: int, *, rework: bool) -> None:
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.buffers = [simpy.Store(self.env, CAPACITY) for _ in range(STATIONS - 1)]
        self.rework = simpy.Store(self.env)
        self.made, self.lead, self.operations = 0, 0.0, 0
        self.state_time = [[0.0] * 4 for _ in range(STATIONS)]
        for number in range(STATIONS):
            sends_back = SHARE if rework and number == INSPECTS else 0.0
            takes_back = rework and number == INSPECTS - 1
            self.env.process(self.station(number, sends_back, takes_back))

    def run(self, horizon: float) -> None:
        """Run from an empty line to the horizon, s."""
        self.env.run(until=horizon)

    def station(self, number: int, sends_back: float, takes_back: bool) -> Generator[Any, Any]:
        """Take a part, work on it, fail and be repaired meanwhile, and pass it on; for ever."""
        env, draw = self.env, self.random
        source = self.buffers[number - 1] if number else None
        target = self.buffers[number] if number < STATIONS - 1 else None
        spent = self.state_time[number]
        left = draw.expovariate(1 / FAILS)
        while True:
            begun = env.now
            if source is None:
                part = begun  # a part is the moment at which it came in
            elif takes_back:
                part = yield from self.either(self.rework, source)
            else:
                part = yield source.get()
            spent[1] += env.now - begun
            work = draw.triangular(*SERVICE)
            spent[0] += work
            while left < work:
                yield env.timeout(left)
                work -= left
                repair = draw.expovariate(1 / REPAIR)
                spent[3] += repair
                yield env.timeout(repair)
                left = draw.expovariate(1 / FAILS)
            yield env.timeout(work)
            left -= work
            self.operations += 1
            done = env.now
            if target is None:
                self.made += 1
                self.lead += done - part
            elif sends_back and draw.random() < sends_back:
                yield self.rework.put(part)
            else:
                yield target.put(part)
            spent[2] += env.now - done

    def either(self, first: simpy.Store, second: simpy.Store) -> Generator[Any, Any, float]:
        """Return a part of the first where it has one, else of whichever has one first."""
        if first.items:
            return float((yield first.get()))
        if second.items:
            return float((yield second.get()))
        wanted = first.get(), second.get()
        yield wanted[0] | wanted[1]
        won, lost = wanted if wanted[0].triggered else wanted[::-1]
        lost.cancel()  # that both come in the same instant has no chance
        return float(won.value)
