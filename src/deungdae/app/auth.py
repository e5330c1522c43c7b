"""Who may do what over HTTP: a token of this run for what changes or reveals, reads for the house.

On loopback anybody on this machine may look. Whatever changes something, the journal, SQL and the
store need the token: programs find it in running.json, people get a link that works once. Beyond
loopback there must be TLS, and then everything needs the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections import deque
from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from deungdae.core.clock import Clock

HEADER = "x-deungdae"  # a page of another site cannot send it without our leave
KEYS = 16  # links that wait to be used; a newer one drives out the oldest
FAILURES = 5  # wrong tokens of one address within WINDOW that are looked into
WINDOW = 60.0  # s
ADDRESSES = 1000  # that are remembered for wrong tokens


class WebOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[app]` table: where the API and the pages are served.

    Beyond this machine they are served only with TLS, and then every request needs the token of
    `running.json` in the history's folder.

    ```toml
    [app]
    host = "0.0.0.0"
    port = 8443
    tls_certificate = "server.pem"
    tls_key = "server.key"
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

    def __post_init__(self) -> None:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("give both tls_certificate and tls_key, or neither")
        if not self.is_local and not self.tls_certificate:
            raise ValueError(
                f"host = {self.host!r} is beyond this machine, which needs TLS:"
                ' give tls_certificate and tls_key, or host = "127.0.0.1"'
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


class Role(IntEnum):
    """What somebody may do; each role may all that those below it may."""

    VIEWER = 1  # look
    OPERATOR = 2  # approve, stop all writes, give reasons, acknowledge; read the journal
    ENGINEER = 3  # set-points, modes, the factory file, SQL
    ADMINISTRATOR = 4  # users


class Caller(msgspec.Struct, frozen=True):
    """Who asks. user: unique; name: as people know it, and as it stands in the journal."""

    user: str
    name: str
    role: Role


PROGRAM = Caller("", "", Role.ADMINISTRATOR)  # whoever has the token; it says for whom it acts


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = 200
    UNKNOWN = 401
    FORBIDDEN = 403
    TOO_LITTLE = 4030  # the role
    TOO_MANY = 429


class Doorkeeper:
    """Knows the token of this run, the links that were given out and the sessions they opened."""

    def __init__(self, token: str, options: WebOptions, clock: Clock) -> None:
        self.cookie = f"deungdae_{options.port}"  # cookies do not tell the ports of a host apart
        self._token = token
        self._options = options
        self._clock = clock
        self._sessions: dict[str, Caller] = {}
        self._keys: deque[str] = deque(maxlen=KEYS)
        self._failures: dict[str, deque[float]] = {}

    @property
    def is_local(self) -> bool:
        """Return whether only this machine can reach us."""
        return self._options.is_local

    def link(self) -> str:
        """Return a link to the page that lets one person act; it works once."""
        key = secrets.token_urlsafe(24)
        self._keys.append(key)
        return f"{self._options.url}/?key={key}"

    def open(self, key: str) -> str | None:
        """Return what the session's cookie must hold for a link's key or the token, else None."""
        found = [known for known in self._keys if _same(known, key)]
        for used in found:
            self._keys.remove(used)
        if not found and not _same(self._token, key):
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[session] = Caller("admin", "admin", Role.ADMINISTRATOR)
        return session

    def caller(self, headers: Mapping[str, str], cookie: str) -> Caller | None:
        """Return who sends a request with these headers and cookie, or None."""
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if bearer and _same(self._token, bearer):
            return PROGRAM
        return self._sessions.get(cookie)

    def judge(self, role: Role, method: str, headers: Mapping[str, str], cookie: str) -> Verdict:
        """Return whether a request with these headers and cookie may do what the role may."""
        if not self.is_addressed(headers.get("host", "")):
            return Verdict.FORBIDDEN
        safe = method in ("GET", "HEAD")
        caller = self.caller(headers, cookie)
        if role is Role.VIEWER and self._options.is_local:
            return Verdict.ALLOWED
        if caller is None:
            return Verdict.UNKNOWN
        if not safe and caller is not PROGRAM and not self._is_ours(headers):
            return Verdict.FORBIDDEN
        return Verdict.ALLOWED if caller.role >= role else Verdict.TOO_LITTLE

    def _is_ours(self, headers: Mapping[str, str]) -> bool:
        return HEADER in headers and self.is_own_page(headers)

    def is_addressed(self, host: str) -> bool:
        """Return whether the request names us.

        On loopback a name that somebody else lets point here would let a foreign page read us.
        """
        if not self._options.is_local:
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # a '[' without its ']'
            return False
        return name == self._options.host or is_loopback(name)

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Return whether the request comes from our own page, or from no page at all."""
        origin = headers.get("origin", "")
        return not origin or origin.partition("://")[2] == headers.get("host", "")

    def failed(self, address: str) -> bool:
        """Take note of a wrong token; return whether there were too many from that address.

        The right token passes even then: nobody shall keep others from the kill switch by guessing.
        """
        now = self._clock.monotonic()
        while len(self._failures) >= ADDRESSES and address not in self._failures:
            del self._failures[next(iter(self._failures))]
        recent = self._failures.setdefault(address, deque(maxlen=FAILURES))
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        if len(recent) == FAILURES:
            return True
        recent.append(now)
        return False


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same(secret: str, given: str) -> bool:
    return hmac.compare_digest(secret.encode(), given.encode("utf-8", "replace"))
