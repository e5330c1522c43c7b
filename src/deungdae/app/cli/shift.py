"""The verb report, for shifts and weeks: their account in words, as JSON, or as PDF."""

from __future__ import annotations

import argparse
from typing import Any

from deungdae.app import accounts, describe, papers
from deungdae.app.remote import Archive
from deungdae.core.clock import RealClock, from_iso, to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY
from deungdae.insight.kpi.account import Account, Standing
from deungdae.insight.kpi.reasons import Language
from deungdae.insight.kpi.shifts import Turn, shifts_of
from deungdae.insight.kpi.telling import duration, label, tell, word
from deungdae.model.factory import Factory

from .moments import first_of, opened, period_of, zone_of
from .output import Output


def report(options: argparse.Namespace, output: Output) -> int:
    """Print the losses of a period, or the account of a shift or week; or write its PDF."""
    if options.pdf is not None and options.what == "losses":
        raise ValueError("report losses has no PDF: ask for report shift or week")
    now = RealClock().now()
    with opened(options.store) as store:
        factory = _factory(options, store)
        turn = _turn(options, store, factory, now)
        language: Language = options.language or factory.identity.language
        if options.pdf is not None:
            return _write(options, output, store, factory, turn, now, language)
        end = min(turn.end, now)
        found = accounts.accounts(
            store, factory, turn.start, end, now=now, until=turn.end, assets=options.asset
        )
    names = {asset.id: asset.name for asset in factory.assets.values()}
    if options.what == "losses":
        output.rows([row for each in found for row in _losses(each, language)])
    elif output.as_json:
        output.value(_document(found, turn, names, factory))
    else:
        _print(found, turn, names, factory, language, output)
    return 0


def _write(
    options: argparse.Namespace, output: Output, store: Archive, factory: Factory, turn: Turn,
    now: int, language: Language,
) -> int:  # fmt: skip
    if options.what == "week":
        content = papers.week_report(store, factory, turn.end, now, language, options.asset)
    else:
        content = papers.shift_report(store, factory, turn, now, language, options.asset)
    options.pdf.write_bytes(content)
    if output.as_json:
        output.value({"file": str(options.pdf)})
    output.say(f"wrote {options.pdf}")
    return 0


def _factory(options: argparse.Namespace, store: Archive) -> Factory:
    if options.factory:
        return describe.read(options.factory)
    return accounts.bare(store.signals(), zone_of(options).key)


def _turn(options: argparse.Namespace, store: Archive, factory: Factory, now: int) -> Turn:
    """Return the asked period: given by its ends, or the newest shift or week before --to.

    Raises NotEnoughData where no shift has ended yet.
    """
    if options.what == "losses" or (options.since and options.until):
        start, end = period_of(options, first_of(store))
        return accounts.turn_of(factory, start, end, now)
    zone = zone_of(options) if options.tz != "UTC" else factory.zone
    given = options.until or options.since
    moment = from_iso(given, zone) if given else now
    if options.what == "week":
        days = papers.week_before(factory, moment)
        return Turn(name="", start=days[0][0], end=days[-1][1], planned=0.0)
    turns = shifts_of(factory, moment - 8 * DAY, moment + 1)
    if options.since:
        chosen = [turn for turn in turns if turn.start <= moment < turn.end]
    else:
        chosen = [turn for turn in turns if turn.end <= moment]
    if not chosen:
        raise NotEnoughData(f"there is no shift at {to_iso(moment, factory.zone)}")
    return chosen[-1]


def _losses(each: Account, language: Language) -> list[dict[str, object]]:
    """Return the parts of a machine's planned time, and the time that made good parts."""
    rows: list[tuple[str, str, float]] = [
        (part.kind, word(part.kind, language), part.seconds) for part in each.parts
    ]
    if each.rated:
        rows.append(("effective", "유효" if language == "ko" else "Effective", each.effective))
    return [
        {
            "asset": each.asset,
            "kind": kind,
            "name": name,
            "seconds": seconds,
            "share": 100 * seconds / each.planned if each.planned else None,
        }
        for kind, name, seconds in rows
    ]


def _document(
    found: list[Account], turn: Turn, names: dict[str, str], factory: Factory
) -> dict[str, Any]:
    zone = factory.zone
    return {
        "shift": turn.name,
        "start": to_iso(turn.start, zone),
        "end": to_iso(turn.end, zone),
        "summary": {"ko": tell(found, names, "ko"), "en": tell(found, names, "en")},
        "machines": [
            _row(each)
            | {
                "parts": {part.kind: part.seconds for part in each.parts},
                "stops": [_stop(stop, factory) for stop in each.stops],
            }
            for each in found
        ],
    }


def _row(each: Account) -> dict[str, object]:
    figures = {name: result.value for name, result in each.results.items()}
    counts = each.counts
    return {
        "asset": each.asset,
        "planned": each.planned,
        "effective": each.effective if each.rated else None,
        "unknown": each.unknown,
        **figures,
        "good": counts.good,
        "scrap": counts.scrap,
        "due": counts.due,
    }


def _stop(stop: Standing, factory: Factory) -> dict[str, object]:
    return {
        "asset": stop.asset,
        "start": to_iso(stop.start, factory.zone),
        "end": to_iso(stop.end, factory.zone),
        "seconds": stop.seconds,
        "state": stop.state,
        "reason": stop.reason,
        "alarm": stop.alarm,
        "wants": stop.wants,
    }


def _print(
    found: list[Account], turn: Turn, names: dict[str, str], factory: Factory,
    language: Language, output: Output,
) -> None:  # fmt: skip
    output.say(label(turn.name, turn.start, turn.end, factory.zone, language))
    output.say(tell(found, names, language) + "\n")
    output.rows([_row(each) for each in found])
    output.say("")
    output.rows(
        [
            {
                "asset": row["asset"],
                "loss": row["name"],
                "time": duration(float(str(row["seconds"])), language),
                "%": row["share"],
            }
            for each in found
            for row in _losses(each, language)
        ]
    )
    stops = [stop for each in found for stop in each.stops if stop.wants or stop.reason]
    output.say("")
    output.rows([_stop(stop, factory) for stop in stops], empty="no stop wants a reason")
