"""The bus without a server: what travels, when it is sent again, and who may ask for deeds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.errors import NotFoundError, ServerError

from deungdae.app import cli, describe, wire
from deungdae.app.bus import BusOptions, outbox, parts, process
from deungdae.app.bus.deeds import PURPOSE, Deed, Desk, Messenger, Snapshot
from deungdae.app.bus.hands import Hands, Writer
from deungdae.app.bus.link import Link
from deungdae.app.bus.outbox import Durable, Outbox
from deungdae.app.bus.role import Role, check
from deungdae.app.bus.watch import Heard, Watched
from deungdae.app.control import Control
from deungdae.app.intake import Intake
from deungdae.app.live import Live
from deungdae.app.runtime import Runtime
from deungdae.core.clock import RealClock
from deungdae.core.errors import DoorError, FactoryError, Refused, StoreError, Unreachable
from deungdae.core.ports import Health
from deungdae.core.types import SECOND, Batch, Command, Event, Permit, Signal
from deungdae.decide.gate.seal import seal, stamp
from deungdae.historian.journal import Entry, Journal
from deungdae.historian.store import Historian

KEY = bytes(range(32))
SIGNALS = {3: Signal(id="a.x"), 7: Signal(id="a.y"), 8: Signal(id="b.long-name")}
HANDLES = {"a.x": 0, "a.y": 1, "b.long-name": 2}

rows = st.lists(
    st.tuples(st.sampled_from([3, 7, 8]), st.integers(0, 2**62), st.floats(allow_nan=False)),
    max_size=200,
)


# ---- what travels


def rebuilt(contents: list[parts.Content], handles: dict[str, int]) -> list[Any]:
    found: list[Any] = []
    for number, content in enumerate(contents, start=1):
        part = parts.Part("connect", "s", number, content.ids, content.nouns)
        found += parts.items(parts.read(wire.dump(part)), handles)
    return found


@given(rows, st.integers(400, 4000))
def test_whatever_is_split_comes_together_again(
    samples: list[tuple[int, int, float]], limit: int
) -> None:
    batch = (
        Batch.of(*zip(*samples, strict=True), received=5)
        if samples
        else Batch.of([], [], [], received=5)
    )
    event = Event(id="a.state", time=1, kind="state", value="running")
    contents = list(parts.split([batch, event, event], SIGNALS, limit))
    assert all(len(content.nouns) <= limit for content in contents)
    found = rebuilt(contents, HANDLES)
    back = Batch.merge([item for item in found if isinstance(item, Batch)])
    position = {3: 0, 7: 1, 8: 2}
    assert back.signal.tolist() == [position[handle] for handle, _, _ in samples]
    assert back.time.tolist() == [time for _, time, _ in samples]
    assert back.value.tolist() == [value for _, _, value in samples]
    assert [e for item in found if isinstance(item, tuple) for e in item] == [event, event]


def test_samples_of_signals_that_are_not_known_here_are_left_out() -> None:
    (content,) = parts.split([Batch.of([3, 7, 3], [1, 2, 3], [1, 2, 3], received=9)], SIGNALS, 9000)
    (batch,) = rebuilt([content], {"a.x": 5})
    assert (batch.signal.tolist(), batch.time.tolist()) == ([5, 5], [1, 3])


def test_an_event_that_no_message_can_carry_leaves_a_gap() -> None:
    large = Event(id="a.text", time=7, kind="text", value="x" * 5000)
    small = Event(id="a.text", time=8, kind="text", value="y")
    found = rebuilt(list(parts.split([large, small], SIGNALS, 900)), HANDLES)
    gap, kept = [event for events in found for event in events]
    assert (gap.kind, gap.id, gap.time, gap.data["until"]) == ("gap", "a.text", 7, "7")
    assert kept == small


@given(st.binary(max_size=300))
def test_any_bytes_are_a_part_or_a_clear_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"malformed|name"):
        parts.items(parts.read(data), {})


@pytest.mark.parametrize(
    "part",
    [
        parts.Part("a.*", "s", 1, [], wire.encode([])),
        parts.Part("connect", "s", 1, ["a.x"], b"nonsense"),
        parts.Part("connect", "s", 1, [], wire.encode([Batch.of([0], [1], [1], received=1)])),
        parts.Part("connect", "s", 1, ["a.x"], wire.encode([Batch.of([-1], [1], [1], received=1)])),
        parts.Part("connect", "s", 1, [], wire.encode([Signal(id="a.x")])),
    ],
)
def test_a_part_that_lies_is_an_error(part: parts.Part) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — each says something else
        parts.items(parts.read(wire.dump(part)), HANDLES)


# ---- the outbox


class Stream:
    """A JetStream of one process: remembers what is published, loses what it is told to."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.published: list[parts.Part] = []
        self.refuses = False

    async def publish(self, subject: str, data: bytes, **_: object) -> Any:
        if self.refuses:
            raise ServerError(code=503, description="maximum bytes exceeded", err_code=10077)
        part = parts.read(data)
        assert subject == f"factory.f.data.{part.sender}"
        self.published.append(part)
        self.kept[len(self.published)] = data
        return SimpleNamespace(seq=len(self.published))

    async def get_msg(self, _: str, sequence: int) -> Any:
        if sequence not in self.kept:
            raise NotFoundError
        return SimpleNamespace(data=self.kept[sequence])


