"""Changes of a line as people write them."""

import pytest

from deungdae.core.errors import FactoryError
from deungdae.sim import line as lines
from deungdae.sim.line import Line
from deungdae.twin.optimise import Change, apply
from deungdae.twin.replicate import write

TEXT = """
name = "small"
sequence = ["a", "b"]

[stations.press-2]
cycle = "triangular(45, 60, 75)"
to = "buffer4"
failures = [
  { every = "exponential(14400)", repair = "exponential(900)" },
  { every = "exponential(90000)", repair = "lognormal(3600, 600)", crew = "fitters" },
]
power = { running = 10.0, starved = 2.0 }

[stations."kiln.1"]
cycle = { a = 100, b = "uniform(80, 120)" }
from = "buffer4"
scrap = 0.02

[buffers.buffer4]
capacity = 10

[products.a]
[products.b]

[crews.fitters]
size = 1
"""


@pytest.fixture
def line() -> Line:
    return lines.read(TEXT)


def changed(line: Line, *texts: str) -> Line:
    return apply(line, [Change.parse(text) for text in texts])


def test_times_keep_their_form(line: Line) -> None:
    for text in ("press-2.cycle=-10%", "press-2.cycle=*0.9", "press-2.cycle = -6"):
        assert changed(line, text).stations["press-2"].cycle == "triangular(40.5, 54, 67.5)"
    assert changed(line, "press-2.cycle=54").stations["press-2"].cycle == "54"
    kiln = changed(line, "kiln.1.cycle=+50%").stations["kiln.1"]
    assert kiln.cycle == {"a": "150", "b": "uniform(120, 180)"}


def test_numbers_people_and_sequence(line: Line) -> None:
    after = changed(
        line, "buffer4.capacity=+5", "fitters.size=2", "sequence=a, b,b", "kiln.1.scrap=*0.5",
        "press-2.servers=2", "press-2.power.running=-10%",
    )  # fmt: skip
    assert after.buffers["buffer4"].capacity == 15
    assert after.crews["fitters"].size == 2
    assert after.sequence == ("a", "b", "b")
    assert after.stations["kiln.1"].scrap == 0.01
    assert after.stations["press-2"].servers == 2
    assert after.stations["press-2"].power == {"running": 9.0, "starved": 2.0}
    assert lines.read(write(after)) == after


def test_failures_all_or_one(line: Line) -> None:
    both = changed(line, "press-2.failures.repair=*0.5").stations["press-2"].failures
    assert [each.repair for each in both] == ["exponential(450)", "lognormal(1800, 300)"]
    one = changed(line, "press-2.failures.1.every=*2").stations["press-2"].failures
    assert [each.every for each in one] == ["exponential(14400)", "exponential(180000)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("press-2.cycle", "is no change"),
        ("pres-2.cycle=-10%", "did you mean press-2?"),
        ("press-2.cycel=-10%", "did you mean cycle?"),
        ("press-2.cycle=quick", "is not understood"),
        ("press-2.cycle=-100%", "must stay above 0"),
        ("buffer4.capacity=-20", "makes it -10"),
        ("buffer4.capacity=2.5", "whole number"),
        ("buffer4.capacity=many", "is no number"),
        ("kiln.1.scrap=1.5", "0 to 1"),
        ("kiln.1.failures.repair=*0.5", "has 0 failures"),
        ("press-2.failures.2.repair=*0.5", "has 2 failures"),
        ("sequence=a,c", "known: a, b"),
        ("nothing=1", "known: press-2"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_known(line: Line, text: str, said: str) -> None:
    with pytest.raises(FactoryError, match=r".") as caught:
        changed(line, text)
    assert said in str(caught.value)
