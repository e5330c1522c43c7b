"""Where a value sits: topic filter, path into the payload, its time, and how to write it.

`<topic filter>[?<path>][&time=<path>][&epoch=s|ms|us|ns][&payload=json|csv]`
`[&write=<topic>[&put=<path>]]`

A path: keys joined by points (`state.temp`), `[2]` for the third of a list, `[id=Tag1]` for the one
of a list whose `id` is `Tag1`, a key with odd characters in single quotes (`'oil.temp'.value`).
In CSV: the number of the column from 0, or its name where the door's option `columns` gives names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Literal, TypeAlias

import msgspec

from deungdae.wires.mqtt.codec import is_filter

Step: TypeAlias = str | int | tuple[str, str]
Path: TypeAlias = tuple[Step, ...]
Getter: TypeAlias = Callable[[Any], Any]

_STEP = re.compile(r"'([^']*)'|\[(\d+)\]|\[([^\]=]+)=([^\]]*)\]|([^.\[\]']+)")


class AddressError(ValueError):
    """The address cannot be read; the message says where and what would be right."""


class Address(msgspec.Struct, frozen=True):
    """One address, taken apart. An empty path is the whole payload; time None: it has none."""

    filter: str
    path: Path = ()
    time: Path | None = None
    epoch: Literal["", "s", "ms", "us", "ns"] = ""
    payload: Literal["", "json", "csv"] = ""
    write: str = ""
    put: Path = ()


def parse(text: str) -> Address:
    """Return the address. Raises AddressError."""
    filter, _, rest = text.partition("?")
    if not is_filter(filter):
        raise AddressError(
            f"{filter!r} is no topic filter: levels between '/', '+' for any one, '#' last for all"
        )
    first, *more = rest.split("&") if rest else [""]
    parts: dict[str, Any] = {"path": steps(first)}
    for part in more:
        key, equals, value = part.partition("=")
        if key not in ("time", "epoch", "payload", "write", "put") or not equals or not value:
            raise AddressError(
                f"{part!r} in {text!r}: known are time=, epoch=, payload=, write= and put="
            )
        parts[key] = steps(value) if key in ("time", "put") else value
    if "put" in parts and any(not isinstance(step, str) for step in parts["put"]):
        raise AddressError(f"put in {text!r} can only have keys, such as put=command.setpoint")
    try:
        return msgspec.convert({"filter": filter, **parts}, Address)
    except msgspec.ValidationError as error:
        raise AddressError(f"{text!r}: {error}") from error


def steps(text: str) -> Path:
    """Return the steps of a path. Raises AddressError."""
    found: list[Step] = []
    place = 0
    while place < len(text):
        if found and text[place] == ".":
            place += 1
        match = _STEP.match(text, place)
        if match is None:
            raise AddressError(f"cannot read the path {text!r} from {text[place:]!r} on")
        quoted, index, key, value, plain = match.groups()
        if index is not None:
            found.append(int(index))
        elif key is not None:
            found.append((key, value))
        else:
            found.append(plain if quoted is None else quoted)
        place = match.end()
    return tuple(found)


def spell(path: Path) -> str:
    """Return the text of a path: steps(spell(path)) == path."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif isinstance(step, tuple):
            text += f"[{step[0]}={step[1]}]"
        else:
            plain = re.fullmatch(r"[^.\[\]'&]+", step) is not None
            text += ("." if text else "") + (step if plain else f"'{step}'")
    return text


def getter(path: Path) -> Getter:
    """Return a function that follows the path; it raises LookupError or TypeError where it ends."""
    if not path:
        return _same
    if len(path) == 1 and isinstance(path[0], str):
        return itemgetter(path[0])
    return lambda content: _follow(content, path)


def _same(content: Any) -> Any:
    return content


def _follow(content: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, tuple):
            key, wanted = step
            content = next((part for part in content if str(part[key]) == wanted), None)
            if content is None:
                raise LookupError(f"none has {key} {wanted}")
        elif isinstance(step, int) and not isinstance(content, list):
            raise TypeError("not a list")
        else:
            content = content[step]
    return content


def place(path: Path, value: object) -> object:
    """Return the value within nested tables, as `put` asks for it."""
    for step in reversed(path):
        value = {step: value}
    return value
