"""Spreads replications over the cores of this computer, or over a Ray cluster."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec

from deungdae.core.errors import Unreachable
from deungdae.sim.line import Line, Snapshot

from .offspring import end_with_parent

if TYPE_CHECKING:
    from deungdae.sim.outcome import Outcome

log = logging.getLogger("deungdae.compute")

PATIENCE = 3600.0  # s that the parts of one simulation may take
SHARES = 4  # parts for each worker: who is quick does more of them


class ComputeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where simulations run."""

    ray: Annotated[
        str,
        msgspec.Meta(
            description="`off`: on this computer alone; `auto`: on the Ray cluster that "
            "RAY_ADDRESS names or this computer is part of, and without one on this computer; "
            "else the address of a cluster, as ray.init takes it"
        ),
    ] = "off"
    workers: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="Processes on this computer; 0: one for each core, 1: no other process",
        ),
    ] = 0


class Workers(Protocol):
    """Somebody who works: name says who, count how many at a time."""

    name: str
    count: int

    def map(self, work: Callable[[Any], Any], parts: list[Any]) -> Iterator[Any]: ...

    def close(self) -> None: ...


class Compute:
    """Simulates with many workers, with the very same results as one process would have.

    A context manager; workers are called when the first simulation needs them. Raises Unreachable
    where a named cluster does not answer.
    """

    def __init__(self, options: ComputeOptions | None = None) -> None:
        self.options = options or ComputeOptions()
        self._workers: Workers | None = None

    def __enter__(self) -> Compute:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def workers(self) -> str:
        """Return who works, in words; '' before the first simulation needs somebody."""
        return self._workers.name if self._workers is not None else ""

    @property
    def crew(self) -> Workers:
        """Return the workers themselves, for work of another kind; called now, if not before."""
        return self._called()

    def close(self) -> None:
        """Send the workers home."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def simulate(
        self,
        line: Line,
        *,
        horizon: float,
        replications: int | range = 1,
        seed: int = 1,
        start: Snapshot | None = None,
        origin: int = 0,
        method: str = "auto",
    ) -> Outcome:
        """Return what `sim.kernel.simulate` returns for the same arguments, bit for bit."""
        from deungdae.sim.outcome import Outcome  # noqa: PLC0415 - as late as the kernel

        wanted = range(replications) if isinstance(replications, int) else replications
        rest = {"horizon": horizon, "seed": seed, "start": start, "origin": origin}
        tasks = [(line, part, {**rest, "method": method}) for part in self._shared_out(wanted)]
        if len(tasks) == 1:
            return _simulate(tasks[0])
        return Outcome.join(list(self._called().map(_simulate, tasks)))

    def _shared_out(self, wanted: range) -> list[range]:
        """Return the parts of a range, whole and in order."""
        if self.options.ray == "off" and self._cores() == 1:
            return [wanted]
        count = min(len(wanted), self._called().count * SHARES) if len(wanted) > 1 else 1
        edges = [len(wanted) * number // count for number in range(count + 1)]
        return [wanted[low:high] for low, high in pairwise(edges)]

    def _called(self) -> Workers:
        if self._workers is None:
            self._workers = self._call()
            log.info("state=working workers=%r", self._workers.name)
        return self._workers

    def _call(self) -> Workers:
        if self.options.ray == "off":
            return _Pool(self._cores())
        try:
            return _Ray(self.options.ray)
        except Unreachable as error:
            if self.options.ray != "auto":
                raise
            log.info("state=no_cluster reason=%r", str(error))
            return _Pool(self._cores())

    def _cores(self) -> int:
        return self.options.workers or len(os.sched_getaffinity(0))


class _Pool:
    """Processes of this computer. They know nothing of this one: what they need is sent."""

    def __init__(self, count: int) -> None:
        self.name, self.count = f"{count} processes", count
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=end_with_parent)

    def map(self, work: Callable[[Any], Any], parts: list[Any]) -> Iterator[Any]:
        return self._pool.map(work, parts, timeout=PATIENCE)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class _Ray:
    """A Ray cluster; Deungdae must be installed on its nodes."""

    def __init__(self, address: str) -> None:
        try:
            import ray  # noqa: PLC0415 - a package that few have
        except ImportError as error:
            remedy = "install deungdae[ray]"
            raise Unreachable("the package ray is not installed", remedy=remedy) from error
        self._ray = ray
        self._mine = not ray.is_initialized()
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
        except (OSError, RuntimeError, ValueError) as error:
            problem = f"no Ray cluster answers at {address}: {error}"
            remedy = "start one with `ray start --head`, or write ray = 'off'"
            raise Unreachable(problem, remedy=remedy) from error
        self.count = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self.name = f"{self.count} at {address}"

    def map(self, work: Callable[[Any], Any], parts: list[Any]) -> Iterator[Any]:
        remote = self._ray.remote(work)
        yield from self._ray.get([remote.remote(part) for part in parts], timeout=PATIENCE)

    def close(self) -> None:
        if self._mine:
            self._ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at host:port; Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=5).close()


def _simulate(task: tuple[Line, range, dict[str, Any]]) -> Outcome:
    """Return the outcome of some replications: the one function that workers run."""
    from deungdae.sim import kernel  # noqa: PLC0415 - compiled: 125 MB that only workers need

    line, replications, rest = task
    return kernel.simulate(line, replications=replications, **rest)
