"""The engine against small lines that were worked out on paper."""

from __future__ import annotations

import numpy as np
import pytest

from deungdae.sim.kernel import Deadlock, Kind, NotEnoughRoom, Simulation, Standstill, simulate
from deungdae.sim.line import STATES, Server, Snapshot, read
from deungdae.sim.outcome import Outcome, estimate

MONDAY = 1_767_571_200_000_000_000  # 2026-01-05T00:00:00Z


def run(text: str, horizon: float, **options: object) -> Outcome:
    return simulate(read(text), horizon=horizon, method="events", **options)


def times(outcome: Outcome, station: int = 0) -> dict[str, float]:
    return {
        state: round(float(time), 6)
        for state, time in zip(STATES, outcome.state_time[0, station], strict=True)
        if time
    }


def outs(text: str, until: float, **options: object) -> list[float]:
    """Return when parts leave the line."""
    trace = Simulation(read(text), **options).advance(until)
    return trace.time[trace.kind == Kind.OUT].tolist()


def test_blocking_after_service() -> None:
    given = run(
        "[stations.a]\ncycle=10\nto='x'\n[stations.b]\ncycle=20\nfrom='x'\n[buffers.x]\ncapacity=1",
        200,
    )
    # b works from 10 on; from 30 on, a works for 10 s of every 20 and waits for the others
    assert times(given, 1) == {"running": 190.0, "starved": 10.0}
    assert times(given, 0) == {"running": 120.0, "blocked": 80.0}
    assert given.made.tolist() == [[9]]
    assert given.done.tolist() == [[12, 9]]
    # parts 1 and 2 take 30 and 40 s, from the third on: 20 in a and blocked, 20 in x, 20 in b
    assert given.lead_time[0] == pytest.approx((30 + 40 + 50 + 6 * 60) / 9)
    assert given.throughput[0] == pytest.approx(9 / (200 / 3600))


def test_a_buffer_without_places_hands_parts_over() -> None:
    text = (
        "[stations.a]\ncycle=10\nto='x'\n[stations.b]\ncycle=20\nfrom='x'\n[buffers.x]\ncapacity=0"
    )
    given = run(text, 200)
    assert times(given, 0) == {"running": 110.0, "blocked": 90.0}
    assert given.level[0, 0] == 0
    assert outs(text, 71) == [30, 50, 70]


def test_servers_side_by_side() -> None:
    text = "[stations.a]\ncycle=10\nservers=2\nfrom='q'\n[buffers.q]\ninitial=5"
    assert outs(text, 100) == [10, 10, 20, 20, 30]
    assert times(run(text, 100)) == {"running": 50.0, "starved": 150.0}


def test_the_first_buffer_comes_first_or_the_longest_or_the_oldest_part() -> None:
    text = """
[stations.a]
cycle=10
from=['x','y']
pick='PICK'
[buffers.x]
[buffers.x.initial]
p=1
[buffers.y]
[buffers.y.initial]
q=3
[products.p]
[products.q]
"""

    def order(pick: str) -> list[int]:
        trace = Simulation(read(text.replace("PICK", pick))).advance(100)
        return trace.product[trace.kind == Kind.OUT].tolist()

    assert order("order") == [0, 1, 1, 1]
    assert order("longest") == [1, 1, 0, 1]
    assert order("oldest") == [0, 1, 1, 1]


def test_the_order_in_a_buffer() -> None:
    text = """
[stations.a]
cycle=1
to='x'
[stations.b]
cycle=10
from='x'
[buffers.x]
order='ORDER'
[[orders]]
id='late'
product='part'
quantity=2
due=100
[[orders]]
id='soon'
product='part'
quantity=1
release=2.5
due=50
"""

    def order(order: str) -> list[int]:
        trace = Simulation(read(text.replace("ORDER", order))).advance(100)
        return trace.part[trace.kind == Kind.OUT].tolist()

    assert order("fifo") == [1, 2, 3]
    assert order("lifo") == [1, 3, 2]
    assert order("due") == [1, 3, 2]


