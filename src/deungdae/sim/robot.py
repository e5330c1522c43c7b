"""A six-axis arm: where its joints put the tool, how they get it there, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from math import acos, asin, atan2, cos, hypot, pi, radians, sin, sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_EDGE = 1e-9  # what rounding may put a cosine beyond 1


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """An arm with joints 2 to 4 parallel, in Denavit and Hartenberg's convention.

    Each link is Rz(theta) Tz(d) Tx(a) Rx(alpha) with alpha = (90, 0, 0, 90, -90, 0) deg. Lengths
    in m. The default is Universal Robots' UR10e: lengths from the maker's page "DH parameters for
    calculations of kinematics and dynamics", greatest speeds from its data sheet; the
    acceleration is what we drive it with.
    """

    a: tuple[float, float] = (-0.6127, -0.57155)  # of links 2 and 3
    d: tuple[float, float, float, float] = (0.1807, 0.17415, 0.11985, 0.11655)  # of 1, 4, 5, 6
    speed: tuple[float, ...] = tuple(radians(each) for each in (120, 120, 180, 180, 180, 180))
    acceleration: float = 4.0  # rad/s2
    limit: float = 2 * pi  # of each joint, rad
    tool: float = 0.16  # from the flange to where it grips, m


ALPHA = (pi / 2, 0.0, 0.0, pi / 2, -pi / 2, 0.0)


def forward(arm: Arm, joints: Sequence[float] | Array) -> Array:
    """Return where the tool is: [4, 4], from the tool's coordinates to the base's."""
    pose = np.eye(4)
    for theta, (a, d, alpha) in zip(joints, _links(arm), strict=True):
        pose = pose @ _link(float(theta), a, d, alpha)
    return pose


def inverse(arm: Arm, pose: Array, near: Sequence[float] | Array) -> Array:
    """Return the joints [6], rad, that bring the tool to a pose, the nearest to those given.

    Closed form: eight solutions at most (shoulder left or right, wrist up or down, elbow up or
    down). Raises ValueError for a pose out of reach. Source: Hawkins (2013), Analytic inverse
    kinematics for the Universal Robots UR-5/UR-10 arms, Georgia Institute of Technology.
    """
    found = [_wound(arm, np.array(each), near) for each in _solutions(arm, pose, float(near[5]))]
    within = [each for each in found if np.abs(each).max() <= arm.limit + _EDGE]
    if not within:
        x, y, z = (float(each) for each in pose[:3, 3])
        raise ValueError(f"the arm does not reach x={x:.3f} y={y:.3f} z={z:.3f} m in that attitude")
    return min(within, key=lambda joints: float(((joints - np.asarray(near)) ** 2).sum()))


def down(x: float, y: float, z: float, turn: float = 0.0) -> Array:
    """Return the pose of a tool that points straight down: [4, 4]; turn: about the vertical."""
    c, s = cos(turn), sin(turn)
    return np.array([[c, s, 0, x], [s, -c, 0, y], [0, 0, -1, z], [0, 0, 0, 1]], dtype=np.float64)


class Move(msgspec.Struct, frozen=True):
    """A move of all joints together: they start, cruise and stop at the same moments.

    Trapezoidal speed: the slowest joint sets the time, none exceeds its speed or acceleration.
    """

    start: tuple[float, ...]
    end: tuple[float, ...]
    time: float  # s, in all
    rise: float  # s, of speeding up, and of braking

    def at(self, t: float) -> Array:
        """Return the joints [6], rad, t seconds after the start."""
        t = min(max(t, 0.0), self.time)
        if not self.time:
            return np.array(self.end)
        top = 1 / (self.time - self.rise)  # share of the way a second, while it cruises
        if t < self.rise:
            share = top * t * t / (2 * self.rise)
        elif t <= self.time - self.rise:
            share = top * (t - self.rise / 2)
        else:
            share = 1 - top * (self.time - t) ** 2 / (2 * self.rise)
        start: Array = np.array(self.start)
        return start + share * (np.array(self.end) - start)


def move(arm: Arm, start: Sequence[float] | Array, end: Sequence[float] | Array) -> Move:
    """Return the quickest move from joints to joints, rad."""
    far = np.abs(np.asarray(end) - np.asarray(start))
    ends = tuple(map(float, start)), tuple(map(float, end))
    if far.max() < _EDGE:
        return Move(*ends, 0.0, 0.0)
    share = np.maximum(far, _EDGE)
    top = float((np.array(arm.speed) / share).min())  # shares of the way a second
    growth = arm.acceleration / float(share.max())  # and a second squared
    rise = min(top / growth, sqrt(1 / growth))
    return Move(*ends, 1 / (growth * rise) + rise, rise)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A palletising cell. Lengths in m, from the arm's base; z upwards.

    The pallet is 800 x 600 mm (half of an EN 13698-1 pallet), its long side along y.
    """

    pick: tuple[float, float, float] = (0.0, -0.70, -0.05)  # top of the brick that waits
    pick_turn: float = 0.0  # of the brick's length against x, rad
    middle: tuple[float, float] = (0.74, 0.0)  # of the pallet
    floor: float = -0.36  # of the pallet's deck
    pallet: tuple[float, float] = (0.6, 0.8)  # along x and y
    brick: tuple[float, float, float] = (0.230, 0.114, 0.065)  # length, width, height
    layers: int = 6
    lift: float = 0.12  # above what is picked or placed, before going across
    grip: float = 0.35  # s, to close; and to open

    @property
    def places(self) -> tuple[tuple[float, float, float, float], ...]:
        """Return x, y, z of the top of each brick, and its turn, in the order of placing.

        Layers are turned by 90 degrees in turn, so that they bind.
        """
        length, width, height = self.brick
        found = []
        for layer in range(self.layers):
            turned = layer % 2 == 1
            along, across = (width, length) if turned else (length, width)
            nx, ny = int(self.pallet[0] / along + _EDGE), int(self.pallet[1] / across + _EDGE)
            z = self.floor + (layer + 1) * height
            for ix, iy in product(reversed(range(nx)), range(ny)):  # the far row first
                x = self.middle[0] + (ix - (nx - 1) / 2) * along
                y = self.middle[1] + (iy - (ny - 1) / 2) * across
                found.append((x, y, z, pi / 2 if turned else 0.0))
        return tuple(found)


