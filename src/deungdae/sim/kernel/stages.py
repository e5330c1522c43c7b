"""How far parts come on the routes of their products."""

from __future__ import annotations

from typing import Any

from deungdae.sim.line import Line

from . import codes


class Stages:
    """One stage for each step of each product's route; a product without a route has but one.

    A part is at the stage of the station that it goes to next.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self._first: dict[str, int] = {}
        self._steps: list[tuple[str, int]] = []
        for name in line.product_names:
            self._first[name] = len(self._steps)
            self._steps += [(name, step) for step in range(max(1, len(self.route_of(name))))]
        self.products = [name for name, _ in self._steps]
        self.routed = any(product.route for product in line.products.values())

    def __len__(self) -> int:
        return len(self._steps)

    def route_of(self, product: str) -> tuple[str, ...]:
        """Return the stations on a product's route."""
        given = self.line.products.get(product)
        return given.route if given else ()

    def first(self, product: str) -> int:
        """Return the stage at which a product begins."""
        return self._first[product]

    def menu(self, station: str) -> dict[str, float]:
        """Return the shares of the products that a station without input begins."""
        shares = {}
        only = self.line.stations[station].products
        for name in self.line.product_names:
            given = self.line.products.get(name)
            route = self.route_of(name)
            share = given.share if given else 1.0
            arrives = given is not None and given.arrival is not None
            if (
                share
                and not arrives
                and (not route or route[0] == station)
                and (not only or name in only)
            ):
                shares[name] = share
        return shares

    def at_buffer(self, product: str, buffer: str, upto: int | None = None) -> int:
        """Return the stage of a part in a buffer: of the first station on its route to take it.

        upto: the last of those up to this step is meant, where there is one.
        """
        route = self.route_of(product)
        steps = [step for step, station in enumerate(route) if buffer in self._inputs(station)]
        before = [step for step in steps if upto is not None and step <= upto]
        return self._first[product] + (before[-1] if before else steps[0] if steps else 0)

    def at_station(self, product: str, station: str) -> int:
        """Return the stage of a part in a station."""
        route = self.route_of(product)
        return self._first[product] + (route.index(station) if station in route else 0)

    def finished(self, product: str, station: str, buffers: dict[str, int]) -> tuple[int, int]:
        """Return stage and goal of a part that a station has finished."""
        route = self.route_of(product)
        if self.line.stations[station].makes == product:
            step = route.index(station) + 1 if station in route else 0
            return self._goal(station, product, step, buffers)
        row = self.route(station, self.at_station(product, station), buffers)
        return row["after"], row["goal"]

    def route(self, station: str, stage: int, buffers: dict[str, int]) -> dict[str, Any]:
        """Return what a station does with a part of a stage: a row of the table of routes."""
        product, step = self._steps[stage]
        route = self.route_of(product)
        given = self.line.stations[station]
        becomes = given.makes or product
        new = self.route_of(becomes)
        following = step + 1
        if given.makes:
            following = new.index(station) + 1 if station in new else 0
        after, goal = self._goal(station, becomes, following, buffers)
        sorted_to = given.quality.to if given.quality else ""
        return {
            "allowed": int(
                (not given.products or product in given.products)
                and (not route or route[step] == station)
            ),
            "after": after,
            "goal": goal,
            "again": self.at_buffer(product, given.rework_to, step),
            "sorted": self.at_buffer(product, sorted_to, step),
        }

    def _goal(
        self, station: str, product: str, step: int, buffers: dict[str, int]
    ) -> tuple[int, int]:
        """Return the stage of a part that is to go to a step of its route, and its goal."""
        route, first = self.route_of(product), self._first[product]
        if not route:
            return first, codes.BY_STATION
        if step >= len(route):
            return first + len(route) - 1, codes.OUT
        inputs = self._inputs(route[step])
        ways = [name for name in self.line.stations[station].goes_to if name in inputs] or inputs
        return first + step, buffers[ways[0]] if ways else codes.OUT

    def _inputs(self, station: str) -> list[str]:
        given = self.line.stations[station]
        return [*given.takes_from, *given.needs]
