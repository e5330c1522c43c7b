"""From a table of parts to ranked causes: what each does, how sure that is, what rivals it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import from_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from . import model
from .model import Chosen, Rows, Term
from .table import Column, Table

LEAST = 8  # parts with a result
DRIFT = "time (drift)"
GOOD = frozenset({"good", "ok", "pass", "passed", "accept", "accepted", "true", "양품", "합격"})
BAD = frozenset(
    {"bad", "ng", "nok", "fail", "failed", "reject", "rejected", "scrap", "rework", "false",
     "defect", "defective", "불량", "불합격"}
)  # fmt: skip
HALVES, FOLDS = 40, 5
SHOWN = 8  # factors that were not chosen whose effect is still given
PAIRS = 120
SERIAL = frozenset({"serial", "serial_number", "serialnumber", "sn", "part", "part_id", "id", "no",
                    "시리얼", "일련번호"})  # fmt: skip


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a table.

    result: a column of numbers, or of two words of which one means bad. factors: all other columns
    where none is named. group: rows with one value are no several proofs (lot, part measured
    twice). time: the order of making. alpha: the share of tables in which chance may be named.
    """

    result: str
    factors: tuple[str, ...] = ()
    group: str = ""
    time: str = ""
    alpha: float = 0.05
    rounds: int = 400


class Level(msgspec.Struct, frozen=True):
    """The result at one value of a factor, other causes being equal; parts there."""

    value: str
    mean: float
    parts: int


class Influence(msgspec.Struct, frozen=True, kw_only=True):
    """A factor and what it does.

    chosen: whether it is named as a cause. p: of it beside the other causes; q: allowing for all
    factors that were tried (Holm; of what was not chosen, by itself: Benjamini and Hochberg).
    effect: change of the result from `lower` to `upper`, other causes being
    equal, with its 95 % interval; of good and bad: of the share of bad.
    unique: share of the variance that only it tells; alone: that it tells by itself.
    stability: share of half samples in which it was chosen too, None of few parts. rivals: what
    cannot be told from it.
    """

    factor: str
    chosen: bool
    p: float
    q: float
    effect: float
    low: float
    high: float
    lower: str
    upper: str
    curved: bool
    unique: float
    alone: float
    stability: float | None
    levels: tuple[Level, ...] = ()
    rivals: tuple[str, ...] = ()


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """Two causes that act only, or more, together; cells: the mean result where both are so."""

    first: str
    second: str
    q: float
    share: float
    cells: tuple[Level, ...]


class Rivals(msgspec.Struct, frozen=True, kw_only=True):
    """Two factors that these data cannot tell apart; alike: share of one that the other tells.

    runs: the smallest experiment that could: settings of both, so many parts each.
    """

    cause: str
    rival: str
    alike: float
    runs: tuple[str, ...]
    parts: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a table says about a result.

    explained: share of the variance that the causes tell in parts that they were not learnt from.
    hidden: share that one factor could have and still be missed in one of five such tables.
    left: standard deviation of what the causes do not tell. follows: correlation of that with the
    part before; None without an order.
    """

    result: str
    unit: str
    parts: int
    groups: int
    mean: float
    spread: float
    causes: tuple[Influence, ...]
    others: tuple[Influence, ...]
    together: tuple[Together, ...]
    rivals: tuple[Rivals, ...]
    explained: float
    hidden: float
    left: float
    follows: float | None
    notes: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Return whether anything here explains more than chance."""
        return bool(self.causes or self.together)


def causes(table: Table, question: Question, random: np.random.Generator) -> Answer:
    """Return the factors that explain a result, the strongest first.

    Raises NotEnoughData with what is missing, ValueError for a column that is not there.
    """
    return _Search(table, question, random).answer()


