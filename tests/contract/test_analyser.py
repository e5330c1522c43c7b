"""What every analyser must do, whatever it concludes: each runs on the example in its docs."""

from __future__ import annotations

import math
import pickle
import re
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deungdae.core import registry, strict, units
from deungdae.core.clock import from_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Analyser, Picture, Samples, Window
from deungdae.core.types import HOUR, MINUTE, Event, Finding, Severity, Signal
from deungdae.model.factory import Factory, Identity

NOW = from_iso("2026-03-02T14:00+09:00")


def is_analyser(type: str) -> bool:
    """Return whether a file of the room is one, not something that its siblings share."""
    try:
        return hasattr(registry.load("insight", type), "update")
    except AttributeError:
        return False


ANALYSERS = [name for name in registry.names("insight") if is_analyser(name)]


def example(type: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the table of the example in a class's docstring."""
    (text,) = re.findall(r"```toml\n(.*?)```", registry.load("insight", type).__doc__, re.DOTALL)
    ((name, table),) = tomllib.loads(text)["insight"].items()
    assert table.pop("type") == type
    return name, table


def make(type: str) -> Analyser:
    """Return the analyser of the example, in a factory that has the signals that it needs."""
    cls = registry.load("insight", type)
    name, table = example(type)
    options, problems = strict.decode(cls.Options, table)
    assert problems == []
    empty = Factory(path=Path("factory.toml"), identity=Identity(id="works"))
    needs = cls(name, options, empty).needs
    signals = {id: Signal(id=id, kind="state") for id in needs.events}
    signals |= {id: Signal(id=id) for id in needs.signals}
    full = Factory(path=Path("factory.toml"), identity=Identity(id="works"), signals=signals)
    work = cls(name, options, full)
    assert isinstance(work, Analyser)
    return work


def samples(rows: list[tuple[int, float, int]]) -> Samples:
    rows = sorted({row[0]: row for row in rows}.values())
    return Samples(
        np.asarray([NOW - row[0] for row in rows][::-1], np.int64),
        np.asarray([row[1] for row in rows], np.float64),
        np.asarray([row[2] for row in rows], np.uint8),
    )


def events(id: str, rows: list[tuple[int, str, int]]) -> tuple[Event, ...]:
    told = [Event(id=id, time=NOW - t, kind="state", value=v, status=s) for t, v, s in rows]
    return tuple(sorted(told, key=lambda event: event.time))


ago = st.integers(1, 2 * 24 * HOUR // MINUTE).map(lambda minutes: minutes * MINUTE)
status = st.sampled_from([0, 0, 0, int(Severity.BAD), int(Severity.UNCERTAIN), 0x10])
some_samples = st.lists(st.tuples(ago, st.floats(), status), max_size=8).map(samples)
some_words = st.sampled_from(["run", "idle", "ACTIVE", "UNAVAILABLE", "6", "가동"]) | st.text()
some_events = st.lists(st.tuples(ago, some_words, status), max_size=8)

some_pictures = st.builds(
    Picture,
    ago.map(lambda time: NOW - time),
    st.just("sha256:" + "0" * 64),
    st.text(max_size=5),
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
)


def windows(work: Analyser) -> st.SearchStrategy[Window]:
    needs = work.needs
    numbers = st.fixed_dictionaries(dict.fromkeys(needs.signals, some_samples))
    words = {id: some_events.map(partial(events, id)) for id in needs.events}
    shots = {id: st.lists(some_pictures, max_size=3).map(tuple) for id in needs.images}
    start = NOW - needs.history
    return st.builds(
        Window,
        st.just(start),
        st.just(NOW),
        numbers,
        st.fixed_dictionaries(words),
        st.fixed_dictionaries(shots),
    )


def conclusions(work: Analyser, window: Window) -> list[Finding] | str:
    """Return the findings, or what is missing."""
    try:
        return list(work.update(NOW, window))
    except NotEnoughData as error:
        return str(error)


@pytest.mark.parametrize("type", ANALYSERS)
def test_needs_something_and_says_so_the_same_every_time(type: str) -> None:
    work = make(type)
    assert work.needs == work.needs
    assert work.needs.signals or work.needs.events or work.needs.images
    assert min(work.needs.every, work.needs.history) >= 0


@pytest.mark.parametrize("type", ANALYSERS)
def test_every_option_is_described(type: str) -> None:
    for option in registry.options(registry.load("insight", type)):
        assert option.description, option.name


@pytest.mark.parametrize("type", ANALYSERS)
def test_without_data_it_says_what_is_missing(type: str) -> None:
    work = make(type)
    found = conclusions(work, Window(NOW - work.needs.history, NOW))
    assert found != "", "says nothing of what is missing"
    assert isinstance(found, str) or all(f.value is None and f.reason for f in found)


@pytest.mark.parametrize("type", ANALYSERS)
@settings(deadline=None, max_examples=40)
@given(st.data())
def test_concludes_soundly_from_whatever_comes(type: str, data: st.DataObject) -> None:
    work = make(type)
    window = data.draw(windows(work))
    before = {id: pickle.dumps(held) for id, held in window.samples.items()}
    found = conclusions(work, window)
    assert {id: pickle.dumps(held) for id, held in window.samples.items()} == before
    if isinstance(found, str):
        return
    keys = [(f.asset, f.name, f.start, f.end) for f in found]
    assert len(set(keys)) == len(keys), "two findings of one name would hide each other"
    for finding in found:
        assert finding.origin == example(type)[0]
        assert finding.start <= finding.end <= NOW
        assert finding.asset
        units.parse(finding.unit)
        assert (finding.value is not None and math.isfinite(finding.value)) or finding.reason
        assert finding.value is None or not math.isnan(finding.value)
        assert finding.uncertainty is None or finding.uncertainty >= 0


@pytest.mark.parametrize("type", ANALYSERS)
@settings(deadline=None, max_examples=10)
@given(st.data())
def test_concludes_the_same_in_another_process(type: str, data: st.DataObject) -> None:
    work = make(type)
    window = data.draw(windows(work))
    twin = pickle.loads(pickle.dumps(work))
    copy = pickle.loads(pickle.dumps(window))
    assert repr(conclusions(twin, copy)) == repr(conclusions(work, window))
