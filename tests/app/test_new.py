"""`deungdae new`: what it writes is a plug-in that works and that the style accepts."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deungdae.app.cli import main
from deungdae.core.clock import RealClock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Analyser, Driver, Policy, Samples, Window
from deungdae.core.types import SECOND, Signal
from deungdae.model.factory import Factory, Identity

FACTORY = Factory(
    path=Path(),
    identity=Identity(id="works"),
    signals={"k.t": Signal(id="k.t", unit="Cel"), "k.v": Signal(id="k.v", access="rw")},
)
WINDOW = Window(
    0, 3 * SECOND, {"k.t": Samples(np.arange(3), np.array([1.0, 2.0, 9.0]), np.zeros(3, np.uint8))}
)


def made(folder: Path, room: str) -> Any:
    assert main(["new", room, "probe", "--folder", str(folder)]) == 0
    path = folder / "probe.py"
    for tool in (["ruff", "check"], ["ruff", "format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", *tool, "--config", "pyproject.toml", str(path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    spec = importlib.util.spec_from_file_location("probe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["probe"] = module  # where the types of its options are looked up
    spec.loader.exec_module(module)
    return module.Probe


def test_a_new_analysis_concludes(tmp_path: Path) -> None:
    cls = made(tmp_path, "insight")
    work = cls("mine", cls.Options(signal="k.t"), FACTORY)
    assert isinstance(work, Analyser)
    (finding,) = work.update(3 * SECOND, WINDOW)
    assert (finding.value, finding.unit, finding.asset) == (4.0, "Cel", "k")


def test_a_new_decision_asks(tmp_path: Path) -> None:
    cls = made(tmp_path, "decide")
    options = cls.Options(measurement="k.t", output="k.v", limit=5, safe=0)
    work = cls("mine", options, FACTORY)
    assert isinstance(work, Policy)
    (command,) = work.decide(3 * SECOND, WINDOW)
    assert (command.signal, command.value) == ("k.v", 0)


async def test_a_new_driver_is_one_and_says_what_is_missing(tmp_path: Path) -> None:
    cls = made(tmp_path, "machines")
    driver = cls("mine", cls.Options(url="tcp://127.0.0.1:1"), RealClock())
    assert isinstance(driver, Driver)
    with pytest.raises(Unreachable, match="not written yet"):
        await driver.connect()


def test_nothing_is_overwritten_and_names_are_checked(tmp_path: Path) -> None:
    assert main(["new", "insight", "probe", "--folder", str(tmp_path)]) == 0
    before = (tmp_path / "probe.py").read_text()
    assert main(["new", "insight", "probe", "--folder", str(tmp_path)]) == 2
    assert main(["new", "insight", "Bad-name", "--folder", str(tmp_path)]) == 2
    assert (tmp_path / "probe.py").read_text() == before
