"""What a twin expects, beside answers that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY
from deungdae.sim.kernel import simulate
from deungdae.twin.replicate import capability, forecasts, learn, log_from


def test_interval_of_a_twin_holds_the_exact_answer(plant: Callable[..., Any]) -> None:
    # two exponential machines with a buffer of n between: (n + 2)/(n + 3) of the rate of one
    made = [
        {"name": f"m{place}", "room": 2, "cycle": lambda random: random.expovariate(1 / 60)}
        for place in (1, 2)
    ]
    twin = learn(log_from(plant(made, 7 * 86_400.0, 3).events, ["m1", "m2"], 0, 7 * DAY))
    assert [buffer.capacity for buffer in twin.line.buffers.values()] == [2]
    found = capability(twin, run=simulate, draws=40, weeks=2)
    assert found.low < 60 * 0.8 < found.high
    assert found.mean == pytest.approx(60 * 0.8, rel=0.02)
    assert 0 < found.parameters / found.mean < 0.03


def test_a_twin_makes_what_its_log_shows(week: Any, assets: list[str]) -> None:
    twin = learn(log_from(week.events, assets, 0, 7 * DAY))
    found = capability(twin, run=simulate, draws=20, weeks=2)
    assert found.mean == pytest.approx(week.good / 168, rel=0.03)
    assert twin.observed.throughput == pytest.approx(week.good / 168, rel=1e-3)
    with pytest.raises(NotEnoughData):
        capability(twin, run=simulate, draws=2)


def test_forecasts_hold_chance_and_what_is_not_known(week: Any, assets: list[str]) -> None:
    twin = learn(log_from(week.events, assets, 0, 7 * DAY))
    one = forecasts(twin, 8 * 3600.0, run=simulate, replications=60, draws=10, seed=4)
    same = forecasts(twin, 8 * 3600.0, run=simulate, replications=60, draws=10, seed=4)
    assert np.array_equal(one.made, same.made)
    assert len(one) == 60
    assert one.made.sum(axis=1).std() > 5
