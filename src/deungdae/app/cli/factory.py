"""Verbs about the factory file: init, check, discover."""

from __future__ import annotations

import argparse
import asyncio
import csv
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from deungdae.app import describe
from deungdae.core import registry, strict
from deungdae.core.clock import RealClock
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.ports import Driver, Node
from deungdae.core.types import Signal
from deungdae.core.units import UnknownUnitError, parse

from .output import Output

DOORS = {  # scheme of a URL -> the driver that speaks it
    "opc.tcp": "opcua",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
    "http": "mtconnect",
    "https": "mtconnect",
    "shdr": "mtconnect",
    "tcp": "modbus",
    "rtu+tcp": "modbus",
    "listen": "scanner",
    "serial": "scanner",
}
NAME = re.compile(r"^[a-z][a-z0-9_]*$")
COLUMNS = ("id", "name", "unit", "source", "kind", "access", "low", "high")


def add(verbs: Any) -> None:
    """Add the verbs."""
    init = verbs.add_parser("init", help="write a commented factory to start from")
    init.add_argument("folder", type=Path, metavar="DIR")
    init.set_defaults(run=_init)

    check = verbs.add_parser("check", help="find every error of a factory before anything starts")
    check.add_argument("factory", type=Path, metavar="F", help="factory.toml or its folder")
    check.set_defaults(run=_check)

    discover = verbs.add_parser("discover", help="browse a server and propose signals")
    discover.add_argument("url", metavar="URL", help="e.g. opc.tcp://10.0.0.5:4840")
    discover.add_argument("--type", help="driver; else told by the URL's scheme")
    discover.add_argument("--name", default="machine", help="name for it in the factory file")
    discover.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                          help="option of the driver, e.g. user=reader")  # fmt: skip
    discover.add_argument("--write", type=Path, metavar="DIR",
                          help="write factory.toml and signals.csv there")  # fmt: skip
    discover.set_defaults(run=_discover)


def _init(options: argparse.Namespace, output: Output) -> int:
    template = (Path(__file__).parent / "factory.template.toml").read_text(encoding="utf-8")
    target = options.folder / "factory.toml"
    if target.exists():
        raise ValueError(f"{target} is there already; it was left as it is")
    options.folder.mkdir(parents=True, exist_ok=True)
    target.write_text(template, encoding="utf-8")
    if output.as_json:
        output.value({"file": str(target)})
    output.say(f"wrote {target}\nnext: deungdae check {options.folder}")
    return 0


def _check(options: argparse.Namespace, output: Output) -> int:
    factory = describe.read(options.factory)
    rooms = {room: len(plugins) for room, plugins in factory.plugins.items() if plugins}
    if output.as_json:
        output.value({"factory": factory.id, "signals": len(factory.signals), "rooms": rooms})
    words = ", ".join(f"{count} in {room}" for room, count in rooms.items())
    output.say(f"{factory.path}: no errors; {len(factory.signals)} signals, {words}")
    return 0


def _discover(options: argparse.Namespace, output: Output) -> int:
    scheme = urlsplit(options.url).scheme
    type_ = options.type or DOORS.get(scheme)
    if type_ is None:
        known = ", ".join(f"{scheme}://" for scheme in DOORS)
        raise ValueError(f"{options.url}: which driver is this? Use --type, or one of {known}")
    if not NAME.match(options.name):
        raise ValueError(f"--name {options.name}: small letters, digits and _ only, e.g. press1")
    if options.write:
        _check_free(options.write)
    cls = _driver_class(type_)
    table = _table(cls, options.url, options.set)
    nodes = asyncio.run(_browse(cls(options.name, _decoded(cls, table), RealClock())))
    signals = propose(options.name, nodes)
    if options.write and signals:
        _write(options.write, options.name, type_, table, signals)
        output.note(f"wrote {len(signals)} signals to {options.write}; next: deungdae run")
    output.rows(
        [
            {"id": s.id, "unit": s.unit, "kind": s.kind, "access": s.access, "source": s.source,
             "value": node.value}
            for s, node in zip(signals, nodes, strict=True)
        ],
        empty="the server offers nothing",
    )  # fmt: skip
    return 0 if signals else 1


