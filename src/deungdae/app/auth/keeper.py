"""The keeper of the door: knows who sends a request, and whether they may do what it asks.

People have a session (a cookie), programs of this machine the token of this run. The kill switch
must stay in reach whatever others try: nothing limits who is logged in, who has the token, and who
comes with a link.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deungdae.core.clock import Clock

from . import sessions, users
from .limits import Limits
from .options import WebOptions, is_loopback
from .roles import PROGRAM, Caller, Role
from .sessions import Session, Sessions
from .users import User, Users

if TYPE_CHECKING:
    from .oidc import Person, Provider

HEADER = "x-deungdae"  # a page of another site cannot send it without our leave
KEYS = 16  # links that wait to be used; a newer one drives out the oldest
LAPSE = 3600.0  # s that a link waits
FREE = 5  # wrong tries without a wait
ADDRESS = 60.0  # s that an address waits at most between two tries
NAME = 4.0  # s that a try for one name is held back at most, so that nobody can lock them out
CHECKS = 2  # passwords that are checked at the same time; each takes 19 MiB

GUEST = Caller("", "", Role.VIEWER)  # whoever looks where `open = true`


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = 200
    UNKNOWN = 401
    FORBIDDEN = 403
    TOO_LITTLE = 4030  # the role
    MUST_CHANGE = 4031  # the password


class TooMany(Exception):
    """Too many wrong tries from there. wait: s."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"wait {wait:.0f} s")
        self.wait = wait


class Doorkeeper:
    """Knows the token of this run, the users, the links that were given out, and the sessions."""

    def __init__(
        self, token: str, options: WebOptions, users: Users, sessions: Sessions, clock: Clock
    ) -> None:
        safe = bool(options.tls_certificate)
        # cookies do not tell the ports of a host apart
        self.cookie = f"{'__Host-' if safe else ''}deungdae_{options.port}"
        self.device_cookie = f"{self.cookie}_device"
        self.options = options
        self.users = users
        self.sessions = sessions
        self._token = token
        self._clock = clock
        self.provider = _provider(options, clock)
        self._keys: dict[str, float] = {}
        self._addresses = Limits(clock, free=FREE, longest=ADDRESS)
        self._names = Limits(clock, free=FREE, longest=NAME)
        self._checking = asyncio.Semaphore(CHECKS)

    @classmethod
    def of(
        cls, folder: Path, options: WebOptions, clock: Clock, known: tuple[str, ...] = ()
    ) -> Doorkeeper:
        """Return the keeper of a history's folder, with a new token. clock: real time."""
        return cls(
            secrets.token_urlsafe(32),
            options,
            Users(folder / users.FILE, clock, known),
            Sessions(folder / sessions.FILE, options, clock),
            clock,
        )

    @property
    def token(self) -> str:
        """Return what lets a program act, as an administrator."""
        return self._token

    # ---- coming in

    def link(self) -> str:
        """Return a link to the page that lets one person act; it works once, for an hour."""
        key = secrets.token_urlsafe(24)
        while len(self._keys) >= KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[key] = self._clock.monotonic() + LAPSE
        return f"{self.options.url}/?key={key}"

    def open(self, key: str, address: str) -> str | None:
        """Return a session's token for a link's key or the token of this run, else None.

        It is the first administrator's. Raises TooMany; what is right passes all the same.
        """
        found = [known for known in self._keys if _same(known, key)]
        fits = [known for known in found if self._keys.pop(known) > self._clock.monotonic()]
        leader = self.users.administrator()
        if leader is None or (not fits and not _same(self._token, key)):
            self.failed(address)
            return None
        return self.sessions.begin(leader.name, "link")

    async def enter(self, name: str, password: str, address: str, device: str) -> User | None:
        """Return who comes in with name and password, or None where they do not fit.

        device: what a browser shows in which they logged in before: it has a count of its own, so
        that nobody else's guesses are in its way. Raises TooMany, StoreError.
        """
        self.users.readable()
        known = self.sessions.knows(device, name)
        key = f"device {device[:80]}" if known else f"address {address}"
        if (wait := self._addresses.wait(key)) > 0:
            raise TooMany(wait)
        folded = users.folded(name)
        if not known:
            await self._clock.sleep(self._names.penalty(folded))
        async with self._checking:
            user = await self._clock.call(self.users.check, name, password)
        if user is None:
            self._addresses.failed(key)
            self._names.failed(folded)
        return user

    def welcome(self, person: Person) -> str:
        """Return the token of a new session of somebody whom the provider of accounts knows."""
        name = person.name
        if self.users.knows(name):  # they shall not be taken for somebody of this house
            name = f"{name} ({person.subject})"
        return self.sessions.begin(f"oidc:{person.subject}", "oidc", name, person.role.word)

    def failed(self, address: str) -> None:
        """Take note of a wrong token or key. Raises TooMany where there were many from there."""
        key = f"address {address}"
        if (wait := self._addresses.wait(key)) > 0:
            raise TooMany(wait)
        self._addresses.failed(key)

    # ---- being here

    def caller(self, headers: Mapping[str, str], cookie: str) -> Caller | None:
        """Return who sends a request with these headers and cookie, or None."""
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if bearer and _same(self._token, bearer):
            return PROGRAM
        session = self.sessions.find(cookie)
        found = self._person(session) if session else None
        return found or (GUEST if self.options.open else None)

    def _person(self, session: Session) -> Caller | None:
        if session.role:  # only the provider of accounts knows them
            return Caller(session.user, session.name, Role.of(session.role))
        user = self.users.find(session.user)
        if user is None or user.disabled:
            return None
        # who has a link did not need the password
        must_change = user.must_change and session.way == "password"
        return Caller(user.name, user.shown, user.rank, must_change)

    def judge(self, role: Role, method: str, headers: Mapping[str, str], cookie: str) -> Verdict:
        """Return whether a request with these headers and cookie may do what the role may."""
        if not self.is_addressed(headers.get("host", "")):
            return Verdict.FORBIDDEN
        caller = self.caller(headers, cookie)
        if caller is not PROGRAM and not self.is_own_page(headers):
            return Verdict.FORBIDDEN
        if caller is None or (caller is GUEST and role > Role.VIEWER):
            return Verdict.UNKNOWN
        if caller.must_change:
            return Verdict.MUST_CHANGE
        if caller is not PROGRAM and method not in ("GET", "HEAD") and HEADER not in headers:
            return Verdict.FORBIDDEN
        return Verdict.ALLOWED if caller.role >= role else Verdict.TOO_LITTLE

    def is_addressed(self, host: str) -> bool:
        """Return whether the request names us.

        On loopback a name that somebody else lets point here would let a foreign page read us.
        """
        if not self.options.is_local:
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # a '[' without its ']'
            return False
        return name == self.options.host or is_loopback(name)

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Return whether the request comes from our own page, or from no page at all.

        A page of another port of this host is of the "same site", and gets our cookies, too.
        """
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin", "")
        return not origin or origin.partition("://")[2] == headers.get("host", "")


def _provider(options: WebOptions, clock: Clock) -> Provider | None:
    if options.oidc is None:
        return None
    from .oidc import Provider  # noqa: PLC0415 — JOSE and HTTP, for those who have one alone

    return Provider(options.oidc, options.url, clock)


def _same(secret: str, given: str) -> bool:
    return hmac.compare_digest(secret.encode(), given.encode("utf-8", "replace"))
