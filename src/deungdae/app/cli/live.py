"""Verbs that start a factory: run, demo."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import socket
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from deungdae.app import describe
from deungdae.app.bus.role import Role
from deungdae.core.errors import FactoryError
from deungdae.model.factory import Factory

from .output import Output

log = logging.getLogger("deungdae.run")
DEMO = Path(__file__).parents[2] / "demo"


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
    demo.add_argument("--port", type=int, default=8080, help="of the page (8080)")
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "factory.toml").exists():
            text = (DEMO / "factory.toml").read_text(encoding="utf-8")
            for written, wanted in ((8080, options.port), (48400, 48400), (50200, 50200)):
                text = text.replace(str(written), str(_free(wanted)))
            (folder / "factory.toml").write_text(text, encoding="utf-8")
        os.chdir(folder)
        factory = describe.read(folder / "factory.toml")
        _serve(factory, output, browser=options.open)
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


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
    factory: Factory, output: Output, *, browser: bool = False, part: Role | None = None
) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP, or a changed file, loads the description anew."""

    async def main() -> None:
        from deungdae.app import house  # noqa: PLC0415 — pages and API, 60 MB, for this verb alone

        loop = asyncio.get_running_loop()
        running = asyncio.current_task()
        home = house.House(factory, part=part)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)  # type: ignore[union-attr]
        loop.add_signal_handler(signal.SIGHUP, home.look)
        home.announce = lambda url: _announce(url, output, browser)
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


def _announce(url: str, output: Output, browser: bool) -> None:
    output.say(f"\n  등대 Deungdae is running: {url}\n  stop with Ctrl+C\n")
    if browser:
        webbrowser.open(url)
