"""The simulated barcode reader: what its options refuse."""

from __future__ import annotations

import pytest

from deungdae.core import registry
from deungdae.virtual.scanner import Scanner


def test_it_is_a_plug_in() -> None:
    assert registry.load("virtual", "scanner") is Scanner


def test_a_model_without_codes_is_refused() -> None:
    with pytest.raises(ValueError, match="model 'kiln' has no codes to read"):
        Scanner.Options(model="kiln")
    with pytest.raises(ValueError, match="no plant model is called"):
        Scanner.Options(model="gate")
