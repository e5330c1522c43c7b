"""Accounts of shifts: known answers, parts that add up, reasons, plans, what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.core.clock import from_iso
from deungdae.core.ports import Samples, Window
from deungdae.core.types import DAY, HOUR, MINUTE, SECOND, Event, Signal
from deungdae.insight import kpi
from deungdae.insight.kpi import KpiOptions
from deungdae.insight.kpi.account import Account, account, together
from deungdae.insight.kpi.reasons import DEFAULTS, StopOptions, used
from deungdae.insight.kpi.reporting import heard_in
from deungdae.insight.kpi.shifts import shifts_of
from deungdae.insight.kpi.telling import duration, label, tell
from deungdae.model.calendar import Calendar, Shift, Stop
from deungdae.model.factory import Factory, Identity

BEGIN = from_iso("2026-03-02T06:00+09:00")  # a Monday
STATE, COUNT, REJECT = "press1.state", "press1.count", "press1.rejects"
SPEC = KpiOptions(asset="press1", state=STATE, count=COUNT, reject=REJECT, cycle=60, coverage=0)
NAMES = {"press1": "1호 프레스", "press2": "2호 프레스"}


def factory(calendar: Calendar | None = None, zone: str = "Asia/Seoul") -> Factory:
    signals = {"press1.hydraulics": Signal(id="press1.hydraulics", name="유압 이상", kind="alarm")}
    return Factory(
        path=Path("factory.toml"),
        identity=Identity(id="works", timezone=zone),
        signals=signals,
        calendar=calendar or Calendar(),
    )


def state(time: int, word: str) -> Event:
    return Event(id=STATE, time=time, kind="state", value=word)


def reason(time: int, word: str, at: int = 0) -> Event:
    return Event(id="press1.reason", time=time, kind="note", value=word,
                 data={"person": "김", "at": str(at)})  # fmt: skip


def counter(*rows: tuple[int, float]) -> Samples:
    times, values = zip(*rows, strict=True)
    return Samples(
        np.asarray(times, np.int64), np.asarray(values, float), np.zeros(len(rows), np.uint8)
    )


def accounted(
    told: Sequence[Event], start: int, end: int, *, spec: KpiOptions = SPEC,
    plant: Factory | None = None, samples: dict[str, Samples] | None = None,
    reasons: Sequence[Event] = (), alarms: Sequence[Event] = (), orders: Sequence[Event] = (),
    until: int = 0, options: StopOptions | None = None,
) -> Account:  # fmt: skip
    plant = plant or factory()
    events = {STATE: tuple(told), "press1.reason": tuple(reasons)}
    window = Window(start - DAY, end, samples or {}, events)
    report = kpi.evaluate(spec, plant, window, start, end, heard_in(window, "press1"))
    return account(
        report, spec, plant, window, until=until or end, now=end, alarms=alarms, orders=orders,
        options=options or StopOptions(),
    )  # fmt: skip


def parts(found: Account) -> dict[str, float]:
    return {part.kind: round(part.seconds, 6) for part in found.parts}


# ---- the waterfall


def test_a_shift_as_iso_22400_reckons_it() -> None:
    """An hour each of failure, set-up and unknown in eight planned; 240 parts of 60 s, 24 bad.

    Source: formulas of ISO 22400-2 as in facts iso22400_kpis.csv: availability APT/PBT, over the
    known 7 h = 5/7; effectiveness PRI*PQ/APT = 240*60/(5*3600); quality GQ/PQ = 216/240.
    """
    told = [
        state(BEGIN, "running"), state(BEGIN + 3 * HOUR, "down"), state(BEGIN + 4 * HOUR, "setup"),
        state(BEGIN + 5 * HOUR, "running"), state(BEGIN + 7 * HOUR, "unavailable"),
    ]  # fmt: skip
    samples = {
        COUNT: counter((BEGIN, 0), (BEGIN + 3 * HOUR, 150), (BEGIN + 7 * HOUR, 240)),
        REJECT: counter((BEGIN, 0), (BEGIN + 7 * HOUR, 24)),
    }
    found = accounted(told, BEGIN, BEGIN + 8 * HOUR, samples=samples)
    assert found.results["oee"].value == pytest.approx(100 * 5 / 7 * 0.8 * 0.9)
    assert found.planned == 8 * 3600
    assert found.effective == pytest.approx(216 * 60)
    assert parts(found) == {
        "failure": 3600, "setup": 3600, "unknown": 3600, "slower": 3600, "rejected": 24 * 60,
    }  # fmt: skip
    assert (found.counts.made, found.counts.good, found.counts.scrap) == (240, 216, 24)


words = st.sampled_from(
    ["running", "down", "setup", "idle", "stopped", "unavailable", "break", "?"]
)
lines = st.lists(st.tuples(st.integers(-600, 900), words), max_size=20)


@settings(deadline=None, max_examples=60)
@given(lines, st.lists(st.tuples(st.integers(0, 900), st.integers(0, 30)), max_size=8),
       st.lists(st.integers(-300, 900), max_size=6), st.booleans())  # fmt: skip
def test_the_parts_add_up_to_the_planned_time_whatever_happened(
    told: list[tuple[int, str]], made: list[tuple[int, int]], explained: list[int], breaks: bool
) -> None:
    start, end = BEGIN, BEGIN + 12 * HOUR
    plant = (
        factory(Calendar(stops=(Stop(name="식사", start="12:00", end="12:30"),)))
        if breaks
        else None
    )
    events = [state(BEGIN + minute * MINUTE, word) for minute, word in sorted(told)]
    rises = sorted(dict(made).items())
    total = np.cumsum([amount for _, amount in rises] or [0])
    rows = [
        (BEGIN + minute * MINUTE, float(n)) for (minute, _), n in zip(rises, total, strict=False)
    ]
    samples = {COUNT: counter(*rows), REJECT: counter((BEGIN, 0))} if rows else {}
    given_ = [reason(BEGIN + minute * MINUTE, f"이유 {minute}") for minute in sorted(explained)]
    found = accounted(events, start, end, plant=plant, samples=samples, reasons=given_)
    lost = sum(part.seconds for part in found.parts)
    assert found.effective + lost == pytest.approx(found.planned)
    plain = accounted(events, start, end, plant=plant, samples=samples)
    assert parts(found) == parts(plain)  # what people say changes no time
    caused = sum(cause.seconds for cause in found.causes)
    stood = sum(parts(found).get(k, 0) for k in ("failure", "setup", "delay", "idle", "unknown"))
    assert caused == pytest.approx(stood)
    both = together([found, plain])
    assert both.effective + sum(part.seconds for part in both.parts) == pytest.approx(both.planned)
    assert found.ribbon[0][0] == start
    assert found.ribbon[-1][1] == end
    assert tell([found], NAMES, "ko")
    assert tell([found, plain], NAMES, "en")


def test_no_data_is_neither_idle_nor_good() -> None:
    found = accounted([], BEGIN, BEGIN + 8 * HOUR)
    assert parts(found) == {"unknown": 8 * 3600}
    assert found.effective == 0
    assert found.results["oee"].value is None
    assert [cause.cumulative for cause in found.causes] == [None]
    assert tell([found], NAMES, "ko") == "데이터가 없어 이 시간에 대해 아는 것이 없습니다."
    assert "nothing is known" in tell([found], NAMES, "en")


def test_what_people_say_of_unknown_time_does_not_make_it_known() -> None:
    told = [state(BEGIN - 3 * DAY, "running")]  # silent since: nobody knows
    said = [reason(BEGIN, "정전")]
    found = accounted(told, BEGIN, BEGIN + 8 * HOUR, reasons=said)
    assert parts(found) == {"unknown": 8 * 3600}
    (cause,) = found.causes
    assert (cause.reason, cause.category, cause.cumulative) == ("정전", "unknown", None)
    (stop,) = found.stops
    assert (stop.category, stop.wants) == ("unknown", False)


def test_without_a_cycle_running_time_is_not_rated() -> None:
    spec = KpiOptions(asset="press1", state=STATE)
    told = [state(BEGIN, "running"), state(BEGIN + HOUR, "down")]
    found = accounted(told, BEGIN, BEGIN + 2 * HOUR, spec=spec)
    assert parts(found) == {"failure": 3600, "unrated": 3600}
    assert (found.rated, found.effective) == (False, 0)
    assert found.counts.basis == ""
    assert "종합설비효율은 계산하지 못합니다" in tell([found], NAMES, "ko")


# ---- stops and reasons


def stopped(minutes: int = 20) -> list[Event]:
    since = BEGIN + HOUR
    return [
        state(BEGIN, "running"),
        state(since, "down"),
        state(since + minutes * MINUTE, "running"),
    ]


def test_the_newest_reason_wins_and_an_empty_one_takes_it_back() -> None:
    since = BEGIN + HOUR
    said = [
        reason(since, "금형 교체", 1),
        reason(since, "자재 대기", 2),
        reason(since, "금형 교체", 3),
    ]
    found = accounted(stopped(), BEGIN, BEGIN + 8 * HOUR, reasons=said)
    (cause,) = found.causes
    assert (cause.reason, cause.group, cause.seconds, cause.count) == (
        "금형 교체",
        "준비 교체",
        1200,
        1,
    )
    (stop,) = found.stops
    assert (stop.reason, stop.person, stop.wants) == ("금형 교체", "김", False)
    withdrawn = accounted(stopped(), BEGIN, BEGIN + 8 * HOUR, reasons=[*said, reason(since, "", 4)])
    assert withdrawn.causes[0].reason == ""
    assert withdrawn.stops[0].wants


def test_a_stop_is_split_in_two_reasons() -> None:
    since = BEGIN + HOUR
    said = [reason(since, "고장"), reason(since + 15 * MINUTE, "자재 대기")]
    found = accounted(stopped(), BEGIN, BEGIN + 8 * HOUR, reasons=said)
    assert {cause.reason: cause.seconds for cause in found.causes} == {
        "고장": 900,
        "자재 대기": 300,
    }
    assert [cause.cumulative for cause in found.causes] == [75, 100]
    assert found.stops[0].reason == "고장, 자재 대기"
    assert [told for _, told in found.stops[0].told] == ["고장", "자재 대기"]


def test_a_stop_keeps_its_begin_and_its_reason_over_the_change_of_shift() -> None:
    told = [
        state(BEGIN - 2 * HOUR, "running"),
        state(BEGIN - HOUR, "down"),
        state(BEGIN + HOUR, "running"),
    ]
    said = [reason(BEGIN - HOUR, "실린더 누유")]
    found = accounted(told, BEGIN, BEGIN + 8 * HOUR, reasons=said)
    (stop,) = found.stops
    assert (stop.start, stop.end) == (BEGIN - HOUR, BEGIN + HOUR)
    assert (stop.seconds, stop.reason) == (3600, "실린더 누유")
    long_ago = [state(BEGIN - 5 * DAY, "down"), state(BEGIN + HOUR, "running")]
    said = [reason(BEGIN - 5 * DAY, "휴지")]
    heard = {COUNT: counter(*((BEGIN - DAY + n * HOUR, 7.0) for n in range(30)))}
    (stop,) = accounted(long_ago, BEGIN, BEGIN + 8 * HOUR, reasons=said, samples=heard).stops
    assert (stop.start, stop.reason) == (BEGIN - 5 * DAY, "휴지")


@pytest.mark.parametrize(
    ("word", "minutes", "wanted"),
    [
        ("down", 2, True),
        ("down", 0.5, False),
        ("stopped", 2, True),
        ("idle", 5, False),
        ("idle", 11, True),
        ("starved", 60, False),
        ("setup", 60, False),
        ("unavailable", 6, True),
        ("break", 60, False),
    ],
)
def test_which_stops_want_a_reason(word: str, minutes: float, wanted: bool) -> None:
    until = BEGIN + HOUR + round(minutes * MINUTE)
    told = [state(BEGIN, "running"), state(BEGIN + HOUR, word), state(until, "running")]
    found = accounted(told, BEGIN, BEGIN + 8 * HOUR)
    assert any(stop.wants for stop in found.stops) == wanted


def test_a_stop_names_the_alarm_at_its_begin() -> None:
    since = BEGIN + HOUR
    alarms = [
        Event(id="press1.hydraulics", time=since - 5 * SECOND, kind="alarm", value="1"),
        Event(id="press1.hydraulics", time=since + 30 * SECOND, kind="alarm", value="0"),
        Event(id="press1.guard", time=since + HOUR, kind="alarm", value="1"),
    ]
    found = accounted(stopped(), BEGIN, BEGIN + 8 * HOUR, alarms=alarms)
    assert found.stops[0].alarm == "유압 이상"
    said = Event(id="x.y", time=since, kind="alarm", value="FAULT", data={"message": "Oil low"})
    assert accounted(stopped(), BEGIN, BEGIN + 8 * HOUR, alarms=[said]).stops[0].alarm == "Oil low"


def test_words_of_peoples_own_are_offered_again() -> None:
    words = ["쥐 출몰", "쥐 출몰", "정전", "금형 교체", "오타"]
    told = [reason(n, word, n) for n, word in enumerate(words)]
    told += [reason(4, "정전", 6), reason(6, "정전", 7)]
    assert used(told, DEFAULTS["ko"]) == ["정전", "쥐 출몰"]


# ---- plan


def test_the_plan_is_flat_in_breaks_and_goes_on_to_the_end_of_the_shift() -> None:
    calendar = Calendar(
        shifts=(Shift(name="주간", start="06:00", end="14:00"),),
        stops=(Stop(name="식사", start="10:00", end="11:00"),),
    )
    spec = KpiOptions(asset="press1", state=STATE, count=COUNT, target=30)
    samples = {COUNT: counter((BEGIN, 0), (BEGIN + 2 * HOUR, 50))}
    found = accounted(
        [state(BEGIN, "running")], BEGIN, BEGIN + 5 * HOUR, spec=spec, plant=factory(calendar),
        samples=samples, until=BEGIN + 8 * HOUR,
    )  # fmt: skip
    assert (found.counts.basis, found.counts.target, found.counts.due) == ("target", 210, 120)
    assert (BEGIN + 4 * HOUR, 120.0) in found.plan
    assert (BEGIN + 5 * HOUR, 120.0) in found.plan
    assert found.curve[-1] == (BEGIN + 5 * HOUR, 50.0)


def test_orders_say_the_plan_where_no_target_does() -> None:
    orders = [
        Event(id="press1.order", time=BEGIN - HOUR, kind="scan", value="O-1", data={"cycle": "60"}),
        Event(id="press1.order", time=BEGIN + HOUR, kind="scan", value="O-2", data={"cycle": "30"}),
        Event(id="press1.order", time=BEGIN + HOUR, kind="scan", value="O-3", data={"cycle": "?"}),
    ]
    spec = KpiOptions(asset="press1", state=STATE)
    found = accounted([], BEGIN, BEGIN + 2 * HOUR, spec=spec, orders=orders)
    assert (found.counts.basis, found.counts.target) == ("order", 60 + 120)


# ---- shifts


def test_a_shift_over_midnight_and_a_factory_without_a_calendar() -> None:
    night = factory(Calendar(shifts=(Shift(name="야간", start="20:00", end="08:00"),)))
    moment = from_iso("2026-03-03T02:00+09:00")
    (turn,) = shifts_of(night, moment, moment + 1)
    assert (turn.start, turn.end) == (
        from_iso("2026-03-02T20:00+09:00"),
        from_iso("2026-03-03T08:00+09:00"),
    )
    assert label(turn.name, turn.start, turn.end, night.zone, "ko") == "3월 2일(월) 야간"
    (day,) = shifts_of(factory(), moment, moment + 1)
    assert (day.name, day.planned) == ("", 24 * 3600)
    assert label("", day.start, day.end, night.zone, "en") == "Tue 3 Mar"


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_of_clock_change_is_as_long_as_it_is(day: date, hours: int) -> None:
    plant = factory(zone="Europe/Berlin")
    noon = from_iso(f"{day}T12:00", ZoneInfo("Europe/Berlin"))
    (turn,) = shifts_of(plant, noon, noon + 1)
    assert turn.planned == hours * 3600
    found = accounted([state(turn.start, "running")], turn.start, turn.end, plant=plant,
                      spec=KpiOptions(asset="press1", state=STATE))  # fmt: skip
    assert parts(found) == {"unrated": hours * 3600}


# ---- in words


def test_how_good_it_was_and_what_cost_most() -> None:
    samples = {COUNT: counter((BEGIN, 0), (BEGIN + 8 * HOUR - 1, 400)), REJECT: counter((BEGIN, 0))}
    said = [reason(BEGIN + HOUR, "금형 교체")]
    found = accounted(stopped(60), BEGIN, BEGIN + 8 * HOUR, samples=samples, reasons=said)
    assert tell([found], NAMES, "ko") == (
        "종합설비효율은 83.3 %입니다."
        " 가장 큰 손실은 1호 프레스의 ‘금형 교체’ 1시간(계획 시간의 12 %)입니다."
    )
    assert "“금형 교체” at 1호 프레스, 1 h (12 % of its planned time)" in tell([found], NAMES, "en")
    assert duration(59.6 * 60, "ko") == "1시간"
    assert duration(20, "en") == "20 s"
