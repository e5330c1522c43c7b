"""The gate lets pass what its rules allow, and names the rule of everything else."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Refused
from deungdae.core.types import SECOND, Command, Finding, Flag, Permit, Severity, Signal
from deungdae.decide import gate as gate_module
from deungdae.decide.gate import RULES, Gate, Proposal, State
from deungdae.decide.gate.rules import CHECKS
from deungdae.model.factory import Factory, Identity

START = 1_800_000_000 * SECOND
VALVE, DOOR, BEAT, FREE = "kiln.valve", "kiln.door", "kiln.beat", "kiln.free"

SIGNALS = [
    Signal(id=VALVE, unit="%", low=0, high=100, access="rw", source="plc:1"),
    Signal(id=DOOR, source="plc:2"),
    Signal(id=BEAT, access="rw", source="plc:3"),
    Signal(id=FREE, access="rw", source="plc:4"),
    Signal(id="fan.speed", unit="Hz", access="rw", source="other:1"),
    Signal(id="kiln.state", kind="state", source="plc:5"),
]
FACTORY = Factory(
    path=Path("factory.toml"),
    identity=Identity(id="works"),
    signals={signal.id: signal for signal in SIGNALS},
)
LIMITS: dict[str, Any] = {"signal": VALVE, "low": 10, "high": 90, "step": 5, "interval": 2}


class Seen(msgspec.Struct):
    value: float
    time: int
    status: int = 0


class Plant:
    """What the machines hold now, as the gate sees it."""

    def __init__(self, values: Mapping[str, float], now: int = START) -> None:
        self.seen = {id: Seen(value, now) for id, value in values.items()}

    def reading(self, id: str) -> Seen | None:
        return self.seen.get(id)


def make(mode: str = "auto", writable: Mapping[str, object] | None = None, **more: Any) -> Gate:
    table = {"mode": mode, "writable": [{**LIMITS, **(writable or {})}], **more}
    options, problems = strict.decode(Gate.Options, table)
    assert options is not None, problems
    return Gate("gate", options, FACTORY)


def command(value: float = 52.0, now: int = START, **changes: Any) -> Command:
    fields: dict[str, Any] = {
        "id": f"c{next(_numbers)}",
        "signal": VALVE,
        "value": value,
        "origin": "test",
        "because": "it must",
        "issued": now,
        "expires": now + 60 * SECOND,
    }
    return Command(**{**fields, **changes})


_numbers = iter(range(10**9))


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def refusal(gate: Gate, wish: Command, now: int = START, plant: Plant | None = None) -> str:
    with pytest.raises(Refused) as caught:
        gate.judge(wish, now, plant or Plant({VALVE: 50.0}))
    assert caught.value.rule in RULES
    return caught.value.rule


def pass_through(gate: Gate, wish: Command, now: int, plant: Plant) -> Permit:
    """Judge, write to the plant and confirm, as the runtime does."""
    permit = gate.judge(wish, now, plant)
    assert isinstance(permit, Permit)
    gate.recheck(permit, now)
    plant.seen[wish.signal] = Seen(wish.value, now)
    assert gate.confirm(permit, wish.value, now) is None
    return permit


def test_a_command_within_every_rule_becomes_a_permit() -> None:
    wish = command()
    permit = make().judge(wish, START, Plant({VALVE: 50.0}))
    assert isinstance(permit, Permit)
    assert (permit.command, permit.granted, permit.mode) == (wish, START, "auto")
    assert permit.previous == 50.0
    assert {"limits", "step", "rate", "stale", "interlock", "watchdog"} <= set(permit.rules)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"value": math.nan}, "not-finite"),
        ({"value": math.inf}, "not-finite"),
        ({"value": -math.inf}, "not-finite"),
        ({"signal": "kiln.lid"}, "unknown-signal"),
        ({"signal": DOOR}, "read-only"),
        ({"signal": FREE}, "not-writable"),
        ({"value": 9.99}, "limits"),
        ({"value": 90.01}, "limits"),
        ({"value": 55.1}, "step"),
        ({"value": 44.9}, "step"),
        ({"expires": START}, "expired"),
        ({"expires": at(301)}, "expiry"),
        ({"issued": at(-300), "expires": at(1)}, "expiry"),
        ({"issued": at(2)}, "clock"),
    ],
)
def test_what_is_wrong_with_the_command(changes: dict[str, Any], rule: str) -> None:
    assert refusal(make(), command(**changes)) == rule


@pytest.mark.parametrize(
    ("reading", "rule"),
    [
        (None, "quality"),
        (Seen(50.0, START, Severity.BAD), "quality"),
        (Seen(50.0, START, Severity.UNCERTAIN), "quality"),
        (Seen(50.0, START, Flag.STALE), "quality"),
        (Seen(50.0, START, Flag.OUT_OF_RANGE), "quality"),
        (Seen(50.0, START, Flag.SUBSTITUTED), "quality"),
        (Seen(math.nan, START), "quality"),
        (Seen(50.0, at(-31)), "stale"),
        (Seen(50.0, at(31)), "stale"),
    ],
)
def test_the_present_value_must_be_good_and_fresh(reading: Seen | None, rule: str) -> None:
    plant = Plant({})
    if reading is not None:
        plant.seen[VALVE] = reading
    assert refusal(make(), command(), plant=plant) == rule


def test_time_marks_do_not_make_a_value_bad() -> None:
    plant = Plant({})
    plant.seen[VALVE] = Seen(50.0, START, Flag.RECEIVED_TIME | Flag.CLOCK_SUSPECT)
    assert isinstance(make().judge(command(), START, plant), Permit)


def test_age_zero_trusts_the_door() -> None:
    gate, plant = make(writable={"age": 0}), Plant({VALVE: 50.0}, at(-86_400))
    assert isinstance(gate.judge(command(), START, plant), Permit)


def test_a_command_is_judged_once_even_when_it_was_refused() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    wish, wrong = command(), command(99)
    pass_through(gate, wish, START, plant)
    assert refusal(gate, wish, at(10), plant) == "duplicate"
    assert refusal(gate, wrong, at(10), plant) == "limits"
    assert refusal(gate, wrong, at(10), plant) == "duplicate"


def test_judged_commands_are_forgotten_when_they_have_expired() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    for second in range(2000):
        now = at(second)
        refusal(gate, command(99.0, now, expires=now + SECOND), now, plant)
    assert len(gate.state().judged) < 300


def test_writes_keep_their_distance_in_time() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    pass_through(gate, command(51), START, plant)
    assert refusal(gate, command(52, at(1.9)), at(1.9), plant) == "interval"
    pass_through(gate, command(52, at(2)), at(2), plant)


def test_the_rate_counts_from_the_last_write() -> None:
    gate, plant = make(writable={"rate": 0.5}), Plant({VALVE: 50.0})
    pass_through(gate, command(52), START, plant)
    assert refusal(gate, command(54.1, at(4)), at(4), plant) == "rate"
    pass_through(gate, command(54, at(4)), at(4), plant)
    assert refusal(gate, command(48.9, at(24)), at(24), plant) == "step"


def test_the_step_counts_from_what_was_written_while_the_reading_is_old() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    permit = gate.judge(command(55), START, plant)
    assert isinstance(permit, Permit)
    gate.confirm(permit, None, at(1))
    # the poll has not come round: 50 is what was, 55 what may be
    assert refusal(gate, command(46, at(3)), at(3), plant) == "step"
    plant.seen[VALVE] = Seen(50.5, at(3))  # a person turned it back
    assert isinstance(gate.judge(command(46, at(4)), at(4), plant), Permit)


def test_a_register_that_rounds_does_not_eat_the_step() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    pass_through(gate, command(50.1), START, plant)
    plant.seen[VALVE] = Seen(50.099998474121094, at(2))  # 50.1 as float32
    assert isinstance(gate.judge(command(55.1, at(3)), at(3), plant), Permit)


def test_one_write_at_a_time() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    first = gate.judge(command(51, expires=at(20)), START, plant)
    assert isinstance(first, Permit)
    assert refusal(gate, command(52, at(10)), at(10), plant) == "under-way"
    plant.seen[VALVE] = Seen(50.0, at(79))
    assert refusal(gate, command(52, at(79)), at(79), plant) == "under-way"
    # a minute after its expiry nobody will tell any more what became of it
    second = gate.judge(command(52, at(80)), at(80), plant)
    assert isinstance(second, Permit)
    assert gate.confirm(first, 99.0, at(81)) is None
    gate.lost(first, at(81))
    gate.recheck(second, at(81))
    with pytest.raises(Refused, match="no-permit"):
        gate.recheck(first, at(81))


def test_a_lost_write_may_have_landed_or_not() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    permit = gate.judge(command(55), START, plant)
    assert isinstance(permit, Permit)
    gate.lost(permit, at(1))
    assert refusal(gate, command(49, at(4)), at(4), plant) == "step"
    assert isinstance(gate.judge(command(52, at(4)), at(4), plant), Permit)


@pytest.mark.parametrize("read_back", [53.0, 51.8, math.nan, math.inf])
def test_a_value_that_did_not_take_holds_the_signal(read_back: float) -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    permit = gate.judge(command(52), START, plant)
    assert isinstance(permit, Permit)
    finding = gate.confirm(permit, read_back, at(1))
    assert isinstance(finding, Finding)
    assert (finding.asset, finding.name, finding.severity) == ("kiln", "read-back", 3)
    assert (finding.value is None) is not math.isfinite(read_back)
    assert VALVE in gate.held
    assert refusal(gate, command(52, at(9)), at(9), plant) == "read-back-mismatch"
    with pytest.raises(Refused, match="no-person"):
        gate.clear(VALVE, " ")
    gate.clear(VALVE, "kim")
    assert isinstance(gate.judge(command(52, at(9)), at(9), plant), Permit)


@pytest.mark.parametrize("read_back", [52.0, 52.08, 51.92, None])
def test_a_value_read_back_within_the_tolerance_is_fine(read_back: float | None) -> None:
    gate = make()
    permit = gate.judge(command(52), START, Plant({VALVE: 50.0}))
    assert isinstance(permit, Permit)
    assert gate.confirm(permit, read_back, at(1)) is None


LOCKED = {"interlocks": [{"signal": DOOR, "low": 0.5, "high": 1.5, "age": 5}]}


@pytest.mark.parametrize(
    ("reading", "passes"),
    [
        (Seen(1.0, START), True),
        (Seen(0.0, START), False),
        (Seen(2.0, START), False),
        (Seen(1.0, at(-6)), False),
        (Seen(1.0, START, Severity.BAD), False),
        (None, False),
    ],
)
def test_interlocks(reading: Seen | None, passes: bool) -> None:
    gate, plant = make(writable=LOCKED), Plant({VALVE: 50.0})
    if reading is not None:
        plant.seen[DOOR] = reading
    if passes:
        assert isinstance(gate.judge(command(), START, plant), Permit)
    else:
        assert refusal(gate, command(), plant=plant) == "interlock"
    assert gate.watches == (VALVE, DOOR)


@pytest.mark.parametrize("mode", ["off", "shadow", "advise", "approve"])
def test_only_auto_permits_by_itself(mode: str) -> None:
    gate, plant = make(mode), Plant({VALVE: 50.0})
    if mode in ("off", "shadow"):
        assert refusal(gate, command(), plant=plant) == f"mode-{mode}"
        assert gate.proposals(START) == []
    else:
        wish = command()
        proposal = gate.judge(wish, START, plant)
        assert isinstance(proposal, Proposal)
        assert (proposal.mode, proposal.command, proposal.previous) == (mode, wish, 50.0)
        assert gate.proposals(START) == [proposal]


def test_shadow_judges_fully_and_says_what_would_have_happened() -> None:
    gate = make("shadow")
    assert refusal(gate, command(99)) == "limits"
    with pytest.raises(Refused, match="would have been written from 50 to 52 %"):
        gate.judge(command(52), START, Plant({VALVE: 50.0}))


def test_a_signal_may_be_more_careful_than_the_gate_but_never_less() -> None:
    assert refusal(make("auto", {"mode": "shadow"}), command()) == "mode-shadow"
    assert refusal(make("shadow", {"mode": "auto"}), command()) == "mode-shadow"


def test_a_person_approves_and_the_rules_are_checked_anew() -> None:
    gate, plant = make("approve", LOCKED), Plant({VALVE: 50.0, DOOR: 1.0})
    wish = command(expires=at(60))
    gate.judge(wish, START, plant)
    plant.seen = {VALVE: Seen(50.0, at(9)), DOOR: Seen(0.0, at(9))}
    with pytest.raises(Refused, match="interlock"):
        gate.approve(wish.id, "kim", at(10), plant)
    with pytest.raises(Refused, match="no-person"):
        gate.approve(wish.id, "", at(10), plant)
    plant.seen[DOOR] = Seen(1.0, at(9))
    permit = gate.approve(wish.id, "kim", at(10), plant)
    assert (permit.mode, permit.approver, permit.granted) == ("approve", "kim", at(10))
    with pytest.raises(Refused, match="no-proposal"):
        gate.approve(wish.id, "kim", at(11), plant)


def test_advice_is_never_written() -> None:
    gate, plant = make("advise"), Plant({VALVE: 50.0})
    wish = command()
    gate.judge(wish, START, plant)
    with pytest.raises(Refused, match="mode-advise"):
        gate.approve(wish.id, "kim", at(1), plant)


def test_a_proposal_expires() -> None:
    gate, plant = make("approve"), Plant({VALVE: 50.0})
    wish = command(expires=at(5))
    gate.judge(wish, START, plant)
    assert gate.proposals(at(5)) == []
    with pytest.raises(Refused, match="expired"):
        gate.approve(wish.id, "kim", at(5), plant)


def test_a_proposal_does_not_change_under_the_hand_of_who_reads_it() -> None:
    gate, plant = make("approve"), Plant({VALVE: 50.0})
    old, new = command(51, expires=at(5)), command(52)
    gate.judge(old, START, plant)
    assert refusal(gate, new, START, plant) == "waiting"
    assert [proposal.command for proposal in gate.proposals(START)] == [old]
    later = command(53)
    gate.judge(later, at(5), plant)  # nobody decided in time
    assert [proposal.command for proposal in gate.proposals(at(5))] == [later]


def test_newer_advice_replaces_the_older() -> None:
    gate, plant = make("advise"), Plant({VALVE: 50.0})
    old, new = command(51), command(52)
    gate.judge(old, START, plant)
    gate.judge(new, START, plant)
    assert [proposal.command for proposal in gate.proposals(START)] == [new]
    with pytest.raises(Refused, match="no-proposal"):
        gate.approve(old.id, "kim", START, plant)


def test_a_person_declines() -> None:
    gate, plant = make("approve"), Plant({VALVE: 50.0})
    wish = command()
    gate.judge(wish, START, plant)
    assert gate.decline(wish.id, "kim").command == wish
    with pytest.raises(Refused, match="no-proposal"):
        gate.decline(wish.id, "kim")


def test_the_kill_switch_stops_everything_until_it_is_released() -> None:
    gate, plant = make("approve"), Plant({VALVE: 50.0})
    wish = command(51)
    gate.judge(wish, START, plant)
    gate.kill("kim", "smoke", START)
    assert refusal(gate, command(), at(1), plant) == "kill-switch"
    with pytest.raises(Refused, match="kill-switch: kim: smoke"):
        gate.approve(wish.id, "lee", at(1), plant)
    gate.release("kim", at(2))
    assert gate.killed is None
    with pytest.raises(Refused, match="no-proposal"):
        gate.approve(wish.id, "lee", at(3), plant)


@pytest.mark.parametrize("cause", ["kill", "late", "lowered"])
def test_a_permit_is_looked_at_again_just_before_the_wire(cause: str) -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    permit = gate.judge(command(51), START, plant)
    assert isinstance(permit, Permit)
    if cause == "kill":
        gate.kill("kim", "smoke", START)
    if cause == "lowered":
        gate.switch("advise", "kim")
    rule = {"kill": "kill-switch", "late": "expired", "lowered": "mode-advise"}[cause]
    with pytest.raises(Refused, match=rule):
        gate.recheck(permit, at(60 if cause == "late" else 1))
    assert gate.state().flights == {}
    assert gate.state().written == {}


def test_the_mode_never_rises_above_the_factory_file() -> None:
    gate = make("approve")
    with pytest.raises(Refused, match="mode-ceiling"):
        gate.switch("auto", "kim")
    gate.switch("off", "kim")
    assert refusal(gate, command()) == "mode-off"
    gate.switch("approve", "kim")
    assert gate.mode == "approve"


def test_a_clock_that_goes_back_closes_the_gate_until_a_person_releases_it() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    pass_through(gate, command(51), START, plant)
    plant.seen[VALVE] = Seen(51, at(-3600))
    assert refusal(gate, command(52, at(-3600)), at(-3600), plant) == "clock"
    gate.release("kim", at(-3600))
    assert refusal(gate, command(52, at(-3600)), at(-3600), plant) == "interval"


WATCHED = {"watchdog": [{"signal": BEAT, "period": 1, "timeout": 3, "high": 2}]}


def beat(gate: Gate, seconds: float) -> float:
    """Carry the one due beat to the machine; return its value."""
    (wish,) = gate.heartbeats(at(seconds))
    permit = gate.judge(wish, at(seconds), Plant({}))
    assert isinstance(permit, Permit)
    gate.recheck(permit, at(seconds))
    assert gate.confirm(permit, None, at(seconds)) is None
    return wish.value


def test_no_write_without_a_living_watchdog() -> None:
    gate, plant = make(**WATCHED), Plant({VALVE: 50.0})
    assert refusal(gate, command(51), START, plant) == "watchdog"
    assert [beat(gate, second) for second in range(4)] == [0, 1, 2, 0]
    assert gate.heartbeats(at(3.5)) == []
    pass_through(gate, command(51, at(6)), at(6), plant)
    assert refusal(gate, command(52, at(8.1)), at(8.1), plant) == "watchdog"


def test_a_beat_that_fails_does_not_count() -> None:
    gate, plant = make(**WATCHED), Plant({VALVE: 50.0})
    (wish,) = gate.heartbeats(START)
    permit = gate.judge(wish, START, plant)
    assert isinstance(permit, Permit)
    assert gate.heartbeats(at(2)) == []  # the first is still under way
    gate.lost(permit, at(2))
    assert refusal(gate, command(51, at(2)), at(2), plant) == "watchdog"
    assert len(gate.heartbeats(at(2))) == 1


def test_machines_are_left_to_themselves_while_nothing_may_be_written() -> None:
    gate = make(**WATCHED)
    (wish,) = gate.heartbeats(START)
    gate.kill("kim", "smoke", START)
    assert gate.heartbeats(at(5)) == []
    assert refusal(gate, wish) == "kill-switch"
    for mode in ("off", "shadow", "advise"):
        assert make(mode, **WATCHED).heartbeats(START) == []
    assert len(make("approve", **WATCHED).heartbeats(START)) == 1


def test_nobody_else_may_write_the_watchdog() -> None:
    gate = make(**WATCHED)
    gate.heartbeats(START)
    assert refusal(gate, command(1, signal=BEAT, origin="gate")) == "not-writable"


def test_the_watchdog_of_one_machine_does_not_stop_another() -> None:
    fan = {"signal": "fan.speed", "low": 0, "high": 60, "step": 5}
    gate = make(writable=fan, **WATCHED)
    wish = command(31, signal="fan.speed")
    assert isinstance(gate.judge(wish, START, Plant({"fan.speed": 30.0})), Permit)


def test_the_gate_remembers_over_a_restart() -> None:
    gate, plant = make(), Plant({VALVE: 50.0})
    wish = command(55)
    gate.judge(wish, START, plant)
    gate.kill("kim", "smoke", at(1))
    stored = msgspec.json.decode(msgspec.json.encode(gate.state()), type=State)
    after = make()
    after.restore(stored)
    assert refusal(after, command(52, at(3)), at(3), plant) == "kill-switch"
    after.release("kim", at(3))
    assert refusal(after, wish, at(3), plant) == "duplicate"
    # the write that was under way may have landed
    assert refusal(after, command(49, at(3)), at(3), plant) == "step"
    assert after.state().flights == {}


def test_a_restart_keeps_the_mode_a_person_chose_and_heeds_the_file() -> None:
    gate = make("auto")
    gate.switch("advise", "kim")
    calmer, bolder, unchosen = make("shadow"), make("auto"), make("auto")
    calmer.restore(gate.state())
    bolder.restore(gate.state())
    unchosen.restore(make("shadow").state())
    assert (calmer.mode, bolder.mode, unchosen.mode) == ("shadow", "advise", "auto")


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        ({"signal": "kiln.valvo"}, "writable[0].signal", "not declared"),
        ({"signal": "kiln.state"}, "writable[0].signal", "kind state"),
        ({"signal": DOOR}, "writable[0].signal", "only be read"),
        ({"low": 90, "high": 10}, "writable[0].low", "not below"),
        ({"low": math.nan}, "writable[0].low", "not below"),
        ({"high": math.inf}, "writable[0].low", "not below"),
        ({"low": -1}, "writable[0].low", "below the signal's own"),
        ({"high": 101}, "writable[0].high", "above the signal's own"),
        ({"step": math.inf}, "writable[0].step", "not a finite"),
        (
            {"interlocks": [{"signal": DOOR, "low": math.nan}]},
            "writable[0].interlocks[0].low",
            "not a finite",
        ),
        ({"interlocks": [{"signal": "no.where"}]}, "writable[0].interlocks[0].signal", "declared"),
    ],
)
def test_what_the_factory_file_gets_wrong_is_told(
    changes: dict[str, Any], key: str, problem: str
) -> None:
    with pytest.raises(FactoryError) as caught:
        make(writable=changes)
    found = [fault.problem for fault in caught.value.faults if fault.key == f"decide.gate.{key}"]
    assert any(problem in text for text in found)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(FactoryError) as caught:
        make(writable={"low": -1, "high": 101}, watchdog=[{"signal": VALVE, "timeout": 1}])
    assert len(caught.value.faults) == 4


def test_the_table_of_rules_holds_every_rule_and_no_other() -> None:
    folder = Path(inspect.getfile(gate_module)).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")]
    raised = {
        node.args[0].value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Refused"
        and isinstance(node.args[0], ast.Constant)
    }
    assert raised | set(CHECKS) | {"mode-advise"} == set(RULES)
    assert all(words.en and words.ko for words in RULES.values())


def test_the_page_about_the_gate_explains_every_rule() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "gate.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in RULES if f"`{name}`" not in text] == []
