"""Recordings played back: both forms, both formats, any speed, any way of writing time."""

from __future__ import annotations

import gzip
from contextlib import aclosing
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from deungdae.core.clock import RealClock, SimulatedClock, from_iso
from deungdae.core.errors import BadReply, DoorError, Unreachable
from deungdae.core.ports import Driver
from deungdae.core.types import SECOND, Batch, Event, Signal
from deungdae.machines.replay import Replay

START = from_iso("2026-11-23T00:00:00Z")
T0 = from_iso("2026-03-01T08:00:00Z")
SIGNALS = {
    1: Signal(id="m.force", unit="N", source_unit="kN", source="r:force"),
    2: Signal(id="m.state", kind="state", source="r:state"),
}
FORCE = {1: SIGNALS[1]}
LONG = """time,id,value,status
2026-03-01T08:00:00Z,force,1.5,0
2026-03-01T08:00:00Z,state,RUN,0
2026-03-01T17:00:10+09:00,force,2.5,1
2026-03-01T08:00:20Z,force,NaN,0
2026-03-01T08:00:30Z,other,9,0
2026-03-01T08:00:40Z,state,,0
"""
WIDE = """time;force;state
1772352000;1,5;RUN
1772352010.25;;IDLE
1772352020;2,5;
"""


class Played:
    def __init__(self, path: Path, signals: dict[int, Signal] = SIGNALS, **options: object) -> None:
        settings = msgspec.convert({"path": str(path), "speed": 0.0} | options, Replay.Options)
        self.clock = SimulatedClock(START)
        self.driver = Replay("r", settings, self.clock)
        self.rows: list[tuple[int, int, float, int]] = []
        self.events: list[Event] = []
        self.clock.run(self._play(signals))

    async def _play(self, signals: dict[int, Signal]) -> None:
        await self.driver.connect()
        for _ in range(2):  # the second time there is nothing left
            async with aclosing(self.driver.stream(signals)) as stream:  # type: ignore[type-var]
                async for item in stream:
                    if isinstance(item, Batch):
                        columns = (item.signal, item.time, item.value, item.status)
                        self.rows += zip(*(c.tolist() for c in columns), strict=True)
                    else:
                        self.events += item


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_it_is_a_driver() -> None:
    assert isinstance(Replay("r", Replay.Options(path="x"), RealClock()), Driver)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_long_form(tmp_path: Path, name: str) -> None:
    played = Played(write(tmp_path, name, LONG))
    force = [(time - T0, value, status) for _, time, value, status in played.rows]
    assert force[:2] == [(0, 1500.0, 0), (10 * SECOND, 2500.0, 1)]
    assert np.isnan(force[2][1])
    assert force[2][2] == 2
    assert len(force) == 3
    assert [(event.time - T0, event.value) for event in played.events] == [(0, "RUN")]


def test_wide_form_with_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    played = Played(write(tmp_path, "a.csv", WIDE))
    assert [(time - T0, value) for _, time, value, _ in played.rows] == [
        (0, 1500.0),
        (20 * SECOND, 2500.0),
    ]
    assert [(event.time - T0, event.value) for event in played.events] == [
        (0, "RUN"),
        (10_250_000_000, "IDLE"),
    ]


@pytest.mark.parametrize("form", ["long", "wide"])
def test_parquet(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.parquet"
    time = pa.array([T0, T0 + SECOND], pa.timestamp("ns", "UTC"))
    columns = {"time": time, "force": pa.array([1.0, None])}
    if form == "long":
        columns = {"time": time, "id": pa.array(["force", "x"]), "value": pa.array([1.0, 2.0])}
    parquet.write_table(pa.table(columns), path)
    assert Played(path).rows == [(1, T0, 1000.0, 0)]


def test_several_files_play_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.csv", "time,force\n2026-03-02T00:00:00Z,2\n")
    write(tmp_path, "a.csv", "time,force\n2026-03-01T00:00:00Z,1\n")
    assert [row[2] for row in Played(tmp_path / "*.csv").rows] == [1000.0, 2000.0]


def test_a_speed_sets_the_pace_and_keeps_the_times(tmp_path: Path) -> None:
    played = Played(write(tmp_path, "a.csv", LONG), speed=10.0)
    assert played.clock.now() - START == pytest.approx(3 * SECOND)  # 30 s of recording
    assert [row[1] - T0 for row in played.rows] == [0, 10 * SECOND, 20 * SECOND]


def test_shifted_times_are_those_of_the_playing(tmp_path: Path) -> None:
    played = Played(write(tmp_path, "a.csv", LONG), speed=10.0, shift=True)
    assert [row[1] - START for row in played.rows] == [0, SECOND, 2 * SECOND]


def test_what_the_recording_lacks_is_bad_and_named_at_its_end(tmp_path: Path) -> None:
    signals = SIGNALS | {3: Signal(id="m.no", source="r:no")}
    played = Played(write(tmp_path, "a.csv", LONG), signals)
    assert played.rows[-1][0] == 3
    assert played.rows[-1][3] == 2
    assert "'no'" in played.driver.health.signals["m.no"]
    assert played.driver.health.state == "degraded"


def test_rows_without_a_time_are_left_out(tmp_path: Path) -> None:
    text = "time,force\nyesterday,1\n2026-03-01T08:00:00Z,2\n"
    assert Played(write(tmp_path, "a.csv", text)).rows == [(1, T0, 2000.0, 0)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2\n3,4\n", "names of its columns"),
        ("", "names of its columns"),
        ("time,force\nnever,1\n", "no times"),
        ("time,force\n2026-03-01,1,2,3\n", "cannot be read"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadReply, match=problem):
        Played(write(tmp_path, "a.csv", text))
    with pytest.raises(BadReply, match="cannot be read"):
        Played(write(tmp_path, "a.parquet", text))


def test_no_file_is_unreachable_and_shift_needs_a_speed(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"none\.csv"):
        Played(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="shift needs a speed"):
        Replay.Options(path="x", speed=0.0, shift=True)


def test_browsing_gives_the_columns_or_ids(tmp_path: Path) -> None:
    for number, text in enumerate((LONG, WIDE)):
        path = write(tmp_path, f"{number}.csv", text)
        clock = SimulatedClock(START)
        driver = Replay("r", Replay.Options(path=str(path)), clock)

        async def browse(driver: Replay = driver) -> dict[str, str]:
            await driver.connect()
            return {node.address: node.kind async for node in driver.browse()}

        kinds = clock.run(browse())
        assert kinds["state"] == "text"
        assert kinds["force"] in (
            "number",
            "text",
        )  # 1,5 is a number only where ; parts the columns


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=300), head=st.sampled_from([b"", b"time,id,value\n", b"time;a\n"])
)
def test_any_bytes_are_played_or_refused(tmp_path: Path, content: bytes, head: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(head + content)
    try:
        Played(path)
    except DoorError:
        return
