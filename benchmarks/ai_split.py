"""What a random split pretends of the magnetic tiles, and what is left when tiles stay whole.

The same two simple models, judged both ways: 100 principal components of 32 × 32 thumbnails with
extremely random trees (the audit of learn/split, as `dataset` runs it), and the nearest neighbour.
Five folds; intervals are 95 %, by bootstrap over whole tiles. The random figure stands here to be
disbelieved: nothing else in this table rests on a random split.

What was looked at when: the models are those of the data set's SOURCE.md and were not tuned. The
distance at which two images are called the same was chosen with these tiles in view.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deungdae.learn.measure import Interval, rate
from deungdae.learn.split import alike, audit, folds, hashes, thumbnail
from deungdae.wires.pixels import decoded
from measure import DATA, Row, arguments, need, report, row

SOURCE = "all 1,344 images, SOURCE.md"


def main() -> int:
    """Print the rows. Return 1 where a limit is missed."""
    options = arguments(__doc__).parse_args()
    folder = DATA / "magnetic-tile"
    need(folder)
    rows = measured(folder, rounds=200 if options.quick else 2000)
    report("ai split", rows, as_json=options.json)
    return 0


def measured(folder: Path, rounds: int) -> list[Row]:
    """Return what the audit says of the tiles."""
    with (folder / "manifest.csv").open(encoding="utf-8") as lines:
        told = list(csv.DictReader(lines))
    shown = np.stack([thumbnail(decoded((folder / each["file"]).read_bytes())) for each in told])
    bad = np.array([each["label"] != "free" for each in told])
    tiles = np.array([each["tile_group"] for each in told])
    begin = time.process_time()
    found = audit(shown, bad, tiles, rounds=rounds)
    spent = time.process_time() - begin
    random, grouped = (nearest(shown, bad, tiles, each) for each in (np.arange(len(bad)), tiles))
    first, second = alike(hashes(shown - shown.mean(axis=0)))
    return [
        row(
            f"AUROC pretended by a random split of {found.n} images", found.random.value, "",
            interval=ends(found.random), published=f".992 ({SOURCE})", seconds=spent,
        ),
        row(
            f"AUROC of the same model, {found.apart} tiles apart", found.grouped.value, "",
            interval=ends(found.grouped), published=f".692 ({SOURCE})",
        ),
        row(
            "this set would flatter you by", found.flatters.value, "AUROC",
            least=0.1, interval=ends(found.flatters),
        ),
        row(
            "nearest neighbour, right verdicts pretended by a random split", random.value, "",
            interval=ends(random), published=f".977 ({SOURCE})",
        ),
        row(
            "nearest neighbour, right verdicts, tiles apart", grouped.value, "",
            interval=ends(grouped), published=f".689 ({SOURCE})",
            baseline=f"{1 - bad.mean():.3f}: always good",
        ),
        row("groups that the manifest names", found.groups, "groups"),
        row("pairs that look the same, in one of its groups",
            int((tiles[first] == tiles[second]).sum()), "pairs"),
        row("pairs that look the same, in different groups", len(found.crossing), "pairs"),
        row("pairs that look the same, one good and one bad", len(found.contradictions), "pairs"),
    ]  # fmt: skip


def nearest(
    shown: NDArray[np.float32],
    bad: NDArray[np.bool_],
    tiles: NDArray[np.str_],
    groups: NDArray[np.generic],
) -> Interval:
    """Return how often the nearest image of other folds has the same verdict."""
    flat = shown.reshape(len(shown), -1)
    squares = (flat**2).sum(axis=1)
    away = squares[:, None] - 2 * flat @ flat.T + squares[None]
    fold = folds(groups, 5, 0, bad)
    away[fold[:, None] == fold[None]] = np.inf
    return rate(bad[away.argmin(axis=1)] == bad, tiles)


def ends(interval: Interval) -> tuple[float, float]:
    """Return the ends of an interval, as a row takes them."""
    return interval.low, interval.high


if __name__ == "__main__":
    sys.exit(main())
