"""Tracing over the API: what a code is, where it went, what is told of each step, what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from deungdae.app.auth import WebOptions
from deungdae.core.types import MINUTE, Batch, Event, Finding

from .conftest import FACTORY, House, run

T0 = 1_790_000_000_000_000_000
EVIL = "<script>alert(1)</script>"


def scan(id: str, code: str, minute: float, **data: str) -> Event:
    told = {key.rstrip("_"): value for key, value in data.items()}
    return Event(id=id, time=T0 + round(minute * MINUTE), kind="scan", value=code, data=told)


SCANS = (
    scan("mixer.lot", "M-1", 0, product="mass", order="O-9"),
    scan("press1.part", "B-0", 1, lot="M-0", product="brick", result="good"),
    scan("press1.part", "B-1", 2, lot="M-1", product="brick", result="good", order="O-9"),
    scan("press1.part", "B-2", 3, lot="M-1", product="brick", result="scrap"),
    scan("kiln1.part", "B-1", 10, into="W-7"),
    scan("kiln1.wagon", "W-7", 70, start=str(T0 + 12 * MINUTE)),
    scan("robot.part", "B-1", 80, into="P/1 가"),
    scan("store.pallet", "P/1 가", 90, to="Hanil Steel"),
    scan("store.pallet", EVIL, 91, lot="M-1"),
)


@pytest.fixture
async def traced(tmp_path: Path, free_port) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a factory with a past of scans."""
    async with run(tmp_path, WebOptions(port=free_port()), FACTORY) as house:
        await tell(house)
        async with house.client(**house.bearer) as client:
            yield client


async def tell(house: House) -> None:
    store = house.runtime.store
    handle = house.runtime.live.handles["kiln1.temperature"]
    times = [T0 + n * MINUTE for n in range(12, 71)]
    batch = Batch.of(
        [handle] * len(times), times, [900.0 + n for n in range(len(times))], received=T0
    )
    crack = Finding(
        origin="eye", asset="kiln1", name="inspection", start=T0 + 70 * MINUTE,
        end=T0 + 70 * MINUTE, value=0.9, evidence={"serial": "B-1", "verdict": "reject"},
    )  # fmt: skip
    down = Event(id="kiln1.state", time=T0 + 20 * MINUTE, kind="state", value="down")
    await house.runtime.clock.call(store.append, [*SCANS, batch, crack, down])


async def got(client: httpx.AsyncClient, code: str, rest: str = "", **params: str) -> dict:
    path = f"/api/v1/trace/{quote(code, safe='')}{rest}"
    return (await client.get(path, params=params)).raise_for_status().json()


async def test_the_life_of_a_brick(traced: httpx.AsyncClient) -> None:
    told = await got(traced, " B-1 ")
    assert (told["code"], told["kind"], told["product"], told["order"]) == (
        "B-1", "serial", "brick", "O-9",
    )  # fmt: skip
    assert told["now"] == {
        "asset": "store", "time": told["steps"][-1]["end"], "carriers": ["P/1 가"],
        "to": "Hanil Steel", "result": "good",
    }  # fmt: skip
    assert [(step["asset"], step["via"]) for step in told["steps"]] == [
        ("press1", ""), ("kiln1", ""), ("kiln1", "W-7"), ("robot", ""), ("store", "P/1 가"),
    ]  # fmt: skip
    press, _, kiln, *_ = told["steps"]
    assert press["start"] < press["end"]  # when the press was done with the brick before
    assert kiln["wait"] == 120
    assert not told["more"]


async def test_where_did_the_lot_go(traced: httpx.AsyncClient) -> None:
    told = await got(traced, "M-1", "/forward")
    assert [link["code"] for link in told["links"]] == ["B-1", "B-2", EVIL]
    assert [(each["kind"], each["count"]) for each in told["counts"]] == [
        ("serial", 3), ("carrier", 2),
    ]  # fmt: skip
    back = await got(traced, "P/1 가", "/backward")
    assert [link["code"] for link in back["links"]] == ["B-1"]
    assert sum(each["count"] for each in back["counts"]) == 2


async def test_a_recall_set_with_where_each_is_now(traced: httpx.AsyncClient) -> None:
    told = await got(traced, "M-1", "/recall")
    rows = {row["code"]: row for row in told["rows"]}
    assert set(rows) == {"M-1", "B-1", "B-2", "W-7", "P/1 가", EVIL}
    assert (rows["B-1"]["asset"], rows["B-1"]["to"]) == ("store", "Hanil Steel")
    assert rows["B-2"]["result"] == "scrap"
    assert told["total"] == 6
    short = await got(traced, "M-1", "/recall", limit="2")
    assert (len(short["rows"]), short["more"]) == (3, True)


async def test_the_data_of_a_step(traced: httpx.AsyncClient) -> None:
    kiln = (await got(traced, "B-1"))["steps"][2]
    told = await got(
        traced, "B-1", "/step", asset="kiln1", **{"from": kiln["start"], "to": kiln["end"]}
    )
    heat = next(each for each in told["signals"] if each["id"] == "kiln1.temperature")
    assert (heat["minimum"], heat["maximum"], heat["unit"]) == (900, 958, "Cel")
    assert heat["minimum"] < heat["mean"] < heat["maximum"]
    assert [each["evidence"]["verdict"] for each in told["findings"]] == ["reject"]
    assert [each["value"] for each in told["events"]] == ["down"]
    assert (await traced.get("/api/v1/trace/B-1/step?asset=kiln1&to=soon")).status_code == 422


async def test_codes_as_gs1_and_in_other_letters(traced: httpx.AsyncClient) -> None:
    for code in ("b-1", "(01)09506000134352(21)B-1", "https://id.gs1.org/01/09506000134352/21/B-1"):
        assert (await got(traced, code))["code"] == "B-1"
    assert (await got(traced, "(01)09506000134352(21)B-1"))["said"]["serial"] == "B-1"


async def test_what_nobody_scanned_is_told_with_its_neighbours(traced: httpx.AsyncClient) -> None:
    answer = await traced.get("/api/v1/trace/B-9")
    assert answer.status_code == 404
    near = (await traced.get("/api/v1/trace", params={"near": "B-9"})).json()
    assert "B-2" in near["codes"]
    assert near["since"].startswith("2026-09-")
    assert (await traced.get("/api/v1/trace", params={"prefix": "B-"})).json()["codes"] == [
        "B-0", "B-1", "B-2",
    ]  # fmt: skip


async def test_rubbish_is_not_found_and_harms_nothing(traced: httpx.AsyncClient) -> None:
    for code in (
        "x" * 10_000, f"{EVIL}?", "\N{BELL}", " ", "가" * 500, "%00", "'; DROP TABLE mentions",
        "\ud83d",
    ):  # fmt: skip
        raw = quote(code.encode("utf-8", "surrogatepass"), safe="")
        for rest in ("", "/forward", "/recall"):
            answer = await traced.get(f"/api/v1/trace/{raw}{rest}")
            assert answer.status_code == 404, answer.text
        like = code[:4000].encode("utf-8", "replace").decode()
        near = await traced.get("/api/v1/trace", params={"near": like})
        assert near.status_code == 200
    assert (await got(traced, EVIL))["code"] == EVIL


async def test_without_a_login_nothing_is_told(traced: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=traced.base_url, trust_env=False) as stranger:
        assert (await stranger.get("/api/v1/trace/B-1")).status_code == 401
