"""Verbs for those who extend the house: list, docs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from deungdae.core import registry

from .output import Output


def add(verbs: Any) -> None:
    """Add the verbs."""
    names = verbs.add_parser("list", help="what may stand behind `type` in each room")
    names.add_argument("room", nargs="?", choices=registry.ROOMS, metavar="ROOM")
    names.set_defaults(run=_list)

    docs = verbs.add_parser("docs", help="write the reference and the editors' schema")
    docs.add_argument("folder", type=Path, metavar="DIR")
    docs.set_defaults(run=_docs)


def _list(options: argparse.Namespace, output: Output) -> int:
    rooms = [options.room] if options.room else registry.ROOMS
    rows = [
        {"room": room, "type": name, "what": _first_line(registry.load(room, name))}
        for room in rooms
        for name in registry.names(room)
    ]
    output.rows(rows)
    return 0


def _first_line(plugin: Any) -> str:
    return (plugin.__doc__ or "").strip().splitlines()[0]


def _docs(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app import reference  # noqa: PLC0415 — loads every plug-in

    from . import parser  # noqa: PLC0415 — which is made of this file, too

    for path in reference.write(options.folder, parser()):
        output.say(str(path))
    return 0
