"""The line as it stands now, from states and scans."""

from deungdae.core.types import SECOND, Event
from deungdae.sim import line as lines
from deungdae.twin.replicate import Mirror, mirror

LINE = lines.read("""
[stations.cut]
cycle = 60
to = "b"
[stations.weld]
cycle = 60
servers = 2
from = ["again", "b"]
to = "c"
[stations.test]
cycle = 60
from = "c"
rework = 0.1
rework_to = "again"
[buffers.b]
capacity = 2
[buffers.c]
[buffers.again]
[products.x]
family = "f"
[products.y]
""")


def state(asset: str, at: float, word: str) -> Event:
    return Event(id=f"{asset}.state", time=round(at * SECOND), kind="state", value=word)


def part(asset: str, at: float, serial: str, product: str = "x", result: str = "good") -> Event:
    data = {"product": product, "result": result}
    return Event(id=f"{asset}.part", time=round(at * SECOND), kind="scan", value=serial, data=data)


STORY = [
    state("cut", 0, "running"),
    part("cut", 60, "1"),
    state("weld-1", 60, "running"),
    part("cut", 120, "2", "y"),
    state("weld-2", 120, "running"),
    part("cut", 180, "3"),
    part("cut", 240, "4", "y"),
    part("cut", 300, "5"),
    state("cut", 300, "blocked"),
    part("weld-1", 310, "1"),
    state("test", 310, "running"),
    state("weld-2", 330, "down"),
]


def test_parts_are_where_they_were_seen_last() -> None:
    now = mirror(LINE, STORY, 340 * SECOND)
    # 2 is in weld-2, which is down; weld-1 took 3 when it had finished 1; 5 is held by cut
    assert now.buffers == {"b": ("y",)}
    assert [server.state for server in now.stations["weld"]] == ["running", "down"]
    assert now.stations["cut"][0].state == "blocked"
    assert now.stations["cut"][0].product == "x"
    assert now.stations["test"][0].product == "x"
    assert now.stations["test"][0].elapsed == 30
    assert now.stations["weld"][0].elapsed == 30
    assert now.stations["weld"][1].elapsed == 10
    assert now.family["cut"] == "f"


def test_elapsed_counts_running_only() -> None:
    story = [
        state("cut", 0, "running"), state("cut", 20, "down"), state("cut", 50, "running"),
    ]  # fmt: skip
    assert mirror(LINE, story, 60 * SECOND).stations["cut"][0].elapsed == 30


def test_rework_goes_back_and_scrap_goes_away() -> None:
    follower = Mirror(LINE)
    follower.feed([part("cut", 1, "1"), part("cut", 2, "2")])
    follower.feed([part("weld-1", 3, "1"), part("weld-1", 4, "2")])
    follower.feed([part("test", 5, "1", result="rework"), part("test", 6, "2", result="scrap")])
    assert follower.snapshot(7 * SECOND).buffers == {"again": ("x",)}
    follower.feed([part("weld-2", 8, "1")])
    assert follower.snapshot(9 * SECOND).buffers == {"c": ("x",)}


def test_a_part_whose_scan_was_missed_is_the_one_in_front() -> None:
    follower = Mirror(LINE)
    follower.feed([part("cut", 1, "1"), part("cut", 2, "2"), part("weld-1", 3, "77")])
    assert follower.snapshot(4 * SECOND).buffers == {"b": ("x",), "c": ("x",)}


def test_what_is_strange_or_late_changes_nothing() -> None:
    follower = Mirror(LINE)
    follower.feed(STORY)
    before = follower.snapshot(340 * SECOND)
    follower.feed([
        state("nobody", 335, "down"), state("cut", 200, "down"), state("cut", 336, "flurbing"),
    ])  # fmt: skip
    assert follower.snapshot(340 * SECOND) == before


