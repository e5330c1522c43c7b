"""A virtual OPC UA machine over the wire: our driver, asyncua, node-opcua, and its faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from asyncua import Client, ua

from deungdae.core.clock import RealClock
from deungdae.core.types import Command, Flag, Permit, Signal
from deungdae.machines.opcua import Opcua as Driver
from deungdae.sim.plant.parts import Alarm, Method, Quantity, known, settable
from deungdae.virtual._faults import Fault
from deungdae.virtual.opcua import Opcua

PEERS = Path(__file__).resolve().parents[1] / "peers"
WITHIN = 20.0
Run = Callable[[str], AbstractAsyncContextManager[Any]]

FACTORY = """
[factory]
id = "works"

[virtual.kiln]
type = "opcua"
model = "kiln"
port = {kiln}
step = 0.05

[virtual.press]
type = "opcua"
model = "press"
port = {press}
step = 0.05
parameters = {{ failure_every = 0, wait_every = 0, cycle = 0.5 }}

[machines.kiln]
type = "opcua"
url = "opc.tcp://127.0.0.1:{kiln}"
publishing = 0.1
keepalive = 0.5
timeout = 2.0

[machines.press]
type = "opcua"
url = "opc.tcp://127.0.0.1:{press}"
publishing = 0.1

[[signals]]
id = "kiln.temperature"
unit = "Cel"
source = "kiln:ns=2;s=kiln.temperature"
low = 0
high = 1600

[[signals]]
id = "kiln.valve"
unit = "%"
access = "rw"
source = "kiln:ns=2;s=kiln.valve"

[[signals]]
id = "press.state"
kind = "state"
source = "press:ns=2;s=press.state"

