"""What every Policy must do, whatever it decides. A new one needs an entry in RIGS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core import registry, strict
from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Policy, Samples, Window
from deungdae.core.types import SECOND, Command, Finding, Signal
from deungdae.insight.vision import Vision
from deungdae.model import factory
from deungdae.model.factory import Factory, Identity, Plugin

START = 1_800_000_000 * SECOND


class Rig(msgspec.Struct, frozen=True):
    """Options of a policy, as in the factory file, and the signals and analyses that they name."""

    options: dict[str, Any]
    signals: list[Signal]
    analyses: tuple[str, ...] = ()


RIGS = {
    "loop": Rig(
        {"measurement": "rig.a", "output": "rig.b", "set_point": 50.0, "kp": 1e3, "ti": 10.0},
        [
            Signal(id="rig.a", low=0, high=100),
            Signal(id="rig.b", low=0, high=100, access="rw"),
        ],
    ),
    "reject": Rig(
        {"inspection": "eye", "signal": "rig.a"},
        [Signal(id="rig.a", low=0, high=1, access="rw")],
        analyses=("eye",),
    ),
}
POLICIES = [
    type for type in registry.names("decide") if hasattr(registry.load("decide", type), "decide")
]


def build(type: str) -> Policy:
    rig = RIGS[type]
    options, problems = strict.decode(registry.load("decide", type).Options, rig.options)
    assert options is not None, problems
    described = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="rig"),
        signals={signal.id: signal for signal in rig.signals},
        plugins={
            "insight": {n: Plugin("insight", n, "vision", Vision, None) for n in rig.analyses}
        },
    )
    policy: Policy = registry.load("decide", type)("rig", options, described)
    return policy


ROW = st.tuples(
    st.integers(-100 * SECOND, 100 * SECOND),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(0, 255),
)
SOON = st.integers(-5 * SECOND, 5 * SECOND)
VERDICT = st.fixed_dictionaries(
    {},
    optional={
        "verdict": st.sampled_from(["pass", "reject", "unsure"]),
        "stage": st.sampled_from(["shadow", "advise", "decide"]),
        "serial": st.text(max_size=4),
    },
)
SANE = st.tuples(st.integers(0, 5 * SECOND), st.floats(0, 100), st.just(0))


def window(
    now: int,
    rows: dict[str, list[tuple[int, float, int]]],
    said: Sequence[tuple[str, int, dict[str, str]]] = (),
) -> Window:
    samples = {
        id: Samples(
            np.array([now + time for time, _, _ in given], np.int64),
            np.array([value for _, value, _ in given], np.float64),
            np.array([status for _, _, status in given], np.uint8),
        )
        for id, given in rows.items()
    }
    findings = tuple(
        Finding(
            origin=origin, asset="rig", name="inspection", start=now + time, end=now + time,
            evidence=evidence,
        )
        for origin, time, evidence in said
    )  # fmt: skip
    return Window(START, now, samples, findings=findings)


def decide(policy: Policy, now: int, seen: Window) -> list[Command]:
    try:
        return list(policy.decide(now, seen))
    except NotEnoughData:
        return []


def test_every_policy_is_tested() -> None:
    assert set(POLICIES) == set(RIGS)


@pytest.mark.parametrize("type", POLICIES)
def test_it_fits_the_port_and_says_what_it_needs(type: str) -> None:
    policy = build(type)
    assert isinstance(policy, Policy)
    assert policy.needs == build(type).needs
    assert set(policy.needs.signals) <= {signal.id for signal in RIGS[type].signals}


@pytest.mark.parametrize("type", POLICIES)
def test_without_anything_new_it_asks_for_nothing(type: str) -> None:
    assert decide(build(type), START, Window(START, START)) == []


@pytest.mark.parametrize("type", POLICIES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_whatever_it_sees_its_commands_are_well_formed(type: str, data: st.DataObject) -> None:
    first, second = build(type), build(type)
    writable = {signal.id: signal for signal in RIGS[type].signals if signal.access == "rw"}
    now, ids = START, set()
    for _ in range(data.draw(st.integers(1, 6))):
        now += data.draw(st.integers(0, 20 * SECOND))
        rows = {id: data.draw(st.lists(ROW | SANE, max_size=4)) for id in first.needs.signals}
        told = st.tuples(st.sampled_from(first.needs.findings or ("eye",)), SOON, VERDICT)
        said = data.draw(st.lists(told, max_size=3)) if first.needs.findings else []
        commands = decide(first, now, window(now, rows, said))
        again = decide(second, now, window(now, rows, said))
        assert commands == again  # nothing but its input counts
        for command in commands:
            signal = writable[command.signal]
            assert np.isfinite(command.value)
            assert signal.low is None or command.value >= signal.low
            assert signal.high is None or command.value <= signal.high
            assert command.origin == "rig"
            assert command.because
            assert command.issued == now < command.expires
            assert command.id not in ids
            ids.add(command.id)


@pytest.mark.parametrize("type", registry.names("decide"))
def test_the_example_in_its_documentation_is_a_valid_factory(type: str, tmp_path: Path) -> None:
    cls = registry.load("decide", type)
    example = re.search(r"```toml\n(.*?)```", cls.__doc__ or "", re.DOTALL)
    assert example is not None
    lines = [line.removeprefix("    ") for line in example[1].splitlines()]
    path = tmp_path / "factory.toml"
    path.write_text('[factory]\nid = "works"\n' + "\n".join(lines) + "\n")
    described = factory.read(path)
    for plugin in described.room("decide").values():
        plugin.cls(plugin.name, plugin.options, described)
