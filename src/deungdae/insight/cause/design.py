"""Designed experiments at two levels: effects, their aliases, and what is more than chance.

Full and fractional factorials, replicated or not, in blocks or not, with or without centre points.
Sources: Box, Hunter and Hunter, Statistics for Experimenters, 2nd ed., ch. 5 and 6; Montgomery,
Design and Analysis of Experiments, 8th ed., ch. 6 to 8; Lenth (1989), Technometrics 31 (runs that
are not repeated).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isclose

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from .table import Column, Table

MOST = 10  # factors whose interactions of all orders are listed; beyond only pairs
FLAT = 1e-9
LOW = frozenset({"low", "-", "−", "off", "no", "none", "without", "old", "before", "저", "무"})


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What changing factors from low to high does to the result.

    name: `temperature` or `temperature × time`; aliases: what these runs cannot tell from it.
    low, high: its 95 % interval; p: of chance, of this effect alone; maybe: more than chance where
    only this effect is looked at; active: also where all are.
    """

    name: str
    factors: tuple[str, ...]
    aliases: tuple[str, ...]
    effect: float
    low: float
    high: float
    p: float
    active: bool
    maybe: bool


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """What a designed experiment says.

    error: standard error of an effect; by: `replicates` (with their degrees of freedom) or `Lenth`.
    margin: half width of an effect's 95 % interval. curved: result at the centre less that of the
    corners, and its p; None without centre points. best: setting of the active factors for the
    highest and the lowest result, with the result that is expected.
    """

    result: str
    runs: int
    mean: float
    effects: tuple[Effect, ...]
    error: float
    freedom: float
    by: str
    margin: float
    margin_all: float
    curved: tuple[float, float | None] | None
    highest: tuple[str, float] | None
    lowest: tuple[str, float] | None
    levels: dict[str, tuple[str, str]]
    notes: tuple[str, ...]


class _Coded(msgspec.Struct, frozen=True, eq=False):
    """The factors of a design: x float64[n, k] of −1, 0, 1; corner: where none is 0."""

    names: tuple[str, ...]
    x: FloatArray
    levels: dict[str, tuple[str, str]]
    corner: NDArray[np.bool_]


def is_design(table: Table, result: str, factors: Sequence[str], block: str = "") -> bool:
    """Return whether the runs are a balanced experiment at two levels, and not just parts."""
    try:
        coded = _coded(table, result, factors, block)
    except (NotEnoughData, ValueError):
        return False
    x = coded.x[coded.corner]
    n, k = x.shape
    across = x.T @ x
    return k >= 2 and n >= 4 and n <= 4 * 2 ** min(k, 10) and bool(
        np.all(np.abs(x.sum(axis=0)) < FLAT) and np.all(np.abs(across - n * np.eye(k)) < FLAT)
    )  # fmt: skip


def planned(table: Table, result: str, block: str = "") -> tuple[str, ...]:
    """Return the columns that look as if they had been set to two levels, and perhaps the middle.

    A column that has as many values as there are rows (the order of the runs) is none.
    """
    found = []
    for column in table.columns:
        values = np.unique(column.value[column.known])
        middle = (
            len(values) == 3 and not column.levels and isclose(values[1], values[[0, 2]].mean())
        )
        if column.name not in (result, block) and (len(values) == 2 or middle):
            found.append(column.name)
    return tuple(found)


def experiment(
    table: Table, result: str, factors: Sequence[str] = (), block: str = ""
) -> Experiment:
    """Return the effects of a two-level experiment on a numeric result, the strongest first.

    factors: the columns that were set, all but result and block where none is named.
    Raises NotEnoughData where they are not at two levels, or the runs not balanced.
    """
    coded = _coded(table, result, factors, block)
    column = table[result]
    if column.levels:
        raise ValueError(f"{result} holds words; an experiment needs a number")
    known = column.known
    if not known.all():
        raise NotEnoughData(
            f"{int((~known).sum())} runs have no {result}: then effects cannot be told apart;"
            " repeat these runs"
        )
    y, x = column.value[coded.corner], coded.x[coded.corner]
    if not np.allclose(x.T @ x, len(x) * np.eye(x.shape[1])) or not np.allclose(x.sum(axis=0), 0):
        raise NotEnoughData("the runs are not balanced: each factor must be high as often as low")
    blocks = _blocks(table, block, coded.corner)
    words = _words(coded.names, x, blocks)
    contrasts = np.column_stack([word.column for word in words])
    effects = 2 * contrasts.T @ y / len(y)
    error, freedom, by = _error(table, column, coded, contrasts, blocks, effects, words)
    told = [
        _effect(word, value, error, freedom, sum(not w.is_block for w in words))
        for word, value in zip(words, effects, strict=True)
        if not word.is_block
    ]
    margin, margin_all = _margins(error, freedom, len(told))
    active = [each for each in told if each.maybe]
    highest, lowest = _best(coded, active, float(y.mean()))
    return Experiment(
        result=result,
        runs=len(coded.corner),
        mean=float(y.mean()),
        effects=tuple(sorted(told, key=lambda each: -abs(each.effect))),
        error=error,
        freedom=freedom,
        by=by,
        margin=margin,
        margin_all=margin_all,
        curved=_curved(column, coded),
        highest=highest,
        lowest=lowest,
        levels=coded.levels,
        notes=(
            *_notes(words, active),
            *_mixed(coded.names, words),
            *_by_block(table, column, block),
        ),
    )


