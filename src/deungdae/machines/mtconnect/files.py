"""The files of a machine: its adapter logs, and the Devices.xml that describes it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import BinaryIO, cast

from deungdae.core.errors import BadReply, FactoryError, Fault

from . import document, model


def opened(path: Path) -> BinaryIO:
    """Return an adapter log, unpacked while it is read. Raises FactoryError."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise FactoryError([Fault(file=str(path), key="PATH", problem=problem)]) from error


def device_items(devices: Path, asset: str) -> dict[str, model.Item]:
    """Return the data items of one device of a Devices.xml, by id and by name."""

    def refuse(problem: str, remedy: str = "") -> FactoryError:
        return FactoryError(
            [Fault(file=str(devices), key="--devices", problem=problem, remedy=remedy)]
        )

    try:
        root = document.parse(devices.read_bytes(), "MTConnectDevices")
    except (OSError, BadReply) as error:
        raise refuse(f"cannot be read: {error}", "give the agent's Devices.xml") from error
    found = model.items(root)
    names = sorted({item.device for item in found})
    mine = [item for item in found if asset in (item.device, *item.device_ids)]
    if not mine and len(names) == 1:
        mine = found
    if not mine:
        raise refuse(f"describes no device {asset!r}, but {', '.join(names)}")
    return {key: item for item in mine for key in (item.id, item.name) if key}
