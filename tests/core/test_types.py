"""The nouns."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.core.types import Batch, Event, Severity, Signal, is_good, severity


def test_a_signal_knows_its_parts() -> None:
    signal = Signal(id="line1.kiln1.zone3.temperature", source="kiln:ns=2;s=a:b")
    assert (signal.asset, signal.short) == ("line1.kiln1.zone3", "temperature")
    assert (signal.machine, signal.address) == ("kiln", "ns=2;s=a:b")


def test_words_of_states() -> None:
    assert Signal(id="a.s", states="0=running, 1 = idle").words == {"0": "running", "1": "idle"}
    assert Signal(id="a.s").words == {}
    for wrong in ("0", "0=", "0=a,b"):
        with pytest.raises(ValueError, match="not understood"):
            Signal(id="a.s", states=wrong).words  # noqa: B018


def test_batches_merge_and_are_taken_from() -> None:
    a = Batch.of([1, 2], [10, 20], [1.0, 2.0], received=5)
    b = Batch.of([3], [30], [3.0], [Severity.BAD], received=9)
    merged = Batch.merge([a, b])
    assert merged.received == 9
    assert merged.signal.tolist() == [1, 2, 3]
    assert is_good(merged.status).tolist() == [True, True, False]
    assert severity(merged.status).tolist() == [0, 0, 2]
    assert merged.take(np.array([2, 0])).value.tolist() == [3.0, 1.0]
    assert Batch.merge([a]) is a


def test_an_event_knows_its_asset() -> None:
    assert Event(id="press1.state", time=0, kind="state", value="idle").asset == "press1"
