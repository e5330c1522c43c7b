"""What is asked of a twin that must be simulated: the functions that another process runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from deungdae.core.errors import FactoryError
from deungdae.sim.line import Line, Snapshot
from deungdae.twin.optimise import Answer, Plan, improve, whatif
from deungdae.twin.replicate import Twin

T = TypeVar("T")


def what_if(
    twin: Line | Twin,
    changes: Sequence[str],
    start: Snapshot | None,
    origin: int,
    rest: dict[str, Any],
) -> tuple[Answer, float]:
    """Return what changes would do, and the s that it took. Raises ValueError, NotEnoughData.

    start: where the line stands; None: it runs in first. rest: as whatif takes it.
    """
    begun = time.perf_counter()
    if isinstance(twin, Line):
        line, rest = _begun(twin, start, rest)
        asked: Line | Twin = line
    else:
        line, rest = _begun(twin.line, start, rest)
        asked = msgspec.structs.replace(twin, line=line)
    answer = _said(lambda: whatif(asked, changes, start=start, origin=origin, **rest))
    return answer, time.perf_counter() - begun


def plan(
    line: Line, budget: Decimal, start: Snapshot | None, origin: int, rest: dict[str, Any]
) -> Plan:
    """Return the best use of a budget. Raises ValueError, NotEnoughData."""
    line, rest = _begun(line, start, rest)
    return _said(lambda: improve(line, line.levers, budget, start=start, origin=origin, **rest))


def _begun(line: Line, start: Snapshot | None, rest: dict[str, Any]) -> tuple[Line, dict[str, Any]]:
    """Return the line and the rest of a question so that only the time asked for is counted."""
    if start is not None:
        return msgspec.structs.replace(line, warm_up=0.0), rest
    return line, {**rest, "horizon": rest["horizon"] + line.warm_up}


def _said(work: Callable[[], T]) -> T:
    """Return the answer; tell faults in words, which pass from one process to the other."""
    try:
        return work()
    except FactoryError as error:
        raise ValueError("; ".join(_words(fault) for fault in error.faults)) from None


def _words(fault: Any) -> str:
    remedy = f" ({fault.remedy})" if fault.remedy else ""
    return f"{fault.key}: {fault.problem}{remedy}"
