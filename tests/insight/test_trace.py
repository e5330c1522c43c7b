"""Genealogy: lives, forward, backward, recall, from scans whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.types import DAY, MINUTE, SECOND, Event
from deungdae.insight.trace import Genealogy, Node, Reach, begun, life, place, read
from deungdae.insight.trace.scan import NAMED

YEAR = 365 * DAY


class Scans:
    """A history of scans in memory. asked: how often it was asked."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.asked = 0
        self._by_code: dict[str, list[Event]] = {}
        for event in sorted(events, key=lambda event: event.time):
            texts = [event.value, *(event.data.get(key, "") for key in NAMED)]
            for code in {part.strip() for text in texts for part in text.split(",")} - {""}:
                self._by_code.setdefault(code, []).append(event)

    def __call__(self, codes: Mapping[str, int | None], most: int) -> list[Event]:
        self.asked += 1
        found: dict[int, Event] = {}
        for code, time in codes.items():
            named = self._by_code.get(code, [])
            if time is None:
                kept = named[-most:]
            else:
                kept = [e for e in named if e.time < time][-most:]
                kept += [e for e in named if e.time >= time][:most]
            found.update({id(event): event for event in kept})
        return list(found.values())


def scan(where: str, code: str, minute: float, **data: str) -> Event:
    """Return a scan; `from_` stands for the key `from`."""
    id = where if "." in where else f"{where}.part"
    told = {key.rstrip("_"): value for key, value in data.items()}
    return Event(id=id, time=round(minute * MINUTE), kind="scan", value=code, data=told)


def of(*events: Event, most: int = 5000) -> Genealogy:
    return Genealogy(Scans(events), most)


def codes(reach: Reach) -> set[str]:
    return {node.code for node in reach.nodes}


def only(genealogy: Genealogy, code: str) -> Node:
    (node,) = genealogy.lives(code)
    return node


# ---- known genealogies


def works() -> list[Event]:
    """Two batches, four bricks, one wagon that goes twice, a pallet, a truck."""
    return [
        scan("mixer.lot", "M1", 0, product="mass"),
        scan("press", "B1", 1, lot="M1", product="brick", result="good"),
        scan("press", "B2", 2, lot="M1", product="brick", result="good"),
        scan("kiln", "B1", 10, into="W7"),
        scan("kiln", "B2", 10, into="W7"),
        scan("kiln.wagon", "W7", 70, start=str(12 * MINUTE)),
        scan("camera", "B1", 80, result="good"),
        scan("camera", "B2", 81, result="scrap"),
        scan("robot", "B1", 82, into="P1"),
        scan("mixer.lot", "M2", 90),
        scan("press", "B3", 91, lot="M2"),
        scan("kiln", "B3", 100, into="W7"),
        scan("kiln.wagon", "W7", 160),
        scan("camera", "B3", 170, result="good"),
        scan("robot", "B3", 171, into="P1"),
        scan("store.pallet", "P1", 180, into="TRUCK-1", to="Hanil"),
    ]


def test_a_batch_is_followed_to_the_truck_and_back() -> None:
    genealogy = of(*works())
    assert codes(genealogy.forward(only(genealogy, "M1"))) == {"B1", "B2", "W7", "P1", "TRUCK-1"}
    assert codes(genealogy.backward(only(genealogy, "P1"))) == {"B1", "B3", "M1", "M2"}
    assert codes(genealogy.backward(only(genealogy, "B3"))) == {"M2"}


def test_of_a_wagon_that_is_used_again_time_decides() -> None:
    genealogy = of(*works())
    first, second = genealogy.lives("W7")
    assert codes(genealogy.backward(first)) == {"B1", "B2", "M1"}
    assert codes(genealogy.backward(second)) == {"B3", "M2"}
    assert first in genealogy.forward(only(genealogy, "M1")).nodes
    assert second not in genealogy.forward(only(genealogy, "M1")).nodes


