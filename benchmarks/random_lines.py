"""Lines of all sorts, drawn at random: what a twin is learnt from that has never seen them."""

from __future__ import annotations

import numpy as np

from deungdae.model.calendar import Calendar, Shift
from deungdae.sim.line import Buffer, Failure, Line, Product, Station


def line(seed: int) -> Line:
    """Return a line: 5 to 12 stations one behind the other, buffers of 3 to 30 between them.

    Cycles triangular, lognormal, gamma or constant; here and there two or three machines side by
    side; most stations fail, by running or by time, and are repaired in times of several forms;
    some lines have rework, scrap, two products (with setups), or shifts.
    """
    random = np.random.default_rng([2026, seed])
    count = int(random.integers(5, 13))
    names = [f"m{place + 1}" for place in range(count)]
    base = float(random.uniform(30, 120))
    two = random.random() < 0.3
    calendar = _calendar(random)
    stations: dict[str, Station] = {}
    rework = int(random.integers(1, count)) if random.random() < 0.4 else None
    for place, name in enumerate(names):
        servers = int(random.choice([1, 1, 1, 1, 2, 3]))
        mean = base * float(random.uniform(0.75, 1.05)) * servers
        stations[name] = Station(
            cycle=_cycles(random, mean, two),
            servers=servers,
            inputs=_inputs(place, rework),
            pick="oldest" if random.random() < 0.3 else "order",
            to="out" if place == count - 1 else f"b{place + 1}",
            scrap=float(random.uniform(0.01, 0.03)) if random.random() < 0.15 else 0.0,
            failures=_failures(random) if random.random() < 0.85 else (),
            setup=f"lognormal({random.uniform(120, 400):.6g}, 60)"
            if two and random.random() < 0.2 else 0.0,
            calendar="shifts" if calendar else "",
            **({"rework": float(random.uniform(0.02, 0.08)), "rework_to": "again"}
               if place == rework else {}),
        )  # fmt: skip
    buffers = {
        f"b{place + 1}": Buffer(capacity=int(random.integers(3, 31))) for place in range(count - 1)
    }
    if rework is not None:
        buffers["again"] = Buffer()
    return Line(
        name=f"line {seed}", stations=stations, buffers=buffers,
        products=_products() if two else {},
        sequence=_sequence(random) if two and random.random() < 0.6 else (),
        calendars={"shifts": calendar} if calendar else {},
    )  # fmt: skip


def _inputs(place: int, rework: int | None) -> tuple[str, ...]:
    if place == 0:
        return ()
    # what comes back goes first: else it might wait for ever at a station that never rests
    back = ("again",) if rework is not None and place == max(rework - 1, 1) else ()
    return (*back, f"b{place}")


def _cycles(random: np.random.Generator, mean: float, two: bool) -> str | dict[str, str | float]:
    form = str(random.choice(["triangular", "lognormal", "gamma", "constant"],
                             p=[0.45, 0.3, 0.15, 0.1]))  # fmt: skip
    spread = float(random.uniform(0.05, 0.4))
    first = _time(form, mean, spread)
    if two and random.random() < 0.4:
        return {"a": first, "b": _time(form, mean * float(random.uniform(0.7, 1.0)), spread)}
    return {"a": first, "b": first} if two else first


def _time(form: str, mean: float, spread: float) -> str:
    match form:
        case "triangular":
            return f"triangular({mean * (1 - spread):.8g}, {mean:.8g}, {mean * (1 + spread):.8g})"
        case "lognormal":
            return f"lognormal({mean:.8g}, {mean * spread:.8g})"
        case "gamma":
            return f"gamma({1 / spread**2:.8g}, {mean * spread**2:.8g})"
    return f"{mean:.8g}"


def _failures(random: np.random.Generator) -> tuple[Failure, ...]:
    every = float(random.uniform(2, 12)) * 3600
    repair = float(random.uniform(4, 25)) * 60
    form = str(random.choice(["exponential", "lognormal", "gamma"]))
    repairs = {
        "exponential": f"exponential({repair:.8g})",
        "lognormal": f"lognormal({repair:.8g}, {repair * 0.8:.8g})",
        "gamma": f"gamma(2, {repair / 2:.8g})",
    }
    return (
        Failure(
            every=f"exponential({every:.8g})", repair=repairs[form],
            of="time" if random.random() < 0.2 else "operation",
        ),
    )  # fmt: skip


def _products() -> dict[str, Product]:
    return {"a": Product(family="a", share=0.6), "b": Product(family="b", share=0.4)}


def _sequence(random: np.random.Generator) -> tuple[str, ...]:
    runs = int(random.integers(5, 40)), int(random.integers(5, 40))
    return ("a",) * runs[0] + ("b",) * runs[1]


def _calendar(random: np.random.Generator) -> Calendar | None:
    if random.random() > 0.25:
        return None
    if random.random() < 0.5:
        return Calendar(shifts=(Shift(name="day", days="mon-sat", start="06:00", end="22:00"),))
    return Calendar(
        shifts=(
            Shift(name="early", days="mon-fri", start="06:00", end="14:00"),
            Shift(name="late", days="mon-fri", start="14:00", end="22:00"),
        )
    )
