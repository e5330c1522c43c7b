"""What is made, in which order, and what changing over takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.sim.line import Product

from .fit import Fit, fit
from .log import Gap, Log
from .traces import Traces
from .work import Work

LONGEST = 500  # parts of a sequence that is kept
ENOUGH = 10  # values from which a time by product or by change is worth its own number


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """Products with their shares and families; the sequence in which they are begun, if any."""

    products: dict[str, Product]
    sequence: tuple[str, ...]
    gaps: tuple[Gap, ...]


def mix_of(log: Log, traces: Traces, work: Mapping[str, Work]) -> Mix:
    """Return what the line makes; nothing where there is one product only."""
    names = [name for name in traces.products if name] or list(traces.products)
    if len(names) < 2:
        return Mix(products={}, sequence=(), gaps=())
    begun = [
        (time, product)
        for source in traces.sources
        for time, product in zip(work[source].done, log.stations[source].parts.product, strict=True)
    ]
    order = [product for _, product in sorted(begun)]
    share = {name: order.count(name) / len(order) for name in names if order}
    families = _families(log, work, names)
    gaps: list[Gap] = []
    sequence = _sequence(order) if len(traces.sources) == 1 else ()
    if not sequence and len(order) > 50 and _in_campaigns(order):
        sequence = tuple(order[:LONGEST])
        why = f"products come in runs of no fixed order; {len(order)} parts were seen"
        bound = f"the first {len(sequence)} are repeated, as they came"
        gaps.append(Gap(station="", what="sequence", why=why, bound=bound))
    products = {
        name: Product(family=families.get(name, ""), share=round(share.get(name, 0.0), 6))
        for name in names
    }
    return Mix(products=products, sequence=sequence, gaps=tuple(gaps))


def cycles_of(
    name: str, work: Work, products: Sequence[str]
) -> tuple[dict[str, Fit], dict[str, list[int]], list[Gap]]:
    """Return the fit of the cycle time by product ('' for all alike), rows used, and doubts.

    products: of each part. A product has a time of its own where the means differ by more than
    0.5 % and more than three standard errors.
    """
    good = np.isfinite(work.cycle) & (work.cycle > 0)
    gaps: list[Gap] = []
    if good.any():
        limit = 10 * float(np.quantile(work.cycle[good], 0.99))
        odd = good & (work.cycle > limit)
        if odd.any():
            why = f"{int(odd.sum())} cycles of more than {limit:,.0f} s are not to be believed"
            gaps.append(Gap(station=name, what="cycle", why=why, bound="left out"))
            good &= ~odd
    never = np.isfinite(work.cycle) & (work.cycle <= 0)
    if never.sum() > 0.005 * len(work.cycle):
        why = f"{int(never.sum())} of {len(work.cycle)} parts were finished without it having run"
        gaps.append(Gap(station=name, what="cycle", why=why, bound="left out"))
    rows = np.flatnonzero(good)
    # of a batch, its parts tell one cycle
    if work.batch > 1 and len(rows):
        rows = rows[np.concatenate([[True], np.diff(work.done[rows]) > 1e-3])]
    if not len(rows):
        return {}, {}, gaps
    by = _by_product(rows, products)
    fits = {product: fit(work.cycle[mine]) for product, mine in by.items()}
    if len(fits) < 2 or not _differ(list(fits.values())):
        return {"": fit(work.cycle[rows])}, {"": rows.tolist()}, gaps
    return fits, {product: mine.tolist() for product, mine in by.items()}, gaps


def setup_of(
    work: Work, products: Sequence[str], families: Mapping[str, str]
) -> float | str | dict[str, str | float]:
    """Return the time of changing over: one, or by `a>b` where it depends on the change."""
    pairs = _changes(work, products)
    timed = {
        pair: np.asarray(values)
        for pair, values in pairs.items()
        if families.get(pair[0]) != families.get(pair[1]) and np.median(values) > 0
    }
    if not timed:
        return 0.0
    fits = {pair: fit(values) for pair, values in timed.items() if len(values) >= ENOUGH}
    overall = fit(np.concatenate(list(timed.values())))
    if len(fits) < len(timed) or not _differ(list(fits.values())):
        return str(overall.distribution)
    return {
        f"{families[a]}>{families[b]}": str(found.distribution) for (a, b), found in fits.items()
    }


def _by_product(rows: NDArray[np.int64], products: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    names = np.asarray([products[row] for row in rows])
    return {str(name): rows[names == name] for name in np.unique(names)}


def _differ(fits: Sequence[Fit]) -> bool:
    if any(each.n < ENOUGH for each in fits):
        return False
    for a in fits:
        for b in fits:
            apart = abs(a.mean - b.mean)
            sure = 3 * ((a.mean * a.error) ** 2 + (b.mean * b.error) ** 2) ** 0.5
            if apart > max(sure, 0.005 * a.mean):
                return True
    return False


def _changes(work: Work, products: Sequence[str]) -> dict[tuple[str, str], list[float]]:
    pairs: dict[tuple[str, str], list[float]] = {}
    for server in np.unique(work.server):
        mine = np.flatnonzero(work.server == server)
        for before, after in pairwise(mine.tolist()):
            a, b = products[before], products[after]
            if a != b:
                pairs.setdefault((a, b), []).append(float(work.changeover[after]))
    return pairs


def _families(log: Log, work: Mapping[str, Work], names: Sequence[str]) -> dict[str, str]:
    """Return a family for each product: those between which no station ever changed over."""
    together = {name: name for name in names}
    apart: set[frozenset[str]] = set()
    seen: set[frozenset[str]] = set()
    any_setup = False
    for name, each in work.items():
        if not np.any(each.changeover > 0):
            continue
        any_setup = True
        for pair, values in _changes(each, log.stations[name].parts.product).items():
            seen.add(frozenset(pair))
            if np.median(values) > 0:
                apart.add(frozenset(pair))
    if not any_setup:
        return {}
    for a, b in (sorted(pair) for pair in seen - apart):
        if a in together and b in together:
            old, new = together[b], together[a]
            together = {name: new if root == old else root for name, root in together.items()}
    return together


def _sequence(order: Sequence[str]) -> tuple[str, ...]:
    """Return the shortest sequence that comes over and over, () where there is none."""
    codes = np.unique(np.asarray(order), return_inverse=True)[1]
    for period in range(2, min(LONGEST, len(codes) // 3) + 1):
        if np.mean(codes[period:] == codes[:-period]) > 0.995:
            return tuple(order[:period])
    return ()


def _in_campaigns(order: Sequence[str]) -> bool:
    """Return whether products come in longer runs than by chance (Wald and Wolfowitz 1940)."""
    codes = np.unique(np.asarray(order), return_inverse=True)[1]
    shares = np.bincount(codes) / len(codes)
    alike = float((shares**2).sum())
    same = float(np.mean(codes[1:] == codes[:-1]))
    deviation = (alike * (1 - alike) / len(codes)) ** 0.5
    return bool(deviation > 0 and abs(same - alike) > 5 * deviation)
