"""Records of a trace, as a plant would have left them."""

from __future__ import annotations

import numpy as np

from deungdae.sim.kernel import Simulation
from deungdae.sim.line import read
from deungdae.sim.record import assets, counts, events

SECOND = 10**9


def test_states_and_scans_with_their_times_products_and_results() -> None:
    line = read("[stations.a]\ncycle=10\nservers=2\nto='x'\n[stations.b]\ncycle=4\nfrom='x'\n"
                "scrap=1.0\n[buffers.x]")  # fmt: skip
    found = events(Simulation(line).advance(15), line, 1000 * SECOND)
    told = [(event.id, event.time // SECOND - 1000, event.kind, event.value) for event in found]
    assert told == [
        ("a-1.state", 0, "state", "running"), ("a-2.state", 0, "state", "running"),
        ("a-1.part", 10, "scan", "1"), ("b.state", 10, "state", "running"),
        ("a-2.part", 10, "scan", "2"), ("b.part", 14, "scan", "1"),
    ]  # fmt: skip
    assert found[-1].data == {"product": "part", "result": "scrap"}
    assert found[2].data == {"product": "part", "result": "good"}
    assert assets(line) == [["a-1", "a-2"], ["b"]]


def test_counters_go_on_from_where_they_stood() -> None:
    line = read("[stations.a]\ncycle=10\nto='x'\n[stations.b]\ncycle=4\nfrom='x'\n[buffers.x]")
    steps = Simulation(line)
    station, time, value = counts(steps.advance(25), line, 0)
    assert station.tolist() == [0, 1, 0, 1]
    assert (time // SECOND).tolist() == [10, 14, 20, 24]
    assert value.tolist() == [1, 1, 2, 2]
    again = counts(steps.advance(35), line, 0, np.array([2, 2], np.int32))
    assert again[2].tolist() == [3, 3]
