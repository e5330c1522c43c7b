"""Machines and signals that come to a factory's files: added, with all else left as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from deungdae.app import describe, discover
from deungdae.core.errors import FactoryError
from deungdae.core.types import Signal
from deungdae.model.factory import Factory

EMPTY = '# mine\n\n[factory]\nid = "f"\n'
PRESS = discover.Machine(
    name="press_2", type="simulated", title='2호 "프레스"', table={"model": "press", "period": 0.5}
)
SIGNALS = [
    Signal(id="press_2.count", name='수량, "개"', unit="{part}", source="press_2:count"),
    Signal(id="press_2.state", kind="state", source="press_2:state", states="0=running, 1=idle"),
]


def added(**texts: str) -> dict[str, str]:
    """Return the changed texts; files are named without what stands behind the dot."""
    names = {"factory": "factory.toml", "signals": "signals.csv"}
    return discover.add({names[k]: v for k, v in texts.items()}, "factory.toml", PRESS, SIGNALS)


def described(tmp_path: Path, texts: dict[str, str]) -> Factory:
    return describe.read(tmp_path / "factory.toml", texts)


def test_an_empty_factory_gets_a_table_of_signals(tmp_path: Path) -> None:
    texts = added(factory=EMPTY)
    assert texts["factory.toml"].startswith('# mine\n\nsignals = "signals.csv"\n\n[factory]\n')
    factory = described(tmp_path, texts)
    assert list(factory.signals.values()) == SIGNALS
    assert factory.assets["press_2"].name == '2호 "프레스"'
    assert factory.room("machines")["press_2"].options.period == 0.5


def test_rows_come_behind_those_that_are_there(tmp_path: Path) -> None:
    table = "name,id,source\n온도,kiln.temperature,kiln:temperature\n\n"
    machines = '[machines.kiln] # hot\ntype = "simulated"\nmodel = "kiln"\n'
    texts = added(factory=f'signals = "signals.csv"\n{EMPTY}{machines}', signals=table)
    assert texts["factory.toml"].startswith(f'signals = "signals.csv"\n{EMPTY}{machines}')
    assert texts["signals.csv"] == (
        "name,id,source,unit,kind,states\n"
        "온도,kiln.temperature,kiln:temperature\n"
        '"수량, ""개""",press_2.count,press_2:count,{part},number,\n'
        ',press_2.state,press_2:state,1,state,"0=running, 1=idle"\n'
    )
    assert list(described(tmp_path, texts).signals)[1:] == [signal.id for signal in SIGNALS]


def test_signals_in_the_factory_file_stay_there(tmp_path: Path) -> None:
    own = '[[signals]]\nid = "a.b"\n\n[decide.gate]\ntype = "gate"\n'
    texts = added(factory=EMPTY + own)
    assert list(texts) == ["factory.toml"]
    assert texts["factory.toml"].startswith(EMPTY + own)
    assert list(described(tmp_path, texts).signals)[1:] == [signal.id for signal in SIGNALS]
    assert "scale" not in tomllib.loads(texts["factory.toml"])["signals"][1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (EMPTY + '[machines.press_2]\ntype = "x"\n', "machines.press_2: is there already"),
        ("signals = []\n" + EMPTY, "is a list that nothing can be added to"),
        ("[factory", "is no TOML"),
    ],
)
def test_what_cannot_be_added_is_told(text: str, words: str) -> None:
    with pytest.raises(FactoryError, match=words):
        added(factory=text)


def test_a_name_that_is_none_is_told() -> None:
    machine = discover.Machine(name="Press 2", type="simulated")
    with pytest.raises(FactoryError, match="small letters"):
        discover.add({"factory.toml": EMPTY}, "factory.toml", machine, [])


def test_a_known_equipment_keeps_its_name() -> None:
    own = '[equipment.press_2]\nname = "old"\n'
    assert "프레스" not in added(factory=EMPTY + own)["factory.toml"]