class Bus:
    """A Link without a server: whoever hears or answers is called at once."""

    def __init__(self) -> None:
        self.jetstream = Stream()
        self.is_up = True
        self.limit = 4000
        self.stream = "factory_f"
        self.hearing: dict[str, Callable[[Any], Awaitable[None]]] = {}
        self.answering: dict[str, Callable[[str, bytes], Awaitable[bytes]]] = {}

    def subject(self, *names: str) -> str:
        return ".".join(("factory", "f", *names))

    async def hear(self, subject: str, take: Callable[[Any], Awaitable[None]]) -> None:
        self.hearing[subject] = take

    async def answer(self, subject: str, work: Callable[[str, bytes], Awaitable[bytes]]) -> Any:
        self.answering[subject] = work

        async def unsubscribe() -> None:
            del self.answering[subject]

        return SimpleNamespace(unsubscribe=unsubscribe)

    async def ask(self, subject: str, data: bytes, _: float) -> bytes:
        if subject not in self.answering:
            raise Unreachable(f"nobody answers {subject}")
        return await self.answering[subject](subject, data)

    async def confirm(self, session: str, *numbers: int) -> None:
        data = wire.dump(Durable(session, list(numbers)))
        await self.hearing["factory.f.durable.connect"](SimpleNamespace(data=data, subject=""))


def as_link(bus: Bus) -> Link:
    return bus  # type: ignore[return-value]


def a_batch(n: int = 1) -> Batch:
    return Batch.of([3] * n, range(n), range(n), received=1)


class Sending:
    """An outbox that runs while the block lasts."""

    def __init__(self, memory: int = 10**6) -> None:
        self.bus = Bus()
        self.box = Outbox(as_link(self.bus), "connect", lambda: SIGNALS, RealClock(), memory)
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sending:
        self.tasks.append(asyncio.create_task(self.box.run()))
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def send(self, *items: Batch) -> asyncio.Task[None]:
        task = asyncio.create_task(self.box(items))
        self.tasks.append(task)
        return task

    async def published(self, n: int) -> None:
        async with asyncio.timeout(5):
            while len(self.bus.jetstream.published) < n:
                await asyncio.sleep(0.001)


async def test_what_is_published_is_not_yet_durable() -> None:
    async with Sending() as sending:
        task = sending.send(a_batch())
        await sending.published(1)
        assert not task.done()
        await sending.bus.confirm("another session", 1)
        await asyncio.sleep(0)
        assert not task.done()
        await sending.bus.confirm(sending.box.session, 1)
        await asyncio.wait_for(task, 5)


async def test_who_waits_is_let_go_in_order() -> None:
    async with Sending() as sending:
        tasks = [sending.send(a_batch()) for _ in range(3)]
        await sending.published(3)
        await sending.bus.confirm(sending.box.session, 2, 3)
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks)
        await sending.bus.confirm(sending.box.session, 1)
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)


