"""Exact answers about queues and lines, by formulas and by solving Markov chains; no simulation.

Nothing here knows the kernel: each function follows its source, or a chain written from the rules
of the model. Rates are per unit of time, times in the same unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import spsolve

State = TypeVar("State", bound=Hashable)


# ---- queues


def mmc(arrivals: float, service: float, servers: int) -> float:
    """Return the mean number in an M/M/c system.

    Source: Erlang (1917); Kleinrock, Queueing Systems 1 (1975), section 3.5.
    """
    load = arrivals / service
    share = load / servers
    waits = load**servers / math.factorial(servers) / (1 - share)
    none = sum(load**k / math.factorial(k) for k in range(servers))
    return load + waits / (none + waits) * share / (1 - share)


def mg1(arrivals: float, mean: float, second: float) -> float:
    """Return the mean number in an M/G/1 system; second: second moment of the service.

    Source: Pollaczek (1930), Khinchine (1932); Kleinrock 1 (1975), section 5.6.
    """
    load = arrivals * mean
    return load + arrivals**2 * second / 2 / (1 - load)


def mg1_failing(
    arrivals: float, mean: float, second: float, failures: float, repair: tuple[float, float]
) -> float:
    """Return the mean number in M/G/1 whose server fails, at a rate, only while it works.

    repair: its first and second moment. What is interrupted resumes, so a completion takes
    C = S + the repairs in S: E C = E S (1 + f r), E C² = E S² (1 + f r)² + f E S E R².
    Source: Gaver, JRSS B 24 (1962); Avi-Itzhak & Naor, Operations Research 11 (1963).
    """
    longer = 1 + failures * repair[0]
    return mg1(arrivals, mean * longer, second * longer**2 + failures * mean * repair[1])


def cobham(
    arrivals: Sequence[float], means: Sequence[float], second: Sequence[float]
) -> np.ndarray:
    """Return the mean number waiting of each class, the most urgent first; never interrupted.

    Source: Cobham, Operations Research 2 (1954).
    """
    rest = sum(a * s for a, s in zip(arrivals, second, strict=True)) / 2
    above = np.cumsum([0.0, *(a * m for a, m in zip(arrivals, means, strict=True))])
    return np.array(
        [a * rest / (1 - above[k]) / (1 - above[k + 1]) for k, a in enumerate(arrivals)]
    )


def jackson(arrivals: np.ndarray, routing: np.ndarray, service: np.ndarray) -> np.ndarray:
    """Return the mean number at each station of an open network of single servers.

    arrivals, service: [n] rates; routing: [n, n] shares. Source: Jackson, OR 5 (1957).
    """
    flow = np.linalg.solve(np.eye(len(arrivals)) - routing.T, arrivals)
    load = flow / service
    return load / (1 - load)


def mean_value(visits: Sequence[float], service: Sequence[float], parts: int) -> float:
    """Return the throughput (at visit ratio 1) of a closed network of single servers.

    service: mean times. Source: Reiser & Lavenberg, JACM 27 (1980).
    """
    there = np.zeros(len(visits))
    flow = 0.0
    for count in range(1, parts + 1):
        stay = np.asarray(service) * (1 + there)
        flow = count / float(np.dot(visits, stay))
        there = flow * np.asarray(visits) * stay
    return flow


def repairmen(machines: int, crew: int, failure: float, repair: float) -> float:
    """Return the mean number of machines that stand, M/M/c//N.

    Source: Feller, An Introduction to Probability Theory 1 (1968), section XVII.7.
    """
    weight = [1.0]
    for down in range(machines):
        weight.append(weight[-1] * (machines - down) * failure / (min(down + 1, crew) * repair))
    return float(np.dot(weight, range(machines + 1)) / sum(weight))


def bernoulli(first: float, second: float, buffer: int) -> float:
    """Return parts a slot of two Bernoulli machines with blocking before service.

    Source: Li & Meerkov, Production Systems Engineering (2009), chapter 4.
    """
    if first == second:
        empty = (1 - first) / (buffer + 1 - first)
    else:
        ratio = first * (1 - second) / second / (1 - first)
        empty = (1 - first) * (1 - ratio) / (1 - first / second * ratio**buffer)
    return second * (1 - empty)


# ---- Markov chains


def stationary(
    start: State, moves: Callable[[State], Iterable[tuple[float, State]]]
) -> dict[State, float]:
    """Return the probability of each state that can be reached from the start.

    moves: the rate (or, in slotted time, the chance) of each next state; where they lead back to
    the state itself, they do nothing.
    """
    number = {start: 0}
    todo, rows, columns, rates = [start], [], [], []
    while todo:
        state = todo.pop()
        for rate, after in moves(state):
            if after not in number:
                number[after] = len(number)
                todo.append(after)
            if after != state and rate > 0:
                rows += [number[after], number[state]]
                columns += [number[state]] * 2
                rates += [rate, -rate]
    size = len(number)
    flows = scipy.sparse.coo_array((rates, (rows, columns)), shape=(size, size)).tolil()
    flows[0, :] = 1.0  # one balance says what the others do; instead: all add up to 1
    found = spsolve(flows.tocsc(), np.eye(1, size)[0])
    return dict(zip(number, found.tolist(), strict=True))


WORKS, BLOCKED, STARVED, DOWN = range(4)
Row = tuple[tuple[int, ...], tuple[int, ...]]  # what each station does; parts in each buffer


def saturated(
    rates: Sequence[float],
    buffers: Sequence[int],
    failures: Sequence[float] | None = None,
    repairs: Sequence[float] | None = None,
) -> float:
    """Return the throughput of a line of exponential stations, blocking after service.

    The first never starves, the last is never blocked; failures (rates) only in operation.
    """
    count = len(rates)
    fails = failures or [0.0] * count
    back = repairs or [1.0] * count

    def settled(stations: list[int], held: list[int]) -> Row:
        moved = True
        while moved:
            moved = False
            for at in reversed(range(count)):
                if stations[at] == BLOCKED and at == count - 1:
                    stations[at], moved = STARVED, True
                elif stations[at] == BLOCKED and stations[at + 1] == STARVED:
                    stations[at], stations[at + 1], moved = STARVED, WORKS, True
                elif stations[at] == BLOCKED and held[at] < buffers[at]:
                    held[at] += 1
                    stations[at], moved = STARVED, True
                elif stations[at] == STARVED and at == 0:
                    stations[at], moved = WORKS, True
                elif stations[at] == STARVED and held[at - 1] > 0:
                    held[at - 1] -= 1
                    stations[at], moved = WORKS, True
        return tuple(stations), tuple(held)

    def moves(state: Row) -> Iterable[tuple[float, Row]]:
        stations, held = state
        for at, now in enumerate(stations):
            if now == WORKS:
                yield rates[at], settled([*stations[:at], BLOCKED, *stations[at + 1 :]], [*held])
                yield fails[at], ((*stations[:at], DOWN, *stations[at + 1 :]), held)
            elif now == DOWN:
                yield back[at], ((*stations[:at], WORKS, *stations[at + 1 :]), held)

    empty = settled([STARVED] * count, [0] * (count - 1))
    found = stationary(empty, moves)
    return rates[-1] * sum(chance for (now, _), chance in found.items() if now[-1] == WORKS)


def bernoulli_after_service(first: float, second: float, capacity: int) -> float:
    """Return parts a slot of two machines with geometric cycles, blocking after service.

    Finished parts between them: 0 … capacity + 2 (one on the second machine, one that waits on
    the first). In the last the first machine stands; so, unlike before service, a part that leaves
    then lets it begin, not finish, in that slot.
    """
    full = capacity + 2
    found = stationary(0, lambda held: _bernoulli_moves(first, second, held, full, stands=True))
    return first * (1 - found[full])


def bernoulli_before_service(first: float, second: float, buffer: int) -> float:
    """Return parts a slot by the chain of which `bernoulli` is the formula."""
    found = stationary(0, lambda held: _bernoulli_moves(first, second, held, buffer, stands=False))
    return second * (1 - found[0])


def _bernoulli_moves(
    first: float, second: float, held: int, full: int, *, stands: bool
) -> Iterable[tuple[float, int]]:
    makes = 0.0 if held == full and stands else first
    takes = second if held else 0.0
    if held < full:
        yield makes * (1 - takes), held + 1
    if held:
        yield takes * (1 - makes), held - 1


def assembly(first: float, second: float, join: float, capacity: int) -> float:
    """Return the throughput of a station that joins a part of each of two saturated stations.

    Exponential; each of the two has a buffer of that capacity, and keeps what does not fit. A
    state: parts made and not yet begun to be joined, on either side, and whether it joins.
    """
    most = capacity + 1

    def settled(one: int, two: int, joins: bool) -> tuple[int, int, bool]:
        return (one - 1, two - 1, True) if one and two and not joins else (one, two, joins)

    def moves(state: tuple[int, int, bool]) -> Iterable[tuple[float, tuple[int, int, bool]]]:
        one, two, joins = state
        if one < most:
            yield first, settled(one + 1, two, joins)
        if two < most:
            yield second, settled(one, two + 1, joins)
        if joins:
            yield join, settled(one, two, False)

    found = stationary((0, 0, False), moves)
    return join * sum(chance for (*_, joins), chance in found.items() if joins)


def batch_queue(arrivals: float, service: float, size: int, most: int = 2000) -> float:
    """Return the mean number in a queue served in full batches; cut off at `most` parts.

    A state: parts that wait, and whether a batch is worked on. Source of the model: Neuts, Annals
    of Mathematical Statistics 38 (1967).
    """

    def moves(state: tuple[int, bool]) -> Iterable[tuple[float, tuple[int, bool]]]:
        waiting, busy = state
        if waiting < most:
            more = waiting + 1
            yield arrivals, (more - size, True) if more >= size and not busy else (more, busy)
        if busy:
            yield service, (waiting - size, True) if waiting >= size else (waiting, False)

    found = stationary((0, False), moves)
    return sum(chance * (waiting + size * busy) for (waiting, busy), chance in found.items())


def failing_always(
    arrivals: float, service: float, failures: float, repairs: float, most: int = 3000
) -> float:
    """Return the mean number in M/M/1 whose server fails also while it waits; cut off at `most`.

    Source of the model: White & Christie, Operations Research 6 (1958).
    """

    def moves(state: tuple[int, bool]) -> Iterable[tuple[float, tuple[int, bool]]]:
        there, up = state
        if there < most:
            yield arrivals, (there + 1, up)
        if there and up:
            yield service, (there - 1, up)
        yield (failures, (there, False)) if up else (repairs, (there, True))

    found = stationary((0, True), moves)
    return sum(chance * there for (there, _), chance in found.items())


# ---- distributions


def moments(kind: str, parameters: Sequence[float]) -> tuple[float, float]:
    """Return the first and second moment of a distribution, by formulas of its own.

    Source: Johnson, Kotz & Balakrishnan, Continuous Univariate Distributions 1, 2 (1994, 1995).
    """
    return _MOMENTS[kind](*parameters)


def _lognormal(mean: float, deviation: float) -> tuple[float, float]:
    return mean, mean**2 + deviation**2


def _weibull(shape: float, scale: float) -> tuple[float, float]:
    return scale * math.gamma(1 + 1 / shape), scale**2 * math.gamma(1 + 2 / shape)


def _triangular(low: float, mode: float, high: float) -> tuple[float, float]:
    mean = (low + mode + high) / 3
    spread = (low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18
    return mean, mean**2 + spread


def _normal(mean: float, deviation: float) -> tuple[float, float]:
    """Return those of max(0, X): a normal time is cut off at 0."""
    z = mean / deviation
    above = 0.5 * math.erfc(-z / math.sqrt(2))
    height = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return (
        mean * above + deviation * height,
        (mean**2 + deviation**2) * above + mean * deviation * height,
    )


_MOMENTS: Mapping[str, Callable[..., tuple[float, float]]] = {
    "constant": lambda value: (value, value**2),
    "uniform": lambda low, high: ((low + high) / 2, (low**2 + low * high + high**2) / 3),
    "triangular": _triangular,
    "exponential": lambda mean: (mean, 2 * mean**2),
    "normal": _normal,
    "lognormal": _lognormal,
    "gamma": lambda shape, scale: (shape * scale, shape * (shape + 1) * scale**2),
    "weibull": _weibull,
    "erlang": lambda stages, mean: (mean, mean**2 * (1 + 1 / stages)),
    "geometric": lambda chance, slot: (slot / chance, slot**2 * (2 - chance) / chance**2),
}


def empirical(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and second moment of observed values with straight lines between them.

    The quantile at u is flat up to u n = 1/2, then straight from value to value, and flat again
    over the last half: their integrals, piece by piece.
    """
    ends = np.array([values[0], *values, values[-1]], float)
    weights = np.array([0.5, *[1.0] * (len(values) - 1), 0.5]) / len(values)
    low, high = ends[:-1], ends[1:]
    first = float(np.sum(weights * (low + high) / 2))
    return first, float(np.sum(weights * (low**2 + low * high + high**2) / 3))
