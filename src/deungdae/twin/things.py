"""A twin as others see it: what is reported beside what is desired, by revision and time.

After Eclipse Ditto (https://eclipse.dev/ditto/basic-thing.html): a thing has features; a feature
has properties, reported by the line, and desired ones, asked for by people and programs; every
change makes a new revision, may be asked for conditionally, and may be looked up later. Here a
thing is a line, its features are its stations and buffers. Desired is a wish: what becomes of it,
the gate decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from deungdae.core.errors import Refused
from deungdae.core.types import DAY
from deungdae.sim.line import Line, Snapshot

Value: TypeAlias = str | float | int | bool | None
ANY = "*"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A desired value: by whom, why, since when, and until when it holds; ns. expires 0: no end."""

    value: Value
    origin: str
    because: str
    since: int
    expires: int = 0


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One station or buffer. reported: as the line tells; desired: as somebody wants it."""

    reported: dict[str, Value] = {}
    desired: dict[str, Wish] = {}


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """How far the twin's model may be believed. revision: of the model. learnt_at: ns.

    coverage: share of 90 % intervals that held, over `shifts` shifts, None before any.
    """

    revision: str = ""
    learnt_at: int = 0
    believable: bool = False
    coverage: float | None = None
    shifts: int = 0
    reason: str = ""


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A line at a moment. revision: 1, 2, … counts its changes; time: ns of the last one."""

    id: str
    revision: int
    time: int
    features: dict[str, Feature] = {}
    validity: Validity = Validity()

    @property
    def tag(self) -> str:
        """Return the entity tag of this revision, as HTTP writes it."""
        return f'"rev:{self.revision}"'


def reported(line: Line, stand: Snapshot) -> dict[str, dict[str, Value]]:
    """Return what a line reports of its stations and buffers, by the name of the feature."""
    features: dict[str, dict[str, Value]] = {}
    for name in line.stations:
        values: dict[str, Value] = {}
        servers = stand.stations.get(name, ())
        for number, server in enumerate(servers):
            end = "" if len(servers) == 1 else f".{number}"
            values[f"state{end}"] = server.state
            values[f"product{end}"] = server.product or None
            values[f"elapsed{end}"] = round(server.elapsed, 3)
        if name in stand.family:
            values["family"] = stand.family[name]
        features[name] = values
    for name, buffer in line.buffers.items():
        features[name] = {"level": len(stand.buffers.get(name, ())), "capacity": buffer.capacity}
    return features


def report(
    thing: Thing,
    features: Mapping[str, Mapping[str, Value]],
    now: int,
    validity: Validity | None = None,
) -> Thing:
    """Return the thing with what is reported now; the same thing where nothing changed.

    Wishes whose time is over are left out: that is a change, too. A reported value that is
    a number of s since something (`elapsed`) changes always, and alone makes no revision.
    """
    changed = dict(thing.features)
    for name, values in features.items():
        old = changed.get(name, Feature())
        changed[name] = msgspec.structs.replace(old, reported=dict(values))
    changed = {
        name: msgspec.structs.replace(feature, desired=_living(feature.desired, now))
        for name, feature in changed.items()
    }
    valid = thing.validity if validity is None else validity
    if _lasting(changed) == _lasting(thing.features) and valid == thing.validity:
        return thing
    return _next(thing, changed, now, valid)


def desire(
    thing: Thing,
    feature: str,
    values: Mapping[str, Value],
    *,
    origin: str,
    because: str,
    now: int,
    life: int = DAY,
    match: str = ANY,
) -> Thing:
    """Return the thing with desired values of one feature; None takes a wish back.

    match: the tag of the revision that the asker saw (HTTP If-Match), ANY for whatever it is.
    Raises Refused where it has changed since (rule `if-match`), or there is no such feature.
    """
    check(thing, match=match)
    if feature not in thing.features:
        known = ", ".join(thing.features)
        raise Refused("feature", f"{thing.id} has no {feature!r}; it has {known}")
    old = thing.features[feature]
    wishes = _living(old.desired, now)
    for name, value in values.items():
        if value is None:
            wishes.pop(name, None)
            continue
        expires = now + life if life else 0
        wishes[name] = Wish(value=value, origin=origin, because=because, since=now, expires=expires)
    features = {**thing.features, feature: msgspec.structs.replace(old, desired=wishes)}
    return _next(thing, features, now, thing.validity)