async def test_a_large_group_is_durable_when_all_its_messages_are() -> None:
    async with Sending() as sending:
        task = sending.send(a_batch(1000))
        await sending.published(10)
        numbers = [part.number for part in sending.bus.jetstream.published]
        await sending.bus.confirm(sending.box.session, *numbers[:-1])
        await asyncio.sleep(0.01)
        assert not task.done()
        await sending.bus.confirm(sending.box.session, *range(numbers[-1], 100))
        await asyncio.wait_for(task, 5)


async def test_only_what_the_stream_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LOOK", 0.0)
    monkeypatch.setattr(outbox, "RETRY", 0.01)
    async with Sending() as sending:
        task = sending.send(a_batch())
        await sending.published(1)
        await asyncio.sleep(0.05)  # several looks: it is still there
        assert len(sending.bus.jetstream.published) == 1
        assert "confirmed nothing" in sending.box.problem
        sending.bus.jetstream.kept.clear()
        await sending.published(2)
        first, second = sending.bus.jetstream.published[:2]
        assert first == second
        await sending.bus.confirm(sending.box.session, 1)
        await asyncio.wait_for(task, 5)
        assert sending.box.problem == ""


async def test_a_full_stream_is_a_problem_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RETRY", 0.01)
    async with Sending() as sending:
        sending.bus.jetstream.refuses = True
        tasks = [sending.send(a_batch()) for _ in range(3)]
        async with asyncio.timeout(5):
            while "maximum bytes" not in sending.box.problem:
                await asyncio.sleep(0.001)
        sending.bus.jetstream.refuses = False
        await sending.published(3)
        assert [part.number for part in sending.bus.jetstream.published] == [1, 2, 3]
        await sending.bus.confirm(sending.box.session, 1, 2, 3)
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)


async def test_memory_is_bounded_and_doors_then_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deungdae.app.bus.outbox.GROUP", 0.001)
    monkeypatch.setattr("deungdae.app.intake.PENDING", 50)
    async with Sending(memory=500) as sending:
        live = Live()
        live.know([Signal(id="a.x")], np.asarray([3], np.int32))
        intake = Intake(sending.box, live, RealClock())
        intake.know(live.signals)
        sending.tasks.append(asyncio.create_task(sending.box.pump(intake)))
        taken = 0

        async def door() -> None:
            nonlocal taken
            while True:
                await intake.put(a_batch(10))
                taken += 1
                await asyncio.sleep(0.001)

        sending.tasks.append(asyncio.create_task(door()))
        async with asyncio.timeout(5):
            while taken < 8:
                await asyncio.sleep(0.001)
        before = -1
        while before != taken:  # it stands still: nothing is confirmed
            before = taken
            await asyncio.sleep(0.1)
        assert taken < 100
        count = len(sending.bus.jetstream.published)
        await sending.bus.confirm(sending.box.session, *range(1, count + 1))
        async with asyncio.timeout(5):
            while taken == before:
                await asyncio.sleep(0.001)


async def test_who_stops_does_not_wait_for_a_history_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "GRACE", 0.05)
    async with Sending() as sending:

        async def stopping() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                with pytest.raises(StoreError, match="NATS holds 1"):
                    await sending.box([a_batch()])

        task = asyncio.create_task(stopping())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await sending.box.rest()


# ---- a factory of which only the gate and the doors work


FACTORY = """
[factory]
id = "f"

[machines.kiln]
type = "simulated"

[machines.press]
type = "simulated"
model = "press"


[[signals]]
id = "kiln1.valve"
unit = "%"
source = "kiln:valve"
access = "rw"

[[signals]]
id = "press1.count"
source = "press:count"

[[signals]]
id = "office.target"

[decide.gate]
type = "gate"
mode = "auto"
writable = [{ signal = "kiln1.valve", low = 20.0, high = 80.0, step = 50.0 }]
"""
PERSON = {"person": "Kim"}


@pytest.fixture
def factory(tmp_path: Path) -> Any:

    (tmp_path / "factory.toml").write_text(FACTORY)
    return describe.read(tmp_path / "factory.toml")


