"""The simulated camera: what its options refuse."""

from __future__ import annotations

import pytest

from deungdae.core import registry
from deungdae.virtual.camera import Camera


def test_it_is_a_plug_in() -> None:
    assert registry.load("virtual", "camera") is Camera


def test_a_model_that_sees_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="model 'kiln' has no camera"):
        Camera.Options(model="kiln")
