"""Which things went into which, and where they went: read forward and backward from scans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from deungdae.core.types import DAY, Event

from .scan import Sight, read

YEAR = 365 * DAY
TOUR = 30 * DAY  # silence after which a carrier's tour is over
FEW = 200  # scans of a code that are read at least, however many codes are asked for at once

How: TypeAlias = Literal["lot", "from", "into", "order"]
Kind: TypeAlias = Literal["serial", "lot", "carrier", "order", "unknown"]


class Find(Protocol):
    """What the genealogy asks of a history."""

    def __call__(self, codes: Mapping[str, int | None], most: int) -> Iterable[Event]:
        """Return events that name any of the codes, each event once.

        Of each code at most so many before the moment that stands with it, the newest, and as many
        from it on, the oldest. None: the newest of all.
        """
        ...


class Node(NamedTuple):
    """One life of a code, or one tour of a carrier; start: when it was first seen, ns."""

    code: str
    start: int


class Link(NamedTuple):
    """A thing that another went into, or that went into it, at `time`.

    until: when it left the carrier again; None: it did not, as far as is known.
    """

    node: Node
    how: How
    time: int
    until: int | None = None


class Reached(msgspec.Struct, frozen=True):
    """A thing found from another. steps: links between; by: what it was found from."""

    node: Node
    steps: int
    by: Node
    link: Link


class Reach(msgspec.Struct, frozen=True):
    """Everything found in one direction, nearest first. more: there is more than was followed."""

    found: list[Reached]
    more: bool

    @property
    def nodes(self) -> list[Node]:
        """Return what was found."""
        return [each.node for each in self.found]


class Stay(NamedTuple):
    """A thing was in a carrier since, until; None: it was not seen leaving."""

    carrier: Node
    since: int
    until: int | None


class _Raw(NamedTuple):
    """A link as a scan tells it: the life that is meant is not known yet."""

    code: str
    how: How
    time: int
    until: int | None = None


class _Known(msgspec.Struct):
    """What is known of a code. sights: by time; own: those of the thing itself.

    starts: when each life begins, rising. low, high: whether there is more before, and behind.
    """

    sights: list[Sight]
    own: list[Sight]
    starts: list[int]
    low: bool
    high: bool

    def within(self, seen: list[Sight], node: Node) -> list[Sight]:
        """Return the sights of one life."""
        life = self.life(node.start)
        first = bisect_left(seen, self.starts[life], key=_when) if life else 0
        behind = self.starts[life + 1 : life + 2]
        last = bisect_left(seen, behind[0], key=_when) if behind else len(seen)
        return seen[first:last]

    def life(self, time: int) -> int:
        """Return the number of the life that a moment falls into."""
        return max(0, bisect_right(self.starts, time) - 1)

    def covers(self, time: int | None) -> bool:
        """Return whether a moment lies within what was read."""
        if time is None or not self.sights:
            return True
        before, behind = time < self.sights[0].time, time > self.sights[-1].time
        return not ((self.low and before) or (self.high and behind))


class Genealogy:
    """The links around the codes that it is asked about; it asks its history once for many.

    find: gives events that name codes. most: things that one answer follows, and scans of one code
    that are read; beyond, answers say that there is more.
    """

    def __init__(self, find: Find, most: int = 5000) -> None:
        self._find = find
        self._most = most
        self._known: dict[str, _Known] = {}

    # ---- what is known of a code

    def learn(self, codes: Mapping[str, int | None]) -> None:
        """Ask for what names these codes around these moments, where it was not asked yet."""
        new = {
            code: time
            for code, time in codes.items()
            if code not in self._known or not self._known[code].covers(time)
        }
        if not new:
            return
        each = min(self._most, max(FEW, 8 * self._most // len(new)))
        seen: dict[str, list[Sight]] = {
            code: list(self._known[code].sights) if code in self._known else [] for code in new
        }
        before, behind = Counter[str](), Counter[str]()
        for event in self._find(new, each):
            sight = read(event)
            if sight is None:
                continue
            for code in set(_named(sight)) & new.keys():
                seen[code].append(sight)
                time = new[code]
                (before if time is None or event.time < time else behind)[code] += 1
        for code, sights in seen.items():
            self._known[code] = _known(
                code, sights, low=before[code] >= each, high=behind[code] >= each
            )

    def lives(self, code: str) -> list[Node]:
        """Return the lives of a code, or a carrier's tours, oldest first; none: it is unknown."""
        self.learn({code: None})
        known = self._known[code]
        return [Node(code, start) for start in known.starts] if known.sights else []

    def at(self, code: str, time: int) -> Node:
        """Return the life of a code that a moment falls into."""
        known = self._of(Node(code, time))
        return Node(code, known.starts[known.life(time)])

    def sights(self, node: Node) -> list[Sight]:
        """Return every scan that names a thing in this life, by time."""
        known = self._of(node)
        return known.within(known.sights, node)

    def own(self, node: Node) -> list[Sight]:
        """Return the scans of a thing itself in this life, by time."""
        known = self._of(node)
        return known.within(known.own, node)

    def is_cut(self, node: Node) -> bool:
        """Return whether a life has more scans than were read."""
        known = self._of(node)
        life = known.life(node.start)
        return (known.low and life == 0) or (known.high and life == len(known.starts) - 1)

    def kind(self, node: Node) -> Kind:
        """Return what a thing is, by how scans name it."""
        seen, code = self.sights(node), node.code
        if any(code in (sight.into, sight.carrier) for sight in seen):
            return "carrier"
        if any(code in sight.lots for sight in seen):
            return "lot"
        if any(sight.code == code or code in sight.parents for sight in seen):
            return "serial"
        return "order" if seen else "unknown"

    def _of(self, node: Node) -> _Known:
        known = self._known.get(node.code)
        if known is None or not known.covers(node.start):
            self.learn({node.code: node.start})
        return self._known[node.code]

    # ---- links

    def children(self, node: Node) -> list[Link]:
        """Return what a thing went into: made of it, or carrying it; of an order, what is for it.

        In order of time, each once.
        """
        return self._links(node, self._forward(node))

    def parents(self, node: Node) -> list[Link]:
        """Return what went into a thing: what it is made of, or what was put into it."""
        return self._links(node, self._backward(node))

    def forward(self, node: Node) -> Reach:
        """Return everything that a thing went into, through all generations."""
        return self._reach(node, self._forward)

    def backward(self, node: Node) -> Reach:
        """Return everything that went into a thing, through all generations."""
        return self._reach(node, self._backward)

    def stays(self, node: Node) -> list[Stay]:
        """Return in which carriers a thing was, in order of time."""
        found = []
        for raw in _stays(self.own(node)):
            carrier, end = self.at(raw.code, raw.time), raw.until
            known = self._known[raw.code]
            behind = known.starts[known.life(carrier.start) + 1 :]
            if end is None and behind:
                end = behind[0]  # it was loaded anew: this was out, unseen
            found.append(Stay(carrier, raw.time, end))
        return found

    def _forward(self, node: Node) -> list[_Raw]:
        code = node.code
        found: list[_Raw] = []
        for sight in self.sights(node):
            if sight.code == code:
                continue
            if code in sight.lots:
                found.append(_Raw(sight.code, "lot", sight.time))
            elif code in sight.parents:
                found.append(_Raw(sight.code, "from", sight.time))
            elif sight.told("order") == code:
                found.append(_Raw(sight.code, "order", sight.time))
        own = self.own(node)
        ends = {(stay.code, stay.time): stay.until for stay in _stays(own)}
        for sight in own:
            for carrier in dict.fromkeys((sight.carrier, sight.into)):
                if carrier:
                    until = ends.get((carrier, sight.time))
                    found.append(_Raw(carrier, "into", sight.time, until))
        return found

    def _backward(self, node: Node) -> list[_Raw]:
        code = node.code
        found: list[_Raw] = []
        for sight in self.sights(node):
            if sight.code == code:
                found += [_Raw(lot, "lot", sight.time) for lot in sight.lots]
                found += [_Raw(part, "from", sight.time) for part in sight.parents]
            elif code in (sight.into, sight.carrier):
                found.append(_Raw(sight.code, "into", sight.time))
        return found

    def _links(self, node: Node, told: Sequence[_Raw]) -> list[Link]:
        self.learn({raw.code: raw.time for raw in told})
        links: dict[Node, Link] = {}
        for raw in sorted(told, key=lambda raw: raw.time):
            other = self.at(raw.code, raw.time)
            if other != node:
                links.setdefault(other, Link(other, raw.how, raw.time, raw.until))
        return list(links.values())

    def _reach(self, node: Node, look: Callable[[Node], list[_Raw]]) -> Reach:
        seen = {node}
        found: list[Reached] = []
        level, steps, more = [node], 0, self.is_cut(node)
        while level:
            steps += 1
            told = {each: look(each)[: 4 * self._most] for each in level}
            self.learn({raw.code: raw.time for raws in told.values() for raw in raws})
            level = []
            for each, raws in told.items():
                for link in self._links(each, raws):
                    if link.node in seen:
                        continue
                    if len(found) >= self._most:
                        return Reach(found, more=True)
                    seen.add(link.node)
                    found.append(Reached(link.node, steps, each, link))
                    level.append(link.node)
                    more = more or self.is_cut(link.node)
        return Reach(found, more)