class Gatehouse:
    """The process with the gate, its desk and a messenger, on a bus without a server."""

    def __init__(self, runtime: Runtime, journal: Journal) -> None:
        self.runtime = runtime
        self.journal = journal
        self.bus = Bus()
        self.shown: list[Snapshot] = []
        self.messenger = Messenger(as_link(self.bus), KEY, RealClock(), self.shown.append)
        self.desk = Desk(runtime, journal, KEY)
        self.bus.answering["factory.f.deed"] = self.desk.answer


@pytest.fixture
def house(tmp_path: Path, factory: Any) -> Any:
    with Historian(tmp_path / "history") as store, Journal(tmp_path / "journal") as journal:
        control = Control(factory, journal, Live(), RealClock())
        yield Gatehouse(Runtime(factory, store, control, RealClock()), journal)


async def test_deeds_reach_the_gate_and_the_pages_see_it(house: Gatehouse) -> None:
    await house.messenger.do("kill", object, **PERSON, reason="smoke")
    assert house.runtime.control.gate is not None
    assert house.runtime.control.gate.killed is not None
    state = house.shown[-1].gate
    assert state is not None
    assert state.kill is not None
    assert (state.kill.person, state.kill.reason) == ("Kim", "smoke")
    await house.messenger.do("release", object, **PERSON)
    await house.messenger.do("switch", object, **PERSON, mode="shadow")
    assert house.runtime.control.gate.mode == "shadow"
    entries = await house.messenger.do("read", list[Entry], start=0, end=2**62)
    assert [entry.kind for entry in entries] == ["kill", "release", "mode"]
    assert {entry.who for entry in entries} == {"Kim"}


async def test_what_a_person_says_is_kept_by_the_process_with_the_history(
    house: Gatehouse,
) -> None:
    storing = asyncio.create_task(house.runtime.intake.run())
    note = Event(id="press1.reason", time=2**60, kind="note", value="mould", data=PERSON)
    await house.messenger.do("keep", object, data={"events": [msgspec.to_builtins(note)]})
    (kept,) = house.runtime.store.events(0, 2**62, ids=["press1.reason"])
    assert (kept.value, kept.data) == ("mould", PERSON)
    with pytest.raises(Refused, match="no event"):
        await house.messenger.do("keep", object, data={"events": [{"id": 1}]})
    storing.cancel()
    await asyncio.wait([storing])


async def test_a_refusal_comes_back_with_its_rule(house: Gatehouse) -> None:
    with pytest.raises(Refused) as caught:
        await house.messenger.do("decline", object, **PERSON, id="nothing")
    assert caught.value.rule == "no-proposal"
    with pytest.raises(Refused):
        await house.messenger.do("retarget", object, **PERSON, id="no-loop", value=1.0)
    with pytest.raises(Refused) as caught:
        await house.messenger.do("dance", object)
    assert caught.value.rule == "seal"


async def asked(house: Gatehouse, data: bytes) -> str:
    answer = msgspec.msgpack.decode(await house.desk.answer("", data))
    return str(answer["rule"])


async def test_a_deed_counts_once_sealed_and_fresh(house: Gatehouse) -> None:
    now = RealClock().now()
    deed = Deed(what="switch", made=now, nonce="1", person="Kim", mode="shadow")
    data = msgspec.msgpack.encode(deed)
    assert await asked(house, data) == "seal"
    assert await asked(house, b"") == "seal"
    assert await asked(house, stamp(b"\x01", KEY, PURPOSE)) == "seal"
    assert await asked(house, stamp(data, bytes(32), PURPOSE)) == "seal"
    sealed = stamp(data, KEY, PURPOSE)
    assert await asked(house, sealed) == ""
    assert await asked(house, sealed) == "duplicate"
    for made in (now - 11 * SECOND, now + 11 * SECOND):
        old = msgspec.structs.replace(deed, made=made, nonce=str(made))
        assert await asked(house, stamp(msgspec.msgpack.encode(old), KEY, PURPOSE)) == "clock"


async def test_the_kill_switch_works_with_any_clock(house: Gatehouse) -> None:
    deed = Deed(what="kill", made=0, nonce="1", person="Kim", reason="smoke")
    assert await asked(house, stamp(msgspec.msgpack.encode(deed), KEY, PURPOSE)) == ""
    assert house.runtime.control.gate is not None
    assert house.runtime.control.gate.killed is not None


