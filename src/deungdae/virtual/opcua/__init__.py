"""A simulated machine that answers OPC UA, for practice, tests and commissioning."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

from asyncua import Server, ua
from asyncua.common.callback import CallbackType
from msgspec import Meta

from deungdae.core.clock import Clock
from deungdae.core.errors import Unreachable
from deungdae.core.ports import Health
from deungdae.sim.plant import Quantity
from deungdae.sim.plant.parts import Alarming, Method, Operable
from deungdae.virtual._faults import Faults
from deungdae.virtual._machine import MachineOptions, live, machine

from . import standard
from .alarms import Alarms, Notice, refusal, send
from .model import VARIANTS, Model, variant

_LATE = 2_000  # steps that may wait to be shown late; then the oldest is lost
_BAD = (
    ua.StatusCodes.BadSensorFailure,
    ua.StatusCodes.BadDeviceFailure,
    ua.StatusCodes.BadOutOfService,
)


class _Step(NamedTuple):
    """What the machine shows after a step of time. due: monotonic s."""

    due: float
    values: dict[ua.NodeId, ua.DataValue]
    notices: list[Notice]


class Opcua:
    """A simulated machine that answers OPC UA on this computer.

    Under Objects lies one object with the bridge's name, and in it a variable for each quantity
    of the model, with the node id `ns=2;s=<name>.<quantity>`: numbers as analog items with
    engineering unit and range, states as UInt32 with the names of the states, texts as String. A
    client may write what the model lets be set; beyond its range a value stops at the end, and
    that is what reads back. Type, identification (manufacturer, model, serial number) and members
    are found by browsing, in the shape of OPC 40001-1.

    What the machine can be told to do is a method, `ns=2;s=<name>.<method>`. One that it refuses
    gives BadInvalidState, and an event with the reason. Its alarms are conditions under
    `<name>/Alarms`: subscribe to events of the machine or of the server, acknowledge, refresh. Or
    take `ns=2;s=<name>.Alarms.<alarm>.ActiveState` as a signal of kind `alarm`: Active, Inactive.

    There is no security: anybody who reaches the port may write, so it listens on this computer
    alone unless it is `open`.

    Of the faults, `drop` closes every connection and refuses new ones; `slow` lets reads, writes,
    calls and notifications wait; `rubbish` shows numbers that are none, values of another type and
    bad status; `jump` moves source and server times.

    ```toml
    [virtual.kiln]
    type = "opcua"
    model = "kiln"
    port = 4840
    ```
    """

    class Options(MachineOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
        port: Annotated[int, Meta(ge=1, le=65_535, description="TCP port to listen on")] = 4840

    def __init__(self, name: str, options: Options, clock: Clock) -> None:
        self.name = name
        self.options = options
        self._clock = clock
        self._log = logging.getLogger(f"deungdae.virtual.{name}")
        self.plant = machine(options)
        self.faults = Faults(clock, options.seed, self.plant)
        self._waiting: deque[_Step] = deque(maxlen=_LATE)
        self._listening = False
        self._health = Health(state="stopped", since=clock.now())

    @property
    def health(self) -> Health:
        """Return whether it serves."""
        return self._health

    async def serve(self) -> None:
        """Serve until cancelled. Raises Unreachable when the port cannot be had."""
        model = await self._made()
        alarms = await self._alarms(model)
        self._waiting.clear()
        try:
            await model.server.start()
        except OSError as error:
            raise self._no_port() from error
        self._listening = True
        self._turn("online")
        try:
            await live(
                self._clock, self.plant, self.options.step, partial(self._show, model, alarms)
            )
        finally:
            await model.server.stop()
            self._turn("stopped")

    async def _made(self) -> Model:
        """Return a server with a node for all that the machine offers, not yet started."""
        server = await standard.server()
        server.set_endpoint(f"opc.tcp://{self.options.host}:{self.options.port}/")
        server.set_server_name(f"Deungdae {self.name}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        serial = f"{self.options.model}-{self.options.seed}"
        _let_move(server)
        model = Model(server, self.name, self.options.model, self.plant, serial)
        await model.build()
        for node, method in model.methods.items():
            server.link_method(server.get_node(node), self._call(model, method))
        for kind in (CallbackType.PreRead, CallbackType.PreWrite):
            server.subscribe_server_callback(kind, self._be_slow)
        server.subscribe_server_callback(CallbackType.PostWrite, self._written(model))
        return model

    async def _alarms(self, model: Model) -> Alarms | None:
        if not isinstance(self.plant, Alarming):
            return None
        alarms = Alarms(model, self.plant, self._moment)
        await alarms.build()
        return alarms

    # what is shown

    async def _show(self, model: Model, alarms: Alarms | None) -> None:
        """Show what has come of a step; hang up or listen again where a fault asks for it."""
        await self._follow(model.server)
        now = self._clock.monotonic()
        values = {node: self._sample(quantity) for node, quantity in model.quantities.items()}
        notices = list(alarms.news()) if alarms else []
        self._waiting.append(_Step(now + self.faults.delay, values, notices))
        while self._waiting and self._waiting[0].due <= now:
            step = self._waiting.popleft()
            for node, value in step.values.items():
                await _put(model.server, node, value)
            for notice in step.notices:
                if alarms:
                    await alarms.tell(notice)

    async def _follow(self, server: Server) -> None:
        """Close every connection while the faults say so, and listen again afterwards."""
        assert server.bserver is not None
        if self.faults.dropped and self._listening:
            self._listening = False
            await server.bserver.stop()
            self._turn("offline", "the connections are dropped by command")
        elif not self.faults.dropped and not self._listening:
            try:
                await server.bserver.start()
            except OSError as error:
                raise self._no_port() from error
            self._listening = True
            self._turn("online")

    def _sample(self, quantity: Quantity) -> ua.DataValue:
        moment = self._moment()
        times = {"SourceTimestamp": moment, "ServerTimestamp": moment}
        true = self.plant.get(quantity.name)
        if not self.faults.spoilt(quantity.name):
            return ua.DataValue(variant(quantity, self.faults.shown(quantity.name, true)), **times)
        chance = self.faults.random
        match int(chance.integers(4)):
            case 0:
                return ua.DataValue(StatusCode=ua.StatusCode(int(chance.choice(_BAD))), **times)
            case 1:  # another type than the variable says
                other = 0.5 if quantity.kind == "text" else "#####"
                return ua.DataValue(ua.Variant(other), **times)
            case _:
                return ua.DataValue(self._nonsense(quantity, true), **times)

    def _nonsense(self, quantity: Quantity, true: float | str) -> ua.Variant:
        """Return a wrong value of the right type; of a state, a number that is none of its own."""
        said = self.faults.shown(quantity.name, true)
        if quantity.kind == "state":
            said = int(self.faults.random.integers(len(quantity.states), 2**32))
        return ua.Variant(said, VARIANTS[quantity.kind])

    def _moment(self) -> datetime:
        """Return the machine's time; a clock that jumped is wrong in all that it says."""
        since = (self._clock.now() + self.faults.shift) // 1000
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)

    # what is told to the machine

    async def _be_slow(self, event: Any, _service: Any) -> None:
        if event.is_external and (delay := self.faults.delay):
            await self._clock.sleep(delay)

    def _written(self, model: Model) -> Any:
        """Return what is to be done when a client has written."""

        async def act(event: Any, _service: Any) -> None:
            if not event.is_external:
                return
            for item, result in zip(
                event.request_params.NodesToWrite, event.response_params, strict=True
            ):
                quantity = model.quantities.get(item.NodeId)
                if quantity is None or not result.is_good():
                    continue
                try:
                    self.plant.set(quantity.name, float(item.Value.Value.Value))
                except (ValueError, TypeError) as error:
                    self._log.warning("write refused name=%s error=%s", quantity.name, error)
                for step in self._waiting:  # what was true before must not be shown after
                    step.values.pop(item.NodeId, None)
                await _put(model.server, item.NodeId, self._sample(quantity))

        return act

    def _call(self, model: Model, method: Method) -> Any:
        """Return what is to be done when a client calls a method."""

        async def act(_parent: ua.NodeId, *given: ua.Variant) -> ua.StatusCode:
            await self._clock.sleep(self.faults.delay)
            if given:
                return ua.StatusCode(ua.StatusCodes.BadTooManyArguments)
            assert isinstance(self.plant, Operable)
            try:
                self.plant.call(method.name)
            except ValueError as error:
                self._log.warning("call refused method=%s reason=%s", method.name, error)
                await send(model, refusal(model, f"{method.name}: {error}", self._moment()))
                return ua.StatusCode(ua.StatusCodes.BadInvalidState)
            return ua.StatusCode()

        return act

    def _no_port(self) -> Unreachable:
        where = f"{self.options.host}:{self.options.port}"
        remedy = "is it in use? choose another port, above 1023"
        self._turn("offline", f"cannot listen on {where}", remedy)
        return Unreachable(f"{self.name} cannot listen on {where}", remedy=remedy)

    def _turn(
        self, state: Literal["online", "offline", "stopped"], problem: str = "", remedy: str = ""
    ) -> None:
        self._health = Health(state=state, since=self._clock.now(), problem=problem, remedy=remedy)
        self._log.info("state=%s port=%d problem=%s", state, self.options.port, problem)


async def _put(server: Server, node: ua.NodeId, value: ua.DataValue) -> None:
    """Show a value, also one of another type than the one before it.

    The library compares types with the value that is there; one that is asked for has none.
    """
    server.set_attribute_value_callback(node, lambda *_: value)
    await server.write_attribute_value(node, value)


def _let_move(server: Server) -> None:
    """Let a subscription that a client takes up on another link find its requests there.

    asyncua 2.1.0 sends results over the new link, but looks for publish requests on the old one.
    """
    service = server.iserver.subscription_service
    transfer = service.transfer_subscriptions

    async def moved(parameters: Any, session: ua.NodeId, answer: Any) -> Any:
        results = await transfer(parameters, session, answer)
        for number, result in zip(parameters.SubscriptionIds, results, strict=True):
            if result.StatusCode.is_good():
                link = answer.__self__
                service.subscriptions[int(number)].pub_request_callback = link.get_publish_request
        return results

    service.transfer_subscriptions = moved
