"""Linear models of a result on factors: tests of one factor beside others, and how to choose.

Rows that belong together (a group) or follow each other (time) tell less than as many independent
ones; every test reckons with that by the rows that they are worth.
Sources: Moulton (1986), Journal of Econometrics 32 (rows in groups); Bayley and Hammersley (1946),
Supplement to the JRSS 8 (rows in time); Benjamini and Hochberg (1995), JRSS B 57.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.types import FloatArray

from .table import Column

CURVED = 30  # rows from which on a curve is tried beside a line
SET, SET_CURVED = 5, 12  # of a factor that was set to so few values: from so many rows on
TINY = 1e-9
CLOSED = 0.999  # share of a factor that others tell: nothing of its own is left


class Term(msgspec.Struct, frozen=True, eq=False):
    """A factor as it enters a model: float64[n, k], each column centred; curved: with a square."""

    factor: int
    matrix: FloatArray
    curved: bool = False


class Rows(msgspec.Struct, frozen=True, eq=False):
    """How rows belong together. group: int64[n], rows with one number are no several proofs.

    ordered: whether rows follow each other in time, as they stand.
    """

    group: NDArray[np.int64]
    grouped: bool
    ordered: bool

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Return the chosen rows; a draw is not in order any more where rows come twice."""
        return Rows(self.group[rows], self.grouped, self.ordered)


class Test(msgspec.Struct, frozen=True):
    """p of a factor; share: of the variance that was left, what it tells."""

    p: float
    share: float


NOTHING = Test(1.0, 0.0)


def terms(column: Column, factor: int) -> list[Term]:
    """Return the ways in which a factor may act: words by level; numbers as a line, or a curve.

    What is missing is taken as the mean; of words, as a word of its own.
    """
    known = column.known
    if column.levels:
        codes = np.where(known, column.value, -1)
        found = [np.where(codes == code, 1.0, 0.0) for code in np.unique(codes)[1:]]
        return [Term(factor, _centred(np.column_stack(found)))] if found else []
    spread = float(np.std(column.value[known])) if known.any() else 0.0
    if spread <= TINY * max(1.0, float(np.abs(column.value[known]).max(initial=0.0))):
        return []
    line = np.where(known, (column.value - column.value[known].mean()) / spread, 0.0)
    found_terms = [Term(factor, _centred(line[:, None]))]
    if column.distinct > 2 and len(line) >= (SET_CURVED if column.distinct <= SET else CURVED):
        curve = np.column_stack([line, np.where(known, line**2, 0.0)])
        found_terms.append(Term(factor, _centred(curve), curved=True))
    return found_terms


def scores(y: FloatArray) -> FloatArray:
    """Return the normal score of each result's rank: one wild part decides nothing.

    Of a result with two values only these, centred. Source: Blom (1958).
    """
    if len(np.unique(y)) <= 2:
        return _centred(y)
    from scipy.special import ndtri  # noqa: PLC0415 — costs 20 MB, and only this needs it
    from scipy.stats import rankdata  # noqa: PLC0415

    found: FloatArray = ndtri((rankdata(y) - 0.375) / (len(y) + 0.25))
    return _centred(found)


def basis(matrices: Sequence[FloatArray], n: int) -> FloatArray:
    """Return orthonormal columns that span a constant and the matrices: float64[n, k]."""
    whole = np.column_stack([np.ones(n), *matrices])
    length = np.linalg.norm(whole, axis=0)
    q, r = np.linalg.qr(whole / np.where(length > 0, length, 1.0))
    if np.abs(np.diag(r)).min() > 1e-7:
        return np.asarray(q)
    u, s, _ = np.linalg.svd(whole / np.where(length > 0, length, 1.0), full_matrices=False)
    return np.asarray(u[:, s > 1e-7 * s[0]])


def without(values: FloatArray, q: FloatArray) -> FloatArray:
    """Return what is left of values when all that the basis tells is taken away."""
    return np.asarray(values - q @ (q.T @ values))


def test(y: FloatArray, term: FloatArray, q: FloatArray, rows: Rows) -> Test:
    """Return how sure it is that a term tells something of y beyond a basis.

    y: float64[n]; term: float64[n, k]; q: float64[n, m], orthonormal.
    """
    left = without(y, q)
    own = _own(term, q)
    if own is None:
        return NOTHING
    told = own.T @ left
    hit, total = float(told @ told), float(left @ left)
    if total <= TINY * max(float(y @ y), TINY):
        return NOTHING
    rest = left - own @ told
    k, n = own.shape[1], len(y)
    free, worth = _worth(own, rest, rows, q)
    if free < 1:
        return NOTHING
    share = hit / total
    if share >= 1 - 1e-12:
        return Test(0.0, share)
    f = (hit / k) / ((total - hit) / (n - q.shape[1] - k)) * worth
    from scipy.special import fdtrc  # noqa: PLC0415 — costs 20 MB, and only this needs it

    return Test(float(fdtrc(k, free, f)), share)


def _own(term: FloatArray, q: FloatArray) -> FloatArray | None:
    """Return an orthonormal basis of what a term has of its own, or None."""
    left = without(term, q)
    before, after = np.linalg.norm(term, axis=0), np.linalg.norm(left, axis=0)
    kept = after > np.sqrt(1 - CLOSED) * np.maximum(before, TINY)
    if not kept.any():
        return None
    if kept.sum() == 1:
        return np.asarray(left[:, kept] / after[kept])
    u, s, _ = np.linalg.svd(left[:, kept] / after[kept], full_matrices=False)
    return np.asarray(u[:, s > 1e-4 * s[0]])


