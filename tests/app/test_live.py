"""What is known now: the newest counts, whatever order it comes in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deungdae.app.live import Live, Reading
from deungdae.core.types import DAY, MINUTE, SECOND, Batch, Event, Finding, Flag, Severity, Signal

T0 = 20_000 * DAY
SIGNALS = [Signal(id="kiln.a"), Signal(id="kiln.b"), Signal(id="press.state", kind="state")]
HANDLES = np.array([3, 0, 7], np.int32)


def live() -> Live:
    found = Live()
    found.know(SIGNALS, HANDLES)
    return found


def state(value: str, time: int, **more: object) -> Event:
    return Event(id="press.state", time=time, kind="state", value=value, **more)  # type: ignore[arg-type]


def test_nothing_is_known_at_first() -> None:
    known = live()
    assert known.reading("kiln.a") is None
    assert known.reading("kiln.unknown") is None
    assert known.readings() == {}
    assert known.events_since(-1) == {}
    batch, events = known.last_of(known.signals)
    assert (len(batch), events) == (0, ())


def test_each_signal_shows_its_newest_sample() -> None:
    known = live()
    known.take(Batch.of([3, 0, 3], [T0, T0, T0 + 1], [1.0, 2.0, 3.0], [0, 1, 2], received=T0))
    assert known.reading("kiln.a") == Reading(3.0, T0 + 1, Severity.BAD)
    assert known.reading("kiln.b") == Reading(2.0, T0, Severity.UNCERTAIN)
    assert not known.readings()["kiln.b"].good


def test_what_comes_late_is_no_news() -> None:
    known = live()
    known.take(Batch.of([3], [T0], [1.0], received=T0))
    known.take(Batch.of([3], [T0 - 1], [2.0], received=T0))
    assert known.reading("kiln.a") == Reading(1.0, T0, 0)
    known.take(Batch.of([3], [T0], [4.0], received=T0))  # the same moment told again: corrected
    assert known.reading("kiln.a") == Reading(4.0, T0, 0)


@given(st.lists(st.lists(st.tuples(st.sampled_from([0, 3]), st.integers(0, 9)), min_size=1)))
def test_the_newest_shows_in_whatever_order_rows_come(batches: list[list[tuple[int, int]]]) -> None:
    known, newest = live(), {}
    serial = 0.0
    for rows in batches:
        values = []
        for handle, time in rows:
            serial += 1
            values.append(serial)
            if time >= newest.get(handle, (-1, 0))[0]:
                newest[handle] = (time, serial)
        handles, times = zip(*rows, strict=True)
        known.take(Batch.of(handles, [T0 + t for t in times], values, received=T0 + 9))
    for handle, (time, value) in newest.items():
        assert known.reading(known.signals[handle].id) == Reading(value, T0 + time, 0)


def test_a_source_whose_clock_was_ahead_shows_its_present_again_once_it_is_put_right() -> None:
    known, ahead = live(), 50 * MINUTE
    known.take(Batch.of([3, 3], [T0 + ahead, T0 + ahead - 1], [1.0, 0.0], received=T0))
    assert known.reading("kiln.a") == Reading(1.0, T0 + ahead, 0)
    known.take((state("running", T0 + ahead, received=T0),))
    known.take(Batch.of([3], [T0 + SECOND], [2.0], received=T0 + SECOND))
    known.take((state("idle", T0 + SECOND, received=T0 + SECOND),))
    assert known.reading("kiln.a") == Reading(2.0, T0 + SECOND, 0)
    assert known.events["press.state"].value == "idle"
    late = T0 - MINUTE  # what comes late is no news all the same
    known.take(Batch.of([3], [late], [9.0], received=T0 + 2 * SECOND))
    known.take((state("down", late, received=T0 + 2 * SECOND),))
    assert known.reading("kiln.a") == Reading(2.0, T0 + SECOND, 0)
    assert known.events["press.state"].value == "idle"


def test_what_was_recalled_without_its_receipt_counts_by_its_time() -> None:
    known = live()
    known.take(Batch.of([3], [T0], [1.0], received=0))
    known.take(Batch.of([3], [T0 - 1], [2.0], received=T0))
    assert known.reading("kiln.a") == Reading(1.0, T0, 0)


def test_what_is_recalled_is_stale_until_it_is_heard_anew() -> None:
    """Nobody knows whether it still holds: the gate must not write by it."""
    known = live()
    known.recall(Batch.of([3, 0], [T0, T0], [1.0, 2.0], [0, 1], received=T0))
    found = known.reading("kiln.a")
    assert found is not None
    assert (found.value, found.time, found.good) == (1.0, T0, False)
    assert found.status & Flag.STALE
    assert known.readings()["kiln.b"].status == Severity.BAD | Flag.STALE
    last, _ = known.last_of(known.signals)
    assert last.status.tolist() == [0, 1]  # for the door that does not find its machine
    known.take(Batch.of([3], [T0 - 1], [9.0], received=T0 + MINUTE))  # late: no news
    assert known.reading("kiln.a") == found
    known.take(Batch.of([3], [T0 + 1], [3.0], received=T0 + MINUTE))
    assert known.reading("kiln.a") == Reading(3.0, T0 + 1, 0)
    assert not known.readings()["kiln.b"].good


def test_events_and_gaps() -> None:
    known = live()
    known.take((state("running", T0), state("idle", T0 - 1)))
    known.take((Event(id="press.state", time=T0 + 5, kind="gap", value="away"),))
    assert known.events["press.state"].value == "running"


def test_versions_tell_what_changed_since() -> None:
    known = live()
    known.take(Batch.of([3], [T0], [1.0], received=T0))
    seen = known.version
    assert known.readings(seen) == {}
    known.take(Batch.of([0], [T0], [2.0], received=T0))
    known.take((state("idle", T0),))
    assert set(known.readings(seen)) == {"kiln.b"}
    assert set(known.events_since(seen)) == {"press.state"}
    assert known.events_since(known.version) == {}


def test_signals_that_stay_keep_what_is_known_of_them() -> None:
    known = live()
    known.take(Batch.of([3, 0], [T0, T0], [1.0, 2.0], received=T0))
    known.know([SIGNALS[0], Signal(id="kiln.c")], np.array([3, 40], np.int32))
    assert set(known.readings()) == {"kiln.a"}
    assert known.reading("kiln.b") is None
    assert known.reading("kiln.c") is None
    known.take(Batch.of([40], [T0], [5.0], received=T0))
    assert known.reading("kiln.c") == Reading(5.0, T0, 0)


def test_the_last_of_some_signals_whatever_its_status() -> None:
    known = live()
    known.take(Batch.of([3, 0], [T0, T0 + 1], [1.0, 2.0], [2, 0], received=T0))
    known.take((state("idle", T0),))
    batch, events = known.last_of({3: SIGNALS[0], 7: SIGNALS[2]})
    assert (batch.value.tolist(), batch.status.tolist()) == ([1.0], [2])
    assert [event.value for event in events] == ["idle"]


def test_the_newest_finding_of_each_name() -> None:
    known = live()
    for value in (0.5, 0.7):
        known.conclude(
            Finding(origin="kpi", asset="kiln", name="oee", start=T0, end=T0 + 1, value=value)
        )
    assert [finding.value for finding in known.findings.values()] == [0.7]
