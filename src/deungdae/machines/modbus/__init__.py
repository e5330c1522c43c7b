"""Modbus over TCP, and RTU frames over TCP, as a client."""

from .driver import Modbus

__all__ = ["Modbus"]
