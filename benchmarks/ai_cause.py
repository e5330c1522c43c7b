"""Whether the causes that are named are the causes: planted ones found, chance not named.

Tables of parts are simulated with causes that are known: factors of all kinds, lots with an effect
of their own, slow noise, factors that always come together. Found: share of the planted causes that
are named. Chance: share of the named that are none (a factor that always comes with a cause counts
as named right where it is told as its rival). Beside it, on the same tables, what is often done
instead: each factor by itself at p < .05, and the factors that LightGBM finds more important than
the best of their shuffled copies. alpha is .05 as by default. The kinds of table are those that the
method was written with, at seeds 0 to 199 (the reckoning of slow noise was mended on them); the
seeds here begin at 1000 and were not looked at before.

Also: textbook experiments with their printed effects, and the NIST covers, whose part files,
results and program are joined by serial.
"""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable

import numpy as np

import measure
from deungdae.insight.cause import Column, Question, Table, causes, experiment, read
from measure import Row, row

DATA = measure.DATA / "nist-smstestbed"
FIRST = 1000

# Montgomery, Design and Analysis of Experiments, 8th ed., example 6.2: filtration rate, table 6.10
FILTRATION = (45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96)
PRINTED = {"A": 21.625, "C": 9.875, "D": 14.625, "A × C": -18.125, "A × D": 16.625, "B": 3.125}
# Box, Hunter and Hunter, Statistics for Experimenters, 2nd ed., table 5.2: pilot plant 2^3
PILOT = (60, 72, 54, 68, 52, 83, 45, 80)
PRINTED_PILOT = {"T": 23.0, "C": -5.0, "K": 1.5, "T × K": 10.0, "T × C": 1.5, "C × K": 0.0}


class Case:
    """A table whose causes are known. truth: names; alike: names that no data can tell from it."""

    def __init__(
        self, table: Table, truth: set[str], question: Question, alike: dict[str, str] | None = None
    ) -> None:
        self.table = table
        self.truth = truth
        self.question = question
        self.alike = alike or {}


def plain(random: np.random.Generator, n: int = 150, many: int = 16) -> Case:
    """Independent parts; a number, a machine and a curve are causes."""
    x = random.normal(size=(n, many))
    machine, lot = random.integers(0, 3, n), random.integers(0, 6, n)
    y = 0.5 * x[:, 0] + 0.9 * (machine == 2) + 0.45 * x[:, 1] ** 2 + random.normal(size=n)
    columns = [Column("y", y), *_numbers(x), _words("machine", machine), _words("lot", lot)]
    return Case(Table(tuple(columns)), {"x0", "x1", "machine"}, Question(result="y", rounds=50))


def lots(random: np.random.Generator) -> Case:
    """24 lots of 10 with an effect of their own; of 10 factors of lots one is a cause."""
    lot = np.repeat(np.arange(24), 10)
    of_lot = random.normal(size=(24, 10))
    own = random.normal(size=24)
    x = random.normal(size=(240, 4))
    y = 1.2 * of_lot[lot, 0] + own[lot] + 0.5 * x[:, 0] + random.normal(size=240)
    columns = [Column("y", y), *_numbers(x), *_numbers(of_lot[lot], "lot_x"), _words("lot", lot)]
    question = Question(result="y", group="lot", rounds=50)
    return Case(Table(tuple(columns)), {"x0", "lot_x0"}, question)


def slow(random: np.random.Generator) -> Case:
    """Slow noise and slow factors; one quick and one slow factor are causes."""
    n = 200
    walk = _slow(random, (n, 9), 0.95)
    quick = random.normal(size=(n, 4))
    y = 1.2 * walk[:, 0] + 0.6 * quick[:, 0] + 1.2 * _slow(random, (n, 1), 0.9)[:, 0]
    columns = [Column("y", y), *_numbers(walk, "slow"), *_numbers(quick),
               Column("t", np.arange(n, dtype=float))]  # fmt: skip
    return Case(Table(tuple(columns)), {"slow0", "x0"}, Question(result="y", time="t", rounds=50))


def together(random: np.random.Generator) -> Case:
    """Machine 2 always has lot B: nobody can say which of them it is."""
    n = 120
    machine = random.integers(0, 2, n)
    x = random.normal(size=(n, 8))
    y = 1.0 * machine + random.normal(size=n)
    columns = [Column("y", y), *_numbers(x), _words("machine", machine), _words("lot", machine)]
    return Case(
        Table(tuple(columns)), {"machine"}, Question(result="y", rounds=50), {"lot": "machine"}
    )


