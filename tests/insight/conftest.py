"""What tests of the analyses share: the benchmarks, whose figures they check on less data."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def benchmark() -> Callable[[str], Any]:
    """Return a function that gives a file of benchmarks/ as a module."""

    def load(name: str) -> Any:
        sys.path.insert(0, str(BENCHMARKS))  # as its scripts see each other
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(BENCHMARKS))

    return load
