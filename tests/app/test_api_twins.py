"""Twins over HTTP: reported beside desired, what would be if, and whether to believe it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import Phase, given, seed, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from deungdae.app.api.mirrors import Mirrors
from deungdae.core.types import HOUR, MINUTE, SECOND, Event, Finding

TWIN = "/api/v1/twins/works"
DESIRED = f"{TWIN}/features/kiln1/desired"
LINE = """
name = "works"
warm_up = 600

[stations.press1]
cycle = "triangular(8, 10, 13)"
to = "green"

[[stations.press1.failures]]
every = "exponential(3600)"
repair = "exponential(300)"
crew = "fitters"

[stations.kiln1]
cycle = { SK-34 = 12, SK-36 = 14 }
from = "green"
to = "out"
rework = 0.0
rework_to = "green"

[buffers.green]
capacity = 6

[products.SK-34]

[products.SK-36]

[crews.fitters]
size = 1

[[levers]]
target = "kiln1.cycle"
low = 0.8
high = 1.0
step = 0.2
cost = 100
"""


@pytest.fixture
def factory_text(factory_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a factory with a twin, which simulates without a compiler."""
    monkeypatch.setenv("DEUNGDAE_KERNEL", "python")
    (tmp_path / "line.toml").write_text(LINE)
    twin = '[twin.works]\ntype = "monitor"\nline = "line.toml"\nasset = "line1"\nevery = 86400\n'
    parts = '[[signals]]\nid = "press1.part"\nkind = "scan"\n'
    parts += '[[signals]]\nid = "kiln1.part"\nkind = "scan"\n'
    return factory_text.partition("[decide.zone]")[0] + parts + twin  # no loop writes between


@pytest.fixture
async def told(house: Any) -> int:
    """Let the line make three parts a minute ago; give the time."""
    now = house.runtime.clock.now() - MINUTE
    await house.runtime.intake.put(
        (
            Event(id="kiln1.state", time=now - SECOND, kind="state", value="down"),
            *(
                Event(
                    id="press1.part",
                    time=now + n * SECOND,
                    kind="scan",
                    value=f"B{n}",
                    data={"product": "SK-34" if n else "SK-36", "result": "good"},
                )
                for n in range(3)
            ),
        )
    )
    await house.settle()
    return now


async def test_the_line_that_it_mirrors(looker: httpx.AsyncClient) -> None:
    line = (await looker.get("/api/v1/twins")).json()["works"]
    press, kiln = line["stations"]
    assert (press["name"], press["asset"], press["outputs"]) == ("press1", "press1", ["green"])
    assert (kiln["inputs"], kiln["outputs"], kiln["leaves"]) == (["green"], ["green"], True)
    assert line["buffers"] == [{"name": "green", "capacity": 6}]
    wrong = await looker.get("/api/v1/twins/work")
    assert (wrong.status_code, "works" in wrong.json()["remedy"]) == (404, True)


async def test_the_present_as_reported(looker: httpx.AsyncClient, told: int) -> None:
    answer = await looker.get(TWIN)
    twin = answer.json()
    assert answer.headers["etag"] == f'"{twin["revision"]}"'
    assert int(twin["revision"]) >= told + 2 * SECOND
    kiln = twin["features"]["kiln1"]["properties"]
    assert (kiln["state"], kiln["product"]) == ("down", "SK-36")
    assert kiln["elapsed"] >= 60
    assert 1000 < kiln["temperature"] < 1300
    assert twin["features"]["green"]["properties"] == {"level": 2, "capacity": 6}
    assert twin["validity"]["state"] == "unknown"
    assert twin["improvable"]
    one = (await looker.get(f"{TWIN}/features/green")).json()
    assert one == twin["features"]["green"]
    assert (await looker.get(f"{TWIN}/features/gren")).status_code == 404


