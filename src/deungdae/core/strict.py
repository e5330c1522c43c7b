"""Strict reading of what people write: every problem at once, each with its key and a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
Key = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with one value. key: its path from the top of what was read."""

    key: Key
    value: object
    problem: str
    remedy: str = ""


def decode(
    struct: type[S], table: Mapping[str, object], key: Key = (), *, text: bool = False
) -> tuple[S | None, list[Problem]]:
    """Return the struct, or None, and all problems of the table.

    text: values are text, as in a CSV file, and numbers may be read from them.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    hints, fields = _shape(struct)
    for name in table:
        if name not in fields:
            problems.append(_unknown(name, table[name], list(fields), (*key, name)))
    for name, field in fields.items():
        if name in table:
            value, found = _value(hints[field.name], table[name], (*key, name), text)
            problems += found
            values[field.name] = value
        elif field.required:
            remedy = f"add {name} = {_example(hints[field.name])}"
            problems.append(Problem((*key, name), None, "is missing", remedy))
    if problems:
        return None, problems
    try:
        return struct(**values), []
    except ValueError as error:  # __post_init__ of the struct: a rule across its fields
        return None, [Problem(key, None, str(error))]


@cache
def _shape(
    struct: type[msgspec.Struct],
) -> tuple[dict[str, Any], dict[str, msgspec.structs.FieldInfo]]:
    """Return the types of a struct's fields, and the fields by the keys that people write."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    return get_type_hints(struct, include_extras=True), fields


def closest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` for a name that looks like a known one, else ''."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _value(hint: Any, value: object, key: Key, text: bool) -> tuple[Any, list[Problem]]:
    """Return the value as the type says, going into tables and lists so that all is found."""
    struct = _struct_in(hint)
    if struct is not None and isinstance(value, Mapping):
        return decode(struct, value, key, text=text)
    inner = _list_of_structs(hint)
    if inner is not None and isinstance(value, Sequence) and not isinstance(value, str):
        return _each(value, list(range(len(value))), inner, key, text, tuple)
    inner = _table_of_structs(hint)
    if inner is not None and isinstance(value, Mapping):
        keys = list(value)
        return _each(
            list(value.values()), keys, inner, key, text, lambda v: dict(zip(keys, v, strict=True))
        )
    try:
        return msgspec.convert(value, hint, strict=not text), []
    except msgspec.ValidationError as error:
        problem = str(error).split(" - at `$", maxsplit=1)[0]
        return None, [Problem(key, value, _plain(problem), _remedy(hint))]


def _each(
    values: Sequence[object],
    keys: Sequence[Any],
    struct: type[msgspec.Struct],
    key: Key,
    text: bool,
    build: Callable[[list[Any]], Any],
) -> tuple[Any, list[Problem]]:
    results: list[Any] = []
    problems: list[Problem] = []
    for name, value in zip(keys, values, strict=True):
        if isinstance(value, Mapping):
            result, found = decode(struct, value, (*key, name), text=text)
        else:
            result, found = None, [Problem((*key, name), value, "must be a table")]
        results.append(result)
        problems += found
    return build(results), problems


def _unknown(name: str, value: object, known: list[str], key: Key) -> Problem:
    remedy = closest(name, known) or f"known here: {', '.join(known) or 'nothing'}"
    return Problem(key, value, "is not a known key", remedy)


def _arguments(hint: Any) -> list[Any]:
    """Return the possible types behind Annotated and Optional."""
    if get_origin(hint) is Annotated:
        return _arguments(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [part for arg in get_args(hint) for part in _arguments(arg)]
    return [] if hint is NoneType else [hint]


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    for part in _arguments(hint):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def _list_of_structs(hint: Any) -> type[msgspec.Struct] | None:
    for part in _arguments(hint):
        if get_origin(part) in (list, tuple):
            return _struct_in(get_args(part)[0])
    return None


def _table_of_structs(hint: Any) -> type[msgspec.Struct] | None:
    for part in _arguments(hint):
        if get_origin(part) is dict:
            return _struct_in(get_args(part)[1])
    return None


_WORDS = {
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
    "`null`": "nothing",
}


def _plain(problem: str) -> str:
    """Return msgspec's words as a person would say them."""
    for code, word in _WORDS.items():
        problem = problem.replace(code, word)
    return problem[:1].lower() + problem[1:]


def _remedy(hint: Any) -> str:
    for part in _arguments(hint):
        if getattr(get_origin(part), "__name__", "") == "Literal" or str(get_origin(part)).endswith(
            "Literal"
        ):
            return "one of " + ", ".join(str(value) for value in get_args(part))
    return ""


def _example(hint: Any) -> str:
    for part in _arguments(hint):
        if part is str:
            return '"…"'
        if get_origin(part) in (list, tuple):
            return "[…]"
    return "…"
