"""The making of a part from a machine's log: runs, tools, stops; the covers of NIST by serial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deungdae.app import making
from deungdae.core.clock import from_iso
from deungdae.core.types import SECOND
from deungdae.insight.trace import Made, Run, Told, fit, keys, made, settings, unusual

START = from_iso("2026-03-02T08:00:00Z")


def log(*lines: tuple[float, str, object]) -> Iterator[Told]:
    for second, item, value in lines:
        yield Told(START + round(second * SECOND), item, str(value))


def run(*more: tuple[float, str, object]) -> Made:
    return made(log((0, "execution", "ACTIVE"), *more))


def test_operations_go_from_tool_to_tool() -> None:
    found = run(
        (1, "program", "A.NC"), (2, "line", 3), (3, "Tool_number", 5), (5, "line", 10),
        (20, "line", 40), (21, "Tool_number", 0), (22, "Tool_number", 7), (30, "line", 90),
        (40, "execution", "PROGRAM_COMPLETED"), (41, "PartCountAct", 12),
    )  # fmt: skip
    (only,) = found.runs
    assert (only.program, only.whole, only.blocks, only.count) == ("A.NC", True, 90, 12)
    first, second = only.work
    assert (first.tool, first.seconds, first.first, first.last) == (5, 22.0, 3, 40)
    assert (second.tool, second.seconds) == (7, 18.0)
    assert found.doubts == ()


def test_stops_and_overrides_belong_to_their_tool() -> None:
    (only,) = run(
        (0, "Current_Tool", 1), (0, "path_feedrate_override", 100), (1, "line", 1), (2, "line", 2),
        (10, "Current_Tool", 2), (12, "execution", "FEED_HOLD"), (15, "execution", "ACTIVE"),
        (15, "path_feedrate_override", 50), (20, "execution", "COMPLETED"),
    ).runs  # fmt: skip
    assert [(work.stops, work.stood) for work in only.work] == [(0, 0.0), (1, 3.0)]
    low, mean = only.work[1].overrides["feed_override"]
    assert (low, mean) == (50, 75)
    assert (only.stops, only.stood) == (1, 3.0)


def test_another_program_after_a_stop_is_another_run() -> None:
    found = run(
        (0, "program", "A.NC"), (1, "line", 5), (10, "execution", "PROGRAM_STOPPED"),
        (60, "execution", "ACTIVE"), (60, "program", "REWORK.NC"), (70, "line", 2),
        (80, "execution", "COMPLETED"),
    )  # fmt: skip
    assert [(r.program, r.whole, (r.end - r.start) / SECOND, r.stops) for r in found.runs] == [
        ("A.NC", False, 10, 0),
        ("REWORK.NC", True, 20, 0),
    ]
    assert found.doubts == ("a run of 5 blocks was not finished",)


def test_a_log_that_breaks_off_and_a_count_that_is_not_this_parts() -> None:
    found = run((5, "line", 5), (3 * 3600, "Part_Count", 99))
    (only,) = found.runs
    assert (only.whole, only.count) == (False, None)
    assert "the count 99 stands far from the end of any run" in found.doubts[0]


def test_what_is_unavailable_or_no_number_is_passed_over() -> None:
    found = run((1, "line", "UNAVAILABLE"), (2, "line", "x"), (3, "Sspeed", "nan"))
    assert found.runs[0].blocks == 0
    assert made([]) == Made((), ())


def test_the_number_of_a_part_in_names() -> None:
    assert keys(["Cover-Hurco04-01of20", "Cover-Hurco04-12of20"]) == {
        "Cover-Hurco04-01of20": "1",
        "Cover-Hurco04-12of20": "12",
    }
    assert list(keys(["A07_SCAN_2", "A11_SCAN_2"]).values()) == ["7", "11"]
    assert keys(["Cover-Hurco04-07of20"]) == {"Cover-Hurco04-07of20": "7"}
    assert keys(["left", "right"]) == {"left": "left", "right": "right"}
    assert keys([]) == {}


class Step(msgspec.Struct):
    tool: int | None


class Plan(msgspec.Struct):
    title: str
    blocks: int
    operations: list[Step]


def test_a_run_fits_its_program_by_blocks_and_tools() -> None:
    (only,) = run(
        (0, "program", "A.NC"), (1, "Current_Tool", 5), (2, "line", 40), (3, "line", 41),
        (9, "execution", "COMPLETED"),
    ).runs  # fmt: skip
    assert fit(only, Plan("A", 41, [Step(5)])).fits is True
    assert fit(only, Plan("A", 41, [Step(6)])).fits is False
    assert "though the control calls it the same" in fit(only, Plan("A", 80, [Step(5)])).why
    assert fit(msgspec.structs.replace(only, blocks=0), Plan("A", 41, [])).fits is None


def test_the_making_as_factors_and_what_is_unusual() -> None:
    usual = settings(run((1, "Current_Tool", 5), (2, "line", 40), (9, "execution", "COMPLETED")))
    assert usual["T5 s"] == 9.0
    odd = usual | {"T5 s": 90.0}
    assert unusual(odd, [usual] * 8) == ["T5 s 90 (others 9)"]
    assert unusual({"runs": 1.0}, [usual] * 8)[-1] == "no unfinished runs"


@pytest.fixture(scope="module")
def covers(shared_data: Path) -> making.Joined:
    folder = shared_data / "nist-smstestbed/tdp/mtc"
    return making.read(
        sorted((folder / "PartData").glob("*.gz")),
        [*folder.glob("FAIR/*.qif"), *folder.glob("QIF-IncomingInspection/*.QIF")],
        list((folder / "NC-Code").glob("*.NC")),
    )


def test_the_covers_are_joined_by_serial(covers: making.Joined) -> None:
    assert [part.key for part in covers.parts] == [str(n) for n in range(1, 21)]
    assert all(part.made.runs and part.results for part in covers.parts)
    assert covers.part("07").key == "7"
    documents = {each.document for each in covers.part("20").results}
    assert len(documents) == 1  # cover 20 has no serial in the incoming inspection: not guessed
    assert any("1 of 20 inspections name no serial" in doubt for doubt in covers.doubts)


def test_the_program_of_the_covers_belongs_to_their_last_run(covers: making.Joined) -> None:
    """Its 1464 blocks are those of the engraving on 10 February; so the late count is no fault."""
    counts = []
    for part in covers.parts:
        fitting = [n for n, fits in enumerate(covers.fits(part)) if any(f.fits for _, f in fits)]
        assert fitting == [len(part.made.runs) - 1]
        last = part.made.runs[-1]
        assert (last.blocks, last.whole) == (1464, True)
        counts.append(last.count)
    assert counts == list(range(1159, 1179))


def test_what_the_logs_of_covers_tell(covers: making.Joined) -> None:
    def seen(run: Run) -> list[int | None]:
        return [work.tool for work in run.work]

    assert seen(covers.part("1").made.runs[0]) == [2, 1, 2, 4, 5, 12, 11, 23]
    sixth = covers.part("6").made
    assert [run.program for run in sixth.runs] == ["", "CHAMFER.NC", "", ""]
    assert sixth.doubts == ("a run of 2797 blocks was not finished",)
    fourth = covers.part("4").made.runs[0]
    assert fourth.stops == 3
    assert fourth.stood == pytest.approx(147, abs=1)


def test_a_streams_document_tells_what_the_log_tells(
    covers: making.Joined, shared_data: Path
) -> None:
    path = shared_data / "nist-smstestbed/tdp/mtc/MTConnect/Cover-Hurco04-01of20.xml.gz"
    (part,) = making.read([path], [], []).parts
    logged = covers.part("1").made.runs
    assert [(run.start, run.end, run.blocks, run.count) for run in part.made.runs] == [
        (run.start, run.end, run.blocks, run.count) for run in logged
    ]
