"""Verbs that start a factory: run, demo."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deungdae.app import describe, plant
from deungdae.app.bus.role import Role
from deungdae.core.clock import Clock
from deungdae.core.errors import FactoryError, Unreachable
from deungdae.model.factory import Factory

from .output import Output
from .plant import ask, speed

if TYPE_CHECKING:
    from deungdae.app.api import Welcome

log = logging.getLogger("deungdae.run")
PATIENCE = 20.0  # s that the plant may take to start
GOOD = 50  # photographs of good bricks from which the demo's inspection learns
PHOTOGRAPHER = 7  # seed
QUALITY = 90  # of the photographs, %
MOST_DAYS = 30  # of a past: 4 s each
INSTALLED = Path(__file__).parents[2] / "demo"
DEMO = INSTALLED if INSTALLED.exists() else Path(__file__).parents[4] / "examples" / "brickworks"


def add(verbs: Any) -> None:
    """Add the verbs."""
    run = verbs.add_parser("run", help="run a factory until stopped")
    run.add_argument("factory", type=Path, metavar="F", help="factory.toml or its folder")
    run.add_argument(
        "--as",
        dest="role",
        type=_role,
        default=Role(),
        metavar="PART",
        help="one part, joined over [bus]: connect, connect:machine,…, history, pages; or all",
    )
    run.set_defaults(run=_run)

    demo = verbs.add_parser("demo", help="a virtual plant, the platform and its page")
    demo.add_argument("--keep", type=Path, metavar="DIR", help="keep its factory and history there")
    demo.add_argument("--speed", type=speed, default=1.0, metavar="N", help="times real time (1)")
    demo.add_argument("--port", type=int, default=8080, help="of the page (8080)")
    demo.add_argument("--past", type=_days, default=2.0, metavar="D",
                      help="days before, simulated as its history; 0: none (2)")  # fmt: skip
    demo.add_argument("--open", action="store_true", help="open the page in the browser")
    demo.set_defaults(run=_demo)


def _run(options: argparse.Namespace, output: Output) -> int:
    path = options.factory.resolve()
    path = path / "factory.toml" if path.is_dir() else path
    factory = describe.read(path)
    os.chdir(path.parent)  # every path in the file is meant from the file's own folder
    _serve(factory, output, part=options.role)
    return 0


def _role(text: str) -> Role:
    try:
        return Role.of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _demo(options: argparse.Namespace, output: Output) -> int:
    kept = options.keep.resolve() if options.keep else None
    folder = kept or Path(tempfile.mkdtemp(prefix="deungdae-demo-"))
    signal.signal(signal.SIGTERM, _leave)  # while it starts: then, too, the plant ends with it
    try:
        _furnish(folder, options.port)
        os.chdir(folder)
        before = _past(folder, options.past, output)
        begun = time.time_ns()
        with _plant_beside(folder, options.speed, begun, options.log, before):
            _photograph(folder / "good")
            _await(folder)
            factory = describe.read(folder / "factory.toml")
            clock = plant.clock_of(options.speed, begun)
            _serve(factory, output, browser=options.open, clock=clock)
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _furnish(folder: Path, page: int) -> None:
    """Put the works into a folder, with ports that nobody has; one that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "factory.toml").exists():
        return
    texts = {path.name: path.read_text(encoding="utf-8") for path in DEMO.glob("*.*")}
    ports = dict.fromkeys(re.findall(r"^port = (\d+)", texts["plant.toml"], re.MULTILINE))
    moved = {written: str(_free(int(written))) for written in ports} | {"8080": str(_free(page))}
    for name, text in texts.items():
        for written, free in moved.items():
            text = re.sub(rf"\b{written}\b", free, text)  # noqa: PLW2901
        text = text.replace("#good =", "good =")  # noqa: PLW2901 — they are about to be taken
        (folder / name).write_text(text, encoding="utf-8")


