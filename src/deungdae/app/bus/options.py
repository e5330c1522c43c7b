"""The `[bus]` table: where the bus is, how to log in there, and what it may hold."""

from __future__ import annotations

import os
import secrets
import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from deungdae.app.auth import is_loopback
from deungdae.core.errors import FactoryError, Fault
from deungdae.decide.gate.seal import KEY
from deungdae.wires import vault


class BusOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[bus]` table: lets doors, history and pages run as processes of their own.

    `deungdae run F --as connect`, `--as history` and `--as pages` then find each other through a
    NATS server with JetStream; without `--as` everything stays one process. Beyond this machine
    the server must be reached by TLS and with a login.

    ```toml
    [bus]
    url = "tls://nats.plant.example:4222"
    tls_ca = "plant-ca.pem"
    user = "brickworks"
    password_env = "NATS_PASSWORD"
    key_file = "bus.key"
    ```
    """

    url: Annotated[str, Meta(description="NATS server; empty: everything is one process")] = ""
    user: Annotated[str, Meta(description="Name to log in with")] = ""
    password_env: Annotated[
        str, Meta(description="Environment variable that holds the password")
    ] = ""
    password_file: Annotated[str, Meta(description="File that holds the password")] = ""
    tls_ca: Annotated[
        str,
        Meta(description="PEM file of who signed the server's certificate; empty: the system's"),
    ] = ""
    key_file: Annotated[
        str,
        Meta(description="Secret that seals permits on their way; made on first use, same for all"),
    ] = "bus.key"
    buffer: Annotated[
        int,
        Meta(
            ge=1,
            description="NATS may hold so much that the history has not taken; beyond, doors wait",
            extra={"unit": "MB"},
        ),
    ] = 1024
    max_age: Annotated[
        float,
        Meta(
            ge=0,
            description="What is older NATS drops, also if the history never saw it; 0: nothing",
            extra={"unit": "h"},
        ),
    ] = 0.0
    memory: Annotated[
        int,
        Meta(
            ge=1,
            description="A process with doors keeps so much that is not durable yet, then waits",
            extra={"unit": "MB"},
        ),
    ] = 64

    def __post_init__(self) -> None:
        if self.url:
            self._check_url()
        if self.password_env and self.password_file:
            raise ValueError("give password_env or password_file, not both")

    def _check_url(self) -> None:
        place = urlsplit(self.url)
        if place.scheme not in ("nats", "tls") or not place.hostname:
            raise ValueError(f"url = {self.url!r} is no NATS server: write nats://127.0.0.1:4222")
        if place.username or place.password:
            raise ValueError("url must not hold a login: use user and password_env")
        if is_loopback(place.hostname):
            return
        if place.scheme != "tls":
            raise ValueError(
                f"url = {self.url!r} is beyond this machine, which needs TLS: write tls://…"
            )
        if not self.user or not (self.password_env or self.password_file):
            raise ValueError(
                f"url = {self.url!r} is beyond this machine, which needs a login:"
                " give user, and password_env or password_file"
            )

    @property
    def is_encrypted(self) -> bool:
        """Return whether nothing may be said before TLS stands."""
        return self.url.startswith("tls://")

    def context(self, folder: Path) -> ssl.SSLContext | None:
        """Return how to check the server, or None without TLS. Raises FactoryError."""
        if not self.is_encrypted:
            return None
        try:
            return ssl.create_default_context(
                cafile=str(folder / self.tls_ca) if self.tls_ca else None
            )
        except (OSError, ssl.SSLError) as error:
            raise _fault("tls_ca", self.tls_ca, f"cannot be used: {error}", "a PEM file") from error

    def password(self, folder: Path) -> str:
        """Return the password, or ''. Raises FactoryError where it is not to be had."""
        if self.password_env:
            if self.password_env not in os.environ:
                raise _fault("password_env", self.password_env, "is not set", "set it")
            return os.environ[self.password_env]
        if not self.password_file:
            return ""
        try:
            return (folder / self.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _fault("password_file", self.password_file, str(error), "a text file") from error

    def key(self, folder: Path) -> bytes:
        """Return the secret of the seals; make it where there is none. Raises FactoryError."""
        path = folder / self.key_file
        try:
            if not path.exists():
                vault.once(path, secrets.token_bytes(KEY))
            if path.stat().st_mode & 0o077:
                raise _fault("key_file", self.key_file, "others can read it", f"chmod 600 {path}")
            key = path.read_bytes()
        except OSError as error:
            raise _fault("key_file", self.key_file, str(error), "a file that we may use") from error
        if len(key) < KEY:
            problem = f"has {len(key)} bytes, {KEY} are needed"
            raise _fault("key_file", self.key_file, problem, "remove it: a new one is made")
        return key


def _fault(key: str, value: str, problem: str, remedy: str) -> FactoryError:
    fault = Fault(
        file="factory.toml", key=f"bus.{key}", value=value, problem=problem, remedy=remedy
    )
    return FactoryError([fault])
