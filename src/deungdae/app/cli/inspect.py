"""The verb inspect: train an inspection of images, see how good it is, let it judge."""

from __future__ import annotations

import argparse
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deungdae.core.clock import RealClock, to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import FloatArray

from . import dataset as sets
from .output import Output, Row

if TYPE_CHECKING:
    from deungdae.app.models import Models
    from deungdae.learn.dataset import Dataset
    from deungdae.learn.images import Example
    from deungdae.learn.images.weights import Weights
    from deungdae.learn.inspection import Judge
    from deungdae.learn.measure import Interval, Threshold
    from deungdae.learn.registry import Card, Promised

GOOD = ("good", "ok", "free", "normal")  # labels that mean good, where nobody says which
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
FIGURES = {
    "auroc": "AUROC",
    "escape": "bad parts that pass",
    "false_reject": "good parts that are rejected",
    "automatic": "decided without a person",
}


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("inspect", help="inspection of images: train it, measure it, judge")
    whats = verb.add_subparsers(metavar="WHAT", required=True)

    train = whats.add_parser("train", help="train from images, within a budget of time")
    train.add_argument("--budget", type=seconds, default="15min", metavar="15min",
                       help="about so long on two cores: 90s, 15min, 1h")  # fmt: skip
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--escape", type=share, default="5%", metavar="5%",
                       help="bad parts that may pass")  # fmt: skip
    train.add_argument("--false-rejects", type=share, default="5%", metavar="5%",
                       help="good parts that may be rejected")  # fmt: skip
    train.add_argument("--workers", type=int, default=0, metavar="N",
                       help="processes that train; 0: one for each core")  # fmt: skip
    train.add_argument("--weights", type=Path, metavar="FILE",
                       help="of a ResNet that learnt elsewhere, to be tried too")  # fmt: skip
    train.add_argument("--weights-licence", default="", metavar="TEXT",
                       help="under which they may be used, for the model's card")  # fmt: skip
    train.add_argument("--ray", default="off", metavar="off|auto|ADDRESS",
                       help="on a Ray cluster, as [compute] ray")  # fmt: skip
    train.set_defaults(run=_train)

    evaluate = whats.add_parser(
        "evaluate", help="how good a model is on parts it never saw: of its own set, or of another"
    )
    evaluate.add_argument("--against", default="", metavar="VERSION", help="compare with this one")
    evaluate.add_argument("--escape-costs", type=float, metavar="MONEY",
                          help="a bad part that passes; with the two below: the cheapest limit "
                          "where nobody can be asked")  # fmt: skip
    evaluate.add_argument("--reject-costs", type=float, metavar="MONEY",
                          help="a good part that is rejected")  # fmt: skip
    evaluate.add_argument("--bad-share", type=share, metavar="1%",
                          help="of the parts on the line")  # fmt: skip
    evaluate.set_defaults(run=_evaluate)
    for each in (train, evaluate):
        each.add_argument("--set", default="", metavar="NAME", help="a set, NAME or NAME@VERSION; "
                          "or say where the images are:")  # fmt: skip
        sets.add_source(each)

    judge = whats.add_parser("judge", help="what a model says of images: pass, reject or unsure")
    judge.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    judge.set_defaults(run=_judge)

    drift = whats.add_parser("drift", help="whether images still look like those it learnt from")
    drift.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of them")
    drift.set_defaults(run=_drift)

    for each in (judge, drift):
        each.add_argument("--golden", type=Path, metavar="IMAGE", help="of a right part, for a "
                          "model that compares")  # fmt: skip

    known = whats.add_parser("list", help="all models and their versions")
    known.set_defaults(run=_list)
    for each in whats.choices.values():
        each.add_argument("--model", default="", metavar="NAME", help="a model, or NAME@VERSION; "
                          "else the only one, its newest")  # fmt: skip
        each.add_argument("--models", type=Path, metavar="DIR", help="they lie here (models)")
        sets.add_shelf(each)


def seconds(text: str) -> float:
    """Return a length of time like 90s, 15min, 1h in s."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: write 90s, 15min or 1h")
    return float(found[1]) * UNITS[found[2]]


def share(text: str) -> float:
    """Return a share like 5% or 0.05."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a share between 0 and 1, like 5% or .05")
    return value


