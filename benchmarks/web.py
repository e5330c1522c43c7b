"""The pages as people meet them: how soon they show, how soon they tell, what many of them cost.

    python benchmarks/web.py [--quick] [--json] [--minutes N] [--only PART …]

A factory runs as `deungdae run`, with 500 signals that change once a second at an OPC UA server in
another process; pages are opened in the system's Chromium. The parts:

page    the first page, from the address to the drawn plan, with nothing and with all cached
change  a value changes at the server → it stands on the screen (source time → next frame)
chart   30 days of one signal in a history of 100 million points: asked for over HTTP, and drawn;
        the history is made once, in the folder for temporary files, and reused
many    50 websocket clients that hear all of it: processor and memory beside the same run without
open    the JavaScript heap of a page that hears as much as 8 hours bring, at 1 Hz, sped up
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import websockets
from asyncua import Server, ua
from playwright.sync_api import Browser, Page, sync_playwright

from deungdae.core.clock import to_iso
from deungdae.core.types import DAY, Signal
from deungdae.historian.store import Historian, HistorianOptions
from historian import DAYS, FAST, START, TAGS, Hands, fill
from measure import Row, arguments, free_port, present, report, row, running

CHROMIUM = "/usr/bin/chromium"
QUIET = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
CELLS, TELLING = 20, 25  # machines, and the signals of each
CLIENTS = 50
HOURS = 8
ASKED = 35_000  # ms of the real clock, within which a chart asks anew and lets go of what it heard
PATIENCE = 90.0  # s until a factory must be ready
PARTS = ("page", "change", "chart", "many", "open")

FACTORY = """
signals = "signals.csv"

[factory]
id = "bench"
timezone = "UTC"
language = "en"

[historian]
path = "{history}"

