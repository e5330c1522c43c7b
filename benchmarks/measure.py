"""What all benchmarks share: rows with their limits, how they are shown, and server processes."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
DATA = Path(
    os.environ.get("DEUNGDAE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


def row(
    what: str,
    value: float,
    unit: str,
    *,
    most: float | None = None,
    least: float | None = None,
    peer: str = "",
    interval: tuple[float, float] | None = None,
    published: str = "",
    baseline: str = "",
    seconds: float | None = None,
) -> Row:
    """Return one result; ok is None where there is no limit. peer: the ratio to it, in words.

    Of what was learnt also: its 95 % interval, what others published, what the simplest model of
    the same run reaches, and the CPU seconds that it took.
    """
    limit = f"≤ {most:,}" if most is not None else f"≥ {least:,}" if least is not None else None
    value, ok = float(value), None  # of NumPy, too
    if limit is not None:
        ok = (most is None or value <= most) and (least is None or value >= least)
    row = {"what": what, "value": value, "unit": unit, "limit": limit, "ok": ok, "peer": peer}
    more = {"interval": interval, "published": published, "baseline": baseline, "seconds": seconds}
    return row | {name: each for name, each in more.items() if each not in (None, "")}


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return the parser of the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, rougher")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    return parser


def need(*folders: Path) -> None:
    """End the script with 1, and say why, where real data are missing."""
    for folder in folders:
        if not folder.is_dir():
            sys.exit(f"the data are not at {folder}: set DEUNGDAE_DATA")


def report(name: str, rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows: for programs, or as a table."""
    if as_json:
        print(json.dumps({"name": name, "rows": rows}, ensure_ascii=False))
        return
    for each in rows:
        print(line(each))
    print(f"load average {load()}")


def line(each: Row) -> str:
    """Return a row as a line of a table."""
    met = {True: "met", False: "MISSED", None: ""}[each["ok"]]
    parts = f"{each['unit']:<11} {each['limit'] or '':<11} {met:<6} {each['peer']}"
    if "interval" in each:
        parts += f"  95 %: {each['interval'][0]:.3g} to {each['interval'][1]:.3g}"
    parts += "".join(
        f"  {name}: {each[name]}" for name in ("published", "baseline") if name in each
    )
    return f"{each['what']:<62} {number(each['value']):>11} {parts}".rstrip()


def number(value: float) -> str:
    """Return a value with three digits that say something."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{0 if value == int(value) else digits}f}"


def load() -> str:
    """Return the load average of the last 1, 5 and 15 minutes: how busy others kept the machine."""
    return " ".join(f"{part:.1f}" for part in os.getloadavg())


def free_port() -> int:
    """Return a TCP port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], port: int, cwd: Path | None = None, within: float = 60.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process of its own while the block lasts; it listens when it begins."""
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=cwd, **quiet)
    try:
        wait_for(port, within, process)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def mosquitto() -> Iterator[int]:
    """Yield the port of a mosquitto without limits on what waits for a subscriber."""
    port = free_port()
    command = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        file.write("max_queued_messages 0\nmax_inflight_messages 0\n")
        file.flush()
        with running([command, "-c", file.name], port):
            yield port


def wait_for(port: int, within: float, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when something listens on a port of loopback. Raises TimeoutError."""
    end = time.monotonic() + within
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > end or (process is not None and process.poll() is not None):
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.02)


def present(history: Path) -> dict[str, Any]:
    """Return what the instance that has a history open knows now. Raises OSError, ValueError."""
    found = json.loads((history / "running.json").read_bytes())
    link = http.client.HTTPConnection(found["url"].partition("://")[2], timeout=5)
    try:
        link.request("GET", "/api/v1/live", headers={"Authorization": f"Bearer {found['token']}"})
        known: dict[str, Any] = json.loads(link.getresponse().read())
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        link.close()
    return known
