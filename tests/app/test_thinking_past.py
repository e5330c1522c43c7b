"""Thinkers that learn from the past are shown it at their start, before anything new."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from deungdae.app.live import Live
from deungdae.app.thinking import AGAIN, Thinking
from deungdae.core.clock import SimulatedClock
from deungdae.core.errors import NotEnoughData, StoreError
from deungdae.core.ports import Needs, Samples, Window
from deungdae.core.types import DAY, MINUTE, SECOND, Batch, Event, Finding, Signal
from deungdae.model.factory import Factory, Identity, Plugin

T0 = 20_000 * DAY


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    every: int = 0
    days: int = 2
    fails: str = ""


class Historian:
    """Learns from the days before its start, and tells how many windows it has seen."""

    Options = Wanted

    def __init__(self, name: str, options: Wanted, factory: Factory) -> None:
        self.name = name
        self.options = options
        self.needs = Needs(signals=("kiln.a",), every=options.every)
        self.windows: list[Window] = []

    def recall(self, now: int) -> Iterator[tuple[int, int]]:
        for day in range(self.options.days, 0, -1):
            yield now - day * DAY, now - (day - 1) * DAY

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        assert now == window.end
        self.windows.append(window)
        if self.options.fails == "data":
            raise NotEnoughData(f"{len(self.windows)} windows are too few")
        if self.options.fails == "bug":
            raise ZeroDivisionError("a bug")
        n = float(len(self.windows))
        return [Finding(origin=self.name, asset="kiln", name="n", start=now, end=now, value=n)]


class Store:
    """One sample an hour; it refuses as often as it is told to."""

    def __init__(self) -> None:
        self.refuses = 0

    def query(
        self, ids: Sequence[str], start: int, end: int, *, before: bool
    ) -> dict[str, Samples]:
        if self.refuses:
            self.refuses -= 1
            raise StoreError("the history cannot be read")
        times = np.arange(start, end, 60 * MINUTE, dtype=np.int64)
        column = Samples(times, times / 1e18, np.zeros(len(times), np.uint8))
        return dict.fromkeys(ids, column)

    def events(self, *_: Any, **__: Any) -> list[Event]:
        return []

    def findings(self, start: int, end: int, *, origin: str) -> list[Finding]:
        assert end == T0
        return [Finding(origin=origin, asset="kiln", name="n", start=start, end=start, value=1.0)]


class Bench:
    def __init__(self, **options: Any) -> None:
        self.clock = SimulatedClock(T0)
        self.store = cast("Any", Store())  # all that thinkers ask of one
        self.findings: list[Finding] = []
        live = Live()
        live.know([Signal(id="kiln.a")], np.zeros(1, np.int32))
        self.thinking = Thinking(self.store, live, self.clock, self.findings.extend, lambda _: None)
        self.plugin = Plugin("insight", "past", "fake", Historian, Wanted(**options))

    def factory(self, *plugins: Plugin) -> Factory:
        return Factory(
            path=Path("factory.toml"),
            identity=Identity(id="brickworks"),
            signals={"kiln.a": Signal(id="kiln.a")},
            plugins={"insight": {plugin.name: plugin for plugin in plugins}},
        )

    def hear(self, *values: float) -> None:
        times = [T0 + n for n in range(len(values))]
        self.thinking.hear(Batch.of([0] * len(values), times, values, received=T0))

    @property
    def work(self) -> Any:
        return self.thinking.thinkers["insight.past"].work

    def run(self, seconds: float, *news: float, removed: bool = False) -> None:
        async def main() -> None:
            task = asyncio.create_task(self.thinking.run())
            self.thinking.employ(self.factory(self.plugin))
            self.work_at_start = self.work
            if news:
                self.hear(*news)
            if removed:
                self.thinking.employ(self.factory())
            await self.clock.sleep(seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.clock.run(main())


def spans(windows: Sequence[Window]) -> list[tuple[int, int]]:
    return [((w.start - T0) // SECOND, (w.end - T0) // SECOND) for w in windows]


DAYS = [(-2 * 86_400, -86_400), (-86_400, 0)]


def test_the_past_comes_first_and_is_not_told_again() -> None:
    bench = Bench(every=10 * SECOND)
    bench.run(15.0)
    assert spans(bench.work.windows) == [*DAYS, (0, 1), (1, 10)]
    assert len(bench.work.windows[0].samples["kiln.a"]) == 24
    assert [finding.value for finding in bench.findings] == [3.0, 4.0]


def test_news_that_come_meanwhile_wait() -> None:
    bench = Bench()
    bench.run(1.0, 1.0, 2.0)
    assert spans(bench.work.windows) == [*DAYS, (0, 0)]
    assert bench.work.windows[-1].samples["kiln.a"].value.tolist() == [1.0, 2.0]
    assert [finding.value for finding in bench.findings] == [3.0]


def test_without_a_past_it_is_as_before() -> None:
    bench = Bench(days=0)
    bench.run(1.0, 1.0)
    assert spans(bench.work.windows) == [(0, 0)]


def test_a_history_that_cannot_be_read_is_asked_again() -> None:
    bench = Bench()
    bench.store.refuses = 2
    bench.run(2 * AGAIN + 1)
    assert spans(bench.work.windows) == DAYS
    assert bench.thinking.thinkers["insight.past"].problem == ""


@pytest.mark.parametrize(
    ("fails", "problem"), [("data", "2 windows are too few"), ("bug", "failed: ZeroDivisionError")]
)
def test_what_is_missing_in_the_past_is_said(fails: str, problem: str) -> None:
    bench = Bench(fails=fails)
    bench.run(1.0)
    assert spans(bench.work.windows) == DAYS
    assert bench.thinking.thinkers["insight.past"].problem.startswith(problem)
    assert bench.findings == []


class Reminded(Historian):
    """Asks for what it concluded itself."""

    told: Sequence[Finding] = ()

    def remember(self, findings: Sequence[Finding]) -> None:
        assert len(self.windows) == self.options.days  # after what it learnt from
        self.told = findings


@pytest.mark.parametrize("days", [0, 2])
def test_who_goes_on_from_its_own_conclusions_is_given_them(days: int) -> None:
    bench = Bench(days=days)
    bench.plugin = Plugin("insight", "past", "fake", Reminded, Wanted(days=days))
    bench.run(1.0, 1.0)
    (own,) = bench.work.told
    assert (own.origin, own.end) == ("past", T0 - 30 * DAY)
    assert spans(bench.work.windows)[-1] == (0, 0)


def test_who_was_removed_learns_no_more() -> None:
    bench = Bench()
    bench.run(1.0, removed=True)
    assert bench.work_at_start.windows == []