def _worth(own: FloatArray, rest: FloatArray, rows: Rows, q: FloatArray) -> tuple[float, float]:
    """Return the degrees of freedom of a test, and the share that the rows are worth.

    q: what was taken out of both before.
    """
    taken, k = q.shape[1], own.shape[1]
    worth, free = 1.0, float(len(rest) - taken - k)
    if rows.grouped:
        count = np.bincount(rows.group).astype(float)
        groups, size = int((count > 0).sum()), float((count**2).sum() / count.sum())
        if size > 1:
            used = _between(q, rows.group, count) - 1  # the constant is one of them
            same_x = float(np.mean([_intraclass(column, rows.group, used) for column in own.T]))
            same_y = _intraclass(rest, rows.group, used + k * same_x)
            worth /= 1 + (size - 1) * same_x * same_y
            free = min(free, same_x * (groups - 1 - used - k) + (1 - same_x) * free)
    if rows.ordered:
        follow = follows(rest, taken + k)
        both = float(np.mean([follows(column, taken) for column in own.T])) * follow
        if both > 0:
            part = (1 - both) / (1 + both)
            worth, free = worth * part, free * part
    return free, worth


def _between(q: FloatArray, group: NDArray[np.int64], count: FloatArray) -> float:
    """Return how many of a basis' dimensions lie between groups."""
    sums = np.array([np.bincount(group, column) for column in q.T])
    return float((sums**2 / np.maximum(count, 1)).sum())


def _intraclass(x: FloatArray, group: NDArray[np.int64], taken: float) -> float:
    """Return how alike rows of a group are, 0 to 1. taken: degrees of freedom already used."""
    count = np.bincount(group).astype(float)
    mean = np.bincount(group, x) / np.maximum(count, 1)
    held = count > 0
    groups, n = int(held.sum()), len(x)
    if groups - 1 - taken < 1 or n <= groups:
        return 1.0
    between = float((count * (mean - x.mean()) ** 2).sum()) / (groups - 1 - taken)
    within = float(((x - mean[group]) ** 2).sum()) / (n - groups)
    size = (n - float((count**2).sum()) / n) / (groups - 1)
    spread = between + (size - 1) * within
    return float(np.clip((between - within) / spread, 0.0, 1.0)) if spread > 0 else 0.0


def follows(x: FloatArray, taken: int = 1) -> float:
    """Return the correlation of each row with the one before it, 0 where there is none.

    taken: columns that were fitted to the series; each makes it look less alike than it is.
    Source: Kendall (1954), Biometrika 41, for the mean; each further column counts as much.
    """
    x = x - x.mean()
    total = float(x @ x)
    if total <= 0:
        return 0.0
    found = float(x[1:] @ x[:-1]) / total
    lost = (1 + 3 * max(found, 0.0)) / len(x) + (taken - 1) * (1 + max(found, 0.0)) / len(x)
    return float(np.clip(found + lost, -0.99, 0.99))


class Chosen(msgspec.Struct, frozen=True):
    """A factor that was taken into the model; q: p, allowing for all that could have been taken."""

    term: Term
    p: float
    q: float


def choose(
    y: FloatArray, candidates: Sequence[Sequence[Term]], rows: Rows, alpha: float, most: int = 12
) -> list[Chosen]:
    """Return the factors that tell something beyond those before them, the surest first.

    candidates: of each factor the ways in which it may act. The smallest p of the r that are left
    must stay below alpha/r (Holm 1979, Scandinavian Journal of Statistics 6): so in a share alpha
    of all tables anything is taken that is chance.
    """
    found: list[Chosen] = []
    rest = [number for number, ways in enumerate(candidates) if ways]
    while rest and len(found) < most:
        q = basis([each.term.matrix for each in found], len(y))
        if q.shape[1] >= len(y) - 3:
            break
        tried = [(*surest(y, candidates[number], q, rows), number) for number in rest]
        p, term, number = min(tried, key=lambda each: each[0])
        limit = p * len(rest)
        if limit > alpha:
            break
        found.append(Chosen(term, p, min(1.0, limit)))
        rest.remove(number)
    return found


def surest(y: FloatArray, ways: Sequence[Term], q: FloatArray, rows: Rows) -> tuple[float, Term]:
    """Return the way in which a factor acts most surely, and its p, corrected for the choice."""
    p = [test(y, way.matrix, q, rows).p for way in ways]
    best = int(np.argmin(p))
    return min(1.0, p[best] * len(ways)), ways[best]


def adjusted(p: Sequence[float]) -> list[float]:
    """Return the false discovery rate at which each test would count (Benjamini, Hochberg)."""
    order = np.argsort(p)
    many = len(p)
    raised = np.asarray(p)[order] * many / np.arange(1, many + 1)
    level = np.minimum.accumulate(raised[::-1])[::-1] if many else raised
    found = np.empty(many)
    found[order] = np.minimum(level, 1.0)
    return [float(each) for each in found]


def _centred(values: FloatArray) -> FloatArray:
    return np.asarray(values - values.mean(axis=0))
