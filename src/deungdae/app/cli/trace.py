"""The trace of a serial, a lot or a carrier on the command line: its life, or its recall set."""

from __future__ import annotations

import argparse
from zoneinfo import ZoneInfo

from deungdae.app.trace import Found, Trace
from deungdae.core.clock import to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import SECOND

from .moments import opened, zone_of
from .output import Output, Row

MOST = 200_000  # things of a recall set: here somebody waits for all of them


def report(options: argparse.Namespace, output: Output) -> int:
    """Print the life of a code and where it went, or with --recall all that it went into."""
    zone = zone_of(options)
    with opened(options.store) as store:
        told = Trace(store, MOST)
        try:
            found = told.look(options.code)
        except NotEnoughData as error:
            near = ", ".join(told.nearest(options.code)) or "there are none"
            raise NotEnoughData(f"{error}; codes like it: {near}") from error
        if options.recall:
            _recall(told, found, output, zone)
        else:
            _life(told, found, output, zone)
    return 0


def _life(told: Trace, found: Found, output: Output, zone: ZoneInfo) -> None:
    known, place = told.thing(found.node), told.place(found.node)
    forward = told.genealogy.forward(found.node)
    backward = told.genealogy.backward(found.node)
    steps: list[Row] = [
        {
            "station": step.asset,
            "begun": "" if step.start is None else to_iso(step.start, zone),
            "done": to_iso(step.end, zone),
            "waited s": None if step.wait is None else step.wait / SECOND,
            "result": step.result,
            "things": step.count or None,
            "in": step.via,
            "into": step.into,
            "to": step.to,
            "doubts": ", ".join(step.doubts),
        }
        for step in told.life(found.node)
    ]
    went = {each.kind: each.count for each in told.counts(forward)}
    made = {each.kind: each.count for each in told.counts(backward)}
    if output.as_json:
        output.value(
            {
                "thing": known,
                "place": place,
                "steps": steps,
                "forward": went,
                "backward": made,
                "more": forward.more or backward.more,
            }
        )
        return
    where = f"last seen at {place.asset}, {to_iso(place.time, zone)}" if place else "never scanned"
    inside = "".join(f" in {carrier}" for carrier in place.carriers) if place else ""
    output.say(f"{known.code}  {known.kind} {known.product}  {where}{inside}\n")
    output.rows(steps, empty="it was never scanned itself; other scans name it")
    output.say(f"\nmade of: {_words(made)}\nwent into: {_words(went)}")


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) or "nothing known"


def _recall(told: Trace, found: Found, output: Output, zone: ZoneInfo) -> None:
    reach = told.genealogy.forward(found.node)
    rows: list[Row] = []
    for node in (found.node, *reach.nodes):
        known, place = told.thing(node), told.place(node)
        rows.append(
            {
                "code": known.code,
                "kind": known.kind,
                "product": known.product,
                "result": known.result,
                "last seen at": place.asset if place else "",
                "time": to_iso(place.time, zone) if place else "",
                "in": " > ".join(place.carriers) if place else "",
                "to": place.to if place else "",
            }
        )
    output.rows(rows)
    if reach.more:
        output.note(f"there is more: followed as far as {len(reach.found):,} things")
