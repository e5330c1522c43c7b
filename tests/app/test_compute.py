"""Replications spread over processes and over Ray: the very results of one process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from subprocess import DEVNULL, PIPE

import msgspec
import numpy as np
import pytest

from deungdae.app.compute import Compute, ComputeOptions
from deungdae.core.errors import Unreachable
from deungdae.sim import kernel
from deungdae.sim.line import Line, read
from deungdae.sim.outcome import Outcome

TEXT = """
[stations.a]
cycle = 'exponential(60)'
to = 'b'
failures = [{every = 'exponential(4000)', repair = 'exponential(300)'}]
[stations.c]
cycle = 'triangular(45, 60, 75)'
servers = 2
from = 'b'
[buffers.b]
capacity = 3
"""
RUN = {"horizon": 20_000.0, "replications": 13, "seed": 4}

OPEN = {"RAY_AUTH_MODE": "disabled"}  # the cluster of this test asks for no token

# a program of its own: what Ray starts and warns about is not this process's
CLUSTER = """
import json, sys
import ray
ray.init(num_cpus=2, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False,
         _node_ip_address="127.0.0.1")
print(json.dumps(ray.get_runtime_context().gcs_address), flush=True)
sys.stdin.read()
"""
ASK = """
import sys
from test_compute import TEXT, RUN, digest
from deungdae.app.compute import Compute, ComputeOptions
from deungdae.sim.line import read
with Compute(ComputeOptions(ray=sys.argv[1])) as compute:
    found = compute.simulate(read(TEXT), **RUN)
    print(compute.workers, digest(found))
"""


def digest(outcome: Outcome) -> str:
    """Return a hash of every number of an outcome."""
    told = hashlib.sha256()
    for field in msgspec.structs.fields(Outcome):
        value = getattr(outcome, field.name)
        told.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return told.hexdigest()


@pytest.fixture(scope="module")
def line() -> Line:
    return read(TEXT)


@pytest.fixture(scope="module")
def alone(line: Line) -> str:
    """Return the digest of the same replications in this process."""
    return digest(kernel.simulate(line, **RUN))


def test_processes_give_the_same_bits(line: Line, alone: str) -> None:
    with Compute(ComputeOptions(workers=2)) as compute:
        assert digest(compute.simulate(line, **RUN)) == alone
        assert compute.workers == "2 processes"
        some = compute.simulate(line, **{**RUN, "replications": range(5, 7)})
        assert some.replications.tolist() == [5, 6]


def test_one_worker_needs_no_other_process(line: Line, alone: str) -> None:
    with Compute(ComputeOptions(workers=1)) as compute:
        assert digest(compute.simulate(line, **RUN)) == alone
        assert compute.workers == ""


def test_errors_come_back_from_workers(line: Line) -> None:
    with (
        Compute(ComputeOptions(workers=2)) as compute,
        pytest.raises(ValueError, match="horizon = -1"),
    ):
        compute.simulate(line, horizon=-1.0, replications=4)


def test_no_replication_is_said(line: Line) -> None:
    with Compute(ComputeOptions(workers=2)) as compute, pytest.raises(ValueError, match="at least"):
        compute.simulate(line, horizon=100.0, replications=0)


@pytest.fixture
def cluster() -> Iterator[str]:
    """Yield the address of a Ray cluster on this computer."""
    command = [sys.executable, "-c", CLUSTER]
    with subprocess.Popen(
        command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, env={**os.environ, **OPEN}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = next(text for text in process.stdout if text.startswith('"'))
            yield json.loads(told)
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def asked(address: str, folder: str, **more: str) -> str:
    """Return what another program says that computes at an address."""
    environment = {**os.environ, **OPEN, "PYTHONPATH": folder, **more}
    done = subprocess.run(
        [sys.executable, "-c", ASK, address],
        env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_ray_gives_the_same_bits(cluster: str, alone: str, request: pytest.FixtureRequest) -> None:
    folder = str(request.path.parent)
    assert asked(cluster, folder) == f"2 at {cluster} {alone}"
    found = asked("auto", folder, RAY_ADDRESS=cluster)
    assert found == f"2 at auto {alone}"


def test_a_cluster_that_is_named_must_answer(line: Line) -> None:
    options = ComputeOptions(ray="127.0.0.1:1")
    with Compute(options) as compute, pytest.raises(Unreachable, match="no Ray cluster answers"):
        compute.simulate(line, **RUN)
