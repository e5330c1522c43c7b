"""Designed experiments: effects as the textbooks print them."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.insight.cause import Experiment, Table, experiment, is_design, planned, read, words

FILTRATION = (45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96)


def table(head: str, *rows: tuple[object, ...]) -> Table:
    return read("\n".join([head, *(",".join(map(str, row)) for row in rows)]).encode(), "runs.csv")


def factorial(factors: str, results: tuple[float, ...]) -> Table:
    rows = [
        (*[1 if run >> place & 1 else -1 for place in range(len(factors))], result)
        for run, result in enumerate(results)
    ]
    return table(",".join([*factors, "y"]), *rows)


def effects(found: Experiment) -> dict[str, float]:
    return {each.name: each.effect for each in found.effects}


def test_filtration_rate() -> None:
    """Montgomery, Design and Analysis of Experiments, 8th ed., example 6.2 and section 6.5."""
    found = experiment(factorial("ABCD", FILTRATION), "y")
    told = effects(found)
    printed = {"A": 21.625, "B": 3.125, "C": 9.875, "D": 14.625, "A × B": 0.125, "A × C": -18.125,
               "A × D": 16.625, "B × C": 2.375, "B × D": -0.375, "C × D": -1.125,
               "A × B × C × D": 1.375}  # fmt: skip
    assert {name: told[name] for name in printed} == printed
    assert found.error == pytest.approx(2.625)  # PSE
    assert found.margin == pytest.approx(6.748, abs=5e-4)
    assert found.margin_all == pytest.approx(13.699, abs=5e-4)
    assert {e.name for e in found.effects if e.maybe} == {"A", "C", "D", "A × C", "A × D"}
    assert found.highest is not None
    assert found.highest[0] == "A 1, C -1, D 1"


def test_blocks() -> None:
    """Montgomery, example 7.2: one block 20 lower; effects stay, ABCD is lost in the blocks."""
    rows = []
    for run, result in enumerate(FILTRATION):
        signs = [1 if run >> place & 1 else -1 for place in range(4)]
        block = int(np.prod(signs) > 0)
        rows.append((*signs, block + 1, result - 20 * block))
    found = experiment(table("A,B,C,D,block,y", *rows), "y", block="block")
    assert effects(found)["A"] == 21.625
    assert "A × B × C × D" not in effects(found)
    assert found.notes[0] == "cannot be told from the blocks: A × B × C × D"
    assert found.notes[-1].startswith("blocks of block, taken out: 1 ")


def test_a_half_fraction_and_its_aliases() -> None:
    """Montgomery, example 8.1: the 2^(4-1) with I = ABCD."""
    signs = [(a, b, c) for c in (-1, 1) for b in (-1, 1) for a in (-1, 1)]
    results = (45, 100, 45, 65, 75, 60, 80, 96)
    rows = [(a, b, c, a * b * c, y) for (a, b, c), y in zip(signs, results, strict=True)]
    found = experiment(table("A,B,C,D,y", *rows), "y")
    told = effects(found)
    assert [told[name] for name in "ABCD"] == [19.0, 1.5, 14.0, 16.5]
    assert [told[f"A × {name}"] for name in "BCD"] == [-1.0, -18.5, 19.0]
    aliases = {each.name: each.aliases for each in found.effects}
    assert aliases["A × B"] == ("C × D",)
    assert "repeat the runs" in words.experiment(found)[-1]  # 5 of 7 are large: no chance to see


def test_replicates() -> None:
    """Montgomery, section 6.2: reactant and catalyst, three replicates; SS_E 31.34, 8 df."""
    results = {("15", "low"): (28, 25, 27), ("25", "low"): (36, 32, 32),
               ("15", "high"): (18, 19, 23), ("25", "high"): (31, 30, 29)}  # fmt: skip
    rows = [
        (run, *key, y)
        for run, (key, y) in enumerate((key, y) for key, ys in results.items() for y in ys)
    ]
    told = table("run,reactant,catalyst,y", *rows)
    assert planned(told, "y") == ("reactant", "catalyst")
    found = experiment(told, "y", planned(told, "y"))
    assert effects(found) == pytest.approx(
        {"reactant": 8.333, "catalyst": -5.0, "reactant × catalyst": 1.667}, abs=5e-4
    )
    assert (found.by, found.freedom) == ("replicates", 8)
    assert found.error == pytest.approx(2 * np.sqrt(31.34 / 8 / 12), rel=1e-3)
    assert found.levels["catalyst"] == ("low", "high")


def test_centre_points() -> None:
    """Montgomery, example 6.6: MS_E .0430 from five centre points, curvature −0.035."""
    rows = [(30, 150, 39.3), (40, 150, 40.9), (30, 160, 40.0), (40, 160, 41.5)]
    rows += [(35, 155, y) for y in (40.3, 40.5, 40.7, 40.2, 40.6)]
    found = experiment(table("time,temp,y", *rows), "y")
    assert effects(found) == pytest.approx({"time": 1.55, "temp": 0.65, "time × temp": -0.05})
    assert found.error == pytest.approx(2 * np.sqrt(0.043 / 4))
    assert found.curved is not None
    assert found.curved[0] == pytest.approx(0.035)  # centre less corners
    assert found.curved[1] is not None
    assert found.curved[1] > 0.5


def test_pilot_plant() -> None:
    """Box, Hunter and Hunter, Statistics for Experimenters, 2nd ed., section 5.4."""
    found = experiment(factorial("TCK", (60, 72, 54, 68, 52, 83, 45, 80)), "y")
    assert effects(found) == {"T": 23.0, "C": -5.0, "K": 1.5, "T × C": 1.5, "T × K": 10.0,
                              "C × K": 0.0, "T × C × K": 0.5}  # fmt: skip


def test_plackett_and_burman() -> None:
    """12 runs for 11 factors: pairs are mixed with all of them, and do not blur the effects."""
    first = [1, 1, -1, 1, 1, 1, -1, -1, -1, 1, -1]  # Plackett and Burman (1946), N = 12
    signs = [first[-turn:] + first[:-turn] for turn in range(11)] + [[-1] * 11]
    random = np.random.default_rng(5)
    rows = [(*row, 10 + 3 * row[2] - 2.5 * row[6] + 0.5 * random.normal()) for row in signs]
    found = experiment(table("A,B,C,D,E,F,G,H,I,J,K,y", *rows), "y")
    assert [each.name for each in found.effects if each.active] == ["C", "G"]
    assert len(found.effects) == 11
    assert "55 pairs are partly mixed" in found.notes[-1]


def test_parts_of_a_line_are_no_experiment() -> None:
    random = np.random.default_rng(1)
    rows = [(*random.integers(0, 2, 3), random.normal()) for _ in range(64)]
    assert not is_design(table("a,b,c,y", *rows), "y", ("a", "b", "c"))
    assert is_design(factorial("ABCD", FILTRATION), "y", tuple("ABCD"))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (table("a,b,y", (1, 1, 5), (1, 2, 6), (2, 1, 7)), "3 runs at the corners"),
        (table("a,b,y", (1, 1, 5), (1, 2, 6), (2, 1, 7), (2, 2, "")), "1 runs have no y"),
        (table("a,b,y", (1, 1, 5), (1, 2, 6), (2, 1, 7), (2, 1, 8)), "not balanced"),
        (table("a,b,y", (1, 1, 5), (1, 2, 6), (1, 1, 7), (1, 2, 8)), "two factors"),
        (table("a,b,y", (1, 1, 5), (1, 2, 6), (2, 4, 7), (2, 9, 8)), "b has 4 values"),
    ],
)
def test_what_is_no_experiment(told: Table, why: str) -> None:
    with pytest.raises(NotEnoughData, match=why):
        experiment(told, "y")
