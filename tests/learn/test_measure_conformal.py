"""What is promised of parts not yet seen: known ranks, coverage by simulation, and what few can."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from deungdae.core.errors import NotEnoughData
from deungdae.learn.measure import Conformal, parts
from deungdae.learn.measure.conformal import needed


def _fit(bad: list[float], good: list[float], **promise: float) -> Conformal:
    kinds = [True] * len(bad) + [False] * len(good)
    return Conformal.fit(bad + good, kinds, **promise)  # type: ignore[arg-type]


def test_the_limit_is_the_rank_of_the_finite_sample() -> None:
    """k = ⌊α (n + 1)⌋ of 19 bad parts at 10 % is the second lowest (Vovk et al. 2005)."""
    bad = [float(10 + each) for each in range(19)]
    good = [float(each) for each in range(19)]
    found = _fit(bad, good, escape=0.1, false_reject=0.05)
    # 11 is the second lowest of the bad, 18 the highest of the good: between them both ask
    assert (found.accept, found.reject) == (11.0, 18.0)
    assert [found.decide(score) for score in (10.9, 11.0, 18.0, 18.1, math.nan)] == [
        "accept", "ask", "ask", "reject", "ask",
    ]  # fmt: skip
    assert found.decisions([10.9, 11.0, 18.1]).tolist() == [-1, 0, 1]
    assert found.automatic([10.9, 11.0, 18.1, math.nan]) == 0.5


def test_where_both_promises_hold_nobody_is_asked() -> None:
    found = _fit([10.0] * 20, [0.0] * 20, escape=0.05, false_reject=0.05)
    assert found.accept == found.reject == 5.0


@pytest.mark.parametrize(
    ("promise", "confidence", "parts_needed"),
    [(0.05, None, 19), (0.04, None, 24), (0.05, 0.95, 59), (0.10, 0.90, 22), (0.01, 0.95, 299)],
)
def test_too_few_parts_promise_nothing(
    promise: float, confidence: float | None, parts_needed: int
) -> None:
    """59 and 299 are the sample sizes of Wilks (1941) for 95 % confidence."""
    assert needed(promise, confidence) == parts_needed
    good = [float(each) for each in range(400)]
    enough = [500.0 + each for each in range(parts_needed)]
    kept = {"escape": promise, "confidence": confidence}
    assert _fit(enough, good, **kept).accept is not None  # type: ignore[arg-type]
    few = _fit(enough[:-1], good, **kept)  # type: ignore[arg-type]
    assert few.accept is None
    assert few.best_escape > promise
    assert few.decide(-1000.0) == "ask"
    assert f"takes {parts_needed} bad parts, there are {parts_needed - 1}" in few.promise
    assert "No part is accepted without a person" in few.promise


def test_without_any_part_all_is_asked() -> None:
    nothing = Conformal.fit([], [])
    assert nothing.decide(0.5) == "ask"
    assert nothing.best_escape == nothing.best_false_reject == 1.0
    assert nothing.automatic([]) == 0.0
    with pytest.raises(NotEnoughData):
        nothing.measure([], [])


@pytest.mark.parametrize("wrong", [{"escape": 0.0}, {"false_reject": 1.0}, {"confidence": 1.0}])
def test_certainty_cannot_be_promised(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"promised|between"):
        _fit([1.0], [0.0], **wrong)


def test_images_of_one_part_are_no_several_proofs() -> None:
    """19 images of one bad part promise nothing; of 19 parts they do."""
    score, bad = np.arange(40.0), np.arange(40) >= 21
    assert Conformal.fit(score, bad).accept is not None
    one = Conformal.fit(score, bad, np.where(bad, 99, np.arange(40)))
    assert (one.bad_parts, one.accept) == (1, None)


def _lot(random: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and parts of n parts: parts differ, and have one to six images each."""
    images = random.integers(1, 7, n)
    own = random.normal(size=n)
    owner = np.repeat(np.arange(n), images)
    return own[owner] + 0.5 * random.normal(size=len(owner)) + shift, owner


def test_both_rates_hold_over_draws_of_parts() -> None:
    """Marginal coverage of the next image of the next part, for parts of unequal many images.

    An image of a random part is normal with variance 1.25 whatever the part's number of images.
    """
    random = np.random.default_rng(7)
    escaped, stopped = [], []
    for _ in range(400):
        bad, bad_owner = _lot(random, 39, 1.5)
        good, good_owner = _lot(random, 59, 0.0)
        found = Conformal.fit(
            np.concatenate([bad, good]), np.arange(len(bad) + len(good)) < len(bad),
            np.concatenate([bad_owner, 1000 + good_owner]), escape=0.1, false_reject=0.05,
        )  # fmt: skip
        assert found.accept is not None
        assert found.reject is not None
        escaped.append(ndtr((found.accept - 1.5) / math.sqrt(1.25)))
        stopped.append(1 - ndtr(found.reject / math.sqrt(1.25)))
    error = np.std(escaped) / 20
    assert 0.08 < np.mean(escaped) <= 0.1 + 3 * error
    assert 0.03 < np.mean(stopped) <= 0.05 + 3 * np.std(stopped) / 20