[[signals]]
id = "press.energy"
unit = "kW.h"
source = "press:ns=2;s=press.energy"
"""


@pytest.fixture
def text(free_port: Callable[[], int]) -> str:
    return FACTORY.format(kiln=free_port(), press=free_port())


async def test_a_dropped_machine_is_stale_then_back_and_the_other_goes_on(
    house: Run, text: str
) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        began = works.clock.now()
        works.virtual("kiln").faults.put(Fault(kind="drop", seconds=0))
        await works.until(lambda: works.health("kiln").state == "offline")
        await works.until(lambda: works.reading("kiln.temperature").status & 0x12 == 0x12)
        assert works.virtual("kiln").health.state == "offline"
        await works.good("press.energy")
        works.virtual("kiln").faults.clear()
        await works.good("kiln.temperature")
        assert works.health("kiln").state == "online"
        assert works.virtual("kiln").health.state == "online"
        press = works.samples("press.energy", began)
        assert not (press.status & 3).any()
        assert (works.samples("kiln.temperature", began).status & Flag.STALE).any()


async def test_a_clock_that_jumps_is_suspected(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        works.virtual("kiln").faults.put(Fault(kind="jump", amount=86_400, seconds=0))
        suspect = Flag.CLOCK_SUSPECT
        await works.until(lambda: works.reading("kiln.temperature").status & suspect)
        assert works.reading("kiln.temperature").time <= works.clock.now()
        assert not works.reading("press.energy").status & suspect
        works.virtual("kiln").faults.clear()
        await works.good("kiln.temperature")


async def test_rubbish_is_never_silently_good(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        began = works.clock.now()
        works.virtual("kiln").faults.put(Fault(kind="rubbish", seconds=0))
        await works.until(lambda: len(works.samples("kiln.temperature", began)) >= 60)
        works.virtual("kiln").faults.clear()
        rubbish = works.samples("kiln.temperature", began)
        odd = ~((rubbish.value >= 0) & (rubbish.value <= 1600))
        assert odd.any()
        assert (rubbish.status[odd] & 3 != 0).all()
        assert (rubbish.status & 3 == 2).any()  # bad status, and values of another type
        await works.good("kiln.temperature")
        await works.until(lambda: works.health("kiln").state == "online")
        await works.good("press.energy")
        assert not (works.samples("press.energy", began).status & 3).any()


async def test_a_slow_machine_comes_late_at_its_own_time_and_complete(
    house: Run, text: str
) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        began = works.clock.now()
        works.virtual("kiln").faults.put(Fault(kind="slow", amount=1.2, seconds=0))
        await works.until(lambda: len(works.samples("kiln.temperature", began)) >= 5)
        samples = works.samples("kiln.temperature", began)
        assert np.diff(samples.time).max() < 1.1e9  # late is not lost
        assert works.clock.now() - samples.time[-1] > 1.1e9
        door, signal = works.runtime.doors["kiln"], works.runtime.factory.signals["kiln.valve"]
        start = works.clock.monotonic()
        command = Command(
            id="1", signal="kiln.valve", value=30.0, origin="t", because="", issued=0,
            expires=2**62,
        )  # fmt: skip
        assert await door.write(Permit(command=command, granted=0, mode="auto"), signal) == 30.0
        assert works.clock.monotonic() - start > 2.3  # to write, and to read back
        works.virtual("kiln").faults.clear()
        await works.good("kiln.temperature")
        await works.until(lambda: works.health("kiln").state == "online")


async def test_a_frozen_quantity_keeps_its_value_with_fresh_times(house: Run, text: str) -> None:
    async with house(text) as works:
        await works.good("kiln.temperature")
        virtual = works.virtual("kiln")
        virtual.faults.put(Fault(kind="freeze", quantity="temperature", seconds=0))
        frozen = virtual.plant.get("temperature")
        async with Client(f"opc.tcp://127.0.0.1:{virtual.options.port}/") as client:
            node = client.get_node("ns=2;s=kiln.temperature")
            await asyncio.sleep(0.2)
            first = await node.read_data_value()
            await asyncio.sleep(0.2)
            second = await node.read_data_value()
        assert first.Value.Value == second.Value.Value == frozen
        assert second.SourceTimestamp > first.SourceTimestamp
        assert works.health("kiln").state == "online"


class Saw:
    """A machine with one of everything, that does what the test says."""

    quantities = (
        Quantity(name="state", kind="state", states=("running", "idle")),
        Quantity(name="speed", unit="/min", low=0, high=3000, access="rw"),
    )
    methods = (Method(name="start", description="let it run"), Method(name="stop"))

    def __init__(self) -> None:
        self.values: dict[str, float | str] = {"state": "idle", "speed": 1500.0}
        self.hot = Alarm(name="hot", active=False, severity=700, message="hot", quantity="speed")
        self.guard = Alarm(name="guard", active=False, severity=900, message="guard is open")

    def step(self, dt: float) -> None: ...

    def get(self, name: str) -> float | str:
        return self.values[known(self.quantities, name).name]

    def set(self, name: str, value: float) -> None:
        settable(self.quantities, name, value)
        self.values[name] = min(max(value, 0.0), 3000.0)

    def call(self, method: str) -> None:
        if method == "start" and self.guard.active:
            raise ValueError("the guard is open")
        self.values["state"] = {"start": "running", "stop": "idle"}[method]

    def alarms(self) -> Sequence[Alarm]:
        return self.hot, self.guard

    def turn(self, name: str, active: bool) -> None:
        alarm = msgspec.structs.replace(getattr(self, name), active=active)
        setattr(self, name, alarm)


@contextlib.asynccontextmanager
async def sawing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Saw, Opcua, str]]:
    saw = Saw()
    monkeypatch.setattr("deungdae.virtual.opcua.machine", lambda _: saw)
    virtual = Opcua("saw1", Opcua.Options(port=port, step=0.05), RealClock())
    serving = asyncio.create_task(virtual.serve())
    try:
        async with asyncio.timeout(WITHIN):
            while virtual.health.state != "online":
                await asyncio.sleep(0.01)
        yield saw, virtual, f"opc.tcp://127.0.0.1:{port}/"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


class Heard:
    """What a subscription to events brought."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.events.append(event)

    async def until(self, count: int) -> Any:
        async with asyncio.timeout(WITHIN):
            while len(self.events) < count:
                await asyncio.sleep(0.01)
        return self.events[count - 1]


