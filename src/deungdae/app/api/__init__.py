"""The factory over HTTP: `/api/v1/…` for programs, `/live` for what changes, `/` for people."""

from .server import Welcome, create, serve

__all__ = ["Welcome", "create", "serve"]