class Round(msgspec.Struct, frozen=True):
    """One cycle: pick, lift, across, place, and back. waits: s after each move, for the grip."""

    moves: tuple[Move, ...]
    waits: tuple[float, ...]
    held: tuple[int, int]  # the grip is closed after the first of these moves, opened after both

    @property
    def time(self) -> float:
        """Return how long it takes, s."""
        return sum(each.time for each in self.moves) + sum(self.waits)

    def at(self, t: float) -> tuple[Array, bool]:
        """Return the joints [6], rad, t seconds after the start, and whether a brick is held."""
        left = min(max(t, 0.0), self.time)
        for number, (each, wait) in enumerate(zip(self.moves, self.waits, strict=True)):
            if left <= each.time + wait:
                done = number + (left >= each.time + wait / 2)
                return each.at(left), bool(self.held[0] < done <= self.held[1])
            left -= each.time + wait
        return self.moves[-1].at(self.moves[-1].time), False

    def trajectory(self, rate: float) -> tuple[Array, Array]:
        """Return times [n], s, and joints [n, 6], rad, `rate` a second."""
        times = np.arange(0, self.time, 1 / rate)
        return times, np.stack([self.at(float(t))[0] for t in times])


HOME = (0.0, -pi / 2, -pi / 2, -pi / 2, pi / 2, 0.0)  # upper arm up, forearm out, tool down


