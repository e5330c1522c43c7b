"""Verbs about the factory file: init, check, discover."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from deungdae.app import describe, discover, search
from deungdae.core import strict
from deungdae.core.clock import RealClock
from deungdae.core.ports import Driver, Node
from deungdae.core.types import Signal

from .output import Output

RANGE = r"[\d.]+(\s*[-/]\s*[\d.]+)?(\s*,\s*[\d.]+(\s*[-/]\s*[\d.]+)?)*|[0-9a-f:]*::[0-9a-f:/]*"
EMPTY = """\
# A factory, described. Written by `deungdae init --empty`; from here on it is yours. Machines and
# signals come by the page First run, by the page Settings, or by hand: docs/reference/options.md.

[factory]
id = "my_factory"              # small letters, digits and _; stands in names, never changes
name = "My factory"            # what people read
timezone = "Asia/Seoul"        # of shifts, reports and pages; IANA name
language = "ko"                # of the pages: ko or en

[app]
port = 8080
"""


def add(verbs: Any) -> None:
    """Add the verbs."""
    init = verbs.add_parser("init", help="write a commented factory to start from")
    init.add_argument("folder", type=Path, metavar="DIR")
    init.add_argument("--empty", action="store_true",
                      help="no examples: for the page First run to fill")  # fmt: skip
    init.set_defaults(run=_init)

    check = verbs.add_parser("check", help="find every error of a factory before anything starts")
    check.add_argument("factory", type=Path, metavar="F", help="factory.toml or its folder")
    check.set_defaults(run=_check)

    found = verbs.add_parser(
        "discover", help="browse a server and propose signals, or look for machines"
    )
    found.add_argument("url", metavar="URL",
                       help="e.g. opc.tcp://10.0.0.5:4840, or 10.0.0.0/24")  # fmt: skip
    found.add_argument("--ports", default="", metavar="PORTS",
                       help="of addresses: e.g. 502,4840; else the usual")  # fmt: skip
    found.add_argument("--public", action="store_true",
                       help="of addresses: also those that are not a house's own")  # fmt: skip
    found.add_argument("--type", help="driver; else told by the URL's scheme")
    found.add_argument("--name", default="machine", help="name for it in the factory file")
    found.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                          help="option of the driver, e.g. user=reader")  # fmt: skip
    found.add_argument("--write", type=Path, metavar="DIR",
                          help="write factory.toml and signals.csv there")  # fmt: skip
    found.set_defaults(run=_discover)


def _init(options: argparse.Namespace, output: Output) -> int:
    if options.empty:
        template = EMPTY
    else:
        template = (Path(__file__).parent / "factory.template.toml").read_text(encoding="utf-8")
    target = options.folder / "factory.toml"
    if target.exists():
        raise ValueError(f"{target} is there already; it was left as it is")
    options.folder.mkdir(parents=True, exist_ok=True)
    target.write_text(template, encoding="utf-8")
    if output.as_json:
        output.value({"file": str(target)})
    output.say(
        f"wrote {target}\nnext: deungdae check {options.folder}, deungdae run {options.folder},\n"
        "and open the link that it prints: its page First run (/start) finds and adds machines"
    )
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
    if not options.type and re.fullmatch(RANGE, options.url):
        return _search(options, output)
    scheme = urlsplit(options.url).scheme
    type_ = options.type or discover.DOORS.get(scheme)
    if type_ is None:
        known = ", ".join(f"{scheme}://" for scheme in discover.DOORS)
        raise ValueError(f"{options.url}: which driver is this? Use --type, or one of {known}")
    if not discover.NAME.match(options.name):
        raise ValueError(f"--name {options.name}: small letters, digits and _ only, e.g. press1")
    if options.write:
        _check_free(options.write)
    cls = discover.load(type_, "--type")
    table = _table(cls, options.url, options.set)
    decoded = discover.options(cls, table, "--set")
    nodes = asyncio.run(_browse(cls(options.name, decoded, RealClock())))
    signals = discover.propose(options.name, nodes)
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


def _search(options: argparse.Namespace, output: Output) -> int:
    """Look for machines on a range of addresses."""
    addresses = search.addresses(options.url)
    if not search.is_private(addresses) and not options.public:
        raise ValueError(f"{options.url}: not only a house's own addresses; if you may: --public")
    doors = search.doors(addresses, search.TYPES, search.ports(options.ports))
    found: list[search.Found] = []
    checked = 0

    def tell(each: search.Found | None) -> None:
        nonlocal checked
        checked += 1
        if each is not None:
            found.append(each)
            output.note(f"{checked} of {len(doors)} places tried, {len(found)} found")

    asyncio.run(search.search(doors, tell))
    output.rows(
        [
            {"type": each.type or "?", "url": each.url or f"{each.address}:{each.port}",
             "name": each.name, "detail": each.detail}
            for each in found
        ],
        empty="nothing answered",
    )  # fmt: skip
    return 0 if found else 1


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


async def _browse(driver: Driver) -> list[Node]:
    return [node async for node in discover.browse(driver)]


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
        discover.spell_machine(name, type_, table),
    ]
    (folder / "factory.toml").write_text("\n".join(lines), encoding="utf-8")
    # with a byte-order mark spreadsheets read Korean names right
    rows = ",".join(discover.COLUMNS) + "\n" + discover.spell_rows(signals)
    (folder / "signals.csv").write_text(rows, encoding="utf-8-sig", newline="")
