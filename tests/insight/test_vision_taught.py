"""The inspection of bricks taught by people's labels, and models at work in the analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Appointed, Picture, Window
from deungdae.core.types import Finding, Signal
from deungdae.insight.vision import Vision, VisionOptions
from deungdae.insight.vision.analysis import is_drawn
from deungdae.insight.vision.taught import MAGIC, load, train
from deungdae.learn.images import Example
from deungdae.learn.inspection import Lesson, Made, is_held_out
from deungdae.learn.measure import auroc
from deungdae.model.calendar import Calendar
from deungdae.model.factory import Factory, Identity
from deungdae.sim.scene import KINDS, Defect, brick

LESSON = Lesson(name="eye", dataset="bricks@1", seconds=1.0, false_reject=0.1)


def bricks(good: int, bad: int, seed: int = 1) -> list[Example]:
    random = np.random.default_rng(seed)
    found = []
    for n in range(good + bad):
        flaws = [Defect(kind=KINDS[n % len(KINDS)], severity=0.8)] if n >= good else []
        pixels = brick(random, defects=flaws, size=(120, 160)).pixels
        found.append(Example(pixels=pixels, bad=n >= good, group=f"B{n}", ref=str(n)))
    return found


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return bricks(48, 12)


@pytest.fixture(scope="module")
def made(examples: list[Example]) -> Made:
    return train(examples, LESSON)


def test_it_tells_bad_from_good_on_bricks_of_other_groups(
    made: Made, examples: list[Example]
) -> None:
    bad = np.array([each.bad for each in examples])
    assert auroc(made.score, bad) > 0.95
    assert {trial.method for trial in made.tried} == {
        "marks of bricks", "marks of bricks, weighed",
    }  # fmt: skip


def test_what_is_read_again_judges_alike_and_shows_where(made: Made) -> None:
    judge = load(made.content)
    fresh = bricks(4, 4, seed=9)
    scores = [judge.judge(each.pixels).score for each in fresh]
    assert max(scores[:4]) < min(scores[4:])
    heat = judge.judge(fresh[-1].pixels).heat
    assert heat.shape == (30, 40)
    assert 0 <= heat.min() < heat.max() <= 1


def test_the_same_examples_teach_the_same(made: Made, examples: list[Example]) -> None:
    again = train(examples, LESSON)
    assert np.array_equal(again.score, made.score)
    fresh = bricks(1, 1, seed=3)
    for each in fresh:
        assert (
            load(again.content).judge(each.pixels).score
            == load(made.content).judge(each.pixels).score
        )


def test_good_bricks_alone_suffice() -> None:
    made = train(bricks(24, 0), LESSON)
    assert made.tried == ()  # nothing bad is known by which a method could be ranked
    good, bad = (load(made.content).judge(e.pixels).score for e in bricks(1, 1, seed=4))
    assert good < 0.6 < bad


def test_where_no_brick_is_to_be_seen_it_cannot_learn_and_does_not_guess(made: Made) -> None:
    blank = np.zeros((120, 160, 3), np.uint8)
    examples = [Example(pixels=blank, bad=False, group=str(n)) for n in range(20)]
    with pytest.raises(NotEnoughData):
        train(examples, LESSON)
    with pytest.raises(NotEnoughData):
        load(made.content).judge(blank)


def test_images_of_something_else_are_left_to_other_ways_of_learning() -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 40, (64, 48, 1), np.uint8).repeat(3, axis=2) for _ in range(24)]
    examples = [Example(pixels=each, bad=False, group=str(n)) for n, each in enumerate(noise)]
    with pytest.raises(NotEnoughData):
        train(examples, LESSON)


@pytest.mark.parametrize("content", [MAGIC, MAGIC + b"no archive", b"", b"no model at all"])
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no inspection"):
        load(content)


def test_a_file_cut_off_is_refused(made: Made) -> None:
    with pytest.raises(ValueError, match="damaged"):
        load(made.content[: len(made.content) // 2])


# ---- at work


class Bench:
    """An analysis that is shown bricks, with models as they stand."""

    def __init__(self, content: bytes, drawn: float = 1.0) -> None:
        signal = Signal(id="camera.image", kind="image")
        factory = Factory(
            path=Path("factory.toml"),
            identity=Identity(id="works"),
            calendar=Calendar(),
            signals={signal.id: signal},
            assets={},
            plugins={},
        )
        options = VisionOptions(signal="camera.image", learn=50, drawn=drawn)
        self.vision = Vision("eye", options, factory)
        self.content = content

    def model(
        self, version: str, stage: str, accept: float = 0.3, reject: float = 0.6
    ) -> Appointed:
        return Appointed("eye", version, stage, accept, reject, self.content)

    def show(self, example: Example, *models: Appointed) -> Finding:
        picture = Picture(5, "sha256:1", "B1", example.pixels)
        seen = {"camera.image": (picture,)}
        (finding,) = self.vision.update(10, Window(0, 10, images=seen, models={"eye": models}))
        return finding


@pytest.fixture
def bench(made: Made) -> Bench:
    return Bench(made.content)


GOOD, BAD = bricks(1, 1, seed=6)


def test_it_asks_for_the_model_of_its_name(bench: Bench) -> None:
    assert bench.vision.needs.models == ("eye",)


@pytest.mark.parametrize("stage", ["advise", "decide"])
def test_a_model_judges_before_good_bricks_are_known(bench: Bench, stage: str) -> None:
    passed = bench.show(GOOD, bench.model("a1", stage))
    assert (passed.evidence["verdict"], passed.severity, passed.reason) == ("pass", 0, "")
    assert (passed.evidence["model"], passed.evidence["stage"]) == ("eye a1", stage)
    assert "heat" not in passed.evidence
    rejected = bench.show(BAD, bench.model("a1", stage))
    assert (rejected.evidence["verdict"], rejected.severity) == ("reject", 2)
    size, digits = rejected.evidence["heat"].split()
    assert (size, len(digits), "f" in digits) == ("40x30", 1200, True)
    assert rejected.evidence["corners"] == "0.0 0.0; 160.0 0.0; 160.0 120.0; 0.0 120.0"


def test_between_its_limits_a_person_is_asked(bench: Bench) -> None:
    asked = bench.show(GOOD, bench.model("a1", "decide", accept=-1.0, reject=2.0))
    assert (asked.evidence["verdict"], asked.severity) == ("unsure", 1)
    assert "a person must look" in asked.reason


def test_one_in_the_shadow_says_and_changes_nothing(bench: Bench) -> None:
    with pytest.raises(NotEnoughData, match="1 of 50"):
        bench.show(GOOD, bench.model("b2", "shadow"))
    told = bench.show(BAD, bench.model("a1", "advise"), bench.model("b2", "shadow", 0.98, 0.99))
    alone = bench.show(BAD, bench.model("a1", "advise"))
    verdict, _, version = told.evidence["shadow"].split()
    assert (verdict, version) == ("pass", "b2")
    assert {**told.evidence, "shadow": ""} == {**alone.evidence, "shadow": ""}
    assert (told.value, told.severity) == (alone.value, alone.severity)


def test_where_no_brick_is_seen_a_person_must_look(bench: Bench) -> None:
    blank = Example(pixels=np.zeros((120, 160, 3), np.uint8), bad=None, group="x")
    models = bench.model("a1", "decide"), bench.model("b2", "shadow")
    found = bench.show(blank, *models)
    assert (found.severity, found.value) == (1, None)
    assert found.evidence["model"] == "eye a1"
    assert "no brick" in found.reason
    assert found.evidence["shadow"] == "unsure - b2"


def test_parts_are_drawn_by_chance_alone_and_again_alike() -> None:
    serials = [f"B{n}" for n in range(20_000)]
    drawn = [each for each in serials if is_drawn(each, "eye a1", 0.02)]
    assert len(drawn) == pytest.approx(400, abs=80)  # four standard deviations
    assert drawn == [each for each in serials if is_drawn(each, "eye a1", 0.02)]
    other = {each for each in serials if is_drawn(each, "eye b2", 0.02)}
    assert len(other.intersection(drawn)) < 30  # another version, other parts
    assert not any(is_drawn(each, "eye a1", 0.0) for each in serials)
    assert all(is_drawn(each, "eye a1", 1.0) for each in serials)
    held = [each for each in drawn if is_held_out(each)]
    assert len(held) == pytest.approx(100, abs=40)  # neither draw leans on the other


def test_what_passes_is_drawn_too(made: Made) -> None:
    bench = Bench(made.content, drawn=100)
    for example in (GOOD, BAD):
        assert bench.show(example, bench.model("a1", "advise")).evidence["drawn"] == "100 %"
    bench = Bench(made.content, drawn=0)
    assert "drawn" not in bench.show(GOOD, bench.model("a1", "advise")).evidence