# ---- permits on their way


def a_permit(id: str = "c1", signal: str = "kiln1.valve") -> Permit:
    now = RealClock().now()
    command = Command(
        id=id,
        signal=signal,
        value=50.0,
        origin="test",
        because="a test",
        issued=now,
        expires=now + 20 * SECOND,
    )
    return Permit(command=command, granted=now, mode="auto")


class Valve:
    """A door that remembers what was written."""

    def __init__(self) -> None:
        self.written: list[float] = []
        self.problem = ""

    async def write(self, permit: Permit, _: Signal) -> float:
        if self.problem:
            raise DoorError(self.problem, remedy="look")
        self.written.append(permit.command.value)
        return permit.command.value


async def test_a_permit_is_written_once_by_the_process_that_has_the_machine(
    house: Gatehouse,
) -> None:
    runtime, valve = house.runtime, Valve()
    writer = Writer(as_link(house.bus), runtime, KEY, RealClock())
    hands = Hands(as_link(house.bus), runtime, KEY)
    assert set(hands) == {"kiln", "press"}
    assert len(hands) == 2
    assert hands.get("lathe") is None
    signal, permit = runtime.factory.signals["kiln1.valve"], a_permit()
    with pytest.raises(Unreachable):
        await hands["kiln"].write(permit, signal)
    runtime.doors["kiln"] = valve  # type: ignore[assignment]
    await writer.keep()
    assert await hands["kiln"].write(permit, signal) == 50.0
    with pytest.raises(Refused) as caught:
        await hands["kiln"].write(permit, signal)
    assert caught.value.rule == "duplicate"
    with pytest.raises(Refused) as caught:
        await hands["kiln"].write(a_permit("c2", "press1.count"), signal)
    assert caught.value.rule == "unknown-signal"
    valve.problem = "the link is lost"
    with pytest.raises(DoorError, match="the link is lost"):
        await hands["kiln"].write(a_permit("c3"), signal)
    assert valve.written == [50.0]
    other = Hands(as_link(house.bus), runtime, bytes(32))
    with pytest.raises(Refused) as caught:
        await other["kiln"].write(a_permit("c4"), signal)
    assert caught.value.rule == "seal"
    runtime.doors.clear()
    await writer.keep()
    with pytest.raises(Unreachable):
        await hands["kiln"].write(a_permit("c5"), signal)


def test_a_sealed_permit_is_no_deed() -> None:
    assert not seal(a_permit(), KEY).startswith(stamp(b"", KEY, PURPOSE))


# ---- who is there


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_the_gate_trusts_no_value_of_a_process_that_is_silent_or_behind() -> None:
    clock = Hand()
    live = Live()
    watched = Watched(live, clock)  # type: ignore[arg-type]
    signals = [Signal(id="a.x", source="kiln:1"), Signal(id="a.y")]
    live.know(signals, np.arange(2, dtype=np.int32))
    assert watched.reading("a.x") is None
    live.take(Batch.of([0, 1], [5, 5], [1.0, 2.0], received=6))

    def trusted(id: str) -> bool:
        reading = watched.reading(id)
        assert reading is not None
        return reading.good

    online = Health(state="online", since=0)
    assert not trusted("a.x")  # not heard of yet
    assert trusted("a.y")  # comes from no machine
    watched.hear(Heard(doors={"machines.kiln": online}))
    assert trusted("a.x")
    clock.seconds = 2.0
    watched.hear(Heard(doors={"machines.press": online}))
    assert trusted("a.x")
    clock.seconds = 3.5
    assert not trusted("a.x")
    watched.hear(Heard(doors={"machines.kiln": online}, lag=4.0))
    assert not trusted("a.x")
    watched.hear(Heard(doors={"machines.kiln": online}, lag=0.3))
    assert trusted("a.x")


async def test_one_process_keeps_the_history(house: Gatehouse) -> None:
    with pytest.raises(Unreachable, match="another history"):
        await process._be_the_only_one(as_link(house.bus))
    await process._be_the_only_one(as_link(Bus()))


