"""Random numbers: streams that never meet, and the variates drawn from them.

Each variate takes one step of its stream, whatever its distribution. So the n-th cycle of a station
stays the n-th cycle, and a change elsewhere does not move it: common random numbers.
"""

from __future__ import annotations

import math

from . import at
from .at import World
from .compiling import called, inlined, mix, odd, plus, rare, times, unit, word
from .rows import AHEAD, Spread, Stock, Stream

# what a spread's `kind` is
CONSTANT, UNIFORM, TRIANGULAR, EXPONENTIAL, NORMAL, LOGNORMAL = 0, 1, 2, 3, 4, 5
GAMMA, WEIBULL, GEOMETRIC, EMPIRICAL = 6, 7, 8, 9

_GOLDEN = word(0x9E3779B97F4A7C15)
_SILVER = word(0xD1342543DE82EF95)


@called
def start(stream: Stream, seed: int, replication: int) -> None:
    """Put a stream at its beginning in a replication.

    The beginning and the stride are hashes of seed, replication and the stream's own name: 127
    bits, so that no two of a thousand million streams run along each other.
    """
    run = mix(plus(mix(plus(seed, _GOLDEN)), word(replication)))
    stream.state = mix(plus(mix(plus(stream.key, run)), _SILVER))
    stream.stride = odd(plus(mix(plus(run, _SILVER)), mix(plus(stream.key, _GOLDEN))))


@inlined
def step(stream: Stream) -> int:
    """Return the next word of a stream."""
    stream.state = plus(stream.state, stream.stride)
    return mix(stream.state)


@inlined
def uniform(w: World, stream: int) -> float:
    """Return the next number of a stream, between 0 and 1, neither of both."""
    return unit(step(at.stream(w, stream)))


@called
def draw(w: World, place: int, stream: int) -> float:
    """Return the next variate of a spread from a stream."""
    spread = at.spread(w, place)
    if spread.kind == CONSTANT:
        return spread.a
    z = step(at.stream(w, stream))
    if spread.kind == TRIANGULAR:
        return triangular(unit(z), spread.a, spread.b, spread.c, spread.d, spread.e)
    if spread.kind == EXPONENTIAL:
        return -spread.a * math.log(1.0 - unit(z))
    return other(w, spread, z)


@rare
def draw_ahead(w: World, stock: Stock, place: int, stream: int) -> None:
    """Draw the next variates of a spread from a stream: together, they cost a third."""
    spread = at.spread(w, place)
    row = at.stream(w, stream)
    stock.used = 0
    if spread.kind == CONSTANT:
        for k in range(AHEAD):
            stock.values[k] = spread.a
        return
    state, stride = row.state, row.stride
    if spread.kind == TRIANGULAR:
        low, high, mode, rise, fall = spread.a, spread.b, spread.c, spread.d, spread.e
        for k in range(AHEAD):
            u = unit(mix(plus(state, times(stride, word(k + 1)))))
            stock.values[k] = triangular(u, low, high, mode, rise, fall)
        row.state = plus(state, times(stride, word(AHEAD)))
        return
    for k in range(AHEAD):
        stock.values[k] = draw(w, place, stream)


@inlined
def triangular(u: float, low: float, high: float, mode: float, rise: float, fall: float) -> float:
    """Return the quantile of a triangular spread, without a branch that cannot be foreseen.

    mode: the share below the mode; rise, fall: the width times that below and above the mode.
    """
    below = u < mode
    root = math.sqrt(u * rise if below else (1.0 - u) * fall)
    return low + root if below else high - root


@rare
def other(w: World, spread: Spread, z: int) -> float:
    """Return the variate that a word means, for the rarer kinds."""
    kind, a, b = spread.kind, spread.a, spread.b
    u = unit(z)
    if kind == UNIFORM:
        return a + u * b
    if kind == NORMAL:
        return max(0.0, a + b * normal(u))
    if kind == LOGNORMAL:
        return math.exp(a + b * normal(u))
    if kind == WEIBULL:
        return b * math.pow(-math.log(1.0 - u), a)
    if kind == GEOMETRIC:
        return b * (math.floor(math.log(1.0 - u) / a) + 1.0)
    if kind == GAMMA:
        return b * gamma(a, z)
    return empirical(w, u, spread.first, spread.count)


@called
def empirical(w: World, u: float, first: int, count: int) -> float:
    """Return a quantile of observed values, straight between them; its mean is theirs."""
    place = u * count - 0.5
    if place <= 0.0:
        return at.number(w, first).value
    if place >= count - 1:
        return at.number(w, first + count - 1).value
    below = int(place)
    low = at.number(w, first + below).value
    return low + (place - below) * (at.number(w, first + below + 1).value - low)


@called
def gamma(shape: float, z: int) -> float:
    """Return a gamma variate of scale 1, from numbers that hang on one word alone.

    Source: Marsaglia, Tsang (2000), A simple method for generating gamma variables.
    """
    boost = 1.0
    if shape < 1.0:
        z = plus(z, _GOLDEN)
        boost = math.pow(unit(mix(z)), 1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        z = plus(z, _GOLDEN)
        x = normal(unit(mix(z)))
        z = plus(z, _GOLDEN)
        u = unit(mix(z))
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                return boost * d * v


@called
def normal(p: float) -> float:
    """Return the quantile of the normal distribution, to 16 digits.

    Source: Wichura (1988), Algorithm AS 241, PPND16.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return (
            q
            * (((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853)
            * r + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427)
            * r + 133.14166789178437745) * r + 3.387132872796366608)
            / (((((((5226.495278852545925 * r + 28729.085735721942674) * r + 39307.89580009271061)
            * r + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083)
            * r + 42.313330701600911252) * r + 1.0)
        )  # fmt: skip
    r = math.sqrt(-math.log(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        x = (
            (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r
            + 0.24178072517745061177) * r + 1.27045825245236838258) * r + 3.64784832476320460504)
            * r + 5.7694972214606914055) * r + 4.6303378461565452959) * r + 1.42343711074968357734)
            / (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r
            + 0.0151986665636164571966) * r + 0.14810397642748007459) * r + 0.68976733498510000455)
            * r + 1.6763848301838038494) * r + 2.05319162663775882187) * r + 1.0)
        )  # fmt: skip
    else:
        r -= 5.0
        x = (
            (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
            + 0.0012426609473880784386) * r + 0.026532189526576123093) * r
            + 0.29656057182850489123) * r + 1.7848265399172913358) * r + 5.4637849111641143699)
            * r + 6.6579046435011037772)
            / (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r
            + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4) * r
            + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
            + 0.59983220655588793769) * r + 1.0)
        )  # fmt: skip
    return -x if q < 0.0 else x
