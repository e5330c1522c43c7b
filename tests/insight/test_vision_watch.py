"""A trained inspection that sees or decides otherwise than before is told of in a plant's words."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND, Finding
from deungdae.insight.vision.labels import Label
from deungdae.insight.vision.watch import Question, Seen, Watched, seen, spread, watch
from deungdae.learn.drift import Window
from deungdae.learn.registry import Card

BEFORE = {"brightness": 0.5, "contrast": 0.2, "sharpness": -3.0, "score": 0.1}
WIDTH = {"brightness": 0.02, "contrast": 0.01, "sharpness": 0.1, "score": 0.04}


def card(**changes: object) -> Card:
    random = np.random.default_rng(0)
    window = Window.of({key: random.normal(BEFORE[key], WIDTH[key], 300) for key in BEFORE})
    known = Card(
        name="eye", content="sha256:" + "a" * 64, method="marks", dataset="d@1", images=300,
        groups=300, bad=30, held_out=90, trained=0, seed=1, seconds=9.0, accept=0.4, reject=0.6,
        escape=0.05, false_reject=0.05, window=window,
    )  # fmt: skip
    return msgspec.structs.replace(known, **changes)


def line(n: int, seed: int, score: float = 0.1, bad: float = 0.03) -> list[Seen]:
    """Return parts of a line of which few are bad."""
    random = np.random.default_rng(seed)
    found = []
    for place in range(n):
        value = 0.9 if random.random() < bad else random.normal(score, WIDTH["score"])
        verdict = "pass" if value < 0.4 else "reject" if value > 0.6 else "unsure"
        ref = f"{seed}-{place}"
        time = (seed * 1000 + place) * SECOND
        found.append(Seen(time=time, ref=ref, part=ref, score=value, verdict=verdict))
    return found


def looks(parts: list[Seen], since: int = 0, **moved: float) -> dict[str, dict[str, float]]:
    """Return how images look; from place `since` on, so many standard deviations moved."""
    random = np.random.default_rng(7)
    return {
        each.ref: {
            key: random.normal(BEFORE[key] + moved.get(key, 0.0) * (n >= since) * WIDTH[key],
                               WIDTH[key])
            for key in ("brightness", "contrast", "sharpness")
        }
        for n, each in enumerate(parts)
    }  # fmt: skip


def problems(found: Watched) -> list[str]:
    return [each.problem for each in found.notices]


def test_a_model_on_a_line_as_ever_gives_no_word() -> None:
    for seed in range(2, 22):
        now = line(150, seed)
        found = watch(card(), line(100, 1), now, looks(now), {})
        assert (problems(found), found.missing) == ([], ())
        assert (found.judged, found.looked) == (150, 150)
        assert [each.verdict for each in found.shares] == ["reject", "unsure"]


def test_a_lamp_that_grew_dark_is_told_with_its_time() -> None:
    now = line(150, 2)
    found = watch(card(), line(100, 1), now, looks(now, 80, brightness=-4.0), {})
    (told,) = found.notices
    assert told.problem == "the images are darker than those it learnt from"
    assert "clean the lamp" in told.remedy
    assert told.since == pytest.approx(now[80].time, abs=4 * SECOND)


def test_dark_all_the_time_is_since_the_first_part() -> None:
    now = line(60, 2)
    (told,) = watch(card(), line(100, 1), now, looks(now, brightness=-4.0), {}).notices
    assert told.since == pytest.approx(now[0].time, abs=SECOND)


@pytest.mark.parametrize(
    ("name", "way", "words"),
    [("brightness", 3, "brighter"), ("contrast", -3, "paler"), ("contrast", 3, "harsher"),
     ("sharpness", -3, "blurred"), ("sharpness", 3, "sharper")],
)  # fmt: skip
def test_each_way_has_its_words(name: str, way: float, words: str) -> None:
    now = line(100, 2)
    found = watch(card(), line(100, 1), now, looks(now, **{name: way}), {})
    assert len(found.notices) == 1
    assert words in found.notices[0].problem


def test_what_goes_with_the_light_is_not_told_beside_it() -> None:
    now = line(100, 2)
    moved = looks(now, brightness=-4, contrast=-4, sharpness=-4)
    found = watch(card(), line(100, 1), now, moved, {})
    assert problems(found) == ["the images are darker than those it learnt from"]
    assert [each.name for each in found.changes if each.drifted] != ["brightness"]  # yet shown


def test_scores_that_moved_are_told_against_the_card_and_against_the_first_days() -> None:
    now = line(200, 2, score=0.3)
    found = watch(card(), line(100, 1), now, looks(now), {})
    told = " ".join(problems(found))
    assert "look worse to the model" in told
    assert "do not come any more" in told
    assert found.stream is not None
    assert found.stream.alarm is not None


def test_more_rejects_and_more_questions_are_told() -> None:
    told = " ".join(problems(watch(card(), line(100, 1), line(200, 2, bad=0.4), {}, {})))
    assert "rejects more parts" in told
    told = " ".join(problems(watch(card(), line(100, 1), line(200, 2, score=0.45), {}, {})))
    assert "asks a person more often" in told


def test_escapes_are_known_only_where_all_were_looked_at() -> None:
    now = line(100, 2, bad=0.0)

    def label(place: int, verdict: str) -> Label:
        return Label(ref=now[place].ref, verdict=verdict, person="kim", time=0)

    some = {now[n].ref: label(n, "reject") for n in range(10)}
    found = watch(card(), line(100, 1), now, {}, some)
    assert found.errors.bad_accepted is None
    assert "escapes cannot be seen" in " ".join(found.errors.said)
    every = {now[n].ref: label(n, "reject" if n % 4 == 0 else "good") for n in range(100)}
    found = watch(card(), line(100, 1), now, {}, every)
    assert found.errors.bad_accepted is not None
    assert found.errors.bad_accepted.value == 0.25
    assert "more bad parts pass than the model's limits were set for" in problems(found)


def test_what_cannot_be_told_is_said() -> None:
    with pytest.raises(NotEnoughData, match="judged 29 parts"):
        watch(card(), line(100, 1), line(29, 2), {}, {})
    now = line(40, 2)
    few = watch(card(), line(9, 1), now, looks(now[:12]), {})
    assert "12 parts show no drift yet" in few.missing[0]
    assert "9 parts before this time: 100 show how it decides" in few.missing[1]
    assert (few.changes, few.shares, few.stream) == ((), (), None)
    bare = watch(card(window=None), line(100, 1), now, looks(now), {})
    assert "was made of too few images" in bare.missing[0]


def test_parts_that_are_not_seen_any_more() -> None:
    now = [msgspec.structs.replace(each, score=float("nan"), verdict="unsure")
           for each in line(100, 2)]  # fmt: skip
    found = watch(card(), line(100, 1), now, looks(now), {})
    assert "on many images the model sees no part any more" in problems(found)


def test_what_a_version_said_acting_and_in_the_shadow() -> None:
    def finding(value: float | None, **evidence: str) -> Finding:
        told = {"image": "i", "serial": "s", **evidence}
        return Finding(origin="eye", asset="a", name="inspection", start=1, end=1, value=value,
                       evidence=told)  # fmt: skip

    acting = finding(0.7, verdict="reject", model="eye aaa", shadow="pass 0.200 bbb")
    blind = finding(None, model="eye aaa", shadow="unsure - bbb")
    other = finding(3.0, verdict="pass", reference="r")
    found = seen([acting, blind, other], "aaa")
    assert [(each.verdict, each.part) for each in found] == [("reject", "s"), ("unsure", "s")]
    assert found[0].score == 0.7
    assert np.isnan(found[1].score)
    shadow = seen([acting, blind, other], "bbb")
    assert [(each.verdict, each.score) for each in shadow[:1]] == [("pass", 0.2)]
    assert np.isnan(shadow[1].score)
    assert seen([acting], "aa") == []


def test_a_sample_is_spread_over_all() -> None:
    parts = line(1000, 3)
    chosen = spread(parts, 50)
    assert (len(chosen), chosen[0], chosen[-1]) == (50, parts[0], parts[-1])
    assert spread(parts[:20], 50) == parts[:20]


def label(part: Seen, verdict: str) -> Label:
    return Label(ref=part.ref, verdict=verdict, person="kim", time=0)


def drawn(n: int, every: int = 10) -> list[Seen]:
    """Return parts of which some were drawn by chance: most pass, each fourth of 100 is caught."""
    return [
        Seen(
            time=place * SECOND, ref=f"d{place}", part=f"d{place}",
            score=0.9 if place % 25 == 7 else 0.1, verdict="reject" if place % 25 == 7 else "pass",
            drawn=place % every == 0,
        )
        for place in range(n)
    ]  # fmt: skip


def told_of(found: Watched, about: str) -> Question:
    (answer,) = (each for each in found.questions if each.about == about)
    return answer


def test_parts_drawn_by_chance_stand_for_all_that_passed() -> None:
    now = drawn(1000)
    known = {each.ref: label(each, "reject" if each.verdict == "reject" else "good")
             for each in now if each.drawn or each.verdict == "reject"}  # fmt: skip
    missed = next(each for each in now if each.drawn and each.verdict == "pass")
    known[missed.ref] = label(missed, "reject")
    known["d2"] = label(now[2], "reject")  # found because it looked strange: it stands for itself
    found = watch(card(), line(100, 1), now, looks(now), known)
    assert found.errors.looked[0] == 100  # each tenth; none of the 40 rejected falls on one
    assert found.errors.bad_accepted is not None
    assert found.errors.bad_accepted.value == pytest.approx(1 / 100)
    assert found.escape is not None  # 9.6 of 960 that passed, beside 40 that were caught
    assert found.escape.value == pytest.approx(9.6 / 49.6)
    assert found.escape.low < 0.05 < found.escape.high
    answer = told_of(found, "errors")
    assert (answer.state, answer.reasons) == ("open", ())


def test_none_bad_among_few_is_no_answer_and_among_many_it_is_one() -> None:
    few = drawn(1000, 100)
    known = {each.ref: label(each, "good") for each in few if each.drawn}
    known |= {each.ref: label(each, "reject") for each in few if each.verdict == "reject"}
    found = watch(card(), line(100, 1), few, looks(few), known)
    assert told_of(found, "errors").state == "open"
    assert found.escape is not None
    assert (found.escape.value, found.escape.high > 0.5) == (0.0, True)
    many = drawn(4000, 1)
    known = {each.ref: label(each, "reject" if each.verdict == "reject" else "good")
             for each in many}  # fmt: skip
    found = watch(card(), line(100, 1), many, looks(many[:200]), known)
    assert told_of(found, "errors").state == "same"


def test_drawn_parts_of_which_most_were_not_looked_at_say_nothing() -> None:
    now = drawn(1000)
    chosen = [each for each in now if each.drawn][:30]
    found = watch(card(), line(100, 1), now, {}, {each.ref: label(each, "good") for each in chosen})
    assert (found.errors.bad_accepted, found.escape) == (None, None)
    answer = told_of(found, "errors")
    assert answer.state == "unknown"
    assert answer.reasons[0] == (
        "30 of 100 parts drawn by chance were looked at: look at the others"
    )


def test_each_question_has_its_answer() -> None:
    def states(found: Watched) -> dict[str, str]:
        return {each.about: each.state for each in found.questions}

    now = line(150, 2)
    found = watch(card(), line(100, 1), now, looks(now), {})
    assert states(found) == {"images": "same", "scores": "same", "errors": "unknown"}
    dark = watch(card(), line(100, 1), now, looks(now, 80, brightness=-4.0), {})
    assert states(dark) == {"images": "changed", "scores": "same", "errors": "unknown"}
    blind = watch(card(window=None), line(9, 1), now, looks(now), {})
    assert states(blind) == {"images": "unknown", "scores": "unknown", "errors": "unknown"}
    assert [len(each.reasons) for each in blind.questions] == [1, 2, 2]
    worse = line(200, 2, score=0.3)
    assert states(watch(card(), line(100, 1), worse, looks(worse), {}))["scores"] == "changed"
