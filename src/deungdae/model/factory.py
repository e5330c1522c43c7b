"""factory.toml (and signals.csv) -> Factory, with every error of the files reported at once."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from deungdae.core import registry, strict, units
from deungdae.core.errors import FactoryError, Fault
from deungdae.core.types import Asset, Signal

from .calendar import Calendar

ROOMS = registry.ROOMS
_ID = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)+$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[factory]` table: who and where this factory is."""

    id: Annotated[
        str, msgspec.Meta(description="Short name in URLs and subjects", pattern=_NAME.pattern)
    ]
    name: Annotated[str, msgspec.Meta(description="Name on pages and reports")] = ""
    timezone: Annotated[str, msgspec.Meta(description="IANA time zone of shifts and pages")] = (
        "Asia/Seoul"
    )
    language: Annotated[Literal["ko", "en"], msgspec.Meta(description="Language of the pages")] = (
        "ko"
    )
    currency: Annotated[
        str, msgspec.Meta(description="ISO 4217 code of all money", pattern="^[A-Z]{3}$")
    ] = "KRW"


class Equipment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An `[equipment.<id>]` table: a node of the ISA-95 hierarchy."""

    level: Annotated[
        Literal["site", "area", "line", "cell", "unit"], msgspec.Meta(description="ISA-95 level")
    ] = "unit"
    name: Annotated[str, msgspec.Meta(description="Name on pages and reports")] = ""
    parent: Annotated[str, msgspec.Meta(description="Id of the equipment that contains it")] = ""


class Plugin(msgspec.Struct, frozen=True):
    """One table of a room: the class it names and its checked options."""

    room: str
    name: str
    type: str
    cls: Any
    options: Any
    line: int | None = None


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """A factory as described, checked.

    signals, assets: by id, in file order. plugins: room -> name -> Plugin.
    layout: where equipment stands on the plan, (x, y) in units of the plan, by asset.
    sections: the other tables, e.g. `historian`, as the structs that the roof asked for.
    texts: contents of the files that plug-ins name, by the name as written: a plug-in class says
    in `files` which of its options are such names.
    """

    path: Path
    identity: Identity
    signals: dict[str, Signal] = {}
    assets: dict[str, Asset] = {}
    layout: Mapping[str, tuple[float, float]] = {}
    calendar: Calendar = Calendar()
    plugins: dict[str, dict[str, Plugin]] = {}
    sections: dict[str, Any] = {}
    texts: dict[str, str] = {}

    @property
    def id(self) -> str:
        """Return the factory's short name."""
        return self.identity.id

    @property
    def zone(self) -> ZoneInfo:
        """Return the factory's time zone."""
        return ZoneInfo(self.identity.timezone)

    def room(self, name: str) -> dict[str, Plugin]:
        """Return the plug-ins of a room by the names of their tables."""
        return self.plugins.get(name, {})

    def signals_of(self, machine: str) -> list[Signal]:
        """Return the signals that come from a `[machines.…]` table."""
        return [signal for signal in self.signals.values() if signal.machine == machine]

    def fault(
        self, room: str, name: str, option: str, value: object, problem: str, remedy: str = ""
    ) -> Fault:
        """Return a fault of an option of the plug-in `[room.name]`; option '': of all of it."""
        plugin = self.room(room).get(name)
        return Fault(
            file=str(self.path),
            line=None if plugin is None else plugin.line,
            key=".".join(filter(None, (room, name, option))),
            value=value,
            problem=problem,
            remedy=remedy,
        )


def read(
    path: Path,
    sections: Mapping[str, type[msgspec.Struct]] | None = None,
    drafts: Mapping[str, str] | None = None,
) -> Factory:
    """Return the factory that a file describes. Raises FactoryError with every fault.

    path: factory.toml or its folder. sections: structs of further top-level tables by name.
    drafts: texts by names of files within the folder, read in place of what is on disk.
    """
    path = path / "factory.toml" if path.is_dir() else path
    return _Reader(path, dict(sections or {}), dict(drafts or {})).read()


