"""Losses, shifts and weeks on the command line, with what people said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from deungdae.app.cli import main
from deungdae.core.clock import from_iso
from deungdae.core.types import HOUR, MINUTE, Event, Signal
from deungdae.historian.store import Historian

BEGIN = from_iso("2026-03-02T08:00:00+09:00")
FACTORY = """
[factory]
id = "works"
name = "벽돌 공장"

[calendar]
shifts = [{ name = "주간", start = "08:00", end = "20:00" }]

[stops.reasons]
"설비" = ["실린더 누유"]

[equipment.press]
name = "1호 프레스"

[[signals]]
id = "press.state"
kind = "state"
"""


@pytest.fixture
def works(tmp_path: Path) -> Path:
    """A press that stood for an hour of a shift, for a reason, and its factory file."""
    (tmp_path / "factory.toml").write_text(FACTORY, encoding="utf-8")
    with Historian(tmp_path / "history") as store:
        store.register([Signal(id="press.state", kind="state")])
        words = ((0, "running"), (120, "down"), (180, "running"), (12 * 60, "off"))
        told = [
            Event(id="press.state", time=BEGIN + minute * MINUTE, kind="state", value=word)
            for minute, word in words
        ]
        data = {"person": "김반장", "at": "1"}
        why = Event(
            id="press.reason", time=BEGIN + 2 * HOUR, kind="note", value="실린더 누유", data=data
        )
        note = Event(id="works.handover", time=BEGIN + HOUR, kind="note", value="오일 보충 완료",
                     data={"person": "이조장"})  # fmt: skip
        store.append([*told, why, note])
    return tmp_path


def asked(works: Path, *words: str) -> list[str]:
    store = ("--store", str(works / "history"), "--factory", str(works / "factory.toml"))
    return ["report", *words, *store, "--log", "error"]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_last_shift_and_what_cost_most(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = ("--to", "2026-03-03")
    found = told(capsys, *asked(works, "shift", *to))
    assert (found["shift"], found["start"]) == ("주간", "2026-03-02T08:00:00+09:00")
    (press,) = found["machines"]
    assert press["parts"] == {"failure": 3600, "unrated": 11 * 3600}
    assert [(stop["reason"], stop["wants"]) for stop in press["stops"]] == [("실린더 누유", False)]
    assert main(asked(works, "shift", *to)) == 0
    words = capsys.readouterr().out
    assert "가장 큰 손실은 1호 프레스의 ‘실린더 누유’ 1시간(계획 시간의 8 %)입니다." in words


def test_losses_of_any_period(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    period = ("--from", "2026-03-02T00:00Z", "--to", "2026-03-02T04:00Z", "--language", "en")
    rows = told(capsys, *asked(works, "losses", *period))
    shares = {row["name"]: row["share"] for row in rows}
    assert shares == {"Down": 25, "Ran, not rated": 75}


def test_states_tell_what_people_said(works: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--store", str(works / "history"), "--log", "error")
    period = ("--from", "2026-03-02", "--to", "2026-03-03", "--tz", "Asia/Seoul")
    rows = told(capsys, "report", "states", *store, *period)
    reasons = {row["state"]: row["reasons"] for row in rows}
    assert reasons["down"] == {"실린더 누유": 3600}
    assert reasons["running"] == {}


@pytest.mark.parametrize(
    ("what", "to", "title"),
    [("shift", "2026-03-03", "3월 2일(월) 주간"), ("week", "2026-03-04", "주간 보고서")],
)
def test_on_paper(works: Path, what: str, to: str, title: str, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    assert main([*asked(works, what, "--to", to), "--pdf", str(file)]) == 0
    text = "".join(page.extract_text() for page in PdfReader(file).pages)
    for words in ("벽돌 공장", title, "실린더 누유", "오일 보충 완료", "이조장"):
        assert words in text


def test_on_paper_in_english_and_with_words_of_any_kind(works: Path, tmp_path: Path) -> None:
    strange = "<b>漢字</b> \x07 \u202e 🧱 " + "긴 말 " * 400
    with Historian(works / "history") as store:
        note = Event(id="works.handover", time=BEGIN + 2 * HOUR, kind="note", value=strange)
        store.append([note])
    file = tmp_path / "report.pdf"
    arguments = [
        *asked(works, "shift", "--to", "2026-03-03", "--language", "en"),
        "--pdf",
        str(file),
    ]
    assert main(arguments) == 0
    text = "".join(page.extract_text() for page in PdfReader(file).pages)
    assert "Where the time went" in text
    assert "<b>" in text
    assert "긴 말" in text


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("losses", "--pdf", "x.pdf", "--from", "2026-03-02"), 2, "has no PDF"),
        (("shift", "--from", "2026-03-02T22:00:00+09:00"), 1, "no shift"),
        (("shift", "--to", "2026-03-03", "--asset", "saw"), 1, "saw"),
    ],
)
def test_what_cannot_be_reported(
    works: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    capsys.readouterr()
    assert main(asked(works, *words)) == code
    assert says in capsys.readouterr().err
