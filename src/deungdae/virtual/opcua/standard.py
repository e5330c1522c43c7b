"""The standard nodes of OPC UA, read once for all virtual machines of a process, and packed.

By itself each server of asyncua reads its 6,000 anew, for 50 MB of memory and more than a second of
CPU; a plant of ten machines could not be tried on a laptop. A machine uses some 200 of them: the
others wait, packed into 3 MB, for a client that browses them.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from itertools import islice

import asyncua.server
from asyncua import Server, ua
from asyncua.server.address_space import AddressSpace, NodeData, NodeManagementService

_TOGETHER = 8  # nodes of one pack: more take less memory, fewer are unpacked sooner
_reading = threading.Lock()


async def server() -> Server:
    """Return a server with the standard nodes, to be filled and started."""
    made = Server()
    with_standard = Nodes(await asyncio.to_thread(_standard))
    made.iserver.aspace._nodes = with_standard
    made.iserver.load_standard_address_space = _nothing
    await made.init()
    return made


class Packed(Mapping[ua.NodeId, NodeData]):
    """Nodes that nobody changes, in little memory: whoever looks gets a copy."""

    def __init__(self, nodes: Mapping[ua.NodeId, NodeData]) -> None:
        self._packs: list[bytes] = []
        self._place: dict[ua.NodeId, int] = {}
        left = iter(nodes.items())
        while pack := dict(islice(left, _TOGETHER)):
            packed = pickle.dumps(pack, pickle.HIGHEST_PROTOCOL)
            # names of its own, since those of the nodes would keep their memory from being freed
            self._place |= dict.fromkeys(pickle.loads(packed), len(self._packs))  # noqa: S301 — ours
            self._packs.append(zlib.compress(packed))

    def __getitem__(self, node: ua.NodeId) -> NodeData:
        pack = zlib.decompress(self._packs[self._place[node]])
        nodes: dict[ua.NodeId, NodeData] = pickle.loads(pack)  # noqa: S301 — packed above
        return nodes[node]

    def __contains__(self, node: object) -> bool:
        return node in self._place

    def __iter__(self) -> Iterator[ua.NodeId]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)


class Nodes(MutableMapping[ua.NodeId, NodeData]):
    """The nodes of one server: its own, and copies of the standard ones, made when asked for."""

    def __init__(self, standard: Packed) -> None:
        self._standard = standard
        self._own: dict[ua.NodeId, NodeData] = {}
        self._gone: set[ua.NodeId] = set()

    def __getitem__(self, node: ua.NodeId) -> NodeData:
        found = self._own.get(node)
        if found is None:
            if node in self._gone:
                raise KeyError(node)
            found = self._own[node] = self._standard[node]
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


def _standard() -> Packed:
    with _reading:  # several machines start at once
        return _read()


@cache
def _read() -> Packed:
    from asyncua.server.standard_address_space import standard_address_space  # noqa: PLC0415

    space = AddressSpace()
    standard_address_space.fill_address_space(NodeManagementService(space))
    _forget(standard_address_space.__package__)
    return Packed(space._nodes)


def _forget(package: str) -> None:
    """Drop a package that is used once: the code that makes the standard nodes takes 12 MB."""
    for name in [each for each in sys.modules if each.startswith(package)]:
        del sys.modules[name]
    del asyncua.server.standard_address_space


async def _nothing(*_: object) -> None:
    """Stand in for reading the standard nodes once more."""