def test_setup_by_family() -> None:
    text = """
sequence=['p','q','r']
[products.p]
family='red'
[products.q]
family='red'
[products.r]
[stations.a]
cycle={p=10, q=20, r=30}
setup={'red>r'=5, 'r>red'=7}
"""
    # red needs none to begin with: 10, 20, setup 5, 30, setup 7, 10, 20 ...
    assert outs(text, 110) == [10, 30, 65, 82, 102]
    assert times(run(text, 110)) == {"running": 93.0, "setup": 17.0}


def test_batches_wait_for_each_other() -> None:
    text = """
[stations.oven]
cycle=10
from='q'
batch=4
batch_least=2
batch_wait=6.5
[buffers.q]
[products.p]
arrival=3
into='q'
"""
    # two are there at 6, so it would begin at 12.5, but four are at 12; at 24 the fourth comes
    assert outs(text, 40) == [22] * 4 + [34] * 4
    text = text.replace("arrival=3", "arrival=5")
    # two at 10: begins at 16.5 with three; at 26.5 two are there: begins at 33, with three
    assert outs(text, 45) == [26.5] * 3 + [43] * 3


def test_a_batch_is_of_one_product_where_that_matters() -> None:
    text = """
[stations.oven]
cycle=10
setup=1
from='q'
batch=2
[buffers.q]
initial={p=1, q=2}
[products.p]
[products.q]
"""
    trace = Simulation(read(text)).advance(100)
    assert trace.product[trace.kind == Kind.OUT].tolist() == [1, 1]
    mixed = Simulation(read(text.replace("setup=1\n", ""))).advance(100)
    assert mixed.product[mixed.kind == Kind.OUT].tolist() == [0, 1]


def test_assembly_and_disassembly() -> None:
    text = """
[stations.assemble]
cycle=10
from='bodies'
needs={wheels=4}
to='cars'
makes='car'
[stations.scrapyard]
cycle=5
from='cars'
yields=3
makes='piece'
[buffers.bodies]
initial={body=2}
[buffers.wheels]
initial={wheel=7}
[buffers.cars]
[products.body]
[products.wheel]
[products.car]
[products.piece]
"""
    given = run(text, 100)
    assert given.made.tolist() == [[0, 0, 0, 3]]
    assert times(given, 0) == {"running": 10.0, "starved": 90.0}  # three wheels are not enough
    assert given.wip[0] == pytest.approx((5 * 15 + 4 * 85) / 100)


def test_routes() -> None:
    text = """
[stations.in]
cycle=10
to='x'
[stations.a]
cycle=1
from='x'
to={y=0.5, z=0.5}
[stations.b]
cycle=2
from=['y','z']
to='x'
[buffers.x]
[buffers.y]
[buffers.z]
[products.p]
route=['in','a','b','a']
"""
    assert outs(text, 30) == [14, 24]
    given = run(text, 30)
    assert given.done.tolist() == [[3, 4, 2]]


def test_shares_of_ways_scrap_and_rework() -> None:
    text = """
[stations.a]
cycle=1
to={x=0.25, out=0.75}
[stations.b]
cycle=0.1
from='x'
scrap=0.1
rework=0.2
rework_to='again'
[stations.c]
cycle=0.1
from='again'
to='scrap'
[buffers.x]
[buffers.again]
"""
    given = run(text, 100_000)
    a, b, c = given.done[0]
    assert b / a == pytest.approx(0.25, abs=0.01)
    assert c / b == pytest.approx(0.2, abs=0.01)
    assert given.scrapped[0, 0] == pytest.approx(0.3 * b, rel=0.05)
    assert given.made[0, 0] + given.scrapped[0, 0] >= a - 2


def test_spoilt_parts_carry_it_until_an_inspection() -> None:
    text = """
[stations.a]
cycle=1
to='x'
[stations.a.quality]
defects=0.2
[stations.i]
cycle=1
from='x'
[stations.i.quality]
inspects=true
escapes=0.1
false_alarms=0.05
[buffers.x]
"""
    given = run(text, 200_000)
    made, escaped, scrapped = given.made[0, 0], given.escaped[0, 0], given.scrapped[0, 0]
    assert escaped / 2e5 == pytest.approx(0.2 * 0.1, rel=0.06)
    assert made / 2e5 == pytest.approx(0.8 * 0.95, rel=0.01)
    assert scrapped / 2e5 == pytest.approx(0.2 * 0.9 + 0.8 * 0.05, rel=0.02)


