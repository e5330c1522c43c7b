"""The journal over HTTP, as people read it: paged, searched, verified."""

from __future__ import annotations

import httpx

from .conftest import House


async def page(actor: httpx.AsyncClient, **parameters: object) -> dict[str, list[dict[str, str]]]:
    wanted = {"from": "-1d", **parameters}
    answer = await actor.get("/api/v1/journal/page", params=wanted)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def test_pages_and_search(house: House, actor: httpx.AsyncClient) -> None:
    for n in range(30):
        house.journal.append("test", {"note": f"<b>{n}</b>"}, "김 반장" if n % 2 else "lee")
    first = await page(actor, kinds="test", limit=20)
    assert len(first["entries"]) == 20
    second = await page(actor, kinds="test", limit=20, before=first["rest"])
    told = [each["data"] for each in first["entries"] + second["entries"]]
    assert told == [{"note": f"<b>{n}</b>"} for n in range(29, -1, -1)]
    assert second["rest"] == 0 or len(second["entries"]) == 10
    own = await page(actor, who="김 반장", text="<B>7<")
    assert [each["data"] for each in own["entries"]] == [{"note": "<b>7</b>"}]


async def test_the_chain_is_verified(house: House, actor: httpx.AsyncClient) -> None:
    house.journal.append("test", {"n": 1}, "lee")
    house.journal.append("test", {"n": 2}, "lee")
    told = (await actor.post("/api/v1/journal/verify")).json()
    assert told["whole"] is True
    assert told["head"] == house.journal.head()
    path = next(house.history.glob("journal/*.jsonl"))
    path.write_text(path.read_text().replace('"n":1}', '"n":7}'))
    told = (await actor.post("/api/v1/journal/verify")).json()
    assert told["whole"] is False
    assert "does not fit its hash" in told["problem"]


async def test_only_operators_read_it(looker: httpx.AsyncClient) -> None:
    assert (await looker.get("/api/v1/journal/page?from=-1d")).status_code == 403
    assert (await looker.post("/api/v1/journal/verify")).status_code == 403
