"""The factory over HTTP: `/api/v1/…` for programs, `/live` for what changes, `/` for people."""

from .server import create, serve

__all__ = ["create", "serve"]
