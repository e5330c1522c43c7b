"""What if, and what would be best, on lines whose answers are known."""

from decimal import Decimal

import numpy as np
import pytest

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.sim import line as lines
from deungdae.sim.line import Lever, Line
from deungdae.twin.optimise import improve, whatif

# Three exponential machines of rate 1 without buffers: .564103 (Hunt 1956); two: 2/3; with a
# buffer of n between two: (n + 2)/(n + 3), the closed form of the same chain.
TWO = """
[stations.a]
cycle = "exponential(1)"
to = "b"
power = { running = 3600.0, starved = 0.0 }
[stations.c]
cycle = "exponential(1)"
from = "b"
power = { running = 3600.0, starved = 0.0 }
[buffers.b]
capacity = 0
"""
HOURS = 2.0 * 3600


@pytest.fixture
def line() -> Line:
    return lines.read(TWO.replace("[stations.a]", "warm_up = 600\n[stations.a]", 1))


def exact(room: int) -> float:
    return 3600 * (room + 2) / (room + 3)


def test_differences_are_those_of_the_chain(line: Line) -> None:
    answer = whatif(line, ["b.capacity=4"], horizon=HOURS, replications=60)
    told = answer.measures["throughput"]
    assert told.base.low < exact(0) < told.base.high
    assert told.changed.low < exact(4) < told.changed.high
    assert told.difference.low < exact(4) - exact(0) < told.difference.high
    assert told.verdict == "better"
    # common random numbers: the difference is known better than of two separate samples
    separate = np.hypot(told.base.half_width, told.changed.half_width)
    assert told.difference.half_width < separate
    # each part takes a second of running at either machine: 2 kW.h at 3,600 kW
    energy = answer.measures["energy_per_part"]
    assert energy.base.mean == pytest.approx(2.0, rel=0.02)
    assert answer.changes == ("b.capacity=4",)
    assert set(answer.bottleneck.shares) == {"a", "c"}


def test_no_change_is_no_difference(line: Line) -> None:
    told = whatif(line, ["b.capacity=0"], horizon=HOURS, replications=4).measures["throughput"]
    assert told.verdict == "same"
    assert told.difference.mean == 0


def test_too_few_replications_are_said(line: Line) -> None:
    answer = whatif(line, ["a.cycle=-0.05%"], horizon=1200, replications=3)
    assert answer.measures["throughput"].verdict == "unknown"
    assert any("too few replications" in note for note in answer.notes)
    with pytest.raises(NotEnoughData):
        whatif(line, [], horizon=HOURS, replications=1)


def test_unknown_changes_are_refused(line: Line) -> None:
    with pytest.raises(FactoryError, match="did you mean capacity"):
        whatif(line, ["b.capacty=4"], horizon=HOURS)


LEVERS = (
    Lever(target="b.capacity", low=0, high=6, step=2, cost=Decimal(100), currency="KRW"),
    Lever(target="a.cycle", low=0.8, high=1.0, step=0.1, cost=Decimal(250), currency="KRW"),
)


def test_the_best_use_of_a_budget_is_that_of_enumeration(line: Line) -> None:
    plan = improve(
        line, LEVERS, Decimal(300), currency="KRW", horizon=HOURS, replications=20,
        indifference=30.0,
    )  # fmt: skip
    # of all that 300 buys, six places are the best: 8/9 against .75 and less
    assert plan.changes == ("b.capacity=6",)
    assert plan.cost == Decimal(300)
    assert plan.chance == 0.95
    assert plan.tried == 5  # 0, 2, 4, 6 places; or the first step of the cycle
    gain = plan.answer.measures["throughput"].difference
    assert gain.low < exact(6) - exact(0) < gain.high


def test_where_nothing_is_better_nothing_is_changed(line: Line) -> None:
    plan = improve(
        line, LEVERS, Decimal(99), currency="KRW", horizon=HOURS, replications=10,
        indifference=30.0,
    )  # fmt: skip
    assert plan.changes == ()
    assert plan.cost == 0
    assert any("nothing within the budget" in note for note in plan.notes)


def test_levers_that_do_not_fit_are_named(line: Line) -> None:
    def ask(lever: Lever, currency: str = "KRW") -> None:
        improve(line, [lever], Decimal(1), currency=currency, horizon=HOURS)

    with pytest.raises(FactoryError, match="another currency"):
        ask(LEVERS[0], "EUR")
    with pytest.raises(FactoryError, match="it is 0 now"):
        ask(Lever(target="b.capacity", low=2, high=6))
    with pytest.raises(FactoryError, match="is nothing in this line"):
        ask(Lever(target="z.capacity", low=2, high=6))
    with pytest.raises(ValueError, match="needs both low and high"):
        Lever(target="b.capacity", low=2)
