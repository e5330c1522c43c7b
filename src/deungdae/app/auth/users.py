"""The people who may log in here: `users.json` in the history's folder."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import msgspec

from deungdae.core.clock import Clock, RealClock, to_iso
from deungdae.core.errors import Refused, StoreError
from deungdae.core.types import SECOND
from deungdae.wires import vault

from . import passwords
from .options import RoleWord
from .roles import Role

FILE = "users.json"
MOST = 10_000  # users
NAME = re.compile(r"[^\W_][\w.@-]{0,63}")
SHOWN = 60  # characters


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person. name: what they log in with; shown: as others know them.

    password: its argon2id hash. must_change: the password was given by somebody else.
    """

    name: str
    shown: str
    role: RoleWord
    password: str
    created: str
    disabled: bool = False
    must_change: bool = False

    @property
    def rank(self) -> Role:
        """Return the role, to compare."""
        return Role.of(self.role)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int = 1
    users: list[User] = []


class Users:
    """The users of one factory. Safe across threads; what changes is on disk when it returns.

    Where the file cannot be read nobody is known and nothing is written: `problem` says why.
    """

    def __init__(self, path: Path, clock: Clock | None = None, known: Iterable[str] = ()) -> None:
        """path: of users.json. known: words that no password may be, as the factory's name."""
        self.path = path
        self.problem = ""
        self._clock = clock or RealClock()
        self._known = tuple(known)
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        self._decoy = ""
        try:
            self._read()
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            self.problem = (
                f"{path} cannot be read: {error}. Nobody can log in with a password until it is put"
                " right: put back a copy of it, or move it away and start anew, which makes a new"
                " admin"
            )

    def _read(self) -> None:
        content = vault.read(self.path)
        if content is None:
            return
        read = msgspec.json.decode(content, type=_File)
        if read.version != 1:
            raise ValueError(f"version = {read.version} is of a newer Deungdae")
        for user in read.users:
            if user.name != folded(user.name) or not NAME.fullmatch(user.name):
                raise ValueError(f"{user.name!r} is no name of a user")
            if user.name in self._users:
                raise ValueError(f"the user {user.name!r} is there twice")
            self._users[user.name] = user

    def readable(self) -> None:
        """Return if the file could be read. Raises StoreError that says what to do."""
        if self.problem:
            raise StoreError(self.problem)

    # ---- who there is

    def find(self, name: str) -> User | None:
        """Return a user by name, however it is written, or None."""
        return self._users.get(folded(name))

    def knows(self, shown: str) -> bool:
        """Return whether somebody is known by this name."""
        name = folded(shown)
        return any(name in (user.name, folded(user.shown)) for user in self._users.values())

    def all(self) -> list[User]:
        """Return every user, by name."""
        return sorted(self._users.values(), key=lambda user: user.name)

    def administrator(self) -> User | None:
        """Return the first administrator who may log in."""
        return next((user for user in self._users.values() if _leads(user)), None)

    def check(self, name: str, password: str) -> User | None:
        """Return the user if name and password fit and they may log in, else None.

        Takes as long for a name that nobody has.
        """
        user = self.find(name)
        if user is None:
            self._decoy = self._decoy or passwords.make(passwords.one_time())
            passwords.fits(self._decoy, password)
            return None
        return user if passwords.fits(user.password, password) and not user.disabled else None

    # ---- who there shall be

    def first(self) -> str:
        """Make the first administrator, `admin`, where there is none; give the password or ''."""
        if self.problem or self.administrator() or self.find("admin"):
            return ""
        return self.add("admin", "admin", Role.ADMINISTRATOR)

    def add(self, name: str, shown: str, role: Role) -> str:
        """Add a user and return the password for the first login. Raises Refused."""
        name = folded(name)
        password = passwords.one_time()
        kept = passwords.make(password)
        with self._lock:
            if not NAME.fullmatch(name):
                raise Refused(
                    "user-name", "a user's name has up to 64 letters, digits and the signs . _ @ -"
                )
            if name in self._users:
                raise Refused("user-exists", f"there is a user {name!r} already")
            if len(self._users) >= MOST:
                raise Refused("user-limit", f"there are {MOST} users already")
            user = User(
                name=name,
                shown=self._shown(shown or name, name),
                role=role.word,  # type: ignore[arg-type]
                password=kept,
                created=to_iso(self._clock.now() // SECOND * SECOND),
                must_change=True,
            )
            self._put(self._users | {name: user})
        return password

    def change(
        self,
        name: str,
        *,
        shown: str | None = None,
        role: Role | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Return a user after a change; what is None stays. Raises Refused, LookupError."""
        with self._lock:
            user = before = self._get(name)
            if shown is not None:
                user = msgspec.structs.replace(user, shown=self._shown(shown, user.name))
            if role is not None:
                user = msgspec.structs.replace(user, role=role.word)
            if disabled is not None:
                user = msgspec.structs.replace(user, disabled=disabled)
            if _leads(before) and not _leads(user):
                self._not_the_last(before)
            self._put(self._users | {user.name: user})
        return user

    def reset(self, name: str) -> str:
        """Give a user a new password for one login and return it. Raises LookupError."""
        password = passwords.one_time()
        self._keep(name, password, must_change=True)
        return password

    def choose(self, name: str, password: str) -> None:
        """Let a user have the password that they chose. Raises Refused, LookupError."""
        user = self._get(name)
        passwords.check(password, (user.name, user.shown, *self._known))
        if passwords.fits(user.password, password):
            raise Refused("password-same", "this is the password that you have")
        self._keep(name, password, must_change=False)

    def remove(self, name: str) -> None:
        """Remove a user. Raises Refused, LookupError."""
        with self._lock:
            user = self._get(name)
            if _leads(user):
                self._not_the_last(user)
            self._put({key: each for key, each in self._users.items() if key != user.name})

    def _keep(self, name: str, password: str, *, must_change: bool) -> None:
        kept = passwords.make(password)
        with self._lock:
            user = self._get(name)
            changed = msgspec.structs.replace(user, password=kept, must_change=must_change)
            self._put(self._users | {user.name: changed})

    def _get(self, name: str) -> User:
        if (user := self.find(name)) is None:
            raise LookupError(f"there is no user {name!r}")
        return user

    def _shown(self, shown: str, name: str) -> str:
        """Return the shown name if it can be told from all others'. Raises Refused."""
        shown = unicodedata.normalize("NFC", shown).strip()
        if not shown or len(shown) > SHOWN or not shown.isprintable():
            raise Refused(
                "user-shown", f"a shown name has 1 to {SHOWN} characters that can be seen"
            )
        for user in self._users.values():
            if user.name != name and folded(shown) in (folded(user.shown), user.name):
                raise Refused("user-shown", f"{shown!r} is the name of {user.name!r} already")
        return shown

    def _not_the_last(self, leaving: User) -> None:
        if not any(_leads(user) for user in self._users.values() if user.name != leaving.name):
            raise Refused(
                "last-administrator",
                f"{leaving.name!r} is the last administrator: make another first",
            )

    def _put(self, users: dict[str, User]) -> None:
        """Write all users, and only then go by them. Raises StoreError."""
        self.readable()
        content = msgspec.json.format(msgspec.json.encode(_File(users=list(users.values()))))
        try:
            vault.write(self.path, content + b"\n")
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written: {error}; nothing was changed"
            ) from error
        self._users = users


def folded(name: str) -> str:
    """Return a name in the spelling by which it is compared."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _leads(user: User) -> bool:
    return user.rank is Role.ADMINISTRATOR and not user.disabled
