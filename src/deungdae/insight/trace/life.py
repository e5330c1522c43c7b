"""The life of one thing: its steps in order, what contradicts itself in them, and where it is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from deungdae.core.types import MINUTE

from .genealogy import Genealogy, Node, Stay
from .scan import Sight

UP = 8  # carriers within carriers that are followed
TOGETHER = 10 * MINUTE  # a part's image and its scan at one station are one step within this


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What happened at one station. start: None where it was not told; end: when it was done; ns.

    count: of a lot or a carrier, how many things were made of it or put into it here, from start to
    end. inferred: the start was not told, but the station finished the part before it then.
    id: of the scan. via: the carrier whose scan it was, '' for the thing's own. wait: ns since the
    step before, None where the start is not known. doubts: `scrapped`, `product` or
    `places`: what contradicts the steps before it.
    """

    id: str
    asset: str
    start: int | None
    end: int
    product: str = ""
    result: str = ""
    order: str = ""
    into: str = ""
    to: str = ""
    via: str = ""
    image: str = ""
    wait: int | None = None
    inferred: bool = False
    count: int = 0
    doubts: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a thing was last seen. carriers: what it is in, the innermost first. to: left for."""

    asset: str
    time: int
    carriers: tuple[str, ...] = ()
    to: str = ""
    result: str = ""


def life(genealogy: Genealogy, node: Node) -> list[Step]:
    """Return every step of a thing, also those that its carriers took with it, in order of time."""
    seen = [(sight, "") for sight in genealogy.own(node)]
    seen += _carried(genealogy, genealogy.stays(node), {node})
    seen.sort(key=lambda pair: pair[0].time)
    steps = [*_merged(seen), *_served(genealogy.sights(node), node.code)]
    return _told(sorted(steps, key=lambda step: step.end))


def place(genealogy: Genealogy, node: Node) -> Place | None:
    """Return where a thing was last seen, or None where neither it nor what it carries was."""
    own = genealogy.own(node)
    inside = _open(genealogy, node)
    carried = [s for s in genealogy.sights(node) if node.code in (s.into, s.carrier)]
    seen = [
        *own[-1:],
        *carried[-1:],
        *(sight for stay in inside for sight in _during(genealogy, stay)[-1:]),
    ]
    if not seen:
        return None
    last = max(seen, key=lambda sight: sight.time)
    results = [sight.told("result") for sight in own]
    carriers = tuple(stay.carrier.code for stay in inside)
    return Place(
        asset=last.asset,
        time=last.time,
        carriers=carriers,
        to=last.told("to") if last.code == node.code or last.code in carriers else "",
        result=next((result for result in reversed(results) if result), ""),
    )


def _open(genealogy: Genealogy, node: Node) -> list[Stay]:
    """Return the stays that a thing is still in, the innermost first; no circle, UP at most."""
    found: list[Stay] = []
    seen = {node}
    while len(found) < UP:
        stays = genealogy.stays(node)
        if not stays or stays[-1].until is not None or stays[-1].carrier in seen:
            break
        found.append(stays[-1])
        node = stays[-1].carrier
        seen.add(node)
    return found


def _carried(
    genealogy: Genealogy, stays: Sequence[Stay], seen: set[Node]
) -> list[tuple[Sight, str]]:
    """Return the scans of carriers while a thing was in them, each with the carrier's code."""
    found: list[tuple[Sight, str]] = []
    level = list(stays)
    for _ in range(UP):
        above: list[Stay] = []
        for stay in level:
            if stay.carrier in seen:
                continue
            seen.add(stay.carrier)
            found += [(sight, stay.carrier.code) for sight in _during(genealogy, stay)]
            above += [
                Stay(outer.carrier, max(outer.since, stay.since), _earlier(outer.until, stay.until))
                for outer in genealogy.stays(stay.carrier)
                if _meet(outer, stay)
            ]
        level = above
    return found


def _during(genealogy: Genealogy, stay: Stay) -> list[Sight]:
    return [
        sight
        for sight in genealogy.own(stay.carrier)
        if stay.since <= sight.time and (stay.until is None or sight.time <= stay.until)
    ]


def _meet(one: Stay, other: Stay) -> bool:
    return (one.until is None or one.until > other.since) and (
        other.until is None or other.until > one.since
    )


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((end for end in (one, other) if end is not None), default=None)


def _merged(seen: Sequence[tuple[Sight, str]]) -> list[Step]:
    """Return the steps; an image that a station took of a part belongs to its scan there."""
    steps: list[Step] = []
    kinds: list[str] = []
    for sight, via in seen:
        step = _step(sight, via)
        last = steps[-1] if steps else None
        if (
            last is not None
            and (last.asset, last.via) == (step.asset, via)
            and {kinds[-1], sight.kind} == {"scan", "image"}
            and step.end - last.end <= TOGETHER
        ):
            steps[-1] = _joined(last, step)
            kinds[-1] = "both"
            continue
        steps.append(step)
        kinds.append(sight.kind)
    return steps


def _served(seen: Sequence[Sight], code: str) -> list[Step]:
    """Return where a lot or a carrier took things in: a step for each scan that names it so."""
    places: dict[str, list[Sight]] = {}
    for sight in seen:
        if sight.code != code and (code in sight.parts or code == sight.into):
            places.setdefault(sight.id, []).append(sight)
    return [
        Step(
            id=id,
            asset=sights[0].asset,
            start=sights[0].time,
            end=sights[-1].time,
            count=len({sight.code for sight in sights}),
        )
        for id, sights in places.items()
    ]


def _step(sight: Sight, via: str) -> Step:
    return Step(
        id=sight.id,
        asset=sight.asset,
        start=sight.start,
        end=sight.time,
        product=sight.told("product"),
        result=sight.told("result") if not via else "",
        order=sight.told("order"),
        into=sight.into if not via else "",
        to=sight.told("to"),
        via=via,
        image=sight.event.value if sight.kind == "image" else "",
    )


def _joined(first: Step, second: Step) -> Step:
    texts = ("product", "result", "order", "into", "to", "image")
    told = {name: getattr(first, name) or getattr(second, name) for name in texts}
    return msgspec.structs.replace(first, end=second.end, **told)


def _told(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with their waits and doubts."""
    found: list[Step] = []
    product = ""
    scrapped = False
    for step in steps:
        before = found[-1] if found else None
        doubts = []
        if scrapped and not step.via:
            doubts.append("scrapped")
        if step.product and product and step.product != product and not step.via:
            doubts.append("product")
        if before is not None and before.asset != step.asset and before.end == step.end:
            doubts += [] if step.count or before.count else ["places"]
        wait = None
        if before is not None and step.start is not None:
            wait = max(0, step.start - before.end)
        if wait == 0 and step.count:
            wait = None  # what many go through overlaps
        product = product if step.via else step.product or product
        scrapped = scrapped or (step.result == "scrap" and not step.via)
        found.append(msgspec.structs.replace(step, wait=wait, doubts=tuple(doubts)))
    return found


def begun(step: Step, earlier: int, before: int | None) -> Step:
    """Return a step with its start where only the station's part before it tells that.

    earlier: end of this thing's own step before, or 0. before: when the station finished what came
    before this one, or None.
    """
    if step.start is not None or before is None or not earlier <= before < step.end:
        return step
    wait = before - earlier if earlier else None
    return msgspec.structs.replace(step, start=before, wait=wait, inferred=True)
