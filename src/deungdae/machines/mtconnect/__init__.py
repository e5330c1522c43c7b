"""MTConnect: agents over HTTP, adapters over TCP, and the logs of both."""

from __future__ import annotations

from .driver import Mtconnect

__all__ = ["Mtconnect"]
