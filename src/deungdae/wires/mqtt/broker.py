"""How to reach an MQTT broker: the options that every MQTT door has, and what they come to."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from deungdae.core.errors import Unreachable

KIB, MIB = 1024, 1024 * 1024


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Address, identity and limits of one connection."""

    url: Annotated[
        str,
        Meta(
            description="Broker: `mqtt://host:1883`, or `mqtts://host:8883` for TLS.",
            pattern="^mqtts?://[^/]+/?$",
        ),
    ]
    version: Annotated[
        Literal["5", "3.1.1"], Meta(description="MQTT version; 5 unless the broker is old.")
    ] = "5"
    client_id: Annotated[
        str,
        Meta(
            description="Name at the broker, which knows one client of each name; empty: "
            "`deungdae-` and the table's name.",
            max_length=256,
        ),
    ] = ""
    user: Annotated[str, Meta(description="User name at the broker; empty: none.")] = ""
    password_env: Annotated[
        str, Meta(description="Environment variable that holds the password.")
    ] = ""
    password_file: Annotated[
        str, Meta(description="File whose first line is the password; instead of `password_env`.")
    ] = ""
    ca: Annotated[
        str,
        Meta(
            description="File (PEM) of the authority that signed the broker's certificate; "
            "empty: those that the system trusts."
        ),
    ] = ""
    certificate: Annotated[
        str, Meta(description="File (PEM) of our own certificate, where the broker asks for one.")
    ] = ""
    key: Annotated[str, Meta(description="File (PEM) of the key to `certificate`.")] = ""
    timeout: Annotated[
        float,
        Meta(description="Longest wait for any answer.", gt=0, le=300, extra={"unit": "s"}),
    ] = 10.0
    keep_alive: Annotated[
        int,
        Meta(
            description="The link counts as lost when nothing came for one and a half times this.",
            ge=1,
            le=65_535,
            extra={"unit": "s"},
        ),
    ] = 30
    message_limit: Annotated[
        int,
        Meta(
            description="A larger message is refused as it comes, and its signals turn bad.",
            ge=KIB,
            le=256 * MIB - 1,
            extra={"unit": "By"},
        ),
    ] = 4 * MIB
    buffer: Annotated[
        int,
        Meta(
            description="Undecoded messages held; when full, reading pauses and the broker waits.",
            ge=64 * KIB,
            extra={"unit": "By"},
        ),
    ] = 16 * MIB
    inflight: Annotated[
        int,
        Meta(
            description="QoS 1 messages that may wait for the historian (MQTT 5 only: a 3.1.1 "
            "broker has its own limit, in mosquitto 20, and delivers that many per commit).",
            ge=1,
            le=65_535,
        ),
    ] = 20_000

    @property
    def five(self) -> bool:
        """Return whether we speak MQTT 5."""
        return self.version == "5"


def endpoint(broker: Broker) -> tuple[str, int, ssl.SSLContext | None]:
    """Return host, port and, for TLS, its context. Raises Unreachable."""
    parts = urlsplit(broker.url)
    try:
        port = parts.port
    except ValueError as error:
        raise Unreachable(
            f"{broker.url}: {error}", remedy="give the port as a number up to 65535"
        ) from error
    if not parts.hostname:
        raise Unreachable(f"{broker.url} names no host", remedy="write mqtt://host:1883")
    if parts.scheme == "mqtt":
        return parts.hostname, port or 1883, None
    return parts.hostname, port or 8883, _context(broker)


def password(broker: Broker) -> bytes:
    """Return the password, or b'' where none is configured. Raises Unreachable."""
    if broker.password_env:
        if broker.password_env not in os.environ:
            raise Unreachable(
                f"the environment variable {broker.password_env} is not set",
                remedy="set it to the broker's password before the start, or use password_file",
            )
        return os.environ[broker.password_env].encode()
    if broker.password_file:
        try:
            lines = Path(broker.password_file).read_bytes().splitlines()
        except OSError as error:
            raise Unreachable(
                f"password_file {broker.password_file}: {error.strerror}",
                remedy="put the password into that file, readable by this program only",
            ) from error
        return lines[0] if lines else b""
    return b""


def _context(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=broker.ca or None)
        if broker.certificate:
            context.load_cert_chain(broker.certificate, broker.key or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (broker.ca, broker.certificate, broker.key)))
        raise Unreachable(
            f"the TLS files {files} cannot be used: {error}",
            remedy="ca, certificate and key must be readable PEM files that belong together",
        ) from error
    return context
