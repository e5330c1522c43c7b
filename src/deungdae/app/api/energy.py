"""What was used of electricity, gas and the like over a period, and the carbon of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query

from deungdae.app.auth import Role
from deungdae.core import strict
from deungdae.core.clock import to_iso
from deungdae.core.errors import NotEnoughData
from deungdae.core.types import DAY
from deungdae.insight.energy import Account, Amount, Block, CarrierUse, Energy, Factor, MachineUse
from deungdae.insight.energy.account import LONGEST, carbon

from .answers import finite
from .context import Here, Json, needs
from .failure import WebError
from .looks import From, To
from .moments import period
from .schema import answer

router = APIRouter(
    prefix="/api/v1", default_response_class=Json, dependencies=[Depends(needs(Role.VIEWER))]
)


class AmountAnswer(msgspec.Struct, frozen=True):
    """An amount as metered, at least and at most; unknown: s of which not all was told.

    value is null where nothing was told, high where nothing bounds it.
    """

    value: float | None
    low: float | None
    high: float | None
    unknown: float


class UseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Electricity of a machine in kW.h, by state and by product; co2 in kg of CO2 equivalent."""

    asset: str
    energy: AmountAnswer
    states: dict[str, AmountAnswer]
    products: dict[str, AmountAnswer]
    co2: float | None


class CarrierAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of another carrier, in unit; co2 in kg of CO2 equivalent."""

    name: str
    asset: str
    unit: str
    amount: AmountAnswer
    co2: float | None
    factor: Factor | None


class BlockAnswer(msgspec.Struct, frozen=True):
    """Mean power of a quarter of an hour, kW; null where not every meter told."""

    start: str
    value: float | None


class EnergyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Energy of a period in kW.h, kg of CO2 equivalent, and the load curve by 15 minutes in kW."""

    origin: str
    asset: str
    start: str
    end: str
    energy: AmountAnswer
    co2: float | None
    factor: Factor | None
    machines: list[UseAnswer]
    carriers: list[CarrierAnswer]
    load: list[BlockAnswer]
    peak: BlockAnswer | None


@router.get("/energy", **answer(EnergyAnswer, 404, 409, 413))
async def energy(
    here: Here,
    since: From,
    until: To = "",
    origin: Annotated[
        str, Query(description="name of the analysis; empty: the first of its type")
    ] = "",
) -> Json:
    """Return what was used, by machine, state and product, and the load curve with its peak."""
    factory = here.runtime.factory
    start, end = period(since, until, factory, here.runtime.clock.now())
    if end - start > LONGEST:
        raise WebError(413, f"more than {LONGEST // DAY} days", "ask for a shorter period")
    found = {n: p for n, p in factory.room("insight").items() if p.type == "energy"}
    if not found or (origin and origin not in found):
        raise WebError(
            404,
            f"no analysis of energy is called {origin!r}" if origin else "no energy is analysed",
            strict.closest(origin, found) if origin else 'write [insight.energy] type = "energy"',
        )
    name = origin or next(iter(found))
    analysis = Energy(name, found[name].options, factory)
    try:
        account = await here.runtime.clock.call(analysis.account, here.store, start, end)
    except NotEnoughData as error:
        raise WebError(409, str(error), "choose a period in which meters told something") from error
    return Json(_told(name, found[name].options, account))


def _told(name: str, options: Any, account: Account) -> EnergyAnswer:
    peak = account.peak
    return EnergyAnswer(
        origin=name,
        asset=options.asset,
        start=to_iso(account.start),
        end=to_iso(account.end),
        energy=_amount(account.energy),
        co2=account.co2,
        factor=account.factor,
        machines=[_use(each, account.factor) for each in account.machines],
        carriers=[_carrier(each) for each in account.carriers],
        load=[_block(each) for each in account.load],
        peak=_block(peak) if peak else None,
    )


def _use(use: MachineUse, factor: Factor | None) -> UseAnswer:
    return UseAnswer(
        asset=use.asset,
        energy=_amount(use.energy),
        states={state: _amount(each) for state, each in use.states.items()},
        products={product: _amount(each) for product, each in use.products.items()},
        co2=carbon(use.energy, factor),
    )


def _carrier(use: CarrierUse) -> CarrierAnswer:
    return CarrierAnswer(
        name=use.name,
        asset=use.asset,
        unit=use.unit,
        amount=_amount(use.amount),
        co2=use.co2,
        factor=use.factor,
    )


def _amount(amount: Amount) -> AmountAnswer:
    return AmountAnswer(
        value=None if amount.silent else amount.value,
        low=finite(amount.low),
        high=finite(amount.high),
        unknown=amount.unknown / 1e9,
    )


def _block(block: Block) -> BlockAnswer:
    return BlockAnswer(to_iso(block.start), block.value)
