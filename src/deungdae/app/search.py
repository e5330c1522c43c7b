"""Looks for machines on the addresses that a person names: few at a time, and only by asking.

Nothing is written. A door that answers is asked who it is in its own protocol: OPC UA for its
endpoints, Modbus for its identification, MTConnect for its devices, MQTT for a session that ends
at once, HTTP for a picture. A code reader says nothing until it reads: it is only guessed.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import logging
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec

from deungdae.wires import xml

log = logging.getLogger("deungdae.search")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST = 1024  # addresses of one search
DOORS = 20_000  # ports at all addresses
PORTS: Mapping[str, tuple[int, ...]] = {  # where each protocol is at home
    "opcua": (4840,),
    "modbus": (502,),
    "mtconnect": (5000,),
    "mqtt": (1883,),
    "camera": (80,),
    "scanner": (2001, 9004),
}
TYPES = tuple(PORTS)
AT_ONCE = 32  # doors that are tried at once
AT_ONE = 4  # of one address
KNOCK = 0.7  # s that a door may take to open
REPLY = 6.0  # s that it may take to answer
LONGEST = 1_000_000  # bytes of an answer
_PATHS = ("/", "/image", "/image.jpg", "/snapshot.jpg", "/axis-cgi/jpg/image.cgi")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A door that answered. type: of the driver, or '' where it spoke nothing that we know.

    name: as it calls itself; detail: what else it said of itself. others: drivers that may fit too.
    """

    address: str
    port: int
    type: str
    url: str
    name: str = ""
    detail: str = ""
    others: tuple[str, ...] = ()


class Door(NamedTuple):
    """One port to knock at, and the protocols to try there."""

    address: Address
    port: int
    types: tuple[str, ...]


def addresses(text: str) -> list[Address]:
    """Return the addresses of a range: `10.0.0.0/24`, `10.0.0.5 - 10.0.0.20`, or several of them.

    Raises ValueError with what would be right.
    """
    found: dict[Address, None] = {}
    parts = [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]
    if not parts:
        raise ValueError("no address: write a range, e.g. 192.168.0.0/24 or 192.168.0.10-40")
    for part in parts:
        first, last = _ends(part)
        size = int(last) - int(first) + 1
        if len(found) + size > MOST:
            raise ValueError(f"{part} has {size} addresses: at most {MOST} are searched at once")
        found |= dict.fromkeys(type(first)(number) for number in range(int(first), int(last) + 1))
    return list(found)


def _ends(part: str) -> tuple[Address, Address]:
    """Return the first and the last address of a range."""
    try:
        if "/" in part:
            network = ipaddress.ip_network(part, strict=False)
            hosts = network.num_addresses > 2  # without the network's own and the broadcast
            return network[int(hosts)], network[-1 - int(hosts)]
        begin, dash, end = (piece.strip() for piece in part.partition("-"))
        first = ipaddress.ip_address(begin)
        if dash and end.isdecimal():  # 192.168.0.10-40
            end = begin.rpartition(".")[0] + "." + end
        last = ipaddress.ip_address(end) if dash else first
    except ValueError as error:
        raise ValueError(f"{part} is no address: {error}") from error
    if first.version != last.version or int(last) < int(first):
        raise ValueError(f"{part}: the second address comes before the first")
    return first, last


def is_private(found: Sequence[Address]) -> bool:
    """Return whether all addresses are a house's own, and none is reached over the internet."""
    return all(address.is_private and not address.is_unspecified for address in found)


def ports(text: str) -> list[int]:
    """Return the ports of a list such as `502, 4840, 48400-48500`. Raises ValueError."""
    found: dict[int, None] = {}
    for part in re.split(r"[,;\s]+", text.strip()):
        if not part:
            continue
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 0 < first <= last <= 65535:
            raise ValueError(f"{part} is no port: write e.g. 502, 4840, 48400-48500")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)


