"""What is made to go wrong with the virtual machines of this process, to see who notices."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.virtual._faults import Fault, Faults, Kind

from .context import Context, Here, Json, needs
from .failure import WebError
from .schema import answer

router = APIRouter(prefix="/api/v1", default_response_class=Json)
look = Depends(needs(Role.VIEWER))
act = Depends(needs(Role.ENGINEER))

Number = Annotated[float, Field(allow_inf_nan=False)]


class NewFault(BaseModel):
    """One fault: see `kind`. person: who, as it stands in the journal."""

    model_config = ConfigDict(extra="forbid")
    person: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
    kind: Kind = Field(
        description="drop: connections are closed and none is taken; freeze: values stay, with "
        "fresh times; rubbish: values are nonsense; slow: answers come `amount` s late; jump: the "
        "machine's clock is `amount` s ahead"
    )
    quantity: str = Field("", max_length=200, description="of freeze and rubbish; empty: all")
    amount: Number = Field(5.0, description="s, of slow and jump")
    seconds: Number = Field(60.0, description="how long, of the machine's time; 0: until cleared")


class VirtualAnswer(msgspec.Struct, frozen=True):
    """A virtual machine of this process, and what is wrong with it by command."""

    name: str
    type: str
    state: str
    faults: list[Fault]


@router.get("/virtual", dependencies=[look], **answer(list[VirtualAnswer]))
async def virtual(here: Here) -> Json:
    """List the virtual machines of this process, with the faults that are on."""
    return Json([_told(here, name) for name in here.runtime.bridges])


@router.post("/virtual/{name}/faults", dependencies=[act], **answer(VirtualAnswer, 404, 409))
async def put(here: Here, name: str, given: NewFault) -> Json:
    """Let a fault begin now; one of the same kind and quantity is replaced."""
    faults = _faults(here, name)
    try:
        fault = msgspec.convert(given.model_dump(exclude={"person"}), Fault)
        faults.put(fault)
    except (msgspec.ValidationError, ValueError) as error:
        raise WebError(422, str(error)) from error
    data = {"machine": name, **msgspec.to_builtins(fault)}
    await here.note("virtual-fault", data, given.person)
    return Json(_told(here, name))


@router.delete("/virtual/{name}/faults", dependencies=[act], **answer(VirtualAnswer, 404, 409))
async def clear(
    here: Here,
    name: str,
    person: Annotated[str, Query(min_length=1, max_length=100, pattern=r"\S")],
    kind: Annotated[Kind | None, Query(description="only of this kind")] = None,
    quantity: Annotated[str | None, Query(max_length=200, description="only of this one")] = None,
) -> Json:
    """End all faults of a virtual machine, or those of a kind and quantity."""
    faults = _faults(here, name)
    faults.clear(kind or "", quantity)
    data: dict[str, object] = {"machine": name, "kind": kind or "", "quantity": quantity}
    await here.note("virtual-fault-cleared", data, person)
    return Json(_told(here, name))


def _faults(here: Context, name: str) -> Faults:
    """Return the faults of a virtual machine. Raises WebError."""
    bridges = here.runtime.bridges
    if name not in bridges:
        known = strict.closest(name, bridges)
        raise WebError(404, f"no virtual machine is called {name!r} in this process", known)
    found = getattr(bridges[name], "faults", None)
    if not isinstance(found, Faults):
        raise WebError(409, f"virtual.{name} cannot be made faulty")
    return found


def _told(here: Context, name: str) -> VirtualAnswer:
    bridge = here.runtime.bridges[name]
    plugin = here.runtime.factory.room("virtual").get(name)
    faults = getattr(bridge, "faults", None)
    return VirtualAnswer(
        name,
        plugin.type if plugin else "",
        bridge.health.state,
        faults.on if isinstance(faults, Faults) else [],
    )
