"""The demo as a newcomer starts it: a plant and a platform, joined by real protocols alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deungdae.app.cli.plant import ask

pytestmark = pytest.mark.timeout(300)
WITHIN = 120.0  # s for anything to happen; the machine may be busy


class Demo:
    """A running demo."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder.parent / "log"
        command = [sys.executable, "-m", "deungdae.app.cli", "demo", "--keep", str(folder)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *words], stdout=log, stderr=log
            )

    def get(self, path: str) -> Any:
        return json.loads(self.bytes(path))

    def bytes(self, path: str) -> bytes:
        running = json.loads((self.folder / "history" / "running.json").read_bytes())
        ask = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            headers={"Authorization": f"Bearer {running['token']}"},
        )
        with urllib.request.urlopen(ask, timeout=20) as answer:
            return bytes(answer.read())

    def wait(self, what: str, there: Callable[[], Any]) -> Any:
        """Return what `there` gives once it is something."""
        end = time.monotonic() + WITHIN
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if found := there():
                    return found
            except (OSError, ValueError):
                pass  # it does not answer yet
            time.sleep(0.2)
        raise AssertionError(f"{what}: not within {WITHIN:g} s")

    def finding(self, name: str, asset: str = "") -> dict[str, Any] | None:
        """Return the newest finding of that name that has a value above 0."""
        for found in self.get("/api/v1/live")["findings"]:
            if (
                found["name"] == name
                and asset in ("", found["asset"])
                and (found["value"] or 0) > 0
            ):
                return dict(found)
        return None

    def health(self) -> dict[str, str]:
        """Return the state of each machine's door."""
        return {each["name"]: each["state"] for each in self.get("/api/v1/machines")}

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    found = Demo(tmp_path_factory.mktemp("demo") / "works", "--speed", "4", "--past", "0.3")
    try:
        yield found
    finally:
        found.end()
    assert found.process.returncode == 0
    assert not (found.folder / "desk.sock").exists()


def test_every_machine_is_reached_by_its_protocol(demo: Demo) -> None:
    def all_online() -> dict[str, str] | None:
        found = demo.health()
        return found if set(found.values()) == {"online"} else None

    found = demo.wait("every machine on line", all_online)
    assert set(found) == {
        "mixer", "press_1", "press_2", "dryer", "kiln", "camera", "robot", "dried", "fired",
        "sorter", "gate", "moulds",
        "meter_press_1", "meter_kiln",
    }  # fmt: skip


def test_the_picture_lives(demo: Demo) -> None:
    """OEE, a point of a control chart, an inspected brick, kilowatt-hours."""
    demo.wait("an OEE", lambda: demo.finding("oee"))
    charted = "kiln" if at_meal("press-2") else "press-2"
    demo.wait("a point of the control chart", lambda: demo.finding("control", charted))
    demo.wait("energy of the line", lambda: demo.finding("energy", "line1"))

    def brick_with_serial() -> dict[str, Any] | None:
        found = demo.finding("inspection")  # of some the camera cannot read the code
        return found if found and found["evidence"]["serial"] else None

    brick = demo.wait("an inspected brick", brick_with_serial)
    assert brick["evidence"]["serial"].startswith(("ST", "AR"))
    picture = demo.bytes(f"/api/v1/blobs/{brick['evidence']['image']}")
    assert picture.startswith((b"\x89PNG", b"\xff\xd8"))


def test_a_brick_tells_its_lot_over_every_protocol(demo: Demo) -> None:
    """Modbus and OPC UA strings, Sparkplug, and readers over TCP."""
    for id, key in (
        ("press-1.part", "lot"), ("press-2.part", "lot"), ("mixer.lot", "order"),
        ("robot.part", "into"), ("camera.part", "result"),
    ):  # fmt: skip
        if not (
            id.startswith("press") and at_meal(id.partition(".")[0])
        ):  # then it presses nothing
            demo.wait(f"{id} with its {key}", lambda id=id, key=key: key in said(demo, id))
    assert said(demo, "press-1.order")["quantity"] in ("240", "480")


