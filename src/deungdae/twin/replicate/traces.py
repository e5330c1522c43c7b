"""Where parts go: the order of stations, shares, rework and scrap, from the serials' traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import SECOND, FloatArray

from .log import Gap, Log

Ints = NDArray[np.int64]

GOOD, REWORK, SCRAP = range(3)
RESULTS = ("good", "rework", "scrap")
RARE = 0.005  # a way that a smaller share of parts took is named, and not modelled
OUTSIDE = -1  # instead of a station: from outside, or out of the line


class Scans(msgspec.Struct, frozen=True, eq=False):
    """All scans with a serial, each serial's in order of time. All arrays [n].

    serial, station, product, result, server: codes; time: s since the log began. row: place in the
    station's own Parts. following: the row of the next scan of the same serial, or -1.
    """

    serial: Ints
    station: Ints
    product: Ints
    result: Ints
    time: FloatArray
    row: Ints
    following: Ints
    previous: Ints

    @property
    def next_station(self) -> Ints:
        """Return the station of the next scan of the same serial, or OUTSIDE."""
        return np.where(self.following >= 0, self.station[self.following], OUTSIDE)

    @property
    def last_station(self) -> Ints:
        """Return the station of the scan before of the same serial, or OUTSIDE."""
        return np.where(self.previous >= 0, self.station[self.previous], OUTSIDE)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Where parts of one station go. Counts of parts; stations by name, '' is out of the line.

    good: of good parts by where they went; by_product: the same by product. rework: by station to
    which they went back. scrap: parts that left as scrap.
    """

    good: dict[str, int]
    by_product: dict[str, dict[str, int]]
    rework: dict[str, int]
    scrap: int

    @property
    def total(self) -> int:
        """Return the number of parts whose way is known."""
        return sum(self.good.values()) + sum(self.rework.values()) + self.scrap