async def test_the_past_by_revision_and_time(looker: httpx.AsyncClient, told: int) -> None:
    twin = (await looker.get(TWIN, params={"at": str(told)})).json()
    assert twin["revision"] == str(told)
    assert twin["features"]["green"]["properties"]["level"] == 0  # the first is in the kiln
    assert twin["features"]["kiln1"]["properties"]["temperature"] is None  # nobody measured yet
    later = (await looker.get(TWIN, params={"at": str(told + SECOND)})).json()
    assert later["features"]["green"]["properties"]["level"] == 1
    ago = (await looker.get(TWIN, params={"at": "-1h"})).json()
    assert ago["revision"] == "0"
    ahead = await looker.get(TWIN, params={"at": "2200-01-01"})
    assert (ahead.status_code, "not yet" in ahead.json()["error"]) == (422, True)


async def test_a_mirror_begins_from_the_records(
    looker: httpx.AsyncClient, house: Any, told: int
) -> None:
    before = (await looker.get(TWIN)).json()
    thinker = house.runtime.thinking.thinkers["twin.works"]
    stand = await Mirrors(house.runtime).now("works", thinker.work)
    assert stand.snapshot.buffers == {"green": ("SK-34", "SK-34")}
    assert stand.revision >= int(before["revision"])


def wish(**parts: Any) -> dict[str, Any]:
    """Return a wish of a person."""
    return {"person": "Kim", "reason": "order 7", "values": {"valve": 55.0}} | parts


async def test_what_is_desired_goes_through_the_gate(
    looker: httpx.AsyncClient, actor: httpx.AsyncClient, house: Any, told: int
) -> None:
    assert (await looker.patch(DESIRED, json=wish())).status_code == 403
    await actor.post("/api/v1/gate/mode", json={"mode": "advise", "person": "Kim"})
    answer = await actor.patch(DESIRED, json=wish(ttl=200))
    assert answer.status_code == 200, answer.text
    (outcome,) = answer.json()["outcomes"]
    assert (outcome["result"], outcome["command"]["value"]) == ("held", 55.0)
    desired = answer.json()["feature"]["desired"]["valve"]
    assert (desired["value"], desired["unit"], desired["person"]) == (55.0, "%", "Kim")
    kinds = [each.kind for each in house.journal.read(0, 2**63 - 1) if each.who == "person:Kim"]
    assert kinds == ["held"]
    past = (await looker.get(TWIN, params={"at": str(told)})).json()
    assert past["features"]["kiln1"]["desired"] == {}
    await house.settle()
    again = await Mirrors(house.runtime).now(
        "works", house.runtime.thinking.thinkers["twin.works"].work
    )
    assert again.desired["kiln1", "valve"].value == 55.0
    dropped = await actor.patch(DESIRED, json=wish(values={"valve": None}))
    assert dropped.json() == {
        "outcomes": [],
        "feature": dropped.json()["feature"] | {"desired": {}},
    }


async def test_put_drops_what_it_does_not_name(actor: httpx.AsyncClient, told: int) -> None:
    await actor.post("/api/v1/gate/mode", json={"mode": "advise", "person": "Kim"})
    await actor.patch(DESIRED, json=wish())
    answer = await actor.put(DESIRED, json=wish(values={"valve": 50.0}))
    assert answer.json()["feature"]["desired"]["valve"]["value"] == 50.0


async def test_what_the_gate_refuses_is_not_desired(actor: httpx.AsyncClient, told: int) -> None:
    answer = await actor.patch(DESIRED, json=wish(values={"valve": 99.0}))
    assert answer.status_code == 409
    assert (await actor.get(f"{TWIN}/features/kiln1")).json()["desired"] == {}


@pytest.mark.parametrize(
    ("headers", "params", "status"),
    [
        ({"If-Match": '"7"'}, {}, 412),
        ({"If-Match": "*"}, {}, 200),
        ({}, {"condition": 'eq(properties/state,"running")'}, 412),
        ({}, {"condition": 'eq(properties/state,"down")'}, 200),
        ({}, {"condition": "ge(features/green/properties/level,2)"}, 200),
        ({}, {"condition": "like(properties/state)"}, 422),
    ],
)
async def test_a_wish_may_depend_on_the_state(
    actor: httpx.AsyncClient,
    told: int,
    headers: dict[str, str],
    params: dict[str, str],
    status: int,
) -> None:
    await actor.post("/api/v1/gate/mode", json={"mode": "advise", "person": "Kim"})
    answer = await actor.patch(DESIRED, json=wish(), headers=headers, params=params)
    assert answer.status_code == status, answer.text


