"""How well bricks are inspected: learnt in one light, tested in others, and what an image costs.

Each group is one light of `sim.scene.wandering`, with good bricks and every kind of defect at any
severity from hardly visible on. Intervals are 95 % by bootstrap over whole groups: bricks in one
light are not independent. The threshold comes from the good bricks that were learnt from, in their
one light; a second reference has learnt from bricks in many lights, as over some days.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from deungdae.insight.vision import Reference, inspect, learn
from deungdae.sim.scene import KINDS, Defect, Light, brick, wandering
from measure import Row, arguments, report, row

FALSE_REJECTS = 0.02
VISIBLE = 0.3  # severity from which on a defect is one that a person would name
Scores = NDArray[np.float64]


class Group:
    """Scores of the bricks in one light: good float64[g], bad float64[b] with their severities."""

    def __init__(self, reference: Reference, random: np.random.Generator, good: int) -> None:
        light = wandering(random)
        self.seconds: list[float] = []
        self.good = np.asarray([self._score(reference, random, light) for _ in range(good)])
        severity = random.beta(2, 2, len(KINDS))
        self.bad = np.asarray(
            [
                self._score(reference, random, light, Defect(kind=kind, severity=float(s)))
                for kind, s in zip(KINDS, severity, strict=True)
            ]
        )
        self.severity = severity

    def _score(
        self, reference: Reference, random: np.random.Generator, light: Light, *defects: Defect
    ) -> float:
        pixels = brick(random, defects=defects, light=light).pixels
        begun = time.process_time()
        score = inspect(pixels, reference).score
        self.seconds.append(time.process_time() - begun)
        return score


def area(groups: Sequence[Group], chosen: Callable[[Group], Scores]) -> float:
    """Return the area under the ROC curve of the chosen bad against all good."""
    good = np.sort(np.concatenate([group.good for group in groups]))
    bad = np.concatenate([chosen(group) for group in groups])
    below = np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")
    return float(below.mean() / 2 / len(good))


def interval(
    groups: Sequence[Group], figure: Callable[[Sequence[Group]], float], rounds: int
) -> str:
    """Return the 95 % interval of a figure over groups drawn anew."""
    random = np.random.default_rng(0)
    drawn = [
        figure([groups[i] for i in random.integers(0, len(groups), len(groups))])
        for _ in range(rounds)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"95 %: {low:.3f} to {high:.3f}"


def figures(name: str, reference: Reference, groups: Sequence[Group], rounds: int) -> list[Row]:
    """Return the rows of one reference."""
    limit = reference.threshold
    asked: dict[str, Callable[[Sequence[Group]], float]] = {
        "AUROC": lambda gs: area(gs, lambda g: g.bad),
        f"AUROC of severity ≥ {VISIBLE}": lambda gs: area(
            gs, lambda g: g.bad[g.severity >= VISIBLE]
        ),
        f"false rejects, {100 * FALSE_REJECTS:g} % stated": lambda gs: float(
            np.mean(np.concatenate([g.good for g in gs]) > limit)
        ),
        "escapes": lambda gs: float(np.mean(np.concatenate([g.bad for g in gs]) <= limit)),
        f"escapes of severity ≥ {VISIBLE}": lambda gs: float(
            np.mean(np.concatenate([g.bad[g.severity >= VISIBLE] for g in gs]) <= limit)
        ),
    }
    rows = [
        row(f"{name}: {what}", figure(groups), "", peer=interval(groups, figure, rounds))
        for what, figure in asked.items()
    ]
    for place, kind in enumerate(KINDS):
        value = area(groups, lambda g, at=place: g.bad[at : at + 1])  # type: ignore[misc]
        rows.append(row(f"{name}: AUROC of {kind}", value, ""))
    return rows


def main() -> None:
    asked = arguments(__doc__).parse_args()
    learnt, lights, rounds = (50, 12, 200) if asked.quick else (120, 80, 1000)
    random = np.random.default_rng(20260302)
    lessons = {
        "one light": [brick(random).pixels for _ in range(learnt)],
        "many lights": [brick(random, light=wandering(random)).pixels for _ in range(learnt)],
    }
    rows: list[Row] = []
    for name, images in lessons.items():
        begun = time.process_time()
        reference = learn(images, FALSE_REJECTS)
        seconds = time.process_time() - begun
        drawn = np.random.default_rng(7)
        groups = [Group(reference, drawn, good=5) for _ in range(lights)]
        rows += figures(name, reference, groups, rounds)
    spent = np.median(np.concatenate([group.seconds for group in groups]))
    rows.append(row("inspecting an image of 320 x 240, CPU", 1e3 * float(spent), "ms", most=50))
    rows.append(row(f"learning from {learnt} images, CPU", seconds, "s"))
    report("inspection", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
