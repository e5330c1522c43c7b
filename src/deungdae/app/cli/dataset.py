"""The verb dataset: sets of data to learn from are built, shown, verified, given and taken."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from deungdae.core.clock import to_iso
from deungdae.core.types import SECOND

from .output import Output, Row

if TYPE_CHECKING:
    from deungdae.app.datasets import Shelf
    from deungdae.app.datasets.audit import Audit
    from deungdae.app.datasets.make import Line
    from deungdae.learn.dataset import Card, Column, Dataset, Declaration
    from deungdae.model.factory import Factory

SOURCE = ("images", "manifest", "table", "label", "good", "groups", "mask", "golden", "time",
          "licence", "contributor", "file")  # options that a declaration says itself  # fmt: skip


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("dataset", help="sets of data to learn from: cut, kept, given away")
    whats = verb.add_subparsers(metavar="WHAT", required=True)
    _add_build(whats)
    everything = whats.add_parser("list", help="all versions of all sets")
    everything.set_defaults(run=_list)
    show = whats.add_parser("show", help="the card of a set, and who used it")
    show.set_defaults(run=_show)
    verify = whats.add_parser("verify", help="read all of a set for what was changed or lost")
    verify.set_defaults(run=_verify)
    use = whats.add_parser("use", help="write into the log who uses a set, and for what")
    use.add_argument("--for", dest="purpose", required=True, metavar="TEXT", help="what for")
    use.set_defaults(run=_use)
    export = whats.add_parser("export", help="write a package that others can read without us")
    export.add_argument("--for", dest="purpose", default="", metavar="TEXT", help="what for")
    export.set_defaults(run=_export)
    take = whats.add_parser("import", help="take a package that others wrote")
    take.add_argument("source", type=Path, metavar="DIR|FILE.zip")
    take.set_defaults(run=_import)
    veil = whats.add_parser("anonymise", help="make of a set one that tells of nobody")
    veil.add_argument("--keep", action="append", default=[], metavar="COLUMN",
                      help="of text, or of numbers like serials")  # fmt: skip
    veil.add_argument("--coarse", type=float, default=0.0, metavar="S",
                      help="cut times down to so many s; else all are shifted alike")  # fmt: skip
    veil.add_argument("--description", default="", metavar="TEXT", help="for the new card")
    veil.add_argument("--contributor", default="", metavar="NAME", help="for the new card")
    veil.set_defaults(run=_anonymise)
    audit = whats.add_parser("audit", help="by how much a careless split would flatter you")
    audit.set_defaults(run=_audit)
    drop = whats.add_parser("drop", help="remove a version and the images of no other set")
    drop.add_argument("--used", action="store_true", help="even if it was used: a model names it")
    drop.set_defaults(run=_drop)
    for each in (show, verify, use, export, veil, audit, drop):
        each.add_argument("set", metavar="NAME", help="a set, or NAME@VERSION; else the newest")
    veil.add_argument("name", metavar="NEW", help="name of the new set")
    export.add_argument("target", type=Path, metavar="DIR|FILE.zip", help="not there yet")
    for each in whats.choices.values():
        add_shelf(each)


def shelf_of(options: argparse.Namespace) -> Shelf:
    """Return the shelf that --sets, --store or --factory name; else `datasets` here."""
    from deungdae.app.datasets import SETS, Shelf  # noqa: PLC0415 — what reads and writes, for these verbs alone

    if options.sets is not None:
        return Shelf(options.sets)
    if options.store is not None:
        return Shelf(options.store / SETS)
    factory = _factory(options)
    return Shelf((_history(factory) if factory else Path()) / SETS)


def add_shelf(verb: argparse.ArgumentParser) -> None:
    """Add what says where sets lie and who acts, and --json."""
    verb.add_argument("--factory", type=Path, metavar="F", help="the sets in its history")
    verb.add_argument("--store", type=Path, metavar="S", help="the sets in this history")
    verb.add_argument("--sets", type=Path, metavar="DIR", help="the sets in this folder (datasets)")
    verb.add_argument(
        "--person", default="", metavar="NAME", help="who acts; else who is logged in"
    )
    verb.add_argument("--json", action="store_true", help="print JSON with stable keys")


def _add_build(whats: Any) -> None:
    build = whats.add_parser("build", help="cut a set from the line, a folder or a table")
    build.add_argument("set", metavar="NAME|FILE.dataset.toml", help="its name, or its declaration")
    add_source(build)
    build.add_argument("--no-audit", action="store_true", help="do not look what would flatter you")
    build.set_defaults(run=_build)


def add_source(build: Any) -> None:
    """Add what says where a set comes from, and what its columns mean."""
    build.add_argument("--images", metavar="DIR", help="folder of images")
    build.add_argument(
        "--manifest", default="", metavar="CSV", help="lists them; else all are taken"
    )
    build.add_argument("--table", metavar="FILE", help="rows of a CSV or Parquet file")
    build.add_argument("--label", default="", metavar="COLUMN")
    build.add_argument("--good", action="append", default=[], metavar="LABEL",
                       help="means good; all others mean bad (good)")  # fmt: skip
    build.add_argument("--groups", default="", metavar="COLUMN",
                       help="what belongs together: part, tile, lot; without a manifest: prefix, or"
                       " a regular expression for the file's name")  # fmt: skip
    build.add_argument(
        "--mask", default="", metavar="COLUMN", help="the file of its mask, or of a text of boxes"
    )
    build.add_argument("--golden", default="", metavar="COLUMN|FILE|OLD=NEW",
                       help="the file of its golden image; without a manifest: the one for all, or"
                       " what to change in an image's name, as _test=_temp")  # fmt: skip
    build.add_argument("--file", default="", metavar="COLUMN", help="the image's file (file)")
    build.add_argument("--time", default="", metavar="COLUMN")
    build.add_argument("--licence", default="", metavar="TEXT", help="SPDX code, or words")
    build.add_argument("--contributor", default="", metavar="NAME", help="who gives it")
    build.add_argument("--tz", default="", metavar="ZONE", help="of times; else the factory's, UTC")


def _build(options: argparse.Namespace, output: Output) -> int:
    dataset = made(options)
    found = None if options.no_audit else _audited(options, dataset)
    if output.as_json:
        output.value({**msgspec.to_builtins(dataset.card), "audit": found})
        return 0
    _say_card(dataset.card, output)
    _say_list(output, "what an audit found", found.said if found else ())
    return 0


def _audited(options: argparse.Namespace, dataset: Dataset) -> Audit:
    from deungdae.app.datasets.audit import audit  # noqa: PLC0415 — as above

    return audit(shelf_of(options), dataset, person(options))


def made(options: argparse.Namespace) -> Dataset:
    """Return the set that the options of `add_source` and --sets ask for, kept on its shelf."""
    from deungdae.app.datasets import make  # noqa: PLC0415 — as above

    declared, base = _declared(options)
    shelf, who = shelf_of(options), person(options)
    if make.is_of_line(declared):
        with _line(options) as source:
            return make.from_line(shelf, declared, source, who)
    return make.from_files(shelf, declared, base, _zone(options), who)


@contextmanager
def _line(options: argparse.Namespace) -> Iterator[Line]:
    """Give the history to cut from: of the factory, or in the folder. Raises ValueError."""
    from deungdae.app.datasets.make import Line  # noqa: PLC0415 — as above

    from .moments import opened  # noqa: PLC0415 — as above

    factory = _factory(options)
    if options.store is None and factory is None:
        raise ValueError("this set comes from the line: say which with --factory or --store")
    history: Path = options.store or _history(factory)
    with opened(history) as store:
        yield Line(store, factory)


def _factory(options: argparse.Namespace) -> Any:
    """Return the factory that --factory names, read once, or None."""
    if options.factory is None:
        return None
    from deungdae.app import describe  # noqa: PLC0415 — as above

    if "described" not in options:
        options.described = describe.read(options.factory)
    return options.described


def _history(factory: Factory) -> Path:
    return factory.path.parent / str(factory.sections["historian"].path)


def _declared(options: argparse.Namespace) -> tuple[Declaration, Path]:
    """Return what is to be cut, and the folder that its paths begin from. Raises ValueError."""
    from deungdae.app.datasets import NAME, make  # noqa: PLC0415 — as above
    from deungdae.learn.dataset import Declaration, Folder, Table  # noqa: PLC0415 — as above

    given = [name for name in SOURCE if getattr(options, name)]
    if options.set.endswith(".toml"):
        if given:
            raise ValueError(f"{options.set} says all of it: leave out --{', --'.join(given)}")
        path = Path(options.set)
        return make.read(path), path.parent
    if not NAME.fullmatch(options.set):
        raise ValueError(
            f"{options.set}: no name of a set (small letters, digits, - and _) and no .dataset.toml"
        )
    if not (options.images or options.table):
        raise ValueError("say where the data are: --images DIR, --table FILE, or a declaration")
    if options.table and (options.manifest or options.mask or options.golden):
        raise ValueError("--manifest, --mask and --golden are for images, and --table gives rows")
    folder = Folder(
        images=options.images, manifest=options.manifest, label=options.label,
        group=options.groups, mask=options.mask, time=options.time, golden=options.golden,
        file=options.file or "file",
    ) if options.images else None  # fmt: skip
    table = Table(
        file=options.table, label=options.label, group=options.groups, time=options.time
    ) if options.table else None  # fmt: skip
    declared = Declaration(
        name=options.set, good=tuple(options.good) or ("good",), licence=options.licence,
        contributor=options.contributor, folder=folder, table=table,
    )  # fmt: skip
    return declared, Path()


def _zone(options: argparse.Namespace) -> Any:
    from .moments import zone_of  # noqa: PLC0415 — as above

    if not options.tz and (factory := _factory(options)):
        return factory.zone
    options.tz = options.tz or "UTC"
    return zone_of(options)


def person(options: argparse.Namespace) -> str:
    return str(options.person or getpass.getuser())


def _list(options: argparse.Namespace, output: Output) -> int:
    cards = shelf_of(options).cards()
    rows: list[Row] = [
        {
            "set": card.name,
            "version": card.version if output.as_json else card.version[:12],
            "kind": card.kind,
            "items": card.items,
            "groups": card.groups,
            "labels": {count.label or "(none)": count.items for count in card.counts},
            "licence": card.licence,
            "made": to_iso(card.made),
        }
        for card in cards
    ]
    output.rows(rows, empty="no set of data yet: deungdae dataset build")
    return 0


def _show(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.datasets.audit import kept  # noqa: PLC0415 — as above

    shelf = shelf_of(options)
    card = shelf.card(options.set)
    uses = [entry for entry in shelf.log(card.name) if entry.data.get("version") == card.version]
    found = kept(shelf, card)
    if output.as_json:
        output.value({"card": card, "log": uses, "audit": found})
        return 0
    _say_card(card, output)
    _say_list(output, "what an audit found", found.said if found else ())
    output.say("\nwhat was done with it")
    output.rows(
        [
            {
                "time": to_iso(entry.time),
                "what": entry.kind,
                "who": entry.who,
                "for": entry.data.get("purpose", ""),
            }
            for entry in uses
        ]
    )
    return 0


def _verify(options: argparse.Namespace, output: Output) -> int:
    problems = shelf_of(options).verify(options.set)
    output.rows([{"problem": problem} for problem in problems], empty="all is as it was kept")
    return 1 if problems else 0


def _use(options: argparse.Namespace, output: Output) -> int:
    shelf = shelf_of(options)
    card = shelf.get(options.set).card
    entry = shelf.use(card, person(options), options.purpose)
    _say_agreed(card, output)
    if output.as_json:
        output.value(entry)
    output.say(f"noted: {entry.who} uses {options.set} for {options.purpose}")
    return 0


def _export(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.datasets.give import give  # noqa: PLC0415 — as above

    shelf = shelf_of(options)
    card = give(shelf, options.set, options.target, person(options), options.purpose).card
    _say_agreed(card, output)
    if not card.licence:
        output.note("no licence is said: who gets it may not use it; build it with --licence")
    if not card.anonymised:
        output.note("nothing was taken out: names and serials are as they were")
    if output.as_json:
        output.value({"set": card.name, "version": card.version, "target": str(options.target)})
    output.say(f"wrote {card.name}@{card.version[:12]} to {options.target}")
    return 0


def _import(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.datasets.give import take  # noqa: PLC0415 — as above

    _say_card(take(shelf_of(options), options.source, person(options)).card, output)
    return 0


def _drop(options: argparse.Namespace, output: Output) -> int:
    if "@" not in options.set:
        raise ValueError(f"{options.set}: say which version, as {options.set}@3f2a91")
    shelf = shelf_of(options)
    card = shelf.card(options.set)
    uses = [e for e in shelf.log(card.name) if (e.kind, e.data["version"]) == ("use", card.version)]
    if uses and not options.used:
        raise ValueError(
            f"{options.set} was used {len(uses)} times, last for {uses[-1].data['purpose']}: what"
            " was learnt from it could not be checked any more; --used drops it all the same"
        )
    freed = shelf.drop(card, person(options))
    if output.as_json:
        output.value({"set": card.name, "version": card.version, "freed": freed})
    output.say(f"dropped {card.name}@{card.version[:12]}; {freed:,} bytes of images became free")
    return 0


def _say_agreed(card: Card, output: Output) -> None:
    """Say beside the answer what was agreed: whether this use is among it, a person judges."""
    output.note(f"agreed uses: {_joined(*card.consent.uses) or 'none were said'}")


def _anonymise(options: argparse.Namespace, output: Output) -> int:
    from deungdae.app.datasets.anonymise import anonymise  # noqa: PLC0415 — as above

    dataset = anonymise(
        shelf_of(options),
        options.set,
        options.name,
        person(options),
        keep=options.keep,
        coarse=round(options.coarse * SECOND),
        description=options.description,
        contributor=options.contributor,
    )
    _say_card(dataset.card, output)
    return 0


def _audit(options: argparse.Namespace, output: Output) -> int:
    found = _audited(options, shelf_of(options).get(options.set))
    if output.as_json:
        output.value(found)
    for line in found.said:
        output.say(line)
    for first, second in found.pairs:
        output.say(f"- {first} looks like {second}")
    return 0


def _say_card(card: Card, output: Output) -> None:
    """Print a card for people, or whole as JSON."""
    if output.as_json:
        output.value(msgspec.to_builtins(card))
        return
    output.say(
        f"{card.name}@{card.version[:12]}  {card.items:,} {_kind(card)} in {card.groups:,} groups"
    )
    for name, told in _told(card):
        if told:
            output.say(f"  {name:<12} {told}")
    output.say("")
    output.rows(
        [
            {
                "label": count.label or "(none)",
                "means": _meaning(count.label, card.good),
                "items": count.items,
                "groups": count.groups,
            }
            for count in card.counts
        ]
    )
    _say_list(output, "what it cannot promise", card.limits)
    _say_list(output, "what could not be taken", card.left_out)
    _say_list(output, "anonymised", card.anonymised)


def _kind(card: Card) -> str:
    return "images" if card.kind == "images" else "rows"


def _meaning(label: str, good: Sequence[str]) -> str:
    if not label:
        return "not known"
    return "good" if label in good else "bad"


def _told(card: Card) -> list[tuple[str, str]]:
    origin, consent = card.origin, card.consent
    period = " to ".join(to_iso(moment) for moment in card.drift) if card.drift[0] else ""
    return [
        ("description", card.description),
        ("from", _joined(origin.factory, origin.line, *origin.signals, origin.files)),
        ("period", period),
        ("contributor", card.contributor),
        ("consent", _joined(consent.by, consent.on, *consent.uses)),
        ("licence", card.licence or "none said: it may not be given away"),
        ("columns", _joined(*(_column(each) for each in card.columns))),
        ("masks", str(card.masks or "")),
        ("made of", ", ".join(card.parents)),
    ]  # fmt: skip


def _column(column: Column) -> str:
    return f"{column.name} [{column.unit}]" if column.kind == "number" else column.name


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def _say_list(output: Output, title: str, lines: Sequence[str]) -> None:
    if lines:
        output.say(f"\n{title}")
        for line in lines:
            output.say(f"- {line}")
