"""What a `[machines.…]` table of type camera may say."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a camera is reached, and where its pictures are kept."""

    url: Annotated[
        str,
        Meta(
            description="http(s)://host/path of its snapshot or MJPEG stream, or rtsp://host/path"
        ),
    ]
    period: Annotated[
        float,
        Meta(
            gt=0,
            le=86_400,
            description="How often a snapshot is asked for; of a stream, the least time between "
            "two pictures. Of a camera that numbers its pictures every one is taken.",
            extra={"unit": "s"},
        ),
    ] = 1.0
    timeout: Annotated[
        float, Meta(gt=0, le=60, description="Wait for an answer to begin", extra={"unit": "s"})
    ] = 5.0
    silence: Annotated[
        float,
        Meta(gt=0, le=600, description="A stream that is silent for so long is lost",
             extra={"unit": "s"}),
    ] = 15.0  # fmt: skip
    limit: Annotated[
        int, Meta(ge=1, le=256, description="Longest picture taken", extra={"unit": "MiBy"})
    ] = 16
    folder: Annotated[
        str, Meta(min_length=1, description="Where pictures are kept, by their hash")
    ] = "blobs"
    keep: Annotated[
        float,
        Meta(gt=0, description="Most that the folder may hold; then the oldest go, with a gap. "
             "Cameras that share a folder should say the same.", extra={"unit": "GBy"}),
    ] = 10.0  # fmt: skip
    user: Annotated[str, Meta(description="Who logs in; empty: nobody")] = ""
    password_env: Annotated[
        str, Meta(description="Environment variable that holds the password")
    ] = ""
    password_file: Annotated[
        str, Meta(description="File whose first line is the password; instead of `password_env`")
    ] = ""
    login: Annotated[
        Literal["digest", "basic"],
        Meta(
            description="How, over http; basic shows the password to the network unless it is "
            "https. Over rtsp the camera says how."
        ),
    ] = "digest"
    ca: Annotated[
        str, Meta(description="PEM file of who vouches for an https camera; empty: the system's")
    ] = ""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            known = parts.scheme in ("http", "https", "rtsp") and parts.hostname
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"url {self.url!r}: {error}") from error
        if not known:
            raise ValueError(
                f"url {self.url!r} is none of http://host/path, https://host/path, rtsp://host/path"
            )
        if parts.username or parts.password:
            raise ValueError("url: take the login out of it; use user and password_env instead")
        if self.user and bool(self.password_env) == bool(self.password_file):
            raise ValueError(f"user {self.user!r} needs either password_env or password_file")
