"""Time: texts to nanoseconds and back, and time that jumps when everybody waits."""

from __future__ import annotations

import asyncio
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import ScaledClock, SimulatedClock, from_iso, to_iso
from deungdae.core.types import SECOND

SEOUL = ZoneInfo("Asia/Seoul")


def test_known_moments() -> None:
    assert from_iso("1970-01-01T00:00:00Z") == 0
    assert from_iso("2016-10-01") == 1_475_280_000 * SECOND
    assert from_iso("2016-10-01", SEOUL) == (1_475_280_000 - 9 * 3600) * SECOND
    assert from_iso("2016-10-06T23:06:07.138151Z") == 1_475_795_167_138_151_000
    assert from_iso("2016-10-06T23:06:07.123456789+09:00") % SECOND == 123_456_789
    assert to_iso(0) == "1970-01-01T00:00:00Z"
    assert to_iso(1_500_000_000, SEOUL) == "1970-01-01T09:00:01.5+09:00"
    assert to_iso(-1) == "1969-12-31T23:59:59.999999999Z"


@given(st.integers(-(2**62), 2**62), st.sampled_from(["UTC", "Asia/Seoul", "America/New_York"]))
def test_there_and_back(moment: int, zone: str) -> None:
    text = to_iso(moment, ZoneInfo(zone))
    assert abs(from_iso(text) - moment) < 60 * SECOND  # old offsets had seconds, ISO 8601 has not
    if moment > 0:
        assert from_iso(text) == moment


@pytest.mark.parametrize("text", ["", "now", "2016-13-01", "12:00", "2016-10-01T00:00:00.Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — the message is Python's own
        from_iso(text)


def test_simulated_time_jumps_and_keeps_its_order() -> None:
    clock = SimulatedClock(start=1000 * SECOND)
    seen: list[tuple[str, int]] = []

    async def tick(name: str, period: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(period)
            seen.append((name, clock.now() // SECOND))

    async def main() -> int:
        await asyncio.gather(tick("a", 3600, 2), tick("b", 5000, 1))
        return await clock.call(lambda: 7)

    assert clock.run(main()) == 7
    assert seen == [("a", 4600), ("b", 6000), ("a", 8200)]


def test_simulated_time_that_nobody_moves_is_an_error_not_a_hang() -> None:
    clock = SimulatedClock(start=0)
    with pytest.raises(RuntimeError, match="stands still"):
        clock.run(asyncio.Event().wait())


def test_scaled_time_starts_where_told_and_needs_a_speed() -> None:
    clock = ScaledClock(start=5 * SECOND, speed=1000)
    assert 5 * SECOND <= clock.now() < 10_000 * SECOND
    with pytest.raises(ValueError, match="speed"):
        ScaledClock(start=0, speed=0)


def test_clocks_that_share_their_beginning_show_the_same_time() -> None:
    since = time.time_ns() - 2 * SECOND
    early, late = (ScaledClock(start=0, speed=60, since=since) for _ in range(2))
    assert early.now() >= 120 * SECOND
    assert abs(early.now() - late.now()) < SECOND
