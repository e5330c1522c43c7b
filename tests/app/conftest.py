"""A small running factory with its API, for the tests of what it tells and does over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher

from deungdae.app import remote
from deungdae.app.api import Welcome, serve
from deungdae.app.auth import WebOptions, passwords
from deungdae.app.control import Control
from deungdae.app.live import Live
from deungdae.app.models import Models
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.types import Event
from deungdae.historian.journal import Journal
from deungdae.historian.store import Historian
from deungdae.model import factory as model

# a zone in which it is two in the afternoon: some hours back is the same day, whenever tests run
AFTERNOON = f"Etc/GMT{time.gmtime().tm_hour - 14:+d}"

FACTORY = """
[factory]
id = "brickworks"
name = "벽돌 공장"

[machines.kiln]
type = "simulated"
model = "kiln"
period = 0.05

[machines.press]
type = "simulated"
model = "press"
period = 0.05

[[signals]]
id = "kiln1.temperature"
unit = "Cel"
source = "kiln:temperature"
low = 0
high = 1500

[[signals]]
id = "kiln1.valve"
unit = "%"
source = "kiln:valve"
access = "rw"
low = 0
high = 100

[[signals]]
id = "press1.state"
kind = "state"
source = "press:state"

[[signals]]
id = "press1.count"
source = "press:count"

[[signals]]
id = "press1.wrong"
source = "press:nothing"

[decide.gate]
type = "gate"
mode = "auto"
writable = [{ signal = "kiln1.valve", low = 20.0, high = 80.0, step = 10.0 }]

[decide.zone]
type = "loop"
measurement = "kiln1.temperature"
output = "kiln1.valve"
set_point = 1150.0
kp = 1.0
ti = 300.0
"""


PASSWORD = "a quiet kiln at night"  # of every user in these tests


class House:
    """A running factory with its API."""

    def __init__(self, runtime: Runtime, journal: Journal, history: Path, welcome: Welcome) -> None:
        self.runtime = runtime
        self.journal = journal
        self.history = history
        self.welcome = welcome
        found = remote.running(history)
        assert found is not None
        self.running = found
        self.url = found.url
        self.bearer = {"Authorization": f"Bearer {found.token}"}

    async def settle(self) -> None:
        """Return when all that has come so far is stored."""
        now, stored = self.runtime.clock.now(), asyncio.Event()
        note = Event(id="test.settled", time=now, kind="note", value="", received=now)
        await self.runtime.intake.put((note,), stored.set)
        await stored.wait()

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Return a client that shows the given headers."""
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False)

    @asynccontextmanager
    async def login(self, name: str, role: str) -> AsyncIterator[httpx.AsyncClient]:
        """Give the client of a new user, as our pages ask, until the block ends."""
        async with self.client(**self.bearer) as owner:
            new = {"name": name, "role": role, "person": "test"}
            first = (await owner.post("/api/v1/users", json=new)).raise_for_status().json()
        async with self.client(**{"x-deungdae": "1"}) as client:
            given = {"user": name, "password": first["password"]}
            (await client.post("/api/v1/session", json=given)).raise_for_status()
            given = {"old": first["password"], "new": PASSWORD}
            (await client.post("/api/v1/session/password", json=given)).raise_for_status()
            yield client


@asynccontextmanager
async def run(folder: Path, options: WebOptions, text: str = FACTORY) -> AsyncIterator[House]:
    """Run a factory with its API until the block ends."""
    file = folder / "factory.toml"
    file.write_text(text)
    factory, clock = model.read(file), RealClock()
    history = folder / "history"
    welcomes: asyncio.Queue[Welcome] = asyncio.Queue()
    with Historian(history) as store, Journal(history / "journal") as journal:
        control = Control(factory, journal, Live(), clock)
        runtime = Runtime(factory, store, control, clock, models=Models(history / "models"))
        tasks = [asyncio.create_task(runtime.run())]
        await runtime.ready.wait()
        serving = serve(runtime, options, history, welcomes.put_nowait, journal)
        tasks.append(asyncio.create_task(serving))
        try:
            welcome = await asyncio.wait_for(welcomes.get(), 10)
            house = await asyncio.to_thread(House, runtime, journal, history, welcome)
            while len(runtime.live.readings()) < 3 or not runtime.live.events:
                await asyncio.sleep(0.01)
            yield house
        finally:
            for task in reversed(tasks):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def factory_text() -> str:
    """Give the factory.toml; a test file may have its own."""
    return FACTORY


@pytest.fixture
def housed(factory_text: str) -> Callable[..., AbstractAsyncContextManager[House]]:
    """Return a context manager that runs a factory with its API: `housed(folder, options)`."""
    return lambda folder, options: run(folder, options, factory_text)


@pytest.fixture
async def house(
    tmp_path: Path,
    free_port: Callable[[], int],
    housed: Callable[..., AbstractAsyncContextManager[House]],
) -> AsyncIterator[House]:
    """Give a running factory on loopback."""
    async with housed(tmp_path, WebOptions(port=free_port())) as house:
        yield house


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passwords be hashed with as little work as there can be, and servers end soon.

    A server looks ten times a second whether it shall end, and then whether all have gone: of each
    test that has a house that would be the longest part.
    """
    least = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", least)
    own = SimpleNamespace(**vars(asyncio) | {"sleep": lambda seconds: asyncio.sleep(seconds / 20)})
    monkeypatch.setattr(uvicorn.server, "asyncio", own)


@pytest.fixture
async def stranger(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that is not logged in."""
    async with house.client() as client:
        yield client


@pytest.fixture
async def looker(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a user who may look."""
    async with house.login("looker", "viewer") as client:
        yield client


@pytest.fixture
async def actor(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client with the token."""
    async with house.client(**house.bearer) as client:
        yield client
