"""A running factory over HTTP: what it tells, who may act, and what errors look like."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import schemathesis
import trustme
import websockets
from hypothesis import Phase, given, seed, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from deungdae.app import remote
from deungdae.app.alarms import Alarms
from deungdae.app.api import live, serve
from deungdae.app.api.mirrors import Mirrors
from deungdae.app.api.news import News
from deungdae.app.auth import WebOptions
from deungdae.core.types import SECOND, Finding


async def test_health_tells_what_is_wrong(looker: httpx.AsyncClient) -> None:
    answer = (await looker.get("/api/v1/health")).json()
    assert answer["state"] == "degraded"
    assert answer["factory"] == "brickworks"
    assert answer["doors"] == {"online": 1, "degraded": 1}
    assert any("press1.wrong" in problem for problem in answer["problems"])


async def test_what_there_is(looker: httpx.AsyncClient) -> None:
    factory = (await looker.get("/api/v1/factory")).json()
    assert (factory["name"], factory["language"], factory["signals"]) == ("벽돌 공장", "ko", 5)
    signals = (await looker.get("/api/v1/signals")).json()
    assert signals[0]["id"] == "kiln1.temperature"
    assert {each["id"] for each in (await looker.get("/api/v1/assets")).json()} == {
        "kiln1",
        "press1",
    }
    machines = (await looker.get("/api/v1/machines")).json()
    assert [each["name"] for each in machines] == ["kiln", "press"]
    assert "nothing" in machines[1]["signals"]["press1.wrong"]
    (loop,) = (await looker.get("/api/v1/loops")).json()
    assert (loop["name"], loop["set_point"], loop["unit"]) == ("zone", 1150.0, "Cel")


async def test_the_present(looker: httpx.AsyncClient) -> None:
    answer = (await looker.get("/api/v1/live")).json()
    reading = answer["readings"]["kiln1.temperature"]
    assert 1000 < reading["value"] < 1300
    assert (reading["unit"], reading["quality"], reading["flags"]) == (
        "Cel",
        "good",
        [],
    )
    wrong = answer["readings"]["press1.wrong"]
    assert (wrong["value"], wrong["quality"]) == (None, "bad")
    assert answer["events"]["press1.state"]["value"] == "running"


async def test_the_past_as_samples_and_buckets(looker: httpx.AsyncClient, house: Any) -> None:
    await house.settle()
    ask = {"ids": ["kiln1.temperature"], "from": "-1m"}
    columns = (await looker.get("/api/v1/samples", params=ask)).json()["kiln1.temperature"]
    assert len(columns["time"]) == len(columns["value"]) == len(columns["status"]) > 0
    assert columns["time"][0].endswith("Z")
    ask |= {"every": "1s", "times": "ns"}
    buckets = (await looker.get("/api/v1/samples", params=ask)).json()["kiln1.temperature"]
    assert buckets["start"][0] % SECOND == 0
    assert sum(buckets["count"]) >= len(columns["time"])
    events = (await looker.get("/api/v1/events", params={"from": "-1m", "kinds": "state"})).json()
    assert events[0]["id"] == "press1.state"


WRONG = [
    ("/api/v1/samples?ids=kiln1.temperatur&from=-1m", 404, "kiln1.temperature?"),
    ("/api/v1/samples?ids=kiln1.valve&from=yesterday", 422, "is no time"),
    ("/api/v1/samples?ids=kiln1.valve&from=9999-01-01", 422, "too far away"),
    ("/api/v1/samples?ids=kiln1.valve&from=-1m&to=-2m", 422, "is after"),
    ("/api/v1/samples?ids=kiln1.valve&from=-1m&every=1y", 422, "no length of time"),
    ("/api/v1/samples?from=-1m", 422, "ids"),
    ("/api/v1/report/states?from=-1m&tz=Mars", 422, "IANA"),
    ("/api/v1/report/states?from=1900-01-01&by=hour", 413, "periods"),
    ("/api/v1/report/kpi?from=2026-01-01&to=2026-01-01", 422, "same moment"),
    ("/api/v1/nothing", 404, "Not Found"),
    ("/page/../auth.py", 404, ""),
    ("/page/..%2fauth.py", 404, ""),
]


async def test_errors_say_what_is_wrong(looker: httpx.AsyncClient) -> None:
    for path, status, words in WRONG:
        answer = await looker.get(path)
        assert (path, answer.status_code) == (path, status)
        assert words in answer.text
        assert answer.json()["error"]


async def test_a_report_of_states(looker: httpx.AsyncClient, house: Any) -> None:
    await house.settle()
    rows = (await looker.get("/api/v1/report/states", params={"from": "-10m", "by": "all"})).json()
    seconds = {row["state"]: row["seconds"] for row in rows}
    assert "unknown" in seconds
    assert sum(seconds.values()) == pytest.approx(600)
    none = {"from": "-10m", "assets": "kiln1"}
    answer = await looker.get("/api/v1/report/states", params=none)
    assert (answer.status_code, "no state signal of kiln1" in answer.text) == (404, True)


async def test_a_report_of_indicators(looker: httpx.AsyncClient, house: Any) -> None:
    await house.settle()
    rows = (await looker.get("/api/v1/report/kpi", params={"from": "-10m"})).json()
    assert len(rows) == 34
    found = {row["name"]: row for row in rows}
    assert found["oee"]["asset"] == "press1"
    assert found["oee"]["value"] is None
    assert found["oee"]["reason"]


async def test_findings_and_what_json_cannot_carry(looker: httpx.AsyncClient, house: Any) -> None:
    now = house.runtime.clock.now()
    found = Finding(
        origin="oee", asset="press1", name="oee", start=now - 1, end=now, value=float("nan")
    )
    house.runtime.intake.conclude([found])
    await house.settle()
    (answer,) = (await looker.get("/api/v1/findings", params={"from": "-1m"})).json()
    assert (answer["name"], answer["value"]) == ("oee", None)


# ---- who may


GUARDED = [
    ("GET", "/api/v1/journal?from=-1m"),
    ("POST", "/api/v1/query"),
    ("POST", "/api/v1/store/signals"),
    ("POST", "/api/v1/commands"),
    ("POST", "/api/v1/proposals/x/approve"),
    ("POST", "/api/v1/gate/kill"),
    ("POST", "/api/v1/gate/release"),
    ("POST", "/api/v1/gate/mode"),
    ("POST", "/api/v1/reload"),
    ("POST", "/api/v1/link"),
    ("POST", "/api/v1/loops/zone"),
]


async def test_what_reveals_or_changes_needs_a_role(
    looker: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for method, path in GUARDED:
        answer = await stranger.request(method, path)
        assert (path, answer.status_code) == (path, 401)
        assert "running.json" in answer.json()["remedy"]
        answer = await looker.request(method, path)
        assert (path, answer.status_code, answer.json()["rule"]) == (path, 403, "role")


async def test_wrong_tokens_are_limited_and_in_the_journal(
    stranger: httpx.AsyncClient, house: Any
) -> None:
    wrong = {"Authorization": "Bearer guess"}
    answers = [await stranger.post("/api/v1/reload", headers=wrong) for _ in range(7)]
    assert int(answers[-1].headers["retry-after"]) == 1
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    noted = [entry for entry in house.journal.read(0, 2**62) if entry.kind == "login"]
    assert [entry.data["success"] for entry in noted] == [False] * 5
    # the right one passes all the same: nobody may keep others from the kill switch
    assert (await stranger.post("/api/v1/link", headers=house.bearer)).status_code == 200


async def test_the_link_gives_a_browser_leave_to_act_once(
    stranger: httpx.AsyncClient, house: Any
) -> None:
    path = house.welcome.link.removeprefix(house.url)
    answer = await stranger.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert (await stranger.get("/api/v1/session")).json()["role"] == "administrator"
    person = {"person": "kim", "reason": "test"}
    assert (await stranger.post("/api/v1/gate/kill", json=person)).status_code == 403
    ours = {"x-deungdae": "1", "origin": house.url}
    assert (await stranger.post("/api/v1/gate/kill", json=person, headers=ours)).status_code == 200
    foreign = ours | {"origin": "http://evil.example"}
    answer = await stranger.post("/api/v1/gate/release", json={"person": "x"}, headers=foreign)
    assert answer.status_code == 403
    async with house.client(**{"x-deungdae": "1"}) as other:
        assert (await other.get(path)).headers["location"] == "/#used"
        assert (await other.get("/api/v1/session")).json()["role"] == ""
        login = await other.post("/api/v1/session", json={"token": "guess"})
        assert login.status_code == 401
        login = await other.post("/api/v1/session", json={"token": house.running.token})
        assert login.status_code == 200
        assert (await other.get("/api/v1/journal?from=-1m")).status_code == 200


async def test_a_foreign_name_is_refused(house: Any) -> None:
    async with house.client(host="evil.example", **house.bearer) as client:
        assert (await client.get("/api/v1/live")).status_code == 403
        assert (await client.get("/")).status_code == 403


async def test_every_answer_is_shielded(looker: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v1/health", "/api/v1/nothing"):
        headers = (await looker.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert "set-cookie" not in (await looker.get("/")).headers


async def test_a_large_request_is_refused(actor: httpx.AsyncClient) -> None:
    answer = await actor.post("/api/v1/query", json={"sql": "x" * 300_000})
    assert (answer.status_code, "more than" in answer.json()["error"]) == (413, True)


# ---- acting


async def test_sql(actor: httpx.AsyncClient, house: Any) -> None:
    await house.settle()
    ask = {"sql": "SELECT id, time, value FROM samples ORDER BY time", "limit": 2}
    answer = (await actor.post("/api/v1/query", json=ask)).json()
    assert answer["columns"] == ["id", "time", "value"]
    assert (len(answer["rows"]), answer["truncated"]) == (2, True)
    wrong = await actor.post("/api/v1/query", json={"sql": "DELETE FROM samples"})
    assert wrong.status_code == 400


async def test_the_gate_judges_a_persons_command(actor: httpx.AsyncClient, house: Any) -> None:
    wish = {"signal": "kiln1.valve", "value": 99.0, "person": "kim", "reason": "hotter"}
    answer = await actor.post("/api/v1/commands", json=wish)
    assert answer.status_code == 409
    assert answer.json()["rule"] == "limits"
    assert "한계" in answer.json()["remedy"]
    gate = (await actor.get("/api/v1/gate")).json()
    # the last of its signal: kim's, unless the loop has asked for something meanwhile
    last = next(each for each in gate["outcomes"] if each["command"]["signal"] == "kiln1.valve")
    assert last["command"]["unit"] == "%"
    entries = (await actor.get("/api/v1/journal?from=-1m")).json()
    refused = [entry for entry in entries if entry["kind"] == "refusal"]
    assert "person:kim" in [entry["who"] for entry in refused]
    rules = (await actor.get("/api/v1/gate/rules")).json()
    assert rules["limits"]["en"] == "the value must lie within its limits"


async def test_the_kill_switch(actor: httpx.AsyncClient) -> None:
    deed = {"person": "kim", "reason": "smoke"}
    gate = (await actor.post("/api/v1/gate/kill", json=deed)).json()
    assert (gate["killed"]["person"], gate["killed"]["reason"]) == ("kim", "smoke")
    wish = {"signal": "kiln1.valve", "value": 55.0, "person": "kim", "reason": "test"}
    answer = await actor.post("/api/v1/commands", json=wish)
    assert (answer.status_code, answer.json()["rule"]) == (409, "kill-switch")
    gate = (await actor.post("/api/v1/gate/release", json={"person": "kim"})).json()
    assert gate["killed"] is None


async def test_the_mode_of_the_gate(actor: httpx.AsyncClient) -> None:
    gate = await actor.post("/api/v1/gate/mode", json={"person": "kim", "mode": "shadow"})
    assert (gate.json()["mode"], gate.json()["ceiling"]) == ("shadow", "auto")
    unknown = await actor.post("/api/v1/proposals/none/approve", json={"person": "kim"})
    assert (unknown.status_code, unknown.json()["rule"]) == (409, "no-proposal")
    nobody = await actor.post("/api/v1/gate/mode", json={"person": " ", "mode": "auto"})
    assert nobody.status_code == 422


async def test_a_loop_gets_another_set_point(actor: httpx.AsyncClient, house: Any) -> None:
    target = {"set_point": 1160.0, "person": "kim", "reason": "order 7"}
    (loop,) = (await actor.post("/api/v1/loops/zone", json=target)).json()
    assert loop["set_point"] == 1160.0
    entries = [entry for entry in house.journal.read(0, 2**62) if entry.kind == "set-point"]
    assert (entries[0].who, entries[0].data["set_point"]) == ("kim", 1160.0)
    target["set_point"] = 9999.0
    answer = await actor.post("/api/v1/loops/zone", json=target)
    assert (answer.status_code, answer.json()["rule"]) == (409, "limits")
    assert (await actor.post("/api/v1/loops/zones", json=target)).json()["remedy"] == (
        "did you mean zone?"
    )


async def test_a_reload(actor: httpx.AsyncClient, house: Any) -> None:
    file = house.runtime.factory.path
    good = file.read_text()
    file.write_text(good.replace('type = "gate"', 'type = "gates"'))
    answer = await actor.post("/api/v1/reload")
    assert answer.status_code == 422
    assert "did you mean gate?" in answer.json()["faults"][0]
    more = '\n[[signals]]\nid = "kiln1.power"\nunit = "kW"\nsource = "kiln:power"\n'
    file.write_text(good + more)
    answer = await actor.post("/api/v1/reload")
    assert "machines.kiln changed" in answer.json()["changes"]


async def test_the_store_is_asked_from_another_process(house: Any) -> None:
    await house.settle()
    far = await asyncio.to_thread(remote.find, house.history)
    assert far is not None
    signals = await asyncio.to_thread(far.signals)
    assert "press1.count" in {signal.id for signal in signals}
    found = await asyncio.to_thread(far.query, ["press1.count"], 0, 2**62)
    assert len(found["press1.count"]) > 0


async def test_a_part_of_the_pages_is_given_once_while_it_stays(looker: httpx.AsyncClient) -> None:
    for path in ("/page/shell.js", "/shift"):
        first = await looker.get(path)
        again = await looker.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        changed = await looker.get(path, headers={"If-None-Match": '"another"'})
        assert changed.content == first.content


async def test_a_page_names_its_modules_so_that_none_waits_for_another(
    looker: httpx.AsyncClient,
) -> None:
    links = (await looker.get("/machine/press-1")).headers["link"]
    for module in ("shell.js", "dom.js", "machine/page.js", "chart.js"):
        assert f"</page/{module}>; rel=modulepreload" in links
    assert "plant/page.js" in (await looker.get("/")).headers["link"]


# ---- live


async def hear(socket: Any, wanted: str) -> dict[str, Any]:
    """Return the next message that has a certain part."""
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if wanted in message:
                return message


async def test_a_page_hears_everything_and_then_changes(
    house: Any, actor: httpx.AsyncClient
) -> None:
    url = house.url.replace("http", "ws") + "/live"
    async with websockets.connect(url, additional_headers=house.bearer) as socket:
        whole = await hear(socket, "factory")
        assert len(whole["signals"]) == 5
        assert whole["readings"]["press1.wrong"][0] is None
        assert whole["events"]["press1.state"][0] == "running"
        change = await hear(socket, "readings")
        assert "signals" not in change
        assert change["now"] > whole["now"]
        await actor.post("/api/v1/gate/kill", json={"person": "kim", "reason": "smoke"})
        assert (await hear(socket, "gate"))["gate"]["killed"]["person"] == "kim"


async def test_a_page_of_another_site_hears_nothing(house: Any) -> None:
    url = house.url.replace("http", "ws") + "/live"
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect(url, origin="http://evil.example"):  # type: ignore[arg-type]
            pass


async def test_a_slow_page_is_skipped(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        """A page that takes a message only when it is let."""

        def __init__(self) -> None:
            self.sent: list[dict[str, Any]] = []
            self.ready = asyncio.Event()

        async def send_text(self, text: str) -> None:
            self.sent.append(json.loads(text))
            await self.ready.wait()

    monkeypatch.setattr(live, "PACE", 0.001)
    slow = Slow()
    telling = asyncio.create_task(listener(slow, house.runtime).tell())
    version = house.runtime.live.version
    while house.runtime.live.version < version + 5:  # much changes meanwhile
        await asyncio.sleep(0.01)
    assert len(slow.sent) == 1  # and nothing piles up for it
    slow.ready.set()
    while len(slow.sent) < 2:
        await asyncio.sleep(0.01)
    assert "kiln1.temperature" in slow.sent[1]["readings"]
    telling.cancel()


async def test_a_page_that_takes_nothing_for_long_is_dropped(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck:
        async def send_text(self, text: str) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(live, "PATIENCE", 0.01)
    await asyncio.wait_for(listener(Stuck(), house.runtime).tell(), 5)


def listener(socket: Any, runtime: Any) -> live.Listener:
    """Return an open page with news of its own."""
    here: Any = SimpleNamespace(
        runtime=runtime, news=News(runtime, Mirrors(runtime), Alarms(runtime, keeps=False))
    )
    return live.Listener(socket, here)


async def test_a_page_hears_only_what_it_watches(house: Any) -> None:
    url = house.url.replace("http", "ws") + "/live"
    async with websockets.connect(url, additional_headers=house.bearer) as socket:
        assert len((await hear(socket, "factory"))["readings"]) > 2
        await socket.send('{"watch": ["press1.count", "no.such"]}')
        async with asyncio.timeout(10):
            while set((await hear(socket, "readings"))["readings"]) != {"press1.count"}:
                pass  # what was on its way
        await socket.send('{"watch": null}')
        assert "kiln1.temperature" in (await hear(socket, "readings"))["readings"]


@pytest.mark.parametrize("said", ["{", '{"watch": 7}', '{"hear": []}', b"\x00", "x" * 200_000])
async def test_a_page_that_talks_nonsense_is_hung_up_on(house: Any, said: str | bytes) -> None:
    url = house.url.replace("http", "ws") + "/live"
    async with websockets.connect(url, additional_headers=house.bearer) as socket:
        await socket.send(said)
        with pytest.raises(websockets.ConnectionClosedError):
            await hear(socket, "nothing")


# ---- serving


async def test_beyond_this_machine_cookies_are_bound_to_the_host_and_tls(
    tmp_path: Path, free_port: Callable[[], int], housed: Any
) -> None:
    certificate = trustme.CA().issue_cert("plant.example")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    for part in certificate.cert_chain_pems:
        part.write_to_path(tmp_path / "server.pem", append=True)
    options = WebOptions(
        host="0.0.0.0",
        port=free_port(),
        tls_certificate=str(tmp_path / "server.pem"),
        tls_key=str(tmp_path / "server.key"),
    )
    async with housed(tmp_path, options) as house:
        assert house.url.startswith("https://127.0.0.1:")
        far = await asyncio.to_thread(remote.find, house.history)
        assert far is not None
        assert await asyncio.to_thread(far.signals)
        ours = {"x-deungdae": "1"}
        async with httpx.AsyncClient(
            base_url=house.url, headers=ours, verify=False, trust_env=False
        ) as stranger:
            assert (await stranger.get("/api/v1/live")).status_code == 401
            assert (await stranger.get("/")).status_code == 200
            login = await stranger.post("/api/v1/session", json={"token": house.running.token})
            assert login.headers["set-cookie"].startswith("__Host-")
            assert "Secure" in login.headers["set-cookie"]
            assert (await stranger.get("/api/v1/live")).status_code == 200


async def test_an_address_in_use_is_told(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    options = WebOptions(port=int(house.url.rpartition(":")[2]))
    with pytest.raises(Exception, match="cannot be served"):
        await serve(house.runtime, options, house.history)


async def test_who_stops_leaves_no_word(
    tmp_path: Path, free_port: Callable[[], int], housed: Any
) -> None:
    async with housed(tmp_path, WebOptions(port=free_port())) as house:
        assert (house.history / remote.RUNNING).exists()
    assert not (house.history / remote.RUNNING).exists()


async def test_no_request_that_fits_the_description_breaks_the_api(house: Any) -> None:
    async with house.client(**house.bearer) as client:
        described = (await client.get("/api/v1/openapi.json")).json()
    for result in schemathesis.openapi.from_dict(described).get_all_operations():
        await asyncio.to_thread(try_operation, result.ok(), house)


def try_operation(operation: Any, house: Any) -> None:
    """Send a few requests that the description of an operation allows."""

    @settings(max_examples=5, deadline=None, database=None, phases=[Phase.generate])
    @seed(7)
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(base_url=house.url, headers=house.bearer)
        assert answer.status_code not in {500, 503}, answer.text
        case.validate_response(answer, checks=[response_schema_conformance])

    ask()


async def test_the_api_describes_itself(looker: httpx.AsyncClient) -> None:
    described = (await looker.get("/api/v1/openapi.json")).json()
    assert "SamplesAnswer" in described["components"]["schemas"]
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert wanted <= set(described["components"]["schemas"])
