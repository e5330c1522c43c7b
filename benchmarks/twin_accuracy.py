"""Twins learnt from seven days of lines that they have never seen, beside the truth.

Each line is drawn at random (random_lines), simulated, and leaves seven days of records: states and
scans, as a plant would. A twin is learnt from these, and says what the line makes in the long run,
with a 90 % interval. The truth is the mean of 100 simulations of four weeks of the line itself.
Beside it: what the line made in those seven days, which is what one knows without a twin.
"""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

import msgspec
import numpy as np

import random_lines
from deungdae.core.types import SECOND
from deungdae.sim import record
from deungdae.sim.kernel import Simulation, simulate
from deungdae.sim.line import Line
from deungdae.twin.replicate import Log, capability, learn, log_from
from measure import Row, arguments, report, row

FIRST, LINES = 100, 20  # seeds of the lines that count; nothing was tuned on them
DAY = 86_400.0
ORIGIN = round(4 * DAY) * SECOND  # 1970-01-05, a Monday
PARTS = 6  # a trace is taken in so many pieces


class Trial(NamedTuple):
    """One line: its truth, its twin's mean and interval, what the log shows, CPU of the parts."""

    truth: float
    mean: float
    low: float
    high: float
    seen: float
    learning: float
    asking: float

    @property
    def error(self) -> float:
        """Return the relative error of the twin."""
        return self.mean / self.truth - 1


def main() -> int:
    asked = arguments(__doc__).parse_args()
    count, draws = (3, 40) if asked.quick else (LINES, 100)
    trials = []
    for seed in range(FIRST, FIRST + count):
        trials.append(trial(seed, draws, reference=20 if asked.quick else 100))
        show(seed, trials[-1])
    report("twin_accuracy", rows(trials), as_json=asked.json)
    return 0


def trial(seed: int, draws: int, reference: int) -> Trial:
    """Return how a twin of one line fares."""
    line = random_lines.line(seed)
    warm = 7 * DAY if line.calendars else 2 * DAY
    truth = simulate(
        msgspec.structs.replace(line, warm_up=warm), horizon=warm + 28 * DAY,
        replications=reference, seed=999, origin=ORIGIN,
    )  # fmt: skip
    log = recorded(line, warm, seed + 5000)
    begun = time.process_time()
    twin = learn(log)
    learnt = time.process_time()
    found = capability(twin, run=simulate, draws=draws)
    return Trial(
        float(truth.throughput.mean()), found.mean, found.low, found.high,
        twin.observed.throughput, learnt - begun, time.process_time() - learnt,
    )  # fmt: skip


def recorded(line: Line, warm: float, seed: int) -> Log:
    """Return seven days of a line's records, as its machines tell them."""
    simulation = Simulation(line, seed=seed, origin=ORIGIN)
    events = [
        event
        for until in (warm, *np.linspace(warm, warm + 7 * DAY, PARTS + 1)[1:])
        for event in record.events(simulation.advance(float(until)), line, ORIGIN)
    ]
    machines = [asset for assets in record.assets(line) for asset in assets]
    start = ORIGIN + round(warm) * SECOND
    return log_from(events, machines, start, start + round(7 * DAY) * SECOND)


def show(seed: int, one: Trial) -> None:
    """Tell a line on its way, for those who watch."""
    inside = "inside" if one.low <= one.truth <= one.high else "OUTSIDE"
    print(
        f"line {seed}: truth {one.truth:.3f}/h, twin {one.mean:.3f} [{one.low:.3f}, "
        f"{one.high:.3f}] {inside}, error {one.error:+.2%}, seen {one.seen / one.truth - 1:+.2%}",
        file=sys.stderr,
    )


def rows(trials: list[Trial]) -> list[Row]:
    """Return the table: the distribution of the errors, and how often the interval held."""
    errors = np.asarray([each.error for each in trials]) * 100
    seen = np.asarray([each.seen / each.truth - 1 for each in trials]) * 100
    held = 100 * float(np.mean([each.low <= each.truth <= each.high for each in trials]))
    rms, plain = float(np.sqrt((errors**2).mean())), float(np.sqrt((seen**2).mean()))
    return [
        row("lines", len(trials), "1"),
        row("throughput, mean of the error's size", float(np.abs(errors).mean()), "%", most=2.0),
        row("throughput, rms error", rms, "%", peer=f"{plain:.2f} % what was seen in the log"),
        row("throughput, bias", float(errors.mean()), "%"),
        row("throughput, largest error", float(np.abs(errors).max()), "%"),
        row("lines within 2 %", 100 * float(np.mean(np.abs(errors) <= 2)), "%"),
        row("90 % interval held, at least", held, "%", least=85.0),
        row("90 % interval held, at most", held, "%", most=95.0),
        row("CPU of learning a line", float(np.median([each.learning for each in trials])), "s"),
        row("CPU of its interval", float(np.median([each.asking for each in trials])), "s"),
    ]


if __name__ == "__main__":
    sys.exit(main())
