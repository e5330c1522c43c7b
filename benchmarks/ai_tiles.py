"""How well defects of magnetic tiles are found on tiles that were not learnt from.

Nothing but the plant's own 677 images is used: no weights from elsewhere. All images of one tile
are on one side of every split, and groups that show the same tile are made one first. Each tile is
scored by two networks that have not seen it, and by weights of figures that have not either; the
four networks that go to work together, each with three quarters of the tiles, are not those pairs.
Limits of decisions are judged on folds that they do not come from.

Fixed by looking at folds of these tiles: the size of networks and crops, the shares of real, pasted
and made defects, that the rim alone of a large defect is asked about, that images are seen from
near and afar, the figures of heat maps, the number of steps. Nobody looked at tiles kept back.
"""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import measure
from deungdae.learn.images import Example, Trained, train
from deungdae.learn.measure import Conformal, auroc, bootstrap, rate
from deungdae.learn.measure.figures import balanced
from deungdae.learn.split import hashes, joined, near_duplicates, thumbnail

DATA = measure.DATA / "magnetic-tile"
CORES = 2
BUDGET, QUICK = 900.0, 40.0  # s of so many cores
SEED = 0
ERRORS, RELIABLE = 0.04, 0.96
PUBLISHED = "DifferNet .977, PatchCore .979: random splits, from memory"
JUDGE = """
import json, sys, time
from deungdae.learn.images import Inspector
from deungdae.app.album import decoded
inspector = Inspector.load(open(sys.argv[1], "rb").read())
took = []
for file in sys.argv[2:]:
    start = time.process_time()
    with open(file, "rb") as image:
        inspector.judge(decoded(image.read()))
    took.append(time.process_time() - start)
with open("/proc/self/status") as status:  # ru_maxrss would hold the parent's memory too
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps([took, memory]))
"""


class Pool:
    """Processes that train side by side."""

    def __init__(self, count: int) -> None:
        self.count = count

    def map(self, work: Callable[[Any], Any], parts: list[Any]) -> Iterator[Any]:
        """Yield the result of each part, in their order."""
        with ProcessPoolExecutor(self.count, get_context("spawn")) as processes:
            yield from processes.map(work, parts)


def main() -> int:
    """Train, judge, and print a row for each figure."""
    options = measure.arguments(__doc__).parse_args()
    measure.need(DATA)
    tiles, kinds, files = read()
    os.environ["OMP_NUM_THREADS"] = "1"
    used = cpu()
    trained = train(tiles, seconds=QUICK if options.quick else BUDGET, seed=SEED, crew=Pool(CORES))
    used = cpu() - used
    rows = [
        *ranked(trained, tiles, used, quick=options.quick),
        *kinds_found(trained, tiles, kinds),
        *decided(trained, tiles, None),
        *decided(trained, tiles, RELIABLE),
        *leaky(tiles),
        measure.row("training, CPU time of each of two cores", used / CORES / 60, "min", most=15),
        *judged(trained.content, files[:: 10 if options.quick else 4]),
    ]
    measure.report("ai_tiles", rows, as_json=options.json)
    return 0


def read() -> tuple[list[Example], list[str], list[Path]]:
    """Return the tiles, the kind of defect of each, and their files."""
    from deungdae.app.album import decoded

    tiles, kinds, files = [], [], []
    with (DATA / "manifest.csv").open(encoding="utf-8") as manifest:
        for line in csv.DictReader(manifest):
            file = DATA / line["file"]
            bad = line["label"] != "free"
            mask = decoded((DATA / line["mask"]).read_bytes())[:, :, 0] > 127 if bad else None
            tiles.append(
                Example(
                    pixels=decoded(file.read_bytes()),
                    bad=bad,
                    group=line["tile_group"],
                    ref=line["file"],
                    mask=mask,
                )
            )
            kinds.append(line["label"])
            files.append(file)
    return joined_up(tiles), kinds, files


def joined_up(tiles: list[Example]) -> list[Example]:
    """Return the tiles with those groups made one that show the same tile: some do."""
    small = np.stack([thumbnail(tile.pixels) for tile in tiles])
    alike = near_duplicates(hashes(small - small.mean(axis=0)))
    groups = joined([tile.group for tile in tiles], alike)
    return [
        msgspec.structs.replace(tile, group=str(group))
        for tile, group in zip(tiles, groups.tolist(), strict=True)
    ]


