"""One machine over HTTP: its story, its maintenance, its documents."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from deungdae.app.care import care
from deungdae.app.documents import MANY, Documents
from deungdae.core.clock import RealClock
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import HOUR, MINUTE, Batch, Event, Signal
from deungdae.historian.store import Historian
from deungdae.model import factory as model

from .conftest import AFTERNOON, House  # type: ignore[import-not-found]
from .conftest import FACTORY as HOUSE

PNG = b"\x89PNG\r\n\x1a\n and more"
FACTORY = f"""
[factory]
id = "works"
timezone = "{AFTERNOON}"
[equipment.press]
[[signals]]
id = "press.state"
kind = "state"
[[signals]]
id = "press.count"
"""


@pytest.fixture
def factory_text() -> str:
    return HOUSE.replace('id = "brickworks"', f'id = "brickworks"\ntimezone = "{AFTERNOON}"', 1)


def said(hours: float, word: str, now: int) -> Event:
    return Event(id="press.state", time=now - round(hours * HOUR), kind="state", value=word)


# ---- what it did


async def test_a_story_tells_states_stops_and_indicators(
    house: House, looker: httpx.AsyncClient
) -> None:
    now = house.runtime.clock.now()
    words = (("running", 50), ("down", 49), ("running", 48.5))
    events = [Event(id="press1.state", time=now - round(ago * HOUR), kind="state", value=word)
              for word, ago in words]  # fmt: skip
    why = {"person": "kim"}
    reason = Event(id="press1.reason", time=events[1].time, kind="note", value="jam <b>", data=why)
    await house.runtime.intake.put((*events, reason))
    await house.settle()
    asked = {"from": str(now - 50 * HOUR), "to": str(now - 48 * HOUR)}
    told = (await looker.get("api/v1/assets/press1/story", params=asked)).json()
    assert told["state"] == ["running", "down", "running"]
    assert told["category"] == ["production", "failure", "production"]
    assert told["time"] == [0, 3_600_000, 5_400_000]
    (stop,) = told["stops"]
    assert (stop["seconds"], stop["reasons"], stop["person"]) == (1800, ["jam <b>"], "kim")
    assert stop["open"] is False
    indicators = {each["name"]: each for each in told["indicators"]}
    assert indicators["availability"]["value"] == pytest.approx(75)
    assert told["planned"] == 7200
    assert told["losses"][0]["share"] == pytest.approx(25)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("assets/press9/story?from=-1h", 404, "press1"),
        ("assets/kiln1/story?from=-1h", 404, "state"),
        ("assets/press1/story?from=-40d", 413, "31 days"),
        ("assets/press1/story?from=2200-01-01&to=2200-01-02", 422, "passed"),
        ("assets/press9/care", 404, "press1"),
        ("assets/kiln1/care", 404, "state"),
    ],
)
async def test_what_cannot_be_told_is_said(
    looker: httpx.AsyncClient, path: str, status: int, words: str
) -> None:
    answer = await looker.get(f"api/v1/{path}")
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


async def test_care_is_told(looker: httpx.AsyncClient) -> None:
    told = (await looker.get("api/v1/assets/press1/care")).json()
    assert told["maintained"] is None
    assert told["days"] == 90
    assert told["running"] >= 0


# ---- maintenance


def test_maintenance_is_what_the_states_say(tmp_path: Path) -> None:
    (tmp_path / "factory.toml").write_text(FACTORY)
    factory = model.read(tmp_path / "factory.toml")
    now = RealClock().now()
    with Historian(tmp_path / "history") as store:
        _, count = store.register(list(factory.signals.values()))
        with pytest.raises(NotEnoughData):
            care(store, factory, "press", now)
        words = (
            (20, "running"), (18, "down"), (17.5, "repair"), (17, "running"), (15, "maintenance"),
            (14, "running"), (12, "down"), (11, "idle"), (10, "down"), (9, "running"),
        )  # fmt: skip
        store.append([said(hours, word, now) for hours, word in words])
        times = [now - 10 * HOUR, now - 5 * HOUR, now - 4 * HOUR, now - MINUTE]
        values = [7.0, 17.0, 3.0, 13.0]  # it began again from 0
        store.append([Batch.of([int(count)] * 4, times, values, received=now)])
        found = care(store, factory, "press", now)
    assert found.maintained == now - 14 * HOUR
    assert found.running == (2 + 9) * 3600
    assert found.count == 3  # repair belongs to the failure before it
    assert found.between == (2 + 2 + 2 + 9) * 3600 / 3
    assert found.restoring == (1 + 1 + 1) * 3600 / 3
    assert found.made == 10 + 3 + 10
    assert found.known == pytest.approx(1)
    assert [each.state for each in found.failures] == ["down", "down", "down"]


def test_time_before_the_first_word_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "factory.toml").write_text(FACTORY)
    factory = model.read(tmp_path / "factory.toml")
    now = RealClock().now()
    with Historian(tmp_path / "history") as store:
        store.register([Signal(id="press.state", kind="state")])
        store.append([said(2, "running", now)])
        found = care(store, factory, "press", now)
    assert found.start == now - 2 * HOUR
    assert (found.running, found.made, found.between) == (7200, None, None)


# ---- documents


async def test_documents_are_kept_and_opened_as_what_their_ending_says(
    house: House, actor: httpx.AsyncClient, looker: httpx.AsyncClient
) -> None:
    kept = await actor.put("api/v1/documents/press1/도면 1.png?person=kim", content=PNG)
    assert kept.json() == {"name": "도면 1.png", "replaced": False}
    folder = house.runtime.factory.path.parent / "files" / "press1"
    assert (folder / "도면 1.png").read_bytes() == PNG
    (folder / "note.html").write_text("<script>alert(1)</script>")
    (folder / ".hidden.txt").write_text("no")
    (folder / "link.txt").symlink_to("/etc/passwd")
    (folder / "manual.pdf").write_bytes(b"%PDF-1.7 <script>")
    listed = (await looker.get("api/v1/documents/press1")).json()
    kinds = {each["name"]: each["kind"] for each in listed}
    assert kinds == {
        "도면 1.png": "image/png",
        "manual.pdf": "application/pdf",
        "note.html": "application/octet-stream",
    }
    picture = await looker.get("api/v1/documents/press1/도면 1.png")
    assert picture.content == PNG
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["content-disposition"].startswith("inline")
    assert "sandbox" in picture.headers["content-security-policy"]
    page = await looker.get("api/v1/documents/press1/note.html")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment")
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    noted = house.journal.read(0, 2**62)[-1]
    assert (noted.kind, noted.who, noted.data["name"]) == ("document", "kim", "도면 1.png")


@pytest.mark.parametrize(
    "name",
    ["../factory.toml", "..%2F..%2Ffactory.toml", "%2e%2e/x.txt", "link.txt", "%00", "a%00.txt"],
)
async def test_nothing_outside_the_folder_is_given(
    house: House, looker: httpx.AsyncClient, name: str
) -> None:
    folder = house.runtime.factory.path.parent / "files" / "press1"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to(house.runtime.factory.path)
    assert (await looker.get(f"api/v1/documents/press1/{name}")).status_code in (404, 422)
    assert (await looker.get(f"api/v1/documents/..%2Fpress1/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("run.exe", b"MZ", 422),
        ("page.html", b"<b>", 422),
        ("drawing.svg", b"<svg>", 422),
        ("a.png", b"not a picture", 422),
        ("a.pdf", b"<html>", 422),
        ("empty.txt", b"", 422),
        (".hidden.txt", b"x", 422),
        ("a%5Cb.txt", b"x", 422),
        ("x" * 130 + ".txt", b"x", 422),
        ("big.txt", b"x" * 20_000_001, 422),
        ("huge.txt", b"x" * 20_100_000, 413),
    ],
)
async def test_what_is_no_document_is_not_kept(
    house: House, actor: httpx.AsyncClient, name: str, content: bytes, status: int
) -> None:
    answer = await actor.put(f"api/v1/documents/press1/{name}?person=kim", content=content)
    assert answer.status_code == status, answer.text
    folder = house.runtime.factory.path.parent / "files"
    assert not folder.exists() or not any(folder.rglob("*.*"))


async def test_a_document_is_replaced_only_if_that_is_wanted(actor: httpx.AsyncClient) -> None:
    path = "api/v1/documents/press1/a.txt?person=kim"
    assert (await actor.put(path, content=b"one")).status_code == 200
    again = await actor.put(path, content=b"two")
    assert (again.status_code, again.json()["rule"]) == (409, "exists")
    assert (await actor.put(f"{path}&replace=true", content=b"two")).json()["replaced"] is True
    assert (await actor.get("api/v1/documents/press1/a.txt")).text == "two"


async def test_only_engineers_add_documents(house: House, looker: httpx.AsyncClient) -> None:
    assert (await looker.put("api/v1/documents/press1/a.txt", content=b"x")).status_code == 403
    async with house.login("lee", "operator") as operator:
        headers = {"X-Deungdae": "1"}
        answer = await operator.put("api/v1/documents/press1/a.txt", content=b"x", headers=headers)
    assert answer.status_code == 403


def test_there_are_not_ever_more_documents(tmp_path: Path) -> None:
    documents = Documents(tmp_path, "press")
    folder = tmp_path / "files" / "press"
    folder.mkdir(parents=True)
    for n in range(MANY):
        (folder / f"{n}.txt").touch()
    with pytest.raises(ValueError, match="already"):
        documents.keep("one more.txt", b"x", replace=False)
    assert documents.keep("1.txt", b"x", replace=True)
    with pytest.raises(ValueError, match="folder"):
        Documents(tmp_path, "../press")
    assert Documents(tmp_path, "kiln").all() == []
