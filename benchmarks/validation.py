"""The simulation kernel beside exact answers: closed forms, and Markov chains solved numerically.

    python benchmarks/validation.py [--quick] [--json] [--only WORD …] [--write PAGE]

The page of the docs is docs/reference/validation.md.

Each case gives z = (mean - exact) / standard error over independent replications, and the
half-width of the 95 % interval as a share of the exact value. The bias of beginning empty is dealt
with by a warm-up, not counted, of at least twenty relaxation times of the case: what is left of it
is below e^-20 of the starting state's distance. Seeds are fixed, so the table can be made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import exact
from deungdae.sim import kernel
from deungdae.sim.distribution import parse
from deungdae.sim.line import read
from deungdae.sim.outcome import Estimate, Outcome, estimate
from measure import Row, arguments, report, row

SEED = 20_261_123
MOST = 3.0  # |z|
WIDTH = 0.003  # half-width, of the exact value


class Case(NamedTuple):
    """One question with a known answer.

    line: as in line.toml. measure: what is asked, float64[R]. truth: the exact value. length: s
    that are counted in all. warm_up: s before, in each of `replications`.
    """

    name: str
    line: str
    measure: Callable[[Outcome], np.ndarray]
    truth: float
    source: str
    length: float
    warm_up: float
    replications: int = 40


class Result(NamedTuple):
    case: Case
    found: Estimate
    z: float
    width: float
    method: str
    seconds: float


def run(case: Case, share: float = 1.0) -> Result:
    """Return what the kernel says to a case, in a share of its length."""
    begun = time.process_time()
    horizon = case.warm_up + case.length * share / case.replications
    line = read(f"warm_up = {case.warm_up}\n{case.line}")
    outcome = kernel.simulate(line, horizon=horizon, replications=case.replications, seed=SEED)
    values = case.measure(outcome)
    found = estimate(values)
    error = max(float(np.std(values, ddof=1)) / len(values) ** 0.5, 1e-12 * case.truth)
    z = (found.mean - case.truth) / error
    seconds = time.process_time() - begun
    return Result(case, found, z, found.half_width / case.truth, outcome.method, seconds)


# ---- what is measured


def wip(outcome: Outcome) -> np.ndarray:
    return outcome.wip


def rate(outcome: Outcome) -> np.ndarray:
    """Return good parts out in a second."""
    return outcome.throughput / 3600


def level(buffer: str) -> Callable[[Outcome], np.ndarray]:
    return lambda outcome: outcome.level[:, outcome.buffers.index(buffer)]


def busy(station: str, per: float = 1.0) -> Callable[[Outcome], np.ndarray]:
    """Return the share of time that a station works, over `per`."""
    return lambda outcome: outcome.share("running")[:, outcome.stations.index(station)] / per


def standing(outcome: Outcome) -> np.ndarray:
    """Return how many stations are down or wait for the crew, in the mean."""
    return (outcome.share("down") + outcome.share("waiting")).sum(axis=1)


# ---- lines


def queue(arrival: float, cycle: str, more: str = "") -> str:
    """Return a line at whose only station parts arrive at random."""
    return (
        f"[products.part]\narrival = 'exponential({arrival})'\ninto = 'queue'\n[buffers.queue]\n"
        f"[stations.server]\ncycle = '{cycle}'\nfrom = 'queue'\n{more}\n"
    )


def row_of(cycles: Sequence[str], capacities: Sequence[int], more: Sequence[str] = ()) -> str:
    """Return a saturated row of stations."""
    text = ""
    for number, cycle in enumerate(cycles):
        text += f"[stations.m{number}]\ncycle = '{cycle}'\n"
        text += f"from = 'b{number - 1}'\n" if number else ""
        text += f"to = 'b{number}'\n" if number < len(capacities) else ""
        text += (more[number] if more else "") + "\n"
    return text + "".join(
        f"[buffers.b{number}]\ncapacity = {capacity}\n"
        for number, capacity in enumerate(capacities)
    )


def failing(every: float, repair: float, kind: str = "operation", crew: str = "") -> str:
    return (
        f"failures = [{{every = 'exponential({every})', repair = 'exponential({repair})', "
        f"of = '{kind}', crew = '{crew}'}}]"
    )


# ---- the cases


def cases() -> list[Case]:
    """Return all cases."""
    return [*queues(), *networks(), *lines(), *crews()]


def queues() -> list[Case]:
    klein = "Kleinrock, Queueing Systems 1 (1975)"
    found = [
        Case("M/M/1, λ .8, μ 1: parts in the system", queue(1.25, "exponential(1)"), wip,
             exact.mmc(0.8, 1, 1), f"{klein}, 3.2", 1.5e8, 3000),
        Case("M/M/3, λ 2.4, μ 1: parts in the system",
             queue(1 / 2.4, "exponential(1)", "servers = 3"), wip, exact.mmc(2.4, 1, 3),
             f"Erlang (1917); {klein}, 3.5", 2.5e7, 3000),
    ]  # fmt: skip
    for spread in ("constant", "erlang(4, 1)", "triangular(0.25, 0.75, 2)", "uniform(0, 2)",
                   "weibull(1.5, 1.1)", "gamma(0.5, 2)", "lognormal(1, 1.5)",
                   "geometric(0.5, 0.5)", "empirical(0.2, 0.5, 1.1, 2.2)"):  # fmt: skip
        cycle = "1" if spread == "constant" else spread
        mean, second = moments(cycle)
        arrivals = 0.7 / mean
        cv2 = second / mean**2 - 1
        found.append(
            Case(f"M/G/1, {spread}, load .7: parts in the system", queue(1 / arrivals, cycle),
                 wip, exact.mg1(arrivals, mean, second),
                 "Pollaczek (1930), Khinchine (1932)", 2e7 * (1 + cv2**2), 4000 * (1 + cv2))
        )  # fmt: skip
    repair = (2.5, 2 * 2.5**2)
    found += [
        Case("M/M/1 that fails in operation", queue(1 / 0.6, "exponential(1)", failing(20, 2.5)),
             wip, exact.mg1_failing(0.6, 1, 2, 1 / 20, repair), "Gaver (1962)", 6e7, 3000),
        Case("M/E2/1 that fails in operation", queue(1 / 0.6, "erlang(2, 1)", failing(20, 2.5)),
             wip, exact.mg1_failing(0.6, 1, 1.5, 1 / 20, repair), "Gaver (1962)", 3e7, 3000),
        Case("M/M/1 that fails at all times",
             queue(1 / 0.6, "exponential(1)", failing(20, 2.5, "time")), wip,
             exact.failing_always(0.6, 1, 1 / 20, 1 / 2.5), "chain; White & Christie (1958)",
             3e7, 3000),
        Case("M/M/1 in batches of 4, full ones only", queue(1 / 3.2, "exponential(1)", "batch = 4"),
             wip, exact.batch_queue(3.2, 1, 4), "chain; Neuts (1967)", 5e7, 3000),
    ]  # fmt: skip
    return found + priority()


def moments(cycle: str) -> tuple[float, float]:
    """Return the first two moments of a distribution."""
    given = parse(cycle)
    if given.kind == "empirical":
        return exact.empirical(given.parameters)
    return exact.moments(given.kind, given.parameters)


def priority() -> list[Case]:
    """Return two classes of parts at one station, the urgent ones first."""
    arrivals, means = (0.3, 0.4), (1.0, 1.0)
    text = "".join(
        f"[products.{name}]\narrival = 'exponential({1 / rate})'\ninto = '{name}'\n"
        f"[buffers.{name}]\n"
        for name, rate in zip(("urgent", "other"), arrivals, strict=True)
    )
    text += "[stations.server]\ncycle = 'exponential(1)'\nfrom = ['urgent', 'other']\n"
    waiting = exact.cobham(arrivals, means, (2.0, 2.0))
    return [
        Case(f"M/M/1 with priority: {name} parts waiting", text, level(name), truth,
             "Cobham (1954)", 4e8, 3000)
        for name, truth in zip(("urgent", "other"), waiting.tolist(), strict=True)
    ]  # fmt: skip


def networks() -> list[Case]:
    arrivals = np.array([0.5, 0.0, 0.0])
    routing = np.array([[0.0, 0.6, 0.4], [0.2, 0.0, 0.8], [0.0, 0.25, 0.0]])
    service = np.array([1.0, 1.0, 0.9])
    inside = exact.jackson(arrivals, routing, service)
    jackson = (
        "[products.part]\narrival = 'exponential(2)'\ninto = 'qa'\n"
        "[stations.a]\ncycle = 'exponential(1)'\nfrom = 'qa'\nto = {qb = 0.6, qc = 0.4}\n"
        "[stations.b]\ncycle = 'exponential(1)'\nfrom = 'qb'\nto = {qa = 0.2, qc = 0.8}\n"
        f"[stations.c]\ncycle = 'exponential({1 / 0.9})'\nfrom = 'qc'\n"
        "to = {qb = 0.25, out = 0.75}\n"
        "[buffers.qa]\n[buffers.qb]\n[buffers.qc]\n"
    )
    closed = (
        "[stations.hub]\ncycle = 'exponential(1)'\nfrom = 'q0'\nto = {q1 = 0.5, q2 = 0.5}\n"
        "[stations.one]\ncycle = 'exponential(1.5)'\nfrom = 'q1'\nto = 'q0'\n"
        "[stations.two]\ncycle = 'exponential(2)'\nfrom = 'q2'\nto = 'q0'\n"
        "[buffers.q0]\ninitial = 6\n[buffers.q1]\n[buffers.q2]\n"
    )
    return [
        Case("open network of three: parts in it", jackson, wip, float(inside.sum()),
             "Jackson (1957)", 3e7, 3000),
        Case("closed network, 6 parts: throughput of the hub", closed, busy("hub"),
             exact.mean_value([1, 0.5, 0.5], [1, 1.5, 2], 6), "Reiser & Lavenberg (1980)",
             4e6, 1000),
    ]  # fmt: skip


def lines() -> list[Case]:
    one = "exponential(1)"
    fails = [failing(20, 2.5), failing(10, 2)]
    hunt = "chain; Hunt, Operations Research 4 (1956)"
    found = [
        Case("3 exponential stations, no buffer: throughput", row_of([one] * 3, [0, 0]), rate,
             exact.saturated([1, 1, 1], [0, 0]), f"{hunt}: 22/39", 1e7, 500),
        Case("2 exponential stations, buffer 4: throughput", row_of([one] * 2, [4]), rate,
             exact.saturated([1, 1], [4]), f"{hunt}: 6/7", 1e7, 500),
        Case("4 exponential stations, buffers 2, 1, 3", row_of(
             [one, "exponential(0.9)", one, "exponential(0.8)"], [2, 1, 3]), rate,
             exact.saturated([1, 1 / 0.9, 1, 1 / 0.8], [2, 1, 3]), "chain", 1e7, 500),
        Case("2 exponential stations that fail, buffer 4", row_of(
             [one, "exponential(0.9)"], [4], fails), rate,
             exact.saturated([1, 1 / 0.9], [4], [1 / 20, 1 / 10], [1 / 2.5, 1 / 2]),
             "chain; Gershwin, Manufacturing Systems Engineering (1994), 3", 3e7, 2000),
        Case("assembly of two saturated parts, buffers 2: throughput",
             "[stations.a]\ncycle = 'exponential(1)'\nto = 'qa'\n"
             "[stations.b]\ncycle = 'exponential(1)'\nto = 'qb'\n"
             f"[stations.join]\ncycle = 'exponential({1 / 1.5})'\nfrom = 'qa'\nneeds = {{qb = 1}}\n"
             "[buffers.qa]\ncapacity = 2\n[buffers.qb]\ncapacity = 2\n", rate,
             exact.assembly(1, 1, 1.5, 2), "chain", 1e7, 500),
    ]  # fmt: skip
    for first, second, capacity in ((0.9, 0.8, 1), (0.7, 0.7, 3)):
        cycles = [f"geometric({first}, 1)", f"geometric({second}, 1)"]
        found.append(
            Case(f"Bernoulli stations {first}, {second}, buffer {capacity}: throughput",
                 row_of(cycles, [capacity]), rate,
                 exact.bernoulli_after_service(first, second, capacity),
                 "chain, blocking after service; see below", 1e7, 500)
        )  # fmt: skip
    return found


def crews() -> list[Case]:
    machines = "".join(
        f"[stations.m{number}]\ncycle = '1'\n{failing(10, 2, crew='fitters')}\n"
        for number in range(6)
    )
    return [
        Case("6 machines, 2 repairmen: machines that stand",
             f"{machines}[crews.fitters]\nsize = 2\n", standing,
             exact.repairmen(6, 2, 1 / 10, 1 / 2), "Feller 1 (1968), XVII.7", 4e6, 500),
    ]  # fmt: skip


# ---- what is printed


def rows(results: Sequence[Result]) -> list[Row]:
    """Return two rows for each result: both have a limit."""
    found = []
    for result in results:
        said = f"exact {result.case.truth:.6g}, found {result.found.mean:.6g}; {result.method}"
        found += [
            row(result.case.name, abs(result.z), "|z|", most=MOST, peer=said),
            row("  half-width of the interval", 100 * result.width, "%", most=100 * WIDTH),
        ]
    return found


def page(results: Sequence[Result]) -> str:
    """Return the table for the docs."""
    lines = [
        f"| {each.case.name} | {each.case.truth:.6f} | {each.found.mean:.6f} | "
        f"{100 * each.width:.2f} % | {each.z:+.2f} | {each.method} | {each.case.source} |"
        for each in results
    ]
    worst = max(abs(each.z) for each in results)
    return HEAD + "\n".join(lines) + FOOT.format(
        count=len(results), worst=worst, seconds=sum(each.seconds for each in results)
    )  # fmt: skip


HEAD = """# Validation of the simulation kernel