async def test_the_revision_of_a_quiet_line_matches(
    actor: httpx.AsyncClient, house: Any, told: int
) -> None:
    await actor.post("/api/v1/gate/mode", json={"mode": "advise", "person": "Kim"})
    tag = (await actor.get(TWIN)).headers["etag"]
    assert (await actor.patch(DESIRED, json=wish(), headers={"If-Match": tag})).status_code == 200
    # that wish is news: who has not seen it must look again
    late = await actor.patch(DESIRED, json=wish(), headers={"If-Match": tag})
    assert (late.status_code, "revision" in late.json()["error"]) == (412, True)


async def test_what_cannot_be_written_cannot_be_desired(actor: httpx.AsyncClient) -> None:
    answer = await actor.patch(DESIRED, json=wish(values={"temperature": 900.0}))
    assert (answer.status_code, "valve" in answer.json()["remedy"]) == (422, True)
    buffer = await actor.patch(f"{TWIN}/features/green/desired", json=wish(values={"level": 1.0}))
    assert buffer.status_code == 422


QUICK = {"horizon": 600, "replications": 4}


async def test_what_if(looker: httpx.AsyncClient, told: int) -> None:
    taken = (await looker.post(f"{TWIN}/snapshots")).json()
    assert taken["snapshot"]["buffers"] == {"green": ["SK-34", "SK-34"]}
    ask = {"snapshot": taken["id"], "changes": {"kiln1.cycle": "-20%"}, **QUICK}
    reply = await looker.post(f"{TWIN}/whatif", json=ask, timeout=60)
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert answer["snapshot"] == taken["id"]
    found = answer["result"]["measures"]["throughput"]
    assert found["changed"]["mean"] > found["base"]["mean"]
    assert found["difference"]["low"] <= found["difference"]["mean"]
    assert answer["result"]["bottleneck"]["station"] in {"press1", "kiln1"}
    again = (await looker.post(f"{TWIN}/whatif", json=ask)).json()
    assert again["result"] == answer["result"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"changes": {"klin1.cycle": "-20%"}}, "klin1"),
        ({"changes": {"kiln1.cycle": "quick"}}, "quick"),
        ({"changes": {"green.capacity": "-9"}}, "green"),
        ({"replications": 2000, "horizon": 90 * 86400}, "too long"),
        ({"replications": 1}, "replications"),
    ],
)
async def test_an_absurd_question_is_refused(
    looker: httpx.AsyncClient, asked: dict[str, object], said: str
) -> None:
    answer = await looker.post(f"{TWIN}/whatif", json=QUICK | asked)
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text


async def test_what_if_a_line_that_has_run_in(looker: httpx.AsyncClient, told: int) -> None:
    found = {}
    for begin in ("now", "steady"):
        ask = {"begin": begin, **QUICK}
        answer = (await looker.post(f"{TWIN}/whatif", json=ask, timeout=60)).json()
        found[begin] = answer["result"]["measures"]["throughput"]["base"]["mean"]
        assert answer["begin"] == begin
    # a warm-up of 600 s is not counted, so neither the full buffer nor the broken kiln matter
    assert 0 < found["now"] < found["steady"]


async def test_a_line_that_locks_itself_is_named(looker: httpx.AsyncClient, told: int) -> None:
    ask = {**QUICK, "changes": {"kiln1.rework": "0.5"}, "horizon": 7200}
    answer = await looker.post(f"{TWIN}/whatif", json=ask, timeout=60)
    assert (answer.status_code, "locked" in answer.json()["error"]) == (422, True)


async def test_a_page_of_another_site_may_not_ask(looker: httpx.AsyncClient) -> None:
    foreign = {"Origin": "https://example.com"}
    answer = await looker.post(f"{TWIN}/whatif", json=QUICK, headers=foreign)
    assert answer.status_code == 403


