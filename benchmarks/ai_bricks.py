"""How well bricks are inspected: learnt in one light, tested in others, and what an image costs.

Each group is one light of `sim.scene.wandering`, with good bricks and every kind of defect at any
severity from hardly visible on. Intervals are 95 % by bootstrap over whole lights: bricks in one
light are not independent. Nothing but good bricks is learnt from. The threshold comes from them, in
their one light; a second reference has learnt from bricks in many lights, as over some days; none
of those is a light that is tested in.

What was looked at when: the maps and their sizes were chosen on other bricks in other lights (other
seeds) of the same simulation; these here were only measured, before (.979) and after.

The baseline is the mean of the images learnt from: the score of a brick is the largest difference
from it, each image in shares of its own lightness.

The process that only judges holds the reference, reads a file, decodes and judges it.
"""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from deungdae.insight.vision import Reference, inspect, learn
from deungdae.learn.measure import auroc, bootstrap
from deungdae.sim.scene import KINDS, Defect, brick, wandering
from measure import Row, arguments, report, row

FALSE_REJECTS = 0.02
VISIBLE = 0.3  # severity from which on a defect is one that a person would name
Pixels = NDArray[np.uint8]
Score = Callable[[Pixels], float]

JUDGE = """
import json, pickle, sys, time
from pathlib import Path
from deungdae.insight.vision import inspect
from deungdae.wires.pixels import decoded
reference = pickle.loads(Path(sys.argv[1]).read_bytes())
spent = []
for name in sys.argv[2:]:
    begun = time.process_time()
    inspect(decoded(Path(name).read_bytes()), reference)
    spent.append(time.process_time() - begun)
status = Path("/proc/self/status").read_text()  # ru_maxrss would know the parent, too
most = int(status.split("VmHWM:")[1].split()[0])
print(json.dumps({"seconds": spent, "kibibytes": most}))
"""


class Bricks(NamedTuple):
    """Bricks to judge. light: which they lie in; severity: of their defect, 0 of good ones."""

    pixels: list[Pixels]
    light: NDArray[np.int64]
    kind: NDArray[np.str_]
    severity: NDArray[np.float64]


def bricks(random: np.random.Generator, lights: int, good: int) -> Bricks:
    """Return bricks in lights: some good ones in each, and one with each kind of defect."""
    pixels, told = [], []
    for number in range(lights):
        light = wandering(random)
        for _ in range(good):
            pixels.append(brick(random, light=light).pixels)
            told.append((number, "", 0.0))
        for kind, severity in zip(KINDS, random.beta(2, 2, len(KINDS)).tolist(), strict=True):
            defect = Defect(kind=kind, severity=severity)
            pixels.append(brick(random, defects=[defect], light=light).pixels)
            told.append((number, kind, severity))
    light, kind, severity = (np.asarray(column) for column in zip(*told, strict=True))
    return Bricks(pixels, light, kind, severity)


def mean_of(lesson: Sequence[Pixels]) -> Score:
    """Return the baseline."""

    def tone(pixels: Pixels) -> NDArray[np.float64]:
        grey = pixels.mean(axis=2)
        return ndimage.gaussian_filter(grey / grey.mean(), 1.0)

    mean = np.mean([tone(pixels) for pixels in lesson], axis=0)
    return lambda pixels: float(np.abs(tone(pixels) - mean).max())


def figures(
    name: str, reference: Reference, plain: Score, seen: Bricks, rounds: int, seconds: float
) -> Iterator[Row]:
    """Yield the rows of one reference."""
    score = np.asarray([inspect(pixels, reference).score for pixels in seen.pixels])
    bad = seen.kind != ""
    plainly = np.asarray([plain(pixels) for pixels in seen.pixels])
    wanted = {"all defects": bad, f"severity ≥ {VISIBLE}": seen.severity >= VISIBLE}
    for what, chosen in wanted.items():
        rows = ~bad | chosen
        found = bootstrap(auroc, seen.light[rows], score[rows], bad[rows], rounds=rounds,
                          random=np.random.default_rng(0))  # fmt: skip
        yield row(
            f"learnt in {name}: AUROC, {what}",
            found.value,
            "",
            least=0.99,
            interval=(found.low, found.high),
            baseline=f"{auroc(plainly[rows], bad[rows]):.3f} mean image",
            seconds=seconds,
        )
    over = score > reference.threshold
    shares = {
        f"false rejects, {100 * FALSE_REJECTS:g} % stated": (~bad, over),
        "escapes": (bad, ~over),
        f"escapes of severity ≥ {VISIBLE}": (seen.severity >= VISIBLE, ~over),
    }
    for what, (rows, hit) in shares.items():
        found = bootstrap(lambda hit: float(np.mean(hit)), seen.light[rows], hit[rows],
                          rounds=rounds, random=np.random.default_rng(0))  # fmt: skip
        yield row(f"learnt in {name}: {what}", found.value, "", interval=(found.low, found.high))
    for kind in KINDS:
        rows = ~bad | (seen.kind == kind)
        yield row(f"learnt in {name}: AUROC of {kind}", auroc(score[rows], bad[rows]), "")


def cost(reference: Reference, shown: Sequence[Pixels]) -> Iterator[Row]:
    """Yield what a process that only judges takes, from the file to the verdict."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "reference"
        known.write_bytes(pickle.dumps(reference))
        names = []
        for number, pixels in enumerate(shown):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=90)
            names.append(str(Path(folder) / f"{number}.jpg"))
            Path(names[-1]).write_bytes(file.getvalue())
        command = [sys.executable, "-c", JUDGE, str(known), *names]
        told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    spent = 1e3 * float(np.median(told["seconds"]))
    yield row("from the file to the verdict, 320 x 240, CPU of one core", spent, "ms", most=50)
    yield row("a process that only judges", told["kibibytes"] / 1e3 * 1.024, "MB", most=200)


def main() -> None:
    asked = arguments(__doc__).parse_args()
    learnt, lights, rounds = (50, 12, 200) if asked.quick else (120, 80, 1000)
    random = np.random.default_rng(20260302)
    lessons = {
        "one light": [brick(random).pixels for _ in range(learnt)],
        "many lights": [brick(random, light=wandering(random)).pixels for _ in range(learnt)],
    }
    seen = bricks(np.random.default_rng(7), lights, good=5)
    rows: list[Row] = []
    for name, images in lessons.items():
        begun = time.process_time()
        reference = learn(images, FALSE_REJECTS)
        seconds = time.process_time() - begun
        rows += figures(name, reference, mean_of(images), seen, rounds, seconds)
    rows += cost(reference, seen.pixels[:30])
    report("ai_bricks", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