def test_wear_and_cold_starts() -> None:
    wear = """
[stations.a]
cycle=1
maintenance=[{every=4, of='parts', length=2}]
[stations.a.quality]
wear=0.5
"""
    # chances 0, .5, 1, 1 (1.5), then maintenance
    given = run(wear, 60_000)
    assert given.escaped[0, 0] / 40_000 == pytest.approx((0 + 0.5 + 1 + 1) / 4, rel=0.02)
    cold = """
[stations.a]
cycle=1
failures=[{every=10, repair=5}]
[stations.a.quality]
warm_up=2
"""
    given = run(cold, 151)  # every 15 s, 10 parts; after each repair two are bad
    assert given.escaped[0, 0] == 2 * 9 + 1


def test_failures_in_operation_interrupt_a_job_that_resumes() -> None:
    text = "[stations.a]\ncycle=10\nfailures=[{every=25, repair=7}, {every=40, repair=1}]"
    # down 25..32; at 47 a part is finished, and then the second mode fails: running time is 40
    assert outs(text, 60) == [10, 20, 37, 47, 58]
    given = run(text, 47.5)
    assert times(given) == {"running": 40.0, "down": 7.5}


def test_failures_in_time_come_while_it_is_idle() -> None:
    text = """
[stations.a]
cycle=10
from='q'
failures=[{every=25, repair=10, of='time'}]
[buffers.q]
initial=1
"""
    assert times(run(text, 100)) == {"running": 10.0, "down": 20.0 + 5.0, "starved": 65.0}


def test_a_crew_repairs_one_after_the_other_in_its_own_hours() -> None:
    text = """
[stations.a]
cycle=100
failures=[{every=10, repair=5, crew='fitters'}]
[stations.b]
cycle=100
failures=[{every=12, repair=5, crew='fitters'}]
[crews.fitters]
size=1
"""
    given = run(text, 20)
    assert times(given, 0) == {"running": 15.0, "down": 5.0}
    assert times(given, 1) == {"running": 12.0, "down": 5.0, "waiting": 3.0}
    shifts = (
        text + "calendar='day'\n[calendars.day]\nshifts=[{name='d', start='00:01', end='12:00'}]"
    )
    given = run(shifts, 70, origin=MONDAY)
    assert times(given, 0) == {"running": 10.0 + 5.0, "down": 5.0, "waiting": 50.0}


def test_operators_come_for_a_cycle_and_go_to_who_waits_first() -> None:
    text = """
[stations.a]
cycle=10
operators={weld=1}
[stations.b]
cycle=4
operators={weld=1}
[operators.anna]
skills=['weld','paint']
"""
    given = run(text, 28)
    assert times(given, 0) == {"running": 20.0, "waiting": 8.0}
    assert times(given, 1) == {"running": 8.0, "waiting": 20.0}
    two = text + "[operators.ben]\nskills=['weld']\n"
    assert times(run(two, 28), 1) == {"running": 28.0}


def test_people_with_many_skills_are_kept_for_what_others_cannot_do() -> None:
    text = """
[stations.a]
cycle=10
operators={weld=1, paint=1}
[operators.anna]
skills=['weld','paint']
[operators.ben]
skills=['weld']
"""
    assert times(run(text, 20)) == {"running": 20.0}


def test_planned_stops_interrupt_work_that_resumes() -> None:
    text = """
timezone='Asia/Seoul'
[stations.a]
cycle=600
calendar='c'
failures=[{every=1000, repair=700}]
[calendars.c]
shifts=[{name='early', start='06:00', end='14:00'}]
stops=[{name='tea', start='06:20', end='06:30', assets=['a']}]
"""
    six = MONDAY - 3 * 3600 * 10**9  # 21:00 UTC on Sunday: 06:00 in Seoul
    # 600 good, 1000 down to 1700, 1700..1800? the stop 1200..1800 hits the repair: that goes on
    trace = Simulation(read(text), origin=six).advance(4000)
    states = [
        (time, STATES[value])
        for time, value in zip(
            trace.time[trace.kind == Kind.STATE], trace.value[trace.kind == Kind.STATE], strict=True
        )
    ]
    assert states == [
        (0, "running"), (1000, "down"), (1700, "off"), (1800, "running"), (2800, "down"),
        (3500, "running"),
    ]  # fmt: skip
    assert trace.time[trace.kind == Kind.OUT].tolist() == [600, 2000, 2600, 3900]


