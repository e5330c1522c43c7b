"""Thinkers get the windows that they ask for, and one that fails does not stop the others."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from PIL import Image

from deungdae.app.live import Live
from deungdae.app.thinking import PILE, Thinker, Thinking, examples, is_thinker
from deungdae.core.clock import RealClock, SimulatedClock
from deungdae.core.errors import FactoryError, NotEnoughData, Refused, StoreError
from deungdae.core.ports import Needs, Samples, Window
from deungdae.core.types import (
    DAY,
    MINUTE,
    SECOND,
    Batch,
    Command,
    Event,
    Finding,
    Permit,
    Signal,
)
from deungdae.decide.gate import Gate as RealGate
from deungdae.decide.gate.options import Writable
from deungdae.decide.reject import Reject
from deungdae.insight.kpi import Kpi
from deungdae.model.calendar import Calendar
from deungdae.model.factory import Factory, Identity, Plugin
from deungdae.wires.blobs import Blobs

T0 = 20_000 * DAY
SIGNALS = [
    Signal(id="kiln.a", unit="Cel"),
    Signal(id="kiln.b", unit="Cel"),
    Signal(id="kiln.state", kind="state"),
]
A, B = 0, 1


class Options(msgspec.Struct, frozen=True, kw_only=True):
    needs: Needs = Needs()
    fails: str = ""  # "data", "bug" or nothing
    marker: int = 0


class Analysis:
    """Keeps every window and tells how many it had."""

    Options = Options

    def __init__(self, name: str, options: Options, factory: Factory) -> None:
        self.name = name
        self.options = options
        self.fails = options.fails
        self.windows: list[tuple[int, Window]] = []

    @property
    def needs(self) -> Needs:
        return self.options.needs

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        self._see(now, window)
        n = float(len(self.windows))
        return [Finding(origin=self.name, asset="kiln", name="n", start=now, end=now, value=n)]

    def _see(self, now: int, window: Window) -> None:
        self.windows.append((now, window))
        if self.fails == "data":
            raise NotEnoughData("two hours of kiln.a are missing")
        if self.fails == "bug":
            raise ZeroDivisionError("a bug")


class Eye(Analysis):
    """Rejects a part with each window, as a model that decides."""

    def update(self, now: int, window: Window) -> Sequence[Finding]:
        evidence = {"verdict": "reject", "stage": "decide", "serial": "B7"}
        return [Finding(origin=self.name, asset="kiln", name="inspection", start=now, end=now,
                        evidence=evidence)]  # fmt: skip


class Decision:
    """Asks for a change with each window."""

    Options = Options

    def __init__(self, name: str, options: Options, factory: Factory) -> None:
        self.name = name
        self.options = options

    @property
    def needs(self) -> Needs:
        return self.options.needs

    def decide(self, now: int, window: Window) -> Sequence[Command]:
        return [
            Command(id="1", signal="kiln.b", value=1.0, origin=self.name, because="",
                    issued=now, expires=now + MINUTE)
        ]  # fmt: skip


class Gate:
    """Sits in the same room and is asked nothing."""

    Options = Options


class Memory:
    """A store that has one sample of every signal each second, and the events that it is given."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], int, int]] = []
        self.happened: list[Event] = []
        self.broken = False

    def query(
        self, ids: Sequence[str], start: int, end: int, *, before: bool = False
    ) -> Mapping[str, Samples]:
        if self.broken:
            raise StoreError("the history cannot be read")
        self.asked.append((tuple(ids), start, end))
        times = np.arange(-(-start // SECOND) - int(before), -(-end // SECOND)) * SECOND
        column = Samples(times, times / 1.0, np.zeros(len(times), np.uint8))
        return dict.fromkeys(ids, column)

    def events(
        self, start: int, end: int, *, ids: Sequence[str], kinds: Sequence[str], before: bool
    ) -> list[Event]:
        mine = [e for e in self.happened if e.id in ids and e.kind in kinds]
        earlier = [e for e in mine if e.time < start][-1:] if before else []
        return [*earlier, *(e for e in mine if start <= e.time < end)]


class Bench:
    """Thinkers over a pretended memory, in simulated time."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(T0)
        self.memory: Any = Memory()
        self.findings: list[Finding] = []
        self.commands: list[Command] = []
        self.live = Live()
        self.live.know(SIGNALS, np.arange(len(SIGNALS), dtype=np.int32))
        self.thinking = Thinking(
            self.memory, self.live, self.clock, self.findings.extend, self.commands.extend
        )

    def employ(self, **tables: Any) -> None:
        """Employ thinkers: insight by name -> options; a Decision where its name begins with d."""
        self.thinking.employ(factory(**tables))

    def analysis(self, name: str) -> Analysis:
        work = self.thinking.thinkers[f"insight.{name}"].work
        assert isinstance(work, Analysis)
        return work

    def thinker(self, name: str) -> Thinker:
        return self.thinking.thinkers[f"insight.{name}"]

    def run(
        self, seconds: float, story: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> None:
        async def main() -> None:
            task = asyncio.create_task(self.thinking.run())
            if story:
                await story()
            await self.clock.sleep(seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.clock.run(main())


def factory(calendar: Calendar | None = None, unit: str = "Cel", **tables: Any) -> Factory:
    rooms: dict[str, dict[str, Plugin]] = {"insight": {}, "decide": {}}
    for name, options in tables.items():
        room, cls = ("decide", Decision) if name.startswith("d") else ("insight", Analysis)
        rooms[room][name] = Plugin(room, name, "fake", cls, options)
    rooms["decide"]["gate"] = Plugin("decide", "gate", "gate", Gate, Options())
    signals = [SIGNALS[0], msgspec.structs.replace(SIGNALS[1], unit=unit), SIGNALS[2]]
    return Factory(
        path=Path("factory.toml"),
        identity=Identity(id="brickworks"),
        signals={signal.id: signal for signal in signals},
        calendar=calendar or Calendar(),
        plugins=rooms,
    )


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.clock._loop.close()


def needs(**parts: Any) -> Options:
    return Options(needs=Needs(**parts))


def news(*values: float, signal: int = A) -> Batch:
    n = len(values)
    return Batch.of([signal] * n, [T0 + i for i in range(n)], values, received=T0)


# ---- what others conclude


def test_a_verdict_becomes_a_command_that_the_gate_judges(bench: Bench) -> None:
    sorting = Reject.Options(inspection="eye", signal="kiln.b", hold=2)
    eye = Plugin("insight", "eye", "fake", Eye, needs(signals=("kiln.a",)))
    table = Plugin("decide", "sorting", "reject", Reject, sorting)
    shop = msgspec.structs.replace(
        factory(),
        signals={"kiln.a": SIGNALS[0], "kiln.b": Signal(id="kiln.b", access="rw", source="plc:1")},
        plugins={"insight": {"eye": eye}, "decide": {"sorting": table}},
    )
    bench.thinking.employ(shop)
    bench.thinking.hear(news(1.0))
    (command,) = bench.commands
    assert (command.signal, command.value, command.origin) == ("kiln.b", 1.0, "sorting")
    assert bench.thinking.thinkers["decide.sorting"].since == T0  # it missed no sample by that

    rule = Writable(signal="kiln.b", low=0, high=1, step=1)
    present = SimpleNamespace(value=0.0, time=T0, status=0)
    view = SimpleNamespace(reading=lambda _: present)
    permit = RealGate("gate", RealGate.Options(mode="auto", writable=(rule,)), shop).judge(
        command, T0, view
    )
    assert isinstance(permit, Permit)
    with pytest.raises(Refused) as refused:
        RealGate("gate", RealGate.Options(mode="auto"), shop).judge(command, T0, view)
    assert refused.value.rule == "not-writable"


# ---- news


def test_who_waits_for_news_gets_only_the_news(bench: Bench) -> None:
    bench.employ(eager=needs(signals=("kiln.a",)), other=needs(signals=("kiln.b",)))
    bench.thinking.hear(news(1.0, 2.0))
    ((now, window),) = bench.analysis("eager").windows
    assert now == window.end == T0
    assert window.samples["kiln.a"].value.tolist() == [1.0, 2.0]
    assert set(window.samples) == {"kiln.a"}
    assert bench.analysis("other").windows == []
    assert [finding.value for finding in bench.findings] == [1.0]


def test_who_waits_for_news_of_states_gets_them(bench: Bench) -> None:
    bench.employ(eager=needs(events=("kiln.state",)))
    known = Event(id="kiln.state", time=T0, kind="state", value="idle")
    bench.thinking.hear((known, Event(id="kiln.other", time=T0, kind="state", value="x")))
    bench.thinking.hear((Event(id="kiln.other", time=T0, kind="state", value="x"),))
    ((_, window),) = bench.analysis("eager").windows
    assert window.events == {"kiln.state": (known,)}
    assert window.samples == {}


def test_windows_of_news_follow_each_other(bench: Bench) -> None:
    bench.employ(eager=needs(signals=("kiln.a",)))

    async def story() -> None:
        for _ in range(3):
            bench.thinking.hear(news(1.0))
            await bench.clock.sleep(5.0)

    bench.run(1.0, story)
    spans = [
        ((w.start - T0) // SECOND, (w.end - T0) // SECOND)
        for _, w in bench.analysis("eager").windows
    ]
    assert spans == [(0, 0), (0, 5), (5, 10)]


def test_decisions_go_their_own_way(bench: Bench) -> None:
    bench.employ(decision=needs(signals=("kiln.a",)))
    bench.thinking.hear(news(1.0))
    assert [command.origin for command in bench.commands] == ["decision"]
    assert bench.findings == []


# ---- periods and histories


def test_a_period_is_kept_on_its_multiples(bench: Bench) -> None:
    bench.employ(steady=needs(signals=("kiln.a",), every=10 * SECOND, history=MINUTE))
    bench.run(35.0)
    moments = [(now - T0) / SECOND for now, _ in bench.analysis("steady").windows]
    assert len(moments) == 4
    for moment, due in zip(moments, (0, 10, 20, 30), strict=True):
        assert due <= moment < due + 0.01


def test_a_history_reaches_back_and_one_sample_further(bench: Bench) -> None:
    bench.employ(steady=needs(signals=("kiln.a", "kiln.b"), every=MINUTE, history=10 * MINUTE))
    bench.run(1.0)
    ((now, window),) = bench.analysis("steady").windows
    assert (window.start, window.end) == (now - 10 * MINUTE, now)
    assert window.samples["kiln.b"].time[0] == window.start - SECOND
    assert window.samples["kiln.b"].time[-1] < window.end


def test_a_period_without_history_gets_what_is_new_since_last_time(bench: Bench) -> None:
    bench.employ(steady=needs(signals=("kiln.a",), every=10 * SECOND))
    bench.run(25.0)
    spans = [(start - T0, end - T0) for _, start, end in bench.memory.asked]
    assert spans[0][0] == 0  # not the whole history, however long it is
    assert [a[1] for a in spans[:-1]] == [b[0] for b in spans[1:]]


def test_a_history_without_period_is_asked_once_a_second(bench: Bench) -> None:
    bench.employ(steady=needs(signals=("kiln.a",), history=MINUTE))
    bench.run(10.5)
    assert 10 <= len(bench.analysis("steady").windows) <= 12


def test_states_come_with_the_one_before_and_their_gaps(bench: Bench) -> None:
    gap = Event(id="kiln.state", time=T0 - 3 * MINUTE, kind="gap", value="away")
    before = Event(id="kiln.state", time=T0 - 2 * MINUTE, kind="state", value="idle")
    within = Event(id="kiln.state", time=T0 - 1, kind="state", value="running")
    bench.memory.happened = [gap, before, within]
    bench.employ(steady=needs(events=("kiln.state",), every=MINUTE, history=MINUTE))
    bench.run(1.0)
    ((_, window),) = bench.analysis("steady").windows
    assert window.events["kiln.state"] == (gap, before, within)


# ---- failing


def test_missing_data_is_a_state_that_ends(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench.employ(a=Options(needs=Needs(signals=("kiln.a",)), fails="data"))
    bench.thinking.hear(news(1.0))
    bench.thinking.hear(news(1.0))
    assert bench.thinker("a").problem == "two hours of kiln.a are missing"
    bench.analysis("a").fails = ""
    bench.thinking.hear(news(1.0))
    assert bench.thinker("a").problem == ""
    assert caplog.text.count("state=waiting") == 1
    assert caplog.text.count("state=working") == 1


@pytest.mark.parametrize("every", [0, SECOND])
def test_an_analysis_that_explodes_stops_nobody_else(
    bench: Bench, every: int, caplog: pytest.LogCaptureFixture
) -> None:
    wants = Needs(signals=("kiln.a",), every=every, history=every and MINUTE)
    bench.employ(bad=Options(needs=wants, fails="bug"), good=Options(needs=wants))

    async def story() -> None:
        for _ in range(5):
            bench.thinking.hear(news(1.0))
            await bench.clock.sleep(1.0)

    bench.run(1.0, story)
    assert len(bench.analysis("good").windows) >= 5
    assert len(bench.analysis("bad").windows) >= 5
    assert "ZeroDivisionError" in bench.thinker("bad").problem
    assert bench.thinker("good").problem == ""


def test_the_same_fault_is_logged_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.employ(bad=Options(needs=Needs(signals=("kiln.a",)), fails="bug"))
    for _ in range(100):
        bench.thinking.hear(news(1.0))
    assert caplog.text.count("state=failed") == 1


def test_a_store_that_cannot_be_read_is_a_state_that_ends(bench: Bench) -> None:
    bench.employ(a=needs(signals=("kiln.a",), every=SECOND, history=MINUTE))
    bench.memory.broken = True

    async def story() -> None:
        await bench.clock.sleep(3.0)
        assert bench.thinker("a").problem == "the history cannot be read"
        assert bench.analysis("a").windows == []
        bench.memory.broken = False

    bench.run(3.0, story)
    assert bench.thinker("a").problem == ""
    assert bench.analysis("a").windows


# ---- reload


def test_a_thinker_whose_table_stays_keeps_what_it_knows(bench: Bench) -> None:
    stays = needs(signals=("kiln.a",))
    bench.employ(stays=stays, changes=stays, goes=stays)
    before = {name: bench.analysis(name) for name in ("stays", "changes")}
    bench.thinking.hear(news(1.0))
    bench.employ(stays=stays, changes=Options(needs=stays.needs, marker=1), comes=stays)
    assert bench.analysis("stays") is before["stays"]
    assert bench.analysis("changes") is not before["changes"]
    assert set(bench.thinking.thinkers) == {"insight.stays", "insight.changes", "insight.comes"}


def test_a_thinker_is_made_anew_where_what_it_builds_on_changed(bench: Bench) -> None:
    """It was given the factory when it was made: other shifts or another unit are another world."""
    wants = needs(signals=("kiln.a", "kiln.b"))
    bench.employ(kpi=wants)
    first = bench.analysis("kpi")
    shifts = msgspec.convert(
        {"shifts": [{"name": "day", "start": "08:00", "end": "20:00"}]}, Calendar
    )
    bench.employ(kpi=wants, calendar=shifts)
    second = bench.analysis("kpi")
    assert second is not first
    bench.employ(kpi=wants, calendar=shifts, unit="K")
    assert bench.analysis("kpi") is not second


def test_who_is_new_while_it_runs_is_called(bench: Bench) -> None:
    bench.employ()

    async def story() -> None:
        await bench.clock.sleep(5.0)
        bench.employ(late=needs(signals=("kiln.a",), every=SECOND, history=MINUTE))

    bench.run(5.0, story)
    assert len(bench.analysis("late").windows) >= 4


def test_the_gate_is_no_thinker() -> None:
    plugins = factory(d=Options()).room("decide")
    assert [name for name, plugin in plugins.items() if is_thinker(plugin)] == ["d"]


def test_a_new_thinker_is_shown_what_is_known_now(bench: Bench) -> None:
    """A source that tells changes only may say nothing for long after a table was edited."""
    wants = needs(signals=("kiln.a", "kiln.b"), events=("kiln.state",))
    bench.employ(eager=wants, goes=wants)
    assert bench.analysis("eager").windows == []  # nothing is known yet
    bench.live.take(news(21.5))
    state = Event(id="kiln.state", time=T0, kind="state", value="idle")
    bench.live.take((state,))
    options = Options(needs=wants.needs, marker=1)
    changes = bench.thinking.employ(factory(eager=options, comes=wants))
    assert changes == ["insight.comes added", "insight.eager changed", "insight.goes removed"]
    ((_, window),) = bench.analysis("eager").windows
    assert {id: known.value.tolist() for id, known in window.samples.items()} == {"kiln.a": [21.5]}
    assert window.events == {"kiln.state": (state,)}


async def test_a_heavy_thinker_thinks_in_another_process(bench: Bench) -> None:
    """The loop must not stand still while somebody looks back over a year."""
    shop = factory()
    plugin = Plugin("insight", "kpi", "kpi", Kpi, Kpi.Options(asset="kiln", state="kiln.state"))
    told = Event(id="kiln.state", time=20 * DAY, kind="state", value="running")
    bench.memory.happened = [told]
    findings: list[Finding] = []
    thinking = Thinking(
        bench.memory, bench.live, RealClock(), findings.extend, bench.commands.extend
    )
    thinking.employ(msgspec.structs.replace(shop, plugins={"insight": {"kpi": plugin}}))
    (thinker,) = thinking.thinkers.values()
    thinker.seconds = 1.0  # as if the last call had been heavy
    await thinking._think_back(thinker, 21 * DAY)
    assert thinker.busy
    assert findings == []
    (task,) = thinking._apart
    await task
    assert not thinker.busy
    assert thinker.problem == ""
    assert "oee" in {finding.name for finding in findings}
    assert 0 < thinker.seconds < 1.0  # so that one slow call does not banish it for ever
    thinking._end_pool()


async def test_who_keeps_something_between_calls_never_thinks_apart(bench: Bench) -> None:
    bench.employ(keeps=needs(signals=("kiln.a",), every=SECOND))
    thinker = bench.thinker("keeps")
    thinker.seconds = 1.0
    bench.thinking._clock = RealClock()
    await bench.thinking._think_back(thinker, T0 + 2 * SECOND)
    assert len(bench.analysis("keeps").windows) == 1


# ---- images


def shot(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def taken(ref: str, moment: int) -> Event:
    data = {"serial": f"B{moment}"}
    return Event(id="camera.image", time=moment, kind="image", value=ref, data=data)


class Album:
    """Stands where the camera's folder would."""

    folder = "blobs"


async def test_who_needs_images_sees_each_once_and_a_damaged_one_stops_nobody(
    tmp_path: Path,
) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    good = Blobs(tmp_path / "blobs").put(shot(pixels))
    broken = Blobs(tmp_path / "blobs").put(b"no image")
    findings: list[Finding] = []
    thinking = Thinking(cast(Any, Memory()), Live(), RealClock(), findings.extend, lambda _: None)
    camera = Plugin("machines", "camera", "camera", object, Album())
    shop = factory(sees=needs(images=("camera.image",)))
    shop = msgspec.structs.replace(
        shop, path=tmp_path / "factory.toml", plugins={**shop.plugins, "machines": {"c": camera}}
    )
    thinking.employ(shop)
    thinker = thinking.thinkers["insight.sees"]
    thinking.hear((taken(good, 1), taken(broken, 2), taken("sha256:" + "0" * 64, 3)))
    await asyncio.gather(*thinking._apart)
    assert "in no folder of images" in thinker.problem
    thinking.hear((taken(good, 4),))
    await asyncio.gather(*thinking._apart)
    assert thinker.problem == ""
    work = cast(Analysis, thinker.work)
    seen = [window.images["camera.image"][0] for _, window in work.windows]
    assert [(picture.time, picture.serial) for picture in seen] == [(1, "B1"), (4, "B4")]
    assert seen[0].pixels.tolist() == pixels.tolist()
    assert len(findings) == 2
    thinking.hear(tuple(taken(good, n) for n in range(100)))
    await asyncio.gather(*thinking._apart)
    assert thinker.missed == 100 - PILE


async def test_the_other_process_is_ended_when_nobody_needs_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deungdae.app.thinking.IDLE", SECOND // 100)
    thinking = Thinking(
        bench.memory, bench.live, RealClock(), bench.findings.extend, bench.commands.extend
    )
    plugin = Plugin("twin", "kpi", "kpi", Kpi, Kpi.Options(asset="kiln", state="kiln.state"))
    thinking.employ(msgspec.structs.replace(factory(), plugins={"twin": {"kpi": plugin}}))
    (thinker,) = thinking.thinkers.values()
    await thinking._think_back(thinker, 21 * DAY)
    assert thinker.busy  # a twin never thinks here, not even the first time
    pool = thinking._pool
    running = asyncio.create_task(thinking.run())
    await asyncio.gather(*thinking._apart)
    async with asyncio.timeout(20):
        while thinking._pool is pool:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Pupil(Analysis):
    """Learns from a folder of images."""

    examples = ("good",)

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        good: str = ""
        needs: Needs = Needs(images=("camera.image",))
        fails: str = ""


async def test_who_learns_from_examples_sees_them_first_and_concludes_nothing_of_them(
    tmp_path: Path,
) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    ref = Blobs(tmp_path / "blobs").put(shot(pixels))
    (tmp_path / "good").mkdir()
    for name in ("b.png", "a.png", "notes.txt"):
        (tmp_path / "good" / name).write_bytes(shot(pixels))
    pupil = Plugin("insight", "pupil", "pupil", Pupil, Pupil.Options(good="good"))
    camera = Plugin("machines", "camera", "camera", object, Album())
    shop = msgspec.structs.replace(
        factory(),
        path=tmp_path / "factory.toml",
        plugins={"insight": {"pupil": pupil}, "machines": {"c": camera}},
    )
    findings: list[Finding] = []
    thinking = Thinking(cast(Any, Memory()), Live(), RealClock(), findings.extend, lambda _: None)
    thinking.employ(shop)
    thinking.hear((taken(ref, 7),))
    await asyncio.gather(*thinking._apart)
    work = cast(Pupil, thinking.thinkers["insight.pupil"].work)
    seen = [window.images["camera.image"][0].ref for _, window in work.windows]
    assert seen == ["a.png", "b.png", ref]
    assert len(findings) == 1
    none = msgspec.structs.replace(pupil, options=Pupil.Options(good="nothing"))
    with pytest.raises(FactoryError, match=r"pupil\.good = 'nothing': holds no PNG"):
        examples(none, shop)
