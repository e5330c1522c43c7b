"""The best use of a budget: which levers to move how far, and how sure that is.

First a search: from the line as it is, the step that gains most for its money, again and again;
where no single step gains anything, two together; then steps are taken back and the money spent
elsewhere. Where there are few combinations, all are tried. All of them see the same random numbers.
Then the finalists run anew, on random numbers that the search has not seen, under the selection
procedure of Kim and Nelson: what is chosen is the best of the finalists, or within `indifference`
of it, with the stated probability. That no better combination was passed over by the search is not
promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations, product

import msgspec
import numpy as np

from deungdae.core.errors import FactoryError, Fault, NotEnoughData
from deungdae.core.types import FloatArray
from deungdae.sim.line import Lever, Line, Snapshot
from deungdae.sim.outcome import Outcome

from .change import SEQUENCE, Change, apply, locate, value_at
from .measures import MEASURES
from .select import select
from .whatif import Answer, Run, bottleneck, compare, usual

SMALL = 200  # combinations that are all tried
FINALISTS = 8
SEARCH, FINAL, CHECK = 0, 1_000_000, 2_000_000  # numbers of the replications of each stage

Setting = tuple[int, ...]  # of each lever, which of its positions


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One combination: what it changes, what it costs, what it gave on fresh random numbers."""

    changes: tuple[str, ...]
    cost: Decimal
    mean: float
    replications: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. answer: the chosen changes against the line as it is, on numbers of their own.

    chance: with this probability it is the best of the finalists, or within `indifference` of it;
    0 where the replications ended before that could be said. tried: combinations in the search.
    """

    changes: tuple[str, ...]
    cost: Decimal
    budget: Decimal
    currency: str
    objective: str
    indifference: float
    chance: float
    tried: int
    replications: int
    finalists: tuple[Candidate, ...]
    answer: Answer
    notes: tuple[str, ...] = ()


def improve(
    line: Line,
    levers: Sequence[Lever],
    budget: Decimal,
    *,
    currency: str,
    horizon: float,
    objective: str = "throughput",
    replications: int = 20,
    confidence: float = 0.95,
    indifference: float | None = None,
    seed: int = 1,
    start: Snapshot | None = None,
    origin: int = 0,
    run: Run | None = None,
    most: int = 400,
) -> Plan:
    """Return the best use of a budget that the search finds.

    objective: a name of MEASURES. replications: of each combination in the search, and the first
    of the selection. indifference: difference of the objective that does not matter; 0.5 % of what
    the line does now where it is None. most: combinations that are tried at most, and replications
    of each finalist in units of 10. Raises FactoryError for levers that do not fit the line.
    """
    search = _Search(
        line, levers, budget, currency, objective,
        _Runs(line, run or usual(), horizon, replications, seed, start, origin, objective), most,
    )  # fmt: skip
    finalists = search.finalists()
    runs, better = search.runs, MEASURES[objective].better
    base = search.value(search.base)
    delta = indifference or max(abs(base) * 0.005, 1e-12)
    chosen = select(
        len(finalists),
        lambda place, span: better * runs.values(
            search.line_of(finalists[place]), range(FINAL + span.start, FINAL + span.stop)
        ),
        indifference=delta, confidence=confidence, first=max(replications, 10), most=10 * most,
    )  # fmt: skip
    setting = finalists[chosen.best]
    changes = search.changes(setting)
    return Plan(
        changes=tuple(str(each) for each in changes),
        cost=search.cost(setting),
        budget=budget,
        currency=currency,
        objective=objective,
        indifference=delta,
        chance=confidence if chosen.sure else 0.0,
        tried=len(search.seen),
        replications=runs.count,
        finalists=tuple(
            Candidate(
                changes=tuple(str(change) for change in search.changes(each)),
                cost=search.cost(each), mean=better * mean, replications=taken,
            )
            for each, mean, taken in zip(finalists, chosen.means, chosen.replications, strict=True)
        ),
        answer=runs.answer(changes, max(replications, 50)),
        notes=tuple(search.notes(setting, chosen.sure, chosen.survivors, finalists)),
    )  # fmt: skip


class _Runs:
    """Simulates settings of a line, each replication once."""

    def __init__(
        self,
        line: Line,
        run: Run,
        horizon: float,
        replications: int,
        seed: int,
        start: Snapshot | None,
        origin: int,
        objective: str,
    ) -> None:
        if objective not in MEASURES:
            raise _fault("objective", objective, "is not known", f"known: {', '.join(MEASURES)}")
        self.line = line
        self.replications = replications
        self.objective = objective
        self.count = 0
        self._run = run
        self._how = {"horizon": horizon, "seed": seed, "start": start, "origin": origin}

    def outcome(self, line: Line, numbers: range) -> Outcome:
        self.count += len(numbers)
        return self._run(line, replications=numbers, **self._how)

    def values(self, line: Line, numbers: range) -> FloatArray:
        values = MEASURES[self.objective].of(self.outcome(line, numbers))
        if not np.isfinite(values).all():
            raise NotEnoughData(
                f"{self.objective} has no value in some replications: simulate for longer"
            )
        return values

    def answer(self, changes: Sequence[Change], replications: int) -> Answer:
        numbers = range(CHECK, CHECK + replications)
        before = self.outcome(self.line, numbers)
        after = self.outcome(apply(self.line, changes), numbers)
        measures, notes = compare(before, after)
        return Answer(
            changes=tuple(str(each) for each in changes), horizon=before.horizon,
            replications=replications, seed=before.seed, measures=measures,
            bottleneck=bottleneck(before), changed_bottleneck=bottleneck(after),
            notes=tuple(notes),
        )  # fmt: skip


class _Search:
    """Looks for good settings within the budget."""

    def __init__(
        self,
        line: Line,
        levers: Sequence[Lever],
        budget: Decimal,
        currency: str,
        objective: str,
        runs: _Runs,
        most: int,
    ) -> None:
        if not levers:
            raise _fault("levers", None, "there is none", "write [[levers]] into the line file")
        for lever in levers:
            if lever.currency != currency:
                remedy = f"give the budget in {lever.currency}, or the cost in {currency}"
                raise _fault(lever.target, lever.currency, "is another currency", remedy)
        self.line = line
        self.levers = tuple(levers)
        self.budget = budget
        self.currency = currency
        self.runs = runs
        self.most = most
        self.better = MEASURES[objective].better
        self.positions = [_positions(line, lever) for lever in levers]
        self.base: Setting = tuple(each.index(None) for each in self.positions)
        self.seen: dict[Setting, float] = {}
        self._lines: dict[Setting, Line] = {self.base: line}
        self._cut = False

    def finalists(self) -> list[Setting]:
        """Return the best settings that were found, with the line as it is among them."""
        self.value(self.base)
        size = math.prod(len(each) for each in self.positions)
        if size <= min(SMALL, self.most):
            for setting in product(*(range(len(each)) for each in self.positions)):
                if self.allowed(setting):
                    self.value(setting)
        else:
            self._climb()
        ranked = sorted(
            self.seen, key=lambda each: (-self.better * self.seen[each], self.cost(each))
        )
        return list(dict.fromkeys([*ranked[:FINALISTS], self.base]))

    def value(self, setting: Setting) -> float:
        """Return the mean of the objective, over the replications of the search."""
        if setting not in self.seen:
            numbers = range(SEARCH, SEARCH + self.runs.replications)
            self.seen[setting] = float(self.runs.values(self.line_of(setting), numbers).mean())
        return self.seen[setting]

    def cost(self, setting: Setting) -> Decimal:
        """Return what it costs to come there from what is."""
        total = Decimal(0)
        for lever, here, base in zip(self.levers, setting, self.base, strict=True):
            steps = abs(here - base) if not lever.options else int(here != base)
            total += lever.cost * steps
        return total

    def allowed(self, setting: Setting) -> bool:
        inside = all(0 <= here < len(each) for here, each in zip(setting, self.positions,
                                                                 strict=True))  # fmt: skip
        return inside and self.cost(setting) <= self.budget

    def changes(self, setting: Setting) -> list[Change]:
        found = []
        for lever, each, here in zip(self.levers, self.positions, setting, strict=True):
            value = each[here]
            if value is not None:
                found.append(Change(lever.target, value))
        return found

    def line_of(self, setting: Setting) -> Line:
        if setting not in self._lines:
            self._lines[setting] = apply(self.line, self.changes(setting))
        return self._lines[setting]

    def notes(
        self, setting: Setting, sure: bool, survivors: Sequence[int], finalists: Sequence[Setting]
    ) -> Iterator[str]:
        if setting == self.base:
            yield "nothing within the budget and the bounds makes it better"
        if not sure:
            yield (
                f"too few replications: {len(survivors)} of {len(finalists)} finalists could not "
                "be told apart"
            )
        if self._cut:
            yield f"the search ended after {self.most} combinations; there may be better ones"

    def _climb(self) -> None:
        here = self.base
        while not self._cut:
            better = self._step(here, pairs=False) or self._step(here, pairs=True)
            if better is None:
                better = self._swap(here)
            if better is None:
                return
            here = better

    def _step(self, here: Setting, *, pairs: bool) -> Setting | None:
        """Return the neighbour that gains most for its money, None where none gains."""
        moves = list(self._moves(here))
        around = (
            [_sum(a, b) for a, b in combinations(moves, 2) if not _same_lever(a, b)]
            if pairs else moves
        )  # fmt: skip
        return self._best(here, [_sum(here, move) for move in around])

    def _swap(self, here: Setting) -> Setting | None:
        """Return what is best after one step back and one elsewhere."""
        moves = list(self._moves(here))
        back = [move for move in moves if self.cost(_sum(here, move)) < self.cost(here)]
        return self._best(
            here, [_sum(_sum(here, a), b) for a in back for b in moves if not _same_lever(a, b)]
        )

    def _best(self, here: Setting, around: Sequence[Setting]) -> Setting | None:
        found: tuple[float, Setting] | None = None
        for setting in around:
            if not self.allowed(setting):
                continue
            if setting not in self.seen and len(self.seen) >= self.most:
                self._cut = True
                break
            gain = self.better * (self.value(setting) - self.value(here))
            if gain <= 1e-9 * abs(self.value(here)):
                continue
            spent = self.cost(setting) - self.cost(here)
            worth = gain / float(spent) if spent > 0 else math.inf
            if found is None or (worth, gain) > (found[0], self._gain(found[1], here)):
                found = (worth, setting)
        return None if found is None else found[1]

    def _gain(self, setting: Setting, here: Setting) -> float:
        return self.better * (self.value(setting) - self.value(here))

    def _moves(self, here: Setting) -> Iterator[Setting]:
        """Yield each lever one step to either side; of options, to each other one."""
        for place, lever in enumerate(self.levers):
            steps: Sequence[int] = (-1, 1)
            if lever.options:
                steps = [k - here[place] for k in range(len(self.positions[place]))
                         if k != here[place]]  # fmt: skip
            for step in steps:
                yield tuple(step if each == place else 0 for each in range(len(here)))


def _positions(line: Line, lever: Lever) -> list[str | None]:
    """Return what may be written for a lever, in rising order; None for what it is now."""
    if lever.target == SEQUENCE:
        if not lever.options:
            raise _fault(SEQUENCE, None, "has no bounds", 'give options: ["a,b", "a,a,b,b"]')
        for option in lever.options:
            apply(line, [Change(SEQUENCE, option)])
        same = ",".join(line.sequence)
        return [None, *(each for each in lever.options if each.replace(" ", "") != same)]
    place = locate(line, lever.target)
    if lever.options:
        for option in lever.options:
            apply(line, [Change(lever.target, option)])
        return [None, *lever.options]
    low, high = lever.low or 0.0, lever.high or 0.0  # both are there: Lever has looked
    now = 1.0 if place.kind == "time" else float(value_at(line, place))
    if not low <= now <= high:
        remedy = "let low and high hold what it is now"
        raise _fault(lever.target, f"{low:g} to {high:g}", f"it is {now:g} now", remedy)
    down = math.floor((now - low) / lever.step + 1e-9)
    up = math.floor((high - now) / lever.step + 1e-9)
    form = "*{:.10g}" if place.kind == "time" else "{:.10g}"
    return [None if k == 0 else form.format(now + k * lever.step) for k in range(-down, up + 1)]


def _sum(a: Setting, b: Setting) -> Setting:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _same_lever(a: Setting, b: Setting) -> bool:
    return any(x and y for x, y in zip(a, b, strict=True))


def _fault(key: str, value: object, problem: str, remedy: str) -> FactoryError:
    return FactoryError(
        [Fault(file="levers", key=key, value=value, problem=problem, remedy=remedy)]
    )
