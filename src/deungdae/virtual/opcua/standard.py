"""The standard nodes of OPC UA, read once for all virtual machines of a process, and packed.

By itself each server of asyncua reads its 6,000 anew, for 50 MB of memory and more than a second of
CPU; a plant of ten machines could not be tried on a laptop. A machine uses some 200 of them: the
others wait, packed into 3 MB, for a client that browses them.
"""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from itertools import islice

from asyncua import Server, ua
from asyncua.server.address_space import AddressSpace, NodeData, NodeManagementService

_TOGETHER = 8  # nodes of one pack: more take less memory, fewer are unpacked sooner
_PATIENCE = 60.0  # s
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
            self._place |= dict.fromkeys(pack, len(self._packs))
            self._packs.append(zlib.compress(pickle.dumps(pack, pickle.HIGHEST_PROTOCOL)))

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
    """Return the standard nodes, read by a process of its own.

    Here what they leave behind would stay: 60 MB, full of holes, that do not go back to the system.
    """
    command = [sys.executable, "-P", "-c", f"from {__name__} import write; write()"]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_PATIENCE)  # noqa: S603
    read: Packed = pickle.loads(made.stdout)  # noqa: S301 — what write() wrote
    return read


def write() -> None:
    """Write the standard nodes to the standard output, packed and pickled."""
    from asyncua.server.standard_address_space import (  # noqa: PLC0415 — 12 MB, only here
        standard_address_space,
    )

    space = AddressSpace()
    standard_address_space.fill_address_space(NodeManagementService(space))
    pickle.dump(Packed(space._nodes), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)


async def _nothing(*_: object) -> None:
    """Stand in for reading the standard nodes once more."""
