"""What must hold of every line: parts are conserved, times add up, buffers are not overfull."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deungdae.sim.kernel import Deadlock, Kind, Simulation, simulate
from deungdae.sim.line import Line, read

TIMES = st.sampled_from(
    ["5", "0.5", "exponential(4)", "triangular(1, 2, 9)", "uniform(0, 6)", "gamma(0.5, 6)",
     "normal(4, 3)", "lognormal(4, 4)", "empirical(1, 2, 2, 9)", "geometric(0.3, 1)",
     "erlang(3, 5)", "weibull(0.7, 4)"]
)  # fmt: skip
CAPACITIES = st.sampled_from([None, 0, 1, 2, 5])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Return a line of two to five stations in a row, with whatever may be at them."""
    count = draw(st.integers(2, 5))
    text = [
        "[products.p]\nfamily='f'\n[products.q]\nshare=0.4\n[crews.c]\nsize=1\n",
        "[operators.o]\ncount=2\nskills=['s']\n",
        "[calendars.k]\nstops=[{name='b', start='00:05', end='00:12'}]\n",
    ]
    for k in range(count):
        text.append(f"[stations.s{k}]\ncycle='{draw(TIMES)}'\nservers={draw(st.integers(1, 3))}\n")
        if k:
            text.append(f"from=['r{k}', 'b{k}']\n")
        if k < count - 1:
            text.append(f"to='b{k + 1}'\n")
        if k and draw(st.booleans()):
            text.append(f"rework=0.1\nscrap=0.05\nrework_to='r{draw(st.integers(1, k))}'\n")
        if draw(st.booleans()):
            of = draw(st.sampled_from(["operation", "time"]))
            text.append(f"failures=[{{every='exponential(40)', repair='{draw(TIMES)}', of='{of}',"
                        "crew='c'}, {every=70, repair=5}]\n")  # fmt: skip
        if draw(st.booleans()):
            of = draw(st.sampled_from(["operation", "time", "parts"]))
            text.append(f"maintenance=[{{every=60, length='{draw(TIMES)}', of='{of}'}}]\n")
        if draw(st.booleans()):
            text.append("setup=1.5\n")
        if draw(st.booleans()):
            text.append("operators={s=1}\n")
        if draw(st.booleans()):
            text.append("calendar='k'\n")
        if draw(st.booleans()):
            text.append("batch=2\nbatch_least=1\nbatch_wait=8\n")
        if draw(st.booleans()):
            text.append(f"quality={{defects=0.1, inspects={str(draw(st.booleans())).lower()}}}\n")
    for k in range(1, count):
        capacity = draw(CAPACITIES)
        batched = (
            "batch=" in "".join(text).partition(f"[stations.s{k}]")[2].partition("[stations")[0]
        )
        if capacity is not None and (capacity or not batched):
            text.append(f"[buffers.b{k}]\ncapacity={max(capacity, 2 if batched else 0)}\n")
        else:
            text.append(f"[buffers.b{k}]\n")
        if draw(st.booleans()) and "capacity=0" not in text[-1]:
            text.append("delay='uniform(0, 3)'\n")
        text.append(f"[buffers.r{k}]\n")
    return "".join(text)


@settings(max_examples=40, deadline=None)
@given(lines(), st.integers(0, 5))
def test_conservation(text: str, replication: int) -> None:
    line = read(text)
    steps = Simulation(line, replication=replication)
    born = gone = 0
    inside = np.zeros(len(line.buffers), int)
    for until in (100.0, 350.0, 2000.0):
        trace = steps.advance(until)
        assert np.all(np.diff(trace.time) >= 0)
        born += int((trace.kind == Kind.BORN).sum())
        gone += int((trace.kind == Kind.OUT).sum())
        entered = trace.value[trace.kind == Kind.ENTER]
        taken = trace.value[trace.kind == Kind.LEAVE]
        inside += np.bincount(entered, minlength=len(inside))
        inside -= np.bincount(taken, minlength=len(inside))
        here = steps.snapshot()
        waiting = sum(map(len, here.buffers.values()))
        held = sum(
            server.parts for servers in here.stations.values() for server in servers
            if server.product
        )  # fmt: skip
        assert born - gone == waiting + held
        for place, (name, buffer) in enumerate(line.buffers.items()):
            assert 0 <= inside[place] <= steps.level(name)
            assert buffer.capacity is None or steps.level(name) <= buffer.capacity
    _sums(line, replication)


def _sums(line: Line, replication: int) -> None:
    outcome = simulate(line, horizon=2000, replications=range(replication, replication + 1),
                       method="events")  # fmt: skip
    servers = [station.servers for station in line.stations.values()]
    np.testing.assert_allclose(outcome.state_time[0].sum(axis=1), np.multiply(servers, 2000.0))
    assert outcome.bottleneck.max() <= 1 + 1e-9
    assert outcome.sole.sum() + outcome.shifting.sum() / 2 <= 1 + 1e-9


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 3))
def test_closed_lines_keep_their_parts_or_lock(servers: int, parts: int, capacity: int) -> None:
    text = f"""
[stations.a]
cycle='exponential(3)'
servers={servers}
from='y'
to='x'
[stations.b]
cycle='exponential(5)'
from='x'
to='y'
[buffers.x]
capacity={capacity}
[buffers.y]
initial={parts}
"""
    outcome = simulate(read(text), horizon=1000, method="events")
    assert outcome.wip[0] == parts


def test_full_buffers_in_a_ring_lock() -> None:
    text = """
[stations.a]
cycle='exponential(3)'
from='y'
to={x=0.5, y=0.5}
[stations.b]
cycle='exponential(5)'
from='x'
to={x=0.5, y=0.5}
[buffers.x]
capacity=3
initial=3
[buffers.y]
capacity=3
initial=3
"""
    with pytest.raises(Deadlock, match="more room"):  # both hold a part for the other, in the end
        simulate(read(text), horizon=1e6)


CODE = """
import sys
from deungdae.sim.kernel import simulate
from deungdae.sim.kernel.compiling import COMPILED
from deungdae.sim.line import read
sys.path.insert(0, {here!r})
from test_kernel import LINE
outcome = simulate(read(LINE), horizon=3000, replications=2, method='events')
for name in ('made', 'lead_time', 'lead_time_90', 'wip', 'level', 'state_time', 'sole', 'shifting'):
    print(name, getattr(outcome, name).tobytes().hex())
print('numba' in sys.modules, COMPILED, file=sys.stderr)
"""


def test_interpreted_and_compiled_agree_bit_for_bit() -> None:
    code = CODE.format(here=os.path.dirname(__file__))
    printed, kinds = [], []
    for kernel in ("python", "auto"):
        environment = {**os.environ, "DEUNGDAE_KERNEL": kernel}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        printed.append(done.stdout)
        kinds.append(done.stderr.split())
    assert kinds[0] == ["False", "False"]
    assert kinds[1] == ["True", "True"]
    assert printed[0] == printed[1]
