"""A subscription: created, filled with items, published into a bounded queue, taken up again.

Several publish requests always wait at the server. When the consumer is slow the queue fills, no
new request is sent, and the server's own queues hold the values: nothing is dropped here, and what
the server must drop it marks with the overflow bit.
Source: OPC 10000-4 §5.13 (monitored items), §5.14 (subscriptions).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import NamedTuple

import msgspec
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from deungdae.core.clock import Clock
from deungdae.core.errors import BadReply, Unreachable

from . import wire
from .link import Link, chunks, said
from .options import Options

_QUEUE = 64  # messages that wait for a slow consumer
_LAST_SEQUENCE = 2**32 - 1
_FETCHED_AGAIN = 1000  # more missing messages than this no server keeps
_UNCONFIRMED = 10_000  # messages whose acknowledgement we keep in mind; the server keeps far fewer
_NO_DEADBAND = {
    ua.StatusCodes.BadMonitoredItemFilterUnsupported,
    ua.StatusCodes.BadMonitoredItemFilterInvalid,
    ua.StatusCodes.BadFilterNotAllowed,
    ua.StatusCodes.BadDeadbandFilterInvalid,
}


class Item(NamedTuple):
    """One node to watch. handle: what the server calls it; deadband: in raw units, 0 for none."""

    handle: int
    node: ua.NodeId
    deadband: float


class Arrival(NamedTuple):
    """One message, when it arrived, and how many messages before it are lost for good."""

    message: wire.Message
    received: int
    lost: int


class History(NamedTuple):
    """Values of one row's past that were fetched beside the subscription."""

    row: int
    values: wire.Values
    received: int


class Mark(msgspec.Struct):
    """What must outlive a link: which subscription, and the sequence number that comes next."""

    id: int
    interval: float
    silence: float
    next: int = 1


class Subscription:
    """One subscription on one link, fed by a Publisher."""

    def __init__(
        self,
        link: Link,
        mark: Mark,
        options: Options,
        clock: Clock,
        log: logging.Logger,
        *,
        resumed: bool = False,
    ) -> None:
        self.mark = mark
        self.resumed = resumed
        self.heard = False  # whether a message has come, a keep-alive too
        self._link = link
        self._options = options
        self._clock = clock
        self._log = log
        self._queue: asyncio.Queue[Arrival | History | Exception] = asyncio.Queue(_QUEUE)
        self._acknowledged: deque[int] = deque(maxlen=_UNCONFIRMED)
        self._order = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def monitor(self, items: Sequence[Item]) -> dict[int, int]:
        """Let the server watch the items; return the StatusCode of each that it refused."""
        refused = await self._create(items)
        again = [
            item._replace(deadband=0.0)
            for item in items
            if item.deadband and refused.get(item.handle) in _NO_DEADBAND
        ]
        if again:
            self._log.info("deadband refused items=%d", len(again))
            for item in again:
                del refused[item.handle]
            refused |= await self._create(again)
        return refused

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Do something until `stop`."""
        self._tasks.append(asyncio.create_task(work))

    async def put(self, item: History | Exception) -> None:
        """Queue values of the past, or what ends it all; waits while the queue is full."""
        await self._queue.put(item)

    async def next(self) -> Arrival | History:
        """Return the next message or past. Raises what ended it all, or Unreachable if silent."""
        try:
            async with asyncio.timeout(self.mark.silence):
                arrival = await self._queue.get()
        except TimeoutError as error:
            raise Unreachable(
                f"{self._options.url} has been silent for {self.mark.silence:.1f} s",
                remedy="check that the server runs and the network is up",
            ) from error
        if isinstance(arrival, Exception):
            raise arrival
        self.heard |= isinstance(arrival, Arrival)
        return arrival

    def acknowledge(self, sequence: int) -> None:
        """Tell the server, with the next publish request, that it may forget a message."""
        self._acknowledged.append(sequence)

    async def stop(self) -> None:
        """End what runs beside; the subscription stays at the server."""
        while not self._queue.empty():  # lets go who waits for room in it
            self._queue.get_nowait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def delete(self) -> None:
        """End the subscription at the server."""
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [ua.UInt32(self.mark.id)]
        await self._link.request(request)

    async def _create(self, items: Sequence[Item]) -> dict[int, int]:
        refused = {}
        for chunk in chunks(items, self._link.limits.monitor):
            parameters = ua.CreateMonitoredItemsParameters()
            parameters.SubscriptionId = ua.UInt32(self.mark.id)
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            parameters.ItemsToCreate = [self._asked(item) for item in chunk]
            results = await self._link.client.uaclient.session.create_monitored_items(parameters)
            if len(results) != len(chunk):
                raise BadReply(f"the server answered for {len(results)} of {len(chunk)} items")
            for item, result in zip(chunk, results, strict=True):
                if not result.StatusCode.is_good():
                    refused[item.handle] = int(result.StatusCode.value)
        return refused

    def _asked(self, item: Item) -> ua.MonitoredItemCreateRequest:
        sampling = self._options.sampling
        asked = ua.MonitoringParameters()
        asked.ClientHandle = ua.UInt32(item.handle)
        asked.SamplingInterval = -1.0 if sampling is None else sampling * 1000
        asked.QueueSize = ua.UInt32(self._options.queue)
        asked.DiscardOldest = True
        if item.deadband:
            kind = ua.UInt32(ua.DeadbandType.Absolute)
            asked.Filter = ua.DataChangeFilter(
                ua.DataChangeTrigger.StatusValue, kind, item.deadband
            )
        node = ua.ReadValueId(item.node, ua.AttributeIds.Value)
        return ua.MonitoredItemCreateRequest(node, ua.MonitoringMode.Reporting, asked)

    def request(self) -> ua.PublishRequest:
        """Return the next publish request, with what may be forgotten."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(ua.UInt32(self.mark.id), ua.UInt32(sequence))
            for sequence in self._acknowledged
        ]
        self._acknowledged.clear()
        return request

    async def deliver(self, message: wire.Message) -> None:
        """Queue a message behind those that were missed before it, as far as they can be had."""
        received = self._clock.now()
        async with self._order:
            lost = await self._missed(message)
            if message.closed:
                raise BadReply(
                    f"{self._options.url} ended the subscription: {said(message.closed)}",
                    remedy="nothing: it is made anew",
                )
            await self._queue.put(Arrival(message, received, lost))

    async def _missed(self, message: wire.Message) -> int:
        """Fetch again what is missing before a message; return how many stay lost."""
        due = self.mark.next
        after = message.sequence if message.keepalive else _after(message.sequence)
        missing = _distance(due, message.sequence)
        self.mark.next = after if missing >= 0 else due
        lost = max(missing - _FETCHED_AGAIN, 0)
        for step in range(lost, missing):
            sequence = (message.sequence - 1 - missing + step) % _LAST_SEQUENCE + 1
            try:
                again = await self._republish(sequence)
            except ua.UaStatusCodeError:
                lost += 1
            else:
                await self._queue.put(Arrival(again, self._clock.now(), 0))
        return lost

    async def _republish(self, sequence: int) -> wire.Message:
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = ua.UInt32(self.mark.id)
        request.Parameters.RetransmitSequenceNumber = ua.UInt32(sequence)
        return wire.republish(await self._link.request(request), self.mark.id)


