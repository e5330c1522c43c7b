"""`detect bearing`: recordings in, faults and zones out; wrong input is said in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from deungdae.app.cli import main
from deungdae.sim.plant.motor import Motor, MotorParameters

SIZES = ("--balls", "9", "--ball", "7.94", "--pitch", "39.04")


def detect(*arguments: object) -> int:
    return main(["detect", "bearing", *map(str, arguments)])


def wave(fault: str, seed: int = 1) -> np.ndarray:
    motor = Motor(MotorParameters(), np.random.default_rng(seed))
    motor.drive("running", 0.0)
    if fault:
        motor.call(f"start_{fault}_fault")
        motor.step(8 * 3600)
    return motor.waveform(48_000, 12_000)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    np.save(folder / "good.npy", wave(""))
    np.save(folder / "outer.npy", wave("outer"))
    both = {"X1_DE_time": wave("inner")[:, None], "X1_FE_time": wave("")[:, None]}
    savemat(folder / "inner.mat", both | {"X1RPM": [[1770]]})
    np.savetxt(folder / "ball.csv", wave("ball"), header="shaking", comments="")
    return folder


def test_faults_are_named_against_healthy_running(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [recordings / name for name in ("good.npy", "outer.npy", "ball.csv")]
    code = detect(*files, *SIZES, "--rate", 12000, "--speed", 1770, "--healthy", files[0], "--json")
    assert code == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["found"] for row in rows] == ["none", "outer", "ball"]
    assert rows[1]["blocks that agree"] == "4 of 4"
    assert rows[1]["zone"] == "A"
    assert rows[1]["strikes"]["outer"]["harmonics"] == 4


def test_a_matlab_file_brings_its_speed(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--rate", 12000, "--bearing", "6205", "--channel", "DE")
    assert detect(recordings / "inner.mat", *options) == 0
    told = capsys.readouterr().out
    assert "inner race: struck 15" in told
    assert detect(recordings / "inner.mat", *options[:-1], "FE", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["found"] == "none"


def test_multiples_may_be_given(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = ("--multiples", 5.4152, 3.5848, 4.7135, 0.39828, "--speed", 1770, "--rate", 12000)
    assert detect(recordings / "outer.npy", *shown, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["found"] == "outer"


@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        ("outer.npy", ("--bearing", "6205"), "give --speed"),
        ("outer.npy", ("--speed", 1770), "state one of --bearing"),
        ("outer.npy", ("--speed", 1770, "--bearing", "1"), "not in the catalogue: 6203, 6205"),
        ("outer.npy", ("--speed", 1770, "--balls", 9), "missing required field"),
        ("inner.mat", ("--bearing", "6205"), "X1_DE_time, X1_FE_time: name one with --channel"),
        ("none.npy", ("--bearing", "6205"), "is not there"),
        ("none.xls", ("--bearing", "6205"), "are read from .mat, .csv, .npy"),
        ("bad.mat", ("--bearing", "6205"), "is no .mat file"),
        ("bad.npy", ("--bearing", "6205"), "is no .npy file"),
        ("bad.csv", ("--bearing", "6205", "--speed", 1770), "bad.csv"),
    ],
)
def test_wrong_input_is_said_in_words(
    recordings: Path,
    file: str,
    options: tuple[object, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("bad.mat", "bad.npy", "bad.csv"):
        (recordings / name).write_bytes(b"no such thing\x00\xff" * 9)
    assert detect(recordings / file, "--rate", 12000, *options) == 2
    assert said in capsys.readouterr().err


def test_too_little_says_how_much_is_missing(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(recordings / "short.npy", wave("outer")[:4000])
    options = ("--rate", 12000, "--speed", 1770, "--bearing", "6205")
    assert detect(recordings / "short.npy", *options) == 1
    assert "0.33 s hold no block of 1 s" in capsys.readouterr().err