def test_what_the_wagon_goes_through_is_part_of_a_bricks_life() -> None:
    genealogy = of(*works())
    steps = life(genealogy, only(genealogy, "B1"))
    told = [(step.asset, step.via) for step in steps]
    assert told == [
        ("press", ""), ("kiln", ""), ("kiln", "W7"), ("camera", ""), ("robot", ""), ("store", "P1"),
    ]  # fmt: skip
    assert steps[2].start == 12 * MINUTE
    assert steps[2].wait == 2 * MINUTE
    assert steps[1].into == "W7"
    assert steps[-1].to == "Hanil"


def test_a_lot_and_a_carrier_tell_where_they_took_things_in() -> None:
    genealogy = of(*works())
    lot = [(step.asset, step.count) for step in life(genealogy, only(genealogy, "M1"))]
    assert lot == [("mixer", 0), ("press", 2)]
    pallet = life(genealogy, only(genealogy, "P1"))
    assert [(step.asset, step.count) for step in pallet] == [("robot", 2), ("store", 0)]
    assert (pallet[0].start, pallet[0].end) == (82 * MINUTE, 171 * MINUTE)


def test_where_it_is_now() -> None:
    genealogy = of(*works())
    brick = place(genealogy, only(genealogy, "B1"))
    assert brick is not None
    assert (brick.asset, brick.carriers, brick.to) == ("store", ("P1", "TRUCK-1"), "Hanil")
    scrapped = place(genealogy, only(genealogy, "B2"))
    assert scrapped is not None
    assert (scrapped.asset, scrapped.carriers, scrapped.result) == ("camera", (), "scrap")


def test_a_carrier_that_nobody_scans_is_where_it_was_loaded_last() -> None:
    genealogy = of(scan("robot", "B1", 1, into="P"), scan("robot", "B2", 2, into="P", to="no"))
    found = place(genealogy, only(genealogy, "P"))
    assert found is not None
    assert (found.asset, found.time, found.to) == ("robot", 2 * MINUTE, "")


def test_kinds() -> None:
    genealogy = of(*works(), scan("press", "B9", 300, order="O-1"))
    wanted = {"M1": "lot", "B1": "serial", "P1": "carrier", "O-1": "order"}
    assert {code: genealogy.kind(genealogy.lives(code)[-1]) for code in wanted} == wanted
    assert genealogy.lives("nothing") == []
    assert codes(genealogy.forward(only(genealogy, "O-1"))) == {"B9"}


def test_assembly_split_and_merge() -> None:
    genealogy = of(
        scan("saw", "H1", 1, from_="BAR"),
        scan("saw", "H2", 2, from_="BAR"),
        scan("weld", "F", 5, from_="H1, SCREW,"),
        scan("tank", "MIX", 6, from_="H2,F,F,MIX"),
    )
    assert codes(genealogy.forward(only(genealogy, "BAR"))) == {"H1", "H2", "F", "MIX"}
    assert codes(genealogy.backward(only(genealogy, "MIX"))) == {"H1", "H2", "F", "BAR", "SCREW"}
    assert [link.node.code for link in genealogy.children(only(genealogy, "BAR"))] == ["H1", "H2"]
    assert {link.how for link in genealogy.parents(only(genealogy, "F"))} == {"from"}


def test_a_rework_loop_is_told_step_by_step() -> None:
    genealogy = of(
        scan("press", "B", 1, result="good"),
        scan("camera", "B", 5, result="rework"),
        scan("grinder", "B", 9, start=str(8 * MINUTE)),
        scan("camera", "B", 12, result="good"),
    )
    steps = life(genealogy, only(genealogy, "B"))
    assert [step.asset for step in steps] == ["press", "camera", "grinder", "camera"]
    assert [step.result for step in steps] == ["good", "rework", "", "good"]
    assert steps[2].wait == 3 * MINUTE
    assert not any(step.doubts for step in steps)


