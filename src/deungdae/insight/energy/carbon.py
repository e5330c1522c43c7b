"""Factors of greenhouse gas: how much of it goes with a kilowatt-hour or a cubic metre."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Factor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much CO2 equivalent goes with one unit, of which year, and where that is written."""

    factor: Annotated[
        float,
        msgspec.Meta(
            description="Of CO2 equivalent per kW.h of electricity, or per unit of the meter",
            gt=0,
            extra={"unit": "kg"},
        ),
    ]
    year: Annotated[int, msgspec.Meta(description="Year that it holds for", ge=1990, le=2100)]
    source: Annotated[str, msgspec.Meta(description="Who published it, and when")] = ""


class Carrier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What else than electricity a machine burns or uses: gas, steam, compressed air."""

    asset: Annotated[str, msgspec.Meta(description="Id of the machine that uses it", min_length=1)]
    counter: Annotated[
        str, msgspec.Meta(description="Id of the counter of what was used", min_length=1)
    ]
    wrap: Annotated[
        float,
        msgspec.Meta(description="The counter starts again from 0 at this value; 0: never", ge=0),
    ] = 0.0
    co2: Annotated[
        Factor | None, msgspec.Meta(description="Greenhouse gas of one unit of the counter")
    ] = None


# Grid factors of Korea, kg of CO2 equivalent per kW.h at the consumer. 2023: fixed on 2025-12-17 by
# the Ministry of Climate, Energy and Environment, from then on every year; the years before are its
# informative single years. Emissions trading keeps the factor that was used at allocation.
KOREA = {2021: 0.4509, 2022: 0.4312, 2023: 0.4173}