class _Word(msgspec.Struct, frozen=True, eq=False):
    """A column of signs, and all the products of factors that have it."""

    products: tuple[tuple[str, ...], ...]
    column: FloatArray
    is_block: bool


def _coded(table: Table, result: str, factors: Sequence[str], block: str) -> _Coded:
    names = tuple(factors) or tuple(n for n in table.names if n not in (result, block))
    kept, columns, levels = [], [], {}
    for name in names:
        column = table[name]
        if not column.known.all():
            raise NotEnoughData(f"{name} is missing in some runs")
        if column.distinct == 1:
            continue
        low, high = _two(column)
        middle = (low + high) / 2
        sign = np.where(column.value == low, -1.0, np.where(column.value == high, 1.0, 0.0))
        if not np.all((sign != 0) | np.isclose(column.value, middle)):
            raise NotEnoughData(
                f"{name} has {column.distinct} values: an experiment at two levels has two, and"
                " perhaps their middle"
            )
        kept.append(name)
        columns.append(sign)
        levels[name] = (column.word(low), column.word(high))
    if len(kept) < 2:
        raise NotEnoughData("an experiment needs two factors at two levels at least")
    x = np.column_stack(columns)
    corner = np.all(x != 0, axis=1)
    if corner.sum() < 4:
        raise NotEnoughData(f"{int(corner.sum())} runs at the corners; at least 4 are needed")
    return _Coded(tuple(kept), x, levels, corner)


def _two(column: Column) -> tuple[float, float]:
    values = np.unique(column.value)
    if column.levels and len(values) != 2:
        raise NotEnoughData(f"{column.name} has {len(values)} words: two are needed")
    if column.levels and column.word(values[1]).lower() in LOW:
        return float(values[1]), float(values[0])
    return float(values[0]), float(values[-1])


def _blocks(table: Table, block: str, corner: NDArray[np.bool_]) -> FloatArray:
    """Return columns float64[n, b-1] that tell the blocks apart; [n, 0] without blocks."""
    if not block:
        return np.zeros((int(corner.sum()), 0))
    codes = np.unique(table[block].value[corner], return_inverse=True)[1]
    found = np.eye(codes.max() + 1)[codes][:, 1:]
    return np.asarray(found - found.mean(axis=0))


def _words(names: Sequence[str], x: FloatArray, blocks: FloatArray) -> list[_Word]:
    """Return all columns of signs that differ, the simplest product first."""
    found: dict[bytes, tuple[list[tuple[str, ...]], FloatArray]] = {}
    most = len(names) if len(names) <= MOST else 2
    room = len(np.unique(x, axis=0)) - 1
    for order in range(1, most + 1):
        if order > 2 and len(found) >= room:
            break
        for chosen in combinations(range(len(names)), order):
            column = np.prod(x[:, chosen], axis=1)
            if abs(float(column.sum())) > FLAT:
                continue  # the product is constant, or not balanced
            key = (column * column[0]).astype(np.int8).tobytes()
            if key not in found and any(abs(each @ column) > FLAT for _, each in found.values()):
                continue  # partly mixed with others, as in Plackett-Burman designs
            found.setdefault(key, ([], column))[0].append(tuple(names[i] for i in chosen))
    q = np.linalg.qr(blocks)[0] if blocks.shape[1] else blocks
    return [
        _Word(tuple(products), column, _within(column, q)) for products, column in found.values()
    ]


def _mixed(names: Sequence[str], words: Sequence[_Word]) -> list[str]:
    """Return in words that pairs act on several effects at once, where they do."""
    told = {product for word in words for product in word.products}
    lost = sum(pair not in told for pair in combinations(names, 2))
    if not lost:
        return []
    return [f"{lost} pairs are partly mixed with several effects; these runs cannot show them"]


def _within(column: FloatArray, q: FloatArray) -> bool:
    if not q.shape[1]:
        return False
    left = column - q @ (q.T @ column)
    return float(left @ left) < 1e-6 * len(column)


