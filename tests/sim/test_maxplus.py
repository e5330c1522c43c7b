"""The recursion of tandem lines beside the event engine: the same numbers, the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.sim.kernel import maxplus, simulate
from deungdae.sim.line import Line, Snapshot, read
from deungdae.sim.outcome import Outcome

FAILS = "failures = [{every = 'exponential(400)', repair = 'exponential(90)'}]\n"
TWO_WAYS = (
    "failures = [{every = 'exponential(400)', repair = 'exponential(90)'}, "
    "{every = 'weibull(2, 300)', repair = 'uniform(5, 60)'}]\n"
)
FIELDS = ("throughput", "made", "done", "lead_time", "lead_time_90", "wip", "level", "state_time",
          "energy", "sole", "shifting")  # fmt: skip


def row(cycles: list[str], capacities: list[str], more: str = "", ahead: str = "") -> Line:
    """Return a row of stations; a capacity may have further keys behind it."""
    text = ahead
    for number, cycle in enumerate(cycles):
        text += f"[stations.m{number}]\ncycle = '{cycle}'\n{more}"
        text += "power = {running = 3, starved = 1}\n"
        text += f"from = 'b{number - 1}'\n" if number else ""
        text += f"to = 'b{number}'\n" if number < len(capacities) else ""
    for number, capacity in enumerate(capacities):
        text += f"[buffers.b{number}]\n{capacity}\n"
    return read(text)


TRIANGULAR = ["triangular(45, 60, 75)"] * 4
LINES = {
    "plain": row(TRIANGULAR, ["capacity = 3"] * 3),
    "failing": row(TRIANGULAR, ["capacity = 3"] * 3, FAILS),
    "two ways of failing": row(TRIANGULAR, ["capacity = 3"] * 3, TWO_WAYS),
    "no places": row(["exponential(60)"] * 3, ["capacity = 0", "capacity = 2"], FAILS),
    "without bound": row(["exponential(62)", "gamma(2, 30)", "weibull(2, 60)"], ["", ""], FAILS),
    "begun with parts": row(
        ["lognormal(60, 20)", "uniform(50, 70)", "erlang(3, 61)"],
        ["capacity = 5\ninitial = 4", "capacity = 2\ninitial = 1"], FAILS,
    ),
    "after a warm-up": row(TRIANGULAR, ["capacity = 3"] * 3, FAILS, "warm_up = 9000\n"),
    "every distribution": row(
        ["normal(60, 15)", "empirical(40, 55, 60, 90)", "geometric(0.2, 12)"],
        ["capacity = 3"] * 2, FAILS,
    ),
    "one station": row(["exponential(60)"], [], FAILS),
    "arrivals": read(
        "[products.part]\narrival = 'exponential(80)'\ninto = 'q'\n[buffers.q]\n[buffers.b]\n"
        "capacity = 2\n[stations.second]\ncycle = 'exponential(55)'\nfrom = 'b'\n"
        f"{FAILS}[stations.first]\ncycle = 'exponential(60)'\nfrom = 'q'\nto = 'b'\n"
    ),
}  # fmt: skip


def assert_same(one: Outcome, other: Outcome, tolerance: float) -> None:
    for field in FIELDS:
        np.testing.assert_allclose(
            getattr(one, field),
            getattr(other, field),
            rtol=tolerance,
            atol=tolerance,
            err_msg=field,
        )


@pytest.mark.parametrize("name", LINES)
def test_same_as_events(name: str) -> None:
    line = LINES[name]
    assert maxplus.fits(line) == ""
    run = {"horizon": 40_000.0, "replications": 9, "seed": 5}
    assert_same(
        simulate(line, **run, method="maxplus"), simulate(line, **run, method="events"), 1e-9
    )


def test_blocks_of_parts_and_lanes_do_not_matter() -> None:
    line = LINES["failing"]
    whole = simulate(line, horizon=90_000, replications=41, seed=3)
    assert whole.method == "maxplus"
    parts = [
        simulate(line, horizon=90_000, replications=some, seed=3)
        for some in (range(1), range(1, 9), range(9, 40), range(40, 41))
    ]
    assert_same(Outcome.join(parts), whole, 0.0)


def test_much_that_is_not_settled_for_long() -> None:
    """Two stations that never rest: whose period is the longest is known at the end alone."""
    line = row(["constant(10)", "exponential(40)", "exponential(60)"], ["", ""], FAILS)
    run = {"horizon": 300_000.0, "replications": 2}
    assert_same(
        simulate(line, **run, method="maxplus"), simulate(line, **run, method="events"), 1e-9
    )


def test_constant_cycles() -> None:
    """Ties in time: which of two begins first is not said, but all that counts parts agrees."""
    line = row(["60", "60", "45"], ["capacity = 2"] * 2, FAILS)
    run = {"horizon": 200_000.0, "replications": 3}
    one, other = (simulate(line, **run, method=method) for method in ("maxplus", "events"))
    for field in ("throughput", "lead_time", "wip", "state_time"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=1e-9)


PLAIN = "[stations.a]\ncycle = '1'\nto = 'b'\n{a}\n[stations.c]\ncycle = '1'\nfrom = 'b'\n{c}\n"


@pytest.mark.parametrize(
    ("a", "c", "rest", "why"),
    [
        ("servers = 2", "", "", "several servers"),
        ("", "batch = 2", "", "batches"),
        ("", "scrap = 0.1", "", "sorts"),
        ("", "setup = '3'", "", "set up"),
        ("failures = [{every = '9', repair = '1', of = 'time'}]", "", "", "while it waits"),
        ("", "", "delay = '4'", "time to get into"),
        ("", "", "order = 'lifo'", "last in"),
        ("", "", "capacity = 2\ninitial = 3", "more parts than it holds"),
        ("", "", "[buffers.d]", "beside the row"),
        ("", "", "[stations.e]\ncycle = '1'\nfrom = 'b'", "not one row"),
        ("", "", "[products.x]\n[products.y]", "several products"),
    ],
)
def test_what_does_not_fit_is_said(a: str, c: str, rest: str, why: str) -> None:
    line = read(PLAIN.format(a=a, c=c) + f"[buffers.b]\n{rest}\n")
    assert why in maxplus.fits(line)
    with pytest.raises(ValueError, match=why):
        simulate(line, horizon=100, method="maxplus")
    assert simulate(line, horizon=100).method == "events"


def test_a_snapshot_takes_events() -> None:
    line = LINES["plain"]
    assert "snapshot" in maxplus.fits(line, Snapshot())
    assert simulate(line, horizon=100, start=Snapshot()).method == "events"
