"""Shifts over HTTP: what became of them, why machines stood, what is handed over, on paper."""

from __future__ import annotations

import io

import httpx
import pytest
from pypdf import PdfReader

from deungdae.core.clock import to_iso
from deungdae.core.types import HOUR, MINUTE, Event

from .conftest import FACTORY, House

ANGRY = "<script>alert(1)</script>"


@pytest.fixture
def factory_text() -> str:
    return FACTORY + (
        "\n[calendar]\nshifts = [\n"
        '  { name = "주간", start = "08:00", end = "20:00" },\n'
        '  { name = "야간", start = "20:00", end = "08:00" },\n]\n'
        '\n[[signals]]\nid = "saw.state"\nkind = "state"\n'
    )


async def stood(house: House) -> int:
    """Let the saw have stood for ten minutes an hour ago; return when it began."""
    now = house.runtime.clock.now()
    since = now - HOUR
    # it says so every hour: of a calendar day without a word nothing would be known
    told = [(now - hours * HOUR, "running") for hours in range(26, 1, -1)]
    told += [(since, "down"), (since + 10 * MINUTE, "running"), (now, "running")]
    await house.runtime.intake.put(
        tuple(
            Event(id="saw.state", time=time, kind="state", value=word, received=now)
            for time, word in told
        )
    )
    await house.settle()
    return since


async def account(client: httpx.AsyncClient) -> dict:  # type: ignore[type-arg]
    """Return the account of the saw's last two hours."""
    asked = {"from": "-2h", "assets": "saw"}
    answer = await client.get("/api/v1/shifts/account", params=asked)
    assert answer.status_code == 200, answer.text
    (machine,) = answer.json()["machines"]
    return machine  # type: ignore[no-any-return]


async def test_shifts_of_the_calendar(looker: httpx.AsyncClient) -> None:
    found = (
        await looker.get("/api/v1/shifts", params={"from": "2026-03-02", "to": "2026-03-03"})
    ).json()
    assert [(each["name"], each["start"]) for each in found] == [
        ("야간", "2026-03-01T20:00:00+09:00"),
        ("주간", "2026-03-02T08:00:00+09:00"),
        ("야간", "2026-03-02T20:00:00+09:00"),
    ]
    assert found[0]["planned"] == 12 * 3600
    long = await looker.get("/api/v1/shifts", params={"from": "2020-01-01"})
    assert long.status_code == 413


async def test_a_stop_is_given_its_reason_and_another_one(
    house: House, actor: httpx.AsyncClient
) -> None:
    since = await stood(house)
    before = await account(actor)
    (stop,) = before["stops"]
    assert (stop["start"], stop["wants"], stop["reason"]) == (to_iso(since), True, "")
    for word in (
        "금형 교체",
        "쥐 출몰",
        "금형 교체",
    ):  # the first word again: it holds all the same
        body = {"asset": "saw", "start": stop["start"], "reason": word, "person": "김반장"}
        answer = await actor.post("/api/v1/stops/reason", json=body)
        assert answer.status_code == 200, answer.text
        (given,) = (await account(actor))["stops"]
        assert (given["reason"], given["person"], given["wants"]) == (word, "김반장", False)
    after = await account(actor)
    assert after["causes"][0]["reason"] == "금형 교체"
    assert after["causes"][0]["seconds"] == pytest.approx(600)
    assert after["parts"] == before["parts"]
    assert any(entry.kind == "stop-reason" for entry in house.journal.read(0, 2**62))
    offered = (await actor.get("/api/v1/stops/reasons")).json()
    assert offered[0] == {"group": "설비", "reasons": offered[0]["reasons"]}
    body = {"asset": "saw", "start": stop["start"], "reason": ANGRY, "person": "김반장"}
    await actor.post("/api/v1/stops/reason", json=body)
    assert (await actor.get("/api/v1/stops/reasons")).json()[-1] == {
        "group": "",
        "reasons": [ANGRY],
    }


