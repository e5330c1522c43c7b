"""The factory file: what is right is read, and every wrong thing is told with its line."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core import registry
from deungdae.core.errors import FactoryError
from deungdae.core.types import Signal
from deungdae.model import factory as model

GOOD = """
[factory]
id = "works"
timezone = "Asia/Seoul"

[[signals]]
id = "kiln1.temperature"
unit = "Cel"
source = "kiln:temperature"

[[signals]]
id = "press1.count"

[machines.kiln]
type = "simulated"
model = "kiln"

[equipment.line1]
level = "line"

[equipment.kiln1]
parent = "line1"
name = "소성로"

[calendar]
shifts = [{ name = "day", start = "08:00", end = "17:00", days = "mon-fri" }]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "factory.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> dict[str, tuple[int | None, str, str]]:
    with pytest.raises(FactoryError) as told:
        model.read(write(folder, text))
    return {fault.key: (fault.line, fault.problem, fault.remedy) for fault in told.value.faults}


def test_a_right_file_is_read(tmp_path: Path) -> None:
    factory = model.read(write(tmp_path, GOOD).parent)
    assert factory.id == "works"
    assert [s.id for s in factory.signals_of("kiln")] == ["kiln1.temperature"]
    assert factory.assets["kiln1"].name == "소성로"
    assert factory.assets["press1"].kind == "equipment"  # told of only by its signal
    assert factory.room("machines")["kiln"].options.model == "kiln"
    assert factory.calendar.shifts[0].name == "day"


def test_a_fault_of_a_plug_in_names_its_option_and_the_line_of_its_table(tmp_path: Path) -> None:
    factory = model.read(write(tmp_path, GOOD))
    fault = factory.fault("machines", "kiln", "model", "oven", "is no model", "kiln")
    assert (fault.key, fault.value) == ("machines.kiln.model", "oven")
    assert fault.line == GOOD.split("\n").index("[machines.kiln]") + 1
    whole = factory.fault("insight", "none", "", None, "is wrong")
    assert (whole.key, whole.line, whole.remedy) == ("insight.none", None, "")


def test_every_error_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = """[factory]
id = "Works"
timezone = "Asia/Soul"
[calender]
[[signals]]
id = "kiln"
unit = "°C"
[[signals]]
id = "kiln1.t"
source = "kil:x"
low = 5
high = 1
[[signals]]
id = "kiln1.t"
scale = 0
kind = "numbr"
[machines.kiln]
type = "simulatd"
[machines.press]
type = "simulated"
model = "press"
seeds = 3
[insight.nothing]
[equipment.a]
parent = "b"
"""
    found = faults(tmp_path, text)
    assert {key: line for key, (line, _, _) in found.items()} == {
        "factory.id": 2,
        "calender": 4,
        "signals[0].id": 6,
        "signals[0].unit": 7,
        "signals[1].source": 10,
        "signals[1].low": 11,
        "signals[2].kind": 16,
        "machines.kiln.type": 18,
        "machines.press.seeds": 22,
        "insight.nothing": 23,
        "equipment.a.parent": 25,
    }
    assert found["machines.press.seeds"][2] == "did you mean seed?"
    assert found["machines.kiln.type"][2] == "did you mean simulated?"
    assert found["signals[1].source"][2] == "did you mean kiln?"


def test_a_signal_declared_twice_is_told(tmp_path: Path) -> None:
    found = faults(tmp_path, GOOD + '[[signals]]\nid = "press1.count"\n')
    assert found["signals[2].id"][1] == "is declared twice"


def test_an_unknown_time_zone_is_told(tmp_path: Path) -> None:
    found = faults(tmp_path, GOOD.replace("Asia/Seoul", "Asia/Soul"))
    assert found["factory.timezone"][0] == 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[factory\n", "is no TOML"), ("", "is missing"), ("factory = 5\n", "must be a table"),
     ("[factory]\nid='w'\n[machines]\nkiln = 5\n", "must be a table"),
     ("signals = 5\n[factory]\nid='w'\n", "must be a list")],
)  # fmt: skip
def test_a_file_of_another_shape_is_told(tmp_path: Path, text: str, problem: str) -> None:
    assert any(problem in said for _, said, _ in faults(tmp_path, text).values())


def test_a_missing_file_names_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FactoryError, match="deungdae init"):
        model.read(tmp_path)


def test_a_broken_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "factory.toml").write_bytes("id = '등대'".encode("cp949"))
    with pytest.raises(FactoryError, match="UTF-8"):
        model.read(tmp_path)


def with_csv(folder: Path, rows: str) -> Path:
    (folder / "signals.csv").write_text(rows, encoding="utf-8-sig")
    return write(folder, 'signals = "signals.csv"\n[factory]\nid = "w"\n')


def test_signals_of_a_spreadsheet(tmp_path: Path) -> None:
    path = with_csv(tmp_path, 'id,name,unit,low,high\na.t,"온도, 위",Cel,0,100\n\na.s,,,,\n')
    assert list(model.read(path).signals.values()) == [
        Signal(id="a.t", name="온도, 위", unit="Cel", low=0, high=100),
        Signal(id="a.s"),
    ]


