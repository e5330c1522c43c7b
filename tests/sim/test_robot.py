"""The six-axis arm: kinematics against the maker's figures, motion within its limits, cycles."""

from __future__ import annotations

from math import pi, radians

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deungdae.sim.robot import HOME, Arm, Cell, Move, down, forward, inverse, move, palletise

ARM = Arm()
FLANGE = Arm(tool=0.0)
joints = st.lists(st.floats(-pi, pi), min_size=6, max_size=6)


def test_stretched_out_it_is_as_long_as_its_links() -> None:
    # all joints at 0: the arm lies along -x; sums of the maker's Denavit-Hartenberg lengths
    x, y, z = forward(FLANGE, [0.0] * 6)[:3, 3]
    assert x == pytest.approx(-0.6127 - 0.57155)
    assert y == pytest.approx(-0.17415 - 0.11655)
    assert z == pytest.approx(0.1807 - 0.11985)


def test_upright_it_is_as_high_as_its_links() -> None:
    z = forward(FLANGE, [0.0, -pi / 2, 0.0, -pi / 2, 0.0, 0.0])[2, 3]
    assert z == pytest.approx(0.1807 + 0.6127 + 0.57155 + 0.11985)


@settings(max_examples=60, deadline=None)
@given(angles=joints)
def test_inverse_undoes_forward(angles: list[float]) -> None:
    pose = forward(ARM, angles)
    assert np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    found = inverse(ARM, pose, angles)
    assert np.abs(forward(ARM, found) - pose).max() < 1e-6


@settings(max_examples=40, deadline=None)
@given(angles=joints)
def test_inverse_finds_the_joints_that_were_near(angles: list[float]) -> None:
    assume(abs(np.sin(angles[4])) > 0.05)  # else joints 4 and 6 turn about one line
    assume(abs(np.sin(angles[2])) > 0.05)  # else elbow up and down are one
    found = inverse(ARM, forward(ARM, angles), angles)
    again = forward(ARM, found)
    assert np.abs(again - forward(ARM, angles)).max() < 1e-6
    assert np.abs(found - np.array(angles)).max() < 1e-5


@pytest.mark.parametrize(("x", "y", "z"), [(1.6, 0.0, 0.2), (0.0, 0.0, 0.3), (0.9, 0.9, 1.2)])
def test_what_is_out_of_reach_is_refused_by_name(x: float, y: float, z: float) -> None:
    with pytest.raises(ValueError, match=f"does not reach x={x:.3f} y={y:.3f} z={z:.3f}"):
        inverse(ARM, down(x, y, z), HOME)


def test_a_long_move_is_a_trapezoid_and_a_short_one_a_triangle() -> None:
    arm = Arm(speed=(1.0,) * 6, acceleration=2.0)
    still = (0.0,) * 6
    long = move(arm, still, (3.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert long.time == pytest.approx(3.0 / 1.0 + 1.0 / 2.0)  # s/v + v/a
    assert long.rise == pytest.approx(0.5)
    short = move(arm, still, (0.1, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert short.time == pytest.approx(2 * np.sqrt(0.1 / 2.0))  # 2 sqrt(s/a)
    assert move(arm, still, still).time == 0.0


@settings(max_examples=40, deadline=None)
@given(start=joints, end=joints)
def test_no_joint_is_ever_too_fast(start: list[float], end: list[float]) -> None:
    path = move(ARM, start, end)
    times = np.linspace(0, path.time, 400)
    seen = np.stack([path.at(float(t)) for t in times])
    assert np.allclose(seen[0], start)
    assert np.allclose(seen[-1], end)
    if path.time > 1e-3:
        step = times[1] - times[0]
        speed = np.diff(seen, axis=0) / step
        assert (np.abs(speed) <= np.array(ARM.speed) * (1 + 1e-6)).all()
        growth = np.abs(np.diff(speed, axis=0)) / step
        assert growth.max() <= ARM.acceleration * (1 + 1e-6)


def test_a_pallet_is_stacked_without_overlap_and_inside_its_edges() -> None:
    cell = Cell()
    length, width, height = cell.brick
    layers: dict[float, list[tuple[float, float, float, float]]] = {}
    for x, y, z, turn in cell.places:
        along, across = (width, length) if turn else (length, width)
        box = (x - along / 2, x + along / 2, y - across / 2, y + across / 2)
        assert box[0] >= cell.middle[0] - cell.pallet[0] / 2 - 1e-9
        assert box[1] <= cell.middle[0] + cell.pallet[0] / 2 + 1e-9
        assert box[2] >= cell.middle[1] - cell.pallet[1] / 2 - 1e-9
        assert box[3] <= cell.middle[1] + cell.pallet[1] / 2 + 1e-9
        for other in layers.setdefault(round(z, 6), []):
            apart_x = box[0] >= other[1] - 1e-9 or box[1] <= other[0] + 1e-9
            assert apart_x or box[2] >= other[3] - 1e-9 or box[3] <= other[2] + 1e-9
        layers[round(z, 6)].append(box)
    assert sorted(layers) == pytest.approx([cell.floor + (n + 1) * height for n in range(6)])
    assert [len(layers[z]) for z in sorted(layers)] == [14, 15] * 3


def test_every_place_is_reached_and_the_brick_is_carried_over_what_stands() -> None:
    cell = Cell()
    for place, (x, y, z, _) in list(enumerate(cell.places))[::3]:
        cycle = palletise(ARM, cell, place)
        assert 4.0 < cycle.time < 7.0
        placed = forward(ARM, cycle.moves[3].end)
        assert np.abs(placed[:3, 3] - (x, y, z)).max() < 1e-6
        across = cycle.moves[2]
        over = max(z, cell.pick[2])
        lowest = min(
            forward(ARM, across.at(float(t)))[2, 3] for t in np.linspace(0, across.time, 12)
        )
        assert lowest - cell.brick[2] > over + 0.02  # what hangs stays 20 mm above what stands


def test_the_grip_holds_from_the_pick_to_the_place() -> None:
    cycle = palletise(ARM, Cell(), 5)
    times, angles = cycle.trajectory(100.0)
    assert angles.shape == (len(times), 6)
    assert np.abs(np.diff(angles, axis=0)).max() < 2.1 / 100 * 1.5  # it moves without a jump
    held = [cycle.at(float(t))[1] for t in times]
    first, last = held.index(True), len(held) - 1 - held[::-1].index(True)
    assert all(held[first : last + 1])
    picked = forward(ARM, cycle.at(times[first])[0])[:3, 3]
    placed = forward(ARM, cycle.at(times[last])[0])[:3, 3]
    assert np.abs(picked - Cell().pick).max() < 1e-3
    assert np.abs(placed - Cell().places[5][:3]).max() < 1e-3
    assert np.allclose(cycle.at(cycle.time)[0], cycle.at(0.0)[0])


def test_a_place_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="places 0 to 86, not 87"):
        palletise(ARM, Cell(), 87)


def test_slower_joints_make_longer_cycles() -> None:
    slow = Arm(speed=tuple(radians(each) for each in (60, 60, 90, 90, 90, 90)))
    assert palletise(slow, Cell(), 0).time > palletise(ARM, Cell(), 0).time


def test_a_move_that_is_over_stays_where_it_is() -> None:
    path = Move((0.0,) * 6, (1.0,) * 6, 2.0, 0.5)
    assert np.allclose(path.at(5.0), 1.0)
    assert np.allclose(path.at(-1.0), 0.0)
