"""From what a server offers to signals that a factory file describes: proposed, and written."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

import msgspec

from deungdae.core import registry, strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.ports import Driver, Node
from deungdae.core.types import Signal
from deungdae.core.units import UnknownUnitError, parse

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
TABLE = "signals.csv"  # of a factory that has no signals yet


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine to add. name: of its table; title: as people call it; table: its options."""

    name: str
    type: str
    title: str = ""
    table: Mapping[str, object] = {}


def load(type: str, what: str = "type") -> Any:
    """Return a driver's class. what: as the caller calls the type. Raises ValueError."""
    try:
        return registry.load("machines", type)
    except registry.UnknownTypeError as error:
        known = ", ".join(registry.names("machines"))
        raise ValueError(f"{what} {type}: no such driver; one of {known}") from error


def options(cls: Any, table: Mapping[str, object], file: str = "settings") -> Any:
    """Return a driver's options. Raises FactoryError with every fault, told as of `file`."""
    found, problems = strict.decode(cls.Options, table)
    if problems:
        raise FactoryError(
            [
                Fault(file=file, key=".".join(map(str, p.key)), value=p.value,
                      problem=p.problem, remedy=p.remedy)
                for p in problems
            ]
        )  # fmt: skip
    return found


async def browse(driver: Driver) -> AsyncGenerator[Node, None]:
    """Connect, yield everything that a server offers, and close. Raises DoorError."""
    try:
        await driver.connect()
        # not every driver's is a generator: what it holds is freed where it is one
        nodes = driver.browse()
        if hasattr(nodes, "aclose"):
            async with aclosing(cast(Any, nodes)):
                async for node in nodes:
                    yield node
        else:
            async for node in nodes:
                yield node
    finally:
        await driver.close()


def propose(machine: str, nodes: Sequence[Node]) -> list[Signal]:
    """Return a signal for each node: readable unique ids, units that we know, else 1."""
    signals: list[Signal] = []
    taken: set[str] = set()
    told = Counter(node.description for node in nodes)
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
                # of several that are described alike the description names none
                name=node.description
                if node.description and told[node.description] == 1
                else node.path.rpartition("/")[2],
                unit=_unit(node),
                source=f"{machine}:{node.address}",
                kind=node.kind,
                access=node.access,
                low=low,
                high=high,
            )
        )
    return signals


def add(
    texts: Mapping[str, str], first: str, machine: Machine, signals: Sequence[Signal]
) -> dict[str, str]:
    """Return the texts that change when a machine and its signals come to a factory.

    texts: of its files, by name; first: the name of its factory.toml, to which is only added.
    Raises FactoryError where the name is taken or signals cannot be added.
    """
    text = texts[first]
    table = _parsed(text, first)
    if machine.name in table.get("machines", {}):
        raise _fault(first, f"machines.{machine.name}", "is there already", "take another name")
    if not NAME.match(machine.name):
        remedy = "small letters, digits and _ only, e.g. press1"
        raise _fault(first, f"machines.{machine.name}", "is no name", remedy)
    added = spell_machine(machine.name, machine.type, machine.table)
    if machine.title and machine.name not in table.get("equipment", {}):
        added = f"[equipment.{machine.name}]\nname = {spell(machine.title)}\n\n{added}"
    changed = {}
    written = table.get("signals", TABLE)
    if isinstance(written, str):
        changed[written] = _extended(texts.get(written, ""), signals)
        if "signals" not in table:
            text = _headed(text, f"signals = {spell(TABLE)}")
    elif re.search(r"^\s*signals\s*=", text, re.MULTILINE):
        remedy = f'write signals = "{TABLE}", or [[signals]] tables'
        raise _fault(first, "signals", "is a list that nothing can be added to", remedy)
    else:
        added += "".join(f"\n[[signals]]\n{_spell_signal(signal)}" for signal in signals)
    changed[first] = f"{text.rstrip()}\n\n{added}" if text.strip() else added
    return changed


def spell_machine(name: str, type: str, table: Mapping[str, object]) -> str:
    """Return a machine's table as TOML."""
    lines = [f"[machines.{name}]", f'type = "{type}"']
    lines += [f"{key} = {spell(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def spell_rows(signals: Sequence[Signal], columns: Sequence[str] = COLUMNS) -> str:
    """Return signals as rows of CSV, without a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for signal in signals:
        cells = (getattr(signal, column, None) for column in columns)
        writer.writerow("" if cell is None else cell for cell in cells)
    return text.getvalue()


def spell(value: object) -> str:
    """Return a value as TOML spells it: as JSON does, but for tables."""
    if isinstance(value, Mapping):
        pairs = (f"{spell(str(key))} = {spell(part)}" for key, part in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(spell, value))}]"
    return msgspec.json.encode(value).decode()


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


def _parsed(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _fault(file, "file", f"is no TOML: {error}", "mend it in the settings") from error


def _fault(file: str, key: str, problem: str, remedy: str) -> FactoryError:
    return FactoryError([Fault(file=file, key=key, problem=problem, remedy=remedy)])


def _headed(text: str, line: str) -> str:
    """Return a text with a line before its first table, behind what it says of itself."""
    lines = text.splitlines(keepends=True)
    own = next((n for n, each in enumerate(lines) if not each.startswith("#")), len(lines))
    return "".join([*lines[:own], "\n" * bool(own), f"{line}\n", *lines[own:]])


def _extended(text: str, signals: Sequence[Signal]) -> str:
    """Return a table of signals with more rows, and with more columns where they need them."""
    header, _, rest = text.partition("\n")
    columns = next(csv.reader([header]), [])
    if not columns:
        columns, header = list(COLUMNS), ",".join(COLUMNS)
    used = {column for signal in signals for column in _own(signal)}
    missing = [column for column in Signal.__struct_fields__ if column in used - {*columns}]
    header = ",".join([header, *missing])
    body = f"{rest.rstrip()}\n" if rest.strip() else ""
    return f"{header}\n{body}{spell_rows(signals, [*columns, *missing])}"


def _own(signal: Signal) -> dict[str, object]:
    """Return what is said of a signal that is not so without a word."""
    plain = msgspec.structs.asdict(Signal(id=""))
    said = msgspec.structs.asdict(signal).items()
    return {column: value for column, value in said if value != plain[column]}


def _spell_signal(signal: Signal) -> str:
    return "".join(f"{key} = {spell(value)}\n" for key, value in _own(signal).items())