def test_errors_of_a_spreadsheet_name_their_line(tmp_path: Path) -> None:
    path = with_csv(tmp_path, "id,low,uni\na.t,x,Cel\na.u,1,\n,2,\na.v,1,,9\n")
    with pytest.raises(FactoryError) as told:
        model.read(path)
    found = {(fault.line, fault.key) for fault in told.value.faults}
    assert found == {(2, "a.t.low"), (2, "a.t.uni"), (4, "row.id"), (5, "a.v")}


def test_lines_of_nested_tables() -> None:
    text = '[a]\nx.y = 1\n"q.r" = 2\n[[b]]\n[[b.c]]\nk = 1\n[[b]]\n[[b.c]]\n[[b.c]]\nk = 2\n'
    lines = model.locate(text)
    assert lines["a", "x", "y"] == 2
    assert lines["a", "q.r"] == 3
    assert lines["b", 0, "c", 0, "k"] == 6
    assert lines["b", 1, "c", 1, "k"] == 10


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_faults(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = write(Path(folder), text)
        with pytest.raises(FactoryError) as told:  # nothing so short is a factory
            model.read(path)
        assert told.value.faults


class Reader:
    """A plug-in that names a file."""

    files = ("line",)

    class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        line: str = ""


def test_the_text_of_a_file_that_a_plug_in_names_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", lambda room, type: Reader)
    text = '[factory]\nid = "works"\n[twin.line]\ntype = "reader"\nline = "line.toml"\n'
    assert faults(tmp_path, text)["twin.line.line"][:2] == (5, "is not there")
    (tmp_path / "line.toml").write_text("name = '라인'", encoding="utf-8")
    assert model.read(write(tmp_path, text)).texts == {"line.toml": "name = '라인'"}
    (tmp_path / "line.toml").write_bytes(b"\xff")
    assert "UTF-8" in faults(tmp_path, text)["twin.line.line"][2]


NAMED = """
[factory]
id = "works"

[[signals]]
id = "kiln1.temperature"
source = "kiln:zone4"

[machines.kiln]
type = "modbus"
url = "tcp://10.0.0.7:502"
addresses = { %s }
"""


def test_a_machine_may_have_names_of_ours_for_its_addresses(tmp_path: Path) -> None:
    factory = model.read(write(tmp_path, NAMED % 'zone4 = "holding/30021?float32"'))
    assert factory.signals["kiln1.temperature"].source == "kiln:holding/30021?float32"


@pytest.mark.parametrize(
    ("names", "key", "problem"),
    [
        ('zone4 = "holding/1?float32", zone5 = "holding/3"', "addresses.zone5", "no signal uses"),
        ('zone4 = "nowhere"', "signals[0].source", "nowhere"),
        ("zone4 = 30021", "addresses", "table of text"),
    ],
)
def test_a_wrong_name_of_an_address_is_told(
    tmp_path: Path, names: str, key: str, problem: str
) -> None:
    (found,) = [
        told for name, told in faults(tmp_path, NAMED % names).items() if name.endswith(key)
    ]
    assert problem in found[1]


LAYOUT = """
[factory]
id = "f"

[equipment.press-1]

[machines.plc]
type = "simulated"
model = "press"

[[signals]]
id = "area.kiln.count"
source = "plc:count"
"""


def test_the_layout_says_where_equipment_stands(tmp_path: Path) -> None:
    text = LAYOUT + '[layout]\npress-1 = [120, 40.5]\n"area.kiln" = [0, -3]\n'
    (tmp_path / "factory.toml").write_text(text)
    assert model.read(tmp_path).layout == {"press-1": (120.0, 40.5), "area.kiln": (0.0, -3.0)}


@pytest.mark.parametrize(
    ("line", "problem", "remedy"),
    [
        ("press-3 = [1, 2]", "is no asset of this factory", "did you mean press-1?"),
        ("press-1 = [1]", "is no place on the plan", "[120, 40]"),
        ("press-1 = [1, nan]", "is no place on the plan", "[120, 40]"),
        ("press-1 = [1, true]", "is no place on the plan", "[120, 40]"),
        ('press-1 = "left"', "is no place on the plan", "[120, 40]"),
    ],
)
def test_a_wrong_place_is_told(tmp_path: Path, line: str, problem: str, remedy: str) -> None:
    (tmp_path / "factory.toml").write_text(f"{LAYOUT}[layout]\n{line}\n")
    with pytest.raises(FactoryError) as caught:
        model.read(tmp_path)
    (fault,) = caught.value.faults
    assert problem in fault.problem
    assert remedy in fault.remedy
    assert fault.line == 15


def test_drafts_are_read_in_place_of_files(tmp_path: Path) -> None:
    (tmp_path / "factory.toml").write_text("nonsense")
    text = LAYOUT.split("[[signals]]", maxsplit=1)[0]
    drafts = {
        "factory.toml": f'signals = "s.csv"\n{text}',
        "s.csv": "\ufeffid,name,source\r\nx.a,가,plc:count\r\n",
    }
    assert model.read(tmp_path, drafts=drafts).signals["x.a"].name == "가"
