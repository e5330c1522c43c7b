"""Parts beside a golden image: what is told of each, and what is no comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Appointed, Picture, Window
from deungdae.core.types import SECOND, Finding, Signal
from deungdae.insight.golden import Golden
from deungdae.learn.images import Example
from deungdae.learn.inspection import Lesson
from deungdae.learn.pairs.taught import train
from deungdae.learn.registry import Stage
from deungdae.model.factory import Factory, Identity

ID = "camera2.image"
Pixels = NDArray[np.uint8]


def label() -> Pixels:
    """Return a printed label: dark bars of 12 pixels on light paper."""
    pixels = np.full((120, 160, 3), 230, np.uint8)
    for left in range(20, 140, 30):
        pixels[20:100, left : left + 12] = 25
    return pixels


def make(kind: str = "image", **options: Any) -> Golden:
    signals = {ID: Signal(id=ID, kind=kind)}  # type: ignore[arg-type]
    factory = Factory(path=Path("factory.toml"), identity=Identity(id="works"), signals=signals)
    return Golden("print", Golden.Options(signal=ID, **options), factory)


def show(work: Golden, pixels: Pixels, number: int) -> list[Finding]:
    picture = Picture(number * SECOND, f"sha256:{number:064x}", f"L{number}", pixels)
    now = (number + 1) * SECOND
    return list(work.update(now, Window(picture.time, now, images={ID: (picture,)})))


@pytest.fixture
def taught() -> Golden:
    work = make()
    assert show(work, label(), 0) == []
    return work


def test_the_first_image_is_the_golden_one() -> None:
    work = make()
    assert (work.needs.images, Golden.examples) == ((ID,), ("golden",))
    with pytest.raises(NotEnoughData, match=f"no golden image of {ID} seen yet"):
        work.update(1, Window(0, 1))


def test_a_part_that_is_right_passes_in_any_light(taught: Golden) -> None:
    dim = (label() * 0.4 + 10).astype(np.uint8)
    moved = np.roll(label(), (4, -6), (0, 1))
    for number, pixels in enumerate([label(), dim, moved], start=1):
        (finding,) = show(taught, pixels, number)
        assert (finding.severity, finding.reason, finding.value) == (0, "", 0.0)
        assert finding.evidence["verdict"] == "pass"
        assert finding.evidence["serial"] == f"L{number}"
        assert finding.evidence["golden"] == f"sha256:{0:064x}"


def test_what_is_too_much_and_what_is_missing_are_told(taught: Golden) -> None:
    pixels = label()
    pixels[50:62, 35:47] = 25  # a blot between two bars
    pixels[70:80, 80:92] = 230  # a gap in a bar
    (finding,) = show(taught, pixels, 1)
    assert finding.severity == 2
    assert finding.reason == "dark in 1 places where it should be light, and light in 1"
    assert (finding.asset, finding.name, finding.evidence["verdict"]) == (
        "camera2",
        "inspection",
        "reject",
    )
    boxes = sorted(finding.evidence["boxes"].split("; "))
    assert boxes == ["35 50 12 12", "80 70 12 10"]


def test_a_difference_that_is_not_deep_enough_passes(taught: Golden) -> None:
    pixels = label()
    pixels[50:55, 36:41] = 25
    (finding,) = show(taught, pixels, 1)
    assert finding.severity == 2
    work = make(depth=10.0)
    show(work, label(), 0)
    (finding,) = show(work, pixels, 1)
    assert finding.severity == 0
    assert finding.value is not None
    assert 3 <= finding.value < 10


def test_another_product_or_another_size_is_a_notice(taught: Golden) -> None:
    (finding,) = show(taught, np.rot90(label())[:120].copy(), 1)
    assert (finding.value, finding.severity) == (None, 1)
    assert "take both with the same camera" in finding.reason
    (finding,) = show(taught, 255 - label(), 2)
    assert (finding.value, finding.severity) == (None, 1)
    assert "is it of the same product" in finding.reason


# ---- with a model


def marks(pixels: Pixels, random: np.random.Generator, bad: bool) -> Pixels:
    """Return a label with a speck of lint on it, and where it is bad with a gap in a bar."""
    pixels = pixels.copy()
    x, y = random.integers(4, 150), random.integers(25, 85)
    pixels[105:109, x : x + 4] = 25
    if bad:
        pixels[y : y + 9, 50:62] = 230
    return pixels


@pytest.fixture(scope="module")
def content() -> bytes:
    random = np.random.default_rng(4)
    examples = [
        Example(pixels=marks(label(), random, n % 2 == 1), bad=n % 2 == 1, group=str(n),
                golden=label())
        for n in range(60)
    ]  # fmt: skip
    return train(examples, Lesson(name="print", dataset="d@1", seconds=9.0)).content


class Desk:
    """An analysis that has seen its golden image, and a model."""

    def __init__(self, content: bytes, accept: float = 0.9, reject: float = 0.95) -> None:
        self.work = make()
        self.content, self.accept, self.reject = content, accept, reject
        show(self.work, label(), 0)

    def look(self, pixels: Pixels, *stages: Stage) -> Finding:
        models = tuple(
            Appointed("print", f"{stage}1", stage, self.accept, self.reject, self.content)
            for stage in stages
        )
        picture = Picture(SECOND, "sha256:1", "L1", pixels)
        window = Window(SECOND, 2 * SECOND, images={ID: (picture,)}, models={"print": models})
        (finding,) = self.work.update(2 * SECOND, window)
        return finding


def test_it_asks_for_the_model_of_its_name() -> None:
    assert make().needs.models == ("print",)


@pytest.mark.parametrize("stage", ["advise", "decide"])
def test_a_model_tells_defects_from_what_is_none(content: bytes, stage: Stage) -> None:
    desk, random = Desk(content), np.random.default_rng(8)
    linty, torn = (marks(label(), random, bad) for bad in (False, True))
    assert desk.look(linty).evidence["verdict"] == "reject"  # by depth alone it is a defect
    passed, rejected = desk.look(linty, stage), desk.look(torn, stage)
    assert (passed.severity, passed.evidence["verdict"], passed.reason) == (0, "pass", "")
    assert (passed.evidence["model"], passed.evidence["stage"]) == (f"print {stage}1", stage)
    assert (rejected.severity, rejected.evidence["verdict"]) == (2, "reject")
    assert rejected.reason == "looks like parts that people rejected"
    left, top, width, height = map(int, rejected.evidence["boxes"].split("; ")[0].split())
    assert left <= 50 < 62 <= left + width
    assert abs(height - 9) < 6 < top
    size, digits = rejected.evidence["heat"].split()
    assert (size, "f" in digits or "8" in digits) == ("40x30", True)
    assert rejected.evidence["golden"] == f"sha256:{0:064x}"


def test_between_its_limits_a_person_is_asked(content: bytes) -> None:
    finding = Desk(content, accept=-1.0, reject=2.0).look(label(), "decide")
    assert (finding.severity, finding.evidence["verdict"]) == (1, "unsure")


def test_one_in_the_shadow_says_and_changes_nothing(content: bytes) -> None:
    desk, random = Desk(content), np.random.default_rng(8)
    linty = marks(label(), random, False)
    told, alone = desk.look(linty, "shadow"), desk.look(linty)
    assert told.evidence["shadow"].split()[::2] == ["pass", "shadow1"]
    assert told.value == alone.value
    assert {**told.evidence, "shadow": ""} == {**alone.evidence, "shadow": ""}


def test_with_a_model_too_another_product_is_for_a_person(content: bytes) -> None:
    desk = Desk(content)
    for odd, said in ((255 - label(), "same product"), (label()[:80], "same camera")):
        finding = desk.look(odd, "decide", "shadow")
        assert (finding.value, finding.severity) == (None, 1)
        assert said in finding.reason


def test_a_signal_that_is_no_image_is_a_fault() -> None:
    with pytest.raises(FactoryError, match="not an image"):
        make(kind="text")