def _train(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.compute import Compute, ComputeOptions  # noqa: PLC0415 — for this verb alone
    from deungdae.insight.vision import taught  # noqa: PLC0415 — as above
    from deungdae.learn.inspection import Lesson, networks, teach  # noqa: PLC0415 — as above

    source, shelf = _set(options), sets.shelf_of(options)
    name = options.model or source.card.name
    lesson = Lesson(
        name=name,
        dataset=source.card.id,
        seconds=options.budget,
        seed=options.seed,
        escape=options.escape,
        false_reject=options.false_rejects,
        now=RealClock().now(),
        weights=_weights(options),
    )
    said = ""

    def tell(what: str, done: float) -> None:
        nonlocal said
        if what != said:
            output.note(f"{100 * done:3.0f} %  {what}")
            said = what

    models, examples = _models(options), _examples(source, shelf)
    begun = time.monotonic()
    with Compute(ComputeOptions(ray=options.ray, workers=options.workers)) as compute:
        crowd = partial(
            networks,
            used=lambda: (time.monotonic() - begun) / lesson.seconds,
            crew=compute.crew,
        )
        card, content = teach(
            lesson, examples, tell, makers=taught.makers(examples, crowd), load=taught.load
        )
    card = models.add(card, content)
    shelf.use(source.card, sets.person(options), f"training of {name}", model=card.version)
    if output.as_json:
        output.value(_plain(card))
        return 0
    _say(card, output)
    where = models.folder / card.name / card.version
    output.say(f"\nkept as {card.name}@{card.version} in {where}")
    return 0


def _evaluate(options: argparse.Namespace, output: Output) -> int:
    from deungdae.insight.vision.taught import load  # noqa: PLC0415 — as above
    from deungdae.learn.compare import compare, verdicts  # noqa: PLC0415 — as above
    from deungdae.learn.inspection import is_held_out, measured, scores  # noqa: PLC0415 — as above

    models = _models(options)
    card, content = _chosen(models, options.model)
    if not options.set and not options.images:  # then by what it kept back of its own
        options.set = card.dataset.partition(", ")[0]
    source = _set(options)
    examples = _examples(source, sets.shelf_of(options))
    learnt_from = source.card.id in card.dataset.split(", ")
    if learnt_from:
        examples = [each for each in examples if is_held_out(each.group)]
        output.note(f"{card.name} learnt from this set: judged on its held-out groups alone")
    known = [each for each in examples if each.bad is not None]
    score = scores(load(content), known)
    metrics, missing = measured(card, known, score)
    if not metrics:
        raise NotEnoughData("; ".join(missing))
    bad = np.array([bool(each.bad) for each in known])
    cheapest = _cheapest(options, score, bad)
    told: dict[str, Any] = {"model": f"{card.name}@{card.version}", "set": source.card.id,
                            "images": len(examples), "held_out": learnt_from,
                            "metrics": metrics, "missing": missing, "cheapest": cheapest,
                            }  # fmt: skip
    if options.against:
        other, before = models.read(card.name, options.against)
        contest = compare(
            verdicts(score, card.accept, card.reject),
            verdicts(scores(load(before), known), other.accept, other.reject),
            bad,
            [each.group for each in known],
            against=other.version,
            random=np.random.default_rng(0),
        )
        told["compared"] = contest
    if output.as_json:
        output.value(told)
        return 0
    output.say(f"{told['model']} on {told['images']} images of {told['set'][:40]}")
    output.rows(_figures(metrics))
    for each in missing:
        output.say(f"not told: {each}")
    if cheapest is not None:
        output.say(
            f"where nobody can be asked, reject from a score of {cheapest.limit:.3f} on: "
            f"on these parts {cheapest.cost:,.4g} a part ({cheapest.escape:.1%} of the bad ones "
            f"pass, {cheapest.false_reject:.1%} of the good are rejected); passing all costs "
            f"{cheapest.accept_all:,.4g}, rejecting all {cheapest.reject_all:,.4g}"
        )
    if options.against:
        output.say(
            f"against {contest.against}: {contest.verdict}; it saves {contest.saved} a part "
            "(a bad part that passes costs 10, a good one that is rejected 1, a look 0.1)"
        )
    return 0


def _cheapest(
    options: argparse.Namespace, score: FloatArray, bad: NDArray[np.bool_]
) -> Threshold | None:
    """Return the limit that costs least, None where nobody asks. Raises ValueError."""
    from deungdae.learn.measure import threshold  # noqa: PLC0415 — for this verb alone

    asked = {"--escape-costs": options.escape_costs, "--reject-costs": options.reject_costs,
             "--bad-share": options.bad_share}  # fmt: skip
    absent = [name for name, value in asked.items() if value is None]
    if len(absent) == len(asked):
        return None
    if absent:
        raise ValueError(f"say {' and '.join(absent)}, too: the cheapest limit hangs on all three")
    return threshold(
        score, bad, options.escape_costs, options.reject_costs, prevalence=options.bad_share
    )


def _judge(options: argparse.Namespace, output: Output) -> int:
    from deungdae.insight.vision.verdict import boxes_text  # noqa: PLC0415 — as above
    from deungdae.learn.compare import PASS, REJECT, verdicts  # noqa: PLC0415 — as above
    from deungdae.wires.pixels import decoded  # noqa: PLC0415 — as above

    card, content = _chosen(_models(options), options.model)
    judge = _at_work(content, options.golden)
    rows: list[Row] = []
    for path in options.images:
        begun = time.perf_counter()
        try:
            found = judge.judge(decoded(path.read_bytes()))
        except (OSError, ValueError, NotEnoughData) as error:
            rows.append({"image": str(path), "verdict": "unreadable", "score": None,
                         "where": "", "boxes": "", "ms": None,
                         "problem": str(error)})  # fmt: skip
            continue
        said = int(verdicts(np.array([found.score]), card.accept, card.reject)[0])
        y, x = np.unravel_index(int(found.heat.argmax()), found.heat.shape)
        rows.append(
            {
                "image": str(path),
                "verdict": {PASS: "pass", REJECT: "reject"}.get(said, "unsure"),
                "score": round(found.score, 4),
                "where": f"{100 * x // found.heat.shape[1]} % across, "
                f"{100 * y // found.heat.shape[0]} % down",
                "boxes": boxes_text(found.boxes),
                "ms": round(1000 * (time.perf_counter() - begun), 1),
                "problem": "",
            }
        )
    output.rows(rows)
    return 0 if all(row["verdict"] == "pass" for row in rows) else 1


def _drift(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.watch import of_folder  # noqa: PLC0415 — as above

    if not options.images.is_dir():
        raise ValueError(f"--images {options.images}: there is no such folder")
    card, content = _chosen(_models(options), options.model)
    looked, changes, notices = of_folder(card, _at_work(content, options.golden), options.images)
    if output.as_json:
        told = {"model": f"{card.name}@{card.version}", "images": looked,
                "changes": changes, "notices": notices}  # fmt: skip
        output.value(told)
        return 1 if notices else 0
    output.say(f"{card.name}@{card.version} on {looked} images of {options.images}")
    output.rows(
        [
            {"quantity": each.name, "learnt": round(each.before, 3), "now": round(each.now, 3),
             "moved": round(each.size, 2), "p": round(each.p, 4),
             "drifted": "yes" if each.drifted else ""}
            for each in changes
        ]
    )  # fmt: skip
    for notice in notices:
        output.say(f"{notice.problem}: {notice.remedy}")
    if not notices:
        output.say("they look like those it learnt from")
    return 1 if notices else 0


def _list(options: argparse.Namespace, output: Output) -> int:
    models = _models(options)
    rows: list[Row] = []
    for name in models.names():
        now = models.standing(name)
        stages = {now.acting: now.stage} | ({now.shadow: "shadow"} if now.shadow else {})
        rows += [
            {
                "model": name,
                "version": card.version,
                "stage": stages.get(card.version, ""),
                "method": card.method,
                "images": card.images,
                "auroc": str(card.metrics.get("auroc", "")),
                "trained": to_iso(card.trained),
            }
            for card in models.cards(name)
        ]
    output.rows(rows, empty="no model yet: deungdae inspect train")
    return 0


def _models(options: argparse.Namespace) -> Models:
    """Return the models that --models, --store or --factory name; else `models` here."""
    from deungdae.app.models import FOLDER, Models  # noqa: PLC0415 — as above

    return Models(options.models or sets.shelf_of(options).folder.parent / FOLDER)


def _chosen(models: Models, asked: str) -> tuple[Card, bytes]:
    """Return the model that was asked for. Raises LookupError, Tampered."""
    name, _, version = asked.partition("@")
    if not name:
        names = models.names()
        if len(names) != 1:
            known = ", ".join(names) or "there is none: deungdae inspect train"
            raise ValueError(f"say which model with --model NAME; {known}")
        (name,) = names
    if not version:
        cards = models.cards(name)
        if not cards:
            raise ValueError(f"no model is called {name}; known: {', '.join(models.names())}")
        version = models.standing(name).acting or cards[-1].version
    try:
        return models.read(name, version)
    except LookupError as error:
        raise ValueError(str(error)) from error


def _at_work(content: bytes, golden: Path | None) -> Judge:
    """Return the model in a file, beside a golden image where one is said. Raises ValueError."""
    from deungdae.insight.vision.taught import load  # noqa: PLC0415 — as above
    from deungdae.learn.inspection import beside  # noqa: PLC0415 — as above
    from deungdae.wires.pixels import decoded  # noqa: PLC0415 — as above

    judge = load(content)
    if golden is None:
        return judge
    if not golden.is_file():
        raise ValueError(f"--golden {golden}: there is no such file")
    return beside(judge, decoded(golden.read_bytes()))


def _set(options: argparse.Namespace) -> Dataset:
    """Return the set that is named, or made from what the options say."""
    if options.set:
        return sets.shelf_of(options).get(options.set)
    if not options.images:
        raise ValueError("say where the images are: --images DIR, or --set NAME")
    path = Path(options.images)
    name = re.sub(r"[^a-z0-9]+", "-", path.resolve().name.lower()).strip("-") or "images"
    manifest = path / "manifest.csv"
    if not options.manifest and manifest.is_file():
        columns = manifest.read_text(encoding="utf-8-sig").partition("\n")[0].strip().split(",")
        options.manifest = "manifest.csv"
        options.label = options.label or ("label" if "label" in columns else "")
        options.mask = options.mask or ("mask" if "mask" in columns else "")
        options.golden = options.golden or ("golden" if "golden" in columns else "")
    options.good = options.good or list(GOOD)
    options.set = name
    return sets.made(options)


def _weights(options: argparse.Namespace) -> Weights | None:
    """Return the weights from elsewhere that are to be tried. Raises ValueError."""
    from deungdae.learn.images.weights import LARGEST, Weights  # noqa: PLC0415 — as above

    path: Path | None = options.weights
    if path is None:
        if options.weights_licence:
            raise ValueError("--weights-licence: of which weights? Say --weights FILE")
        return None
    if not path.is_file():
        raise ValueError(f"--weights {path}: there is no such file")
    if path.stat().st_size > LARGEST:
        raise ValueError(
            f"--weights {path}: {path.stat().st_size:,} bytes; those of a ResNet have {LARGEST:,} "
            "at the most"
        )
    return Weights(path.read_bytes(), path.name, options.weights_licence)


def _examples(source: Dataset, shelf: Any) -> list[Example]:
    """Return what a set shows. An image that cannot be read is an error: it could be, once."""
    from deungdae.learn.images import Example  # noqa: PLC0415 — as above
    from deungdae.wires.pixels import decoded  # noqa: PLC0415 — as above

    goldens = {item.golden for item in source.items if item.golden}
    right = {ref: decoded(shelf.content(ref)) for ref in goldens}
    return [
        Example(
            pixels=decoded(shelf.content(item.ref)),
            bad=source.bad(item),
            group=item.group,
            ref=item.name,
            mask=decoded(shelf.content(item.mask)).max(axis=2) > 127 if item.mask else None,
            time=item.time,
            golden=right.get(item.golden),
        )
        for item in source.items
    ]


def _say(card: Card, output: Output) -> None:
    output.say(f"{card.method}, from {card.images} images of {card.groups} groups, "
               f"{card.bad} of them bad; judged on {card.held_out} of other groups")  # fmt: skip
    output.rows(_figures(card.metrics))
    if card.promised is not None:
        output.rows(_promises(card, card.promised))
    output.rows([{"tried": each.method, "auroc": round(each.auroc, 3)} for each in card.tried])
    for each in card.limits:
        output.say(f"- {each}")
    if card.weights is not None:
        output.say(f"weights from elsewhere: {card.weights.name}, {card.weights.content}")


def _promises(card: Card, promised: Promised) -> list[Row]:
    """Return what new parts may expect beside what was asked for; '' where nothing is promised."""
    held = {"escape": promised.escape, "false_reject": promised.false_reject}
    asked = {"escape": card.escape, "false_reject": card.false_reject}
    return [
        {"promised": FIGURES[name], "at most": "" if most is None else round(most, 3),
         "asked": asked[name]}
        for name, most in held.items()
    ]  # fmt: skip


def _figures(metrics: dict[str, Interval]) -> list[Row]:
    return [
        {"figure": FIGURES[name], "value": round(each.value, 3),
         "from": round(each.low, 3), "to": round(each.high, 3)}
        for name, each in metrics.items()
    ]  # fmt: skip


def _plain(card: Card) -> Any:
    """Return a card to print: without its window, which only programs compare with."""
    told = msgspec.to_builtins(card) | {"version": card.version}
    del told["window"]
    return told
