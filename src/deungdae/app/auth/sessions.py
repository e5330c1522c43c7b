"""Who is logged in, where: `sessions.json` in the history's folder, so that a restart ends none."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
from pathlib import Path
from typing import Annotated

import msgspec

from deungdae.core.clock import Clock
from deungdae.core.types import MINUTE, SECOND
from deungdae.wires import vault

from .options import WebOptions
from .users import folded

log = logging.getLogger("deungdae.auth")

FILE = "sessions.json"
MOST = 1000  # sessions; a newer one drives out the one that was used longest ago


class Session(msgspec.Struct):
    """One browser that somebody logged in with. opened, seen: ns since 1970.

    way: password, link or oidc. name, role: of whom only a provider of accounts knows.
    """

    user: str
    way: str
    opened: int
    seen: int
    name: str = ""
    role: str = ""


class _File(msgspec.Struct):
    secret: Annotated[bytes, msgspec.Meta(min_length=32)]
    sessions: dict[str, Session]


class Sessions:
    """Sessions by the hash of their token, so that the file gives nobody's away.

    All but `save` is called in the loop's thread.
    """

    def __init__(self, path: Path, options: WebOptions, clock: Clock) -> None:
        self._path = path
        self._longest = int(options.session_hours * 3600 * SECOND)
        self._idle = int(options.idle_minutes * MINUTE)
        self._clock = clock
        self._lock = threading.Lock()
        self._changed = False
        try:
            content = vault.read(path)
            file = None if content is None else msgspec.json.decode(content, type=_File)
        except (OSError, msgspec.DecodeError) as error:
            log.warning("state=forgotten file=%s all must log in anew: %s", path, error)
            file = None
        self._secret = file.secret if file else secrets.token_bytes(32)
        self._sessions = file.sessions if file else {}

    def open(self, session: Session) -> str:
        """Begin a session and return its token, which is for the browser alone."""
        self._forget()
        token = secrets.token_urlsafe(32)
        self._sessions[_hash(token)] = session
        self._changed = True
        return token

    def begin(self, user: str, way: str, name: str = "", role: str = "") -> str:
        """Begin a session of a user now and return its token."""
        now = self._clock.now()
        return self.open(Session(user, way, now, now, name, role))

    def find(self, token: str) -> Session | None:
        """Return the session of a token if it still holds; it counts as used now."""
        key = _hash(token)
        if not token or (session := self._sessions.get(key)) is None:
            return None
        now = self._clock.now()
        if not self._holds(session, now):
            del self._sessions[key]
            self._changed = True
            return None
        if now - session.seen > 10 * SECOND:
            session.seen = now
            self._changed = True
        return session

    def end(self, token: str) -> None:
        """End the session of a token."""
        self._changed |= self._sessions.pop(_hash(token), None) is not None

    def end_of(self, user: str, *, but: str = "") -> None:
        """End every session of a user, but that of one token."""
        kept = {
            key: session
            for key, session in self._sessions.items()
            if session.user != user or (but and key == _hash(but))
        }
        self._changed |= len(kept) < len(self._sessions)
        self._sessions = kept

    def device(self, user: str) -> str:
        """Return what a browser keeps to show that this user logged in with it before."""
        mark = secrets.token_hex(8)
        return f"{mark}.{self._sealed(mark, user)}"

    def knows(self, device: str, user: str) -> bool:
        """Return whether a user logged in before with a browser that shows this."""
        mark, _, seal = device.partition(".")
        return bool(seal) and hmac.compare_digest(
            self._sealed(mark, user).encode(), seal.encode("utf-8", "replace")
        )

    def save(self) -> None:
        """Write what changed. A disk that is full keeps nobody from logging in: it is only said."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            file = _File(self._secret, self._sessions.copy())
            try:
                vault.write(self._path, msgspec.json.encode(file))
            except OSError as error:
                self._changed = True
                log.warning("state=unsaved file=%s a restart ends sessions: %s", self._path, error)

    def _sealed(self, mark: str, user: str) -> str:
        text = f"{mark} {folded(user)}".encode("utf-8", "replace")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    def _holds(self, session: Session, now: int) -> bool:
        return (
            session.opened <= now + MINUTE  # a clock that was put back must not lengthen one
            and now - session.opened < self._longest
            and now - session.seen < self._idle
        )

    def _forget(self) -> None:
        """Drop what no longer holds, and the least used where there are too many."""
        now = self._clock.now()
        held = {key: each for key, each in self._sessions.items() if self._holds(each, now)}
        while len(held) >= MOST:
            del held[min(held, key=lambda key: held[key].seen)]
        self._sessions = held


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
