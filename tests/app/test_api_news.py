"""What pages have not heard yet: found once, told to each by what it knows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from deungdae.app.alarms import Alarms
from deungdae.app.api.mirrors import Mirrors
from deungdae.app.api.news import Ledger, Mark, News
from deungdae.core.types import SECOND, Finding
from deungdae.model import factory as model


@pytest.fixture
def news(house: Any) -> News:
    """Give the news of a running factory."""
    return News(house.runtime, Mirrors(house.runtime), Alarms(house.runtime, keeps=False))


def told(news: News, mark: Mark, watched: frozenset[str] | None = None) -> tuple[Any, Mark]:
    """Return what a page hears, and its new mark."""
    text, mark = news.since(mark, watched)
    return (json.loads(text) if text else {}), mark


def finding(name: str, value: float) -> Finding:
    """Return a finding about the press."""
    return Finding(origin="kpi", asset="press1", name=name, start=0, end=SECOND, value=value)


def test_a_ledger_tells_what_changed() -> None:
    ledger: Ledger[float] = Ledger()
    ledger.note({"a": 1.0, "b": 2.0}, 1)
    ledger.note({"a": 1.0, "b": 3.0}, 2)
    assert ledger.since(0) == {"a": 1.0, "b": 3.0}
    assert ledger.since(1) == {"b": 3.0}
    assert ledger.since(2) == {}


async def test_who_is_new_hears_all_and_then_changes(news: News, house: Any) -> None:
    news.look(1)
    whole, mark = told(news, Mark())
    assert {"factory", "signals", "readings", "machines", "gate"} <= whole.keys()
    assert told(news, mark) == ({}, mark)  # until the next look
    house.runtime.intake.conclude([finding("oee", 0.5)])
    news.look(2)
    message, late = told(news, mark)
    assert [each["value"] for each in message["findings"]] == [0.5]
    assert "signals" not in message
    house.runtime.intake.conclude([finding("availability", 0.9), finding("oee", 0.6)])
    news.look(3)
    message, _ = told(news, late)
    assert {each["name"]: each["value"] for each in message["findings"]} == {
        "availability": 0.9,
        "oee": 0.6,
    }
    house.runtime.intake.conclude([finding("oee", 0.7)])
    news.look(4)
    message, _ = told(news, mark)  # who missed three looks hears the last of each
    assert {each["name"]: each["value"] for each in message["findings"]} == {
        "availability": 0.9,
        "oee": 0.7,
    }


async def test_what_is_the_same_for_many_is_encoded_once(news: News) -> None:
    news.look(1)
    first, mark = news.since(Mark(), None)
    assert news.since(Mark(), None)[0] is first
    await asyncio.sleep(0.2)
    news.look(2)
    assert (
        news.since(mark, frozenset({"press1.count"}))[0]
        is (news.since(mark, frozenset({"press1.count"}))[0])
    )


async def test_only_what_is_watched_is_told_and_first_of_all_how_it_stands(news: News) -> None:
    news.look(1)
    _, mark = told(news, Mark())
    watched = frozenset({"kiln1.temperature", "no.such"})
    news.look(2)
    message, mark = told(news, mark._replace(readings=-1), watched)
    assert set(message["readings"]) == {"kiln1.temperature"}
    await asyncio.sleep(0.2)  # much is told meanwhile
    news.look(3)
    message, _ = told(news, mark, watched)
    assert set(message["readings"]) == {"kiln1.temperature"}


async def test_after_a_reload_all_is_told_anew(news: News, house: Any) -> None:
    news.look(1)
    _, mark = told(news, Mark())
    file = house.history.parent / "factory.toml"
    file.write_text(file.read_text().replace('name = "벽돌 공장"', 'name = "등대"'))
    await house.runtime.reload(model.read(file))
    news.look(2)
    message, _ = told(news, mark, frozenset())
    assert message["factory"]["name"] == "등대"
    assert "kiln1.temperature" in message["readings"]
