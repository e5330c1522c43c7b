"""Ranking and selection: right as often as is stated, on cases whose best is known."""

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.twin.optimise import Selection, select


def trial(seed: int, means: list[float], *, common: float = 0.0, **options: float) -> Selection:
    def sample(system: int, numbers: range) -> np.ndarray:
        values = []
        for number in numbers:
            shared = np.random.default_rng([seed, number]).normal()
            own = np.random.default_rng([seed, number, system]).normal()
            values.append(means[system] + common * shared + own)
        return np.asarray(values)

    options = {"indifference": 0.5, **options}
    return select(len(means), sample, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("common", [0.0, 3.0])
def test_right_as_often_as_stated_where_all_others_are_just_worse(common: float) -> None:
    # the slippage configuration: all others just the indifference worse, which is the hardest
    right = [trial(seed, [0, 0, 0.5, 0], common=common, first=10).best == 2 for seed in range(60)]
    assert np.mean(right) >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / 60)


def test_systems_far_apart_need_few_replications() -> None:
    found = trial(1, [0, 10, 1, 2])
    assert found.best == 1
    assert found.sure
    assert sum(found.replications) == 80


def test_systems_alike_end_with_one_of_them() -> None:
    found = select(3, lambda system, numbers: np.asarray(numbers, float), indifference=1.0)
    assert (found.best, found.sure) == (0, True)


def test_what_cannot_be_told_is_said() -> None:
    found = trial(2, [0, 0.01, 0], most=30, indifference=0.05)
    assert not found.sure
    assert len(found.survivors) > 1
    with pytest.raises(NotEnoughData):
        trial(2, [0, 1], first=1)
