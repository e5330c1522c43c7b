"""What every test may use: a free port, the real data sets, a peer that runs while a test does."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent

# Histories are synced to the disk at every commit: thousands of waits in which nothing is tested,
# as nobody pulls the plug. Where there is memory for it, all that tests write lies there.
MEMORY, ENOUGH = Path("/dev/shm"), 4 << 30  # bytes
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)

# What takes long comes first: at the end no process waits long for another. All pages come in one
# go, so that each process starts one browser for them.
FIRST = ("browser", "field", "loop", "app", "contract", "historian", "learn")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into their order."""

    def place(item: pytest.Item) -> int:
        room = item.path.relative_to(TESTS).parts[0]
        return FIRST.index(room) if room in FIRST else len(FIRST)

    items.sort(key=place)


# Below what the system gives by itself (from 32768 on), and a part for each process that tests: a
# server that was stopped finds its port free again.
PORTS = range(20_000, 32_000)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return a function that gives a TCP port nobody listens on, and each only once in a round."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    share = len(PORTS) // count
    ports = itertools.cycle(PORTS[number * share : (number + 1) * share])
    for _ in range(os.getpid() % share):  # another run may go on beside this one
        next(ports)

    def find() -> int:
        for port in ports:
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise AssertionError("no port is free")

    return find


@pytest.fixture(autouse=True)
def logs_by_default() -> None:
    """Let each test find the logs as they are by default, whatever a command before it set.

    Set before the test, not put back after it: a fixture of a module may have run the command.
    """
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name, known in logging.root.manager.loggerDict.items():
        if isinstance(known, logging.Logger) and name.startswith("deungdae"):
            known.setLevel(logging.NOTSET)
            known.disabled, known.propagate = False, True  # libraries silence what they find


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets; without it a test says so, and fails where CI is set."""
    folder = Path(os.environ.get("DEUNGDAE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"the real data sets are not at {folder}; set DEUNGDAE_DATA")
    return folder


@pytest.fixture
def running() -> Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]:
    """Return a context manager that runs a program until a TCP port answers, then stops it."""

    @asynccontextmanager
    async def run(
        *command: str, port: int, within: float = 20.0, cwd: Path | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await _wait_for_port(process, port, within)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    return run


async def _wait_for_port(process: asyncio.subprocess.Process, port: int, within: float) -> None:
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None:
                pytest.fail(
                    f"the program ended with {process.returncode} before port {port} opened"
                )
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(f"nothing listens on port {port} after {within} s")
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