def result_of(column: Column) -> tuple[FloatArray, str]:
    """Return the result as numbers, and its unit: '' or 'share bad' (1 is bad).

    Raises NotEnoughData where all are the same, ValueError for words of unknown meaning.
    """
    known = column.known
    if not known.any():
        raise NotEnoughData(f"{column.name} is empty: name a column with results")
    if column.distinct == 1:
        raise NotEnoughData(
            f"every {column.name} is {column.word(column.value[known][0])}: where nothing differs,"
            " nothing can be explained; take parts of both kinds"
        )
    if not column.levels:
        return column.value, ""
    bad = [word.lower() in BAD for word in column.levels]
    good = [word.lower() in GOOD for word in column.levels]
    if any(bad) and all(b or g for b, g in zip(bad, good, strict=True)):
        worse = np.asarray(bad)
    elif any(good) and len(good) == 2:
        worse = ~np.asarray(good)
    else:
        shown = ", ".join(column.levels[:6])
        raise ValueError(f"{column.name} holds words ({shown}): write good or bad, or numbers")
    if worse.all():
        raise NotEnoughData(f"every {column.name} is bad: take good parts too")
    value = np.where(known, worse[np.where(known, column.value, 0).astype(int)], np.nan)
    return value.astype(float), "share bad"


class _Search:
    """One question being answered."""

    def __init__(self, table: Table, question: Question, random: np.random.Generator) -> None:
        self.question = question
        self.random = random
        self.notes: list[str] = []
        result, self.unit = result_of(table[question.result])
        kept = np.flatnonzero(~np.isnan(result))
        if question.time:
            kept = kept[np.argsort(order_of(table[question.time])[kept], kind="stable")]
        if len(kept) < len(table):
            self.notes.append(f"{len(table) - len(kept)} rows have no {question.result}")
        if len(kept) < LEAST:
            raise NotEnoughData(
                f"{len(kept)} parts have a {question.result}; at least {LEAST} are needed, and"
                " better 10 for each factor"
            )
        self.y = result[kept]
        if len(np.unique(self.y)) == 1:
            raise NotEnoughData(f"every {question.result} is the same: nothing can be explained")
        self.rows = self._rows(table, kept)
        self.columns = self._factors(table, kept)
        self.candidates = [
            model.terms(column, number) for number, column in enumerate(self.columns)
        ]
        if question.time:
            self._add_drift()
        if not self.columns:
            raise NotEnoughData("no factor differs between the parts: nothing can explain them")
        self.score = model.scores(self.y)

    # ---- what is asked

    def _rows(self, table: Table, kept: NDArray[np.intp]) -> Rows:
        name = self.question.group
        if not name:
            return Rows(np.arange(len(kept)), grouped=False, ordered=bool(self.question.time))
        column = table[name].take(kept)
        codes = np.where(column.known, column.value, -1.0)
        group = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        if group.max() + 1 < 4:
            raise NotEnoughData(f"{group.max() + 1} groups of {name}; at least 4 are needed")
        return Rows(group, grouped=True, ordered=bool(self.question.time))

    def _factors(self, table: Table, kept: NDArray[np.intp]) -> list[Column]:
        question = self.question
        asked = (question.result, question.time)
        named = question.factors or tuple(name for name in table.names if name not in asked)
        found: list[Column] = []
        left: dict[str, list[str]] = {}
        for name in named:
            column = table[name].take(kept)
            why = self._useless(column)
            if not why and column.levels:
                column = _rare(column)
                why = self._useless(column)
            if why:
                left.setdefault(why, []).append(name)
            else:
                found.append(column)
        self.notes += [f"left out, {why}: {', '.join(names)}" for why, names in left.items()]
        holes = [c.name for c in found if not c.known.all()]
        if holes:
            self.notes.append(f"gaps filled by the mean: {', '.join(holes)}")
        return found

    def _useless(self, column: Column) -> str:
        """Return why a column cannot be a factor, or ''."""
        known = int(column.known.sum())
        if known < len(self.y) / 2:
            return "missing in more than half of the parts"
        if column.distinct < 2:
            return "the same in all parts"
        if column.levels and column.distinct > max(2, len(self.y) / 3):
            return "different in nearly every part"
        whole = not column.levels and column.distinct == known and known == len(self.y)
        if whole and column.name.strip().lower() in SERIAL:
            return "a number of the part"
        if column.name == self.question.group and column.distinct == self.rows.group.max() + 1:
            return "the group itself"
        return ""

    def _add_drift(self) -> None:
        place = np.linspace(-1, 1, len(self.y))
        cubic = np.column_stack([place, place**2 - 1 / 3, place**3 - 0.6 * place])
        number = len(self.columns)
        self.columns.append(Column(DRIFT, place))
        self.candidates.append(
            [Term(number, place[:, None]), Term(number, cubic - cubic.mean(axis=0), curved=True)]
        )

    # ---- the answer

    def answer(self) -> Answer:
        alpha = self.question.alpha
        chosen = model.choose(self.score, self.candidates, self.rows, alpha)
        chosen = self._still(chosen)
        alone = [self._test(number, [])[0] for number in range(len(self.columns))]
        rates = model.adjusted([each.p for each in alone])
        rivals = [found for each in chosen for found in self._rivals(each, chosen)]
        stable = self._stability()
        causes = [self._cause(each, chosen, alone, rivals, stable) for each in chosen]
        taken = {each.term.factor for each in chosen}
        rest = sorted(set(range(len(self.columns))) - taken, key=lambda n: alone[n].p)
        others = [
            self._other(
                number,
                self._beside_rival(number, chosen, rivals),
                alone[number].share,
                rates[number],
                stable,
            )
            for number in rest[:SHOWN]
            if self.candidates[number]
        ]
        if len(chosen) > 0:
            _, left = self._fit(self._matrix(chosen))
        else:
            left = self.y - self.y.mean()
        return Answer(
            result=self.question.result,
            unit=self.unit,
            parts=len(self.y),
            groups=int(self.rows.group.max()) + 1 if self.rows.grouped else len(self.y),
            mean=float(self.y.mean()),
            spread=float(self.y.std(ddof=1)),
            causes=tuple(sorted(causes, key=lambda cause: -cause.unique)),
            others=tuple(others),
            together=tuple(self._together(chosen)),
            rivals=tuple(rivals),
            explained=self._explained(),
            hidden=self._hidden(),
            left=float(left.std(ddof=1)),
            follows=model.follows(left) if self.rows.ordered else None,
            notes=(*self.notes, *self._doubts(left)),
        )

    def _test(self, number: int, beside: Sequence[Term]) -> tuple[model.Test, Term | None]:
        """Return how sure a factor is beside others, and the way in which it acts most surely."""
        ways = self.candidates[number]
        if not ways:
            return model.NOTHING, None
        q = model.basis([term.matrix for term in beside], len(self.y))
        p, term = model.surest(self.score, ways, q, self.rows)
        return model.Test(p, model.test(self.score, term.matrix, q, self.rows).share), term

    def _still(self, chosen: list[Chosen]) -> list[Chosen]:
        """Return what still tells something beside all that came after it."""
        while True:
            p = [self._beside(each, chosen).p for each in chosen]
            if not p or max(p) <= self.question.alpha:
                return chosen
            del chosen[int(np.argmax(p))]

    def _beside(self, each: Chosen, chosen: Sequence[Chosen]) -> model.Test:
        others = [other.term.matrix for other in chosen if other is not each]
        q = model.basis(others, len(self.y))
        return model.test(self.score, each.term.matrix, q, self.rows)

    def _rivals(self, each: Chosen, chosen: Sequence[Chosen]) -> list[Rivals]:
        """Return the factors that could stand in a cause's place."""
        alpha, many = self.question.alpha, len(self.columns)
        others = [other.term for other in chosen if other is not each]
        taken = {other.term.factor for other in chosen}
        found = []
        for number in range(many):
            if number in taken:
                continue
            test, term = self._test(number, others)
            if term is None or test.p * many > alpha:
                continue
            q = model.basis([*(t.matrix for t in others), term.matrix], len(self.y))
            if model.test(self.score, each.term.matrix, q, self.rows).p > alpha:
                found.append(self._rival(each, number, term))
        return found

    def _rival(self, each: Chosen, number: int, term: Term) -> Rivals:
        cause, rival = self.columns[each.term.factor], self.columns[number]
        alike = max(_told(each.term.matrix, term.matrix), _told(term.matrix, each.term.matrix))
        if DRIFT in (cause.name, rival.name):
            other = rival if cause.name == DRIFT else cause
            runs: tuple[str, ...] = (f"values of {other.name} in random order",)
            return Rivals(cause=cause.name, rival=rival.name, alike=alike, runs=runs, parts=4)
        lower, upper = self._ends(each, [each])
        one = [(lower, _usual(rival, cause, lower)), (upper, _usual(rival, cause, upper))]
        if one[0][1] == one[1][1]:
            spread = _ends_of(rival)
            one = [(lower, spread[0]), (upper, spread[1])]
        swapped = [(one[0][0], one[1][1]), (one[1][0], one[0][1])]
        runs = tuple(
            f"{cause.name} {cause.word(a)} with {rival.name} {rival.word(b)}" for a, b in swapped
        )
        effect, left = self._fit(self._matrix([each]))
        change = float(self._row(each.term, upper) @ effect - self._row(each.term, lower) @ effect)
        ratio = float(left.std()) / max(abs(change), 1e-12)
        parts = int(min(max(3, ceil(2 * (1.96 + 1.28) ** 2 * ratio**2)), 10_000))
        return Rivals(cause=cause.name, rival=rival.name, alike=alike, runs=runs, parts=parts)

    # ---- effects

    def _matrix(self, chosen: Sequence[Chosen]) -> FloatArray:
        return np.column_stack([each.term.matrix for each in chosen])

    def _fit(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the coefficients and what is left."""
        whole = np.column_stack([np.ones(len(x)), x])
        found = np.asarray(np.linalg.lstsq(whole, self.y, rcond=1e-9)[0], np.float64)
        return found[1:], np.asarray(self.y - whole @ found)

    def _row(self, term: Term, value: float) -> FloatArray:
        """Return a term at a value that some part has."""
        column = self.columns[term.factor]
        near = np.abs(np.where(column.known, column.value, np.inf) - value)
        return np.asarray(term.matrix[int(np.argmin(near))])

    def _ends(self, each: Chosen, chosen: Sequence[Chosen]) -> tuple[float, float]:
        """Return the two values of a factor between which its effect is told."""
        column, term = self.columns[each.term.factor], each.term
        if not column.levels and not term.curved:
            return _ends_of(column)
        place = [other.term.factor for other in chosen].index(term.factor)
        first = sum(other.term.matrix.shape[1] for other in chosen[:place])
        found, _ = self._fit(self._matrix(chosen))
        own = found[first : first + term.matrix.shape[1]]
        known = column.value[column.known]
        if column.levels:
            values = np.unique(known)
        else:
            values = np.quantile(known, np.linspace(0.05, 0.95, 10), method="nearest")
        means = [float(self._row(term, value) @ own) for value in values]
        return float(values[int(np.argmin(means))]), float(values[int(np.argmax(means))])

    def _effect(
        self, each: Chosen, chosen: Sequence[Chosen]
    ) -> tuple[float, float, float, float, float, tuple[Level, ...]]:
        """Return effect, its interval, the values it is told between, and the levels."""
        ends = self._ends(each, chosen)
        x = np.column_stack([np.ones(len(self.y)), self._matrix(chosen)])
        place = [other.term.factor for other in chosen].index(each.term.factor)
        first = 1 + sum(other.term.matrix.shape[1] for other in chosen[:place])
        last = first + each.term.matrix.shape[1]
        change = np.zeros(x.shape[1])
        change[first:last] = self._row(each.term, ends[1]) - self._row(each.term, ends[0])
        whole = np.linalg.lstsq(x, self.y, rcond=1e-9)[0]
        draws = self._drawn(x, change)
        low, high = np.quantile(draws, [0.025, 0.975])
        column = self.columns[each.term.factor]
        levels: tuple[Level, ...] = ()
        if column.levels:
            values, counts = np.unique(column.value[column.known], return_counts=True)
            levels = tuple(
                Level(
                    column.word(value),
                    float(self.y.mean() + self._row(each.term, value) @ whole[first:last]),
                    int(count),
                )
                for value, count in zip(values, counts, strict=True)
            )
        effect = float(change @ whole)
        return effect, min(float(low), effect), max(float(high), effect), *ends, levels

    def _drawn(self, x: FloatArray, change: FloatArray) -> FloatArray:
        """Return an effect in draws of whole groups with replacement."""
        groups = int(self.rows.group.max()) + 1
        found = np.empty(self.question.rounds)
        small = 1e-9 * len(x) * np.eye(x.shape[1])
        for number in range(self.question.rounds):
            times = np.bincount(self.random.integers(0, groups, groups), minlength=groups)
            weighted = x * times[self.rows.group][:, None]
            found[number] = change @ np.linalg.solve(weighted.T @ x + small, weighted.T @ self.y)
        return found

    def _cause(
        self,
        each: Chosen,
        chosen: Sequence[Chosen],
        alone: Sequence[model.Test],
        rivals: Sequence[Rivals],
        stable: FloatArray | None,
    ) -> Influence:
        number = each.term.factor
        column = self.columns[number]
        effect, low, high, lower, upper, levels = self._effect(each, chosen)
        return Influence(
            factor=column.name,
            chosen=True,
            p=self._beside(each, chosen).p,
            q=each.q,
            effect=effect,
            low=low,
            high=high,
            lower=self._said(column, lower),
            upper=self._said(column, upper),
            curved=each.term.curved,
            unique=self._unique(each, chosen),
            alone=alone[number].share,
            stability=None if stable is None else float(stable[number]),
            levels=levels,
            rivals=tuple(rival.rival for rival in rivals if rival.cause == column.name),
        )

    def _unique(self, each: Chosen, chosen: Sequence[Chosen]) -> float:
        """Return the share of the whole variance that only one cause tells."""
        others = [other for other in chosen if other is not each]
        total = float(((self.score - self.score.mean()) ** 2).sum())
        q_all = model.basis([c.term.matrix for c in chosen], len(self.y))
        q_rest = model.basis([c.term.matrix for c in others], len(self.y))
        left_all, left = model.without(self.score, q_all), model.without(self.score, q_rest)
        return max(0.0, float((left @ left - left_all @ left_all) / total))

    def _beside_rival(
        self, number: int, chosen: Sequence[Chosen], rivals: Sequence[Rivals]
    ) -> list[Chosen]:
        """Return the causes without those that a factor could stand for."""
        name = self.columns[number].name
        stands = {each.cause for each in rivals if each.rival == name}
        return [each for each in chosen if self.columns[each.term.factor].name not in stands]

    def _other(
        self,
        number: int,
        chosen: Sequence[Chosen],
        alone: float,
        q: float,
        stable: FloatArray | None,
    ) -> Influence:
        """Return a factor that was not chosen: what it does beside the causes."""
        test, term = self._test(number, [each.term for each in chosen])
        assert term is not None
        each = Chosen(term, test.p, q)
        effect, low, high, lower, upper, levels = self._effect(each, [*chosen, each])
        column = self.columns[number]
        return Influence(
            factor=column.name,
            chosen=False,
            p=test.p,
            q=q,
            effect=effect,
            low=low,
            high=high,
            lower=self._said(column, lower),
            upper=self._said(column, upper),
            curved=term.curved,
            unique=self._unique(each, [*chosen, each]),
            alone=alone,
            stability=None if stable is None else float(stable[number]),
            levels=levels,
        )

    def _said(self, column: Column, value: float) -> str:
        if column.name == DRIFT:
            part = round((value + 1) / 2 * (len(self.y) - 1)) + 1
            return f"part {part}"
        return column.word(value)

    # ---- how far to believe it

    def _stability(self) -> FloatArray | None:
        """Return how often each factor is chosen from half of the groups; None: these are few."""
        groups = int(self.rows.group.max()) + 1
        if groups < 2 * LEAST:
            return None
        hits = np.zeros(len(self.columns))
        for _ in range(HALVES):
            half = np.zeros(groups, bool)
            half[self.random.permutation(groups)[: (groups + 1) // 2]] = True
            for number in self._chosen_in(np.flatnonzero(half[self.rows.group])):
                hits[number] += 1
        return hits / HALVES

    def _chosen_in(self, rows: NDArray[np.intp]) -> list[int]:
        return [each.term.factor for each in self._choice(rows)]

    def _choice(self, rows: NDArray[np.intp]) -> list[Chosen]:
        y = self.score[rows]
        if len(rows) < LEAST or float(np.ptp(y)) == 0.0:
            return []
        candidates = [
            [Term(term.factor, term.matrix[rows], term.curved) for term in ways]
            for ways in self.candidates
        ]
        return model.choose(y, candidates, self.rows.take(rows), self.question.alpha)

    def _explained(self) -> float:
        """Return the share of the variance told in parts that were held out, choice included."""
        groups = int(self.rows.group.max()) + 1
        fold = self.random.permutation(np.arange(groups) % FOLDS)[self.rows.group]
        missed, total = 0.0, 0.0
        for number in range(FOLDS):
            train, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            if not len(held) or len(train) < LEAST:
                continue
            guess = np.full(len(held), self.score[train].mean())
            chosen = self._choice(train)
            if chosen:
                ways = [
                    next(t for t in self.candidates[c.term.factor] if t.curved == c.term.curved)
                    for c in chosen
                ]
                x = np.column_stack([np.ones(len(self.y)), *(way.matrix for way in ways)])
                found = np.linalg.lstsq(x[train], self.score[train], rcond=1e-6)[0]
                guess = x[held] @ found
            missed += float(((self.score[held] - guess) ** 2).sum())
            total += float(((self.score[held] - self.score[train].mean()) ** 2).sum())
        return max(0.0, 1 - missed / total) if total > 0 else 0.0

    def _hidden(self) -> float:
        """Return the share of one factor that such data miss in one of five cases."""
        from scipy.special import ndtri  # noqa: PLC0415 — costs 20 MB, and only this needs it

        many = max(1, len(self.columns))
        need = float(ndtri(1 - self.question.alpha / (2 * many)) + ndtri(0.8)) ** 2
        worth = int(self.rows.group.max()) + 1
        return need / (need + worth)

    def _doubts(self, left: FloatArray) -> list[str]:
        found = []
        many = len(self.columns)
        if len(self.y) < 3 * many:
            found.append(
                f"{many} factors for {len(self.y)} parts: only strong causes can be seen;"
                f" {10 * many} parts would be better"
            )
        if not self.rows.ordered and not self.rows.grouped:
            follow = model.follows(left)
            if follow > max(0.25, 3 / np.sqrt(len(left))):
                found.append(
                    f"parts resemble the row before (correlation {follow:.2f}): if the rows stand"
                    " in the order of making, name the column of time; these causes look too sure"
                )
        return found

    # ---- causes that act together

    def _together(self, chosen: Sequence[Chosen]) -> list[Together]:
        taken = [each.term.factor for each in chosen]
        able = [n for n, ways in enumerate(self.candidates)
                if ways and self.columns[n].name != DRIFT]  # fmt: skip
        pairs = list(combinations(able, 2))
        if len(pairs) > PAIRS:
            pairs = [pair for pair in pairs if set(pair) & set(taken)][: 4 * PAIRS]
        tried = []
        for a, b in pairs:
            product = _product(self.candidates[a][0].matrix, self.candidates[b][0].matrix)
            if product.shape[1] > len(self.y) / 6:
                continue
            mains = [each.term.matrix for each in chosen]
            mains += [self.candidates[n][-1].matrix for n in (a, b) if n not in taken]
            q = model.basis(mains, len(self.y))
            found = model.test(self.score, product, q, self.rows)
            tried.append((found, a, b))
        return [
            Together(
                first=self.columns[a].name,
                second=self.columns[b].name,
                q=min(1.0, found.p * len(tried)),
                share=found.share,
                cells=self._cells(a, b),
            )
            for found, a, b in sorted(tried, key=lambda each: each[0].p)[:3]
            if found.p * len(tried) <= self.question.alpha
        ]

    def _cells(self, a: int, b: int) -> tuple[Level, ...]:
        first, second = (_split(self.columns[number]) for number in (a, b))
        found = []
        for one, here in first:
            for two, there in second:
                both = here & there
                if both.any():
                    name = f"{self.columns[a].name} {one}, {self.columns[b].name} {two}"
                    found.append(Level(name, float(self.y[both].mean()), int(both.sum())))
        return tuple(sorted(found, key=lambda cell: cell.mean))


def order_of(column: Column) -> FloatArray:
    """Return what sorts rows by time: the numbers of a column, or ISO 8601 times as ns.

    Raises NotEnoughData where some rows have no time, ValueError for words that are no time.
    """
    if not column.known.all():
        count = int((~column.known).sum())
        raise NotEnoughData(f"{count} rows have no {column.name}: the order of making is not known")
    if not column.levels:
        return column.value
    try:
        moments = np.array([from_iso(word) for word in column.levels], float)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{column.name} holds {column.levels[0]!r}: write times as 2026-03-02T08:00, or numbers"
        ) from error
    return np.asarray(moments[column.value.astype(int)])


def _rare(column: Column) -> Column:
    """Return a column whose words that stand once are one: `other`."""
    codes, counts = np.unique(column.value[column.known], return_counts=True)
    rare = codes[counts < 2]
    if len(rare) < 2:
        return column
    words = [
        None if np.isnan(v) else "other" if v in rare else column.word(v) for v in column.value
    ]
    return Column.of_words(column.name, words)


def _ends_of(column: Column) -> tuple[float, float]:
    """Return a low and a high value of a factor that parts have: of numbers the 10 and 90 %."""
    known = column.value[column.known]
    low, high = np.quantile(known, [0.1, 0.9], method="nearest")
    if low == high or column.levels:
        low, high = known.min(), known.max()
    return float(low), float(high)


def _usual(rival: Column, cause: Column, value: float) -> float:
    """Return the rival's most usual value where the cause has a value."""
    where = rival.known & (np.abs(cause.value - value) <= 1e-12 + 0.15 * np.nanstd(cause.value))
    if cause.levels:
        where = rival.known & (cause.value == value)
    if not where.any():
        return float(np.nanmedian(rival.value))
    if not rival.levels:
        return float(np.quantile(rival.value[where], 0.5, method="nearest"))
    codes, counts = np.unique(rival.value[where], return_counts=True)
    return float(codes[int(np.argmax(counts))])


def _told(one: FloatArray, other: FloatArray) -> float:
    """Return the share of one term that another tells, 0 to 1."""
    left = model.without(one, model.basis([other], len(one)))
    total = float((one**2).sum())
    return 1 - float((left**2).sum()) / total if total > 0 else 0.0


def _product(a: FloatArray, b: FloatArray) -> FloatArray:
    found = (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)
    return np.asarray(found - found.mean(axis=0))


def _split(column: Column) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return parts of a factor: each word, or below and above the middle."""
    if column.levels:
        return [(column.word(v), column.value == v) for v in np.unique(column.value[column.known])]
    if column.distinct == 2:
        return [(column.word(v), column.value == v) for v in np.unique(column.value[column.known])]
    middle = float(np.median(column.value[column.known]))
    return [
        (f"up to {middle:g}", column.value <= middle),
        (f"above {middle:g}", column.value > middle),
    ]