def test_calendars_follow_the_clock_change() -> None:
    text = """
timezone='Europe/Berlin'
[stations.a]
cycle=600
calendar='night'
[calendars.night]
shifts=[{name='night', days='sat', start='22:00', end='06:00'}]
"""
    ten = 1_774_731_600_000_000_000  # 2026-03-28T22:00 in Berlin; an hour is skipped that night
    given = run(text, 24 * 3600, origin=ten)
    assert times(given)["running"] == 7 * 3600
    back = 1_792_872_000_000_000_000  # 2026-10-24T22:00 in Berlin; an hour comes twice
    assert times(run(text, 24 * 3600, origin=back))["running"] == 9 * 3600


def test_maintenance_by_running_time_by_time_and_by_parts() -> None:
    text = "[stations.a]\ncycle=10\nmaintenance=[{every=EVERY, length=5, of='OF'}]"

    def outs_of(of: str, every: float) -> list[float]:
        return outs(text.replace("OF", of).replace("EVERY", str(every)), 60)

    assert outs_of("operation", 25) == [10, 20, 30, 45, 55]
    assert outs_of("time", 25) == [10, 20, 30, 45, 55]  # at 25, so at 30; then at 60
    assert outs_of("parts", 2) == [10, 20, 35, 45, 60]


def test_maintenance_renews() -> None:
    text = """
[stations.a]
cycle=10
failures=[{every=35, repair=100}]
maintenance=[{every=30, length=1}]
"""
    assert times(run(text, 310)) == {"running": 300.0, "maintenance": 10.0}
    worn = run(text.replace("length=1", "length=1, renews=false"), 66)
    assert times(worn) == {"running": 35.0, "maintenance": 1.0, "down": 30.0}


def test_a_conveyor_takes_its_time_and_keeps_the_order() -> None:
    text = """
[stations.a]
cycle=10
to='belt'
[stations.b]
cycle=1
from='belt'
[buffers.belt]
capacity=2
delay=25
"""
    # 10 and 20 get on; 30 does not fit until the first is taken, at 35
    assert outs(text, 100) == [36, 46, 61, 71, 86, 96]
    given = run(text, 100)
    assert times(given, 0)["blocked"] == 5.0 + 5.0 + 5.0 - 0.0


def test_vehicles_carry_lots_along_the_shortest_way() -> None:
    text = """
[stations.a]
cycle=10
to='store'
[stations.b]
cycle=1
from='store'
[buffers.store]
capacity=2
ride={vehicles='agv', start='A', end='B', lot=2}
[vehicles.agv]
speed=2
load=3
unload=4
home='B'
[paths]
A-B=100
A-C=20
C-B=20
"""
    # a lot is ready at 20; empty from B 20 s, load 3: 43; there at 63, unloaded 67; b takes both;
    # the store has room for the next lot (ready at 40) when both are taken: at 68
    assert outs(text, 69.5) == [68, 69]
    # from 68 on: 20 s empty, 3, 20, 4 = 115
    assert outs(text, 118) == [68, 69, 116, 117]


def test_energy_by_state() -> None:
    text = """
[stations.a]
cycle=10
from='q'
power={running=3.6, starved=0.36, down=0.0}
failures=[{every=15, repair=10}]
[buffers.q]
initial=2
"""
    given = run(text, 100)  # running 20, down 10, starved 70
    assert given.energy[0, 0] == pytest.approx((20 * 3.6 + 70 * 0.36) / 3600)


