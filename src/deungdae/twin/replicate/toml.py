"""A line as the text of a `line.toml`: what a person reads, corrects and keeps."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from deungdae.sim.line import Line

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def write(line: Line) -> str:
    """Return the text of which `sim.line.read` makes the same line again."""
    return "\n".join(_lines(line)) + "\n"


def _lines(line: Line) -> Iterator[str]:
    table = _filled(line)
    for key, value in table.items():
        if not isinstance(value, Mapping) and not _is_list_of_tables(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if key == "paths":
            yield from ("", "[paths]", *(f"{_key(k)} = {_value(v)}" for k, v in value.items()))
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                yield from ("", f"[{_key(key)}.{_key(name)}]")
                yield from (f"{_key(k)} = {_value(v)}" for k, v in inner.items())
        elif _is_list_of_tables(value):
            for inner in value:
                yield from ("", f"[[{_key(key)}]]")
                yield from (f"{_key(k)} = {_value(v)}" for k, v in inner.items())


def _filled(struct: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a struct that are not as by default, by the keys of the file."""
    table: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        else:
            default = field.default
        if field.required or value != default:
            table[field.encode_name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _filled(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _key(name: str) -> str:
    return name if _BARE.match(name) else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int() | float():
            return repr(value)
        case Decimal():
            return _text(str(value))
        case datetime.date():
            return value.isoformat()
        case list():
            return f"[{', '.join(_value(each) for each in value)}]"
        case Mapping():
            inside = ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items())
            return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"{value!r} has no form in TOML")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
