"""The people who may log in here, for administrators."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import PROGRAM, Role, User

from .context import Context, Here, Json, Who, needs, person
from .deeds import Name
from .failure import WebError
from .schema import answer

router = APIRouter(
    prefix="/api/v1/users",
    default_response_class=Json,
    dependencies=[Depends(needs(Role.ADMINISTRATOR))],
)

RoleWord = Literal["viewer", "operator", "engineer", "administrator"]
Person = Annotated[Name | None, Query(alias="person", description="for whom a program acts")]


class NewUser(BaseModel):
    """Somebody new. name: what they log in with; shown: as others know them, else the name."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=200)]
    shown: Annotated[str, Field(max_length=200)] = ""
    role: RoleWord = "viewer"
    person: Name | None = None


class Change(BaseModel):
    """What of a user becomes another; what is left away stays."""

    model_config = ConfigDict(extra="forbid")
    shown: Annotated[str, Field(max_length=200)] | None = None
    role: RoleWord | None = None
    disabled: bool | None = None
    person: Name | None = None


class Reset(BaseModel):
    """A new password: a random one, or what somebody chose at the keyboard of this machine."""

    model_config = ConfigDict(extra="forbid")
    password: Annotated[str, Field(max_length=1000)] | None = None
    person: Name | None = None


class UserAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One user. must_change: they have not chosen a password of their own yet."""

    name: str
    shown: str
    role: str
    created: str
    disabled: bool
    must_change: bool


class FirstAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A user with the password for the next login, which is told this once; '' if they chose it."""

    user: UserAnswer
    password: str


def told(user: User) -> UserAnswer:
    """Return what is told of a user: never what is kept of the password."""
    return UserAnswer(
        name=user.name,
        shown=user.shown,
        role=user.role,
        created=user.created,
        disabled=user.disabled,
        must_change=user.must_change,
    )


@router.get("", **answer(list[UserAnswer]))
async def users(here: Here) -> Json:
    """List the users by name."""
    here.keeper.users.readable()
    return Json([told(user) for user in here.keeper.users.all()])


@router.post("", **answer(FirstAnswer, 409))
async def add(here: Here, who: Who, given: NewUser) -> Json:
    """Add a user, and tell the password for the first login."""
    acting = person(who, given.person)
    clock, known = here.runtime.clock, here.keeper.users
    password = await clock.call(known.add, given.name, given.shown, Role.of(given.role))
    user = _found(here, given.name)
    await here.note("user", {"action": "add", "user": user.name, "role": user.role}, acting)
    return Json(FirstAnswer(user=told(user), password=password))


@router.patch("/{name}", **answer(UserAnswer, 404, 409))
async def change(here: Here, who: Who, name: str, given: Change) -> Json:
    """Change a user. Another role, and being disabled, end their sessions."""
    acting = person(who, given.person)
    before = _found(here, name)
    role = Role.of(given.role) if given.role else None

    def work() -> User:
        return here.keeper.users.change(name, shown=given.shown, role=role, disabled=given.disabled)

    after = await here.runtime.clock.call(work)
    if (after.role, after.disabled) != (before.role, before.disabled):
        await _end(here, after.name)
    data = {
        key: getattr(after, key)
        for key in ("shown", "role", "disabled")
        if getattr(after, key) != getattr(before, key)
    }
    await here.note("user", {"action": "change", "user": after.name, **data}, acting)
    return Json(told(after))


@router.post("/{name}/password", **answer(FirstAnswer, 404, 409))
async def reset(here: Here, who: Who, name: str, given: Reset) -> Json:
    """Give a user a new password for the next login; their sessions end.

    password: for programs of this machine alone: nobody else shall know another's.
    """
    acting = person(who, given.person)
    user = _found(here, name)
    clock, known, password = here.runtime.clock, here.keeper.users, ""
    if given.password is None:
        password = await clock.call(known.reset, user.name)
    elif who is PROGRAM:
        await clock.call(known.choose, user.name, given.password)
    else:
        raise WebError(403, "nobody chooses another's password", "leave `password` away", "role")
    await _end(here, user.name)
    await here.note("user", {"action": "reset", "user": user.name}, acting)
    return Json(FirstAnswer(user=told(_found(here, name)), password=password))


@router.delete("/{name}", **answer(list[UserAnswer], 404, 409))
async def remove(here: Here, who: Who, name: str, acts: Person = None) -> Json:
    """Remove a user; what they did stays in the journal."""
    acting = person(who, acts)
    user = _found(here, name)
    await here.runtime.clock.call(here.keeper.users.remove, user.name)
    await _end(here, user.name)
    await here.note("user", {"action": "remove", "user": user.name}, acting)
    return Json([told(each) for each in here.keeper.users.all()])


def _found(here: Context, name: str) -> User:
    here.keeper.users.readable()
    if (user := here.keeper.users.find(name)) is None:
        raise WebError(404, f"there is no user {name!r}", "GET /api/v1/users lists them")
    return user


async def _end(here: Context, user: str) -> None:
    here.keeper.sessions.end_of(user)
    await here.runtime.clock.call(here.keeper.sessions.save)
