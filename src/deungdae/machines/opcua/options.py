"""The options of an OPC UA client door."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `[machines.<name>]` with `type = "opcua"` may say."""

    url: Annotated[
        str,
        Meta(
            description="Address of the server, `opc.tcp://host:port/path`.",
            pattern=r"^opc\.tcp://[^/@\s]+",
        ),
    ]
    publishing: Annotated[
        float,
        Meta(description="How often the server sends what changed.", ge=0.001, extra={"unit": "s"}),
    ] = 0.25
    sampling: (
        Annotated[
            float,
            Meta(
                description="How often the server looks at each value; left out: as it publishes, "
                "0: as fast as it can.",
                ge=0,
                extra={"unit": "s"},
            ),
        ]
        | None
    ) = None
    queue: Annotated[
        int,
        Meta(
            description="Values of one signal that the server keeps between two publishings.",
            ge=1,
            le=100_000,
        ),
    ] = 10
    requests: Annotated[
        int,
        Meta(description="Publish requests that wait at the server.", ge=1, le=50),
    ] = 5
    timeout: Annotated[
        float,
        Meta(description="How long an answer may take.", gt=0, le=600, extra={"unit": "s"}),
    ] = 5.0
    keepalive: Annotated[
        float,
        Meta(
            description="The server gives a sign of life at least this often; the link counts as "
            "lost after twice this and `timeout`.",
            ge=0.05,
            extra={"unit": "s"},
        ),
    ] = 5.0
    lifetime: Annotated[
        float,
        Meta(
            description="How long the server keeps our subscription while the link is down.",
            ge=1,
            extra={"unit": "s"},
        ),
    ] = 60.0
    backfill: Annotated[
        float,
        Meta(
            description="After a lost link, how far back to ask nodes with a history for what was "
            "missed; 0: never.",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 86_400.0
    chunk: Annotated[
        int,
        Meta(
            description="Nodes in one request; a server's own lower limit is obeyed.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    root: Annotated[
        str,
        Meta(description="Node under which browsing starts; `i=85` is the Objects folder."),
    ] = "i=85"
    diagnostics: Annotated[
        bool,
        Meta(description="Also browse what the server says about itself (the Server object)."),
    ] = False
    security: Annotated[
        Literal["None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"],
        Meta(description="Security policy; the server must offer it."),
    ] = "None"
    mode: Annotated[
        Literal["sign", "encrypt"],
        Meta(description="Sign messages, or sign and encrypt them; needs a security policy."),
    ] = "encrypt"
    certificates: Annotated[
        str,
        Meta(
            description="Folder with our own certificate (made on first use) and the lists of "
            "trusted and rejected servers."
        ),
    ] = "certificates"
    trust: Annotated[
        Literal["list", "first"],
        Meta(
            description="`list`: believe only certificates in `trusted/`. `first`: also believe "
            "the first one that this machine ever shows, and no other after it."
        ),
    ] = "list"
    user: Annotated[str, Meta(description="User name at the server; empty: anonymous.")] = ""
    password_env: Annotated[
        str, Meta(description="Environment variable that holds the user's password.")
    ] = ""
    password_file: Annotated[str, Meta(description="File that holds the user's password.")] = ""
    user_certificate: Annotated[
        str, Meta(description="Certificate to log in with instead of a password, .der or .pem.")
    ] = ""
    user_key: Annotated[str, Meta(description="Private key of `user_certificate`, .pem.")] = ""
