"""The way back: nothing moves before it is written down, and everything that happens is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from deungdae.app.control import Control, Outcome
from deungdae.app.live import Live
from deungdae.core.clock import SimulatedClock
from deungdae.core.errors import DoorError, Refused, StoreError
from deungdae.core.types import DAY, MINUTE, SECOND, Batch, Command, Finding, Permit, Signal
from deungdae.decide.gate import Gate, State, Watchdog, Writable
from deungdae.model.factory import Factory, Identity, Plugin

T0 = 20_000 * DAY
SIGNALS = [
    Signal(id="kiln.valve", unit="%", access="rw", low=0, high=100, source="kiln:valve"),
    Signal(id="kiln.beat", access="rw", source="kiln:beat"),
    Signal(id="press.speed", access="rw", low=0, high=100, source="press:speed"),
]


class World:
    """A journal and machines in one: keeps what happened in its order."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.happened: list[tuple[str, ...]] = []
        self.entries: list[tuple[str, dict[str, Any], str]] = []
        self.refuses: set[str] = set()  # kinds of entry that the journal cannot take
        self.answer: Any = "as written"
        self.takes = 0.0

    def append(self, kind: str, data: dict[str, object], who: str = "") -> object:
        if kind in self.refuses:
            raise StoreError("the journal could not be written")
        self.happened.append(("journal", kind))
        self.entries.append((kind, msgspec.json.decode(msgspec.json.encode(data)), who))
        return None

    async def write(self, permit: Permit, signal: Signal) -> float | None:
        self.happened.append(("write", signal.id, f"{permit.command.value:g}"))
        await self.clock.sleep(self.takes)
        if isinstance(self.answer, Exception):
            raise self.answer
        return permit.command.value if self.answer == "as written" else self.answer

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.entries]


