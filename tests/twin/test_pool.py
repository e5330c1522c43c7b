"""Rates learnt from machines alike: between their own word and that of the others."""

import numpy as np
import pytest

from deungdae.twin.replicate.pool import pool


def test_machines_alike_speak_for_each_other() -> None:
    members = {f"m{place}": (30.0 + place % 3 - 1, 450_000.0) for place in range(10)}
    members["m9"] = (18.0, 450_000.0)
    means = pool(members).means()
    overall = sum(k for k, _ in members.values()) / 4_500_000
    assert 18 / 450_000 < means["m9"] < overall
    assert means["m9"] > 18 / 450_000 + 0.5 * (overall - 18 / 450_000)


def test_machines_unlike_keep_their_own_word() -> None:
    members = {f"m{place}": (k, 1e6) for place, k in enumerate((400.0, 50.0, 5000.0, 900.0))}
    for name, rate in pool(members).means().items():
        assert rate == pytest.approx(members[name][0] / 1e6, rel=0.05)


def test_a_machine_alone_has_its_own_gamma() -> None:
    alone = pool({"m": (16.0, 1000.0)})
    assert alone.means()["m"] == pytest.approx(0.016)
    random = np.random.default_rng(3)
    drawn = np.array([alone.sample(random)["m"] for _ in range(4000)])
    assert drawn.mean() == pytest.approx(0.016, rel=0.02)
    assert drawn.std() == pytest.approx(0.016 / 4, rel=0.05)  # of a gamma of shape 16


def test_intervals_hold_as_often_as_they_say() -> None:
    random = np.random.default_rng(7)
    held, better = [], []
    exposure = np.full(8, 450_000.0)
    for _ in range(60):
        truth = random.gamma(6, 1 / 6 / 14_400, 8)
        events = np.maximum(random.poisson(truth * exposure), 1)
        pooled = pool({str(i): (float(k), 450_000.0) for i, k in enumerate(events)})
        drawn = np.array([list(pooled.sample(random).values()) for _ in range(300)])
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        held += ((low <= truth) & (truth <= high)).tolist()
        means = np.array(list(pooled.means().values()))
        better.append([((means - truth) ** 2).mean(), ((events / exposure - truth) ** 2).mean()])
    assert 0.85 <= np.mean(held) <= 0.95
    pooled_error, own_error = np.mean(better, axis=0)
    assert pooled_error < own_error