def palletise(arm: Arm, cell: Cell, place: int) -> Round:
    """Return the cycle that puts a brick on its place, 0 being the first on the pallet.

    Raises ValueError where the arm does not reach, or the pallet has no such place.
    """
    places = cell.places
    if not 0 <= place < len(places):
        raise ValueError(f"the pallet has places 0 to {len(places) - 1}, not {place}")
    x, y, z, turn = places[place]
    near: Sequence[float] | Array = (atan2(cell.pick[1], cell.pick[0]), *HOME[1:])
    height = max(cell.pick[2], z) + cell.lift  # that it goes across at
    stops: list[Array] = []
    for px, py, pz, angle in (
        (*cell.pick[:2], height, cell.pick_turn),
        (*cell.pick, cell.pick_turn),
        (x, y, height, turn),
        (x, y, z, turn),
    ):
        near = inverse(arm, down(px, py, pz, angle), near)
        stops.append(near)
    over, at, above, on = stops
    path = (over, at, over, above, on, above, over)
    moves = tuple(move(arm, start, end) for start, end in pairwise(path))
    return Round(moves, (cell.grip, 0.0, 0.0, cell.grip, 0.0, 0.0), (0, 3))


def _links(arm: Arm) -> tuple[tuple[float, float, float], ...]:
    d1, d4, d5, d6 = arm.d
    a = (0.0, *arm.a, 0.0, 0.0, 0.0)
    return tuple(zip(a, (d1, 0.0, 0.0, d4, d5, d6 + arm.tool), ALPHA, strict=True))


def _link(theta: float, a: float, d: float, alpha: float) -> Array:
    c, s, ca, sa = cos(theta), sin(theta), cos(alpha), sin(alpha)
    return np.array(
        [[c, -s * ca, s * sa, a * c], [s, c * ca, -c * sa, a * s], [0, sa, ca, d], [0, 0, 0, 1]],
        dtype=np.float64,
    )


def _solutions(arm: Arm, pose: Array, last: float) -> list[tuple[float, ...]]:
    """Return every set of joints that gives the pose; last: joint 6 where it does not matter."""
    d4, d6 = arm.d[1], arm.d[3] + arm.tool
    wrist = pose[:3, 3] - d6 * pose[:3, 2]
    reach = hypot(wrist[0], wrist[1])
    if reach < d4:
        return []
    heading, offset = atan2(wrist[1], wrist[0]), asin(d4 / reach)
    found: list[tuple[float, ...]] = []
    for first in (heading + offset, heading + pi - offset):
        row = np.array([sin(first), -cos(first), 0.0]) @ pose[:3, :3]
        bend = acos(min(max(float(row[2]), -1.0), 1.0))
        for fifth in (bend, -bend):
            s5 = sin(fifth)
            sixth = last if abs(s5) < 1e-7 else atan2(-row[1] / s5, row[0] / s5)
            found += _elbows(arm, pose, first, fifth, sixth)
    return found


def _elbows(
    arm: Arm, pose: Array, first: float, fifth: float, sixth: float
) -> list[tuple[float, ...]]:
    """Return the joints with the elbow up and down, or none where the arm is too short."""
    links = _links(arm)
    end = _link(fifth, *links[4]) @ _link(sixth, *links[5])
    plane = np.linalg.solve(_link(first, *links[0]), pose) @ np.linalg.inv(end)
    x, y = float(plane[0, 3]), float(plane[1, 3])
    a2, a3 = arm.a
    cosine = (x * x + y * y - a2 * a2 - a3 * a3) / (2 * a2 * a3)
    if abs(cosine) > 1 + _EDGE:
        return []
    total = atan2(plane[1, 0], plane[0, 0])
    found: list[tuple[float, ...]] = []
    for third in (acos(min(max(cosine, -1.0), 1.0)), -acos(min(max(cosine, -1.0), 1.0))):
        second = atan2(y, x) - atan2(a3 * sin(third), a2 + a3 * cos(third))
        found.append((first, second, third, total - second - third, fifth, sixth))
    return found


def _wound(arm: Arm, joints: Array, near: Sequence[float] | Array) -> Array:
    """Return the joints with whole turns taken or given, nearest to others within the limits."""
    around: Array = np.asarray(near) + (joints - np.asarray(near) + pi) % (2 * pi) - pi
    beyond = np.abs(around) > arm.limit
    around[beyond] -= np.sign(around[beyond]) * 2 * pi
    return around
