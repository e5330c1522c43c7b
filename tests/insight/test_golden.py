"""Parts beside a golden image: what is told of each, and what is no comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deungdae.core.errors import FactoryError, NotEnoughData
from deungdae.core.ports import Picture, Window
from deungdae.core.types import SECOND, Finding, Signal
from deungdae.insight.golden import Golden
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


def test_a_signal_that_is_no_image_is_a_fault() -> None:
    with pytest.raises(FactoryError, match="not an image"):
        make(kind="text")