async def test_levers_say_what_can_be_changed(looker: httpx.AsyncClient) -> None:
    found = {each["target"]: each["value"] for each in (await looker.get(f"{TWIN}/levers")).json()}
    assert found == {
        "press1.cycle": pytest.approx(31 / 3),
        "press1.failures.repair": 300.0,
        "kiln1.cycle": 13.0,
        "green.capacity": 6.0,
        "fitters.size": 1.0,
    }


async def test_a_budget_is_spent(looker: httpx.AsyncClient, told: int) -> None:
    ask = {"budget": "100", "horizon": 600, "replications": 10}
    reply = await looker.post(f"{TWIN}/improve", json=ask, timeout=60)
    assert reply.status_code == 200, reply.text
    plan = reply.json()
    assert (plan["budget"], plan["currency"]) == ("100", "KRW")
    assert plan["changes"] == ["kiln1.cycle=*0.8"]
    assert (plan["chance"], plan["tried"]) == (0.95, 2)


async def test_forecasts_are_scored(looker: httpx.AsyncClient, house: Any) -> None:
    now = house.runtime.clock.now()
    empty = (await looker.get(f"{TWIN}/score")).json()
    assert (empty["shifts"], empty["coverage"]) == ([], None)
    common: dict[str, Any] = {"origin": "works", "asset": "line1"}
    evidence = {"made": "980", "expected": "1000", "low": "950", "high": "1040"}
    house.runtime.intake.conclude(
        [
            Finding(
                **common, name="score", start=now - 9 * HOUR, end=now - HOUR,
                value=8.5, evidence=evidence,
            ),
            Finding(
                **common, name="forecast", start=now - HOUR, end=now + 7 * HOUR, value=990.0,
                evidence={"low": "940", "high": "1030"},
            ),
            Finding(
                **common, name="believable", start=0, end=now, value=0.0, severity=1,
                reason="the cycles of press1 drift",
                evidence={"shifts": "20", "coverage": "0.9", "coverage low": "0.7",
                          "coverage high": "nan", "mean crps": "8.5"},
            ),
            Finding(
                origin="works", asset="press1", name="drift", start=now - HOUR, end=now,
                value=0.04, uncertainty=0.01, severity=2, reason="cycles are longer",
            ),
        ]
    )  # fmt: skip
    await house.settle()
    score = (await looker.get(f"{TWIN}/score", params={"window": "1d"})).json()
    assert score["validity"]["state"] == "drifting"
    assert (score["coverage"], score["coverage_low"]) == (90.0, 70.0)
    assert score["coverage_high"] is None
    (shift,) = score["shifts"]
    assert (shift["made"], shift["low"], shift["crps"]) == (980.0, 950.0, 8.5)
    (drift,) = score["drifts"]
    assert (drift["station"], drift["change"], drift["uncertainty"]) == ("press1", 4.0, 1.0)
    assert (score["forecast"]["expected"], score["forecast"]["made"]) == (990.0, None)
    assert (await looker.get(f"{TWIN}/score", params={"window": "soon"})).status_code == 422


async def test_no_request_about_twins_breaks_the_api(house: Any) -> None:
    async with house.client(**house.bearer) as client:
        described = (await client.get("/api/v1/openapi.json")).json()
    paths = {path: each for path, each in described["paths"].items() if "/twins" in path}
    operations = schemathesis.openapi.from_dict({**described, "paths": paths}).get_all_operations()
    for result in operations:
        await asyncio.to_thread(_try, result.ok(), house)


def _try(operation: Any, house: Any) -> None:
    """Send a few requests about our twin that the description of an operation allows."""

    @settings(max_examples=4, deadline=None, database=None, phases=[Phase.generate])
    @seed(7)
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.path_parameters |= {
            key: {"id": "works", "feature": "kiln1"}[key] for key in case.path_parameters or {}
        }
        if isinstance(case.body, dict) and case.path.endswith(("whatif", "improve")):
            case.body |= {**QUICK, "replications": 10}
        answer = case.call(base_url=house.url, headers=house.bearer)
        assert answer.status_code not in {500, 503}, answer.text
        case.validate_response(answer, checks=[response_schema_conformance])

    ask()