def _when(sight: Sight) -> int:
    return sight.time


def _named(sight: Sight) -> tuple[str, ...]:
    codes = (sight.code, *sight.lots, *sight.parents, sight.into, sight.carrier)
    order = sight.event.data.get("order")
    return codes if order is None else (*codes, order.strip())


def _known(code: str, seen: list[Sight], *, low: bool, high: bool) -> _Known:
    once = {(s.id, s.time, s.event.kind, s.event.value, *s.event.data.items()): s for s in seen}
    seen = sorted(once.values(), key=_when)
    return _Known(seen, [s for s in seen if s.code == code], _lives(code, seen), low, high)


def _stays(own: Sequence[Sight]) -> list[_Raw]:
    """Return the carriers that a thing's own scans tell, each since and until when."""
    found: list[_Raw] = []
    inside = False
    for sight in own:
        if inside and sight.on != found[-1].code:
            found[-1] = found[-1]._replace(until=sight.time)
            inside = False
        for carrier in dict.fromkeys((sight.carrier, sight.into)):
            if carrier and not (inside and found[-1].code == carrier):
                inside = carrier == sight.on
                until = None if inside else sight.time
                found.append(_Raw(carrier, "into", sight.time, until))
    return found


def _lives(code: str, seen: Sequence[Sight]) -> list[int]:
    """Return when each life of a code begins; at least one, the first at its first scan.

    seen: every scan that names it, by time.
    """
    starts = [seen[0].time if seen else 0]
    before = starts[0]
    origin = ""  # where this life's thing was first scanned itself
    loading: set[str] = set()  # the scans that load this tour
    travelled = False
    for place, sight in enumerate(seen):
        gap, before = sight.time - before, sight.time
        load = sight.into == code
        if load and loading:
            again = travelled or gap > TOUR
        else:
            again = gap > YEAR and _is_new(code, origin, seen[place:])
        if again and sight.time > starts[-1]:
            starts.append(sight.time)
            origin, loading, travelled = "", set(), False
        if sight.code == code:
            origin = origin or sight.asset
        if load:
            loading.add(sight.id)
        elif loading and sight.id not in loading:
            travelled = True
    return starts


def _is_new(code: str, origin: str, rest: Sequence[Sight]) -> bool:
    """Return whether what is seen after a long silence began where the life before it did."""
    first = next((sight.asset for sight in rest if sight.code == code), "")
    return not origin or first == origin
