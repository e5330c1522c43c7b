"""The verb `user`: the people who may log in, of a running factory or of one that stands."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from deungdae.app import describe, remote
from deungdae.app.auth import Role, User, Users, users
from deungdae.core.clock import RealClock
from deungdae.core.errors import Refused, StoreError
from deungdae.historian.journal import Journal

from .output import Output, Row

ROLES = [role.word for role in Role]


def add(verbs: Any) -> None:
    """Add the verb."""
    user = verbs.add_parser("user", help="the people who may log in, and their roles")
    deeds = user.add_subparsers(metavar="WHAT", required=True)

    def deed(name: str, about: str, run: Callable[[Book, argparse.Namespace, Output], int]) -> Any:
        parser = deeds.add_parser(name, help=about, description=about)
        parser.add_argument("factory", type=Path, metavar="F", help="factory.toml or its folder")
        parser.set_defaults(run=_with_book, deed=run)
        parser.add_argument("--json", action="store_true", help="print JSON with stable keys")
        return parser

    deed("list", "who there is", _list)
    new = deed("add", "somebody new; prints the password for the first login", _add)
    new.add_argument("name", metavar="NAME", help="what they log in with")
    new.add_argument("--shown", default="", metavar="WORDS", help="as others know them")
    new.add_argument("--role", choices=ROLES, default="viewer", help="(viewer)")
    role = deed("role", "another role; ends their sessions", _role)
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES, metavar="ROLE", help=", ".join(ROLES))
    password = deed("password", "a new password, printed or typed; ends their sessions", _password)
    password.add_argument("name", metavar="NAME")
    password.add_argument(
        "--choose", action="store_true", help="ask for it, or read a line of standard input"
    )
    disable = deed("disable", "let them log in no more, or again", _disable)
    disable.add_argument("name", metavar="NAME")
    disable.add_argument("--enable", action="store_true", help="let them log in again")
    gone = deed("remove", "take a user away; what they did stays in the journal", _remove)
    gone.add_argument("name", metavar="NAME")
    deed("link", "a link to the page of a running factory, to log in once", _link)


class Book(Protocol):
    """The users, wherever they are kept. Raises Refused, LookupError, StoreError."""

    def all(self) -> list[Row]:
        """Return every user."""
        ...

    def add(self, name: str, shown: str, role: str) -> str:
        """Add a user and return the password for the first login."""
        ...

    def change(self, name: str, **parts: object) -> None:
        """Change role or disabled."""
        ...

    def reset(self, name: str) -> str:
        """Return a new password for one login."""
        ...

    def choose(self, name: str, password: str) -> None:
        """Let a user have this password."""
        ...

    def remove(self, name: str) -> None:
        """Take a user away."""
        ...

    def link(self) -> str:
        """Return a link that logs in once."""
        ...


class _Kept:
    """The files of a factory that does not run: who holds the journal holds the users, too."""

    def __init__(self, history: Path, known: tuple[str, ...]) -> None:
        self._history = history
        self._users = Users(history / users.FILE, RealClock(), known)
        self._users.readable()

    def all(self) -> list[Row]:
        return [_told(user) for user in self._users.all()]

    def add(self, name: str, shown: str, role: str) -> str:
        with self._noted(name, action="add", role=role):
            return self._users.add(name, shown, Role.of(role))

    def change(self, name: str, **parts: object) -> None:
        role = Role.of(str(parts["role"])) if "role" in parts else None
        disabled = bool(parts["disabled"]) if "disabled" in parts else None
        with self._noted(name, action="change", **parts):
            self._users.change(name, role=role, disabled=disabled)

    def reset(self, name: str) -> str:
        with self._noted(name, action="reset"):
            return self._users.reset(name)

    def choose(self, name: str, password: str) -> None:
        with self._noted(name, action="password"):
            self._users.choose(name, password)

    def remove(self, name: str) -> None:
        with self._noted(name, action="remove"):
            self._users.remove(name)

    def link(self) -> str:
        raise Refused("not-running", "the factory does not run: start it, which prints a link")

    @contextmanager
    def _noted(self, name: str, **data: object) -> Iterator[None]:
        with Journal(self._history / "journal", RealClock()) as journal:
            yield
            journal.append("user", {"user": users.folded(name), **data}, getpass.getuser())


class _Running:
    """The API of a factory that runs."""

    def __init__(self, instance: remote.Running) -> None:
        self._instance = instance

    def all(self) -> list[Row]:
        found: list[Row] = self._ask("GET", "")
        return found

    def add(self, name: str, shown: str, role: str) -> str:
        return str(self._ask("POST", "", name=name, shown=shown, role=role)["password"])

    def change(self, name: str, **parts: object) -> None:
        self._ask("PATCH", f"/{_quoted(name)}", **parts)

    def reset(self, name: str) -> str:
        return str(self._ask("POST", f"/{_quoted(name)}/password")["password"])

    def choose(self, name: str, password: str) -> None:
        self._ask("POST", f"/{_quoted(name)}/password", password=password)

    def remove(self, name: str) -> None:
        self._ask("DELETE", f"/{_quoted(name)}?person={_quoted(getpass.getuser())}")

    def link(self) -> str:
        return str(self._answer("POST", "/api/v1/link", b"")["url"])

    def _ask(self, method: str, path: str, **body: object) -> Any:
        person = {"person": getpass.getuser()}
        sent = b"" if method in ("GET", "DELETE") else msgspec.json.encode(person | body)
        return self._answer(method, f"/api/v1/users{path}", sent)

    def _answer(self, method: str, path: str, body: bytes) -> Any:
        status, answer = self._instance.ask(method, path, body)
        told = msgspec.json.decode(answer)
        if status == 200:
            return told
        if status == 404:
            raise LookupError(told["error"])
        if status == 409:
            raise Refused(told.get("rule", ""), told["error"])
        raise StoreError(told["error"])


def _with_book(options: argparse.Namespace, output: Output) -> int:
    factory = describe.read(options.factory)
    history = factory.path.parent / str(factory.sections["historian"].path)
    found = remote.running(history)
    book: Book = _Running(found) if found else _Kept(history, (factory.identity.id,))
    try:
        return int(options.deed(book, options, output))
    except LookupError as error:
        output.problem(str(error.args[0]), remedy="`deungdae user list` says who there is")
    except Refused as error:
        output.problem(error.reason)
    return 1


def _list(book: Book, options: argparse.Namespace, output: Output) -> int:
    output.rows(book.all(), empty="nobody yet: the first start makes admin")
    return 0


def _add(book: Book, options: argparse.Namespace, output: Output) -> int:
    return _give(output, options.name, book.add(options.name, options.shown, options.role))


def _role(book: Book, options: argparse.Namespace, output: Output) -> int:
    book.change(options.name, role=options.role)
    return _done(output, options.name, role=options.role)


def _password(book: Book, options: argparse.Namespace, output: Output) -> int:
    if not options.choose:
        return _give(output, options.name, book.reset(options.name))
    book.choose(options.name, _typed())
    return _done(output, options.name, password="changed")  # noqa: S106 — it says that it was


def _typed() -> str:
    """Return a password from a terminal, twice, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("new password: ")
    if getpass.getpass("once more: ") != password:
        raise ValueError("the two passwords differ: nothing was changed")
    return password


def _disable(book: Book, options: argparse.Namespace, output: Output) -> int:
    book.change(options.name, disabled=not options.enable)
    return _done(output, options.name, disabled=not options.enable)


def _remove(book: Book, options: argparse.Namespace, output: Output) -> int:
    book.remove(options.name)
    return _done(output, options.name, removed=True)


def _link(book: Book, options: argparse.Namespace, output: Output) -> int:
    link = book.link()
    output.say(link)
    if output.as_json:
        output.value({"link": link})
    return 0


def _give(output: Output, name: str, password: str) -> int:
    output.say(f"{name} logs in with this password once, and then chooses another: {password}")
    if output.as_json:
        output.value({"user": users.folded(name), "password": password})
    return 0


def _done(output: Output, name: str, **what: object) -> int:
    words = ", ".join(f"{key} {value}" for key, value in what.items())
    output.say(f"{name}: {words}")
    if output.as_json:
        output.value({"user": users.folded(name), **what})
    return 0


def _told(user: User) -> Row:
    return {
        "name": user.name,
        "shown": user.shown,
        "role": user.role,
        "created": user.created,
        "disabled": user.disabled,
        "must_change": user.must_change,
    }


def _quoted(name: str) -> str:
    return quote(name, safe="")