def ranked(trained: Trained, tiles: list[Example], used: float, *, quick: bool) -> list[Any]:
    """Return the AUROC of what was learnt, of each fold, and of each method that was tried."""
    bad = np.array([bool(tile.bad) for tile in tiles])
    groups = np.array([tile.group for tile in tiles])
    fold = trained.fold
    mean = bootstrap(by_fold, groups, trained.score, bad, fold, random=np.random.default_rng(0))
    whole = bootstrap(auroc, groups, trained.score, bad, random=np.random.default_rng(0))
    each = [auroc(trained.score[fold == one], bad[fold == one]) for one in np.unique(fold)]
    simple = max(tried.auroc for tried in trained.tried if tried.method != "networks")
    return [
        measure.row(
            f"AUROC on tiles not learnt from, mean of folds ({trained.method})",
            float(np.mean(each)),
            "",
            least=None if quick else 0.90,
            interval=(mean.low, mean.high),
            published=PUBLISHED,
            baseline=f"{simple:.3f}",
            seconds=used,
            peer=f"± {np.std(each):.3f}: " + " ".join(f"{figure:.3f}" for figure in each),
        ),
        measure.row("AUROC of all folds as one", whole.value, "", interval=(whole.low, whole.high)),
        *(
            measure.row(f"AUROC of {tried.method}, the same folds", tried.auroc, "")
            for tried in trained.tried
        ),
    ]


def by_fold(score: Any, bad: Any, fold: Any) -> float:
    """Return the mean of the AUROC of each fold that has good and bad ones."""
    figures = [
        auroc(score[fold == one], bad[fold == one])
        for one in np.unique(fold)
        if 0 < bad[fold == one].mean() < 1
    ]
    return float(np.mean(figures))


def kinds_found(trained: Trained, tiles: list[Example], kinds: list[str]) -> list[Any]:
    """Return the share of each kind of defect that is found at 5 % of false rejects."""
    bad = np.array([bool(tile.bad) for tile in tiles])
    limit = float(np.quantile(trained.score[~bad], 0.95))
    rows = []
    for kind in ("any", *sorted(set(kinds) - {"free"})):
        chosen = bad if kind == "any" else np.array([each == kind for each in kinds])
        groups = [tile.group for tile, one in zip(tiles, chosen, strict=True) if one]
        found = rate(trained.score[chosen] > limit, groups)
        rows.append(
            measure.row(
                f"found at 5 % false rejects: {kind} ({len(set(groups))} tiles)",
                found.value,
                "",
                interval=(found.low, found.high),
            )
        )
    return rows


def decided(trained: Trained, tiles: list[Example], reliability: float | None) -> list[Any]:
    """Return the share of tiles that is decided without a person, with both errors bounded, and
    with a reliability of what is decided, where one is asked.

    The limits for each fold come from the other folds. What a person is asked about counts neither
    as right nor as wrong.
    """
    bad = np.array([bool(tile.bad) for tile in tiles])
    groups = np.array([tile.group for tile in tiles])
    fold = trained.fold
    verdict = np.zeros(len(tiles), np.int8)
    for one in np.unique(fold):
        known = fold != one
        limits = Conformal.fit(
            trained.score[known],
            bad[known],
            groups[known],
            escape=ERRORS,
            false_reject=ERRORS,
            reliability=reliability,
        )
        verdict[~known] = limits.decisions(trained.score[~known])
    said = verdict != 0
    promised = f"{ERRORS:.0%} of each error promised"
    if reliability is not None:
        promised += f", {reliability:.0%} reliable"
    shares = [
        (f"decided without a person, {promised}", rate(said, groups)),
        ("escapes among all bad tiles", rate(verdict[bad] < 0, groups[bad])),
        ("false rejects among all good tiles", rate(verdict[~bad] > 0, groups[~bad])),
    ]
    rows = [
        measure.row(what, share.value, "", interval=(share.low, share.high))
        for what, share in shares
    ]
    if not (bad & said).any() or not (~bad & said).any():
        return rows  # nothing was decided of one kind: no reliability to tell of
    reliable = balanced(
        rate(verdict[bad & said] < 0, groups[bad & said]),
        rate(verdict[~bad & said] > 0, groups[~bad & said]),
    )
    interval = reliable.low, reliable.high
    what = "balanced reliability of what was decided"
    return [*rows, measure.row(what, reliable.value, "", least=reliability, interval=interval)]


def leaky(tiles: list[Example]) -> list[Any]:
    """Return what the simple methods pretend when images of one tile are on both sides."""
    apart = [msgspec.structs.replace(tile, group=tile.ref) for tile in tiles]
    tried = {each.method: each.auroc for each in train(apart, seconds=0).tried}
    best = max(tried, key=lambda method: tried[method])
    return [
        measure.row(
            f"pretended by a random split: AUROC of {best} (leaks, not a result)", tried[best], ""
        )
    ]


def judged(content: bytes, files: list[Path]) -> list[Any]:
    """Return the time from file to verdict, and the memory of a process that only judges."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as model:
        model.write(content)
        model.flush()
        command = [sys.executable, "-c", JUDGE, model.name, *map(str, files)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    times, memory = msgspec.json.decode(done.stdout)
    middle, slow = (1e3 * float(np.quantile(times, share)) for share in (0.5, 0.99))
    return [
        measure.row("file to verdict, one core, median", middle, "ms", most=50),
        measure.row("file to verdict, slowest in 100", slow, "ms"),
        measure.row("memory of a process that judges", memory / 1024, "MB", most=200),
    ]


def cpu() -> float:
    """Return the CPU seconds of this process and of those that it waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    sys.exit(main())