[app]
port = {port}
"""

MACHINE = """
[machines.cells]
type = "opcua"
url = "opc.tcp://127.0.0.1:{server}"
"""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, help="that 50 clients are watched; 10, quick 0.5")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--serve", type=int, help="port, for its own child")
    parser.add_argument("--listen", help="address of a factory's history, for its own child")
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.serve))
    elif asked.listen:
        asyncio.run(listen(Path(asked.listen)))
    else:
        minutes = asked.minutes or (0.5 if asked.quick else 10.0)
        rows = measured(asked.only, minutes, quick=asked.quick)
        report("web", rows, as_json=asked.json)


def measured(parts: tuple[str, ...], minutes: float, *, quick: bool) -> list[Row]:
    """Return the rows of the chosen parts."""
    rows: list[Row] = []
    if set(parts) & {"page", "change", "many", "open"}:
        with cells() as house, chromium() as browser:
            if "page" in parts:
                rows += first_pages(browser, house, rounds=3 if quick else 9)
            if "change" in parts:
                rows += changes(browser, house, count=20 if quick else 120)
            if "open" in parts:
                rows += long_open(browser, house, messages=2000 if quick else HOURS * 3600)
            if "many" in parts:
                rows += many(house, minutes)
    if "chart" in parts:
        rows += charts(2_000_000 if quick else 100_000_000, rounds=4 if quick else 10)
    return rows


# ---- the factory


class House:
    """A running factory."""

    def __init__(self, process: psutil.Process, history: Path) -> None:
        self.process = process
        self.history = history
        told = json.loads((history / "running.json").read_bytes())
        self.url: str = told["url"]
        self.bearer = {"Authorization": f"Bearer {told['token']}"}

    def ask(self, path: str, method: str = "GET") -> bytes:
        """Return what the API answers."""
        link = http.client.HTTPConnection(self.url.partition("://")[2], timeout=60)
        try:
            link.request(method, f"/api/v1/{path}", headers=self.bearer)
            answer = link.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {content.decode()[:300]}")
            return content
        finally:
            link.close()

    def link(self) -> str:
        """Return a link that logs in."""
        return str(json.loads(self.ask("link", "POST"))["url"])


@contextmanager
def cells() -> Iterator[House]:
    """Run a factory of 20 machines and the server that they tell through."""
    server = free_port()
    with running([sys.executable, __file__, "--serve", str(server)], server):
        lines = ["id,kind,unit,source", "probe.value,number,1,cells:ns=2;s=Probe"]
        for cell in range(CELLS):
            lines.append(f"cell-{cell}.state,state,,cells:ns=2;s=State{cell}")
            lines += [
                f"cell-{cell}.t{n},number,Cel,cells:ns=2;s=T{cell * TELLING + n}"
                for n in range(TELLING)
            ]
        with tempfile.TemporaryDirectory(dir=".") as name:
            folder = Path(name).resolve()
            with house(folder, lines, folder / "history", MACHINE.format(server=server)) as found:
                yield found


@contextmanager
def house(folder: Path, signals: list[str], history: Path, more: str = "") -> Iterator[House]:
    """Run a factory; it knows a good value of every signal that comes from a machine."""
    text = FACTORY.format(port=free_port(), history=history) + more
    (folder / "factory.toml").write_text(text, encoding="utf-8")
    (folder / "signals.csv").write_text("\n".join(signals) + "\n", encoding="utf-8")
    (history / "running.json").unlink(missing_ok=True)
    command = [str(Path(sys.executable).with_name("deungdae")), "run", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.monotonic() + PATIENCE
    try:
        while not is_ready(history, len(signals) - 1 - CELLS if more else 0):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit((folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.1)
        yield House(psutil.Process(process.pid), history)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def is_ready(history: Path, good: int) -> bool:
    """Return whether a factory answers, and knows so many good values."""
    try:
        readings = present(history)["readings"].values()
    except (OSError, ValueError):
        return False
    return sum(each["quality"] == "good" for each in readings) >= good


async def serve(port: int) -> None:
    """Serve all machines: each value changes every second, the probe at moments of its own."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:bench")
    objects = server.nodes.objects
    tags = [
        await objects.add_variable(ua.NodeId(f"T{n}", 2), f"T{n}", 20.0)
        for n in range(CELLS * TELLING)
    ]
    for cell in range(CELLS):
        await objects.add_variable(ua.NodeId(f"State{cell}", 2), f"State{cell}", "running")
    probe = await objects.add_variable(ua.NodeId("Probe", 2), "Probe", 0.0)

    async def write(node: Any, value: float) -> None:
        sample = ua.DataValue(ua.Variant(value), SourceTimestamp=datetime.now(UTC))
        await server.write_attribute_value(node.nodeid, sample)

    async def tick() -> None:
        generator = np.random.default_rng(1)
        while True:
            for node, value in zip(tags, generator.normal(20, 3, len(tags)), strict=True):
                await write(node, float(value))
            await asyncio.sleep(1)

    async def surprise() -> None:
        moments, count = random.Random(1), 0
        while True:
            await asyncio.sleep(moments.uniform(0.4, 1.1))
            count += 1
            await write(probe, float(count))

    async with server:
        await asyncio.gather(tick(), surprise())


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Browser, house: House, script: str = "") -> Page:
    """Return a page that is logged in. script: runs before those of the page."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    if script:
        page.add_init_script(script)
    page.goto(house.link())
    page.wait_for_selector("body.met")
    return page


# ---- one page

DRAWN = "() => document.querySelector('#plant-plan .station.run') && performance.now()"


def first_pages(browser: Browser, house: House, rounds: int) -> list[Row]:
    """Return how soon the plan of the plant is drawn."""
    found = []
    for disabled in (True, False):
        times = []
        for _ in range(rounds):
            page = opened(browser, house)
            page.context.new_cdp_session(page).send(
                "Network.setCacheDisabled", {"cacheDisabled": disabled}
            )
            page.goto(house.url, wait_until="commit")
            times.append(page.wait_for_function(DRAWN, polling="raf").json_value() / 1000)
            page.context.close()
        what = "nothing cached" if disabled else "opened before"
        found.append(row(f"the first page is drawn, {what}", statistics.median(times), "s", most=1))
    return found


WATCH = """async () => {
    const { known } = await import("/page/shell.js");
    const cell = document.querySelector('tr[data-signal="probe.value"] .value');
    window.late = [];
    new MutationObserver(() => {
        const [, ms] = known.readings.get("probe.value");
        requestAnimationFrame(() => late.push(Date.now() - ms));
    }).observe(cell, { childList: true, characterData: true, subtree: true });
}"""


def changes(browser: Browser, house: House, count: int) -> list[Row]:
    """Return how long after a change at the machine the value stands on the screen."""
    page = opened(browser, house)
    page.wait_for_selector('tr[data-signal="probe.value"]')
    page.evaluate(WATCH)
    page.wait_for_function(f"() => late.length >= {count}", timeout=count * 3000)
    late = page.evaluate("late")
    page.context.close()
    what = "change at the machine → on the screen"
    return [
        row(f"{what}: half within", float(np.percentile(late, 50)), "ms"),
        row(f"{what}: 95 of 100 within", float(np.percentile(late, 95)), "ms", most=500),
        row(f"{what}: the slowest of {len(late)}", max(late), "ms"),
    ]


# real messages are told again and again, a second of simulated time between them
HEAR = """
window.said = [];
window.WebSocket = class extends WebSocket {
    constructor(...given) {
        super(...given);
        window.live = this;
        this.addEventListener("message", (event) => said.length < 100 && said.push(event.data));
    }
};"""

AGAIN = """async ([from, to]) => {
    const told = said.slice(1).map((text) => JSON.parse(text)).filter((news) => news.readings);
    for (let n = from; n < to; n++) {
        const news = structuredClone(told[n % told.length]);
        news.now += n * 1000;
        for (const [id, reading] of Object.entries(news.readings)) {
            news.readings[id] = [reading[0] + n / 1000, reading[1] + n * 1000, reading[2]];
        }
        live.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(news) }));
        if (n % 200 === 0) await new Promise((done) => setTimeout(done));
    }
}"""


def long_open(browser: Browser, house: House, messages: int) -> list[Row]:
    """Return how the heap of open pages grows between the first and the last of many messages."""
    found = []
    for name, path in (("plant", ""), ("machine", "machine/cell-0")):
        page = opened(browser, house, HEAR)
        page.goto(f"{house.url}/{path}")
        page.wait_for_function("() => said.length >= 40")
        session = page.context.new_cdp_session(page)
        settled = messages // HOURS
        page.evaluate(AGAIN, [0, settled])
        page.wait_for_timeout(ASKED)
        before = heap(session)
        page.evaluate(AGAIN, [settled, messages])
        page.wait_for_timeout(ASKED)
        after = heap(session)
        page.context.close()
        what = f"page {name}, {messages:,} messages of {CELLS * TELLING} values"
        found.append(row(f"{what}: heap", after, "MB"))
        found.append(row(f"{what}: grown since an eighth", after - before, "MB", most=2))
    return found


def heap(session: Any) -> float:
    """Return what is used of the JavaScript heap when rubbish is taken out, MB."""
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


# ---- many pages


def many(house: House, minutes: float) -> list[Row]:
    """Return what 50 clients cost beside the same run without them."""
    window = min(60.0, minutes * 60)
    alone = share_of_core(house.process, window)
    listening = subprocess.Popen(
        [sys.executable, __file__, "--listen", str(house.history)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    try:
        listening.stdout.readline()  # all are there
        time.sleep(min(60.0, window))  # what is made once is made
        memory = [house.process.memory_info().rss / 1e6]
        shares = []
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            shares.append(share_of_core(house.process, min(10.0, minutes * 60)))
            memory.append(house.process.memory_info().rss / 1e6)
    finally:
        listening.send_signal(signal.SIGINT)
    told = json.loads(listening.stdout.read())
    listening.wait(10)
    together = statistics.median(shares)
    third = max(1, len(memory) // 3)
    growth = statistics.median(memory[-third:]) - statistics.median(memory[:third])
    beside = f"without them {alone * 100:.1f} %"
    what = f"{CLIENTS} clients, {CELLS * TELLING} values at 1 Hz"
    return [
        row(f"{what}: processor", together * 100, "% of core", most=50, peer=beside),
        row(f"{what}: processor for them alone", (together - alone) * 100, "% of core"),
        row(f"{what}: messages to each", told["messages"], "1/s"),
        row(f"{what}: values to each", told["values"], "1/s"),
        row(f"{what}: memory (RSS)", memory[-1], "MB"),
        row(f"{what}: grown in {minutes:g} min", growth, "MB", most=10),
    ]


def share_of_core(process: psutil.Process, window: float) -> float:
    before, begun = process.cpu_times(), time.perf_counter()
    time.sleep(window)
    after, passed = process.cpu_times(), time.perf_counter() - begun
    return (after.user + after.system - before.user - before.system) / passed


async def listen(history: Path) -> None:
    """Be 50 pages until interrupted; then say what each heard."""
    told = json.loads((history / "running.json").read_bytes())
    headers = {"Authorization": f"Bearer {told['token']}"}
    url = told["url"].replace("http", "ws") + "/live"
    counts = {"messages": 0, "values": 0}
    there = asyncio.Barrier(CLIENTS + 1)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, over.set)

    async def hear() -> None:
        async with websockets.connect(url, additional_headers=headers, max_size=None) as socket:
            await socket.recv()
            await there.wait()
            async for message in socket:
                counts["messages"] += 1
                counts["values"] += str(message).count('":[')

    tasks = [asyncio.create_task(hear()) for _ in range(CLIENTS)]
    await there.wait()
    print("there", flush=True)
    begun = time.monotonic()
    await over.wait()
    passed = (time.monotonic() - begun) * CLIENTS
    print(json.dumps({name: count / passed for name, count in counts.items()}))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# ---- charts over a long history

DRAW = """async ([id, from, to]) => {
    const { Chart } = await import("/page/chart.js");
    const begun = performance.now();
    const chart = new Chart({ signals: [id], from, to, plain: true });
    document.getElementById("page").prepend(chart.element);
    await chart.renew();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const passed = performance.now() - begun;
    const drawn = Math.max(...[...chart.element.querySelectorAll("path")].map((path) => path.getAttribute("d").length));
    chart.leave?.();
    chart.element.remove();
    return [passed, drawn];
}"""  # noqa: E501


def charts(points: int, rounds: int) -> list[Row]:
    """Return how long a chart of 30 days takes, of fast and of slow signals in turn."""
    place = long_history(points)
    lines = ["id,kind", *(f"plant.t{n},number" for n in range(TAGS))]
    fast, slow = list(range(FAST)), list(range(FAST, TAGS, 97))
    tags = [tag for pair in zip(fast, slow, strict=False) for tag in pair][:rounds]
    begin, end = to_iso(START), to_iso(START + DAYS * DAY)
    asked, drawn = [], []
    with (
        tempfile.TemporaryDirectory(dir=".") as name,
        house(Path(name).resolve(), lines, place) as found,
        chromium() as browser,
    ):
        for tag in tags:
            query = f"trend?id=plant.t{tag}&from={begin}&to={end}&points=1200"
            began = time.perf_counter()
            found.ask(query)
            asked.append(time.perf_counter() - began)
        page = opened(browser, found)
        for tag in tags:
            seconds, size = page.evaluate(DRAW, [f"plant.t{tag + 1}", begin, end])
            if size < 1000:
                raise SystemExit(f"the chart of plant.t{tag + 1} is empty")
            drawn.append(seconds / 1000)
        page.context.close()
    what = f"30 days of a signal, {points / 1e6:g} million points stored"
    return [
        row(f"{what}: asked for, half within", statistics.median(asked), "s"),
        row(f"{what}: asked for, the slowest of {rounds}", max(asked), "s", most=1),
        row(f"{what}: drawn, half within", statistics.median(drawn), "s"),
        row(f"{what}: drawn, the slowest of {rounds}", max(drawn), "s", most=1),
    ]


def long_history(points: int) -> Path:
    """Return the folder of a history of 30 days; made the first time."""
    folder = Path(tempfile.gettempdir()) / "deungdae-bench" / f"web-{points}"
    place, whole = folder / "history", folder / "whole"
    if not whole.exists():
        print(f"making a history of {points:,} points in {folder} …", file=sys.stderr)
        if place.exists():
            raise SystemExit(f"{folder} is not whole: remove it")
        clock = Hands()
        with Historian(place, HistorianOptions(disk_reserve=0), clock) as store:
            store.register([Signal(id=f"plant.t{n}") for n in range(TAGS)])
            fill(store, clock, points)
        whole.touch()
    return place


if __name__ == "__main__":
    main()