class Bench:
    """A control with a gate, a journal and machines that are pretended, in simulated time."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(T0)
        self.world = World(self.clock)
        self.live = Live()
        self.live.know(SIGNALS, np.arange(len(SIGNALS), dtype=np.int32))
        self.findings: list[Finding] = []
        self.numbers = iter(range(10**6))

    def control(self, mode: str = "auto", **more: Any) -> Control:
        control = Control(factory(mode, **more), self.world, self.live, self.clock)
        control.doors = {"kiln": self.world, "press": self.world}
        control.findings = self.findings.extend
        return control

    def see(self, value: float = 50.0) -> None:
        """Have the machines show a value, good and fresh."""
        now = self.clock.now()
        self.live.take(Batch.of([0, 1, 2], [now] * 3, [value] * 3, received=now))

    def wish(self, value: float = 52.0, signal: str = "kiln.valve", **more: Any) -> Command:
        now = self.clock.now()
        parts = {"origin": "zone3", "because": "too cold", "issued": now, "expires": now + MINUTE}
        return Command(id=f"c{next(self.numbers)}", signal=signal, value=value, **parts | more)


def factory(mode: str = "auto", **more: Any) -> Factory:
    rules = tuple(
        Writable(signal=id, low=0.0, high=100.0, step=20.0, interval=0.0)
        for id in ("kiln.valve", "press.speed")
    )
    options = Gate.Options(mode=mode, writable=rules, **more)  # type: ignore[arg-type]
    return Factory(
        path=Path("factory.toml"),
        identity=Identity(id="brickworks"),
        signals={signal.id: signal for signal in SIGNALS},
        plugins={"decide": {"gate": Plugin("decide", "gate", "gate", Gate, options)}},
    )


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    found.see()
    yield found
    found.clock._loop.close()


# ---- writing


def test_the_permit_is_in_the_journal_before_anything_moves(bench: Bench) -> None:
    control = bench.control()
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert bench.world.happened == [
        ("journal", "permit"),
        ("write", "kiln.valve", "52"),
        ("journal", "written"),
    ]
    assert (outcome.result, outcome.read_back) == ("written", 52.0)
    kind, data, who = bench.world.entries[0]
    assert (kind, data["signal"], data["value"], data["because"], who) == (
        "permit",
        "kiln.valve",
        52.0,
        "too cold",
        "zone3",
    )
    assert control.outcomes["kiln.valve"] == outcome


def test_what_the_journal_cannot_take_is_not_written(bench: Bench) -> None:
    control = bench.control()
    bench.world.refuses = {"permit"}

    async def main() -> None:
        outcome = await control.ask(bench.wish())
        assert outcome.result == "failed"
        assert "journal" in outcome.reason
        assert bench.world.happened == []
        bench.world.refuses = set()
        await bench.clock.sleep(1.0)
        bench.see()
        assert (await control.ask(bench.wish())).result == "written"  # nothing hangs in the gate

    bench.clock.run(main())


@pytest.mark.parametrize("kind", ["permit", "written", "lost", "refusal", "held"])
def test_a_journal_that_fails_does_not_end_control(bench: Bench, kind: str) -> None:
    control = bench.control(mode="approve" if kind == "held" else "auto")
    bench.world.refuses = {kind}
    if kind == "lost":
        bench.world.answer = DoorError("no answer")
    outcomes: list[Outcome] = []

    async def main() -> None:
        running = asyncio.create_task(control.run())
        await asyncio.sleep(0)
        control.submit([bench.wish(value=200.0 if kind == "refusal" else 52.0)])
        await bench.clock.sleep(5.0)
        assert not running.done()
        outcomes.append(control.outcomes["kiln.valve"])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    bench.clock.run(main())
    results = {"permit": "failed", "written": "written", "lost": "failed", "refusal": "refused"}
    assert outcomes[0].result == results.get(kind, "held")


def test_a_mismatch_is_found_even_if_the_journal_fails_then(bench: Bench) -> None:
    control = bench.control()
    bench.world.answer, bench.world.refuses = 10.0, {"written"}
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert outcome.result == "failed"
    assert [finding.name for finding in bench.findings] == ["read-back"]


def test_a_command_that_expires_on_its_way_to_the_disk_is_not_written(bench: Bench) -> None:
    control = bench.control()
    slow = bench.world.append

    def append(kind: str, data: dict[str, object], who: str = "") -> object:
        bench.clock._loop._jumping.waited += 2.0
        return slow(kind, data, who)

    bench.world.append = append  # type: ignore[method-assign]
    outcome = bench.clock.run(control.ask(bench.wish(expires=T0 + SECOND)))
    assert (outcome.result, outcome.rule) == ("refused", "expired")
    assert bench.world.happened == [("journal", "permit"), ("journal", "refusal")]


def test_a_machine_that_does_not_answer_is_lost_not_repeated(bench: Bench) -> None:
    control = bench.control()
    bench.world.answer = DoorError("no answer from 10.0.0.7")
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert (outcome.result, outcome.reason) == ("failed", "no answer from 10.0.0.7")
    assert bench.world.kinds == ["permit", "lost"]
    assert len([what for what in bench.world.happened if what[0] == "write"]) == 1
    assert control.gate is not None
    assert control.gate.state().flights == {}


def test_a_machine_that_hangs_is_given_up(bench: Bench) -> None:
    control = bench.control()
    bench.world.takes = 1e6
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert outcome.result == "failed"
    assert "did not answer within 10 s" in outcome.reason
    assert outcome.time == T0 + 10 * SECOND


def test_a_driver_that_explodes_is_a_lost_write(bench: Bench) -> None:
    control = bench.control()
    bench.world.answer = KeyError("a driver's bug")
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert outcome.result == "failed"
    assert bench.world.kinds == ["permit", "lost"]


def test_a_machine_that_is_not_running_is_named(bench: Bench) -> None:
    control = bench.control()
    control.doors = {}
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert (outcome.result, outcome.reason) == ("failed", "no [machines.kiln] is running")


def test_another_read_back_is_a_finding_and_holds_the_signal(bench: Bench) -> None:
    control = bench.control()
    bench.world.answer = 10.0

    async def main() -> None:
        outcome = await control.ask(bench.wish())
        assert (outcome.result, outcome.read_back) == ("failed", 10.0)
        (finding,) = bench.findings
        assert (finding.name, finding.asset, finding.severity) == ("read-back", "kiln", 3)
        bench.see()
        again = await control.ask(bench.wish())
        assert (again.result, again.rule) == ("refused", "read-back-mismatch")
        await control.clear("kiln.valve", "kim")
        bench.world.answer = "as written"
        assert (await control.ask(bench.wish())).result == "written"

    bench.clock.run(main())
    assert "clear" in bench.world.kinds


def test_a_slow_machine_does_not_hold_up_another(bench: Bench) -> None:
    control = bench.control()
    bench.world.takes = 5.0

    async def main() -> None:
        running = asyncio.create_task(control.run())
        await asyncio.sleep(0)
        control.submit([bench.wish(), bench.wish(signal="press.speed")])
        await bench.clock.sleep(5.5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    bench.clock.run(main())
    assert {outcome.result for outcome in control.outcomes.values()} == {"written"}
    assert len(control.outcomes) == 2


# ---- refusing


def test_without_a_gate_nothing_is_written(bench: Bench) -> None:
    empty = msgspec.structs.replace(factory(), plugins={})
    control = Control(empty, bench.world, bench.live, bench.clock)
    control.doors = {"kiln": bench.world}
    outcome = bench.clock.run(control.ask(bench.wish()))
    assert (outcome.result, outcome.rule) == ("refused", "not-writable")
    assert bench.world.kinds == ["refusal"]


def test_a_refusal_names_its_rule_in_outcome_and_journal(bench: Bench) -> None:
    control = bench.control()
    outcome = bench.clock.run(control.ask(bench.wish(200.0)))
    assert (outcome.result, outcome.rule) == ("refused", "limits")
    kind, data, _ = bench.world.entries[0]
    assert (kind, data["rule"]) == ("refusal", "limits")
    assert data["reason"] == outcome.reason


def test_the_same_refusal_is_written_down_once_a_minute(bench: Bench) -> None:
    control = bench.control()

    async def main() -> None:
        for _ in range(150):
            outcome = await control.ask(bench.wish(200.0))
            assert outcome.result == "refused"
            await bench.clock.sleep(1.0)
        await control.ask(bench.wish(200.0, origin="another"))
        await control.ask(bench.wish(200.0, signal="press.speed"))

    bench.clock.run(main())
    assert len(bench.world.entries) == 3 + 2


def test_more_than_can_wait_is_refused_and_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    control = bench.control()
    control.submit([bench.wish() for _ in range(1001)])
    assert caplog.text.count("state=overrun") == 1


# ---- persons


def test_what_a_person_must_approve_waits_and_is_then_written(bench: Bench) -> None:
    control = bench.control("approve")
    wish = bench.wish()

    async def main() -> None:
        assert (await control.ask(wish)).result == "held"
        assert bench.world.kinds == ["held"]
        outcome = await control.approve(wish.id, "kim")
        assert outcome.result == "written"
        with pytest.raises(Refused, match="no-proposal"):
            await control.approve(wish.id, "kim")

    bench.clock.run(main())
    assert bench.world.kinds == ["held", "permit", "written"]
    assert bench.world.entries[1][1]["approver"] == "kim"


def test_what_a_person_declines_is_gone(bench: Bench) -> None:
    control = bench.control("approve")
    wish = bench.wish()

    async def main() -> None:
        await control.ask(wish)
        await control.decline(wish.id, "kim")
        with pytest.raises(Refused):
            await control.approve(wish.id, "kim")

    bench.clock.run(main())
    assert bench.world.kinds == ["held", "declined"]


def test_the_kill_switch_stops_everything_until_it_is_released(bench: Bench) -> None:
    control = bench.control()

    async def main() -> None:
        await control.kill("kim", "smoke")
        assert (await control.ask(bench.wish())).rule == "kill-switch"
        await control.release("kim")
        bench.see()
        assert (await control.ask(bench.wish())).result == "written"

    bench.clock.run(main())
    assert bench.world.kinds == ["kill", "refusal", "release", "permit", "written"]
    assert bench.world.entries[0][1]["gate"]["kill"]["reason"] == "smoke"
    assert bench.world.entries[2][1]["gate"]["kill"] is None


def test_the_kill_switch_works_though_the_journal_does_not(bench: Bench) -> None:
    control = bench.control()
    bench.world.refuses = {"kill", "refusal"}

    async def main() -> None:
        with pytest.raises(StoreError):
            await control.kill("kim", "smoke")
        assert (await control.ask(bench.wish())).result == "refused"

    bench.clock.run(main())
    assert bench.world.happened == []


def test_the_kill_switch_stays_on_where_its_release_is_not_written_down(bench: Bench) -> None:
    control = bench.control()
    bench.world.refuses = {"release"}

    async def main() -> None:
        await control.kill("kim", "smoke")
        with pytest.raises(StoreError):
            await control.release("kim")
        assert (await control.ask(bench.wish())).rule == "kill-switch"

    bench.clock.run(main())


def test_a_release_that_is_refused_is_not_written_down_as_done(bench: Bench) -> None:
    control = bench.control()

    async def main() -> None:
        await control.kill("kim", "smoke")
        with pytest.raises(Refused, match="no-person"):
            await control.release(" ")

    bench.clock.run(main())
    assert bench.world.kinds == ["kill"]


def test_the_mode_goes_down_and_up_to_the_ceiling(bench: Bench) -> None:
    control = bench.control("approve")

    async def main() -> None:
        await control.switch("off", "kim")
        assert (await control.ask(bench.wish())).rule == "mode-off"
        with pytest.raises(Refused, match="mode-ceiling"):
            await control.switch("auto", "kim")

    bench.clock.run(main())
    assert bench.world.kinds == ["mode", "refusal"]


def test_a_persons_command_expires_in_a_minute_and_is_their_own(bench: Bench) -> None:
    control = bench.control()
    first, second = (control.command("kiln.valve", 51.0, "kim", "hand") for _ in range(2))
    assert first.id != second.id
    assert (first.origin, first.expires - first.issued) == ("person:kim", MINUTE)


# ---- what is remembered


def test_the_journal_brings_the_kill_switch_back(bench: Bench) -> None:
    bench.clock.run(bench.control().kill("kim", "smoke"))
    bench.clock = SimulatedClock(T0 + MINUTE)
    again = bench.control()
    again.restore(msgspec.convert(bench.world.entries[-1][1]["gate"], State))
    assert again.gate is not None
    assert again.gate.killed is not None
    assert again.gate.killed.person == "kim"


def test_another_gate_table_keeps_kill_switch_and_mode(bench: Bench) -> None:
    control = bench.control()

    async def main() -> None:
        await control.kill("kim", "smoke")
        assert control.employ(factory("approve")) == ["decide.gate changed"]
        assert control.employ(factory("approve")) == []
        assert (await control.ask(bench.wish())).rule == "kill-switch"

    bench.clock.run(main())


def test_a_gate_that_is_taken_away_takes_the_way_back_with_it(bench: Bench) -> None:
    control = bench.control()
    without = msgspec.structs.replace(factory(), plugins={})
    assert control.employ(without) == ["decide.gate removed"]

    async def main() -> None:
        assert (await control.ask(bench.wish())).result == "refused"
        with pytest.raises(Refused, match="the factory file has no"):
            await control.kill("kim", "smoke")

    bench.clock.run(main())


def test_a_kill_switch_survives_a_gate_that_goes_and_comes_back(bench: Bench) -> None:
    control = bench.control()

    async def main() -> None:
        await control.kill("kim", "smoke")
        control.employ(msgspec.structs.replace(factory(), plugins={}))
        control.employ(factory())
        assert (await control.ask(bench.wish())).rule == "kill-switch"

    bench.clock.run(main())


# ---- heartbeats


def test_machines_are_given_their_heartbeat(bench: Bench) -> None:
    beat: Sequence[Watchdog] = (Watchdog(signal="kiln.beat", period=1.0, timeout=5.0),)
    control = bench.control(watchdog=tuple(beat))

    async def main() -> None:
        running = asyncio.create_task(control.run())
        await bench.clock.sleep(10.0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    bench.clock.run(main())
    beats = [what[2] for what in bench.world.happened if what[0] == "write"]
    assert 8 <= len(beats) <= 11
    assert all(beat != next_beat for beat, next_beat in pairwise(beats))
