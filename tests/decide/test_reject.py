"""Sorting out: which verdicts move a machine, for how long, and which never do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.core import strict
from deungdae.core.errors import FactoryError
from deungdae.core.ports import Samples, Window
from deungdae.core.types import SECOND, Command, Finding, Severity, Signal
from deungdae.decide.reject import Reject
from deungdae.insight.vision import Vision
from deungdae.model.factory import Factory, Identity, Plugin

START = 1_800_000_000 * SECOND
OUT = "robot.reject"
EYE = Plugin("insight", "eye", "vision", Vision, None)
FACTORY = Factory(
    path=Path("factory.toml"),
    identity=Identity(id="works"),
    signals={
        OUT: Signal(id=OUT, low=0, high=1, access="rw", source="plc:1"),
        "robot.count": Signal(id="robot.count", source="plc:2"),
        "robot.state": Signal(id="robot.state", kind="state", source="plc:3"),
    },
    plugins={"insight": {"eye": EYE}},
)


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def make(**changes: Any) -> Reject:
    table = {"inspection": "eye", "signal": OUT, "hold": 5, "expiry": 3, **changes}
    options, problems = strict.decode(Reject.Options, table)
    assert options is not None, problems
    return Reject("sorting", options, FACTORY)


def judged(seconds: float, verdict: str = "reject", stage: str = "decide") -> Finding:
    evidence = {"serial": "B7", "verdict": verdict, "stage": stage, "model": "eye 0123456789ab"}
    return Finding(
        origin="eye", asset="camera1", name="inspection", start=at(seconds), end=at(seconds),
        value=0.97, evidence=evidence,
    )  # fmt: skip


def tell(policy: Reject, now: float, *found: Finding) -> list[Command]:
    return list(policy.decide(at(now), Window(at(now) - SECOND, at(now), findings=found)))


def hold(policy: Reject, now: float, value: float, status: int = 0) -> list[Command]:
    """Let the machine tell what it holds."""
    samples = Samples(np.array([at(now)]), np.array([value]), np.array([status], np.uint8))
    return list(policy.decide(at(now), Window(START, at(now), {OUT: samples})))


def test_it_needs_verdicts_and_what_the_machine_holds() -> None:
    needs = make().needs
    assert (needs.findings, needs.signals) == (("eye",), (OUT,))
    assert 0 < needs.every <= SECOND


def test_a_bad_part_is_sorted_out_and_parts_pass_again() -> None:
    policy = make()
    (command,) = tell(policy, 1.2, judged(1))
    assert (command.signal, command.value, command.origin) == (OUT, 1, "sorting")
    assert (command.issued, command.expires) == (at(1.2), at(4.2))
    assert command.because == "B7 rejected by model eye 0123456789ab, score 0.970"
    assert hold(policy, 2, 1) == []  # it holds what was asked
    assert hold(policy, 6, 1) == []
    (back,) = hold(policy, 6.3, 1)
    assert (back.value, back.because) == (0, "no bad part any more")
    assert hold(policy, 6.5, 1) == []  # the machine has a moment to follow
    assert [each.value for each in hold(policy, 8.4, 1)] == [0]  # then it is asked again
    assert hold(policy, 9, 0) == []


def test_another_bad_part_keeps_it_set() -> None:
    policy = make()
    tell(policy, 1, judged(1))
    hold(policy, 2, 1)
    assert [each.value for each in tell(policy, 5, judged(5))] == [1]
    assert hold(policy, 8, 1) == []
    assert [each.value for each in hold(policy, 10, 1)] == [0]


@pytest.mark.parametrize(
    ("verdict", "stage"),
    [("pass", "decide"), ("unsure", "decide"), ("reject", "advise"), ("reject", "shadow")],
)
def test_nothing_else_moves_a_machine(verdict: str, stage: str) -> None:
    assert tell(make(), 1, judged(1, verdict, stage)) == []


def test_an_inspection_without_a_model_moves_nothing() -> None:
    plain = Finding(
        origin="eye", asset="camera1", name="inspection", start=at(1), end=at(1),
        evidence={"verdict": "reject"},
    )  # fmt: skip
    assert tell(make(), 1, plain) == []


def test_what_comes_late_twice_or_from_the_future_moves_nothing() -> None:
    policy = make()
    assert tell(policy, 4, judged(1)) == []  # three seconds old: the part is gone
    assert len(tell(policy, 6, judged(5))) == 1
    assert tell(policy, 6.1, judged(5)) == []  # told twice
    assert tell(policy, 6.2, judged(5.5)) != []
    assert tell(policy, 6.3, judged(60)) == []
    assert len(tell(policy, 7, judged(6.9))) == 1  # nor does that one silence the next


def test_a_signal_that_was_left_set_is_brought_back() -> None:
    policy = make()  # as after a restart
    assert [each.value for each in hold(policy, 1, 1)] == [0]


def test_what_the_machine_holds_must_be_good_to_be_acted_on() -> None:
    policy = make()
    assert hold(policy, 1, 1, Severity.BAD) == []
    assert hold(policy, 2, float("nan")) == []
    assert hold(policy, 3, 0) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inspection": "ear"}, "names no analysis"),
        ({"signal": "robot.rejects"}, "did you mean robot.reject"),
        ({"signal": "robot.count"}, "can only be read"),
        ({"signal": "robot.state"}, "is a signal of kind state"),
        ({"value": 2}, "is outside the signal's range, 0 to 1"),
        ({"value": float("nan")}, "is outside"),
        ({"rest": 1}, "is the same as rest"),
    ],
)
def test_what_does_not_fit_is_told(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(FactoryError) as told:
        make(**changes)
    assert words in str(told.value)
