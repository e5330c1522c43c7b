"""Joins the processes of one factory over NATS JetStream: transport, never memory."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class BusOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[bus]` table: lets doors, history and pages run as processes of their own.

    ```toml
    [bus]
    url = "nats://127.0.0.1:4222"
    key_file = "bus.key"
    ```
    """

    url: Annotated[str, Meta(description="NATS server; empty: everything is one process")] = ""
    key_file: Annotated[
        str, Meta(description="Secret that seals permits on their way; made on first use")
    ] = "bus.key"