def test_orders_are_begun_when_released_and_met_in_order_of_due_dates() -> None:
    text = """
[stations.a]
cycle=10
[products.p]
[products.q]
[[orders]]
id='second'
product='p'
quantity=2
due=45
[[orders]]
id='first'
product='p'
quantity=1
due=15
[[orders]]
id='later'
product='q'
quantity=1
release=50
due=61
"""
    given = run(text, 100)
    assert given.orders == ("second", "first", "later")
    assert given.finished[0].tolist() == [30.0, 10.0, 60.0]
    assert given.met[0].tolist() == [True, True, True]
    assert given.service[0] == 1
    assert given.made.tolist() == [[3, 1]]
    assert times(given) == {"running": 40.0, "starved": 60.0}


def test_what_is_scrapped_is_begun_anew_for_its_order() -> None:
    text = """
[stations.a]
cycle=1
scrap=0.5
[[orders]]
id='o'
product='part'
quantity=100
due=1000
"""
    given = run(text, 10_000)
    assert given.made[0, 0] == 100
    assert given.met.all()
    assert 60 < given.scrapped[0, 0] < 160


def test_arrivals_that_find_no_room_are_lost() -> None:
    text = """
[stations.a]
cycle=10
from='q'
[buffers.q]
capacity=1
[products.p]
arrival=4
into='q'
"""
    # at 4 taken; 8 waits; 12 lost; 14 takes; 16 waits; 20 lost, 24 enters (taken at 24 first) ...
    given = run(text, 20.5)
    assert given.lost.tolist() == [[2]]
    assert given.made.tolist() == [[1]]


def test_a_closed_line_keeps_its_parts() -> None:
    text = """
[stations.a]
cycle=10
from='x'
to='y'
[stations.b]
cycle=15
from='y'
to='x'
[buffers.x]
initial=3
[buffers.y]
"""
    given = run(text, 15_010)
    assert given.done[0, 1] == 1000
    assert given.wip[0] == 3
    assert given.throughput[0] == 0


def test_the_warm_up_is_not_counted() -> None:
    text = "warm_up=100.0\n[stations.a]\ncycle=10\nfrom='q'\n[buffers.q]\ninitial=12"
    given = run(text, 200)
    assert given.counted == 100
    assert given.made.tolist() == [[2]]
    assert times(given) == {"running": 20.0, "starved": 80.0}


def test_the_bottleneck_is_where_the_longest_active_period_is() -> None:
    text = """
[stations.a]
cycle=10
to='x'
[stations.b]
cycle=20
from='x'
to='y'
[stations.c]
cycle=15
from='y'
[buffers.x]
capacity=1
[buffers.y]
capacity=1
"""
    given = run(text, 10_000)
    assert given.bottleneck[0] == pytest.approx([0.003, 1, 0], abs=0.004)
    assert given.sole[0, 1] > 0.99


def test_the_bottleneck_shifts_where_periods_overlap() -> None:
    # a: active 0..30, b: active 20..80 (60 s), c: active 70..100 (30 s)
    text = """
[stations.a]
cycle=10
from='p'
[stations.b]
cycle=20
from='q'
[stations.c]
cycle=10
from='r'
[buffers.p]
initial=3
[buffers.q]
[buffers.r]
[products.x]
[products.y]
arrival='empirical(20)'
into='q'
[products.z]
arrival=70
into='r'
"""
    given = run(text, 80)
    # b works 20..80 without end; c 70..80: a alone 0..20, a and b 20..30, b alone from there
    assert given.sole[0] == pytest.approx([20 / 80, 50 / 80, 0])
    assert given.shifting[0] == pytest.approx([10 / 80, 10 / 80, 0])


def test_a_snapshot_is_where_it_begins() -> None:
    text = """
[stations.a]
cycle=10
to='x'
failures=[{every=1000, repair=50}]
[stations.b]
cycle=20
from='x'
setup=5
[buffers.x]
capacity=5
"""
    start = Snapshot(
        buffers={"x": ("part", "part")},
        stations={
            "a": (Server(state="down", product="part", elapsed=30, work=4.0),),
            "b": (Server(state="running", product="part", elapsed=15),),
        },
    )
    assert outs(text, 70, start=start) == [5, 25, 45, 65]
    given = run(text, 30, start=start)
    assert times(given, 0) == {"down": 20.0, "running": 10.0}
    assert given.done[0, 0] == 1  # at 24


