"""Several measurements of one part on one live chart: gathered, learnt, judged, and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Samples, Window
from deungdae.core.types import MINUTE, SECOND, Finding, FloatArray, Severity, Signal
from deungdae.insight.spc import Spc, SpcOptions, hotelling, learn_together
from deungdae.model.factory import Factory, Identity

NOW = from_iso("2026-03-02T14:00+09:00")
IDS = ("press1.length", "press1.width", "press1.height")


def analysis(**options: Any) -> Spc:
    signals = {id: Signal(id=id, unit="mm") for id in IDS} | options.pop("signals", {})
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone="Asia/Seoul"),
        signals=signals,
    )
    table = {"signal": IDS[0], "together": IDS[1:], "chart": "t2"} | options
    return Spc("size", SpcOptions(**table), factory)


def column(rows: list[tuple[int, float]], status: int = 0) -> Samples:
    return Samples(
        np.asarray([row[0] for row in rows], np.int64),
        np.asarray([row[1] for row in rows], np.float64),
        np.full(len(rows), status, np.uint8),
    )


def window(parts: FloatArray, first: int = 0, status: int = 0, late: int = 0) -> Window:
    """Return parts [n, p], one a minute from `first` on; each signal `late` ns after the last."""
    times = [NOW + (first + n) * MINUTE for n in range(len(parts))]
    samples = {
        id: column([(time + at * late, row[at]) for time, row in zip(times, parts, strict=True)],
                   status if at == 1 else 0)
        for at, id in enumerate(IDS)
    }  # fmt: skip
    return Window(NOW, NOW + (first + len(parts)) * MINUTE, samples)


def bricks(count: int, seed: int = 2) -> FloatArray:
    """Return bricks whose length, width and height grow together: mm, [n, 3]."""
    random = np.random.default_rng(seed)
    common = random.normal(0, 0.5, (count, 1))
    return np.array([230.0, 114.0, 65.0]) + common + random.normal(0, 0.1, (count, 3))


def judged(work: Spc, parts: FloatArray, first: int = 0, **how: Any) -> Finding:
    seen = window(parts, first, **how)
    (found,) = work.update(seen.end, seen)
    return found


def test_phase_one_and_two_have_limits_of_their_own() -> None:
    parts = bricks(60)
    work = analysis(learn=50)
    with pytest.raises(
        NotEnoughData, match=r"length, press1.width, press1.height: 40 of 50 points"
    ):
        work.update(NOW, window(parts[:40]))
    first = judged(work, parts[40:50], 40)
    known = learn_together(parts[:50])
    for found, end, phase in ((first, 50, 1), (judged(work, parts[50:60], 50), 60, 2)):
        chart = hotelling(parts[:end], known, phase)  # type: ignore[arg-type]
        assert found.value == pytest.approx(chart.point[-1])
        assert float(found.evidence["ucl"]) == pytest.approx(chart.upper[0], rel=1e-10)
        assert (found.name, found.unit, found.severity) == ("control", "1", 0)
    assert found.evidence["signals"] == ", ".join(IDS)
    assert found.evidence["points"] == "60"


def test_a_part_that_is_strange_only_as_a_whole_is_found_and_its_signals_are_named() -> None:
    work = analysis(learn=50)
    judged(work, bricks(50))
    odd = np.array([[230.6, 113.4, 65.6]])  # each alone within its limits: long, high and narrow
    found = judged(work, odd, 50)
    assert found.severity == 2
    assert found.reason.startswith(
        "beyond_limits: a point beyond its limits, at 2026-03-02T14:50:00+09:00; "
        "press1.width does not go with the others as usual ("
    )
    assert found.evidence["rules"] == "beyond_limits"
    shares = {k: float(v) for k, v in found.evidence.items() if k.startswith("share ")}
    assert max(shares, key=lambda name: shares[name]) == "share press1.width"
    assert judged(work, bricks(1, seed=3), 51).severity == 0


def test_a_signal_beyond_its_own_usual_is_told_with_numbers() -> None:
    work = analysis(learn=50)
    judged(work, bricks(50))
    found = judged(work, np.array([[230.0, 118.0, 65.0]]), 50)
    assert "press1.width is above what is usual: 118 mm, usually 112" in found.reason


def test_subgroups_are_charted_by_their_means() -> None:
    parts = bricks(30 * 5)
    work = analysis(learn=25, subgroup=5)
    found = judged(work, parts)
    groups = parts.reshape(30, 5, 3)
    chart = hotelling(groups, learn_together(groups[:25]), 2)
    assert found.value == pytest.approx(chart.point[-1])
    assert float(found.evidence["ucl"]) == pytest.approx(chart.upper[0], rel=1e-10)


def test_when_phase_one_has_left_the_chart_only_new_limits_stay() -> None:
    work = analysis(learn=25)
    judged(work, bricks(1100))
    found = judged(work, bricks(1, seed=4), 1100)
    known = learn_together(bricks(1100)[:25])
    assert found.evidence["points"] == "1001"
    chart = hotelling(bricks(2), known, 2)
    assert float(found.evidence["ucl"]) == pytest.approx(chart.upper[0], rel=1e-10)
    assert work._first == 0


def test_a_disturbed_phase_one_is_told() -> None:
    parts = bricks(50)
    parts[20] += [3.0, -3.0, 0.0]
    found = judged(analysis(learn=50), parts)
    assert found.severity == 1
    assert "phase I itself broke a rule at 1 points" in found.reason


def test_a_quantity_that_follows_from_the_others_is_refused() -> None:
    parts = bricks(50)
    parts[:, 2] = parts[:, 0] + parts[:, 1]
    with pytest.raises(NotEnoughData, match="follows from the others"):
        analysis(learn=50).update(NOW, window(parts))


# ---- what belongs to one part


def test_measurements_of_a_part_may_come_one_after_the_other() -> None:
    parts = bricks(50)
    one, other = analysis(learn=30), analysis(learn=30)
    found = judged(one, parts, late=SECOND // 3)
    whole = window(parts, late=SECOND // 3)
    told: list[Finding] = []
    for n in range(50):
        for id in (IDS[2], IDS[0], IDS[1]):
            held = whole.samples[id]
            at = slice(n, n + 1)
            piece = Samples(held.time[at], held.value[at], held.status[at])
            try:
                told += other.update(whole.end, Window(NOW, whole.end, {id: piece}))
            except NotEnoughData:
                continue
    assert told[-1] == found


def test_a_part_without_one_of_its_measurements_is_none_and_is_counted() -> None:
    parts = bricks(51)
    seen = window(parts)
    width = seen.samples[IDS[1]]
    kept = np.arange(51) != 7
    short = Samples(width.time[kept], width.value[kept], width.status[kept])
    (found,) = analysis(learn=50).update(
        seen.end, Window(NOW, seen.end, {**seen.samples, IDS[1]: short})
    )
    assert found.evidence["points"] == "50"
    assert found.evidence["incomplete"] == "1 parts without one of the measurements"


def test_a_part_with_a_bad_measurement_is_none() -> None:
    work = analysis(learn=30)
    judged(work, bricks(30))
    seen = window(bricks(1), 30, status=int(Severity.BAD))
    assert work.update(seen.end, seen) == []
    found = judged(work, bricks(1), 31)
    assert found.evidence["passed over"].startswith("1 samples")


def test_a_signal_that_stays_away_is_missed() -> None:
    work = analysis(learn=30)
    judged(work, bricks(30))
    seen = window(bricks(4), 30)
    del seen.samples[IDS[1]]  # type: ignore[attr-defined]
    with pytest.raises(NotEnoughData, match=r"press1\.width: nothing came with the last parts"):
        work.update(seen.end, seen)


moments = st.lists(st.tuples(st.integers(0, 20), st.floats()), max_size=12)


@given(st.tuples(moments, moments, moments), st.integers(1, 5))
def test_what_a_part_is_does_not_depend_on_when_its_samples_came(
    told: tuple[list[tuple[int, float]], ...], pieces: int
) -> None:
    rows = [sorted({time: (time, value) for time, value in each}.values()) for each in told]
    ends = []
    for steps in (1, pieces):
        work = analysis(learn=5, near=2e-9)
        for step in range(steps):
            samples = {
                id: column([r for r in each if step <= r[0] * steps / 21 < step + 1])
                for id, each in zip(IDS, rows, strict=True)
            }
            try:
                work.update(NOW, Window(0, NOW, samples))
            except NotEnoughData:
                continue
        ends.append((work._time, work._value, work._gather.lost, work._passed))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"together": ()}, "is of several signals"),
        ({"together": (IDS[0],)}, "named twice"),
        ({"learn": 4}, "T² of 3 signals needs 5 points"),
        ({"learn": 3, "subgroup": 2}, "T² of 3 signals needs 4 points"),
        ({"centre": 1.0, "sigma": 1.0}, "learns how its signals vary together"),
        ({"usl": 1.0}, "no specification limits"),
        ({"chart": "individuals"}, "only t2 charts several signals"),
        ({"signals": {IDS[2]: Signal(id=IDS[2], kind="state")}}, "not a number"),
    ],
)
def test_options_that_contradict_each_other_are_faults(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FactoryError, match=problem):
        analysis(**options)
