"""Transport by vehicles: who goes, there, and back into the buffer."""

from __future__ import annotations

import math

from . import at
from .at import World
from .compiling import called, rare
from .events import set_due, set_idle
from .flow import admit, arrive, count_level
from .rows import NONE, Fleet, Ride


@rare
def send_out(w: World, now: float) -> None:
    """Send vehicles to all parts for which there is one, a full lot, and room at the end."""
    w.rides_asked = 0
    r = next_ride(w)
    while r != NONE:
        ride = at.ride(w, r)
        fleet = at.fleet(w, ride.fleet)
        v = nearest(w, fleet, ride)
        vehicle = at.vehicle(w, v)
        vehicle.ride = r
        vehicle.loaded = 0
        ride.claimed += ride.lot
        count_level(at.buffer(w, ride.buffer), ride.lot, now)
        metres = at.way(w, vehicle.place * w.places + ride.start).metres
        set_due(w, vehicle.slot, now + metres / fleet.speed + fleet.load)
        r = next_ride(w)


@called
def next_ride(w: World) -> int:
    """Return the ride that can begin and whose first part waits longest, or NONE."""
    best, since = NONE, math.inf
    for r in range(w.rides_count):
        ride = at.ride(w, r)
        buffer = at.buffer(w, ride.buffer)
        if ride.count - ride.claimed < ride.lot or buffer.capacity - buffer.level < ride.lot:
            continue
        waits = at.part(w, ride.head).since
        if waits < since and nearest(w, at.fleet(w, ride.fleet), ride) != NONE:
            best, since = r, waits
    return best


@called
def nearest(w: World, fleet: Fleet, ride: Ride) -> int:
    """Return the free vehicle that is nearest to the start of a ride, or NONE."""
    best, least = NONE, math.inf
    for v in range(fleet.first, fleet.first + fleet.count):
        vehicle = at.vehicle(w, v)
        metres = at.way(w, vehicle.place * w.places + ride.start).metres
        if vehicle.ride == NONE and metres < least:
            best, least = v, metres
    return best


@called
def reach(w: World, v: int, now: float) -> None:
    """Let a vehicle have loaded, or unloaded."""
    vehicle = at.vehicle(w, v)
    ride = at.ride(w, vehicle.ride)
    if vehicle.loaded:
        p = vehicle.head
        while p != NONE:
            following = at.part(w, p).next
            arrive(w, ride.buffer, at.buffer(w, ride.buffer), p)
            p = following
        vehicle.place = ride.end
        vehicle.ride = NONE
        set_idle(w, vehicle.slot)
        w.rides_asked = 1
        return
    fleet = at.fleet(w, ride.fleet)
    take_along(w, ride, v)
    metres = at.way(w, ride.start * w.places + ride.end).metres
    set_due(w, vehicle.slot, now + metres / fleet.speed + fleet.unload)
    admit(w, ride.buffer, now)


@called
def take_along(w: World, ride: Ride, v: int) -> None:
    """Put a lot of parts on a vehicle."""
    vehicle = at.vehicle(w, v)
    vehicle.loaded = 1
    vehicle.head = ride.head
    last = ride.head
    for _ in range(ride.lot - 1):
        last = at.part(w, last).next
    ride.head = at.part(w, last).next
    at.part(w, last).next = NONE
    if ride.head == NONE:
        ride.tail = NONE
    ride.count -= ride.lot
    ride.claimed -= ride.lot
