"""How one part was made: runs and operations in a machine's log, and the program they followed.

A log tells what the machine did while a part was in it: when which tool worked in which blocks, and
when it stood. The program says what these blocks are for, the inspection what came of it. They are
joined by serial, by the number of blocks and by tool; what does not fit is said, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from deungdae.core.types import HOUR, MINUTE, SECOND

SILENCE = HOUR  # without a sign of life in a run: it was given up
LATE = MINUTE  # that a count may come after its run
HELD = 30 * MINUTE  # that a tool still counts as the one in the spindle
LEAST = 5  # other parts that something must be known of to call a part unusual in it
RARE = 0.25  # share of the others that may be as unusual
SLACK = 3  # blocks by which controls count otherwise: %, empty lines

_ITEMS = {
    "status": ("programstatus", "execution", "exec"),
    "tool": ("currenttool", "toolnumber", "toolid", "tool"),
    "block": ("blocknumber", "linenumber", "line", "block"),
    "running": ("programnamerunning", "program", "programname"),
    "editing": ("programnameediting",),
    "feed_override": ("feedoverride", "pathfeedrateoverride", "fovr"),
    "rapid_override": ("rapidoverride", "pathfeedraterapidoverride", "frapidovr"),
    "spindle_override": ("spindleoverride", "rotaryvelocityoverride", "sovr"),
    "speed": ("spindlespeed", "rotaryvelocity", "s1speed", "sspeed"),
    "feed": ("feedrate", "pathfeedrate"),
    "count": ("partcount", "partcountact"),
}
_KIND = {name: kind for kind, names in _ITEMS.items() for name in names}
_OVERRIDES = ("feed_override", "rapid_override", "spindle_override")
_ENDED = ("COMPLETED", "PROGRAM_COMPLETED")
_STANDS = ("STOPPED", "HOLD", "INTERRUPTED", "READY", "WAIT", "OPTIONAL_STOP")


class Told(NamedTuple):
    """One line of a log: at `time` (ns) the data item `item` became `value`."""

    time: int
    item: str
    value: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one tool did in a run: an operation as the machine tells it.

    tool: None where the log does not say. first, last: the lowest and the highest block seen, None
    where none was. stood: seconds of its time in which the program did not run; stops: how often.
    overrides: the lowest and the time-weighted mean of each in %, where the log tells them.
    speed, feed: the highest seen, rev/min and as the log has it; None where it tells none.
    """

    tool: int | None
    start: int
    end: int
    first: int | None
    last: int | None
    stood: float
    stops: int
    overrides: dict[str, tuple[float, float]]
    speed: float | None
    feed: float | None

    @property
    def seconds(self) -> float:
        """Return how long it took, stops included."""
        return (self.end - self.start) / SECOND


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A program from its start to its end. whole: it came to its end.

    program: as the control calls it, ''; blocks: the highest block seen; count: of parts, at its
    end.
    """

    program: str
    start: int
    end: int
    whole: bool
    blocks: int
    count: int | None
    work: tuple[Work, ...]

    @property
    def stood(self) -> float:
        """Return seconds in which it did not run."""
        return sum(work.stood for work in self.work)

    @property
    def stops(self) -> int:
        """Return how often it was stopped or held."""
        return sum(work.stops for work in self.work)


class Made(msgspec.Struct, frozen=True):
    """The runs of one part, and what is odd about its log."""

    runs: tuple[Run, ...]
    doubts: tuple[str, ...]


class Planned(Protocol):
    """An operation as a program tells it; see deungdae.wires.gcode."""

    @property
    def tool(self) -> int | None: ...


class Plan(Protocol):
    """A program as its file tells it."""

    @property
    def title(self) -> str: ...
    @property
    def blocks(self) -> int: ...
    @property
    def operations(self) -> Sequence[Planned]: ...


def made(lines: Iterable[Told]) -> Made:
    """Return what a log says of the making of a part, its lines in any order."""
    log = _Log()
    for line in sorted(lines, key=lambda line: line.time):
        kind = _kind(line.item)
        if kind is not None and line.value.upper() != "UNAVAILABLE":
            log.take(line.time, kind, line.value.strip())
    return log.made()


def is_told_by(item: str) -> bool:
    """Return whether a data item of this name tells something of the making of parts."""
    return _kind(item) is not None


def _kind(item: str) -> str | None:
    return _KIND.get(re.sub(r"[^a-z0-9]", "", item.lower()))


class _Log:
    """The state of a machine while its log is read."""

    def __init__(self) -> None:
        self._now: dict[str, str] = {}
        self._run: _Open | None = None
        self._runs: list[Run] = []
        self._doubts: list[str] = []
        self._ended = 0
        self._tool: tuple[int, int] | None = None
        self._last = 0

    def take(self, time: int, kind: str, value: str) -> None:
        if self._last and time - self._last > SILENCE:
            if self._run is not None:
                self._close(self._last, whole=False)
            self._now.clear()  # nobody knows what happened meanwhile
        self._last = time
        if kind == "status":
            self._status(time, value.upper())
        elif kind == "running" and self._run is not None and self._run.is_another(time, value):
            self._run.forget_stop()
            self._close(self._run.stood_from, whole=False)
            self._run = _Open(time, self._now | {"running": value}, self._held(time))
        elif kind == "count":
            self._count(time, value)
        self._now[kind] = value
        if kind == "tool":
            number = _whole(value)
            if number is not None and number > 0:
                self._tool = (number, time)
        if self._run is not None:
            self._run.take(time, kind, value)

    def made(self) -> Made:
        if self._run is not None:
            self._close(self._last, whole=False)
        found = list(self._doubts)
        for run in self._runs:
            if not run.whole:
                found.append(f"a run of {run.blocks} blocks was not finished")
        return Made(tuple(self._runs), tuple(dict.fromkeys(found)))

    def _status(self, time: int, value: str) -> None:
        if value == "ACTIVE":
            if self._run is None:
                self._run = _Open(time, self._now, self._held(time))
            self._run.goes(time)
        elif value in _ENDED:
            if self._run is not None:
                self._close(time, whole=True)
        elif self._run is not None and any(word in value for word in _STANDS):
            self._run.halts(time)

    def _held(self, time: int) -> int | None:
        """Return the tool that is still in the spindle."""
        if self._tool is None or time - max(self._tool[1], self._ended) > HELD:
            return None
        return self._tool[0]

    def _close(self, time: int, *, whole: bool) -> None:
        assert self._run is not None
        self._runs.append(self._run.closed(time, whole=whole))
        self._run, self._ended = None, time

    def _count(self, time: int, value: str) -> None:
        number = _whole(value)
        if number is None:
            return
        if self._run is None and self._runs and time - self._ended <= LATE:
            self._runs[-1] = msgspec.structs.replace(self._runs[-1], count=number)
        elif self._run is None:
            self._doubts.append(
                f"the count {number} stands far from the end of any run: it is not this part's"
            )


class _Open:
    """A run that goes on."""

    def __init__(self, time: int, now: Mapping[str, str], tool: int | None) -> None:
        self.program = now.get("running") or now.get("editing", "")
        self._start = time
        self._work: list[_OpenWork] = [_OpenWork(time, tool, now)]
        self._halted: int | None = None
        self.stood_from, self._went = time, 0
        self._before = self._work[-1], 0
        self._blocks = 0

    def is_another(self, time: int, program: str) -> bool:
        """Return whether a name that comes just after a stop says that another program began."""
        return 0 < self._went <= time <= self._went + SECOND and program != self.program

    def forget_stop(self) -> None:
        """Take the last stop back: it was the end."""
        work, stood = self._before
        work.stood = stood
        work.stops -= 1
        del self._work[self._work.index(work) + 1 :]

    def goes(self, time: int) -> None:
        if self._halted is not None:
            self._work[-1].stood += time - self._halted
            self._went = time
            self._halted = None

    def halts(self, time: int) -> None:
        if self._halted is None:
            self._halted = self.stood_from = time
            self._before = self._work[-1], self._work[-1].stood
            self._work[-1].stops += 1

    def take(self, time: int, kind: str, value: str) -> None:
        work = self._work[-1]
        if kind == "tool":
            number = _whole(value)
            if number is not None and number > 0 and number != work.tool:
                if len(self._work) > 1 or len(set(work.blocks)) > 1:
                    if self._halted is not None:
                        work.stood += time - self._halted
                        self._halted = time
                    work.end = time
                    self._work.append(_OpenWork(time, number, work.now))
                else:
                    work.tool = number  # the first change: what came before it belongs to it
            return
        if kind == "block":
            number = _whole(value)
            if number is not None and number > 0:
                work.blocks.append(number)
                self._blocks = max(self._blocks, number)
        elif kind == "running":
            self.program = self.program or value
        else:
            work.take(time, kind, value)  # editing: of another program, while this one runs

    def closed(self, time: int, *, whole: bool) -> Run:
        if self._halted is not None:
            self._work[-1].stood += time - self._halted
        self._work[-1].end = time
        return Run(
            program=self.program, start=self._start, end=time, whole=whole, blocks=self._blocks,
            count=None, work=tuple(work.closed() for work in self._work),
        )  # fmt: skip


class _OpenWork:
    """What a tool is doing."""

    def __init__(self, time: int, tool: int | None, now: Mapping[str, str]) -> None:
        self.tool = tool
        self.start = self.end = time
        self.stood = 0
        self.stops = 0
        self.blocks: list[int] = []
        self.now = dict(now)
        self._steps: dict[str, list[tuple[int, float]]] = {}
        for kind in _OVERRIDES:
            number = _real(now.get(kind, ""))
            if number is not None:
                self._steps[kind] = [(time, number)]
        self._most: dict[str, float] = {}

    def take(self, time: int, kind: str, value: str) -> None:
        self.now[kind] = value
        number = _real(value)
        if number is None:
            return
        if kind in _OVERRIDES:
            self._steps.setdefault(kind, []).append((time, number))
        elif kind in ("speed", "feed"):
            self._most[kind] = max(number, self._most.get(kind, 0.0))

    def closed(self) -> Work:
        return Work(
            tool=self.tool, start=self.start, end=self.end,
            first=min(self.blocks, default=None), last=max(self.blocks, default=None),
            stood=self.stood / SECOND, stops=self.stops,
            overrides={kind: _mean(steps, self.end) for kind, steps in self._steps.items()},
            speed=self._most.get("speed"), feed=self._most.get("feed"),
        )  # fmt: skip


def _mean(steps: Sequence[tuple[int, float]], end: int) -> tuple[float, float]:
    """Return the lowest value and the mean by time."""
    times = np.array([time for time, _ in steps] + [end], float)
    values = np.array([value for _, value in steps])
    widths = np.diff(times)
    total = float(widths.sum())
    mean = float(values @ widths) / total if total > 0 else float(values[-1])
    return float(values.min()), mean


def _real(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _whole(text: str) -> int | None:
    found = _real(text)
    return None if found is None else int(found)


# ---- joined


class Fit(msgspec.Struct, frozen=True):
    """Whether a run followed a program. fits: None where it cannot be told; why: in words."""

    fits: bool | None
    why: str


def fit(run: Run, plan: Plan) -> Fit:
    """Return whether a run followed a program, by its blocks and its tools."""
    if not run.blocks:
        return Fit(None, "the log tells no blocks")
    away = abs(run.blocks - plan.blocks)
    planned = [operation.tool for operation in plan.operations if operation.tool is not None]
    used = [work.tool for work in run.work if work.tool is not None]
    stem = re.sub(r"\.\w+$", "", run.program).upper()
    named = bool(plan.title) and stem == plan.title.upper()
    if away > SLACK:
        same = " though the control calls it the same" if named else ""
        return Fit(False, f"{run.blocks} blocks, the program has {plan.blocks}{same}")
    strange = sorted(set(used) - set(planned))
    if strange and planned:
        tools = ", ".join(f"T{tool}" for tool in strange)
        return Fit(False, f"as many blocks, but {tools} is not in the program")
    return Fit(True, f"{run.blocks} blocks as in the program ({plan.blocks})")


def keys(names: Sequence[str]) -> dict[str, str]:
    """Return the number of the part in each name: the digits by which all the names differ.

    `Cover-Hurco04-07of20` and `COVER_A07_SCAN` are both 7. A name alone: the digits before `of`,
    else the last. A name without digits stands for itself.
    """
    unique = [name for name in dict.fromkeys(names) if name]
    split = {name: re.split(r"(\d+)", name) for name in unique}
    lengths = {len(parts) for parts in split.values()}
    if len(unique) > 1 and len(lengths) == 1:
        for place in range(1, lengths.pop(), 2):
            found = [int(parts[place]) for parts in split.values()]
            if len(set(found)) == len(found):
                return {name: str(key) for name, key in zip(unique, found, strict=True)}
    return {name: _alone(name) for name in unique}


def _alone(name: str) -> str:
    of = re.search(r"(\d+)\s*of\s*\d+", name, re.IGNORECASE)
    digits = re.findall(r"\d+", name)
    if of:
        return str(int(of.group(1)))
    return str(int(digits[-1])) if digits else name


def settings(made: Made) -> dict[str, float]:
    """Return the making of a part as factors: seconds and stops by tool, overrides, programs."""
    found: dict[str, float] = {
        "runs": len(made.runs),
        "unfinished runs": sum(not run.whole for run in made.runs),
        "stops": sum(run.stops for run in made.runs),
        "stood s": round(sum(run.stood for run in made.runs), 1),
    }
    for number, run in enumerate(sorted(made.runs, key=lambda run: -run.blocks)[:3], 1):
        found[f"blocks of program {number}"] = run.blocks
        found[f"program {number} s"] = round((run.end - run.start) / SECOND, 1)
    seconds: dict[int, float] = {}
    lowest: dict[str, float] = {}
    for run in made.runs:
        for work in run.work:
            if work.tool is not None:
                taken = work.seconds - work.stood
                seconds[work.tool] = seconds.get(work.tool, 0.0) + taken
            for kind, (low, _) in work.overrides.items():
                lowest[kind] = min(low, lowest.get(kind, low))
    found |= {f"T{tool} s": round(taken, 1) for tool, taken in sorted(seconds.items())}
    found |= {f"lowest {kind.replace('_', ' ')}": low for kind, low in lowest.items()}
    return found


def unusual(own: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> list[str]:
    """Return in words where the making of a part is unlike that of nearly all others."""
    found = []
    for name, value in own.items():
        known = np.array([each[name] for each in others if name in each])
        if len(known) < LEAST:
            continue
        middle = float(np.median(known))
        usual = np.abs(known - middle)
        reach = 6 * max(1.4826 * float(np.median(usual)), 0.01 * abs(middle), 1e-9)
        if abs(value - middle) > reach and np.mean(usual > reach) <= RARE:
            found.append(f"{name} {value:g} (others {middle:g})")
    if others:
        known_to_most = {
            name for each in others for name in each
            if sum(name in other for other in others) > (1 - RARE) * len(others)
        }  # fmt: skip
        found += [f"no {name}" for name in sorted(known_to_most - own.keys())]
    return found
