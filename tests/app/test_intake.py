"""The intake: what is marked, what is merged, what waits, and what may be confirmed when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.app import intake as module
from deungdae.app.intake import AHEAD, EARLIEST, Intake, said
from deungdae.app.live import Live
from deungdae.core.clock import SimulatedClock
from deungdae.core.errors import StoreError
from deungdae.core.types import DAY, SECOND, Batch, Event, Finding, Flag, Severity, Signal

T0 = 20_000 * DAY
SIGNALS = [
    Signal(id="kiln.temperature", unit="Cel", low=0, high=1500),
    Signal(id="kiln.free", unit="Cel"),
    Signal(id="kiln.state", kind="state", states="0=running, 1=idle"),
]
TEMPERATURE, FREE = 0, 1
Item = Batch | Event | Finding


class Memory:
    """A sink that keeps what it is given and can be told to refuse, or to wait."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.commits: list[list[Item]] = []
        self.refuses = 0  # so many times
        self.takes = 0.0  # s for a commit
        self._clock = clock

    async def __call__(self, items: Sequence[Item]) -> None:
        await self._clock.sleep(self.takes)
        if self.refuses:
            self.refuses -= 1
            raise StoreError("the disk is full")
        self.commits.append(list(items))

    @property
    def values(self) -> list[float]:
        """Return the values of all batches in order of commit."""
        return [v for c in self.commits for i in c if isinstance(i, Batch) for v in i.value]


class Bench:
    """An intake with its surroundings, run in simulated time."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(T0)
        self.sink = Memory(self.clock)
        self.live = Live()
        self.intake = Intake(self.sink, self.live, self.clock)
        self.live.know(SIGNALS, np.arange(len(SIGNALS), dtype=np.int32))
        self.intake.know(self.live.signals)
        self.confirmed: list[str] = []

    def says(self, word: str) -> Callable[[], None]:
        """Return what to call when an item is durable."""
        return lambda: self.confirmed.append(word)

    def close(self) -> None:
        """Free the loop also where nothing ran in it."""
        self.clock._loop.close()

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Tell a story while the intake stores what comes."""

        async def main() -> None:
            storing = asyncio.create_task(self.intake.run())
            await asyncio.sleep(0)
            try:
                await story
            finally:
                storing.cancel()
                await asyncio.gather(storing, return_exceptions=True)

        self.clock.run(main())


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


def batch(*values: float, signal: int = TEMPERATURE, time: int = T0, status: int = 0) -> Batch:
    n = len(values)
    times = [time + i for i in range(n)]
    return Batch.of([signal] * n, times, values, [status] * n, received=T0)


def state(value: str, time: int = T0, **more: Any) -> Event:
    return Event(id="kiln.state", time=time, kind="state", value=value, **more)


def checked(bench: Bench, item: Batch) -> Batch:
    found = bench.intake.check(item)
    assert isinstance(found, Batch)
    return found


# ---- what is marked


def test_a_plain_batch_passes_untouched(bench: Bench) -> None:
    item = batch(20.0, 1500.0, 0.0)
    assert bench.intake.check(item) is item


@pytest.mark.parametrize("value", [-0.1, 1500.1, -1e300])
def test_a_value_outside_the_physical_range_is_kept_and_marked(bench: Bench, value: float) -> None:
    found = checked(bench, batch(20.0, value))
    assert found.value.tolist() == [20.0, value]
    assert found.status.tolist() == [0, Severity.UNCERTAIN | Flag.OUT_OF_RANGE]


def test_a_signal_without_range_has_none(bench: Bench) -> None:
    item = batch(-1e12, 1e12, signal=FREE)
    assert bench.intake.check(item) is item


def test_bad_stays_bad_outside_the_range(bench: Bench) -> None:
    found = checked(bench, batch(9999.0, status=Severity.BAD))
    assert found.status.tolist() == [Severity.BAD | Flag.OUT_OF_RANGE]


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_bad(bench: Bench, value: float) -> None:
    found = checked(bench, batch(value, signal=FREE))
    assert found.status[0] & 3 == Severity.BAD


def test_filling_of_what_is_bad_already_is_left(bench: Bench) -> None:
    item = batch(nan, status=Severity.BAD)
    assert bench.intake.check(item) is item