def test_a_batch_in_work_is_not_waiting() -> None:
    oven = lines.read("""
[stations.cut]
cycle = 60
to = "b"
[stations.oven]
cycle = 600
from = "b"
batch = 3
[buffers.b]
""")
    scans = [part("cut", at, str(at)) for at in (1, 2, 3, 4)]
    now = mirror(oven, [*scans, state("oven", 5, "running")], 65 * SECOND)
    (server,) = now.stations["oven"]
    assert (server.parts, server.elapsed) == (3, 60)
    assert now.buffers == {"b": ("part",)}


WORKS = lines.read("""
[stations.mixer]
cycle = 60
yields = 3
to = "mass"
[buffers.mass]
capacity = 5
[stations.press]
cycle = 20
from = "mass"
to = "green"
[buffers.green]
[stations.kiln]
cycle = 600
batch = 2
servers = 3
from = "green"
""")
ONE = {"kiln": ("kiln",)}


def scan(id: str, at: float, value: str, **data: str) -> Event:
    return Event(id=id, time=round(at * SECOND), kind="scan", value=value, data=data)


def test_a_lot_is_as_many_parts_as_it_yields_and_no_more_than_have_room() -> None:
    story = [state("mixer", 0, "running"), scan("mixer.lot", 60, "M-1", parts="3")]
    assert mirror(WORKS, story, 61 * SECOND).buffers == {"mass": ("part",) * 3}
    story += [scan("press.part", 70, "1", lot="M-1"), scan("mixer.lot", 120, "M-2"),
              scan("mixer.lot", 180, "M-3")]  # fmt: skip
    found = mirror(WORKS, story, 181 * SECOND).buffers
    assert found == {"mass": ("part",) * 5, "green": ("part",)}


def test_of_machines_for_which_one_speaks_each_has_a_carrier() -> None:
    story = [
        state("kiln", 0, "running"),
        *(part("press", 10 * n, str(n), "part") for n in range(5)),
    ]
    story += [scan("kiln.loaded", 60, "W-1", parts="2"), scan("kiln.loaded", 70, "W-2")]
    found = mirror(WORKS, story, 100 * SECOND, ONE)
    assert found.buffers == {"green": ("part",)}
    assert [(each.state, each.parts, each.elapsed) for each in found.stations["kiln"]] == [
        ("running", 2, 40.0), ("running", 2, 30.0), ("starved", 1, 0.0),
    ]  # fmt: skip
    story += [
        scan("kiln.part", 660, "0", carrier="W-1"),
        scan("kiln.part", 660, "1", carrier="W-1"),
    ]
    found = mirror(WORKS, story, 700 * SECOND, ONE)
    assert [each.state for each in found.stations["kiln"]] == ["running", "starved", "starved"]
    assert found.buffers == {"green": ("part",)}


def test_the_product_is_known_by_the_serial_once_a_scan_has_named_it() -> None:
    story = [part("cut", 60, "1", "y"), scan("weld-1.part", 120, "1")]
    assert mirror(LINE, story, 130 * SECOND).buffers == {"c": ("y",)}


def test_a_carrier_whose_code_nobody_could_read_comes_out_with_parts_that_name_none() -> None:
    story = [state("kiln", 0, "running"), scan("kiln.loaded", 10, "", parts="2")]
    story += [scan("kiln.loaded", 20, "W-2", parts="2")]
    story += [scan("kiln.part", 60, "0"), scan("kiln.part", 61, "1")]
    found = mirror(WORKS, story, 100 * SECOND, ONE)
    assert [(each.state, each.elapsed) for each in found.stations["kiln"]] == [
        ("running", 80.0), ("starved", 0.0), ("starved", 0.0),
    ]  # fmt: skip


def test_a_carrier_that_nobody_saw_come_out_makes_room_for_another() -> None:
    loads = [scan("kiln.loaded", 10 * n, f"W-{n}", parts="x") for n in range(5)]
    found = mirror(WORKS, [state("kiln", 0, "down"), *loads], 60 * SECOND, ONE)
    assert [(each.state, each.parts) for each in found.stations["kiln"]] == [("down", 2)] * 3
