"""Keeps what serves others serving: virtual machines, and later the north doors."""

from __future__ import annotations

import asyncio
import logging

from deungdae.core.clock import Clock
from deungdae.core.errors import DoorError
from deungdae.core.ports import Bridge

AGAIN = 5.0  # s until a bridge that ended is started again


async def keep(name: str, bridge: Bridge, clock: Clock) -> None:
    """Keep a bridge serving until cancelled; one that fails does not stop the others."""
    own = logging.getLogger(f"deungdae.virtual.{name}")
    problem = ""
    while True:
        try:
            await bridge.serve()
        except DoorError as error:
            if str(error) != problem:
                own.warning("state=offline problem=%r remedy=%r", str(error), error.remedy)
            problem = str(error)
        except Exception:  # noqa: BLE001 — a plug-in's fault must not stop the others
            own.exception("state=failed")
        stop_if_told()
        await clock.sleep(AGAIN)


def stop_if_told() -> None:
    """Raise CancelledError where this task was told to end and something swallowed the word.

    Python 3.11's asyncio.wait_for does when what it waits for ends in the same moment (bpo-37658),
    and libraries do; a plug-in must not keep the house from closing.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
