"""The virtual plant as a process of its own, and the desk at which its machines are broken."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deungdae.app import plant
from deungdae.app.cli.plant import KINDS, ask
from deungdae.core.clock import RealClock, ScaledClock
from deungdae.core.errors import FactoryError, Unreachable
from deungdae.virtual import _faults

DESCRIPTION = """
[factory]
id = "plant"

[virtual.press]
type = "modbus"
model = "press"
port = {port}
"""


@pytest.fixture
async def running(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[plant.Plant]:
    path = tmp_path / "plant.toml"
    path.write_text(DESCRIPTION.format(port=unused_tcp_port), encoding="utf-8")
    found = plant.Plant(plant.read(path), RealClock())
    task = asyncio.create_task(found.run())
    while found.bridges["press"].health.state != "online" or not found.desk.exists():
        await asyncio.sleep(0.01)
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not found.desk.exists()


async def order(running: plant.Plant, **words: Any) -> dict[str, Any]:
    return await asyncio.to_thread(ask, running.desk.parent, words)


async def test_a_machine_is_broken_and_mended_at_the_desk(running: plant.Plant) -> None:
    assert stat.S_IMODE(running.desk.stat().st_mode) == 0o600
    told = await order(running)
    assert told["machines"]["press"] == {"state": "online", "problem": "", "faults": []}
    told = await order(running, machine="press", kind="freeze", quantity="count", seconds=9.0)
    (fault,) = told["machines"]["press"]["faults"]
    assert (fault["kind"], fault["quantity"], fault["seconds"]) == ("freeze", "count", 9.0)
    told = await order(running, machine="press", clear=True)
    assert told["machines"]["press"]["faults"] == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"machine": "pres", "kind": "drop"}, "did you mean press"),
        ({"machine": "press", "kind": "melt"}, "kind: .*drop, freeze"),
        ({"machine": "press", "kind": "drop", "seconds": "long"}, "seconds: "),
        ({"machine": "press", "sort": "drop"}, "sort: is not a known key"),
    ],
)
async def test_an_order_that_cannot_be_is_told_and_changes_nothing(
    running: plant.Plant, words: dict[str, Any], problem: str
) -> None:
    told = await order(running, **words)
    with pytest.raises(ValueError, match=problem):
        raise ValueError(told["error"])
    assert told["machines"]["press"]["faults"] == []


async def test_rubbish_at_the_desk_stops_nobody(running: plant.Plant) -> None:
    for rubbish in (b"{\n", b"[1]\n", b"\xff\n", b"x" * 20_000 + b"\n"):
        reader, writer = await asyncio.open_unix_connection(running.desk)
        writer.write(rubbish)
        answer = await reader.readline()
        assert not answer or "error" in json.loads(answer)
        writer.close()
    assert "error" not in await order(running)


def test_without_a_plant_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no plant answers") as told:
        ask(tmp_path, {})
    assert "deungdae plant" in told.value.remedy


def test_the_command_knows_every_kind() -> None:
    assert KINDS == _faults.KINDS


def test_a_plant_has_virtual_machines_alone(tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    path.write_text(
        DESCRIPTION.format(port=5020) + '[machines.a]\ntype = "simulated"\n', encoding="utf-8"
    )
    with pytest.raises(FactoryError, match="virtual machines alone"):
        plant.read(path)


def test_real_time_needs_no_scaling() -> None:
    assert isinstance(plant.clock_of(1.0, None), RealClock)
    assert isinstance(plant.clock_of(60.0, None), ScaledClock)
