"""The standard nodes of OPC UA, read once for all virtual machines of a process.

By itself each server of asyncua reads its 6,000 anew, for 40 MB of memory and more than a second of
CPU; a plant of ten machines could not be tried on a laptop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, MutableMapping
from functools import cache

from asyncua import Server, ua
from asyncua.server.address_space import (
    AddressSpace,
    AttributeValue,
    NodeData,
    NodeManagementService,
)
from asyncua.server.standard_address_space import standard_address_space

_reading = threading.Lock()


async def server() -> Server:
    """Return a server with the standard nodes, to be filled and started."""
    made = Server()
    with_standard = Nodes(await asyncio.to_thread(_standard))
    made.iserver.aspace._nodes = with_standard
    made.iserver.load_standard_address_space = _nothing
    await made.init()
    return made


class Nodes(MutableMapping[ua.NodeId, NodeData]):
    """The nodes of one server: its own, and copies of the standard ones, made when asked for."""

    def __init__(self, standard: dict[ua.NodeId, NodeData]) -> None:
        self._standard = standard
        self._own: dict[ua.NodeId, NodeData] = {}
        self._gone: set[ua.NodeId] = set()

    def __getitem__(self, node: ua.NodeId) -> NodeData:
        found = self._own.get(node)
        if found is None:
            if node in self._gone:
                raise KeyError(node)
            found = self._own[node] = _copy(self._standard[node])
        return found

    def __setitem__(self, node: ua.NodeId, data: NodeData) -> None:
        self._own[node] = data

    def __delitem__(self, node: ua.NodeId) -> None:
        if node not in self:
            raise KeyError(node)
        self._own.pop(node, None)
        self._gone.add(node)

    def __contains__(self, node: object) -> bool:
        return node in self._own or (node in self._standard and node not in self._gone)

    def __iter__(self) -> Iterator[ua.NodeId]:
        yield from self._own
        yield from (n for n in self._standard if n not in self._own and n not in self._gone)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _standard() -> dict[ua.NodeId, NodeData]:
    with _reading:  # several machines start at once
        return _read()


@cache
def _read() -> dict[ua.NodeId, NodeData]:
    space = AddressSpace()
    standard_address_space.fill_address_space(NodeManagementService(space))
    nodes: dict[ua.NodeId, NodeData] = space._nodes
    return nodes


def _copy(node: NodeData) -> NodeData:
    """Return a node that can be changed: values are replaced, references are added."""
    made = NodeData(node.nodeid)
    made.attributes = {key: AttributeValue(held.value) for key, held in node.attributes.items()}
    made.references = list(node.references)
    return made


async def _nothing(*_: object) -> None:
    """Stand in for reading the standard nodes once more."""