def _past(folder: Path, days: float, output: Output) -> Path | None:
    """Give a new demo the history of the days before, and return how all stood at their end.

    A demo that has a history already, or cannot be given one, begins without.
    """
    if not days or (folder / "history").exists():
        return None
    output.say(f"  simulating the {days:g} days before …")
    words = ["-m", "deungdae.app.past", str(folder), "--until", str(time.time_ns())]
    beside = subprocess.Popen([sys.executable, *words, "--days", str(days)])  # noqa: S603
    try:
        _photograph(folder / "good")
        if beside.wait():
            log.warning("past=none the days before could not be simulated")
            return None
    finally:
        beside.terminate()
        beside.wait()
    return folder / "before.json"


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text}: 0 to {MOST_DAYS} days")
    return days


def _photograph(folder: Path) -> None:
    """Put photographs of good bricks there, as whoever sets up an inspection does."""
    if folder.exists():
        return
    from PIL import Image  # noqa: PLC0415 — images, for the demo alone

    from deungdae.sim.plant.camera import Camera, CameraParameters  # noqa: PLC0415

    camera = Camera(CameraParameters(), np.random.default_rng(PHOTOGRAPHER))
    folder.mkdir()
    for number in range(GOOD):
        product = "arch" if number % 3 == 2 else "straight"  # as the line makes them
        camera.step(600.0)  # over a morning, so that the light differs
        camera.show(f"G{number:03d}", product)
        frame = camera.frame()
        if frame is not None:
            # as that camera gives its pictures: compression leaves marks, too
            Image.fromarray(frame.pixels).save(folder / f"{number:03d}.jpg", quality=QUALITY)


def _await(folder: Path) -> None:
    """Wait a little until all machines of the plant serve: then every door opens at once."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(Unreachable):
            machines = ask(folder, {})["machines"].values()
            if all(machine["state"] == "online" for machine in machines):
                return
        time.sleep(0.1)
    log.warning("state=slow not every machine of the plant serves yet")


@contextmanager
def _plant_beside(
    folder: Path, speed: float, since: int, level: str, before: Path | None
) -> Iterator[None]:
    """Run the virtual plant as a process of its own, and end it with the demo."""
    words = ["-m", "deungdae.app.plant", str(folder / "plant.toml"), "--log", level]
    words += ["--speed", str(speed), "--since", str(since)]
    words += ["--before", str(before)] if before is not None else []
    # interpreted: it needs few events a second, and the compiler would take 125 MB
    beside = subprocess.Popen(  # noqa: S603
        [sys.executable, *words], env={**os.environ, "DEUNGDAE_KERNEL": "python"}
    )
    try:
        yield
    finally:
        beside.terminate()
        beside.wait()


def _free(port: int) -> int:
    """Return the port, or another where somebody listens on it: a second demo, perhaps."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(
    factory: Factory,
    output: Output,
    *,
    browser: bool = False,
    part: Role | None = None,
    clock: Clock | None = None,
) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP, or a changed file, loads the description anew."""

    async def main() -> None:
        from deungdae.app import house, thrift  # noqa: PLC0415 — pages and API, for this verb alone

        thrift.be_thrifty()
        loop = asyncio.get_running_loop()
        running = asyncio.current_task()
        home = house.House(factory, clock, part)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)  # type: ignore[union-attr]
        loop.add_signal_handler(signal.SIGHUP, home.look)
        home.announce = lambda welcome: _announce(welcome, output, browser)
        await home.run()

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        log.info("state=stopped")
    except FactoryError:
        raise
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _announce(welcome: Welcome, output: Output, browser: bool) -> None:
    output.say(f"\n  등대 Deungdae is running: {welcome.link}")
    if welcome.password:
        output.say(
            f"  the first user is admin, with this password for one login: {welcome.password}"
        )
    if welcome.problem:
        output.note(f"  {welcome.problem}")
    output.say("  stop with Ctrl+C\n")
    if browser:
        webbrowser.open(welcome.link)