Generated by `python benchmarks/validation.py --write docs/reference/validation.md`; do not edit.

Exact values come from formulas or from Markov chains that `benchmarks/exact.py` solves; nothing in
that file knows the kernel. z = (mean − exact) / standard error over independent replications; the
half-width is that of the 95 % interval, as a share of the exact value. `maxplus` and `events` name
the path that `simulate` chose by itself.

| case | exact | kernel | half-width | z | path | source |
| --- | ---: | ---: | ---: | ---: | --- | --- |
"""

FOOT = """

{count} cases, the largest |z| is {worst:.2f}; {seconds:.0f} s of processor time. Of so many cases
with right answers the largest |z| is expected at about 2.

**Warm-up.** A replication begins empty, and an average from then on would be biased. What happens
before `warm_up` is not counted; it is at least twenty relaxation times of each case (for M/M/1
1 / (√μ − √λ)², 90 s here), so that the bias left is far below the half-width.

**Blocking and slots.** Stations block after service: a finished part stays on its station until the
buffer behind has room, and a buffer of capacity 0 passes parts on when the next station is free.
A Bernoulli station of chance p per slot is a station with cycle `geometric(p, slot)`: it tries once
a slot until it succeeds. The chain of two such stations and a buffer of N counts 0 to N + 2 parts
between them; with N + 2 the first stands, finished. Li & Meerkov (2009) block before service: with
a full buffer a station may work in the very slot in which the next takes a part, and a slot lost to
blocking is drawn anew. Their chain differs in its uppermost state alone. `exact.bernoulli` is their
formula; the same chain solver that gives the values above, set to their rule, agrees with it to
1e-12 (`tests/sim/test_validation.py`).
"""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose name has a word")
    parser.add_argument("--write", type=Path, help="where the page of the docs goes")
    asked = parser.parse_args()
    chosen = [case for case in cases() if any(word in case.name for word in asked.only)]
    results = [run(case, 0.05 if asked.quick else 1.0) for case in chosen]
    if asked.write:
        asked.write.write_text(page(results), encoding="utf-8")
    told = rows(results)
    report("validation", told if not asked.quick else told[::2], as_json=asked.json)


if __name__ == "__main__":
    main()
