"""A control chart that reads its parts again from the history: since when, and no part before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.core.clock import from_iso
from deungdae.core.errors import FactoryError
from deungdae.core.ports import Samples, Window
from deungdae.core.types import DAY, HOUR, MINUTE, Finding, Signal
from deungdae.insight.spc import Spc, SpcOptions
from deungdae.model.factory import Factory, Identity

ID = "press1.length"
BEGIN = from_iso("2026-03-02T06:00+09:00")


def analysis(**options: Any) -> Spc:
    factory = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone="Asia/Seoul"),
        signals={ID: Signal(id=ID, unit="mm")},
    )
    given: dict[str, Any] = {"signal": ID, "trained_from": "2026-03-02T06:00"} | options
    return Spc("length", SpcOptions(**given), factory)


def shown(work: Spc, first: int, last: int) -> list[Finding]:
    """Show an analysis the parts of some minutes; the part before them comes too, as it does."""
    minutes = np.arange(first - 1, last, dtype=np.int64)
    value = 230 + np.sin(minutes * 12.9898) * 0.5
    samples = Samples(BEGIN + minutes * MINUTE, value, np.zeros(len(minutes), np.uint8))
    start, end = BEGIN + first * MINUTE, BEGIN + last * MINUTE
    return list(work.update(end, Window(start, end, {ID: samples})))


def test_the_past_is_all_since_the_stated_time_a_day_at_once() -> None:
    now = BEGIN + 2 * DAY + HOUR
    days = [(BEGIN, BEGIN + DAY), (BEGIN + DAY, BEGIN + 2 * DAY), (BEGIN + 2 * DAY, now)]
    assert list(analysis().recall(now)) == days
    assert list(analysis(trained_from="").recall(now)) == []
    assert list(analysis().recall(BEGIN - HOUR)) == []


def test_a_part_before_the_stated_time_is_none() -> None:
    (control, _) = shown(analysis(), 0, 60)
    assert control.evidence["points"] == "60"
    assert control.evidence["from"] == "2026-03-02T06:00:00+09:00"
    assert control.evidence["trained_until"] == "2026-03-02T06:24:00+09:00"


@pytest.mark.parametrize("chart", ["individuals", "ewma", "cusum"])
def test_parts_that_come_at_once_end_as_parts_one_by_one(chart: str) -> None:
    one, other = analysis(chart=chart), analysis(chart=chart)
    shown(one, 0, 1300)
    shown(other, 0, 30)
    for minute in range(30, 1300):
        shown(other, minute, minute + 1)
    assert shown(one, 1300, 1301) == shown(other, 1300, 1301)


def test_given_limits_tell_since_when_they_count() -> None:
    control, *_ = shown(analysis(trained_from="", centre=230.0, sigma=0.4), 5, 9)
    assert control.evidence["from"] == "2026-03-02T06:04:00+09:00"
    assert "trained_from" not in control.evidence


def test_a_time_that_is_none_is_a_fault() -> None:
    with pytest.raises(FactoryError, match=r"trained_from.*is no date and time"):
        analysis(trained_from="yesterday")