class Publisher:
    """Keeps publish requests waiting at the server, for all subscriptions that a link ever has.

    They belong to the session: one that we gave up when a subscription ends would still be
    answered, with values of the next subscription, which nobody then sees.
    """

    def __init__(self, link: Link, requests: int, log: logging.Logger) -> None:
        self._link = link
        self._requests = requests
        self._log = log
        self._current: Subscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def feed(self, subscription: Subscription | None) -> None:
        """Deliver to this subscription from now on; None: to nobody, and send no new request."""
        self._current = subscription
        while subscription and len(self._tasks) < self._requests:
            task = asyncio.create_task(self._publish())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up all requests; only when the link itself ends."""
        self._current = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _publish(self) -> None:
        """Send one publish request after the other while there is somebody to deliver to."""
        while asked := self._current:
            try:
                message = wire.publish(await self._link.request(asked.request(), patient=True))
                current = self._current
                if current and message.subscription == current.mark.id:
                    await current.deliver(message)
            except ua.uaerrors.BadTooManyPublishRequests:
                self._log.info("the server takes fewer publish requests")
                return
            except Exception as error:  # noqa: BLE001 handed to the consumer, who raises it
                if asked is self._current:
                    await asked.put(error)
                    return


async def create(link: Link, options: Options) -> Mark:
    """Return a new subscription at the server, still without items."""
    interval = options.publishing * 1000
    parameters = ua.CreateSubscriptionParameters()
    parameters.RequestedPublishingInterval = interval
    beats = max(1, round(options.keepalive / options.publishing))
    parameters.RequestedMaxKeepAliveCount = ua.UInt32(beats)
    lifetime = max(3 * beats, round(options.lifetime / options.publishing))
    parameters.RequestedLifetimeCount = ua.UInt32(lifetime)
    parameters.MaxNotificationsPerPublish = ua.UInt32(0)
    parameters.PublishingEnabled = True
    request = ua.CreateSubscriptionRequest()
    request.Parameters = parameters
    body = await link.request(request)
    response = struct_from_binary(ua.CreateSubscriptionResponse, Buffer(body))
    response.ResponseHeader.ServiceResult.check()
    made = response.Parameters
    beat = made.RevisedPublishingInterval / 1000 * made.RevisedMaxKeepAliveCount
    return Mark(
        id=int(made.SubscriptionId),
        interval=made.RevisedPublishingInterval / 1000,
        silence=2 * beat + options.timeout,
    )


async def transfer(link: Link, mark: Mark) -> bool:
    """Move a subscription to this session; return whether it still lives.

    It sends the current values again; messages that we never saw are fetched when the next one
    shows that they are missing.
    """
    parameters = ua.TransferSubscriptionsParameters([ua.UInt32(mark.id)], True)
    try:
        results = await link.client.uaclient.session.transfer_subscriptions(parameters)
    except ua.UaStatusCodeError:
        return False
    return bool(results) and results[0].StatusCode.is_good()


def _after(sequence: int) -> int:
    return 1 if sequence == _LAST_SEQUENCE else sequence + 1


def _distance(start: int, end: int) -> int:
    """Return how many sequence numbers lie from start to end; negative if end is older."""
    steps = (end - start) % _LAST_SEQUENCE
    return steps if steps < _LAST_SEQUENCE // 2 else steps - _LAST_SEQUENCE
