"""Barcode and RFID readers over TCP and serial lines."""

from .driver import Scanner

__all__ = ["Scanner"]