# ---- roles and options


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("all", Role()),
        ("history", Role("history")),
        ("connect:press, kiln", Role("connect", ("kiln", "press"))),
    ],
)
def test_roles_as_people_write_them(text: str, role: Role) -> None:
    assert Role.of(text) == role


@pytest.mark.parametrize("text", ["", "doors", "connect:", "pages:kiln"])
def test_what_is_no_role_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="none of"):
        Role.of(text)


def test_the_command_line_takes_roles(capsys: pytest.CaptureFixture[str]) -> None:
    parse = cli.parser().parse_args
    assert parse(["run", "F"]).role == Role()
    assert parse(["run", "F", "--as", "connect:kiln"]).role == Role("connect", ("kiln",))
    with pytest.raises(SystemExit) as caught:
        parse(["run", "F", "--as", "doors"])
    assert caught.value.code == 2
    assert "none of all, connect, history, pages" in capsys.readouterr().err


def test_each_process_runs_its_part(factory: Any) -> None:
    history, connect = Role("history").part(factory), Role("connect").part(factory)
    assert (list(history.room("machines")), list(history.room("decide"))) == ([], ["gate"])
    assert list(history.signals) == list(factory.signals)
    assert (list(connect.room("machines")), list(connect.room("decide"))) == (["kiln", "press"], [])
    assert list(connect.signals) == ["kiln1.valve", "press1.count"]
    one = Role.of("connect:press")
    assert one.name == "connect-press"
    assert list(one.part(factory).room("machines")) == ["press"]
    assert list(one.part(factory).signals) == ["press1.count"]
    assert Role("pages").part(factory) is factory


def test_a_part_needs_its_machines_and_a_bus(factory: Any) -> None:
    with pytest.raises(FactoryError, match=r"connect:kilm[\s\S]*kiln"):
        Role.of("connect:kilm").part(factory)
    with pytest.raises(FactoryError, match=r"bus\.url"):
        check(factory)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://127.0.0.1:4222"},
        {"url": "nats://"},
        {"url": "nats://kim:secret@127.0.0.1:4222"},
        {"url": "nats://10.0.0.7:4222", "user": "f", "password_env": "P"},
        {"url": "tls://10.0.0.7:4222"},
        {"url": "tls://10.0.0.7:4222", "user": "f"},
        {"url": "", "password_env": "P", "password_file": "p"},
    ],
)
def test_nothing_beyond_loopback_without_tls_and_a_login(options: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, BusOptions)


def test_what_is_allowed() -> None:
    assert BusOptions(url="nats://localhost:4222").context(Path()) is None
    safe = BusOptions(url="tls://10.0.0.7:4222", user="f", password_file="p")
    assert safe.is_encrypted


def test_the_key_is_made_once_for_our_eyes_only(tmp_path: Path) -> None:
    options = BusOptions()
    key = options.key(tmp_path)
    assert len(key) == 32
    assert (tmp_path / "bus.key").stat().st_mode & 0o777 == 0o600
    assert options.key(tmp_path) == key
    assert os.listdir(tmp_path) == ["bus.key"]


def test_a_key_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bus.key").write_bytes(KEY)
    (tmp_path / "bus.key").chmod(0o644)
    with pytest.raises(FactoryError, match="others can read"):
        BusOptions().key(tmp_path)
    (tmp_path / "bus.key").chmod(0o600)
    (tmp_path / "bus.key").write_bytes(b"short")
    with pytest.raises(FactoryError, match="5 bytes"):
        BusOptions().key(tmp_path)


def test_the_password_comes_from_outside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUS_PASSWORD", "secret")
    assert BusOptions(password_env="BUS_PASSWORD").password(tmp_path) == "secret"
    monkeypatch.delenv("BUS_PASSWORD")
    with pytest.raises(FactoryError, match="BUS_PASSWORD"):
        BusOptions(password_env="BUS_PASSWORD").password(tmp_path)
    (tmp_path / "secret").write_text("word\n")
    assert BusOptions(password_file="secret").password(tmp_path) == "word"
    with pytest.raises(FactoryError, match="missing"):
        BusOptions(password_file="missing").password(tmp_path)
    with pytest.raises(FactoryError, match="tls_ca"):
        BusOptions(url="tls://127.0.0.1:1", tls_ca="missing").context(tmp_path)