def _driver_class(type_: str) -> Any:
    try:
        return registry.load("machines", type_)
    except registry.UnknownTypeError as error:
        known = ", ".join(registry.names("machines"))
        raise ValueError(f"--type {type_}: no such driver; one of {known}") from error


def _table(cls: Any, url: str, settings: Sequence[str]) -> dict[str, object]:
    """Return the driver's table. KEY=VALUE is read as JSON where the option takes that, or text."""
    table: dict[str, object] = {"url": url}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write KEY=VALUE")
        table[key] = value
        with suppress(msgspec.DecodeError):
            read = msgspec.json.decode(value)
            _, problems = strict.decode(cls.Options, {key: read})
            if not any(problem.key == (key,) for problem in problems):
                table[key] = read
    return table


def _decoded(cls: Any, table: dict[str, object]) -> Any:
    """Return the driver's options. Raises FactoryError with every fault."""
    options, problems = strict.decode(cls.Options, table)
    if problems:
        raise FactoryError(
            [
                Fault(file="--set", key=".".join(map(str, p.key)), value=p.value,
                      problem=p.problem, remedy=p.remedy)
                for p in problems
            ]
        )  # fmt: skip
    return options


async def _browse(driver: Driver) -> list[Node]:
    try:
        await driver.connect()
        return [node async for node in driver.browse()]
    finally:
        await driver.close()


def propose(machine: str, nodes: list[Node]) -> list[Signal]:
    """Return a signal for each node: readable unique ids, units that we know, else 1."""
    signals: list[Signal] = []
    taken: set[str] = set()
    for node in nodes:
        parts = [_word(part) for part in re.split(r"[/.\\]+", node.path) if _word(part)]
        stem = ".".join([machine, *([part for part in parts if part != machine] or ["value"])])
        id, number = stem, 2
        while id in taken:
            id, number = f"{stem}_{number}", number + 1
        taken.add(id)
        low, high = (node.low, node.high) if _rising(node) else (None, None)
        signals.append(
            Signal(
                id=id,
                name=node.description or node.path.rpartition("/")[2],
                unit=_unit(node),
                source=f"{machine}:{node.address}",
                kind=node.kind,
                access=node.access,
                low=low,
                high=high,
            )
        )
    return signals


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "_", text.strip().lower()).strip("_-")


def _rising(node: Node) -> bool:
    return node.low is not None and node.high is not None and node.low < node.high


def _unit(node: Node) -> str:
    try:
        parse(node.unit)
    except UnknownUnitError:
        return "1"
    return node.unit


def _toml(value: object) -> str:
    """Return a value as TOML spells it: as JSON does, but for tables."""
    if isinstance(value, Mapping):
        pairs = (f"{_toml(str(key))} = {_toml(part)}" for key, part in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return msgspec.json.encode(value).decode()


def _check_free(folder: Path) -> None:
    """Raise ValueError where a factory is there already."""
    for name in ("factory.toml", "signals.csv"):
        if (folder / name).exists():
            raise ValueError(f"{folder / name} is there already; choose another --write folder")


def _write(
    folder: Path, name: str, type_: str, table: dict[str, object], signals: list[Signal]
) -> None:
    """Write what `deungdae run` needs."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Written by `deungdae discover`: name what you keep, delete what you do not need.",
        'signals = "signals.csv"',
        "",
        "[factory]",
        f'id = "{name}"',
        "",
        f"[machines.{name}]",
        f'type = "{type_}"',
        *(f"{key} = {_toml(value)}" for key, value in table.items()),
        "",
    ]
    (folder / "factory.toml").write_text("\n".join(lines), encoding="utf-8")
    # with a byte-order mark spreadsheets read Korean names right
    with (folder / "signals.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for signal in signals:
            row = (getattr(signal, column) for column in COLUMNS)
            writer.writerow("" if cell is None else cell for cell in row)
