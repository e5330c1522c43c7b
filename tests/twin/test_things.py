"""A twin as others see it: revisions, wishes, conditions."""

import pytest

from deungdae.core.errors import Refused
from deungdae.core.types import HOUR
from deungdae.sim import line as lines
from deungdae.sim.line import Server, Snapshot
from deungdae.twin import things
from deungdae.twin.things import Feature, Thing

LINE = lines.read("""
[stations.press]
cycle = 60
to = "b"
[stations.kiln]
cycle = 60
from = "b"
[buffers.b]
capacity = 5
""")


def thing() -> Thing:
    return Thing(id="line1", revision=1, time=0, features={"press": Feature(), "b": Feature()})


def stand(state: str, elapsed: float = 1.0) -> dict[str, dict[str, things.Value]]:
    servers = {"press": (Server(state=state, product="part", elapsed=elapsed),)}
    return things.reported(LINE, Snapshot(buffers={"b": ("part", "part")}, stations=servers))


def test_what_is_reported_makes_a_revision_only_when_it_changes() -> None:
    first = things.report(thing(), stand("running"), 10)
    assert first.revision == 2
    assert first.features["press"].reported["state"] == "running"
    assert first.features["b"].reported == {"level": 2, "capacity": 5}
    assert things.report(first, stand("running", 9.0), 20) is first
    assert things.report(first, stand("down"), 30).revision == 3


def test_a_wish_needs_the_revision_that_its_asker_saw() -> None:
    one = things.desire(thing(), "press", {"pace": 0.9}, origin="kim", because="peak", now=5)
    assert one.revision == 2
    wish = one.features["press"].desired["pace"]
    assert (wish.value, wish.origin, wish.because) == (0.9, "kim", "peak")
    with pytest.raises(Refused, match="if-match"):
        things.desire(one, "press", {"pace": 0.8}, origin="lee", because="", now=6, match='"rev:1"')
    two = things.desire(
        one, "press", {"pace": None}, origin="lee", because="", now=6, match='"rev:2"'
    )
    assert two.features["press"].desired == {}
    with pytest.raises(Refused, match="feature"):
        things.desire(one, "oven", {"pace": 1}, origin="", because="", now=6)


def test_wishes_end() -> None:
    one = things.desire(thing(), "press", {"pace": 0.9}, origin="kim", because="", now=0, life=HOUR)
    kept = things.report(one, {}, HOUR - 1)
    assert kept is one
    assert things.report(one, {}, HOUR).features["press"].desired == {}


def test_headers() -> None:
    things.check(thing(), match='"rev:3", W/"rev:1"')
    with pytest.raises(Refused, match="if-none-match"):
        things.check(thing(), none_match="*")
    with pytest.raises(Refused, match="if-none-match"):
        things.check(thing(), none_match='"rev:1"')


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('eq(press/state,"running")', True),
        ('ne(press/state,"running")', False),
        ("gt(b/level, 1)", True),
        ("le(b/level,1)", False),
        ("exists(b/level)", True),
        ("exists(press/none)", False),
        ('gt(press/state,"a")', False),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    assert things.condition(things.report(thing(), stand("running"), 1), text) is holds


@pytest.mark.parametrize("text", ["", "like(a/b,c)", "eq(a/b)", "exists(a/b,1)", "eq(a/b,word)"])
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises(Refused, match="condition"):
        things.condition(thing(), text)


def test_history() -> None:
    history = [thing()]
    for now, state in ((10, "running"), (20, "down"), (30, "running")):
        history.append(things.report(history[-1], stand(state), now))
    assert things.at_revision(history, 3).features["press"].reported["state"] == "down"
    assert things.at_time(history, 29).revision == 3
    assert things.at_time(history, 0).revision == 1
    with pytest.raises(Refused, match="revision"):
        things.at_revision(history, 9)
    with pytest.raises(Refused, match="time"):
        things.at_time(history, -1)