def test_one_number_twice_years_apart_is_two_things() -> None:
    genealogy = of(
        scan("press", "B", 0, lot="OLD"),
        scan("camera", "B", 9),
        scan("press", "B", 2 * YEAR / MINUTE, lot="NEW"),
    )
    old, new = genealogy.lives("B")
    assert codes(genealogy.backward(old)) == {"OLD"}
    assert codes(genealogy.backward(new)) == {"NEW"}


def test_what_comes_back_for_service_after_years_is_the_same_thing() -> None:
    genealogy = of(scan("press", "B", 0), scan("service", "B", 3 * YEAR / MINUTE))
    assert len(genealogy.lives("B")) == 1


def test_a_repacked_brick_is_where_it_was_put_last() -> None:
    genealogy = of(
        scan("robot", "B", 1, into="P1"),
        scan("robot", "B", 5, into="P2"),
        scan("store.pallet", "P1", 9, to="Seoul"),
        scan("store.pallet", "P2", 9, to="Busan"),
    )
    found = place(genealogy, only(genealogy, "B"))
    assert found is not None
    assert (found.carriers, found.to) == (("P2",), "Busan")
    links = {link.node.code: link.until for link in genealogy.children(only(genealogy, "B"))}
    assert links == {"P1": 5 * MINUTE, "P2": None}
    assert [step.via for step in life(genealogy, only(genealogy, "B"))] == ["", "", "P2"]


def test_what_was_lost_on_a_wagon_is_not_on_its_next_tour() -> None:
    events = [e for e in works() if not (e.id == "camera.part" and e.value == "B2")]
    genealogy = of(*events)
    lost = place(genealogy, only(genealogy, "B2"))
    assert lost is not None
    assert (lost.asset, lost.carriers) == ("kiln", ())


def test_an_image_and_a_scan_of_one_look_are_one_step() -> None:
    ref = f"sha256:{'a' * 64}"
    image = Event(id="eye.image", time=61 * SECOND, kind="image", value=ref, data={"serial": "B"})
    genealogy = of(scan("eye", "B", 1, result="good"), image)
    (step,) = life(genealogy, only(genealogy, "B"))
    assert (step.image, step.result) == (ref, "good")


# ---- what contradicts itself, and bad data


def test_contradictions_are_kept_and_told() -> None:
    genealogy = of(
        scan("press", "B", 1, product="brick", result="scrap"),
        scan("robot", "B", 2, product="arch"),
        scan("store", "B", 2, product="arch"),
    )
    doubts = [step.doubts for step in life(genealogy, only(genealogy, "B"))]
    assert doubts == [(), ("scrapped", "product"), ("scrapped", "places")]


def test_circles_end() -> None:
    genealogy = of(
        scan("a", "X", 1, from_="Y", into="Y"),
        scan("a", "Y", 2, from_="X", into="X"),
        scan("a", "Z", 3, from_="Z", into="Z"),
    )
    for code in "XYZ":
        node = genealogy.lives(code)[0]
        genealogy.forward(node), genealogy.backward(node), life(genealogy, node)
        place(genealogy, node)


@pytest.mark.parametrize("text", ["", "   ", "NOREAD", "no read", "?", "x" * 10_000])
def test_what_was_not_read_is_nobody(text: str) -> None:
    assert read(scan("gate", text, 1)) is None


def test_bad_status_is_nobody_and_data_may_be_anything() -> None:
    assert read(Event(id="a.part", time=1, kind="scan", value="B", status=2)) is None
    sight = read(scan("a", " B ", 1, lot=",,B, L ,L", start="yesterday", into=" ", from_="가,<b>"))
    assert sight is not None
    assert (sight.code, sight.lots, sight.start, sight.into) == ("B", ("L",), None, "")
    assert sight.parents == ("가", "<b>")