@pytest.mark.parametrize("time", [0, EARLIEST - 1, T0 + AHEAD + 1, np.iinfo(np.int64).max])
def test_an_impossible_time_becomes_the_time_of_receipt(bench: Bench, time: int) -> None:
    item = Batch.of([FREE], [time], [1.0], received=T0)
    found = checked(bench, item)
    assert found.time.tolist() == [T0]
    assert found.status.tolist() == [Severity.UNCERTAIN | Flag.CLOCK_SUSPECT]
    assert item.time.tolist() == [time]  # what the door holds is not changed under its hands


@pytest.mark.parametrize("time", [EARLIEST, T0 - DAY, T0 + AHEAD])
def test_late_and_slightly_early_times_are_kept(bench: Bench, time: int) -> None:
    item = Batch.of([FREE], [time], [1.0], received=T0)
    assert bench.intake.check(item) is item


@given(
    st.lists(
        st.tuples(
            st.sampled_from([TEMPERATURE, FREE]),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(),
            st.integers(0, 255).filter(lambda status: status & 3 != 3),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_comes_nothing_is_lost_and_nothing_gets_better(
    rows: list[tuple[int, int, float, int]],
) -> None:
    bench = Bench()
    found = checked(bench, Batch.of(*zip(*rows, strict=True), received=T0))
    bench.close()
    assert len(found) == len(rows)
    for (_, _, value, status), after in zip(rows, found.status.tolist(), strict=True):
        assert after & 3 >= status & 3
        assert np.isfinite(value) or after & 3 == Severity.BAD
    assert ((found.time >= EARLIEST) & (found.time <= T0 + AHEAD)).all()


def test_the_codes_of_a_state_become_words(bench: Bench) -> None:
    found = bench.intake.check((state("0"), state("idle"), state("7"), state("UNAVAILABLE")))
    assert isinstance(found, tuple)
    assert [(event.value, event.status & 3) for event in found] == [
        ("running", Severity.GOOD),
        ("idle", Severity.GOOD),
        ("7", Severity.UNCERTAIN),
        ("UNAVAILABLE", Severity.UNCERTAIN),
    ]


def test_a_gap_is_no_state(bench: Bench) -> None:
    gap = Event(id="kiln.state", time=T0, kind="gap", value="0", received=T0)
    assert bench.intake.check((gap,)) == (gap,)


def test_an_impossible_time_of_an_event_is_kept_beside_it(bench: Bench) -> None:
    (found,) = bench.intake.check((state("0", time=-5, received=T0, data={"by": "kim"}),))
    assert isinstance(found, Event)
    assert (found.time, found.data) == (T0, {"by": "kim", "source_time": "-5"})
    assert found.status == Flag.CLOCK_SUSPECT


# ---- what is stored


def test_what_comes_together_is_one_commit_with_one_batch(bench: Bench) -> None:
    async def story() -> None:
        await bench.intake.put(batch(1.0), bench.says("first"))
        await bench.intake.put((state("0"),), bench.says("event"))
        await bench.intake.put(batch(2.0, 3.0, time=T0 + SECOND), bench.says("second"))
        assert not bench.confirmed
        await bench.clock.sleep(0.2)
        assert bench.confirmed == ["first", "event", "second"]

    bench.run(story())
    (commit,) = bench.sink.commits
    assert [type(item) for item in commit] == [Batch, Event]
    assert bench.sink.values == [1.0, 2.0, 3.0]
    assert bench.intake.stored == 4


def test_findings_are_stored_and_known(bench: Bench) -> None:
    finding = Finding(origin="kpi", asset="kiln", name="oee", start=T0, end=T0 + 1, value=0.5)

    async def story() -> None:
        bench.intake.conclude([finding])

    bench.run(story())
    assert bench.sink.commits == [[finding]]
    assert bench.live.findings["kpi", "kiln", "oee"] == finding


def test_listeners_hear_what_was_checked(bench: Bench) -> None:
    heard: list[object] = []
    bench.intake.listeners.append(heard.append)

    async def story() -> None:
        await bench.intake.put(batch(-1.0))
        await bench.intake.put((state("1"),))

    bench.run(story())
    assert heard[0].status.tolist() == [Severity.UNCERTAIN | Flag.OUT_OF_RANGE]  # type: ignore[attr-defined]
    assert heard[1][0].value == "idle"  # type: ignore[index]


def test_while_the_store_refuses_nothing_is_confirmed_and_nothing_more_is_taken(
    bench: Bench,
) -> None:
    bench.sink.refuses = 3

    async def story() -> None:
        await bench.intake.put(batch(1.0), bench.says("first"))
        await bench.clock.sleep(1.0)
        assert bench.intake.problem == "the disk is full"
        second = asyncio.create_task(bench.intake.put(batch(2.0), bench.says("second")))
        await bench.clock.sleep(2.0)
        assert not second.done()
        assert not bench.confirmed
        await bench.clock.sleep(10.0)
        assert second.done()
        assert bench.confirmed == ["first", "second"]
        assert bench.intake.problem == ""

    bench.run(story())
    assert bench.sink.values == [1.0, 2.0]


def test_doors_wait_while_too_much_is_pending(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING", 4)
    bench.sink.takes = 5.0

    async def story() -> None:
        await bench.intake.put(batch(1.0))
        await bench.clock.sleep(0.2)  # that one is on its way to the disk
        await bench.intake.put(batch(2.0, 3.0, 4.0, 5.0))
        waits = asyncio.create_task(bench.intake.put(batch(6.0)))
        await bench.clock.sleep(1.0)
        assert not waits.done()
        await bench.clock.sleep(20.0)
        assert waits.done()

    bench.run(story())
    assert bench.sink.values == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_room_is_not_made_by_what_was_stored_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that ends while more than enough is pending again lets nobody in."""
    monkeypatch.setattr(module, "PENDING", 2)
    bench.sink.takes = 5.0

    async def story() -> None:
        await bench.intake.put(batch(1.0))
        await bench.clock.sleep(0.2)
        await bench.intake.put(batch(2.0, 3.0))
        waits = asyncio.create_task(bench.intake.put(batch(4.0)))
        await bench.clock.sleep(5.5)  # the first is stored; the two still fill all there is
        assert bench.sink.values == [1.0]
        assert not waits.done()
        await bench.clock.sleep(20.0)

    bench.run(story())
    assert bench.sink.values == [1.0, 2.0, 3.0, 4.0]


def test_what_is_pending_at_the_end_is_stored(bench: Bench) -> None:
    async def story() -> None:
        await bench.intake.put(batch(1.0), bench.says("first"))
        await bench.clock.sleep(0.05)

    bench.run(story())
    assert bench.sink.values == [1.0]
    assert bench.confirmed == ["first"]


@pytest.mark.parametrize("moment", [0.15, 1.0, 2.0])
def test_an_end_in_the_middle_of_a_commit_or_a_retry_loses_nothing(
    bench: Bench, moment: float
) -> None:
    bench.sink.takes, bench.sink.refuses = 0.5, 1

    async def story() -> None:
        await bench.intake.put(batch(1.0), bench.says("first"))
        await bench.clock.sleep(moment)
        bench.sink.refuses = 0

    bench.run(story())
    assert bench.sink.values == [1.0]
    assert bench.confirmed == ["first"]


def test_an_end_while_the_store_refuses_says_what_was_lost(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.sink.refuses = 1000

    async def story() -> None:
        await bench.intake.put(batch(1.0, 2.0), bench.says("first"))
        await bench.clock.sleep(5.0)

    bench.run(story())
    assert not bench.confirmed
    assert "lost=2 reason='the disk is full'" in caplog.text


def test_signals_that_go_are_still_taken_from_a_door_that_has_not_closed_yet(bench: Bench) -> None:
    bench.intake.know({TEMPERATURE: SIGNALS[TEMPERATURE]})
    item = batch(5.0, signal=FREE)
    assert bench.intake.check(item) is item


@pytest.mark.parametrize(
    ("text", "value", "data"),
    [
        ("ST1;lot=M-1;result=good", "ST1", {"lot": "M-1", "result": "good"}),
        ("ST1", "ST1", {}),
        ("a;b", "a;b", {}),
        ("a=b;c", "a=b;c", {}),
        ("ST1;lot=", "ST1", {"lot": ""}),
        (";lot=1", ";lot=1", {}),
        ("", "", {}),
    ],
)
def test_a_scan_that_says_more_than_a_code_is_split(
    text: str, value: str, data: dict[str, str]
) -> None:
    assert said(text, {}) == (value, data)


def test_what_the_door_has_read_of_a_scan_counts_more_than_its_text() -> None:
    assert said("ST1;lot=M-1", {"lot": "M-2"}) == ("ST1", {"lot": "M-2"})
