"""Which part of a bearing is struck how often, as multiples of the shaft's speed."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from deungdae.sim.plant.motor import Bearing, frequencies

Place: TypeAlias = Literal["inner", "outer", "ball", "cage"]
PLACES: tuple[Place, ...] = ("inner", "outer", "ball", "cage")
WORDS: dict[str, str] = {
    "inner": "inner race",
    "outer": "outer race",
    "ball": "ball",
    "cage": "cage",
    "none": "no fault shown",
}
SLIP = 0.02  # balls slide: real frequencies lie within so much of the computed ones

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Multiples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strikes for each turn of the shaft.

    inner: BPFI; outer: BPFO; ball: twice BSF, since a pit strikes both races; cage: FTF.
    """

    inner: Positive
    outer: Positive
    ball: Positive
    cage: Positive


class Geometry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bearing by its dimensions: number of balls, diameters in mm, contact angle in degrees."""

    balls: Annotated[int, msgspec.Meta(ge=3, le=200)]
    ball: Positive
    pitch: Positive
    angle: Annotated[float, msgspec.Meta(ge=0, lt=90)] = 0.0


# As the Bearing Data Center of Case Western Reserve University prints them for its SKF bearings
CATALOGUE: dict[str, Multiples] = {
    "6205": Multiples(inner=5.4152, outer=3.5848, ball=4.7135, cage=0.39828),
    "6203": Multiples(inner=4.9469, outer=3.0530, ball=3.9874, cage=0.3817),
}


def from_geometry(geometry: Geometry) -> Multiples:
    """Return how often each part is struck in a turn, where balls roll and do not slide.

    Raises ValueError where the balls do not fit into their circle.
    Source: Randall and Antoni (2011), Mech. Syst. Signal Process. 25, 485-520.
    """
    if geometry.ball >= geometry.pitch:
        raise ValueError(
            f"balls of {geometry.ball:g} mm do not fit into a pitch circle of {geometry.pitch:g} mm"
        )
    found = frequencies(
        Bearing(
            balls=geometry.balls, ball=geometry.ball, pitch=geometry.pitch, angle=geometry.angle
        )
    )
    return Multiples(**found)
