"""What parts are called, and what is read of them along a line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from deungdae.core.clock import from_iso
from deungdae.sim import line as lines
from deungdae.sim.labels import Label, Scan
from deungdae.sim.works import Before, Works

LINE = lines.read("""
sequence = ["a", "a", "b"]
[products.a]
[products.b]
[stations.mixer]
cycle = 40
yields = 4
to = "mass"
[buffers.mass]
capacity = 12
[stations.press]
cycle = 10
from = "mass"
to = "green"
[buffers.green]
capacity = 20
[stations.kiln]
cycle = 100
batch = 5
servers = 2
from = "green"
""")
BRICKWORKS = Path(__file__).resolve().parents[2] / "examples" / "brickworks" / "line.toml"
ORIGIN = from_iso("2026-11-20T00:00:00Z")


def read(works: Works, seconds: float) -> list[Scan]:
    found: list[Scan] = []
    works.heard = found.append
    works.advance(works.time + seconds)
    return found


def test_a_lot_makes_as_many_parts_as_it_yields_and_they_name_it() -> None:
    scans = read(Works(LINE, origin=ORIGIN), 3600.0)
    lots = {scan.value for scan in scans if scan.name == "lot"}
    pressed = [scan for scan in scans if scan.name == "part" and scan.station == "press"]
    serials = [scan.value for scan in pressed]
    assert len(set(serials)) == len(serials)
    by_lot: dict[str, int] = {}
    for scan in pressed:
        by_lot[scan.data["lot"]] = by_lot.get(scan.data["lot"], 0) + 1
    whole = {lot: count for lot, count in by_lot.items() if lot in lots}
    assert set(list(whole.values())[3:-4]) == {4}


def test_a_carrier_holds_what_went_in_together_and_its_parts_say_since_when() -> None:
    scans = read(Works(LINE, origin=ORIGIN), 3600.0)
    loaded = {scan.value: scan for scan in scans if scan.name == "loaded"}
    out: dict[str, list[Scan]] = {}
    for scan in scans:
        if scan.station == "kiln" and scan.data.get("carrier") in loaded:
            out.setdefault(scan.data["carrier"], []).append(scan)
    assert len(out) > 20
    for carrier, parts in out.items():
        assert len(parts) == int(loaded[carrier].data["parts"]) == 5
        start = from_iso(parts[0].data["start"])
        assert abs(start - ORIGIN - (loaded[carrier].time - 3600.0) * 1e9) <= 1e9


def test_an_order_is_a_run_of_one_product_and_each_station_tells_when_it_comes_to_it() -> None:
    scans = read(Works(LINE, origin=ORIGIN), 7200.0)
    orders = [scan for scan in scans if scan.name == "order" and scan.station == "mixer"]
    quantity = {"a": "8", "b": "4"}
    assert [scan.data["product"] for scan in orders[:4]] in (["a", "b"] * 2, ["b", "a"] * 2)
    assert all(scan.data["quantity"] == quantity[scan.data["product"]] for scan in orders)
    at_press = [scan.value for scan in scans if scan.name == "order" and scan.station == "press"]
    assert at_press == sorted(at_press)
    made = [s for s in scans if s.station == "press" and s.data.get("order") == at_press[3]]
    assert sum(scan.name == "part" for scan in made) == int(quantity[made[0].data["product"]])


def test_a_scan_is_one_text() -> None:
    scan = Scan(0.0, "press", 0, "part", "ST1", {"lot": "M-1"}, Label("ST1", "a"))
    assert scan.text == "ST1;lot=M-1"


def test_another_works_goes_on_with_the_same_parts() -> None:
    line = lines.read(BRICKWORKS.read_text(encoding="utf-8"))
    first = Works(line, origin=ORIGIN, warm=90_000.0)
    read(first, 3600.0)
    before = msgspec.json.decode(msgspec.json.encode(first.ended()), type=Before)
    inside = {label.serial for label in before.left.labels}
    second = Works(line, origin=ORIGIN + 3600 * 10**9, before=before)
    scans = read(second, 3600.0)
    for station in ("press-2", "dryer", "kiln", "camera", "store"):
        own = [scan for scan in scans if scan.station == station and scan.name == "part"]
        assert own
        assert own[0].value in inside
    fired = [scan for scan in scans if scan.station == "kiln" and scan.name == "part"]
    assert all(from_iso(scan.data["start"]) < ORIGIN for scan in fired)
    again = [scan.value for scan in scans if scan.name == "lot"]
    assert again[0] == f"M-{before.left.counts.lot + 1:06d}"