class Traces(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The structure that traces show. order: stations from first to last; products: names."""

    order: tuple[str, ...]
    ways: dict[str, Way]
    sources: tuple[str, ...]
    products: tuple[str, ...]
    scans: Scans
    gaps: tuple[Gap, ...]


def scans_of(log: Log, names: Sequence[str], products: Sequence[str]) -> Scans:
    """Return all scans of the log that have a serial."""
    of_product = {product: code for code, product in enumerate(products)}
    serials: dict[str, int] = {}
    columns: list[list[int]] = [[], [], [], [], []]
    times: list[FloatArray] = []
    for place, name in enumerate(names):
        parts = log.stations[name].parts
        read = [row for row, serial in enumerate(parts.serial) if serial]
        columns[0] += [serials.setdefault(parts.serial[row], len(serials)) for row in read]
        columns[1] += [place] * len(read)
        columns[2] += [of_product[parts.product[row]] for row in read]
        columns[3] += [_result(parts.result[row]) for row in read]
        columns[4] += read
        times.append((parts.time[read] - log.start) / SECOND)
    serial, station, product, result, row = (np.asarray(each, np.int64) for each in columns)
    time = np.concatenate(times) if times else np.empty(0)
    order = np.lexsort((time, serial))
    serial = serial[order]
    same = np.concatenate([serial[1:] == serial[:-1], [False]]) if len(serial) else serial > 0
    here = np.arange(len(serial))
    following = np.where(same, here + 1, -1)
    previous = np.where(np.concatenate([[False], same[:-1]]) if len(serial) else same, here - 1, -1)
    return Scans(
        serial, station[order], product[order], result[order], time[order], row[order],
        following, previous,
    )  # fmt: skip


def traces(log: Log) -> Traces | None:
    """Return the structure that the serials' traces show, None where no serial was read twice."""
    names = tuple(log.stations)
    products = tuple(
        dict.fromkeys(word for each in log.stations.values() for word in each.parts.product)
    )
    scans = scans_of(log, names, products)
    if not len(scans.serial) or not (scans.following >= 0).any():
        return None
    gaps: list[Gap] = list(_odd_results(log))
    rank = _ranks(scans, len(names))
    order = tuple(names[place] for place in np.argsort(rank, kind="stable"))
    half = log.seconds / 2
    ways = {}
    for place, name in enumerate(names):
        ways[name], odd = _way(scans, place, names, products, rank, half)
        gaps += odd
    sources = _sources(scans, names, half)
    return Traces(
        order=order, ways=ways, sources=sources, products=products, scans=scans, gaps=tuple(gaps)
    )


def _result(word: str) -> int:
    return RESULTS.index(word) if word in RESULTS else GOOD


def _odd_results(log: Log) -> Iterator[Gap]:
    for name, station in log.stations.items():
        odd = Counter(word for word in station.parts.result if word not in RESULTS)
        if odd:
            told = ", ".join(f"{word!r} ({count})" for word, count in odd.most_common(3))
            why = f"results that nobody explained: {told}"
            yield Gap(station=name, what="result", why=why, bound="they count as good")


def _ranks(scans: Scans, count: int) -> FloatArray:
    """Return a number per station that rises along the line: its mean place on first visits.

    Only first visits count, so that a rework loop does not turn the order round; and flows between
    two stations are compared: the direction that most parts took is forward.
    """
    first = np.unique(scans.serial * count + scans.station, return_index=True)[1]
    first.sort()  # scans are in order of (serial, time)
    serial, station = scans.serial[first], scans.station[first]
    before = np.zeros((count, count))
    pairs = serial[1:] == serial[:-1]
    np.add.at(before, (station[:-1][pairs], station[1:][pairs]), 1)
    forward = before > before.T
    rank = np.zeros(count)
    for _ in range(count):  # the longest way from a source
        for a, b in zip(*np.nonzero(forward), strict=True):
            rank[b] = max(rank[b], min(rank[a] + 1, count))
    return rank


def _way(
    scans: Scans,
    place: int,
    names: Sequence[str],
    products: Sequence[str],
    rank: FloatArray,
    half: float,
) -> tuple[Way, list[Gap]]:
    """Return where the parts of one station go.

    Only scans of the first half of the log count: a part that was not seen again until its end has
    then left the line.
    """
    mine = np.flatnonzero((scans.station == place) & (scans.time < half))
    target = scans.next_station[mine]
    result = scans.result[mine]
    back = (result == REWORK) | ((target >= 0) & (rank[target] <= rank[place]))
    scrapped = (result == SCRAP) & (target < 0)
    good: dict[str, int] = {}
    by_product: dict[str, dict[str, int]] = {}
    for where, product in zip(target[~back & ~scrapped], scans.product[mine][~back & ~scrapped],
                              strict=True):  # fmt: skip
        to = names[where] if where >= 0 else ""
        good[to] = good.get(to, 0) + 1
        mix = by_product.setdefault(products[product], {})
        mix[to] = mix.get(to, 0) + 1
    rework = Counter(names[where] for where in target[back & (target >= 0)])
    lost = int((back & (target < 0)).sum())
    return _judged(names[place], good, by_product, dict(rework), int(scrapped.sum()), lost)


def _judged(
    name: str,
    good: dict[str, int],
    by_product: dict[str, dict[str, int]],
    rework: dict[str, int],
    scrap: int,
    lost: int,
) -> tuple[Way, list[Gap]]:
    """Return the way without what is too rare to be one, and what was left out."""
    gaps = []
    total = max(sum(good.values()) + sum(rework.values()) + scrap, 1)
    if len(good) > 1 and "" in good and good[""] < 0.5 * sum(good.values()):
        vanished = good.pop("")
        for mix in by_product.values():
            mix.pop("", None)
        if vanished / total > RARE:
            why = f"{vanished} of {total} good parts were never seen again"
            gaps.append(Gap(station=name, what="route", why=why, bound="they count as scrap"))
            scrap += vanished
    kept = {to: count for to, count in good.items() if count / total > RARE}
    for to, count in good.items():
        if to not in kept:
            why = f"{count} of {total} parts went to {to or 'out'}, against what the others do"
            gaps.append(Gap(station=name, what="route", why=why, bound="left out"))
    mixes = {
        product: {to: count for to, count in mix.items() if to in kept}
        for product, mix in by_product.items()
    }
    if lost / total > RARE:
        why = f"{lost} of {total} parts for rework were never seen again"
        gaps.append(Gap(station=name, what="rework", why=why, bound="they count as scrap"))
        scrap += lost
    back = {to: count for to, count in rework.items() if count / total > 1e-3 or count >= 3}
    return Way(good=kept, by_product=mixes, rework=back, scrap=scrap), gaps


def one_return(way: Way, name: str) -> tuple[Way, list[Gap]]:
    """Return the way with one station to which parts go back, and whether there were several."""
    if len(way.rework) < 2:
        return way, []
    most = max(way.rework, key=lambda to: way.rework[to])
    told = ", ".join(f"{to} ({count})" for to, count in way.rework.items())
    why = f"parts went back to several stations: {told}"
    gap = Gap(station=name, what="rework", why=why, bound=f"all go back to {most}")
    return msgspec.structs.replace(way, rework={most: sum(way.rework.values())}), [gap]


def _sources(scans: Scans, names: Sequence[str], half: float) -> tuple[str, ...]:
    """Return the stations at which new parts appear in the second half of the log."""
    late = scans.time >= half
    new = scans.previous < 0
    found = []
    for place, name in enumerate(names):
        mine = (scans.station == place) & late
        if mine.any() and (new & mine).sum() / mine.sum() > 0.02:
            found.append(name)
    return tuple(found)


def contradictions(traced: Mapping[str, Way], declared: Mapping[str, set[str]]) -> Iterator[Gap]:
    """Yield each way that parts took and the declared line does not have, and the reverse.

    declared: stations to which parts of each station may go; '' is out of the line.
    """
    for name, way in traced.items():
        took = Counter(way.good)
        took.update(way.rework)
        for to, count in took.items():
            if to not in declared.get(name, set()):
                why = f"{count} parts went to {to or 'out'}; the declared line has no such way"
                yield Gap(station=name, what="route", why=why, bound="the declared way is kept")
        for to in sorted(declared.get(name, set()) - set(took)):
            if way.total >= 100:
                why = f"no part of {way.total} took the declared way to {to or 'out'}"
                yield Gap(station=name, what="route", why=why, bound="it is kept")
