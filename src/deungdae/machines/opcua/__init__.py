"""OPC UA as a client: one server, its variables as signals."""

from .driver import Opcua

__all__ = ["Opcua"]