async def test_who_only_looks_gives_no_reason_and_hands_nothing_over(
    looker: httpx.AsyncClient,
) -> None:
    for path, body in (
        ("stops/reason", {"asset": "saw", "start": "-1h", "reason": "x"}),
        ("handover", {"text": "x"}),
        ("handover/seen", {"id": "x", "time": "-1h"}),
    ):
        answer = await looker.post(f"/api/v1/{path}", json=body, headers={"x-deungdae": "1"})
        assert (answer.status_code, answer.json()["rule"]) == (403, "role")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"asset": "sau", "start": "-1h", "reason": "x"}, 404, "saw"),
        ({"asset": "saw", "start": "2250-01-01", "reason": "x"}, 422, "has not come"),
        ({"asset": "saw", "start": "yesterday", "reason": "x"}, 422, "no time"),
        ({"asset": "saw", "start": "-1h", "reason": "x" * 201}, 422, "200"),
        ({"asset": "saw", "start": "-1h"}, 422, "reason"),
    ],
)
async def test_a_reason_that_is_wrong(
    actor: httpx.AsyncClient, body: dict[str, str], status: int, says: str
) -> None:
    answer = await actor.post("/api/v1/stops/reason", json={**body, "person": "김"})
    assert answer.status_code == status
    assert says in answer.text


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"from": "-40d"}, 413),
        ({"from": "2250-01-01", "to": "2250-01-02"}, 422),
        ({"from": "-1h", "assets": "nobody"}, 404),
        ({"from": "now"}, 422),
    ],
)
async def test_periods_that_have_no_account(
    looker: httpx.AsyncClient, asked: dict[str, str], status: int
) -> None:
    for path in ("shifts/account", "reports/shift"):
        answer = await looker.get(f"/api/v1/{path}", params=asked)
        assert answer.status_code == status, answer.text


async def test_what_is_handed_over_waits_until_it_is_read(
    house: House, actor: httpx.AsyncClient
) -> None:
    texts = ("2호 프레스 유압 확인 필요", ANGRY)
    for text in texts:
        answer = await actor.post("/api/v1/handover", json={"text": text, "person": "이조장"})
        assert answer.status_code == 200, answer.text
    found = (await actor.get("/api/v1/handover")).json()
    assert [(note["text"], note["seen"]) for note in found] == [(t, "") for t in reversed(texts)]
    hits = (await actor.get("/api/v1/handover", params={"search": "유압 프레스"})).json()
    assert [note["text"] for note in hits] == [texts[0]]
    note = hits[0]
    seen = {"id": note["id"], "time": note["time"], "person": "박조장"}
    assert (await actor.post("/api/v1/handover/seen", json=seen)).json()["seen"] == "박조장"
    await house.settle()
    found = (await actor.get("/api/v1/handover")).json()
    assert [note["seen"] for note in found] == ["", "박조장"]
    wrong = {"id": "works.handover", "time": note["time"], "person": "박"}
    assert (await actor.post("/api/v1/handover/seen", json=wrong)).status_code == 404


async def test_a_report_on_paper(house: House, actor: httpx.AsyncClient) -> None:
    since = await stood(house)
    body = {"asset": "saw", "start": to_iso(since), "reason": ANGRY, "person": "김반장"}
    await actor.post("/api/v1/stops/reason", json=body)
    await actor.post("/api/v1/handover", json={"text": "유압 확인 필요", "person": "이조장"})
    await house.settle()
    answer = await actor.get("/api/v1/reports/shift", params={"from": "-2h", "assets": "saw"})
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith('attachment; filename="shift-20')
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    for words in ("벽돌 공장", "시간은 어디로 갔나", ANGRY, "유압 확인 필요", "이조장"):
        assert words in text
    week = await actor.get("/api/v1/reports/week", params={"language": "en", "assets": "saw"})
    assert "Weekly report" in PdfReader(io.BytesIO(week.content)).pages[0].extract_text()
