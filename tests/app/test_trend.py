"""The shape of a trend beside the samples that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.app import trend
from deungdae.core.clock import RealClock
from deungdae.core.ports import Samples
from deungdae.core.types import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Batch, Event, Signal
from deungdae.historian.store import Historian, HistorianOptions

START = 1_700_000_000 * SECOND
ids = (f"kiln.t{n}" for n in count())


class Hands(RealClock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        return self.time


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Historian]:
    """Give a history for all examples, each with a signal of its own."""
    with Historian(tmp_path_factory.mktemp("trend"), HistorianOptions(), Hands()) as store:
        yield store


def told(store: Historian, samples: Samples, **more: object) -> Signal:
    """Return a new signal of which the history holds the samples."""
    signal = Signal(id=next(ids), unit="Cel", **more)  # type: ignore[arg-type]
    (handle,) = store.register([signal])
    handles = np.full(len(samples), handle, np.int32)
    store.append([Batch(handles, samples.time, samples.value, samples.status, received=START)])
    return signal


def evenly(n: int, step: int, start: int = START) -> Samples:
    """Return n good samples that rise by one."""
    time = start + np.arange(n, dtype=np.int64) * step
    return Samples(time, np.arange(n, dtype=np.float64), np.zeros(n, np.uint8))


@st.composite
def series(draw: st.DrawFn) -> tuple[Samples, int, int, int]:
    """Draw samples, a period and a number of points."""
    span = draw(st.sampled_from([SECOND, MINUTE, HOUR, 5 * DAY, 40 * DAY, 900 * DAY]))
    offsets = draw(st.lists(st.integers(-span // 4, span + span // 4), unique=True, max_size=120))
    n = len(offsets)
    values = draw(st.lists(st.floats(width=32), min_size=n, max_size=n))
    status = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 0x12, 0x20]), min_size=n, max_size=n))
    start = START + draw(st.integers(0, HOUR))
    time = np.sort(np.array(offsets, np.int64)) + start
    found = Samples(time, np.array(values, np.float64), np.array(status, np.uint8))
    return found, start, start + span, draw(st.integers(10, 60))


def test_the_first_bucket_holds_what_lies_before_its_period(store: Historian) -> None:
    edge = 1_700_000_000_000_000_000  # no whole number of buckets
    samples = Samples(np.array([edge - HOUR, edge]), np.zeros(2), np.zeros(2, np.uint8))
    shown = trend.curve(
        store, told(store, samples), edge, edge + 40 * DAY, points=10, now=edge + 40 * DAY
    )
    assert shown.every == 4 * DAY
    assert shown.buckets.count.tolist() == [2]


@given(series(), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_curve_says_what_the_samples_say(
    store: Historian,
    given: tuple[Samples, int, int, int],
    folded: bool,
    sparing: bool,
) -> None:
    samples, start, end, points = given
    signal = told(store, samples)
    if folded:
        while store.tidy(START + 10 * HOUR * (1 + int(signal.id[6:]))):
            pass
    with pytest.MonkeyPatch.context() as patch:
        if sparing:
            patch.setattr(trend, "READ", 10)
            patch.setattr(trend, "FEW", 10)
        curve = trend.curve(store, signal, start, end, points=points, now=end)
    if curve.samples is not None:
        _check_samples(curve.samples, samples, start, end, points)
    else:
        _check_buckets(curve, samples, start, end, points)
    for gap in curve.gaps:
        assert start <= gap.start < gap.end <= end
        inside = (samples.time > gap.start) & (samples.time < gap.end)
        usable = (samples.status & 3 < 2) & np.isfinite(samples.value)
        assert not (inside & usable).any() or curve.every


def _check_samples(shown: Samples, raw: Samples, start: int, end: int, points: int) -> None:
    inside = (raw.time >= start) & (raw.time < end)
    assert inside.sum() <= points
    shown_inside = (shown.time >= start) & (shown.time < end)
    np.testing.assert_array_equal(shown.time[shown_inside], raw.time[inside])
    np.testing.assert_array_equal(shown.value[shown_inside], raw.value[inside])
    np.testing.assert_array_equal(shown.status[shown_inside], raw.status[inside])
    assert (~shown_inside).sum() <= 2  # the nearest on either side
    if (raw.time < start).any():
        assert shown.time[0] == raw.time[raw.time < start].max()


def _check_buckets(curve: trend.Curve, raw: Samples, start: int, end: int, points: int) -> None:
    found = curve.buckets
    assert (found.start % curve.every == 0).all()
    assert (found.start > start - curve.every).all()
    assert (found.start < end).all()
    if curve.every != MINUTE:  # where too much would be read, minutes are shown instead
        assert len(found.start) <= points + 1
    good = (raw.status & 3 == 0) & np.isfinite(raw.value)
    for n, begin in enumerate(found.start.tolist()):
        within = (raw.time >= begin) & (raw.time < begin + curve.every)
        known = raw.value[within & good]
        assert found.count[n] == len(known)
        assert found.bad[n] == pytest.approx(1 - len(known) / within.sum())
        if len(known):
            assert found.minimum[n] == known.min()
            assert found.maximum[n] == known.max()
            assert found.last[n] == known[-1]
            size = max(1.0, float(np.abs(known).max()))
            assert found.minimum[n] - 1e-6 * size <= found.mean[n] <= found.maximum[n] + 1e-6 * size
            assert found.mean[n] == pytest.approx(known.mean(), rel=1e-6, abs=1e-6 * size)
    seen = (raw.time >= start) & (raw.time < end)
    covered = np.isin(raw.time // curve.every * curve.every, found.start)
    assert covered[seen].all()  # none is lost


def test_buckets_are_of_lengths_that_people_read() -> None:
    assert trend.bucket(30 * DAY, 1200) == HOUR
    assert trend.bucket(15 * MINUTE, 1200) == SECOND
    assert trend.bucket(SECOND, 1200) == MILLISECOND
    assert trend.bucket(365 * DAY, 1200) == 8 * HOUR
    assert trend.bucket(100 * 365 * DAY, 1200) == 31 * DAY
    for span, points in ((7 * DAY, 300), (HOUR, 10), (4000 * DAY, 999)):
        assert span / trend.bucket(span, points) <= points


def test_a_silence_much_longer_than_usual_is_a_gap(store: Historian) -> None:
    early, late = evenly(200, SECOND), evenly(200, SECOND, START + HOUR)
    time = np.concatenate([early.time, late.time])
    signal = told(store, Samples(time, np.zeros(400), np.zeros(400, np.uint8)))
    end = START + HOUR + 200 * SECOND
    for points in (10, 1000):
        curve = trend.curve(store, signal, START, end, points=points, now=end)
        assert curve.gaps == (trend.Gap(START + 199 * SECOND, START + HOUR, "silent"),)
    curve = trend.curve(store, signal, START - 20 * DAY, end, points=4000, now=end)
    assert curve.every == 10 * MINUTE
    assert [gap.why for gap in curve.gaps] == ["silent", "silent"]  # before, and between
    slow = told(store, evenly(20, 10 * MINUTE))
    assert trend.curve(store, slow, START, START + 3 * HOUR, points=100, now=end).gaps == ()


def test_what_we_write_holds_until_it_is_written_anew(store: Historian) -> None:
    signal = told(store, evenly(1, SECOND), access="rw")
    start = START + 10 * DAY
    curve = trend.curve(store, signal, start, start + HOUR, points=100, now=start + HOUR)
    assert curve.gaps == ()
    assert curve.before.value.tolist() == [0.0]
    assert curve.samples is not None


def test_bad_samples_are_a_gap_until_the_next_good_one(store: Historian) -> None:
    samples = evenly(60, SECOND)
    samples.status[20:30] = 2
    samples.value[40] = np.nan
    signal = told(store, samples)
    end = START + MINUTE
    curve = trend.curve(store, signal, START, end, points=1000, now=end)
    bad = [(gap.start - START) // SECOND for gap in curve.gaps]
    assert bad == [20, 40]
    assert [(gap.end - gap.start) // SECOND for gap in curve.gaps] == [10, 1]
    assert {gap.why for gap in curve.gaps} == {"bad"}


def test_recorded_gaps_are_told_and_those_of_us_for_the_whole_asset(store: Historian) -> None:
    signal = told(store, evenly(100, SECOND))
    lost = {"until": str(START + 8 * SECOND)}
    away = {"until": str(START + 50 * SECOND)}
    store.append(
        [
            Event(id=signal.id, time=START, kind="gap", value="message lost", data=lost),
            Event(id="kiln.state", time=START + 40 * SECOND, kind="gap", value="away", data=away),
            Event(id="kiln.state", time=START + 60 * SECOND, kind="gap", value="lost", data=away),
        ]
    )
    end = START + 100 * SECOND
    curve = trend.curve(store, signal, START, end, points=999, now=end, state="kiln.state")
    assert [gap.why for gap in curve.gaps] == ["lost", "away"]


def test_nothing_known_is_one_gap_up_to_now(store: Historian) -> None:
    signal = told(store, evenly(0, SECOND))
    for span in (MINUTE, 40 * DAY):
        now = START + span // 2
        curve = trend.curve(store, signal, START, START + span, points=100, now=now)
        assert curve.gaps == (trend.Gap(START, now, "silent"),)


def test_curves_of_one_period_follow_each_other_without_a_seam(store: Historian) -> None:
    signal = told(store, evenly(5000, SECOND))
    edges = [START, START + 1111 * SECOND, START + 5000 * SECOND]
    counts = 0
    for start, end in pairwise(edges):
        curve = trend.curve(store, signal, start, end, points=20, now=end)
        counts += int(curve.buckets.count[curve.buckets.start >= start].sum())
    whole = trend.curve(store, signal, *(edges[0], edges[-1]), points=20, now=edges[-1])
    assert whole.buckets.count.sum() == 5000
    assert counts <= 5000


def test_a_signal_of_words_is_told_with_the_word_before(tmp_path: Path) -> None:
    signal = Signal(id="kiln.state", kind="state")
    with Historian(tmp_path) as store:
        store.append(
            [
                Event(id="kiln.state", time=START + n * HOUR, kind="state", value=word)
                for n, word in enumerate(("running", "down", "idle"))
            ]
        )
        found = trend.events(store, signal, START + HOUR + 1, START + DAY)
    assert [event.value for event in found] == ["down", "idle"]


def test_of_many_words_the_longest_held_of_each_part_are_told() -> None:
    def word(minutes: float, value: str) -> Event:
        time = START + round(minutes * MINUTE)
        return Event(id="kiln.state", time=time, kind="state", value=value)

    words = [word(-5, "off"), *(word(n / 10, "a" if n % 10 else "b") for n in range(600))]
    words += [word(60, "long"), word(99, "short"), word(99.2, "last")]
    shown = trend.thinned(words, START, START + 100 * MINUTE, 10)
    assert [event.value for event in shown if event.value not in "ab"] == ["off", "long", "last"]
    assert len(shown) == 9
    assert trend.thinned(words[:10], START, START + MINUTE, 10) == words[:10]