def rejects(random: np.random.Generator) -> Case:
    """Good or bad, 8 % bad; a tool and a temperature are causes."""
    n = 600
    x = random.normal(size=(n, 12))
    tool = random.integers(0, 4, n)
    bad = random.random(n) < 0.04 + 0.18 * (tool == 3) + 0.1 * (x[:, 0] > 1)
    columns = [Column.of_words("y", ["bad" if b else "good" for b in bad]), *_numbers(x),
               _words("tool", tool)]  # fmt: skip
    return Case(Table(tuple(columns)), {"x0", "tool"}, Question(result="y", rounds=50))


def nothing(random: np.random.Generator) -> Case:
    """20 parts and 16 factors, none of which is a cause."""
    x = random.normal(size=(20, 16))
    columns = [Column("y", random.normal(size=20)), *_numbers(x)]
    return Case(Table(tuple(columns)), set(), Question(result="y", rounds=50))


def _slow(random: np.random.Generator, shape: tuple[int, int], like: float) -> np.ndarray:
    noise = random.normal(size=shape)
    for place in range(1, shape[0]):
        noise[place] = like * noise[place - 1] + np.sqrt(1 - like**2) * noise[place]
    return noise


def _numbers(x: np.ndarray, name: str = "x") -> list[Column]:
    return [Column(f"{name}{place}", column) for place, column in enumerate(x.T)]


def _words(name: str, codes: np.ndarray) -> Column:
    return Column.of_words(name, [f"{name} {code}" for code in codes])


# ---- ours and the baselines


def ours(case: Case, random: np.random.Generator) -> set[str]:
    """Return what is named; a rival that is told stands for its cause."""
    found = causes(case.table, case.question, random)
    named = {each.factor for each in found.causes} - {"time (drift)"}
    for each in found.rivals:
        if each.cause in named and case.alike.get(each.cause) == each.rival:
            named = named - {each.cause} | {each.rival}
    return named


def correlation(case: Case, random: np.random.Generator) -> set[str]:
    """Return each factor that by itself has p < .05."""
    from scipy.stats import f_oneway, pearsonr

    y = _result(case)
    named = set()
    for column in _factors(case):
        if column.levels:
            groups = [y[column.value == code] for code in np.unique(column.value)]
            p = f_oneway(*[group for group in groups if len(group) > 1]).pvalue
        else:
            p = pearsonr(column.value, y).pvalue
        if p < 0.05:
            named.add(column.name)
    return named


def trees(case: Case, random: np.random.Generator) -> set[str]:
    """Return the factors that LightGBM finds more important than the best shuffled copy."""
    import lightgbm

    columns, y = _factors(case), _result(case)
    x = np.column_stack([column.value for column in columns])
    shuffled = np.column_stack([random.permutation(column) for column in x.T])
    model = lightgbm.LGBMRegressor(
        n_estimators=100, num_leaves=7, min_child_samples=5, n_jobs=1, verbose=-1, random_state=1
    )
    model.fit(np.column_stack([x, shuffled]), y)
    gain = model.booster_.feature_importance("gain")
    most = gain[len(columns) :].max()
    return {c.name for c, each in zip(columns, gain, strict=False) if each > most}


def _factors(case: Case) -> list[Column]:
    away = {case.question.result, case.question.time, case.question.group}
    return [column for column in case.table.columns if column.name not in away]


def _result(case: Case) -> np.ndarray:
    return case.table[case.question.result].value