def test_what_remains_is_drawn_given_what_has_elapsed() -> None:
    text = "[stations.a]\ncycle='uniform(0, 100)'\nfrom='q'\n[buffers.q]"
    start = Snapshot(stations={"a": (Server(state="running", product="part", elapsed=80),)})
    given = run(text, 1000, start=start, replications=2000)
    assert estimate(given.state_time[:, 0, 0]).mean == pytest.approx(10, abs=0.5)


def test_a_simulation_that_is_taken_up_again_goes_on_as_it_would_have() -> None:
    text = """
[stations.a]
cycle=7
to='x'
[stations.b]
cycle=11
from='x'
to='y'
setup=3
[stations.c]
cycle=5
servers=2
from='y'
batch=3
[buffers.x]
capacity=2
[buffers.y]
capacity=4
"""
    whole = Simulation(read(text))
    whole.advance(100)
    trace = whole.advance(300)
    first = Simulation(read(text))
    first.advance(100)
    second = Simulation(read(text), start=first.snapshot())
    again = second.advance(200)
    left, right = trace.kind == Kind.OUT, again.kind == Kind.OUT
    assert (trace.time[left] - 100).tolist() == pytest.approx(again.time[right].tolist())
    assert second.snapshot().buffers == whole.snapshot().buffers


def test_a_deadlock_is_named() -> None:
    text = """
name='ring'
[stations.a]
cycle=10
from=['z', 'y']
to='x'
[stations.b]
cycle=30
from='x'
rework=1.0
rework_to='y'
[stations.in]
cycle=1
to='z'
[buffers.x]
capacity=1
[buffers.y]
capacity=1
[buffers.z]
capacity=1
"""
    with pytest.raises(Deadlock, match=r"'ring'.*a waits for room in x.*b waits for room in y"):
        run(text, 10_000)
    with pytest.raises(Deadlock):
        Simulation(read(text)).advance(10_000)


def test_a_part_of_a_line_that_is_locked_is_found_while_the_rest_goes_on() -> None:
    text = """
[stations.free]
cycle=1
[stations.a]
cycle=10
from='y'
to='x'
[stations.b]
cycle=5
from='x'
to='y'
[buffers.x]
capacity=1
initial=1
[buffers.y]
capacity=1
initial=1
"""
    assert run(text, 1000).done[0, 0] == 1000  # two parts go round: fine
    with pytest.raises(Deadlock, match="more room in buffers"):
        run(text.replace("initial=1", "initial=2").replace("capacity=1", "capacity=2")
            .replace("to='x'", "to='x'\nyields=2"), 1000)  # fmt: skip


def test_a_line_without_end_says_so_and_how_full_it_is() -> None:
    text = """
[stations.a]
cycle=1000000
from='q'
[buffers.q]
[products.p]
arrival=0.001
into='q'
"""
    with pytest.raises(NotEnoughRoom, match=r"buffers\.q"):
        run(text, 40_000)


def test_time_that_stands_still_is_named() -> None:
    text = """
[stations.a]
cycle=0
from='x'
to='x'
[buffers.x]
initial=1
"""
    with pytest.raises(Standstill, match="station a"):
        run(text, 10)


def test_a_station_that_waits_for_what_only_a_blocked_one_makes_is_found() -> None:
    text = """
[stations.free]
cycle=1
[stations.cut]
cycle=10
to={left=0.5, right=0.5}
[stations.join]
cycle=1
from='left'
needs={right=5}
[buffers.left]
capacity=2
[buffers.right]
capacity=5
"""
    with pytest.raises(Deadlock, match=r"cut waits for room in left \(taken from by join\)"):
        run(text, 10_000)


@pytest.mark.parametrize("horizon", [0, -1, float("nan"), float("inf"), 1e15])
def test_absurd_horizons_are_named(horizon: float) -> None:
    with pytest.raises(ValueError, match="horizon"):
        run("[stations.a]\ncycle=1", horizon)


def test_no_replication_is_named() -> None:
    with pytest.raises(ValueError, match="replications"):
        run("[stations.a]\ncycle=1", 10, replications=0)


