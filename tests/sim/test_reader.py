"""A reader of codes: by itself, and at a line."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.sim.plant.parts import Plant, Scanning
from deungdae.sim.plant.reader import Reader, ReaderParameters


def reader(**parameters: float) -> Reader:
    return Reader(ReaderParameters(**parameters), np.random.default_rng(1))


def test_by_itself_it_reads_a_code_each_time() -> None:
    machine = reader(every=10.0)
    assert isinstance(machine, Plant)
    assert isinstance(machine, Scanning)
    machine.step(35.0)
    assert machine.take() == ("PA0000001", "PA0000002", "PA0000003")
    assert machine.take() == ()
    assert machine.get("count") == 3


def test_at_a_line_it_reads_what_is_brought_and_nothing_else() -> None:
    machine = reader(every=10.0)
    machine.tell("part", "ST0000042")
    machine.tell("order", "O-000001")
    machine.step(60.0)
    assert machine.take() == ("ST0000042",)
    assert machine.get("code") == "ST0000042"


def test_it_cannot_be_set() -> None:
    with pytest.raises(ValueError, match="only be read"):
        reader().set("count", 0.0)
