"""(room, type) -> class. A file is a plug-in: `machines/modbus.py` holds class `Modbus`.

Packages outside register the same by an entry point in group `deungdae.<room>`. A module is
loaded only when a factory names it, so what is unused costs nothing.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import pkgutil
from functools import cache
from importlib.abc import SourceLoader
from importlib.metadata import entry_points
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

ROOMS = ("machines", "virtual", "insight", "decide", "twin")


class UnknownTypeError(LookupError):
    """No plug-in of that name in the room; `close` holds names that look alike."""

    def __init__(self, room: str, type: str, close: list[str]) -> None:
        super().__init__(f"no {room} plug-in is called {type!r}")
        self.close = close


class Option(msgspec.Struct, frozen=True):
    """One option of a plug-in, as its annotation states it: for docs, forms and templates."""

    name: str
    type: str
    default: object
    required: bool
    unit: str
    description: str


def names(room: str) -> list[str]:
    """Return the types that a room offers, sorted: ours and those of outside packages."""
    package = importlib.import_module(f"deungdae.{room}")
    ours = [
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if _is_plugin(room, module.name)
    ]
    theirs = [entry.name for entry in entry_points(group=f"deungdae.{room}")]
    return sorted({*ours, *theirs})


@cache
def load(room: str, type: str) -> Any:
    """Return the plug-in class. Raises UnknownTypeError; ImportError if it cannot be loaded."""
    for entry in entry_points(group=f"deungdae.{room}"):
        if entry.name == type:
            return entry.load()
    if not (type.isidentifier() and _is_plugin(room, type)):
        raise UnknownTypeError(room, type, difflib.get_close_matches(type, names(room)))
    module = importlib.import_module(f"deungdae.{room}.{type}")
    return getattr(module, type.capitalize())


def _is_plugin(room: str, type: str) -> bool:
    """Return whether a module defines or offers a class named like itself; does not import it."""
    spec = importlib.util.find_spec(f"deungdae.{room}.{type}")
    if spec is None or not isinstance(spec.loader, SourceLoader):
        return False
    statements = ast.parse(spec.loader.get_source(spec.name) or "").body
    classes = {part.name for part in statements if isinstance(part, ast.ClassDef)}
    taken_in = {
        alias.asname or alias.name
        for part in statements
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    return type.capitalize() in classes | taken_in


def options(plugin: Any) -> list[Option]:
    """Return every option of a plug-in class, in the order in which it states them."""
    return describe(plugin.Options)


def describe(struct: type[msgspec.Struct]) -> list[Option]:
    """Return every field of an options struct, in the order in which it states them."""
    hints = get_type_hints(struct, include_extras=True)
    found = []
    for field in msgspec.structs.fields(struct):
        metas = _metas(hints[field.name])
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        found.append(
            Option(
                name=field.encode_name,
                type=_spell(hints[field.name]),
                default=None if default is msgspec.NODEFAULT else default,
                required=field.required,
                unit=next(
                    (str(m.extra["unit"]) for m in metas if m.extra and "unit" in m.extra), ""
                ),
                description=next((m.description for m in metas if m.description), ""),
            )
        )
    return found


def _metas(hint: Any) -> list[msgspec.Meta]:
    """Return everything that is noted about a type, or about the types that it may be."""
    if get_origin(hint) is Annotated:
        return [extra for extra in hint.__metadata__ if isinstance(extra, msgspec.Meta)]
    if get_origin(hint) in (Union, UnionType):
        return [meta for part in get_args(hint) for meta in _metas(part)]
    return []


def _spell(hint: Any) -> str:
    """Return a type as a person would say it: `number ≥ 0`, `one of a, b`, `list of text`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _spell(args[0]) + "".join(_bounds(meta) for meta in _metas(hint))
    if origin in (Union, UnionType):
        return " or ".join(_spell(part) for part in args if part is not type(None))
    if getattr(origin, "__name__", "") == "Literal":
        return "one of " + ", ".join(f"`{value}`" for value in args)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_spell(args[0])}"
    if origin is dict:
        return f"table of {_spell(args[1])}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "table"
    return {str: "text", float: "number", int: "whole number", bool: "true or false"}.get(
        hint, getattr(hint, "__name__", str(hint))
    )


def _bounds(meta: msgspec.Meta) -> str:
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    bounds = [
        f"{sign} {getattr(meta, name)}" for name, sign in signs if getattr(meta, name) is not None
    ]
    return f" {', '.join(bounds)}" if bounds else ""
