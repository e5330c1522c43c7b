"""Routes that change something: each needs a role, and the gate judges every command."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app import control, describe
from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.decide.gate import Mode

from . import answers
from .context import Context, Here, Json, Who, needs, person
from .failure import WebError
from .schema import answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.OPERATOR))]
)
engineers = [Depends(needs(Role.ENGINEER))]

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
Words = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


class Deed(BaseModel):
    """What a person does. person: for whom a program acts; else it is who is logged in."""

    model_config = ConfigDict(extra="forbid")
    person: Name | None = None


class Reasoned(Deed):
    """What a person does, and why."""

    reason: Words


class Wish(Reasoned):
    """A command of a person: set `signal` to `value`, in the signal's unit."""

    signal: str
    value: Annotated[float, Field(allow_inf_nan=False)]


class Approval(Deed):
    """What a person decides about a proposal. value, expires: as the person saw them."""

    value: Annotated[float | None, Field(allow_inf_nan=False)] = None
    expires: str | None = None


class Target(Reasoned):
    """Another set-point of a loop, in the measurement's unit. seen: the one that it replaces."""

    set_point: Annotated[float, Field(allow_inf_nan=False)]
    seen: Annotated[float | None, Field(allow_inf_nan=False)] = None


class Switch(Deed):
    """Another mode of the gate. seen: the mode that the person saw."""

    mode: Mode
    reason: Annotated[str, Field(max_length=1000)] = ""
    seen: Mode | None = None


class Clearing(Deed):
    """A person has looked at a held signal: commands to it may pass again."""

    signal: str


class DoneAnswer(msgspec.Struct, frozen=True):
    """What changed, in words."""

    changes: list[str]


class LinkAnswer(msgspec.Struct, frozen=True):
    """A link to the page that lets one person act; it works once."""

    url: str


@router.post("/commands", dependencies=engineers, **answer(answers.OutcomeAnswer, 409, 502))
async def command(here: Here, who: Who, wish: Wish) -> Json:
    """Ask for a change of a signal; the gate judges it like any other command."""
    gate = here.runtime.control
    asked = gate.command(wish.signal, wish.value, person(who, wish.person), wish.reason)
    return Json(judged(here, answers.outcome(here.runtime, await gate.ask(asked))))


@router.post("/proposals/{id}/approve", **answer(answers.OutcomeAnswer, 409, 502))
async def approve(here: Here, who: Who, id: str, deed: Approval) -> Json:
    """Permit what waits for a person; it is judged anew before it is written.

    Refused where it is not what the person saw.
    """
    _check_seen(here, id, deed)
    outcome = await here.runtime.control.approve(id, person(who, deed.person))
    return Json(judged(here, answers.outcome(here.runtime, outcome)))


@router.post("/proposals/{id}/decline", **answer(answers.GateAnswer, 409))
async def decline(here: Here, who: Who, id: str, deed: Deed) -> Json:
    """Drop what waits for a person."""
    await here.runtime.control.decline(id, person(who, deed.person))
    return Json(answers.gate(here.runtime))


@router.post("/gate/kill", **answer(answers.GateAnswer, 409))
async def kill(here: Here, who: Who, deed: Reasoned) -> Json:
    """Put the kill switch on: nothing is written any more until it is released."""
    await here.runtime.control.kill(person(who, deed.person), deed.reason)
    return Json(answers.gate(here.runtime))


@router.post("/gate/release", dependencies=engineers, **answer(answers.GateAnswer, 409))
async def release(here: Here, who: Who, deed: Deed) -> Json:
    """Take the kill switch off."""
    await here.runtime.control.release(person(who, deed.person))
    return Json(answers.gate(here.runtime))


@router.post("/gate/mode", dependencies=engineers, **answer(answers.GateAnswer, 409))
async def mode(here: Here, who: Who, switch: Switch) -> Json:
    """Put the gate into another mode, at most that of the factory file."""
    gate = here.runtime.control.gate
    if switch.seen is not None and gate is not None and gate.mode != switch.seen:
        raise _changed(f"the gate is in mode {gate.mode} by now, not {switch.seen}")
    await here.runtime.control.switch(switch.mode, person(who, switch.person), switch.reason)
    return Json(answers.gate(here.runtime))


@router.post("/gate/clear", dependencies=engineers, **answer(answers.GateAnswer, 409))
async def clear(here: Here, who: Who, clearing: Clearing) -> Json:
    """Let commands through again to a signal that took another value than was written."""
    await here.runtime.control.clear(clearing.signal, person(who, clearing.person))
    return Json(answers.gate(here.runtime))


@router.post("/loops/{name}", dependencies=engineers, **answer(list[answers.LoopAnswer], 404, 409))
async def retarget(here: Here, who: Who, name: str, target: Target) -> Json:
    """Let a loop hold its measurement at another set-point."""
    found = control.loops(here.runtime.thinking.thinkers)
    if name not in found:
        raise WebError(404, f"no loop is called {name!r}", strict.closest(name, found))
    before = found[name].set_point
    if target.seen is not None and before != target.seen:
        raise _changed(f"the set-point is {before:g} by now, not {target.seen:g}")
    data = {"loop": name, "set_point": target.set_point, "before": before, "reason": target.reason}
    await here.note("set-point", data, person(who, target.person))
    found[name].retarget(target.set_point)
    return Json(answers.loops(here.runtime))


@router.post("/reload", dependencies=engineers, **answer(DoneAnswer))
async def reload(here: Here) -> Json:
    """Read the factory file again; an invalid one changes nothing."""
    runtime = here.runtime
    factory = await runtime.clock.call(describe.read, runtime.factory.path)
    return Json(DoneAnswer(await runtime.reload(factory)))


@router.post("/link", dependencies=[Depends(needs(Role.ADMINISTRATOR))], **answer(LinkAnswer))
async def link(here: Here) -> Json:
    """Give a link to the page that lets one more person act."""
    return Json(LinkAnswer(here.keeper.link()))


def _check_seen(here: Context, id: str, seen: Approval) -> None:
    """Raise WebError where a proposal is not what a person saw; if it is gone the gate says so."""
    gate = here.runtime.control.gate
    waiting = gate.proposals(here.runtime.clock.now()) if gate is not None else []
    for command in (each.command for each in waiting if each.command.id == id):
        if seen.value is not None and seen.value != command.value:
            raise _changed(f"{command.value:g} is proposed, not {seen.value:g}")
        if seen.expires is not None and seen.expires != to_iso(command.expires):
            raise _changed(f"it expires at {to_iso(command.expires)}, not {seen.expires}")


def _changed(what: str) -> WebError:
    return WebError(409, f"it has changed since you looked: {what}", "look again", "changed")


def judged(here: Context, outcome: answers.OutcomeAnswer) -> answers.OutcomeAnswer:
    """Return what became of a command; raise WebError where it did not reach the machine."""
    if outcome.result == "refused":
        demand = answers.rules().get(outcome.rule)
        remedy = (demand.ko if _is_korean(here) else demand.en) if demand else ""
        raise WebError(409, outcome.reason, remedy, outcome.rule)
    if outcome.result == "failed":
        raise WebError(502, outcome.reason, "look at the machine before anything else is written")
    return outcome


def _is_korean(here: Context) -> bool:
    return here.runtime.factory.identity.language == "ko"
