"""Causes that were planted are named, chance is not, and what cannot be told apart is said."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.errors import NotEnoughData
from deungdae.insight.cause import Answer, Column, Question, Table, causes, order_of, words
from deungdae.insight.cause.model import adjusted
from deungdae.insight.cause.search import DRIFT, result_of


def numbers(x: np.ndarray) -> list[Column]:
    return [Column(f"x{place}", column) for place, column in enumerate(x.T)]


def named(name: str, codes: np.ndarray) -> Column:
    return Column.of_words(name, [f"{name} {code}" for code in codes])


def ask(columns: list[Column], seed: int = 1, **more: object) -> Answer:
    question = Question(result="y", **({"rounds": 100} | more))  # type: ignore[arg-type]
    return causes(Table(tuple(columns)), question, np.random.default_rng(seed))


def test_planted_causes_come_first_with_their_effects() -> None:
    random = np.random.default_rng(7)
    x, machine = random.normal(size=(200, 8)), random.integers(0, 3, 200)
    y = 0.8 * x[:, 0] + 1.5 * (machine == 1) + random.normal(size=200)
    found = ask([Column("y", y), *numbers(x), named("machine", machine)])
    assert {cause.factor for cause in found.causes} == {"x0", "machine"}
    (by_machine,) = (cause for cause in found.causes if cause.factor == "machine")
    assert by_machine.upper == "machine 1"
    assert by_machine.low < 1.5 < by_machine.high
    assert (by_machine.stability or 0) > 0.9
    assert found.explained > 0.3
    assert {each.factor for each in found.others} <= {f"x{n}" for n in range(1, 8)}


def test_a_curve_is_found() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(120, 4))
    found = ask([Column("y", x[:, 2] ** 2 + 0.7 * random.normal(size=120)), *numbers(x)])
    assert [(cause.factor, cause.curved) for cause in found.causes] == [("x2", True)]


def test_what_comes_with_a_cause_is_a_rival_and_the_experiment_parts_them() -> None:
    random = np.random.default_rng(2)
    machine = random.integers(0, 2, 120)
    x = random.normal(size=(120, 3))
    y = 1.2 * machine + random.normal(size=120)
    found = ask([Column("y", y), *numbers(x), named("machine", machine), named("lot", machine)])
    (rivals,) = found.rivals
    assert {rivals.cause, rivals.rival} == {"machine", "lot"}
    assert rivals.alike == pytest.approx(1)
    assert set(rivals.runs) == {
        "machine machine 0 with lot lot 1",
        "machine machine 1 with lot lot 0",
    }
    assert 3 <= rivals.parts <= 60
    assert any("cannot tell them apart" in line for line in words.answer(found))


def test_a_proxy_of_a_cause_is_not_named() -> None:
    """Simpson: lot seems to matter only because the bad machine had more of lot A."""
    random = np.random.default_rng(5)
    machine = random.integers(0, 2, 400)
    lot = np.where(random.random(400) < 0.8, machine, 1 - machine)
    y = 1.0 * machine + random.normal(size=400)
    found = ask([Column("y", y), named("machine", machine), named("lot", lot)])
    assert [cause.factor for cause in found.causes] == ["machine"]
    assert not found.rivals


def test_nothing_is_said_to_be_nothing_with_what_could_hide() -> None:
    random = np.random.default_rng(11)
    found = ask([Column("y", random.normal(size=60)), *numbers(random.normal(size=(60, 10)))])
    assert not found.found
    assert 0.1 < found.hidden < 0.3
    assert "no factor here explains more" in words.answer(found)[0]


def test_two_causes_that_act_only_together() -> None:
    random = np.random.default_rng(4)
    a, b = random.integers(0, 2, 160), random.integers(0, 2, 160)
    y = 1.5 * (a ^ b) + random.normal(size=160)
    x = random.normal(size=(160, 4))
    found = ask([Column("y", y), *numbers(x), named("tool", a), named("lot", b)])
    assert [{each.first, each.second} for each in found.together] == [{"tool", "lot"}]
    assert "act together" in " ".join(words.answer(found))


def test_drift_in_time_is_a_rival_of_what_drifts_along() -> None:
    random = np.random.default_rng(6)
    place = np.arange(150.0)
    warm = place / 50 + 0.02 * random.normal(size=150)
    y = place / 40 + random.normal(size=150)
    found = ask([Column("y", y), Column("warm", warm), Column("t", place)], time="t")
    names = {cause.factor for cause in found.causes}
    rivals = {frozenset((each.cause, each.rival)) for each in found.rivals}
    assert names in ({"warm"}, {DRIFT})
    assert rivals == {frozenset({"warm", DRIFT})}


def test_slow_noise_and_a_slow_factor_are_no_cause() -> None:
    hits = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        noise, slow = np.cumsum(random.normal(size=(2, 150)), axis=1)
        slow, noise = slow / slow.std(), noise / noise.std()
        columns = [Column("y", noise), Column("slow", slow), Column("t", np.arange(150.0))]
        hits += any(c.factor == "slow" for c in ask(columns, time="t", rounds=10).causes)
    assert hits <= 2  # independent rows at the same p: 15 and more


def test_rows_of_a_lot_are_no_several_proofs() -> None:
    random = np.random.default_rng(8)
    lot = np.repeat(np.arange(6), 30)
    of_lot = random.normal(size=(6, 5))
    y = random.normal(size=6)[lot] * 2 + random.normal(size=180)
    columns = [Column("y", y), *numbers(of_lot[lot]), named("lot", lot)]
    assert ask(columns).found  # as if the 180 were independent
    assert not ask(columns, group="lot").found


def test_good_and_bad_in_points() -> None:
    random = np.random.default_rng(9)
    tool = random.integers(0, 3, 600)
    bad = random.random(600) < 0.05 + 0.25 * (tool == 2)
    told = Column.of_words("y", ["NG" if each else "OK" for each in bad])
    found = ask([told, named("tool", tool), *numbers(random.normal(size=(600, 5)))])
    (cause,) = found.causes
    assert (cause.factor, cause.upper) == ("tool", "tool 2")
    assert cause.low < 0.25 < cause.high
    assert "points of bad" in words.answer(found)[1]


def test_what_cannot_be_a_factor_is_left_out_and_said() -> None:
    random = np.random.default_rng(10)
    n = 40
    x = random.normal(size=n)
    columns = [
        Column("y", x + 0.1 * random.normal(size=n)),
        Column("x", x),
        Column("same", np.full(n, 3.0)),
        Column("empty", np.full(n, np.nan)),
        Column.of_words("name", [f"part {k}" for k in range(n)]),
        Column("serial", np.arange(n, dtype=float)),
    ]
    found = ask(columns)
    assert [cause.factor for cause in found.causes] == ["x"]
    said = " ".join(found.notes)
    for why in ("the same in all parts: same", "more than half of the parts: empty",
                "in nearly every part: name", "a number of the part: serial"):  # fmt: skip
        assert why in said


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ([Column("y", np.arange(3.0)), Column("x", np.arange(3.0))], "at least 8"),
        ([Column("y", np.full(20, np.nan)), Column("x", np.arange(20.0))], "y is empty"),
        ([Column("y", np.full(20, 2.0)), Column("x", np.arange(20.0))], "every y is 2"),
        ([Column.of_words("y", ["good"] * 20), Column("x", np.arange(20.0))], "every y is good"),
        ([Column("y", np.arange(20.0)), Column("x", np.full(20, 1.0))], "no factor differs"),
    ],
)
def test_too_little_is_said(columns: list[Column], why: str) -> None:
    with pytest.raises(NotEnoughData, match=why):
        ask(columns)


def test_groups_must_be_several() -> None:
    columns = [Column("y", np.arange(20.0)), Column("x", np.arange(20.0) % 3),
               named("lot", np.arange(20) % 2)]  # fmt: skip
    with pytest.raises(NotEnoughData, match="2 groups of lot"):
        ask(columns, group="lot")


def test_words_that_are_no_verdict_are_refused() -> None:
    with pytest.raises(ValueError, match="write good or bad"):
        result_of(Column.of_words("y", ["red", "blue", "red"]))
    value, unit = result_of(Column.of_words("y", ["양품", "불량", None]))
    assert value[:2].tolist() == [0, 1]
    assert np.isnan(value[2])
    assert unit == "share bad"


def test_the_same_question_has_the_same_answer() -> None:
    random = np.random.default_rng(12)
    columns = [Column("y", random.normal(size=50)), *numbers(random.normal(size=(50, 4)))]
    assert ask(columns) == ask(columns)


def test_rates_of_chance_as_benjamini_and_hochberg() -> None:
    """The 15 p-values of Benjamini and Hochberg (1995), section 3.2: four are below .05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert sum(q <= 0.05 for q in adjusted(p)) == 4
    assert adjusted(p)[3] == pytest.approx(0.0095 * 15 / 4)


