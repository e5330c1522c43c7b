"""Verbs for those who extend the house: list, new, docs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from deungdae.core import registry

from .output import Output

TEMPLATES = ("machines", "insight", "decide")


def add(verbs: Any) -> None:
    """Add the verbs."""
    names = verbs.add_parser("list", help="what may stand behind `type` in each room")
    names.add_argument("room", nargs="?", choices=registry.ROOMS, metavar="ROOM")
    names.set_defaults(run=_list)

    new = verbs.add_parser("new", help="write a plug-in to start from, in the room's folder")
    new.add_argument("room", choices=TEMPLATES, metavar="ROOM", help=", ".join(TEMPLATES))
    new.add_argument("name", metavar="NAME", help="one small word: the `type` in factory files")
    new.add_argument("--folder", type=Path, metavar="DIR", help="else the room of this checkout")
    new.set_defaults(run=_new)

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


def _new(options: argparse.Namespace, output: Output) -> int:
    name = options.name
    if not (name.isidentifier() and name.isascii() and name == name.lower() and "_" not in name):
        raise ValueError(f"NAME {name}: one word of small letters, e.g. profinet")
    template = Path(__file__).parent / f"{options.room}.template.txt"
    folder = options.folder or Path(__file__).parents[2] / options.room
    target = folder / f"{name}.py"
    if target.exists() or (folder / name).exists():
        raise ValueError(f"{target} is there already; it was left as it is")
    text = template.read_text(encoding="utf-8")
    text = text.replace("NAME", name.capitalize()).replace("SUMMARY", f"What {name} is for")
    text = text.replace('"name"', f'"{name}"').replace("my_name", f"my_{name}")
    target.write_text(text, encoding="utf-8")
    if output.as_json:
        output.value({"file": str(target)})
    output.say(f"wrote {target}\nnext: make it true, and see CONTRIBUTING.md")
    return 0


def _first_line(plugin: Any) -> str:
    return (plugin.__doc__ or "").strip().splitlines()[0]


def _docs(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app import reference  # noqa: PLC0415 — loads every plug-in

    from . import parser  # noqa: PLC0415 — which is made of this file, too

    files = [str(path) for path in reference.write(options.folder, parser())]
    if output.as_json:
        output.value(files)
    output.say("\n".join(files))
    return 0
