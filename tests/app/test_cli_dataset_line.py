"""Sets cut from a line's history: what was known, who said it, which lot, and what a press did."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deungdae.app.datasets import Shelf, make
from deungdae.app.datasets.make import Line
from deungdae.core.clock import RealClock, from_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import HOUR, MINUTE, SECOND, Batch, Event, Finding, Signal
from deungdae.historian.store import Historian, HistorianOptions
from deungdae.learn.dataset import Declaration, Join, Pictures, Signals
from deungdae.model import factory as model
from deungdae.wires.blobs import Blobs

FACTORY = """
[factory]
id = "works"
[historian]
path = "history"
[equipment.line1]
level = "line"
[equipment.camera]
parent = "line1"
[machines.camera]
type = "camera"
url = "http://127.0.0.1:9"
folder = "images"
[[signals]]
id = "camera.image"
kind = "image"
source = "camera:image"
"""
START = from_iso("2026-11-02T08:00:00+09:00")
NOW = START + 10 * HOUR
LOTS = ("L1", "L1", "L2", "L2,L3", "L3", "")
SIGNALS = [
    Signal(id="camera.image", kind="image"),
    Signal(id="press.force", unit="kN"),
    Signal(id="press.state", kind="state"),
]


class Still(RealClock):
    """A clock that stands still at the end of the day."""

    def now(self) -> int:
        return NOW


def png(n: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), n, np.uint8)).save(file, "PNG")
    return file.getvalue()


def seen(n: int) -> int:
    """Return when the camera saw part n, half an hour after it was pressed."""
    return START + HOUR + n * 10 * MINUTE


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """Give a history of six bricks; the sixth has no lot, the image of the fifth is damaged."""
    (tmp_path / "factory.toml").write_text(FACTORY)
    blobs = Blobs(tmp_path / "images")
    refs = [blobs.put(png(n) if n != 4 else b"\x89PNG broken") for n in range(6)]
    factory = model.read(tmp_path, {"historian": HistorianOptions})
    with Historian(tmp_path / "history") as store:
        fill(store, refs)
        yield Line(store, factory)


def fill(store: Historian, refs: list[str]) -> None:
    """Write what a press, a camera, an inspection and two people said of the bricks."""
    handle = int(store.register(SIGNALS)[1])
    items: list[Batch | Event | Finding] = []
    times, values = [], []
    for n, (ref, lot) in enumerate(zip(refs, LOTS, strict=True)):
        pressed, serial = seen(n) - 30 * MINUTE, f"B{n}"
        told = {"start": str(pressed - 20 * SECOND)} | ({"lot": lot} if lot else {})
        items.append(Event(id="press.part", time=pressed, kind="scan", value=serial,
                           received=pressed, data=told))  # fmt: skip
        items.append(Event(id="camera.image", time=seen(n), kind="image", value=ref,
                           received=seen(n), data={"serial": serial}))  # fmt: skip
        verdict = "reject" if n == 2 else "pass"
        items.append(Finding(origin="vision", asset="camera", name="inspection", start=seen(n),
                             end=seen(n), evidence={"image": ref, "verdict": verdict}))  # fmt: skip
        times += [pressed - 30 * SECOND, pressed - 20 * SECOND, pressed]
        values += [0.0, 1000.0 + n, 0.0]
    items.append(Batch.of([handle] * len(times), times, values, received=NOW))
    said = ((0, "kim", "good", 1), (2, "kim", "good", 1), (2, "lee", "reject", 2),
            (1, "lee", "reject", 9))  # fmt: skip
    for n, who, word, when in said:
        items.append(
            Event(id="camera.image.label", time=seen(n), kind="note", value=word,
                  received=START + 3 * HOUR + when * MINUTE, data={"ref": refs[n], "person": who})
        )  # fmt: skip
    items += [Event(id="press.state", time=START + n * HOUR, kind="state", value=word)
              for n, word in enumerate(("idle", "running"))]  # fmt: skip
    store.append(items)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "datasets", Still())


def pictures(**told: object) -> Declaration:
    return Declaration(
        name="bricks", pictures=Pictures(signals=("camera.image",), **told)  # type: ignore[arg-type]
    )  # fmt: skip


def test_what_people_said_is_the_label_and_the_inspection_is_kept_beside(
    line: Line, shelf: Shelf
) -> None:
    dataset = make.from_line(shelf, pictures(), line, "kim")
    told = {item.name: item for item in dataset.items}
    assert {name: item.label for name, item in told.items()} == {
        "B0": "good", "B1": "reject", "B2": "reject", "B3": "", "B5": "",
    }  # fmt: skip
    assert [(each.source, each.who, each.label) for each in told["B2"].labels] == [
        ("inspection", "vision", "reject"),
        ("person", "kim", "good"),
        ("person", "lee", "reject"),
    ]
    card = dataset.card
    assert card.contradicting == 1
    assert (card.origin.factory, card.origin.line) == ("works", "line1")
    assert len(card.left_out) == 1
    assert "camera.image" in card.left_out[0]
    assert "no image of a known kind" in card.left_out[0]
    assert card.drift == (seen(0), seen(5))
    assert shelf.verify("bricks") == []


def test_only_what_was_known_then_counts(line: Line, shelf: Shelf) -> None:
    """At 11:01:30 one label was given; at 11:05 lee had not looked at B1 yet."""
    early = pictures(known="2026-11-02T11:01:30+09:00")
    labels = {i.name: i.label for i in make.from_line(shelf, early, line, "kim").items}
    assert labels == {"B0": "good", "B1": "", "B2": "good", "B3": "", "B5": ""}
    by_end = pictures(until="2026-11-02T11:05:00+09:00")
    labels = {i.name: i.label for i in make.from_line(shelf, by_end, line, "kim").items}
    assert labels == {"B0": "good", "B1": "", "B2": "reject", "B3": "", "B5": ""}


def test_the_inspections_word_where_nobody_looked(line: Line, shelf: Shelf) -> None:
    dataset = make.from_line(shelf, pictures(labels="both"), line, "kim")
    assert dataset.card.sources == {"inspection": 2, "person": 3}
    only = make.from_line(shelf, pictures(labels="inspection"), line, "kim")
    assert {item.name: item.label for item in only.items}["B1"] == "good"
    people = make.from_line(shelf, pictures(only_labelled=True), line, "kim")
    assert [item.name for item in people.items] == ["B0", "B1", "B2"]


def test_lots_that_share_a_brick_are_one_group(line: Line, shelf: Shelf) -> None:
    dataset = make.from_line(shelf, pictures(group="lot"), line, "kim")
    assert {item.name: item.group for item in dataset.items} == {
        "B0": "L1", "B1": "L1", "B2": "L2", "B3": "L2", "B5": "B5",
    }  # fmt: skip
    assert any("of 1 images the lot is not known" in limit for limit in dataset.card.limits)


def test_what_the_press_did_with_this_brick(line: Line, shelf: Shelf) -> None:
    joins = (
        Join(signal="press.force", step="press"),
        Join(signal="press.force", step="press", what="maximum", name="peak"),
        Join(signal="press.force", step="oven", name="none"),
        Join(signal="press.force", window=3600, name="hour"),
    )
    dataset = make.from_line(shelf, pictures(joins=joins), line, "kim")
    assert dataset.column("press.force.mean").tolist() == [1000.0, 1001.0, 1002.0, 1003.0, 1005.0]
    assert dataset.column("peak").tolist() == [1000.0, 1001.0, 1002.0, 1003.0, 1005.0]
    assert np.isnan(dataset.column("none")).all()
    # four bricks were pressed in the hour before the first image, and the force is known for 1830 s
    expected = 20 * (1000 + 1001 + 1002 + 1003) / 1830
    assert dataset.column("hour")[0] == pytest.approx(expected, rel=1e-9)
    assert [c.unit for c in dataset.card.columns] == ["kN"] * 4


def test_the_newest_of_too_many(line: Line, shelf: Shelf) -> None:
    declared = Declaration(name="bricks", limit=3, pictures=pictures().pictures)
    dataset = make.from_line(shelf, declared, line, "kim")
    assert [item.name for item in dataset.items] == ["B3", "B5"]  # B4 is damaged
    assert "the newest 3 of 6 images: limit = 3" in dataset.card.limits


def test_the_same_cut_is_the_same_version(line: Line, shelf: Shelf) -> None:
    declared = pictures(until="2026-11-02T18:00:00+09:00")
    first = make.from_line(shelf, declared, line, "kim")
    second = make.from_line(shelf, declared, line, "lee")
    assert first.card.version == second.card.version
    assert [entry.who for entry in shelf.log("bricks")] == ["kim", "lee"]


def test_says_what_is_not_there(line: Line, shelf: Shelf) -> None:
    wrong = Declaration(name="x", pictures=Pictures(signals=("camera.imago",)))
    with pytest.raises(ValueError, match=r"did you mean camera\.image"):
        make.from_line(shelf, wrong, line, "kim")
    wrong = Declaration(name="x", pictures=Pictures(signals=("press.force",)))
    with pytest.raises(ValueError, match="is of kind number"):
        make.from_line(shelf, wrong, line, "kim")
    with pytest.raises(NotEnoughData, match="no image"):
        make.from_line(shelf, pictures(until="2026-11-01"), line, "kim")
    with pytest.raises(ValueError, match="is not before"):
        make.from_line(shelf, pictures(since="2027-01-01"), line, "kim")
    with pytest.raises(ValueError, match="no ISO 8601 time"):
        make.from_line(shelf, pictures(since="yesterday"), line, "kim")
    with pytest.raises(ValueError, match="which factory"):
        make.from_line(shelf, pictures(), Line(line.store), "kim")


class TestRows:
    def declared(self, limit: int = 100_000, **told: object) -> Declaration:
        asked = {"signals": ("press.force",), "events": ("press.state",), "every": 600.0,
                 "until": "2026-11-02T12:00:00+09:00", **told}  # fmt: skip
        return Declaration(name="press", limit=limit, signals=Signals(**asked))  # type: ignore[arg-type]

    def test_signals_at_equal_steps_with_states_as_columns(self, line: Line, shelf: Shelf) -> None:
        dataset = make.from_line(shelf, self.declared(every=60.0), line, "kim")
        assert dataset.card.kind == "rows"
        times = [item.time for item in dataset.items]
        assert set(np.diff(times)) == {60 * SECOND}
        states = dict(zip(times, dataset.column("press.state"), strict=True))
        assert states[START + 59 * MINUTE] == "idle"
        assert states[START + HOUR] == "running"
        force = dict(zip(times, dataset.column("press.force"), strict=True))
        # of the minute from 8:29 on: 30 s until the press begins, 10 s idle, 20 s at 1000
        assert force[START + 29 * MINUTE] == pytest.approx(20 * 1000 / 30, rel=1e-9)
        assert force[START + 35 * MINUTE] == 0.0  # silent, and nothing says that it is gone
        assert times[-1] == START + 80 * MINUTE  # nothing is known behind the last sample

    def test_a_state_may_be_the_label_and_the_group(self, line: Line, shelf: Shelf) -> None:
        declared = self.declared(label="press.state", group="press.state", events=())
        dataset = make.from_line(shelf, declared, line, "kim")
        assert {item.label for item in dataset.items} == {"idle", "running"}
        assert dataset.card.groups == 2
        assert dataset.card.sources == {"signal": len(dataset)}

    def test_groups_are_days_in_the_factorys_zone(self, line: Line, shelf: Shelf) -> None:
        assert {i.group for i in make.from_line(shelf, self.declared(), line, "kim").items} == {
            "2026-11-02"
        }
        weekly = make.from_line(shelf, self.declared(group="week"), line, "kim")
        assert {item.group for item in weekly.items} == {"2026-W45"}

    def test_the_newest_of_too_many(self, line: Line, shelf: Shelf) -> None:
        dataset = make.from_line(shelf, self.declared(limit=5), line, "kim")
        assert len(dataset) == 5
        assert "the newest 5 rows only: limit = 5" in dataset.card.limits

    def test_says_what_is_not_there(self, line: Line, shelf: Shelf) -> None:
        with pytest.raises(ValueError, match=r"did you mean press\.state"):
            make.from_line(shelf, self.declared(events=("press.stat",)), line, "kim")
        with pytest.raises(ValueError, match="name a state"):
            make.from_line(shelf, self.declared(label="press.force"), line, "kim")
        with pytest.raises(NotEnoughData, match="no whole row"):
            make.from_line(shelf, self.declared(until="2026-11-01"), line, "kim")
