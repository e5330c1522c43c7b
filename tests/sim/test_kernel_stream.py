"""Random numbers: streams that are independent, variates of the right distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from deungdae.sim import distribution
from deungdae.sim.kernel import simulate
from deungdae.sim.line import read

SPREADS = {
    "uniform(2, 5)": stats.uniform(2, 3),
    "triangular(45, 60, 75)": stats.triang(0.5, 45, 30),
    "triangular(0, 0, 4)": stats.triang(0, 0, 4),
    "triangular(1, 4, 4)": stats.triang(1, 1, 3),
    "exponential(900)": stats.expon(scale=900),
    "lognormal(10, 5)": stats.lognorm(np.sqrt(np.log(1.25)), scale=10 / np.sqrt(1.25)),
    "gamma(0.5, 4)": stats.gamma(0.5, scale=4),
    "gamma(7, 2)": stats.gamma(7, scale=2),
    "weibull(1.5, 10)": stats.weibull_min(1.5, scale=10),
    "erlang(4, 20)": stats.gamma(4, scale=5),
    "normal(100, 10)": stats.norm(100, 10),
}


def variates(text: str, count: int, seed: int = 1) -> np.ndarray:
    """Return cycle times: each replication's first, for its stream begins anew."""
    given = read(f"[stations.a]\ncycle='{text}'\nfrom='q'\n[buffers.q]\ninitial=1")
    outcome = simulate(given, horizon=1e9, replications=count, seed=seed, method="events")
    return outcome.lead_time


@pytest.mark.parametrize("text", SPREADS)
def test_first_variates_of_many_streams_have_their_distribution(text: str) -> None:
    values = variates(text, 40_000)
    assert stats.kstest(values, SPREADS[text].cdf).pvalue > 1e-3
    mean = distribution.parse(text).mean
    assert abs(values.mean() - mean) < 4 * values.std() / 200
    assert len(np.unique(values)) == len(values)


@pytest.mark.parametrize(
    "text", ["geometric(0.25, 2)", "empirical(1, 5, 9, 30)", "normal(1, 2)", "constant(3)"]
)
def test_means_of_the_others(text: str) -> None:
    values = variates(text, 40_000)
    assert abs(values.mean() - distribution.parse(text).mean) <= 4 * values.std() / 200 + 1e-9
    assert values.min() >= 0


def test_one_stream_is_uniform_and_its_numbers_do_not_hang_together() -> None:
    given = read("[stations.a]\ncycle='uniform(0, 1)'\nfrom='q'\n[buffers.q]\ninitial=1")
    del given
    words = _words(np.array([5], np.uint64), 200_000)[:, 0]
    units = (words >> np.uint64(12)) / 2.0**52
    counts = np.bincount((units * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3
    for lag in (1, 2, 3, 7, 64):
        assert abs(np.corrcoef(units[:-lag], units[lag:])[0, 1]) < 4 / np.sqrt(len(units))
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).mean(axis=0)
    assert np.all(abs(bits - 0.5) < 5 * 0.5 / np.sqrt(len(words)))


def test_streams_of_neighbours_are_independent() -> None:
    """Across replications, seeds and names; a scheme that added them failed here."""
    replications = np.array([variates("uniform(0, 1)", 20_000, seed) for seed in range(8)])
    correlations = np.corrcoef(replications)
    assert np.all(abs(correlations[np.triu_indices(8, 1)]) < 4.5 / np.sqrt(20_000))
    shifted = np.corrcoef(replications[0][:-1], replications[0][1:])[0, 1]
    assert abs(shifted) < 4 / np.sqrt(20_000)
    matrix = _words(np.arange(64, dtype=np.uint64), 20_000)
    units = (matrix >> np.uint64(12)) / 2.0**52
    off = np.corrcoef(units.T)[np.triu_indices(64, 1)]
    assert abs(off).max() < 5 / np.sqrt(20_000)
    assert off.std() == pytest.approx(1 / np.sqrt(20_000), rel=0.1)


def test_no_two_of_a_million_streams_begin_or_stride_alike() -> None:
    state, stride = _starts(np.arange(1_000_000, dtype=np.uint64))
    assert len(np.unique(state)) == len(state)
    assert len(np.unique(stride)) == len(stride)
    assert np.all(stride % np.uint64(2) == 1)
    high = np.bincount((state >> np.uint64(56)).astype(int), minlength=256)
    assert stats.chisquare(high).pvalue > 1e-3


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _starts(replications: np.ndarray, key: int = 12345, seed: int = 1) -> tuple[np.ndarray, ...]:
    """Return state and stride of a stream in many replications, as stream.start gives them."""
    golden, silver = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95)
    seeded = _mix(np.array([seed], np.uint64) + golden)
    run = _mix(seeded + replications)
    state = _mix(_mix(np.uint64(key) + run) + silver)
    named = _mix(np.array([key], np.uint64) + golden)
    stride = _mix(_mix(run + silver) + named) | np.uint64(1)
    changes = np.bitwise_count(stride ^ (stride >> np.uint64(1)))
    return state, np.where(changes < 24, stride ^ np.uint64(0xAAAAAAAAAAAAAAAA), stride)


def _words(replications: np.ndarray, count: int) -> np.ndarray:
    state, stride = _starts(replications)
    return _mix(state + stride * np.arange(1, count + 1, dtype=np.uint64)[:, None])


def test_the_engine_takes_its_streams_so() -> None:
    """The vectorised streams above are the engine's: the first uniforms are the same."""
    from deungdae.sim.kernel import tables

    line = read("[stations.a]\ncycle='uniform(0, 1)'\nfrom='q'\n[buffers.q]\ninitial=1")
    key = int(tables.build(line, until=1.0).table("streams")[0].key)
    state, stride = _starts(np.arange(100, dtype=np.uint64), key=key)
    units = ((_mix(state + stride) >> np.uint64(12)).astype(float) + 0.5) / 2.0**52
    assert np.array_equal(variates("uniform(0, 1)", 100), units)