def test_with_confidence_the_rate_holds_for_nearly_every_draw() -> None:
    random = np.random.default_rng(11)
    held = {None: 0, 0.9: 0}
    for _ in range(500):
        score = np.concatenate([random.normal(size=100) + 2, random.normal(size=100)])
        for confidence in held:
            found = Conformal.fit(score, np.arange(200) < 100, confidence=confidence, escape=0.1)
            # the true rate of this very limit; where both hold, the limit was moved up to the cut
            held[confidence] += found.accept is not None and ndtr(found.accept - 2) <= 0.1
    assert held[0.9] >= 0.9 * 500 - 3 * math.sqrt(500 * 0.09)
    assert held[None] < 0.75 * 500  # on average only, which is the difference


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 15)), max_size=60),
    st.floats(0.01, 0.5),
    st.one_of(st.none(), st.floats(0.5, 0.99)),
)
def test_the_promise_holds_on_the_calibration_parts_themselves(
    rows: list[tuple[int, bool, int]], promised: float, confidence: float | None
) -> None:
    score = np.array([row[0] for row in rows], np.float64)
    bad = np.array([row[1] for row in rows], np.bool_)
    owner = np.array([row[2] for row in rows], np.int64)
    found = Conformal.fit(
        score, bad, owner, escape=promised, false_reject=promised, confidence=confidence
    )
    verdict = found.decisions(score)
    for kind, wrong in ((bad, verdict < 0), (~bad, verdict > 0)):
        names = np.unique(owner[kind])
        missed = sum(wrong[kind & (owner == name)].mean() for name in names)
        assert missed <= promised * (len(names) + 1) + 1e-6
    assert [found.decide(each) for each in score] == [
        {-1: "accept", 0: "ask", 1: "reject"}[int(each)] for each in verdict
    ]


def test_what_was_decided_is_measured_on_parts_kept_back() -> None:
    found = _fit([float(each) for each in range(5, 24)], [float(each) for each in range(19)])
    score = np.array([0.0, 1.0, 30.0, 31.0, 10.0, 4.0])
    bad = np.array([False, False, True, True, False, True])
    told = found.measure(score, bad)
    assert (told.accepted, told.rejected, told.asked) == (3, 2, 1)
    assert told.automatic.value == pytest.approx(5 / 6)
    assert told.escape is not None
    assert told.wrong_reject is not None
    assert told.reliability is not None
    assert told.escape.value == pytest.approx(1 / 3)
    assert told.wrong_reject.value == 0.0
    assert told.wrong_reject.high > 0.8  # two good parts prove next to nothing
    assert told.reliability.value == pytest.approx(1 - (1 / 3) / 2)
    good_alone = found.measure(score[:2], bad[:2])
    assert good_alone.escape is None
    assert good_alone.reliability is None


def test_parts_judged_by_their_worst_image_keep_the_promise_for_parts() -> None:
    random = np.random.default_rng(3)
    stopped = []
    for _ in range(200):
        good, owner = _lot(random, 39, 0.0)
        score, bad, number = parts(good, np.zeros(len(good), bool), owner)
        found = Conformal.fit(score, bad, number, false_reject=0.1)
        assert found.reject is not None
        fresh, fresh_owner = _lot(random, 200, 0.0)
        worst, _, _ = parts(fresh, np.zeros(len(fresh), bool), fresh_owner)
        stopped.append(np.mean(worst > found.reject))
    assert 0.08 < np.mean(stopped) <= 0.1 + 3 * np.std(stopped) / math.sqrt(200)


def test_an_aim_moves_the_limits_apart_and_keeps_the_promises() -> None:
    random = np.random.default_rng(8)
    reached, plain = [], []
    for _ in range(60):
        bad = np.arange(300) < 100
        score, fresh = (random.normal(size=300) + 2.2 * bad for _ in range(2))
        wide = Conformal.fit(score, bad, escape=0.04, false_reject=0.04)
        aimed = Conformal.fit(score, bad, escape=0.04, false_reject=0.04, reliability=0.96)
        assert aimed.accept is not None
        assert aimed.reject is not None
        assert wide.accept is not None
        assert wide.reject is not None
        assert aimed.accept <= wide.accept
        assert aimed.reject >= wide.reject
        told, before = aimed.measure(fresh, bad), wide.measure(fresh, bad)
        assert told.reliability is not None
        assert before.reliability is not None
        reached.append(told.reliability.value)
        plain.append(before.reliability.value)
    # near the aim, and a little below: the limits were chosen where these parts looked best
    assert 0.945 < np.mean(reached) < 0.965
    assert np.mean(plain) < np.mean(reached) - 0.005


def test_an_aim_out_of_reach_asks_about_every_part() -> None:
    random = np.random.default_rng(9)
    found = Conformal.fit(random.normal(size=200), np.arange(200) < 100, reliability=0.99)
    assert found.accept is found.reject is None
    assert found.promise == (
        "No part is decided without a person: a reliability of 99% is not reached on these parts."
    )
    few = Conformal.fit(np.arange(60.0), np.arange(60) >= 55, reliability=0.9)
    assert few.accept is few.reject is None
    assert few.promise.startswith("No part is accepted without a person: at most 5.0%")
    assert few.promise.endswith("is not reached on these parts.")
