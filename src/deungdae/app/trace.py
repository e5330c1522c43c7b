"""What became of a serial, a lot or a carrier: the same answer for command line, API and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import HOUR
from deungdae.insight.trace import (
    Genealogy,
    Link,
    Node,
    Place,
    Reach,
    Step,
    begun,
    clean,
    life,
    place,
)

from .remote import Archive

MOST = 2000  # things that one answer follows, unless more is asked for
LOOK_BACK = 6 * HOUR  # for the part before, where a scan does not tell when its work began
STEPS = 60  # whose beginning is looked up so
_MEANT = ("sscc", "serial", "lot", "gtin")  # what a GS1 text may name, the narrowest first
_LONGEST = 4000  # characters of a text that is read as GS1


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing and how it stands to what was asked. first: when it was first seen, ns."""

    code: str
    kind: str
    first: int
    product: str = ""
    order: str = ""
    result: str = ""


class Relative(msgspec.Struct, frozen=True, kw_only=True):
    """A thing one link away. how: lot, from, into or order; until: when it was out again."""

    thing: Thing
    how: str
    time: int
    until: int | None


class Count(msgspec.Struct, frozen=True):
    """How many things of a kind were found; steps: links to the nearest of them."""

    kind: str
    count: int
    steps: int


class Found(msgspec.Struct, frozen=True):
    """What a text means. node: the life that is asked for; lives: all of them, oldest first.

    said: what stands in the text where it is GS1.
    """

    node: Node
    lives: list[Node]
    said: dict[str, str]


class Trace:
    """Answers about one history. Blocks as long as that does; made for one question."""

    def __init__(self, store: Archive, most: int = MOST) -> None:
        self._store = store
        self._most = most
        self.genealogy = Genealogy(store.find, most)

    def look(self, text: str, at: int | None = None) -> Found:
        """Return what a text that was typed or scanned means; at: in which of its lives, else last.

        Raises NotEnoughData where no scan names it.
        """
        said = _said(text)
        candidates = _candidates(text, said)
        self.genealogy.learn(dict.fromkeys(candidates))
        for code in candidates:
            lives = self.genealogy.lives(code)
            if lives:
                node = lives[-1] if at is None else self.genealogy.at(code, at)
                return Found(node, lives, said)
        raise NotEnoughData(f"no scan names {text.strip()[:80]!r}")

    def thing(self, node: Node) -> Thing:
        """Return what a thing is."""
        own = self.genealogy.own(node)
        told = {
            key: next((sight.told(key) for sight in reversed(own) if sight.told(key)), "")
            for key in ("product", "order", "result")
        }
        return Thing(code=node.code, kind=self.genealogy.kind(node), first=node.start, **told)

    def life(self, node: Node) -> list[Step]:
        """Return every step, with its beginning also where only the part before tells it."""
        steps = life(self.genealogy, node)
        found: list[Step] = []
        earlier = 0
        for number, step in enumerate(steps):
            told = step
            if step.start is None and number < STEPS:
                told = begun(step, earlier, self._before(step, max(earlier, step.end - LOOK_BACK)))
            found.append(told)
            earlier = step.end
        return found

    def _before(self, step: Step, since: int) -> int | None:
        events = self._store.events(since, step.end, ids=[step.id])
        return events[-1].time if events else None

    def place(self, node: Node) -> Place | None:
        """Return where a thing was last seen."""
        return place(self.genealogy, node)

    def relatives(self, links: Iterable[Link]) -> list[Relative]:
        """Return what stands at the other end of links."""
        return [
            Relative(thing=self.thing(link.node), how=link.how, time=link.time, until=link.until)
            for link in links
        ]

    def counts(self, reach: Reach) -> list[Count]:
        """Return how many of each kind were found, the nearest kind first."""
        kinds = [(each.steps, self.genealogy.kind(each.node)) for each in reach.found]
        nearest: dict[str, int] = {}
        for steps, kind in kinds:
            nearest.setdefault(kind, steps)
        count = Counter[str](kind for _, kind in kinds)
        return [Count(kind, count[kind], steps) for kind, steps in nearest.items()]

    def nearest(self, text: str, most: int = 4) -> list[str]:
        """Return codes like one that is not known: what begins with it, else its neighbours."""
        code = clean(text) or text.strip()[:64]
        begin = self._store.codes(code, 2 * most) if code else []
        return begin or self._store.codes_near(code, most)


def _said(text: str) -> dict[str, str]:
    """Return what stands in a GS1 text, by name; nothing where it is none."""
    if not text.strip() or len(text) > _LONGEST:
        return {}
    from deungdae.machines.scanner import codes  # noqa: PLC0415 — its parser takes 16 MB

    return codes.read(text.strip()).data


def _candidates(text: str, said: dict[str, str]) -> list[str]:
    """Return what a text may mean, the likeliest first: as it stands, by GS1, in other letters."""
    plain = clean(text)
    meant = [clean(said[key]) for key in _MEANT if key in said]
    joined = "".join(plain.split())
    tried = [plain, *meant, joined, plain.upper(), plain.lower(), joined.upper()]
    return [code for code in dict.fromkeys(tried) if code]