def test_the_order_of_making_from_times_and_numbers() -> None:
    times = Column.of_words("t", ["2026-03-10T08:00", "2026-03-09T23:59+09:00", "2026-03-09"])
    assert np.argsort(order_of(times)).tolist() == [2, 1, 0]
    assert order_of(Column("t", np.array([3.0, 1.0]))).tolist() == [3, 1]
    with pytest.raises(ValueError, match="write times as"):
        order_of(Column.of_words("t", ["10.3.2026", "9.3.2026"]))
    with pytest.raises(NotEnoughData, match="1 rows have no t"):
        order_of(Column("t", np.array([1.0, np.nan])))


KINDS = st.sampled_from(["same", "huge", "holes", "few", "words", "verdicts", "empty", "order"])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.lists(KINDS, min_size=2, max_size=6), st.integers(0, 99))
def test_any_table_is_answered_or_refused(n: int, kinds: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = [some(random, n, kind, f"x{k}") for k, kind in enumerate(kinds)]
    for group, time in (("", ""), ("x1", ""), ("", "x1")):
        question = Question(result="x0", rounds=10, group=group, time=time)
        with suppress(NotEnoughData, ValueError):
            found = causes(Table(tuple(columns)), question, random)
            assert words.answer(found)
            assert msgspec.json.encode(found)


def some(random: np.random.Generator, n: int, kind: str, name: str) -> Column:
    if kind == "words":
        told = [None if random.random() < 0.2 else f"w{random.integers(4)}" for _ in range(n)]
        return Column.of_words(name, told)
    if kind == "verdicts":
        return Column.of_words(name, [("good", "bad")[random.integers(2)] for _ in range(n)])
    value = {
        "same": np.full(n, 2.0),
        "huge": 1e9 + random.normal(size=n) * 10.0 ** random.integers(-9, 9),
        "holes": np.where(random.random(n) < 0.5, np.nan, random.normal(size=n)),
        "few": random.integers(0, 3, n).astype(float),
        "empty": np.full(n, np.nan),
        "order": np.arange(n, dtype=float),
    }[kind]
    return Column(name, value)
