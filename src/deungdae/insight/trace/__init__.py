"""Genealogy of serials, lots and carriers, from scans: lives, forward, backward, recall sets.

A scan is an Event of kind `scan` (or `image`, with data["serial"]): value is the code of the thing
in hand, the asset is the station, the time is when its work was done. `<station>.part` is for parts
that the station finishes (the twin counts these); wagons, pallets and lots are scanned under
another name (`kiln.wagon`, `robot.pallet`, `mixer.lot`). Data, all as text, none of it a must:

product, result (good, rework, scrap), order;
start: when the work here began, ISO 8601 or ns;
lot: the lots it is made of or belongs to, with commas between;
from: the things that went into it (split, merge, assembly), with commas between;
into: the carrier or pack that it is put into from now on;
carrier: the carrier that it is in at this moment, and stays in;
to: where it leaves for: customer or shipment, in words;
serial, sscc: the thing's own code where value is a whole GS1 text.

A thing is in a carrier until its own next scan that names neither that carrier in `into` nor in
`carrier`. A carrier begins a new tour when it is loaded after it was scanned under another id than
those that load it. docs/explanation/traceability.md tells the whole.
"""

from __future__ import annotations

from .genealogy import Find, Genealogy, Link, Node, Reach, Reached, Stay
from .life import Place, Step, begun, life, place
from .making import Fit, Made, Run, Told, Work, fit, is_told_by, keys, made, settings, unusual
from .scan import NAMED, Sight, clean, read

__all__ = [
    "NAMED", "Find", "Fit", "Genealogy", "Link", "Made", "Node", "Place", "Reach", "Reached", "Run",
    "Sight", "Stay", "Step", "Told", "Work", "begun", "clean", "fit", "is_told_by", "keys", "life",
    "made", "place", "read", "settings", "unusual",
]  # fmt: skip