def at_meal(press: str) -> bool:
    """Return whether those at a press have their meal, as line.toml says, or are about to."""
    now = datetime.now(ZoneInfo("Asia/Seoul"))
    half = {"press-1": (-5, 30), "press-2": (25, 60)}[press]
    minute = now.minute - 60 if now.hour in (11, 23) else now.minute
    return now.hour in (0, 11, 12, 23) and half[0] <= minute < half[1]


def said(demo: Demo, id: str) -> dict[str, str]:
    """Return the data of the newest event of an id."""
    return dict(demo.get("/api/v1/live")["events"].get(id, {}).get("data", {}))


def test_the_twin_knows_what_waits_and_what_is_in_the_kiln(demo: Demo) -> None:
    features = demo.get("/api/v1/twins/line1")["features"]
    levels = {name: each["properties"].get("level", 0) for name, each in features.items()}
    assert None not in levels.values()
    # a past of seven hours knows of as many wagons
    assert features["kiln"]["properties"]["servers_running"] >= 4


def test_it_has_a_past_that_says_so(demo: Demo) -> None:
    told = demo.get("/api/v1/replay?from=-6h")
    assert told["first"] is not None
    assert len(told["states"]["press-2"]["time"]) > 2
    (note,) = demo.get("/api/v1/events?from=-2d&ids=deungdae.past")
    assert note["value"] == "simulated past"


def test_one_machine_that_is_gone_stops_no_other_and_comes_back(demo: Demo) -> None:
    demo.wait("the kiln", lambda: demo.health()["kiln"] == "online")
    told = ask(demo.folder, {"machine": "kiln", "kind": "drop", "seconds": 0})
    assert told["machines"]["kiln"]["faults"][0]["kind"] == "drop"
    demo.wait("the kiln gone", lambda: demo.health()["kiln"] != "online")
    others = {name: state for name, state in demo.health().items() if name != "kiln"}
    assert set(others.values()) == {"online"}
    ask(demo.folder, {"machine": "kiln", "clear": True})
    demo.wait("the kiln back", lambda: demo.health()["kiln"] == "online")


def test_what_is_wrong_at_one_machine_is_told_and_never_counted(demo: Demo) -> None:
    ask(
        demo.folder,
        {"machine": "dryer", "kind": "rubbish", "quantity": "temperature", "seconds": 0},
    )

    def bad() -> bool:
        reading = demo.get("/api/v1/live")["readings"]["dryer.temperature"]
        return bool(reading["quality"] != "good")

    demo.wait("a bad temperature", bad)
    assert demo.health()["dryer"] == "online"
    ask(demo.folder, {"machine": "dryer", "clear": True})
    demo.wait("a good temperature", lambda: not bad())


def test_nothing_of_it_stays_open(demo: Demo) -> None:
    """The plant listens on this computer alone."""
    ports = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    text = (demo.folder / "plant.toml").read_text(encoding="utf-8")
    wanted = {int(line.split()[2]) for line in text.splitlines() if line.startswith("port = ")}
    listening = {address for address in ports if int(address.split(":")[1], 16) in wanted}
    assert {address.split(":")[0] for address in listening} == {"0100007F"}
    assert os.stat(demo.folder / "desk.sock").st_mode & 0o077 == 0


def test_who_is_stopped_while_it_starts_leaves_no_plant_behind(tmp_path: Path) -> None:
    found = Demo(tmp_path / "works", "--past", "0")

    def plant() -> list[int]:
        pids = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                words = (place / "cmdline").read_bytes().decode(errors="replace")
                if "deungdae.app.plant" in words and str(found.folder) in words:
                    pids.append(int(place.name))
        return pids

    try:
        found.wait("the plant's process", plant)
        found.process.send_signal(signal.SIGTERM)
        assert found.process.wait(60) != 0
        assert plant() == []
    finally:
        for pid in (found.process.pid, *plant()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        found.process.wait(60)