def test_the_whole_gs1_text_is_known_by_its_serial() -> None:
    event = scan("gate", "(01)09506000134352(21)S-77", 1, serial="S-77", gtin="09506000134352")
    sight = read(event)
    assert sight is not None
    assert sight.code == "S-77"


def test_a_start_is_taken_from_the_part_before_only_where_that_fits() -> None:
    genealogy = of(scan("press", "B", 10))
    (step,) = life(genealogy, only(genealogy, "B"))
    assert begun(step, 5 * MINUTE, 8 * MINUTE).start == 8 * MINUTE
    assert begun(step, 5 * MINUTE, 8 * MINUTE).inferred
    assert begun(step, 5 * MINUTE, 8 * MINUTE).wait == 3 * MINUTE
    assert begun(step, 9 * MINUTE, 8 * MINUTE).start is None
    assert begun(step, 0, None).start is None


# ---- properties

names = st.sampled_from("ABCDEFGH")
lists = st.lists(names, max_size=3).map(",".join)
scans = st.builds(
    lambda where, code, minute, lot, parents, into, carrier: scan(
        where, code, minute, lot=lot, from_=parents, into=into, carrier=carrier
    ),
    st.sampled_from(["p", "q", "r.x"]),
    names,
    st.integers(0, 40) | st.integers(0, 3).map(lambda n: n * 400 * 24 * 60),
    lists,
    lists,
    names | st.just(""),
    names | st.just(""),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(scans, max_size=14))
def test_backward_is_forward_read_from_the_other_end_and_recall_is_closed(events) -> None:
    genealogy = of(*events)
    nodes = [node for code in "ABCDEFGH" for node in genealogy.lives(code)]
    forward = {node: set(genealogy.forward(node).nodes) for node in nodes}
    backward = {node: set(genealogy.backward(node).nodes) for node in nodes}
    for node in nodes:
        assert forward[node] == {other for other in nodes if node in backward[other]} - {node}
        for other in forward[node]:
            assert forward[other] <= forward[node] | {node}
        life(genealogy, node), place(genealogy, node), genealogy.kind(node)


# ---- bounded work


def big(parts: int) -> list[Event]:
    return [scan("mixer.lot", "LOT", 0)] + [
        scan("press", f"B{n:06d}", 1 + n / 1000, lot="LOT", into=f"W{n // 360}")
        for n in range(parts)
    ]


def test_a_lot_of_a_hundred_thousand_is_bounded_and_says_so() -> None:
    history = Scans(big(100_000))
    begin = process_time()
    genealogy = Genealogy(history, most=1000)
    (node,) = genealogy.lives("LOT")
    reach = genealogy.forward(node)
    assert reach.more
    assert len(reach.found) == 1000
    assert history.asked < 10
    assert process_time() - begin < 10  # a guard against growth with the square, not a stopwatch


def test_a_chain_of_twenty_costs_a_question_each() -> None:
    history = Scans([scan("s", f"G{n}", n, from_=f"G{n - 1}") for n in range(1, 21)])
    genealogy = Genealogy(history)
    reach = genealogy.forward(only(genealogy, "G0"))
    assert [each.steps for each in reach.found] == list(range(1, 21))
    assert not reach.more
    assert history.asked <= 22


def test_of_a_wagon_used_for_years_only_the_tour_around_is_read() -> None:
    events = [
        event
        for tour in range(400)
        for event in (
            *(scan("kiln", f"T{tour}-{n}", tour * 100 + n / 100, into="W") for n in range(10)),
            scan("kiln.wagon", "W", tour * 100 + 50),
            scan("camera", f"T{tour}-0", tour * 100 + 60),
        )
    ]
    genealogy = of(*events, most=40)
    wagon = genealogy.children(only(genealogy, "T200-3"))[0].node
    reach = genealogy.backward(wagon)
    assert codes(reach) == {f"T200-{n}" for n in range(10)}
    assert not reach.more