def _error(
    table: Table,
    column: Column,
    coded: _Coded,
    contrasts: FloatArray,
    blocks: FloatArray,
    effects: FloatArray,
    words: Sequence[_Word],
) -> tuple[float, float, str]:
    """Return the standard error of an effect, its degrees of freedom, and where it comes from."""
    y = column.value[coded.corner]
    x = np.column_stack([np.ones(len(y)), contrasts, blocks])
    fitted = np.linalg.lstsq(x, y, rcond=1e-9)
    free = len(y) - int(fitted[2])
    squares = float(((y - x @ fitted[0]) ** 2).sum())
    centre = column.value[~coded.corner]
    if len(centre) > 1:
        free += len(centre) - 1
        squares += float(((centre - centre.mean()) ** 2).sum())
    scale = max(float(np.abs(y).max()), 1e-300)
    if free >= 2 and squares > (1e-9 * scale) ** 2:
        return 2 * float(np.sqrt(squares / free / len(y))), float(free), "replicates"
    own = np.abs([value for value, word in zip(effects, words, strict=True) if not word.is_block])
    if len(own) < 3:
        raise NotEnoughData("too few runs to tell effects from chance: repeat each of them")
    first = 1.5 * float(np.median(own))
    below = own[own < 2.5 * first]
    error = 1.5 * float(np.median(below)) if len(below) else first
    return error, len(own) / 3, "Lenth"


def _effect(word: _Word, value: float, error: float, freedom: float, many: int) -> Effect:
    margin, margin_all = _margins(error, freedom, many)
    from scipy.special import stdtr  # noqa: PLC0415 — costs 20 MB, and only this needs it

    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error > 0 else 0.0
    names = [" × ".join(product) for product in word.products]
    shown = [name for name, product in zip(names, word.products, strict=True) if len(product) <= 2]
    return Effect(
        name=names[0],
        factors=word.products[0],
        aliases=tuple(name for name in shown[:8] if name != names[0]),
        effect=float(value),
        low=float(value) - margin,
        high=float(value) + margin,
        p=p,
        active=bool(abs(value) > margin_all),
        maybe=bool(abs(value) > margin),
    )


def _margins(error: float, freedom: float, many: int) -> tuple[float, float]:
    """Return the margin of error of one effect, and of the largest of so many by chance."""
    from scipy.special import stdtrit  # noqa: PLC0415 — costs 20 MB, and only this needs it

    one = float(stdtrit(freedom, 0.975)) * error
    every = (1 + 0.95 ** (1 / max(many, 1))) / 2
    return one, float(stdtrit(freedom, every)) * error


def _curved(column: Column, coded: _Coded) -> tuple[float, float | None] | None:
    """Return how far the centre lies from the corners, and how sure that is."""
    centre, corners = column.value[~coded.corner], column.value[coded.corner]
    if not len(centre):
        return None
    away = float(centre.mean() - corners.mean())
    if len(centre) < 2 or float(centre.std()) == 0.0:
        return away, None
    from scipy.special import stdtr  # noqa: PLC0415 — costs 20 MB, and only this needs it

    error = float(centre.std(ddof=1)) * np.sqrt(1 / len(centre) + 1 / len(corners))
    return away, 2 * float(stdtr(len(centre) - 1, -abs(away) / error))


def _best(
    coded: _Coded, active: Sequence[Effect], mean: float
) -> tuple[tuple[str, float] | None, tuple[str, float] | None]:
    """Return the settings of the active factors with the highest and the lowest result."""
    names = tuple(dict.fromkeys(name for each in active for name in each.factors))
    if not names or len(names) > MOST:
        return None, None
    grid = np.array(np.meshgrid(*[[-1.0, 1.0]] * len(names), indexing="ij")).reshape(len(names), -1)
    place = {name: number for number, name in enumerate(names)}
    guess = np.full(grid.shape[1], mean)
    for each in active:
        guess += each.effect / 2 * np.prod([grid[place[name]] for name in each.factors], axis=0)

    def said(number: int) -> tuple[str, float]:
        signs = grid[:, number]
        setting = ", ".join(
            f"{name} {coded.levels[name][int(sign > 0)]}"
            for name, sign in zip(names, signs, strict=True)
        )
        return setting, float(guess[number])

    return said(int(np.argmax(guess))), said(int(np.argmin(guess)))


def _by_block(table: Table, column: Column, block: str) -> list[str]:
    """Return in words how far the blocks lie apart."""
    if not block:
        return []
    blocks = table[block]
    means = [
        f"{blocks.word(code)} {column.value[blocks.value == code].mean():.4g}"
        for code in np.unique(blocks.value[blocks.known])
    ]
    return [f"blocks of {block}, taken out: {', '.join(means)}"]


def _notes(words: Sequence[_Word], active: Sequence[Effect]) -> list[str]:
    found = []
    lost = [" × ".join(word.products[0]) for word in words if word.is_block]
    if lost:
        found.append(f"cannot be told from the blocks: {', '.join(lost)}")
    mixed = [each for each in active if each.aliases]
    for each in mixed:
        found.append(
            f"{each.name} cannot be told from {', '.join(each.aliases)} by these runs;"
            " to separate them run the other fraction"
        )
    return found
