"""Cameras over HTTP and RTSP: single pictures and streams of them, kept by their hash."""

from .driver import Camera

__all__ = ["Camera"]