def check_needs(factory: Factory, plugin: Plugin, signals: tuple[str, ...]) -> list[Fault]:
    """Return a fault for each signal that a thinker needs and the factory does not have."""
    return [
        Fault(
            file=str(factory.path),
            line=plugin.line,
            key=f"{plugin.room}.{plugin.name}",
            value=id,
            problem="needs a signal that no [[signals]] entry declares",
            remedy=strict.closest(id, factory.signals) or "declare it under [[signals]]",
        )
        for id in signals
        if id not in factory.signals
    ]


class _Reader:
    """One reading of one file: gathers faults on the way and raises them together."""

    def __init__(
        self, path: Path, sections: dict[str, type[msgspec.Struct]], drafts: dict[str, str]
    ) -> None:
        self.path = path
        self.sections = sections
        self.drafts = drafts
        self.faults: list[Fault] = []
        self.lines: Mapping[strict.Key, int] = {}
        self.texts: dict[str, str] = {}
        self.addresses: dict[str, dict[str, str]] = {}  # machine -> our name -> its address
        self.named: set[str] = set()  # assets that signals name, also those with faults

    def read(self) -> Factory:
        table = self._parse()
        self._reject_unknown_tables(table)
        identity = self._section("factory", Identity, table, required=True)
        calendar = self._section("calendar", Calendar, table) or Calendar()
        found = {name: self._section(name, struct, table) for name, struct in self.sections.items()}
        plugins = {room: self._room(room, table.get(room, {})) for room in ROOMS}
        self._addresses(table.get("machines") or {})
        signals = self._signals(table, set(table.get("machines") or {}))
        self._check_addresses(signals)
        assets = self._assets(table.get("equipment", {}), signals)
        layout = self._layout(table.get("layout", {}), assets)
        if identity is not None and identity.timezone not in available_timezones():
            self._fault(
                ("factory", "timezone"),
                identity.timezone,
                "is no IANA time zone",
                "e.g. Asia/Seoul",
            )
        if self.faults or identity is None:
            raise FactoryError(sorted(self.faults, key=lambda fault: (fault.file, fault.line or 0)))
        return Factory(
            path=self.path,
            identity=identity,
            signals=signals,
            assets=assets,
            layout=layout,
            calendar=calendar,
            plugins=plugins,
            sections=found,
            texts=self.texts,
        )

    def _parse(self) -> dict[str, Any]:
        try:
            text = self._content(self.path.name)
            table = tomllib.loads(text)
        except FileNotFoundError as error:
            raise self._stop("is not there", "write one with: deungdae init DIR") from error
        except (OSError, UnicodeDecodeError) as error:
            raise self._stop(f"cannot be read: {error}", "it must be a UTF-8 text file") from error
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+)", str(error))
            line = int(place[1]) if place else None
            raise self._stop(f"is no TOML: {error}", "see https://toml.io", line) from error
        self.lines = locate(text)
        return table

    def _content(self, name: str, newline: str | None = None) -> str:
        """Return a file's text, or its draft. Raises OSError, UnicodeDecodeError."""
        if name in self.drafts:
            return self.drafts[name]
        with (self.path.parent / name).open(encoding="utf-8", newline=newline) as file:
            return file.read()

    def _stop(self, problem: str, remedy: str, line: int | None = None) -> FactoryError:
        fault = Fault(file=str(self.path), line=line, key="file", problem=problem, remedy=remedy)
        return FactoryError([fault])

    def _reject_unknown_tables(self, table: Mapping[str, object]) -> None:
        known = {"factory", "signals", "equipment", "layout", "calendar", *ROOMS, *self.sections}
        for name in table:
            if name not in known:
                remedy = strict.closest(name, known) or f"known here: {', '.join(sorted(known))}"
                self._fault((name,), None, "is not a known table", remedy)

    def _section(
        self, name: str, struct: type[strict.S], table: Mapping[str, Any], required: bool = False
    ) -> strict.S | None:
        if name not in table and required:
            self._fault((name,), None, "is missing", f"begin the file with [{name}]")
            return None
        content = table.get(name, {})
        if not isinstance(content, dict):
            self._fault((name,), content, "must be a table", f"write [{name}]")
            return None
        value, problems = strict.decode(struct, content, (name,))
        self._note(problems)
        return value

    def _room(self, room: str, tables: object) -> dict[str, Plugin]:
        plugins: dict[str, Plugin] = {}
        if not isinstance(tables, dict):
            self._fault((room,), tables, "must hold tables", f"write [{room}.<name>]")
            return plugins
        for name, table in tables.items():
            key = (room, name)
            if not isinstance(table, dict):
                self._fault(key, table, "must be a table", f"write [{room}.{name}]")
            elif not _NAME.match(name):
                self._fault(key, None, "is no name", "small letters, digits and _ only")
            elif (plugin := self._plugin(room, name, table)) is not None:
                plugins[name] = plugin
        return plugins

    def _plugin(self, room: str, name: str, table: dict[str, Any]) -> Plugin | None:
        key = (room, name, "type")
        if "type" not in table:
            remedy = f'add type = "…": one of {", ".join(registry.names(room))}'
            self._fault((room, name), None, "has no type", remedy)
            return None
        try:
            cls = registry.load(room, str(table["type"]))
        except registry.UnknownTypeError as error:
            remedy = (
                f"did you mean {error.close[0]}?"
                if error.close
                else (f"one of {', '.join(registry.names(room))}")
            )
            self._fault(key, table["type"], f"is no type of {room}", remedy)
            return None
        except ImportError as error:
            self._fault(key, table["type"], f"cannot be loaded: {error}", "install what it needs")
            return None
        options, problems = strict.decode(cls.Options, _own(room, table), (room, name))
        self._note(problems)
        if options is None:
            return None
        for option in getattr(cls, "files", ()):
            self._text((room, name, option), getattr(options, option))
        return Plugin(room, name, str(table["type"]), cls, options, self._line((room, name)))

    def _text(self, key: strict.Key, file: str) -> None:
        """Read a file that a plug-in names, from the factory's folder."""
        if not file or file in self.texts:
            return
        try:
            self.texts[file] = self._content(file)
        except FileNotFoundError:
            self._fault(key, file, "is not there", "write it beside factory.toml")
        except (OSError, UnicodeDecodeError) as error:
            self._fault(key, file, f"cannot be read: {error}", "it must be a UTF-8 text file")

    def _addresses(self, machines: object) -> None:
        """Learn which machines have names of ours for their addresses."""
        for machine, table in machines.items() if isinstance(machines, dict) else ():
            names = table.get("addresses", {}) if isinstance(table, dict) else {}
            if isinstance(names, dict) and all(isinstance(part, str) for part in names.values()):
                self.addresses[machine] = names
            else:
                key = ("machines", machine, "addresses")
                self._fault(key, names, "must be a table of text", 'zone1 = "holding/30021"')

    def _check_addresses(self, signals: Mapping[str, Signal]) -> None:
        """Note the names of addresses that no signal uses: a slip of the pen, most likely."""
        used = {(signal.machine, signal.address) for signal in signals.values()}
        for machine, names in self.addresses.items():
            for name, address in names.items():
                if (machine, address) not in used:
                    key = ("machines", machine, "addresses", name)
                    self._fault(key, address, "no signal uses it", f'source = "{machine}:{name}"')

    def _renamed(self, signal: Signal) -> Signal:
        """Return the signal with the machine's own address in place of our name for it."""
        address = self.addresses.get(signal.machine, {}).get(signal.address)
        if address is None:
            return signal
        return msgspec.structs.replace(signal, source=f"{signal.machine}:{address}")

    def _signals(self, table: Mapping[str, Any], machines: set[str]) -> dict[str, Signal]:
        signals: dict[str, Signal] = {}
        seen: set[str] = set()
        for written, place in self._written_signals(table.get("signals", [])):
            signal = self._renamed(written)
            faults = list(_signal_faults(signal, machines, place))
            faults += _address_faults(signal, table.get("machines") or {}, place)
            if signal.id in seen:
                faults.append(place.fault("id", signal.id, "is declared twice"))
            seen.add(signal.id)
            self.named.add(signal.asset)
            self.faults += faults
            if not faults:
                signals[signal.id] = signal
        return signals

    def _written_signals(self, written: object) -> Iterator[tuple[Signal, _Place]]:
        """Yield each signal with the place where it is written."""
        if isinstance(written, str):
            yield from self._csv_signals(written)
            return
        if not isinstance(written, list):
            remedy = 'write [[signals]] or signals = "signals.csv"'
            self._fault(("signals",), written, "must be a list", remedy)
            return
        for number, entry in enumerate(written):
            key = ("signals", number)
            if not isinstance(entry, dict):
                self._fault(key, entry, "must be a table", "write [[signals]]")
                continue
            signal, problems = strict.decode(Signal, entry, key)
            self._note(problems)
            if signal is not None:
                lines = {field: self._line((*key, field)) for field in ("", *entry)}
                yield signal, _Place(str(self.path), f"signals[{number}]", lines)

    def _csv_signals(self, name: str) -> Iterator[tuple[Signal, _Place]]:
        path = self.path.parent / name
        try:
            text = self._content(name, newline="").removeprefix("\ufeff")
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            for row in reader:
                yield from self._csv_signal(path, reader.line_num, row)
        except FileNotFoundError:
            self._fault(("signals",), path.name, "is not there", "write it beside factory.toml")
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self._fault(("signals",), path.name, f"cannot be read: {error}", "save it as CSV UTF-8")

    def _csv_signal(
        self, path: Path, line: int, row: dict[Any, Any]
    ) -> Iterator[tuple[Signal, _Place]]:
        place = _Place(str(path), str(row.get("id") or "row"), {"": line})
        if None in row:
            remedy = 'put text with a comma in "quotes"'
            self.faults.append(place.fault("", row[None], "has more cells than the header", remedy))
            return
        filled = {k: v.strip() for k, v in row.items() if v is not None and v.strip() != ""}
        if not filled:
            return
        signal, problems = strict.decode(Signal, filled, text=True)
        for problem in problems:
            field = ".".join(str(part) for part in problem.key)
            self.faults.append(place.fault(field, problem.value, problem.problem, problem.remedy))
        if signal is not None:
            yield signal, place

    def _assets(self, tables: object, signals: dict[str, Signal]) -> dict[str, Asset]:
        assets: dict[str, Asset] = {}
        if not isinstance(tables, dict):
            self._fault(("equipment",), tables, "must hold tables", "write [equipment.<id>]")
            return assets
        for id, table in tables.items():
            equipment, problems = strict.decode(Equipment, table, ("equipment", id))
            self._note(problems)
            if equipment is not None:
                assets[id] = Asset(
                    id=id, level=equipment.level, name=equipment.name or id, parent=equipment.parent
                )
        for asset in assets.values():
            if asset.parent and asset.parent not in assets:
                remedy = strict.closest(asset.parent, assets) or f"add [equipment.{asset.parent}]"
                self._fault(
                    ("equipment", asset.id, "parent"), asset.parent, "is not declared", remedy
                )
        for signal in signals.values():
            assets.setdefault(signal.asset, Asset(id=signal.asset, name=signal.asset))
        return assets

    def _layout(self, table: object, assets: Mapping[str, Asset]) -> dict[str, tuple[float, float]]:
        """Return where equipment stands on the plan."""
        if not isinstance(table, dict):
            self._fault(("layout",), table, "must be a table", "write [layout]")
            return {}
        layout = {}
        for asset, place in table.items():
            key = ("layout", asset)
            if asset not in assets and asset not in self.named:
                remedy = strict.closest(asset, assets) or "take the line out, or declare the asset"
                self._fault(key, None, "is no asset of this factory", remedy)
            elif not _is_place(place):
                self._fault(key, place, "is no place on the plan", f'"{asset}" = [120, 40]')
            else:
                layout[asset] = (float(place[0]), float(place[1]))
        return layout

    def _note(self, problems: list[strict.Problem]) -> None:
        for problem in problems:
            self._fault(problem.key, problem.value, problem.problem, problem.remedy)

    def _fault(self, key: strict.Key, value: object, problem: str, remedy: str = "") -> None:
        words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
        place = _Place(str(self.path), words.lstrip("."), {"": self._line(key)})
        self.faults.append(place.fault("", value, problem, remedy))

    def _line(self, key: strict.Key) -> int | None:
        """Return the line of the key, or of the nearest thing around it that has one."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key[:-1]
        return None


class _Place(NamedTuple):
    """Where something is written: file, key, and the line of each of its fields ('': of it all)."""

    file: str
    key: str
    lines: Mapping[str, int | None]

    def fault(self, field: str, value: object, problem: str, remedy: str = "") -> Fault:
        """Return a fault of one field."""
        return Fault(
            file=self.file,
            line=self.lines.get(field, self.lines[""]),
            key=f"{self.key}.{field}" if field else self.key,
            value=value,
            problem=problem,
            remedy=remedy,
        )


def _is_place(place: object) -> bool:
    """Return whether a value is [x, y] with two numbers."""
    return (
        isinstance(place, list)
        and len(place) == 2
        and all(type(each) in (int, float) and isfinite(each) for each in place)
    )


def _signal_faults(signal: Signal, machines: set[str], place: _Place) -> Iterator[Fault]:
    """Yield what is wrong with a signal beyond the types of its fields."""
    if not _ID.match(signal.id):
        remedy = "<asset>.<name>, e.g. press1.count: letters, digits, _ and - between dots"
        yield place.fault("id", signal.id, "is no signal id", remedy)
    yield from _unit_faults(signal, place)
    if signal.scale == 0:
        yield place.fault("scale", 0, "would make every value the same")
    if signal.low is not None and signal.high is not None and not signal.low < signal.high:
        yield place.fault("low", signal.low, f"is not below high = {signal.high}")
    try:
        signal.words  # noqa: B018 — reading them is the check
    except ValueError as error:
        yield place.fault("states", signal.states, str(error))
    if signal.deadband < 0:
        yield place.fault("deadband", signal.deadband, "is below 0")
    if signal.source and ":" not in signal.source:
        yield place.fault("source", signal.source, "has no address", "<machine>:<address>")
    elif signal.source and signal.machine not in machines:
        remedy = strict.closest(signal.machine, machines) or f"add [machines.{signal.machine}]"
        yield place.fault("source", signal.source, "names no machine", remedy)


def _unit_faults(signal: Signal, place: _Place) -> Iterator[Fault]:
    unknown = False
    for field, code in (("unit", signal.unit), ("source_unit", signal.source_unit or "1")):
        try:
            units.parse(code)
        except units.UnknownUnitError as error:
            unknown = True
            yield place.fault(field, code, str(error), "a UCUM code, e.g. Cel, kW.h, mm, /min, 1")
    if not unknown:
        try:
            units.scaling(signal)
        except units.UnknownUnitError as error:
            yield place.fault("source_unit", signal.source_unit, str(error))


def _address_faults(signal: Signal, machines: Mapping[str, Any], place: _Place) -> list[Fault]:
    """Return what the driver itself finds wrong with the address before anything starts."""
    table = machines.get(signal.machine)
    if not isinstance(table, dict):
        return []
    try:
        cls = registry.load("machines", str(table.get("type")))
    except (registry.UnknownTypeError, ImportError):
        return []  # told already, at the machine's own table
    if not hasattr(cls, "check_address"):
        return []
    options, problems = strict.decode(cls.Options, _own("machines", table))
    if problems:
        return []  # told already, too
    try:
        cls.check_address(signal.address, options)
    except ValueError as error:
        return [place.fault("source", signal.source, str(error))]
    return []


def _own(room: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a plug-in's table is the plug-in's own."""
    ours = {"type", "addresses"} if room == "machines" else {"type"}
    return {key: value for key, value in table.items() if key not in ours}


_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_ENTRY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def locate(text: str) -> dict[strict.Key, int]:
    """Return the line of each table and key of a TOML text that tomllib has accepted.

    Keys inside multi-line values are not seen: they are told by the line of what is around them.
    """
    lines: dict[strict.Key, int] = {}
    counts: dict[strict.Key, int] = {}
    here: strict.Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if table := _TABLE.match(line):
            here = _within_lists(_parts(table[2]), counts)
            if table[1] == "[[":
                base = here[:-1] if here and isinstance(here[-1], int) else here
                counts[base] = counts.get(base, -1) + 1
                here = (*base, counts[base])
            for depth in range(1, len(here) + 1):
                lines.setdefault(here[:depth], number)
        elif entry := _ENTRY.match(line):
            lines.setdefault((*here, *_parts(entry[1])), number)
    return lines


def _parts(dotted: str) -> strict.Key:
    found = re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", dotted)
    return tuple(part.strip("\"'") for part in found)


def _within_lists(key: strict.Key, counts: Mapping[strict.Key, int]) -> strict.Key:
    """Return the key with the number of the current entry behind each list of tables in it."""
    full: strict.Key = ()
    for part in key:
        full = (*full, part)
        if full in counts:
            full = (*full, counts[full])
    return full