async def test_methods_do_what_they_say_or_tell_why_not(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sawing(free_port(), monkeypatch) as (saw, _, url), Client(url) as client:
        machine = client.get_node("ns=2;s=saw1")
        start = client.get_node("ns=2;s=saw1.start")
        assert (await start.read_description()).Text == "let it run"
        await machine.call_method(start)
        assert saw.values["state"] == "running"
        await machine.call_method("2:stop")
        assert saw.values["state"] == "idle"
        with pytest.raises(ua.UaStatusCodeError, match="BadTooManyArguments"):
            await machine.call_method(start, 5)
        heard = Heard()
        subscription = await client.create_subscription(50, heard)
        await subscription.subscribe_events(machine)
        saw.turn("guard", True)
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidState"):
            await machine.call_method(start)
        refused = await heard.until(1)
        assert refused.Message.Text == "start: the guard is open"
        assert refused.SourceName == "saw1"


@pytest.mark.parametrize("listen", ["i=2253", "ns=2;s=saw1"])  # to the server, to the machine
async def test_alarms_come_go_and_are_acknowledged(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    async with sawing(free_port(), monkeypatch) as (saw, virtual, url), Client(url) as client:
        kind = client.get_node(ua.ObjectIds.OffNormalAlarmType)
        heard = Heard()
        subscription = await client.create_subscription(50, heard)
        await subscription.subscribe_events(client.get_node(listen), kind)
        saw.turn("hot", True)
        came = await heard.until(1)
        assert (came.ConditionName, came.Severity, came.Message.Text) == ("hot", 700, "hot")
        assert getattr(came, "ActiveState/Id") is True
        assert getattr(came, "AckedState/Id") is False
        assert came.Retain is True
        assert came.NodeId == ua.NodeId("saw1.Alarms.hot", 2)
        assert came.SourceNode == ua.NodeId("saw1", 2)
        active = client.get_node("ns=2;s=saw1.Alarms.hot.ActiveState.Id")
        assert await active.read_value() is True

        condition = client.get_node(came.NodeId)
        acknowledge = client.get_node(ua.ObjectIds.AcknowledgeableConditionType_Acknowledge)
        seen = ua.LocalizedText("seen")
        with pytest.raises(ua.UaStatusCodeError, match="BadEventIdUnknown"):
            await condition.call_method(acknowledge, b"another", seen)
        await condition.call_method(acknowledge, came.EventId, seen)
        acked = await heard.until(2)
        assert getattr(acked, "AckedState/Id") is True
        assert (acked.Comment.Text, acked.Retain) == ("seen", True)
        with pytest.raises(ua.UaStatusCodeError, match="AlreadyAcked"):
            await condition.call_method("0:Acknowledge", acked.EventId, seen)

        # who comes late is told what is still the case, and only who asks
        late = Heard()
        second = await client.create_subscription(50, late)
        await second.subscribe_events(client.get_node(listen), kind, where_clause_generation=False)
        refresh = client.get_node(ua.ObjectIds.ConditionType_ConditionRefresh)
        await client.get_node(ua.ObjectIds.ConditionType).call_method(
            refresh, ua.Variant(second.subscription_id, ua.VariantType.UInt32)
        )
        await late.until(3)
        assert [event.EventType.Identifier for event in late.events] == [
            ua.ObjectIds.RefreshStartEventType,
            ua.ObjectIds.OffNormalAlarmType,
            ua.ObjectIds.RefreshEndEventType,
        ]
        assert late.events[1].EventId == acked.EventId

        virtual.faults.put(Fault(kind="jump", amount=-3600, seconds=0))
        saw.turn("hot", False)
        gone = await heard.until(3)
        assert getattr(gone, "ActiveState/Id") is False
        assert gone.Retain is False
        assert (acked.Time - gone.Time).total_seconds() == pytest.approx(3600, abs=60)
        assert len(heard.events) == 3


async def test_our_driver_reads_the_state_of_an_alarm_as_events(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sawing(free_port(), monkeypatch) as (saw, _, url):
        driver = Driver("saw", Driver.Options(url=url, publishing=0.05), RealClock())
        await driver.connect()
        address = "saw:ns=2;s=saw1.Alarms.hot.ActiveState"
        stream = driver.stream({1: Signal(id="saw1.hot", kind="alarm", source=address)})
        said: list[str] = []
        async with asyncio.timeout(WITHIN):
            async for item in stream:
                said += [event.value for event in item if isinstance(item, tuple)]
                saw.turn("hot", len(said) == 1)
                if len(said) == 3:
                    break
        await stream.aclose()  # type: ignore[attr-defined]
        await driver.close()
    assert said == ["Inactive", "Active", "Inactive"]


async def test_node_opcua_follows_the_alarms(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sawing(free_port(), monkeypatch) as (saw, _, url):
        saw.turn("guard", True)
        process = await asyncio.create_subprocess_exec(
            "node", "opcua-alarms.js", url, cwd=PEERS,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        said: list[dict[str, Any]] = []

        async def until(**wanted: object) -> dict[str, Any]:
            async with asyncio.timeout(WITHIN):
                while not said or not wanted.items() <= said[-1].items():
                    line = await process.stdout.readline()  # type: ignore[union-attr]
                    assert line, said
                    if line.startswith(b"> "):
                        said.append(json.loads(line[2:]))
            return said[-1]

        try:
            # it comes late, and asks for what is still the case
            guard = await until(id="ns=2;s=saw1.Alarms.guard", active=True)
            assert (guard["message"], guard["severity"]) == ("guard is open", 900)
            assert (guard["source"], guard["acknowledged"]) == ("saw1", False)
            saw.turn("hot", True)
            await until(id="ns=2;s=saw1.Alarms.hot", active=True)
            saw.turn("hot", False)
            await until(id="ns=2;s=saw1.Alarms.hot", active=False)
            process.stdin.write(b"seen by node-opcua\n")
            acked = await until(id="ns=2;s=saw1.Alarms.guard", acknowledged=True)
            assert acked["comment"] == "seen by node-opcua"
            assert acked["retain"] is True
        finally:
            process.kill()
            await process.wait()


async def test_a_foreign_client_meets_the_same_faults(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sawing(free_port(), monkeypatch) as (saw, virtual, url):
        async with Client(url) as client:
            speed, state = (client.get_node(f"ns=2;s=saw1.{name}") for name in ("speed", "state"))
            virtual.faults.put(Fault(kind="rubbish", seconds=0))
            values = []
            for _ in range(60):
                await asyncio.sleep(0.05)
                values.append(await speed.read_data_value(raise_on_bad_status=False))
            assert any(not value.StatusCode.is_good() for value in values)
            good = [value.Value for value in values if value.StatusCode.is_good()]
            assert {value.VariantType for value in good} == {
                ua.VariantType.Double, ua.VariantType.String,
            }  # fmt: skip
            numbers = [v.Value for v in good if v.VariantType is ua.VariantType.Double]
            assert any(math.isnan(number) or abs(number) > 3000 for number in numbers)
            virtual.faults.clear()
            await asyncio.sleep(0.2)
            assert await speed.read_value() == 1500.0
            assert await state.read_value() == 1
            await speed.write_value(2000.0)
            assert saw.values["speed"] == 2000.0
            start = asyncio.get_running_loop().time()
            virtual.faults.put(Fault(kind="slow", amount=0.5, seconds=0))
            await client.get_node("ns=2;s=saw1").call_method("2:start")
            await speed.read_value()
            assert asyncio.get_running_loop().time() - start > 0.9
            virtual.faults.clear()
            virtual.faults.put(Fault(kind="drop", seconds=0))
            async with asyncio.timeout(WITHIN):
                while virtual.health.state == "online":
                    await asyncio.sleep(0.01)
            with pytest.raises((ConnectionError, ua.UaError)):
                await speed.read_value()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", virtual.options.port)
            client.uaclient.close_session = client.close_secure_channel = _nothing  # type: ignore[method-assign]
        virtual.faults.clear()
        async with asyncio.timeout(WITHIN):
            while virtual.health.state != "online":
                await asyncio.sleep(0.01)
        async with Client(url) as client:
            assert await client.get_node("ns=2;s=saw1.speed").read_value() == 2000.0


async def _nothing(*_: object) -> None:
    """Stand in for a goodbye over a link that is gone."""


async def test_a_subscription_that_stays_silent_is_not_taken_up_again(
    house: Run, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what asyncua 2.1.0 does by itself: the subscription moves, and nothing ever comes of it
    monkeypatch.setattr("deungdae.virtual.opcua._let_move", lambda _: None)
    async with house(text) as works:
        await works.good("kiln.temperature")
        works.virtual("kiln").faults.put(Fault(kind="drop", seconds=0))
        await works.until(lambda: works.health("kiln").state == "offline")
        works.virtual("kiln").faults.clear()
        await works.until(lambda: "silent" in works.health("kiln").problem)
        await works.good("kiln.temperature")
        assert works.health("kiln").state == "online"
