"""The `[app]` table of a factory file."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

RoleWord = Literal["viewer", "operator", "engineer", "administrator"]


class OidcOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[app.oidc]` table: people log in where your house keeps its accounts (OpenID Connect).

    Register Deungdae there as a web application (authorization code flow) with the redirect address
    `https://<this machine>:<port>/api/v1/session/oidc/callback`.
    """

    issuer: Annotated[str, Meta(description="Address of the provider, as in its tokens")]
    client_id: Annotated[str, Meta(min_length=1, description="Our name at the provider")]
    client_secret_env: Annotated[
        str, Meta(description="Environment variable that holds the client's secret")
    ] = ""
    client_secret_file: Annotated[
        str, Meta(description="File whose first line is the client's secret")
    ] = ""
    url: Annotated[
        str,
        Meta(
            description="Where browsers reach us, e.g. https://plant.example:8443; empty: as here"
        ),
    ] = ""
    scope: Annotated[str, Meta(description="What is asked of the provider")] = "openid profile"
    claim: Annotated[
        str, Meta(min_length=1, description="Claim of the token that tells the role")
    ] = "groups"
    roles: Annotated[
        dict[str, RoleWord], Meta(description="Role by what the claim says; the highest counts")
    ] = {}
    otherwise: Annotated[
        Literal["viewer", "refuse"], Meta(description="What becomes of those without such a role")
    ] = "refuse"
    label: Annotated[str, Meta(max_length=40, description="Words on the button")] = ""

    def __post_init__(self) -> None:
        place = urlsplit(self.issuer)
        if place.scheme != "https" and not is_loopback(place.hostname or ""):
            raise ValueError(f"issuer = {self.issuer!r} must begin with https://")
        if self.client_secret_env and self.client_secret_file:
            raise ValueError("give client_secret_env or client_secret_file, not both")
        if "openid" not in self.scope.split():
            raise ValueError(f"scope = {self.scope!r} must hold openid")
        if self.url and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"url = {self.url!r} must begin with https:// or http://")


class WebOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[app]` table: where the API and the pages are served, and how people log in.

    Everything needs a login. The users are in `users.json` in the history's folder; the first
    start makes `admin` and prints a password for once. Programs send the token of `running.json`.
    Beyond this machine all is served only with TLS.

    ```toml
    [app]
    host = "0.0.0.0"
    port = 8443
    tls_certificate = "server.pem"
    tls_key = "server.key"

    [app.oidc]
    issuer = "https://login.example/realms/plant"
    client_id = "deungdae"
    client_secret_env = "DEUNGDAE_OIDC_SECRET"
    roles = { shift-leaders = "operator", automation = "engineer" }
    ```
    """

    host: Annotated[
        str, Meta(description="Address to listen on; 0.0.0.0 is every address of this machine")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of API and pages")] = 8080
    tls_certificate: Annotated[
        str, Meta(description="PEM file of the certificate, with what signed it")
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM file of the certificate's key")] = ""
    open: Annotated[
        bool,
        Meta(
            description="Anybody on this machine may look without a login: for a screen on the wall"
        ),
    ] = False
    session_hours: Annotated[
        float,
        Meta(ge=0.1, le=720, description="After which a login ends", extra={"unit": "h"}),
    ] = 12.0
    idle_minutes: Annotated[
        float,
        Meta(
            ge=1,
            le=43200,
            description="After which a login ends that no open page uses",
            extra={"unit": "min"},
        ),
    ] = 120.0
    oidc: Annotated[
        OidcOptions | None, Meta(description="A provider of accounts where people log in, too")
    ] = None

    def __post_init__(self) -> None:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("give both tls_certificate and tls_key, or neither")
        if not self.is_local and not self.tls_certificate:
            raise ValueError(
                f"host = {self.host!r} is beyond this machine, which needs TLS:"
                ' give tls_certificate and tls_key, or host = "127.0.0.1"'
            )
        if self.open and not self.is_local:
            raise ValueError(
                f"open = true lets anybody look, and host = {self.host!r} is beyond this machine:"
                " leave open away, and give the screen a user with the role viewer"
            )

    @property
    def is_local(self) -> bool:
        """Return whether only this machine can reach us."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """Return where this machine itself reaches us."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return f"http{'s' if self.tls_certificate else ''}://{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