LINE = """
[stations.a]
cycle='triangular(4, 5, 9)'
to='x'
failures=[{every='exponential(400)', repair='gamma(2, 10)', crew='c'}]
[stations.b]
cycle='lognormal(5, 2)'
from=['again', 'x']
to='y'
scrap=0.02
rework=0.1
rework_to='again'
operators={s=1}
[stations.c]
cycle='weibull(2, 9)'
servers=2
from='y'
setup=2
failures=[{every='exponential(900)', repair='empirical(10, 20, 60)', of='time', crew='c'}]
maintenance=[{every=500, length='normal(20, 5)'}]
[buffers.x]
capacity=3
[buffers.y]
capacity=5
delay='uniform(1, 4)'
[buffers.again]
[products.p]
[products.q]
share=0.5
[crews.c]
[operators.o]
count=1
skills=['s']
"""


def test_the_same_twice_and_however_it_is_cut() -> None:
    whole = run(LINE, 5000, replications=range(20))
    again = run(LINE, 5000, replications=range(20))
    cut = Outcome.join(
        [run(LINE, 5000, replications=range(10, 20)), run(LINE, 5000, replications=range(10))]
    )
    for name in ("made", "lead_time", "state_time", "level", "sole", "shifting", "wip"):
        assert np.array_equal(getattr(whole, name), getattr(again, name))
        assert np.array_equal(getattr(whole, name), getattr(cut, name))
    assert len(set(whole.lead_time.tolist())) == 20
    assert not np.array_equal(run(LINE, 5000, seed=2).lead_time, whole.lead_time[:1])


def test_a_step_is_a_replication() -> None:
    given = run(LINE, 5000, replications=range(3, 4))
    steps = Simulation(read(LINE), replication=3)
    parts = [steps.advance(until) for until in (0, 1, 1000, 1000.5, 5000)]
    assert sum(int((each.kind == Kind.OUT).sum() - (each.kind == Kind.OUT)[each.value == 2].sum())
               for each in parts) >= int(given.made.sum())  # fmt: skip
    out = np.concatenate([each.value[each.kind == Kind.OUT] for each in parts])
    assert int((out == 0).sum()) == int(given.made.sum())
    assert int((out == 2).sum()) == int(given.scrapped.sum())


def test_common_random_numbers_leave_the_rest_as_it_was() -> None:
    base = "[stations.a]\ncycle='exponential(10)'\n[stations.b]\ncycle='exponential(CYCLE)'"
    slow, fast = (run(base.replace("CYCLE", each), 1000) for each in ("20", "5"))
    assert slow.done[0, 0] == fast.done[0, 0]
    assert slow.done[0, 1] < fast.done[0, 1]


def test_looks_and_levers() -> None:
    steps = Simulation(
        read("[stations.a]\ncycle=10\nto='x'\n[buffers.x]\n[stations.b]\ncycle=100\nfrom='x'")
    )
    steps.advance(13)
    assert steps.time == 13
    look = steps.server("a")
    assert (look.state, look.product, look.elapsed, look.remaining) == ("running", "part", 3, 7)
    steps.pace("a", 2)
    steps.spoil("a", 1.0)
    trace = steps.advance(60)
    assert trace.time[(trace.kind == Kind.DONE) & (trace.station == 0)].tolist() == [20, 40, 60]
    assert steps.level("x") == 3
    with pytest.raises(ValueError, match="pace"):
        steps.pace("a", 0)
    with pytest.raises(ValueError, match="share"):
        steps.spoil("a", 2)
    with pytest.raises(ValueError, match="already"):
        steps.advance(1)


def test_an_order_counts_what_comes_of_the_parts_that_are_begun() -> None:
    """Ten are wanted, and each part that is begun becomes four: three are begun, not ten."""
    text = """
[stations.saw]
cycle = 10
yields = 4

[[orders]]
id = "A"
product = "part"
quantity = 10
due = 100
"""
    outcome = simulate(read(text), horizon=200.0)
    assert outcome.made.tolist() == [[12]]
    assert outcome.finished.tolist() == [[30.0]]