def check(thing: Thing, *, match: str = ANY, none_match: str = "") -> None:
    """Raise Refused unless the thing is as the asker's headers say: If-Match, If-None-Match."""
    if match not in (ANY, "") and thing.tag not in _tags(match):
        raise Refused("if-match", f"{thing.id} is at {thing.tag} now, not at {match}")
    if none_match and (none_match == ANY or thing.tag in _tags(none_match)):
        raise Refused("if-none-match", f"{thing.id} is at {thing.tag} still")


def condition(thing: Thing, text: str) -> bool:
    """Return whether a condition holds: `eq(press-1/state,"running")`; also ne gt ge lt le exists.

    The path is `<feature>/<property>`, of what is reported. Raises Refused for what is none.
    """
    match = re.fullmatch(
        r'\s*(eq|ne|gt|ge|lt|le|exists)\(\s*([^,()]+?)\s*(?:,\s*("[^"]*"|[^,()]+?)\s*)?\)\s*', text
    )
    if match is None or (match[1] == "exists") == (match[3] is not None):
        raise Refused("condition", f'{text!r} is not understood: write eq(press-1/state,"running")')
    feature, _, name = match[2].rpartition("/")
    found = thing.features.get(feature, Feature()).reported.get(name)
    if match[1] == "exists":
        return found is not None
    wanted = _literal(match[3])
    if match[1] in ("eq", "ne"):
        return (found == wanted) == (match[1] == "eq")
    if not isinstance(found, int | float) or not isinstance(wanted, int | float):
        return False
    return {
        "gt": found > wanted,
        "ge": found >= wanted,
        "lt": found < wanted,
        "le": found <= wanted,
    }[match[1]]


def at_revision(history: Sequence[Thing], revision: int) -> Thing:
    """Return the thing at a revision. Raises Refused where it is not kept (any more)."""
    for thing in history:
        if thing.revision == revision:
            return thing
    kept = f"{history[0].revision} to {history[-1].revision}" if history else "none"
    raise Refused("revision", f"revision {revision} is not kept; kept: {kept}")


def at_time(history: Sequence[Thing], time: int) -> Thing:
    """Return the thing as it was at a moment, ns. history: in order. Raises Refused, as above."""
    before = [thing for thing in history if thing.time <= time]
    if not before:
        raise Refused("time", "nothing is kept of that time")
    return before[-1]


def _next(thing: Thing, features: dict[str, Feature], now: int, validity: Validity) -> Thing:
    return msgspec.structs.replace(
        thing, revision=thing.revision + 1, time=now, features=features, validity=validity
    )


def _living(wishes: Mapping[str, Wish], now: int) -> dict[str, Wish]:
    return {name: wish for name, wish in wishes.items() if not wish.expires or wish.expires > now}


def _lasting(features: Mapping[str, Feature]) -> dict[str, tuple[dict[str, Value], object]]:
    """Return the features without what changes by itself."""
    return {
        name: (
            {key: value for key, value in each.reported.items()
             if key.partition(".")[0] != "elapsed"},
            each.desired,
        )
        for name, each in features.items()
    }  # fmt: skip


def _tags(header: str) -> list[str]:
    return [each.strip().removeprefix("W/") for each in header.split(",")]


def _literal(text: str) -> Value:
    if text.startswith('"'):
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise Refused("condition", f'{text!r} is no value: write text in "quotes"') from error
