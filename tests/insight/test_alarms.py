"""Alarms: every transition of the diagram of ISA-18.2, floods, figures, and that nothing is lost.

Source of the transitions: ANSI/ISA-18.2-2016 (IEC 62682), alarm state transition diagram.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.core.types import HOUR, MINUTE, SECOND, Event, Finding, Severity
from deungdae.insight.alarms import (
    Alarm,
    AlarmOptions,
    Board,
    Rule,
    While,
    is_chattering,
    is_condition,
    is_stale,
    of_finding,
    of_severity,
    performance,
    replay,
    said,
)

START = 1_800_000_000 * SECOND
ID = "kiln.overheat"
PLAIN = AlarmOptions()


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def alarm(
    seconds: float, value: str = "active", id: str = ID, late: float = 0, **data: str
) -> Event:
    received = at(seconds + late)
    return Event(id=id, time=at(seconds), kind="alarm", value=value, received=received, data=data)


def deed(seconds: float, what: str, id: str = ID, value: str = "", **data: str) -> Event:
    time = at(seconds)
    data = {"person": "kim", **data}
    return Event(id=f"{id}.{what}", time=time, kind="note", value=value, received=time, data=data)


def shelve(seconds: float, length: float, id: str = ID) -> Event:
    return deed(seconds, "shelve", id, until=str(at(seconds + length)), note="sensor")


def state(seconds: float, word: str) -> Event:
    time = at(seconds)
    return Event(id="kiln.state", time=time, kind="state", value=word, received=time)


def board(*events: Event, options: AlarmOptions = PLAIN, now: float | None = None) -> Board:
    made = Board(options)
    for event in events:
        made.take(event)
    if now is not None:
        made.advance(at(now))
    return made


def after(*events: Event, rule: Rule | None = None, now: float | None = None) -> str:
    options = AlarmOptions(rules=(rule,)) if rule else PLAIN
    return board(*events, options=options, now=now).alarms[ID].state


ACTIVE, OVER, ACK = alarm(0), alarm(10, "normal"), deed(5, "acknowledge")
DESIGN = Rule(alarm=ID, suppressed_while=(While(signal="kiln.state", states=("off",)),))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([ACTIVE], "unacknowledged", id="normal -> unacknowledged"),
        pytest.param([ACTIVE, ACK], "acknowledged", id="unacknowledged -> acknowledged"),
        pytest.param([ACTIVE, OVER], "returned", id="unacknowledged -> returned"),
        pytest.param([ACTIVE, ACK, OVER], "normal", id="acknowledged -> normal"),
        pytest.param([ACTIVE, OVER, deed(15, "acknowledge")], "normal", id="returned -> normal"),
        pytest.param([ACTIVE, OVER, alarm(12)], "unacknowledged", id="returned -> unacknowledged"),
        pytest.param(
            [ACTIVE, ACK, alarm(6, severity="900")], "unacknowledged", id="more urgent: anew"
        ),
        pytest.param([ACTIVE, ACK, alarm(6)], "acknowledged", id="said again: nothing new"),
        pytest.param([ACTIVE, shelve(5, 60)], "shelved", id="unacknowledged -> shelved"),
        pytest.param([ACTIVE, ACK, shelve(6, 60)], "shelved", id="acknowledged -> shelved"),
        pytest.param([ACTIVE, OVER, shelve(15, 60)], "shelved", id="returned -> shelved"),
        pytest.param(
            [ACTIVE, shelve(5, 60), OVER, deed(20, "unshelve")], "normal", id="shelved -> normal"
        ),
        pytest.param(
            [ACTIVE, shelve(5, 60), deed(20, "unshelve")],
            "unacknowledged",
            id="shelved -> unacknowledged",
        ),
        pytest.param(
            [ACTIVE, deed(5, "service", value="out")], "out_of_service", id="out of service"
        ),
        pytest.param(
            [ACTIVE, deed(5, "service", value="out"), deed(6, "service", value="in")],
            "unacknowledged",
            id="out of service -> unacknowledged",
        ),
        pytest.param(
            [ACTIVE, deed(5, "service", value="out"), OVER, deed(12, "service", value="in")],
            "normal",
            id="out of service -> normal",
        ),
    ],
)
def test_every_transition_of_the_diagram(events: list[Event], expected: str) -> None:
    assert after(*events) == expected


def test_suppression_by_design_begins_and_ends_with_the_state() -> None:
    assert after(state(-1, "off"), ACTIVE, rule=DESIGN) == "suppressed"
    assert after(ACTIVE, state(1, "off"), rule=DESIGN) == "suppressed"
    assert after(state(-1, "off"), ACTIVE, state(1, "run"), rule=DESIGN) == "unacknowledged"
    assert after(state(-1, "off"), ACTIVE, OVER, state(11, "run"), rule=DESIGN) == "normal"


def test_shelving_ends_by_itself_at_its_own_moment() -> None:
    kept = board(ACTIVE, shelve(5, 60), now=64)
    assert kept.alarms[ID].state == "shelved"
    kept.advance(at(1000))
    assert kept.alarms[ID].state == "unacknowledged"
    assert kept.alarms[ID].told == at(65)
    assert after(ACTIVE, shelve(5, 60), OVER, now=1000) == "normal"


def test_a_shelving_that_is_over_already_changes_nothing() -> None:
    assert after(ACTIVE, shelve(5, -1)) == "unacknowledged"


def test_delays_hold_back_what_is_short_and_what_flickers() -> None:
    rule = Rule(alarm="kiln.*", on_delay=8, off_delay=20)
    assert (
        board(ACTIVE, alarm(7, "normal"), options=AlarmOptions(rules=(rule,)), now=99).shown() == []
    )
    late = board(ACTIVE, options=AlarmOptions(rules=(rule,)), now=99).alarms[ID]
    assert (late.state, late.since, late.told) == ("unacknowledged", at(0), at(8))
    assert after(ACTIVE, alarm(10, "normal"), alarm(29), rule=rule, now=99) == "unacknowledged"
    assert after(ACTIVE, alarm(10, "normal"), rule=rule, now=29) == "unacknowledged"
    assert after(ACTIVE, alarm(10, "normal"), rule=rule, now=31) == "returned"


def test_within_the_dead_time_it_is_shown_but_not_told_anew() -> None:
    rule = Rule(alarm=ID, dead_time=60)
    assert after(ACTIVE, ACK, OVER, alarm(30), rule=rule) == "acknowledged"
    assert after(ACTIVE, ACK, OVER, alarm(61), rule=rule) == "unacknowledged"


def test_what_returned_before_the_acknowledgement_came_is_normal() -> None:
    assert after(ACTIVE, alarm(4, "normal"), ACK) == "normal"


def test_of_two_acknowledgements_the_first_holds() -> None:
    twice = board(ACTIVE, ACK, deed(6, "acknowledge", person="lee"))
    assert twice.alarms[ID].person == "kim"


def test_what_came_anew_after_somebody_looked_is_not_acknowledged() -> None:
    seen = deed(12, "acknowledge", seen=str(at(0)))
    assert after(ACTIVE, OVER, alarm(11), seen) == "unacknowledged"


def test_a_word_that_is_older_than_the_newest_changes_nothing() -> None:
    assert after(alarm(10), alarm(5, "normal", late=20)) == "unacknowledged"


def test_a_clock_that_was_ahead_and_is_put_right_hides_nothing() -> None:
    ahead = Event(id=ID, time=at(3000), kind="alarm", value="normal", received=at(0))
    assert after(alarm(-5), ahead, alarm(10)) == "unacknowledged"


def test_conditions_of_one_signal_are_alarms_of_their_own() -> None:
    kept = board(
        alarm(0, "FAULT", nativeCode="E1"),
        alarm(1, "WARNING", nativeCode="E2"),
        alarm(2, "NORMAL", nativeCode="E1"),
    )
    assert {id: each.state for id, each in kept.alarms.items()} == {
        f"{ID}:E1": "returned",
        f"{ID}:E2": "unacknowledged",
    }
    assert kept.alarms[f"{ID}:E1"].priority == "high"
    kept.take(alarm(3, "NORMAL"))  # of all of them
    assert kept.alarms[f"{ID}:E2"].state == "returned"


def test_a_source_that_knows_nothing_changes_nothing() -> None:
    gone = Event(id=ID, time=at(5), kind="alarm", value="UNAVAILABLE", status=Severity.BAD)
    assert said(gone) is None
    assert after(ACTIVE, gone) == "unacknowledged"


def test_an_alarm_without_an_id_is_shown_and_acknowledged_as_any() -> None:
    kept = board(alarm(0, id=""), deed(1, "acknowledge", "nameless"))
    assert kept.alarms["nameless"].state == "acknowledged"


def test_texts_stay_as_they_are_and_short() -> None:
    text = "<script>alert(1)</script>" * 100
    kept = board(alarm(0, message=text, severity="not a number"))
    assert kept.alarms[ID].text == text[:500]
    assert kept.alarms[ID].priority == "medium"
    assert board(alarm(0, "Too hot")).alarms[ID].text == "Too hot"


@pytest.mark.parametrize(
    ("severity", "priority"),
    [(1, "low"), (333, "low"), (334, "medium"), (666, "medium"), (667, "high"), (801, "critical")],
)
def test_severities_of_opc_ua(severity: int, priority: str) -> None:
    """OPC 10000-5 §6.4.2: low 1 to 333, medium 334 to 666, high 667 to 1000."""
    assert of_severity(severity) == priority


def test_a_finding_is_an_alarm_while_it_holds() -> None:
    held = Finding(origin="spc", asset="kiln", name="drift", start=1, end=2, severity=3)
    assert is_condition(held)
    assert not is_condition(Finding(origin="eye", asset="c", name="inspection", start=2, end=2))
    kept = board(of_finding(held, at(0)))
    assert kept.alarms["kiln.spc.drift"].priority == "high"
    kept.take(of_finding(Finding(origin="spc", asset="kiln", name="drift", start=1, end=3), at(9)))
    assert kept.alarms["kiln.spc.drift"].state == "returned"


def test_a_flood_begins_with_more_than_ten_and_ends_with_fewer_than_five() -> None:
    """ISA-18.2 clause 16: more than 10 alarms in 10 minutes, until fewer than 5."""
    kept = board(*(alarm(n, id=f"m{n}.fault") for n in range(10)))
    assert kept.flood is None
    kept.take(alarm(20, id="m20.fault"))
    assert kept.flood is not None
    assert (kept.flood.since, kept.flood.count) == (at(20), 11)
    kept.advance(at(606))  # those of 0 to 6 s are too old: four are left
    assert kept.flood is None
    assert len(kept.shown()) == 11


def test_what_chatters_and_what_is_stale_is_known() -> None:
    times = (0, 20, 40)
    told = [e for s in times for e in (alarm(s), alarm(s + 5, "normal"))]
    assert is_chattering(board(*told).alarms[ID])
    assert not is_chattering(board(*told[:4]).alarms[ID])
    kept = board(ACTIVE, now=86_401)
    assert is_stale(kept.alarms[ID], PLAIN, kept.now)


def test_active_ones_come_first_then_the_urgent_then_the_new() -> None:
    kept = board(
        alarm(0, id="a.low", severity="100"),
        alarm(1, id="b.critical", severity="950"),
        alarm(2, id="c.old", severity="500"),
        alarm(3, id="d.new", severity="500"),
        alarm(4, id="e.over", severity="990"),
        alarm(5, "normal", id="e.over"),
    )
    assert [each.id[0] for each in kept.shown()] == ["b", "d", "c", "a", "e"]


def test_ten_thousand_codes_are_forgotten_when_over_but_never_while_active() -> None:
    kept = Board(PLAIN)
    kept.take(alarm(0, nativeCode="first"))
    for n in range(12_000):
        kept.take(alarm(n + 1, nativeCode=str(n)))
        kept.take(deed(n + 1, "acknowledge", f"{ID}:{n}"))
        kept.take(alarm(n + 1.5, "NORMAL", nativeCode=str(n)))
    assert len(kept.alarms) <= 10_001
    assert kept.alarms[f"{ID}:first"].state == "unacknowledged"


def test_the_figures_of_a_known_day() -> None:
    events = [alarm(n * 3600, id=f"m{n}.fault", severity="100") for n in range(12)]
    events += [alarm(20 * 3600 + n, id=f"f{n}.fault", severity="900") for n in range(12)]
    found = performance(PLAIN, events, at(0), at(24 * 3600))
    value = {figure.name: figure.value for figure in found.figures}
    assert found.told == 24
    assert value["per_hour"] == pytest.approx(1.0)
    assert value["most_in_ten_minutes"] == 12
    assert value["tens_with_many"] == pytest.approx(100 / 144)
    assert value["hours_with_many"] == 0
    # from the eleventh, 10 s in, until fewer than five are of the last ten minutes
    assert found.floods == [(at(72_010), at(72_607))]
    assert value["time_in_flood"] == pytest.approx(100 * 597 / 86_400)
    assert found.priorities == {"low": 50.0, "medium": 0.0, "high": 0.0, "critical": 50.0}
    assert sum(found.rate) == 24
    verdict = {figure.name: figure.verdict for figure in found.figures}
    assert verdict["per_hour"] == "good"
    assert verdict["most_in_ten_minutes"] == "too_much"


def test_the_figures_name_bad_actors() -> None:
    events = [e for n in range(5) for e in (alarm(n * 9), alarm(n * 9 + 4, "normal"))]
    found = performance(PLAIN, [*events, alarm(50, id="a.b")], at(0), at(3600))
    worst = found.actors[0]
    assert (worst.alarm, worst.count, worst.chatters) == (ID, 5, True)
    assert worst.share == pytest.approx(100 * 5 / 6)
    with pytest.raises(ValueError, match="after"):
        performance(PLAIN, [], at(1), at(1))


# ---- whatever happens

moments = st.integers(0, 3 * 3600)
ids = st.sampled_from(["a.x", "a.y", "b.x"])
words = st.sampled_from(["active", "FAULT", "normal", "INACTIVE", "UNAVAILABLE", "Too hot"])
said_events = st.builds(
    lambda t, id, value, severity: alarm(t, value, id, severity=str(severity)),
    moments,
    ids,
    words,
    st.integers(0, 1000),
)
deeds = st.builds(
    lambda t, what, id, value, length: deed(
        t, what, id, value, until=str(at(t + length)), seen=str(at(t))
    ),
    moments,
    st.sampled_from(["acknowledge", "shelve", "unshelve", "service"]),
    ids,
    st.sampled_from(["out", "in"]),
    st.integers(-5, 600),
)
states = st.builds(state, moments, st.sampled_from(["off", "run"]))
histories = st.lists(st.one_of(said_events, deeds, states), max_size=40)
RULES = AlarmOptions(
    rules=(
        Rule(alarm="a.y", on_delay=60, off_delay=30, dead_time=90),
        Rule(alarm="b.*", suppressed_while=(While(signal="kiln.state", states=("off",)),)),
    )
)


@given(histories)
def test_no_order_of_events_loses_what_is_active(events: list[Event]) -> None:
    kept = board(*events, options=RULES)
    newest: dict[str, Event] = {}
    for event in events:
        known = newest.get(event.id, event)
        is_word = event.kind == "alarm" and event.value != "UNAVAILABLE"
        if is_word and event.time >= known.time:
            newest[event.id] = event
    for id, event in newest.items():
        if event.value.upper() in ("NORMAL", "INACTIVE"):
            continue
        found = kept.alarms[id]
        assert found.condition
        assert found.active or found.due
        if found.active:
            assert found.state not in ("normal", "returned")
            assert found in kept.shown()


@given(histories, st.integers(0, 4 * 3600))
def test_a_restart_finds_the_same_board(events: list[Event], more: int) -> None:
    events = sorted(events, key=lambda event: event.received)
    live = Board(RULES)
    for event in events:
        for tick in range(1, 4):  # the clock goes on between events
            live.advance(event.received - 3 + tick)
        live.take(event)
    end = max([event.received for event in events], default=START) + more * SECOND
    live.advance(end)
    again, steps = replay(RULES, events, end)
    assert again.alarms == live.alarms
    assert again.flood == live.flood
    assert all(isinstance(each, Alarm) for each in live.alarms.values())
    assert [step.time for step in steps] == sorted(step.time for step in steps)


@given(histories)
def test_the_figures_never_fail(events: list[Event]) -> None:
    found = performance(RULES, events, at(0), at(0) + HOUR + MINUTE)
    assert sum(found.rate) == found.told
