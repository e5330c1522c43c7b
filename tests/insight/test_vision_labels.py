"""A heat map as text, and labels of people."""

from __future__ import annotations

import numpy as np

from deungdae.core.types import Event
from deungdae.insight.vision.labels import labels
from deungdae.insight.vision.verdict import Verdict, cells_text, corners_text


def test_heat_is_told_by_cell_with_eight_for_the_threshold() -> None:
    heat = np.zeros((60, 120), np.float32)
    heat[30, 60] = 2.0
    heat[0, 119] = 1.0
    heat[59, 0] = 99.0
    corners = np.asarray([[0.0, 1.0], [10.0, 1.0], [10.0, 6.04], [0.0, 6.0]])
    verdict = Verdict(2.0, 2.0, (), (), heat, corners, np.zeros(9))
    size, digits = cells_text(verdict.heat, verdict.threshold).split()
    cells = np.asarray([int(digit, 16) for digit in digits]).reshape(24, 48)
    assert size == "48x24"
    assert (cells[12, 24], cells[0, 47], cells[23, 0], cells.sum()) == (8, 4, 15, 27)
    assert corners_text(verdict.corners) == "0.0 1.0; 10.0 1.0; 10.0 6.0; 0.0 6.0"


def test_the_label_that_was_said_last_holds() -> None:
    def said(value: str, received: int, ref: str = "sha256:1") -> Event:
        data = {"ref": ref, "person": "kim"}
        return Event(
            id="camera.image.label", time=5, kind="note", value=value, received=received, data=data
        )

    found = labels([said("good", 2), said("reject", 1), said("odd", 3), said("good", 4, "")])
    assert {ref: label.verdict for ref, label in found.items()} == {"sha256:1": "good"}
