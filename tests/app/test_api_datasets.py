"""Sets of data over HTTP: which there are, and the card of each."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest

from deungdae.app.cli.moments import opened
from deungdae.app.datasets import Shelf
from deungdae.app.datasets.audit import audit
from deungdae.app.datasets.make import Line, from_line
from deungdae.historian.store import Historian
from deungdae.learn.dataset import Column, Consent, Dataset, Declaration, Item, Label, Signals

from .conftest import House


@pytest.fixture
def shelf(house: House) -> Shelf:
    """Give the factory's shelf with two versions of a set."""
    shelf = Shelf(house.history / "datasets")
    for count in (20, 30):
        items = [
            Item(name=f"{n}", group=f"lot {n // 2}", label="bad" if n % 4 > 1 else "good",
                 source="file", time=n + 1, values=(float(n),),
                 labels=(Label(label="bad" if n % 4 > 1 else "good", source="file"),))
            for n in range(count)
        ]  # fmt: skip
        made = Dataset.of(
            "shots", items, columns=[Column(name="force", unit="kN")], licence="CC0-1.0",
            consent=Consent(by="works council", on="2026-11-02", uses=("research",)), made=count,
        )  # fmt: skip
        kept = shelf.keep(made, "kim")
    shelf.use(kept.card, "lee", "training of inspection 3")
    audit(shelf, kept, "lee")
    return shelf


async def test_all_versions_are_listed_the_newest_first(
    looker: httpx.AsyncClient, shelf: Shelf
) -> None:
    found = (await looker.get("/api/v1/datasets")).raise_for_status().json()
    assert [(each["name"], each["items"], each["groups"]) for each in found] == [
        ("shots", 30, 15), ("shots", 20, 10),
    ]  # fmt: skip
    assert found[0]["counts"][0] == {"label": "bad", "means": "bad", "items": 14, "groups": 7}
    assert found[0]["since"].startswith("1970")


async def test_a_card_tells_who_agreed_who_used_it_and_what_would_flatter(
    looker: httpx.AsyncClient, shelf: Shelf
) -> None:
    card = (await looker.get("/api/v1/datasets/shots")).raise_for_status().json()
    assert (card["items"], card["consent_by"], card["uses"]) == (30, "works council", ["research"])
    assert card["columns"][0]["unit"] == "kN"
    assert [(deed["what"], deed["who"], deed["purpose"]) for deed in card["log"]] == [
        ("audit", "lee", ""),
        ("use", "lee", "training of inspection 3"),
        ("built", "kim", ""),
    ]
    assert card["audit"]["said"]
    old = shelf.cards()[1].version
    card = (await looker.get("/api/v1/datasets/shots", params={"version": old[:9]})).json()
    assert (card["version"], card["items"], card["audit"]) == (old, 20, None)


async def test_a_set_is_cut_from_a_running_factory(house: House, looker: httpx.AsyncClient) -> None:
    asked = Signals(signals=("kiln1.temperature", "press1.count"), events=("press1.state",),
                    every=0.05, group="hour")  # fmt: skip
    declared = Declaration(name="now", signals=asked)
    await house.settle()

    def cut() -> Dataset:
        with opened(house.history) as store:
            assert not isinstance(store, Historian)
            return from_line(Shelf(house.history / "datasets"), declared, Line(store), "kim")

    made = await asyncio.to_thread(cut)
    assert made.card.columns[0].unit == "Cel"
    assert np.isfinite(made.column("kiln1.temperature")).any()
    (row,) = (await looker.get("/api/v1/datasets")).json()
    assert (row["name"], row["kind"], row["items"]) == ("now", "rows", len(made))


async def test_what_is_not_there_and_what_is_damaged(
    looker: httpx.AsyncClient, shelf: Shelf
) -> None:
    for path in ("shot", "shots?version=000", "..%2Fshots", "Shots"):
        assert (await looker.get(f"/api/v1/datasets/{path}")).status_code == 404
    card = shelf.cards()[0]
    (shelf.folder / "shots" / card.version / "card.json").write_bytes(b"{")
    found = await looker.get("/api/v1/datasets/shots", params={"version": card.version})
    assert found.status_code == 503
    assert len((await looker.get("/api/v1/datasets")).json()) == 1


async def test_nobody_looks_who_is_not_logged_in(stranger: httpx.AsyncClient, shelf: Shelf) -> None:
    assert (await stranger.get("/api/v1/datasets")).status_code == 401