def doors(found: Sequence[Address], types: Sequence[str], given: Sequence[int]) -> list[Door]:
    """Return where to knock. given: ports in place of those where protocols are at home.

    Raises ValueError for more than a search may try.
    """
    by_port = (
        dict.fromkeys(given, tuple(types))
        if given
        else {port: (type,) for type in types for port in PORTS[type]}
    )
    if len(found) * len(by_port) > DOORS:
        raise ValueError(
            f"{len(found)} addresses with {len(by_port)} ports are more than {DOORS}:"
            " name fewer of them"
        )
    return [Door(address, port, own) for address in found for port, own in by_port.items()]


async def search(wanted: Sequence[Door], tell: Callable[[Found | None], None]) -> None:
    """Knock at doors; tell of each that is done what was found there, or None."""
    if any("opcua" in door.types for door in wanted):  # not while a machine waits for our answer
        await asyncio.to_thread(importlib.import_module, "asyncua")
    house, rooms = (
        asyncio.Semaphore(AT_ONCE),
        {door.address: asyncio.Semaphore(AT_ONE) for door in wanted},
    )
    waiting = iter(wanted)

    async def walk() -> None:
        for door in waiting:
            async with rooms[door.address], house:
                tell(await ask(door))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(wanted))):
            group.create_task(walk())


async def ask(door: Door) -> Found | None:
    """Return who is behind a door, or None where it does not open."""
    host, port = str(door.address), door.port
    try:
        async with _opened(host, port):
            pass
    except (OSError, TimeoutError):
        return None
    for type in sorted(door.types, key=_ORDER.index):
        try:
            async with asyncio.timeout(2 * REPLY):
                if (found := await _ASK[type](host, port)) is not None:
                    return found
        except Exception as error:  # noqa: BLE001 — whatever a stranger sends, the search goes on
            log.debug("address=%s port=%d type=%s no=%r", host, port, type, error)
    return Found(address=host, port=port, type="", url="")


