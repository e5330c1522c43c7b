"""Alarms as OPC UA clients know them: conditions that are active, acknowledged, remembered.

Source: OPC 10000-9 §5.5 (conditions), §5.8 (alarms) and §5.5.7 (what a client that comes late is
told). Every alarm is an OffNormalAlarm: the plant says that something is not as it should be, not
which limit it passed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from asyncua import ua
from asyncua.common.events import Event
from asyncua.common.instantiate_util import instantiate

from deungdae.sim.plant.parts import Alarm, Alarming

from .model import Model

Notice: TypeAlias = dict[str, ua.Variant]  # fields of an event, by browse path
_SERVER = ua.NodeId(ua.ObjectIds.Server)
_REFUSED_SEVERITY = 300  # of the event that says why a method was refused
_ABOVE = {  # each type of event that we send, with itself and the types above it
    kind: frozenset(kinds[place:])
    for kinds in (
        (
            ua.ObjectIds.OffNormalAlarmType, ua.ObjectIds.DiscreteAlarmType,
            ua.ObjectIds.AlarmConditionType, ua.ObjectIds.AcknowledgeableConditionType,
            ua.ObjectIds.ConditionType, ua.ObjectIds.BaseEventType,
        ),
        (
            ua.ObjectIds.RefreshStartEventType, ua.ObjectIds.SystemEventType,
            ua.ObjectIds.BaseEventType,
        ),
        (
            ua.ObjectIds.RefreshEndEventType, ua.ObjectIds.SystemEventType,
            ua.ObjectIds.BaseEventType,
        ),
    )
    for place, kind in enumerate(kinds)
}  # fmt: skip


class _Kind(ua.NodeId):  # type: ignore[misc]
    """The type of an event, equal also to each type above it.

    Clients ask for events "of type" alarm; that takes in subtypes (OPC 10000-4 §7.7.3), but asyncua
    2.1.0 compares for equality.
    """

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ua.NodeId)
            and other.NamespaceIndex == 0
            and other.Identifier in _ABOVE[self.Identifier]
        )

    __hash__ = ua.NodeId.__hash__


class Condition:
    """One alarm: what the plant says of it, and whether somebody has acknowledged it."""

    def __init__(self, model: Model, alarm: Alarm) -> None:
        self.id = f"{model.name}.Alarms.{alarm.name}"
        self.alarm = alarm
        self.active = False
        self.acknowledged = True
        self.event = b""
        self.comment = ""
        self._severity = alarm.severity
        self._model = model

    @property
    def retained(self) -> bool:
        """Return whether somebody still has to look at it."""
        return self.active or not self.acknowledged

    def take(self, alarm: Alarm) -> bool:
        """Return whether the alarm has changed so that clients must hear of it."""
        before, self.alarm = self.alarm, alarm
        began = alarm.active and not self.active
        changed = alarm.active != self.active or (
            alarm.active and alarm.severity != before.severity
        )
        if changed:
            self._severity = before.severity
            self.active = alarm.active
        if began:
            self.acknowledged, self.comment = False, ""
        return changed

    def notice(self, moment: datetime) -> Notice:
        """Return what clients are told of it now: its next event, with an id of its own."""
        self.event = uuid.uuid4().bytes
        model, alarm = self._model, self.alarm
        about = model.at(f"{model.name}.{alarm.quantity}") if alarm.quantity else ua.NodeId()
        return _notice(
            ua.ObjectIds.OffNormalAlarmType,
            self.event,
            model,
            alarm.message,
            alarm.severity,
            moment,
        ) | {
            "NodeId": _node(model.at(self.id)),
            "ConditionClassId": _node(ua.NodeId(ua.ObjectIds.ProcessConditionClassType)),
            "ConditionClassName": _words("ProcessConditionClassType"),
            "ConditionName": ua.Variant(alarm.name, ua.VariantType.String),
            "BranchId": _node(ua.NodeId()),
            "Retain": _bit(self.retained),
            "EnabledState": _words("Enabled"),
            "EnabledState/Id": _bit(True),
            "Quality": ua.Variant(ua.StatusCode(), ua.VariantType.StatusCode),
            "LastSeverity": ua.Variant(self._severity, ua.VariantType.UInt16),
            "Comment": _words(self.comment),
            "ClientUserId": ua.Variant("", ua.VariantType.String),
            "AckedState": _words("Acknowledged" if self.acknowledged else "Unacknowledged"),
            "AckedState/Id": _bit(self.acknowledged),
            "ActiveState": _words("Active" if self.active else "Inactive"),
            "ActiveState/Id": _bit(self.active),
            "InputNode": _node(about),
            "SuppressedOrShelved": _bit(False),
            "NormalState": _node(ua.NodeId()),
        }


class Alarms:
    """The alarms of one machine, as nodes and as events."""

    def __init__(self, model: Model, plant: Alarming, moment: Callable[[], datetime]) -> None:
        self._model = model
        self._moment = moment  # the machine's own time
        self._server = model.server
        self._plant = plant
        self._conditions: dict[ua.NodeId, Condition] = {}
        self._latest: dict[ua.NodeId, Notice] = {}

    async def build(self) -> None:
        """Make a node for each alarm, under `<name>.Alarms`; none is active yet."""
        model = self._model
        folder = await model.node(model.name).add_folder(
            model.at(f"{model.name}.Alarms"), ua.QualifiedName("Alarms", model.index)
        )
        kind = self._server.get_node(ua.ObjectIds.OffNormalAlarmType)
        for alarm in self._plant.alarms():
            condition = Condition(model, alarm)
            node = model.at(condition.id)
            await instantiate(
                folder, kind, nodeid=node, bname=ua.QualifiedName(alarm.name, model.index),
                dname=ua.LocalizedText(alarm.name), instantiate_optional=False,
            )  # fmt: skip
            await model.node(model.name).add_reference(node, ua.ObjectIds.HasCondition)
            self._conditions[node] = condition
            self._link(f"{condition.id}.Acknowledge", self._acknowledge)
            await self._write(node, condition.notice(self._moment()))
        methods = ua.ObjectIds
        for method, call in (
            (methods.AcknowledgeableConditionType_Acknowledge, self._acknowledge),
            (methods.ConditionType_ConditionRefresh, self._refresh),
            (methods.ConditionType_ConditionRefresh2, self._refresh),
        ):
            self._server.link_method(self._server.get_node(method), call)

    def news(self) -> Iterator[Notice]:
        """Yield what clients must hear: what came, went, or became worse since the last call."""
        for condition, alarm in zip(self._conditions.values(), self._plant.alarms(), strict=True):
            if condition.take(alarm):
                yield condition.notice(self._moment())

    async def tell(self, notice: Notice) -> None:
        """Show a notice in the nodes of its alarm and send it to whoever listens."""
        node = notice["NodeId"].Value
        self._latest[node] = notice
        await self._write(node, notice)
        await send(self._model, notice)

    async def _write(self, node: ua.NodeId, notice: Mapping[str, ua.Variant]) -> None:
        moment = notice["Time"].Value
        for path, content in notice.items():
            if path != "NodeId":
                await self._server.write_attribute_value(
                    self._model.at(f"{node.Identifier}.{path.replace('/', '.')}"),
                    ua.DataValue(content, SourceTimestamp=moment, ServerTimestamp=moment),
                )

    def _link(self, method: str, call: Any) -> None:
        self._server.link_method(self._model.node(method), call)

    async def _acknowledge(self, parent: ua.NodeId, *given: ua.Variant) -> ua.StatusCode:
        """Acknowledge the newest event of an alarm (§5.7.3): somebody has seen it."""
        condition = self._conditions.get(parent)
        if condition is None:
            return ua.StatusCode(ua.StatusCodes.BadNodeIdInvalid)
        if not given or given[0].Value != condition.event:
            return ua.StatusCode(ua.StatusCodes.BadEventIdUnknown)
        if condition.acknowledged:
            return ua.StatusCode(ua.StatusCodes.BadConditionBranchAlreadyAcked)
        condition.acknowledged = True
        comment = given[1].Value if len(given) > 1 else None
        condition.comment = str(comment.Text or "") if comment else ""
        await self.tell(condition.notice(self._moment()))
        return ua.StatusCode()

    async def _refresh(self, _parent: ua.NodeId, *given: ua.Variant) -> ua.StatusCode:
        """Tell one subscription again what somebody still has to look at."""
        subscription = given[0].Value if given else None
        if subscription not in self._server.iserver.subscription_service.subscriptions:
            return ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)
        retained = [notice for notice in self._latest.values() if notice["Retain"].Value]
        for notice in (
            self._bracket(ua.ObjectIds.RefreshStartEventType),
            *retained,
            self._bracket(ua.ObjectIds.RefreshEndEventType),
        ):
            await send(self._model, notice, subscription)
        return ua.StatusCode()

    def _bracket(self, type: int) -> Notice:
        return _notice(type, uuid.uuid4().bytes, self._model, "", 1, self._moment())


async def send(model: Model, notice: Notice, subscription: int | None = None) -> None:
    """Send an event to those who listen to the machine or to the whole server."""
    event = Event()
    for path, content in notice.items():
        event.add_property(path, content.Value, content.VariantType)
    event.add_property(
        "EventType", _Kind(notice["EventType"].Value.Identifier), ua.VariantType.NodeId
    )
    for event.emitting_node in (model.machine, _SERVER):
        service = model.server.iserver.subscription_service
        await service.trigger_event(event, subscription_id=subscription)


def refusal(model: Model, text: str, moment: datetime) -> Notice:
    """Return the event that says why a machine did not do what it was told."""
    type = ua.ObjectIds.SystemEventType
    return _notice(type, uuid.uuid4().bytes, model, text, _REFUSED_SEVERITY, moment)


def _notice(
    type: int, event: bytes, model: Model, text: str, severity: int, moment: datetime
) -> Notice:
    """Return the fields that every event has (OPC 10000-5 §6.4.2)."""
    return {
        "EventId": ua.Variant(event, ua.VariantType.ByteString),
        "EventType": _node(ua.NodeId(type)),
        "SourceNode": _node(model.machine),
        "SourceName": ua.Variant(model.name, ua.VariantType.String),
        "Time": ua.Variant(moment, ua.VariantType.DateTime),
        "ReceiveTime": ua.Variant(moment, ua.VariantType.DateTime),
        "Message": _words(text),
        "Severity": ua.Variant(severity, ua.VariantType.UInt16),
    }


def _node(node: ua.NodeId) -> ua.Variant:
    return ua.Variant(node, ua.VariantType.NodeId)


def _words(text: str) -> ua.Variant:
    return ua.Variant(ua.LocalizedText(text), ua.VariantType.LocalizedText)


def _bit(value: bool) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.Boolean)
