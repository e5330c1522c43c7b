"""Cameras over HTTP: single pictures and streams of them, kept by their hash."""

from .driver import Camera

__all__ = ["Camera"]
