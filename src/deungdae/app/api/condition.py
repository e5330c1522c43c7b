"""Conditions on the state of a twin, as Eclipse Ditto writes them: `ne(properties/state,"down")`.

Known are eq, ne, gt, ge, lt, le on a path and a value, exists on a path, and and, or, not on
conditions. A path that is not there meets no comparison but ne.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

DEEPEST = 20  # conditions within conditions
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([(),])|([^\s(),"]+))')
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def holds(condition: str, state: Mapping[str, Any]) -> bool:
    """Return whether a condition holds. state: plain values, within mappings.

    Raises ValueError for what is no condition.
    """
    parser = _Parser(condition, state)
    result = parser.condition(0)
    if parser.tokens:
        raise ValueError(f"{condition!r}: {parser.tokens[0]!r} is too much")
    return result


class _Parser:
    """Reads a condition from left to right, and says of each whether it holds."""

    def __init__(self, text: str, state: Mapping[str, Any]) -> None:
        self.text = text
        self.state = state
        self.tokens = _tokens(text)

    def condition(self, depth: int) -> bool:
        if depth > DEEPEST:
            raise ValueError(f"{self.text!r} is more than {DEEPEST} conditions deep")
        name = self._next()
        self._expect("(")
        if name in ("and", "or", "not"):
            held = [self.condition(depth + 1)]
            while name != "not" and self.tokens[:1] == [","]:
                self._next()
                held.append(self.condition(depth + 1))
            result = {"and": all(held), "or": any(held), "not": not held[0]}[name]
        elif name == "exists":
            result = self._found(self._next()) is not None
        elif name in ("eq", "ne", *_COMPARE):
            found = self._found(self._next())
            self._expect(",")
            result = _compare(name, found, self._value())
        else:
            raise ValueError(f"{self.text!r}: {name!r} is no condition: eq, ne, gt, ge, lt, le, …")
        self._expect(")")
        return result

    def _next(self) -> str:
        if not self.tokens:
            raise ValueError(f"{self.text!r} ends too early")
        return self.tokens.pop(0)

    def _expect(self, wanted: str) -> None:
        got = self._next()
        if got != wanted:
            raise ValueError(f"{self.text!r}: {got!r} where {wanted!r} was expected")

    def _found(self, path: str) -> Any:
        place: Any = self.state
        for part in path.strip("/").split("/"):
            place = place.get(part) if isinstance(place, Mapping) else None
        return place

    def _value(self) -> Any:
        text = self._next()
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is no value: write texts within quotation marks") from error
        return value


def _compare(name: str, found: Any, value: Any) -> bool:
    if name in ("eq", "ne"):
        return bool((found == value) is (name == "eq"))
    comparable = isinstance(found, int | float) and isinstance(value, int | float)
    comparable = comparable or (isinstance(found, str) and isinstance(value, str))
    return comparable and _COMPARE[name](found, value)


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"{text!r} is not understood at {text[place : place + 10]!r}")
        found.append(match[1] or match[2] or match[3])
        place = match.end()
    return found