def scored(
    name: str, make: Callable[[np.random.Generator], Case], seeds: int
) -> tuple[list[Row], int, int]:
    """Return the rows of one kind of table, and how many were named and of these are no causes."""
    hits = {way: np.zeros(seeds) for way in ("ours", "p<.05", "LightGBM")}
    wrong = {way: np.zeros(seeds) for way in hits}
    named = {way: np.zeros(seeds) for way in hits}
    planted = np.zeros(seeds)
    start = time.process_time()
    spent = 0.0
    for seed in range(seeds):
        case = make(np.random.default_rng(FIRST + seed))
        planted[seed] = len(case.truth)
        for way, find in (("ours", ours), ("p<.05", correlation), ("LightGBM", trees)):
            start = time.process_time()
            found = find(case, np.random.default_rng(seed))
            spent += time.process_time() - start if way == "ours" else 0.0
            hits[way][seed] = len(found & case.truth)
            named[way][seed], wrong[way][seed] = len(found), len(found - case.truth)
    rows = []
    others = [way for way in hits if way != "ours"]
    if planted.sum():
        beside = ", ".join(f"{way} {hits[way].sum() / planted.sum():.2f}" for way in others)
        rows.append(
            row(f"{name}: planted causes found", _share(hits["ours"], planted), "share",
                least=0.6, interval=_interval(hits["ours"], planted), baseline=beside,
                seconds=round(spent / seeds, 3))
        )  # fmt: skip
        beside = ", ".join(f"{way} {_share(wrong[way], named[way]):.2f}" for way in others)
        rows.append(
            row(f"{name}: of the named, chance", _share(wrong["ours"], named["ours"]), "share",
                most=0.1, interval=_interval(wrong["ours"], named["ours"]), baseline=beside)
        )  # fmt: skip
    else:
        beside = ", ".join(f"{way} {np.mean(wrong[way] > 0):.2f}" for way in others)
        some = (wrong["ours"] > 0).astype(float)
        rows.append(
            row(f"{name}: tables where anything is named", float(some.mean()), "share",
                most=0.1, interval=_interval(some, np.ones(seeds)), baseline=beside)
        )  # fmt: skip
    return rows, int(named["ours"].sum()), int(wrong["ours"].sum())


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / max(whole.sum(), 1))


def _interval(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a share, tables drawn anew."""
    random = np.random.default_rng(1)
    draws = random.integers(0, len(part), (1000, len(part)))
    shares = part[draws].sum(axis=1) / np.maximum(whole[draws].sum(axis=1), 1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


# ---- known answers


def textbook() -> list[Row]:
    """Return how far printed effects are missed."""
    rows = []
    for name, factors, result, printed, source in (
        ("filtration rate 2^4", "ABCD", FILTRATION, PRINTED, "Montgomery, table 6.12"),
        ("pilot plant 2^3", "TCK", PILOT, PRINTED_PILOT, "Box, Hunter, Hunter, ch. 5"),
    ):
        found = experiment(design(factors, result), "y")
        effects = {each.name: each.effect for each in found.effects}
        worst = max(abs(effects[key] - value) for key, value in printed.items())
        rows.append(
            row(f"{name}: largest difference to a printed effect", worst, "", most=0.001,
                published=source)
        )  # fmt: skip
        if name.startswith("filtration"):
            rows.append(
                row(f"{name}: difference to the printed margin of error", abs(found.margin - 6.748),
                    "", most=0.001, published="6.748 (Lenth's method)")
            )  # fmt: skip
    return rows


def design(factors: str, result: tuple[int, ...]) -> Table:
    """Return a full factorial in standard order."""
    lines = [",".join([*factors, "y"])]
    for run, value in enumerate(result):
        signs = [1 if run >> place & 1 else -1 for place in range(len(factors))]
        lines.append(",".join(map(str, [*signs, value])))
    return read("\n".join(lines).encode(), "design.csv")


def covers() -> list[Row]:
    """Return what is joined of the 20 covers."""
    from deungdae.app import making

    folder = DATA / "tdp" / "mtc"
    start = time.process_time()
    joined = making.read(
        sorted((folder / "PartData").glob("*.gz")),
        sorted(folder.glob("FAIR/*.qif")) + sorted(folder.glob("QIF-IncomingInspection/*.QIF")),
        sorted((folder / "NC-Code").glob("*.NC")),
    )
    spent = time.process_time() - start
    whole = [part for part in joined.parts if part.made.runs and part.results]
    fitted = [
        part for part in whole if any(fit.fits for fits in joined.fits(part) for _, fit in fits)
    ]
    lines = sum(
        len(gzip.decompress(path.read_bytes()).splitlines())
        for path in (folder / "PartData").glob("*.gz")
    )
    return [
        row("NIST covers: log and results joined by serial", len(whole), "of 20", least=20,
            seconds=round(spent, 2)),
        row("NIST covers: run found that the G-code belongs to", len(fitted), "of 20", least=20),
        row("NIST covers: lines of log read", lines, "lines"),
    ]  # fmt: skip


CASES = (
    ("18 factors", plain), ("lots", lots), ("slow noise", slow), ("always together", together),
    ("good or bad", rejects), ("nothing to find", nothing),
)  # fmt: skip


def main() -> int:
    """Measure and print."""
    options = measure.arguments(__doc__).parse_args()
    measure.need(DATA)
    rows: list[Row] = []
    for name, make in CASES:
        seeds = (10 if options.quick else 60) * (2 if make is nothing else 1)
        rows += scored(name, make, seeds)[0]
    rows += [*textbook(), *covers()]
    measure.report("ai_cause", rows, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