@asynccontextmanager
async def _opened(
    host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(KNOCK):
        reader, writer = await asyncio.open_connection(host, port, limit=LONGEST)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(KNOCK):
                await writer.wait_closed()


async def _exchange(host: str, port: int, request: bytes, enough: int) -> bytes:
    """Return the first bytes that come back for a request."""
    async with _opened(host, port) as (reader, writer):
        writer.write(request)
        async with asyncio.timeout(REPLY):
            return await reader.readexactly(enough)


async def _opcua(host: str, port: int) -> Found | None:
    """Ask for endpoints, if it greets as OPC UA does (OPC 10000-6 §7.1.2)."""
    url = f"opc.tcp://{_bracketed(host)}:{port}".encode()
    body = struct.pack("<IIIIII", 0, 65536, 65536, 0, 0, len(url)) + url
    reply = await _exchange(host, port, b"HELF" + struct.pack("<I", 8 + len(body)) + body, 8)
    if reply[:4] not in (b"ACKF", b"ERRF"):
        return None
    from asyncua import Client, ua  # noqa: PLC0415 — heavy, and only for those who have one

    endpoints = await Client(url.decode(), timeout=REPLY).connect_and_get_server_endpoints()
    if not endpoints:
        return None
    first = endpoints[0]
    # its own name for itself is often one that only the server's network knows
    path = urlsplit(str(first.EndpointUrl)).path
    modes = {each.SecurityMode for each in endpoints}
    policies = {str(each.SecurityPolicyUri).rpartition("#")[2] for each in endpoints}
    free = ua.MessageSecurityMode.None_ in modes
    return Found(
        address=host,
        port=port,
        type="opcua",
        url=url.decode() + path.rstrip("/"),
        name=str(first.Server.ApplicationName.Text or ""),
        detail=", ".join(sorted(policies)) if not free else str(first.Server.ProductUri or ""),
    )


async def _modbus(host: str, port: int) -> Found | None:
    """Ask for the identification (Modbus Application Protocol §6.21); a refusal tells it, too."""
    request = bytes.fromhex("6d73 0000 0005 01 2b 0e 01 00")
    async with _opened(host, port) as (reader, writer):
        writer.write(request)
        async with asyncio.timeout(REPLY):
            head = await reader.readexactly(8)
            transaction, protocol, length, _, function = struct.unpack(">HHHBB", head)
            if (transaction, protocol) != (0x6D73, 0) or function & 0x7F != 0x2B or length > 256:
                return None
            body = await reader.readexactly(length - 2)
    told = [] if function & 0x80 else list(_identified(body))
    return Found(
        address=host,
        port=port,
        type="modbus",
        url=f"tcp://{_bracketed(host)}:{port}",
        name=" ".join(told[:2]),
        detail=" ".join(told[2:]),
    )


def _identified(body: bytes) -> Iterator[str]:
    """Yield the texts of an identification: vendor, product code, revision."""
    place = 6  # behind what says how much there is
    while place + 2 <= len(body):
        size = body[place + 1]
        yield body[place + 2 : place + 2 + size].decode("latin-1").strip()
        place += 2 + size


async def _mqtt(host: str, port: int) -> Found | None:
    """Open a session that remembers nothing, and end it (MQTT 3.1.1 §3.1)."""
    name = b"deungdae-search"
    body = b"\x00\x04MQTT\x04\x02\x00\x0a" + struct.pack(">H", len(name)) + name
    async with _opened(host, port) as (reader, writer):
        writer.write(bytes([0x10, len(body)]) + body)
        async with asyncio.timeout(REPLY):
            reply = await reader.readexactly(4)
        if reply[:2] != b"\x20\x02":
            return None
        writer.write(b"\xe0\x00")
    return Found(
        address=host,
        port=port,
        type="mqtt",
        url=f"mqtt://{_bracketed(host)}:{port}",
        detail="" if reply[3] == 0 else "asks for a user",
        others=("sparkplug",),
    )


async def _mtconnect(host: str, port: int) -> Found | None:
    """Ask an agent for its devices (MTConnect Part 1: probe)."""
    url = f"http://{_bracketed(host)}:{port}"
    _, content = await _get(f"{url}/probe", "text/xml")
    if b"MTConnectDevices" not in content[:4096]:
        return None
    root = xml.parsed(content, "MTConnect")
    names = [str(each.get("name", "")) for each in root.iter("{*}Device")]
    headers = [each.get("sender", "") for each in root.iter("{*}Header")]
    return Found(
        address=host,
        port=port,
        type="mtconnect",
        url=url,
        name=", ".join(filter(None, names)),
        detail=str(headers[0]) if headers else "",
    )


async def _camera(host: str, port: int) -> Found | None:
    """Ask for a picture where cameras have them; one that wants a login counts, too."""
    url = f"http://{_bracketed(host)}:{port}"
    for path in _PATHS:
        response, _ = await _get(f"{url}{path}", "image/jpeg, image/png;q=0.9")
        kind = response.headers.get("content-type", "")
        if kind.startswith(("image/", "multipart/x-mixed-replace")):
            server = response.headers.get("server", "")
            return Found(address=host, port=port, type="camera", url=f"{url}{path}", detail=server)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            detail = "asks for a user"
            return Found(address=host, port=port, type="camera", url=f"{url}{path}", detail=detail)
    return None


async def _scanner(host: str, port: int) -> Found | None:
    """Guess a code reader where somebody lets us in and says nothing."""
    async with _opened(host, port) as (reader, _):
        with suppress(TimeoutError):
            async with asyncio.timeout(KNOCK):
                if not await reader.read(1):
                    return None
    url = f"tcp://{_bracketed(host)}:{port}"
    return Found(address=host, port=port, type="scanner", url=url, detail="?")


async def _get(url: str, accept: str) -> tuple[httpx.Response, bytes]:
    """Return an answer and the beginning of its content; of pictures, nothing."""
    content = b""
    async with (
        httpx.AsyncClient(timeout=REPLY, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", url, headers={"Accept": accept}) as response,
    ):
        if "xml" in response.headers.get("content-type", ""):
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > LONGEST:
                    break
    return response, content


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# those first that others hang up on at once, so that little is waited for
_ASK: Mapping[str, Callable[[str, int], Awaitable[Found | None]]] = {
    "modbus": _modbus,
    "mtconnect": _mtconnect,
    "camera": _camera,
    "mqtt": _mqtt,
    "opcua": _opcua,
    "scanner": _scanner,
}
_ORDER = tuple(_ASK)
