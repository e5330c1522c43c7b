"""Rows of a world by their number: `at.server(w, n)` is row n of the table of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import rows
from .compiling import COMPILED, first_of, rows_of

World = Any  # a record, or a rows.World that holds lists

if TYPE_CHECKING or not COMPILED:

    def world(array: Any) -> World:
        return array[0]

    def station(w: World, n: int) -> rows.Station:
        return w.stations[n]  # type: ignore[no-any-return]

    def server(w: World, n: int) -> rows.Server:
        return w.servers[n]  # type: ignore[no-any-return]

    def buffer(w: World, n: int) -> rows.Buffer:
        return w.buffers[n]  # type: ignore[no-any-return]

    def mode(w: World, n: int) -> rows.Mode:
        return w.modes[n]  # type: ignore[no-any-return]

    def plan(w: World, n: int) -> rows.Plan:
        return w.plans[n]  # type: ignore[no-any-return]

    def product(w: World, n: int) -> rows.Product:
        return w.products[n]  # type: ignore[no-any-return]

    def stage(w: World, n: int) -> rows.Stage:
        return w.stages[n]  # type: ignore[no-any-return]

    def route(w: World, n: int) -> rows.Route:
        return w.routes[n]  # type: ignore[no-any-return]

    def tally(w: World, n: int) -> rows.Tally:
        return w.tallies[n]  # type: ignore[no-any-return]

    def branch(w: World, n: int) -> rows.Branch:
        return w.branches[n]  # type: ignore[no-any-return]

    def input(w: World, n: int) -> rows.Link:
        return w.inputs[n]  # type: ignore[no-any-return]

    def taker(w: World, n: int) -> rows.Link:
        return w.takers[n]  # type: ignore[no-any-return]

    def feeder(w: World, n: int) -> rows.Link:
        return w.feeders[n]  # type: ignore[no-any-return]

    def need(w: World, n: int) -> rows.Link:
        return w.needs[n]  # type: ignore[no-any-return]

    def setup(w: World, n: int) -> rows.Setup:
        return w.setups[n]  # type: ignore[no-any-return]

    def crew(w: World, n: int) -> rows.Crew:
        return w.crews[n]  # type: ignore[no-any-return]

    def group(w: World, n: int) -> rows.Group:
        return w.groups[n]  # type: ignore[no-any-return]

    def member(w: World, n: int) -> rows.Member:
        return w.members[n]  # type: ignore[no-any-return]

    def shift(w: World, n: int) -> rows.Shift:
        return w.shifts[n]  # type: ignore[no-any-return]

    def toggle(w: World, n: int) -> rows.Toggle:
        return w.toggles[n]  # type: ignore[no-any-return]

    def order(w: World, n: int) -> rows.Order:
        return w.orders[n]  # type: ignore[no-any-return]

    def fleet(w: World, n: int) -> rows.Fleet:
        return w.fleets[n]  # type: ignore[no-any-return]

    def vehicle(w: World, n: int) -> rows.Vehicle:
        return w.vehicles[n]  # type: ignore[no-any-return]

    def ride(w: World, n: int) -> rows.Ride:
        return w.rides[n]  # type: ignore[no-any-return]

    def way(w: World, n: int) -> rows.Way:
        return w.ways[n]  # type: ignore[no-any-return]

    def slot(w: World, n: int) -> rows.Slot:
        return w.slots[n]  # type: ignore[no-any-return]

    def node(w: World, n: int) -> rows.Node:
        return w.nodes[n]  # type: ignore[no-any-return]

    def spread(w: World, n: int) -> rows.Spread:
        return w.spreads[n]  # type: ignore[no-any-return]

    def number(w: World, n: int) -> rows.Number:
        return w.numbers[n]  # type: ignore[no-any-return]

    def stream(w: World, n: int) -> rows.Stream:
        return w.streams[n]  # type: ignore[no-any-return]

    def period(w: World, n: int) -> rows.Period:
        return w.periods[n]  # type: ignore[no-any-return]

    def bin(w: World, n: int) -> rows.Bin:
        return w.bins[n]  # type: ignore[no-any-return]

    def agenda(w: World, n: int) -> rows.Link:
        return w.agenda[n]  # type: ignore[no-any-return]

    def seat(w: World, n: int) -> rows.Seat:
        return w.seats[n]  # type: ignore[no-any-return]

    def heap(w: World, n: int) -> rows.Heap:
        return w.heaps[n]  # type: ignore[no-any-return]

    def stock(w: World, n: int) -> rows.Stock:
        return w.stocks[n]  # type: ignore[no-any-return]

    def part(w: World, n: int) -> rows.Part:
        return w.parts[n]  # type: ignore[no-any-return]

    def note(w: World, n: int) -> rows.Note:
        return w.notes[n]  # type: ignore[no-any-return]

else:
    world = first_of(rows.World, rows.shape(rows.World))
    station = rows_of("stations", rows.Station, rows.shape(rows.Station))
    server = rows_of("servers", rows.Server, rows.shape(rows.Server))
    buffer = rows_of("buffers", rows.Buffer, rows.shape(rows.Buffer))
    mode = rows_of("modes", rows.Mode, rows.shape(rows.Mode))
    plan = rows_of("plans", rows.Plan, rows.shape(rows.Plan))
    product = rows_of("products", rows.Product, rows.shape(rows.Product))
    stage = rows_of("stages", rows.Stage, rows.shape(rows.Stage))
    route = rows_of("routes", rows.Route, rows.shape(rows.Route))
    tally = rows_of("tallies", rows.Tally, rows.shape(rows.Tally))
    branch = rows_of("branches", rows.Branch, rows.shape(rows.Branch))
    input = rows_of("inputs", rows.Link, rows.shape(rows.Link))
    taker = rows_of("takers", rows.Link, rows.shape(rows.Link))
    feeder = rows_of("feeders", rows.Link, rows.shape(rows.Link))
    need = rows_of("needs", rows.Link, rows.shape(rows.Link))
    setup = rows_of("setups", rows.Setup, rows.shape(rows.Setup))
    crew = rows_of("crews", rows.Crew, rows.shape(rows.Crew))
    group = rows_of("groups", rows.Group, rows.shape(rows.Group))
    member = rows_of("members", rows.Member, rows.shape(rows.Member))
    shift = rows_of("shifts", rows.Shift, rows.shape(rows.Shift))
    toggle = rows_of("toggles", rows.Toggle, rows.shape(rows.Toggle))
    order = rows_of("orders", rows.Order, rows.shape(rows.Order))
    fleet = rows_of("fleets", rows.Fleet, rows.shape(rows.Fleet))
    vehicle = rows_of("vehicles", rows.Vehicle, rows.shape(rows.Vehicle))
    ride = rows_of("rides", rows.Ride, rows.shape(rows.Ride))
    way = rows_of("ways", rows.Way, rows.shape(rows.Way))
    slot = rows_of("slots", rows.Slot, rows.shape(rows.Slot))
    node = rows_of("nodes", rows.Node, rows.shape(rows.Node))
    spread = rows_of("spreads", rows.Spread, rows.shape(rows.Spread))
    number = rows_of("numbers", rows.Number, rows.shape(rows.Number))
    stream = rows_of("streams", rows.Stream, rows.shape(rows.Stream))
    period = rows_of("periods", rows.Period, rows.shape(rows.Period))
    bin = rows_of("bins", rows.Bin, rows.shape(rows.Bin))
    agenda = rows_of("agenda", rows.Link, rows.shape(rows.Link))
    seat = rows_of("seats", rows.Seat, rows.shape(rows.Seat))
    heap = rows_of("heaps", rows.Heap, rows.shape(rows.Heap))
    stock = rows_of("stocks", rows.Stock, rows.shape(rows.Stock))
    part = rows_of("parts", rows.Part, rows.shape(rows.Part))
    note = rows_of("notes", rows.Note, rows.shape(rows.Note))
