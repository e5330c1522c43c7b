"""MTConnect: agents over HTTP, adapters over TCP, and the logs of both."""

from __future__ import annotations

from .log import Log, Part, read_log

__all__ = ["Log", "Part", "read_log"]
