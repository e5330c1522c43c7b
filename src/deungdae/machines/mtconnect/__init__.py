"""MTConnect: agents over HTTP, adapters over TCP, and the logs of both."""

from __future__ import annotations

from .driver import Mtconnect
from .log import Log, Part, read_log

__all__ = ["Log", "Mtconnect", "Part", "read_log"]
