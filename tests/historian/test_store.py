"""The historian beyond the port: sorting, moving, retention, soundness, SQL."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Batch, Signal
from deungdae.historian.store import Historian, HistorianOptions

from .reference import Reference, same_rollup, same_samples

T0 = 20_000 * DAY
SMALL = HistorianOptions(disk_reserve=0, hot_rows=1000)
IDS = ["m.a", "m.b", "m.c"]

times = st.one_of(
    st.integers(0, 3 * 60).map(lambda k: T0 + k * MINUTE),
    st.integers(0, 40).map(lambda k: T0 + k * 7 * HOUR + 123),
    st.integers(0, 5000).map(lambda k: T0 + HOUR + k * SECOND),
)
sample = st.tuples(
    st.integers(0, 2),
    times,
    st.one_of(st.integers(-9, 9).map(float), st.just(np.nan)),
    st.sampled_from([0, 0, 0, 1, 2, 0x20]),
)
dense = st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 40)).map(
    lambda g: [
        (g[0], T0 + g[1] * 20 * MINUTE + k * g[2] * SECOND, float(k % 7), 0) for k in range(300)
    ]
)
action = st.one_of(
    st.lists(sample, min_size=1, max_size=40),
    dense,
    st.sampled_from(["tidy", "day", "reopen"]),
)
question = st.tuples(
    st.integers(0, 100).map(lambda k: T0 + k * 31 * MINUTE),
    st.sampled_from([0, 1, HOUR, 5 * HOUR + 7, 2 * DAY, 12 * DAY]),
    st.sampled_from([SECOND, MINUTE, 7 * MINUTE, 43 * MINUTE, HOUR, 6 * HOUR, DAY, 90 * SECOND]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(action, min_size=1, max_size=8), st.lists(question, min_size=1, max_size=6))
def test_answers_are_those_of_the_reference(actions, questions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference()
        store = Historian(Path(folder), SMALL)
        store.register([Signal(id=id) for id in IDS])
        now = T0 + 40 * 7 * HOUR
        for act in actions:
            if act == "reopen":
                store.close()
                store = Historian(Path(folder), SMALL)
            elif isinstance(act, str):
                now += 2 * HOUR if act == "tidy" else 2 * DAY
                while store.tidy(now):
                    pass
            else:
                batch = Batch.of(*zip(*act, strict=True), received=now)
                store.append([batch])
                reference.append([batch])
        for start, length, every in questions:
            end = start + length
            for before in (False, True):
                got = store.query(IDS, start, end, before=before)
                for handle, id in enumerate(IDS):
                    same_samples(got[id], reference.query(handle, start, end, before))
            for handle, id in enumerate(IDS):
                same_rollup(
                    store.rollup(id, start, end, every),
                    reference.rollup(handle, start, end, every),
                )
        last = store.last(IDS)
        wanted = [(h, *reference.of(h)[-1]) for h in range(3) if reference.of(h)]
        assert last.signal.tolist() == [row[0] for row in wanted]
        np.testing.assert_array_equal(last.value, [row[2] for row in wanted])
        everything = sum(len(reference.of(handle)) for handle in range(3))
        table = store.sql("SELECT count(*) AS n FROM samples")
        assert table["n"].to_pylist() == [everything]
        store.close()
