"""From examples to a card: nothing is judged by what it was learnt from, and no promise is bare."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.learn.images import Example, Judgement
from deungdae.learn.inspection import Lesson, Made, Progress, is_held_out, limits, teach
from deungdae.learn.registry import Promised, Trial, digest

LESSON = Lesson(name="eye", dataset="bricks@1", seconds=1.0, now=5)


class Reader:
    """Judges a part by its first pixel, which tells all; one of 255 is no part."""

    def judge(self, pixels: np.ndarray) -> Judgement:
        if pixels[0, 0, 0] == 255:
            raise NotEnoughData("no part is seen")
        return Judgement(float(pixels[0, 0, 0]) / 200, np.zeros((1, 1), np.float32))


def examples(good: int, bad: int, unknown: int = 0) -> list[Example]:
    random = np.random.default_rng(0)
    found = []
    for n in range(good + bad + unknown):
        is_bad = n >= good
        pixels = np.full((4, 4, 3), random.integers(0, 100) + 100 * is_bad, np.uint8)
        said = None if n >= good + bad else is_bad
        found.append(Example(pixels=pixels, bad=said, group=f"B{n}", ref=str(n)))
    return found


class Maker:
    """Learns nothing, and remembers what it was shown."""

    def __init__(self, auroc: float = 0.9, content: bytes = b"model") -> None:
        self.auroc = auroc
        self.content = content
        self.shown: list[Example] = []

    def __call__(self, shown: Sequence[Example], lesson: Lesson, progress: Progress | None) -> Made:
        self.shown = list(shown)
        score = np.array([Reader().judge(each.pixels).score for each in shown])
        trial = Trial(method="reader", auroc=self.auroc)
        return Made(self.content, "reader", score, (trial,), ("it can only read",))


def load(content: bytes) -> Reader:
    return Reader()


def test_what_is_held_out_is_shown_to_nobody() -> None:
    maker = Maker()
    given = examples(200, 60, unknown=40)
    card, content = teach(LESSON, given, makers=[maker], load=load)
    kept = [each for each in given if each.bad is not None and is_held_out(each.group)]
    assert 0 < len(kept) == card.held_out
    assert card.held_bad == sum(each.bad is True for each in kept)
    assert {each.group for each in maker.shown}.isdisjoint({each.group for each in kept})
    assert len(maker.shown) + len(kept) == 300
    assert (card.content, card.version) == (digest(content), digest(b"model")[7:19])
    assert card.metrics["auroc"].value == 1.0
    assert card.metrics["escape"].high > 0  # no sample proves perfection
    assert "it can only read" in card.limits
    assert card.accept < card.reject or card.accept == pytest.approx(card.reject)


def test_a_group_is_held_out_for_ever_and_about_a_quarter_are() -> None:
    share = np.mean([is_held_out(f"serial {n}") for n in range(4000)])
    assert 0.22 < share < 0.28
    assert [is_held_out(f"B{n}") for n in range(8)] == [
        is_held_out(f"B{n}") for n in range(8)
    ]  # not by a hash that each process makes anew


def test_without_enough_bad_parts_no_escape_rate_is_promised() -> None:
    score = np.linspace(0, 1, 110)
    bad = score > 0.95
    accept, reject, promised, said = limits(score, bad, [str(n) for n in range(110)], LESSON)
    assert "Nothing is promised about bad parts that pass: 5.0% needs 19 bad parts" in said
    assert promised == Promised(escape=None, false_reject=LESSON.false_reject)
    assert reject < accept <= np.nextafter(reject, 1)  # nobody is asked: what is not bad passes


def test_with_few_good_parts_what_they_carry_is_promised() -> None:
    score, bad = np.append(np.linspace(0, 0.4, 43), 0.9), np.arange(44) == 43
    lesson = msgspec.structs.replace(LESSON, false_reject=0.02)
    accept, reject, promised, said = limits(score, bad, [str(n) for n in range(44)], lesson)
    assert reject == pytest.approx(0.4, abs=0.02)
    assert accept > reject
    assert "Good parts that are rejected: at most 2.3%." in said
    assert promised.false_reject == pytest.approx(1 / 44)


def test_with_too_few_parts_nothing_is_rejected() -> None:
    two = np.array([0.1, 0.2])
    accept, reject, promised, said = limits(two, np.zeros(2, bool), ["a", "b"], LESSON)
    assert (accept, reject) == (-1.0, 2.0)
    assert promised == Promised(escape=0.0, false_reject=0.0)
    assert "No part is rejected without a person" in said


def test_a_card_keeps_what_was_asked_beside_what_is_promised() -> None:
    strict = msgspec.structs.replace(LESSON, false_reject=0.001)
    card, _ = teach(strict, examples(100, 40), makers=[Maker(0.9)], load=load)
    assert (card.escape, card.false_reject) == (LESSON.escape, 0.001)
    assert card.promised is not None
    assert card.promised.escape == LESSON.escape
    assert card.promised.false_reject is not None
    assert 0.001 < card.promised.false_reject < 0.03
    assert f"At most {card.promised.false_reject:.1%} of the good parts" in card.limits[0]


def test_the_way_of_learning_that_ranks_best_is_taken() -> None:
    makers = [Maker(0.7, b"one"), Maker(0.8, b"two")]
    card, content = teach(LESSON, examples(60, 30), makers=makers, load=load)
    assert content == b"two"
    assert [trial.auroc for trial in card.tried] == [0.7, 0.8]


def test_where_little_is_known_or_left_to_win_nothing_slower_is_tried() -> None:
    slow = Maker(0.999)
    teach(LESSON, examples(60, 2), makers=[Maker(0.6), slow], load=load)
    teach(LESSON, examples(60, 30), makers=[Maker(0.996), slow], load=load)
    assert slow.shown == []


def test_who_cannot_learn_says_why() -> None:
    def poor(*_: object) -> Made:
        raise NotEnoughData("too few good ones")

    with pytest.raises(NotEnoughData, match="too few good ones"):
        teach(LESSON, examples(30, 6), makers=[poor], load=load)
    card, _ = teach(LESSON, examples(60, 30), makers=[poor, Maker()], load=load)
    assert "another way of learning was left out: too few good ones" in card.limits


def test_a_quick_way_takes_little_of_the_time_that_is_told() -> None:
    told: list[float] = []

    def telling(given: Sequence[Example], lesson: Lesson, progress: Progress) -> Made:
        for share in (0.0, 1.0):
            progress("learning", share)
        return Maker(0.7)(given, lesson, progress)

    def heard(_what: str, share: float) -> None:
        told.append(share)

    teach(LESSON, examples(60, 30), makers=[telling, telling], load=load, progress=heard)
    assert told == [0.0, 0.05, 0.05, 1.0]


def test_a_part_that_is_not_seen_does_not_pass() -> None:
    given = examples(100, 40)
    blind = [
        msgspec.structs.replace(each, pixels=np.full((4, 4, 3), 255, np.uint8))
        if is_held_out(each.group) and each.bad is False
        else each
        for each in given
    ]
    card, _ = teach(LESSON, blind, makers=[Maker()], load=load)
    assert card.metrics["false_reject"].value == 1.0


def test_a_card_keeps_how_images_looked_and_what_good_parts_got() -> None:
    given = examples(200, 60, unknown=40)
    maker = Maker()
    card, _ = teach(LESSON, given, makers=[maker], load=load)
    assert card.window is not None
    names = [each.name for each in card.window.references]
    assert names == ["brightness", "contrast", "sharpness", "score"]
    good = [Reader().judge(each.pixels).score for each in maker.shown if each.bad is False]
    score = card.window.references[-1]
    assert (score.n, max(score.quantiles)) == (len(good), max(good))  # of no bad part
    assert len(msgspec.json.encode(card)) < 30_000
    assert msgspec.json.decode(msgspec.json.encode(card), type=type(card)) == card


def test_a_card_of_few_parts_has_nothing_to_compare_with() -> None:
    card, _ = teach(LESSON, examples(20, 10), makers=[Maker()], load=load)
    assert card.window is None
