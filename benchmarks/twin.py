"""How fast lines are simulated: the ten-station line L10 beside SimPy, in the same run.

    python benchmarks/twin.py [--quick] [--json]

SimPy runs `peers/tandem.py`, which counts what the kernel counts of it: output, lead times, the
time in each state. Processor time of this process alone, one core; the kernel was compiled before.
Both begin with an empty line; that they agree is shown by z over independent replications.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from deungdae.sim import kernel
from deungdae.sim.line import Line, read
from deungdae.sim.outcome import Estimate, Outcome, estimate
from measure import Row, arguments, report, row
from peers import tandem

DAY, YEAR = 86_400.0, 365 * 86_400.0
SHIFT = 8 * 3600.0


class Sizes(NamedTuple):
    """How much is simulated: replications of SimPy, their days; of the kernel, events and line."""

    peers: int
    days: float
    events: int
    lines: int
    rounds: int


def l10(*, rework: bool) -> Line:
    """Return the reference line, with or without parts that are worked on again."""
    text = "name = 'L10'\n"
    for number in range(tandem.STATIONS):
        back = rework and number == tandem.INSPECTS - 1
        text += f"[stations.m{number}]\ncycle = 'triangular(45, 60, 75)'\n"
        text += "failures = [{every = 'exponential(14400)', repair = 'exponential(900)'}]\n"
        if number:
            text += f"from = {['rework', f'b{number - 1}'] if back else [f'b{number - 1}']}\n"
        if number < tandem.STATIONS - 1:
            text += f"to = 'b{number}'\n"
        if rework and number == tandem.INSPECTS:
            text += f"rework = {tandem.SHARE}\nrework_to = 'rework'\n"
    for number in range(tandem.STATIONS - 1):
        text += f"[buffers.b{number}]\ncapacity = {tandem.CAPACITY}\n"
    return read(text + ("[buffers.rework]\n" if rework else ""))


class Peer(NamedTuple):
    """What SimPy gave: by replication."""

    seconds: float
    throughput: np.ndarray
    lead_time: np.ndarray
    shares: np.ndarray


def simpy(sizes: Sizes, *, rework: bool) -> Peer:
    """Return SimPy's replications, with the processor time of all of them."""
    lines = [tandem.Tandem(seed, rework=rework) for seed in range(sizes.peers)]
    seconds = cpu(lambda: [line.run(sizes.days * DAY) for line in lines])
    return Peer(
        seconds,
        np.array([line.made / sizes.days / 24 for line in lines]),
        np.array([line.lead / line.made for line in lines]),
        np.array([line.state_time for line in lines]) / (sizes.days * DAY),
    )


def cpu(work: Callable[[], object]) -> float:
    """Return the processor time of some work, s."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def median(work: Callable[[], object], rounds: int) -> float:
    """Return the median processor time of some work, s; the first time, unmeasured, compiles."""
    work()
    return statistics.median(cpu(work) for _ in range(rounds))


def compared(name: str, peer: Peer, sizes: Sizes, line: Line) -> list[Row]:
    """Return how far the kernel's means are from SimPy's, in standard errors."""
    ours = kernel.simulate(line, horizon=sizes.days * DAY, replications=200, seed=7)
    found = [
        agreement(f"{name}: throughput, parts/h", ours.throughput, peer.throughput),
        agreement(f"{name}: lead time, s", ours.lead_time, peer.lead_time),
    ]
    for place, state in enumerate(("running", "starved", "blocked", "down")):
        worst = max(
            (distance(ours.share(state)[:, s], peer.shares[:, s, place]), s)
            for s in range(tandem.STATIONS)
        )
        found.append(row(f"{name}: share {state}, the worst of ten", worst[0], "|z|", most=4.0,
                         peer=f"station {worst[1] + 1}"))  # fmt: skip
    return found


def agreement(what: str, ours: np.ndarray, theirs: np.ndarray) -> Row:
    said = f"kernel {told(estimate(ours))}, SimPy {told(estimate(theirs))}"
    return row(what, distance(ours, theirs), "|z|", most=4.0, peer=said)


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the difference of two means in standard errors; inf where they cannot vary."""
    error = np.sqrt(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
    gap = abs(float(ours.mean() - theirs.mean()))
    return gap / float(error) if error > 0 else (0.0 if gap < 1e-9 else float("inf"))


def told(found: Estimate) -> str:
    return f"{found.mean:.2f} ± {found.half_width:.2f}"


def speed(name: str, peer: Peer, sizes: Sizes, years: float, seconds: float, least: float) -> Row:
    """Return how many times SimPy's speed the kernel had."""
    theirs = peer.seconds / (sizes.peers * sizes.days / 365)
    ours = seconds / years
    said = f"{1e3 * ours:.1f} ms a year; SimPy {theirs:.1f} s"
    return row(f"{name}: times SimPy's speed", theirs / ours, "1", least=least, peer=said)


def main() -> None:
    asked = arguments(__doc__).parse_args()
    sizes = Sizes(3, 10, 1, 32, 3) if asked.quick else Sizes(16, 20, 4, 1000, 3)
    general, plain = l10(rework=True), l10(rework=False)
    rows: list[Row] = []
    peers = {"L10": simpy(sizes, rework=True), "the line": simpy(sizes, rework=False)}

    def whole(line: Line, replications: int, horizon: float = YEAR) -> Outcome:
        return kernel.simulate(line, horizon=horizon, replications=replications)

    seconds = median(lambda: whole(general, sizes.events), sizes.rounds)
    rows.append(speed("L10, any table model", peers["L10"], sizes, sizes.events, seconds, 100))
    rows += compared("L10", peers["L10"], sizes, general)
    span = YEAR / 12 if asked.quick else YEAR
    whole(plain, 32, DAY)  # compiles
    seconds = cpu(lambda: whole(plain, sizes.lines, span))
    years = sizes.lines * span / YEAR
    rows.append(speed(f"the line without rework, {years:.0f} replication-years",
                      peers["the line"], sizes, years, seconds, 1000))  # fmt: skip
    rows += compared("the line", peers["the line"], sizes, plain)
    what_if = median(lambda: whole(general, 200, SHIFT), 7)
    rows.append(row("what-if: L10, 8 h, 200 replications", 1e3 * what_if, "ms CPU", most=50))
    what_if = median(lambda: whole(plain, 200, SHIFT), 7)
    rows.append(row("what-if: the line without rework, the same", 1e3 * what_if, "ms CPU", most=50))
    report("twin", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
