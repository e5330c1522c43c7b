"""Looking for machines: what a range is, and who is behind a door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deungdae.app import search


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("192.168.0.0/24", "192.168.0.1", "192.168.0.254", 254),
        ("192.168.0.7/24", "192.168.0.1", "192.168.0.254", 254),
        ("10.0.0.5", "10.0.0.5", "10.0.0.5", 1),
        ("10.0.0.5/32", "10.0.0.5", "10.0.0.5", 1),
        ("10.0.0.4/31", "10.0.0.4", "10.0.0.5", 2),
        ("10.0.0.5 - 10.0.1.4", "10.0.0.5", "10.0.1.4", 256),
        ("10.0.0.5-9", "10.0.0.5", "10.0.0.9", 5),
        ("10.0.0.1, 10.0.0.1-3\n10.0.0.9", "10.0.0.1", "10.0.0.9", 4),
        ("fd00::10-fd00::1f", "fd00::10", "fd00::1f", 16),
    ],
)
def test_ranges(text: str, first: str, last: str, count: int) -> None:
    found = search.addresses(text)
    assert (str(found[0]), str(found[-1]), len(found)) == (first, last, count)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no address"),
        (" , ", "no address"),
        ("10.0.0.0/20", "at most 1024"),
        ("10.0.0.0/8", "at most 1024"),
        ("::/0", "at most 1024"),
        ("10.0.0.300", "10.0.0.300 is no address"),
        ("press-2", "press-2 is no address"),
        ("10.0.0.9-10.0.0.1", "comes before the first"),
        ("10.0.0.9-1", "comes before the first"),
        ("10.0.0.1-fd00::1", "comes before the first"),
        ("10.0.0.1/33", "is no address"),
        ("<script>alert(1)</script>", "is no address"),
    ],
)
def test_ranges_that_are_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        search.addresses(text)


@given(st.text("0123456789./-:, \n", max_size=30))
def test_any_text_is_a_range_or_told(text: str) -> None:
    try:
        found = search.addresses(text)
    except ValueError:
        return
    assert 0 < len(found) <= search.MOST


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("10.0.0.1", True), ("172.20.0.1", True), ("192.168.3.0/24", True), ("127.0.0.1", True),
        ("169.254.1.1", True), ("fd00::1", True), ("8.8.8.8", False), ("172.32.0.1", False),
        ("192.168.0.1, 1.1.1.1", False), ("0.0.0.0", False), ("2001:4860::1", False),
    ],
)  # fmt: skip
def test_what_is_a_house_s_own(text: str, private: bool) -> None:
    assert search.is_private(search.addresses(text)) is private


def test_ports() -> None:
    assert search.ports("502, 4840;48400-48402\n502") == [502, 4840, 48400, 48401, 48402]
    assert search.ports(" ") == []
    for wrong in ("0", "65536", "5-4", "a", "1-", "99999999"):
        with pytest.raises(ValueError, match="is no port"):
            search.ports(wrong)


def test_doors_are_where_protocols_are_at_home_or_where_it_is_said() -> None:
    here = search.addresses("10.0.0.1-2")
    assert [
        (str(d.address), d.port, d.types) for d in search.doors(here, ["opcua", "modbus"], [])
    ] == [
        ("10.0.0.1", 4840, ("opcua",)),
        ("10.0.0.1", 502, ("modbus",)),
        ("10.0.0.2", 4840, ("opcua",)),
        ("10.0.0.2", 502, ("modbus",)),
    ]
    (door, _) = search.doors(here, ["opcua", "modbus"], [9])
    assert (door.port, door.types) == (9, ("opcua", "modbus"))
    with pytest.raises(ValueError, match="name fewer"):
        search.doors(search.addresses("10.0.0.0/24"), ["modbus"], list(range(1, 100)))


@asynccontextmanager
async def answering(
    port: int, reply: Callable[[bytes], bytes | None]
) -> AsyncIterator[list[bytes]]:
    """Serve on a port; tell what was asked. reply: None hangs up, b"" stays silent."""
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(1000):
            asked.append(data)
            if (answer := reply(data)) is None:
                break
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield asked
        for writer in writers:  # or one that still waits outlives the test's loop
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def asked_at(port: int, *types: str) -> search.Found | None:
    """Return who is behind a port of this computer."""
    (door,) = search.doors(search.addresses("127.0.0.1"), types, [port])
    return await search.ask(door)


async def test_a_closed_door_is_nobody(free_port: Callable[[], int]) -> None:
    assert await asked_at(free_port(), *search.TYPES) is None


async def test_a_modbus_device_says_who_it_is(free_port: Callable[[], int]) -> None:
    objects = b"".join(
        bytes([n, len(text)]) + text for n, text in enumerate((b"Acme", b"P-7", b"v1.2"))
    )
    body = bytes([0x2B, 0x0E, 1, 1, 0, 0, 3]) + objects

    def reply(data: bytes) -> bytes:
        return data[:4] + (len(body) + 1).to_bytes(2) + data[6:7] + body

    port = free_port()
    async with answering(port, reply) as asked:
        found = await asked_at(port, "modbus")
    assert found is not None
    assert (found.type, found.url) == ("modbus", f"tcp://127.0.0.1:{port}")
    assert (found.name, found.detail) == ("Acme P-7", "v1.2")
    assert [data[7] for data in asked] == [0x2B]  # it was asked who it is, and nothing was written


@pytest.mark.parametrize("size", range(2, 12))
async def test_half_an_identification_is_taken_as_far_as_it_goes(
    free_port: Callable[[], int], size: int
) -> None:
    body = (bytes([0x2B, 0x0E, 1, 1, 0, 0, 3, 0, 200]) + b"Acme")[:size]
    port = free_port()
    async with answering(port, lambda data: data[:4] + (size + 1).to_bytes(2) + b"\x01" + body):
        found = await asked_at(port, "modbus")
    assert found is not None
    assert "Acme".startswith(found.name)


async def test_a_refusal_in_modbus_is_modbus_too(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with answering(port, lambda data: data[:4] + b"\x00\x03\x01\xab\x01"):
        found = await asked_at(port, "modbus")
    assert found is not None
    assert (found.type, found.name) == ("modbus", "")


async def test_a_broker_that_wants_a_user_is_a_broker(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with answering(port, lambda data: b"\x20\x02\x00\x05" if data[0] == 0x10 else None):
        found = await asked_at(port, "modbus", "mqtt")
    assert found is not None
    assert (found.type, found.others) == ("mqtt", ("sparkplug",))
    assert found.detail == "asks for a user"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00" * 64,
        b"ms\x00\x00\x00\xff\x01\x2b" + b"\xff" * 8,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<MTConnectDevices",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + b"<a>" * 50_000,
        b"ACKF\xff\xff\xff\xff" + b"x" * 30,
        b"\x20\x02",
    ],
)
async def test_rubbish_is_somebody_whom_we_do_not_know(
    free_port: Callable[[], int], rubbish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "REPLY", 0.2)
    port = free_port()
    async with answering(port, lambda _: rubbish):
        found = await asked_at(port, "modbus", "mtconnect", "camera", "mqtt", "opcua")
    assert found is not None
    assert found.type == ""


async def test_who_is_silent_may_be_a_code_reader(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "REPLY", 0.2)
    monkeypatch.setattr(search, "KNOCK", 0.1)
    port = free_port()
    async with answering(port, lambda _: b""):
        found = await asked_at(port, "modbus", "scanner")
        assert found is not None
        assert (found.type, found.detail) == ("scanner", "?")


async def test_few_doors_are_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: dict[object, int] = {}
    most = [0, 0]

    async def ask(door: search.Door) -> None:
        inside[door.address] = inside.get(door.address, 0) + 1
        most[0] = max(most[0], sum(inside.values()))
        most[1] = max(most[1], *inside.values())
        await asyncio.sleep(0.001)
        inside[door.address] -= 1

    monkeypatch.setattr(search, "ask", ask)
    wanted = search.doors(search.addresses("10.0.0.0/28"), ["modbus"], list(range(1, 21)))
    told: list[object] = []
    await search.search(wanted, told.append)
    assert len(told) == len(wanted)
    assert most[0] <= search.AT_ONCE
    assert most[1] <= search.AT_ONE


async def test_a_search_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(_: search.Door) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(search, "ask", ask)
    wanted = search.doors(search.addresses("10.0.0.0/28"), ["modbus"], [])
    task = asyncio.create_task(search.search(wanted, lambda _: None))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
