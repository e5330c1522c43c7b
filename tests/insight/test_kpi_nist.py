"""Indicators of real machines: the NIST test bed, October 2016."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from deungdae.core.clock import from_iso
from deungdae.core.types import Batch
from deungdae.historian.store import Historian
from deungdae.insight import kpi
from deungdae.machines.mtconnect.log import read_log
from deungdae.model.factory import Factory, Identity

MONTH = (from_iso("2016-10-01"), from_iso("2016-11-01"))
OF_TIME = {
    "allocation_ratio",
    "allocation_efficiency",
    "utilization_efficiency",
    "availability",
    "technical_efficiency",
    "production_process_ratio",
    "mtbf",
    "mttf",
    "mttr",
}


def report(folder: Path, machine: str, store: Path) -> kpi.Report:
    """Return the month of a machine, of which the store has what the proposed spec asks for."""
    log = read_log(sorted((folder / "nist-smstestbed" / "raw" / machine).glob("*.gz")), machine)
    spec = kpi.default_spec(machine, log.signals)
    wanted = {*spec.words(), *spec.numbers()}
    plant = Factory(
        path=Path("factory.toml"),
        identity=Identity(id="nist", timezone="UTC"),
        signals={signal.id: signal for signal in log.signals},
    )
    with Historian(store) as memory:
        handles = memory.register(log.signals)
        by_id = {s.id: int(h) for s, h in zip(log.signals, handles, strict=True)}
        kept = np.asarray([by_id[id] for id in spec.numbers()], np.int32)
        for part in log.parts(by_id, received=0):
            batch: Batch = part.batch.take(np.isin(part.batch.signal, kept))
            memory.append([batch, *(event for event in part.events if event.id in wanted)])
        return kpi.compute(spec, memory, plant, *MONTH)


def reference(folder: Path, machine: str) -> dict[str, float]:
    """Return the reference's seconds of each state in the month."""
    found: dict[str, float] = {}
    path = folder / "nist-smstestbed" / "reference_execution_hours_2016-10.csv"
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["machine"] == machine:
                state = row["execution_state"]
                found[state] = found.get(state, 0.0) + float(row["seconds"])
    return found


@pytest.mark.parametrize("machine", ["Mazak01", "Mazak03", "GFAgie01"])
def test_what_execution_logs_allow_is_told_and_the_rest_is_explained(
    shared_data: Path, tmp_path: Path, machine: str
) -> None:
    found = report(shared_data, machine, tmp_path / "store")
    expected = reference(shared_data, machine)
    known = sum(seconds for state, seconds in expected.items() if state != "UNAVAILABLE")
    assert found.times.PBT == 31 * 86_400
    active, measured = expected["ACTIVE"], found.times.APT
    assert measured == pytest.approx(active, abs=31)
    assert found.times.PBT - found.times.unknown == pytest.approx(known, abs=31)
    results = {result.name: result for result in found.results}
    assert results["availability"].value == pytest.approx(100 * active / known, abs=0.1)
    assert {name for name, result in results.items() if result.value is not None} >= OF_TIME
    assert all(result.reason for result in found.results if result.value is None)
    assert "`cycle`" in results["oee"].reason
    lost = sum(loss.seconds for loss in found.balance.losses)
    assert lost + found.balance.productive == pytest.approx(found.balance.planned)


def test_a_counter_that_never_rose_is_told(shared_data: Path, tmp_path: Path) -> None:
    results = {r.name: r for r in report(shared_data, "Mazak01", tmp_path / "store").results}
    throughput = results["throughput_rate"]
    assert throughput.value == 0
    assert "Mazak01.PartCountAct did not rise" in throughput.reason


def test_a_machine_that_was_never_on_has_no_indicator(shared_data: Path, tmp_path: Path) -> None:
    found = report(shared_data, "Hurco01", tmp_path / "store")
    assert all(result.value is None for result in found.results)
    assert found.times.unknown == found.times.PBT
