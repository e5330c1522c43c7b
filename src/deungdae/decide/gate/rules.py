"""The rules of the gate: their names and words, and the checks of a command's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from deungdae.core.types import SECOND, Command, Flag, Severity, Signal

from .options import Interlock, Writable

UNSURE = Flag.STALE | Flag.OUT_OF_RANGE | Flag.SUBSTITUTED


class Words(NamedTuple):
    """What a rule demands, for people."""

    en: str
    ko: str


RULES: Mapping[str, Words] = MappingProxyType(
    {
        "kill-switch": Words("the kill switch is on", "쓰기 차단 스위치가 켜져 있습니다"),
        "clock": Words(
            "the clock must not go back, nor a command come from the future",
            "시계가 거꾸로 가거나 명령의 발행 시각이 미래일 수 없습니다",
        ),
        "not-finite": Words("the value must be a finite number", "값은 유한한 수여야 합니다"),
        "unknown-signal": Words("the signal must be declared", "신호가 선언되어 있어야 합니다"),
        "read-only": Words("the signal must have access rw", "신호의 접근 권한이 rw여야 합니다"),
        "not-writable": Words(
            "the signal must be on the gate's list", "신호가 게이트의 쓰기 목록에 있어야 합니다"
        ),
        "expired": Words("the command must not have expired", "명령의 유효 기간이 지났습니다"),
        "expiry": Words(
            "the command must not live longer than allowed",
            "명령의 유효 기간이 허용된 길이를 넘을 수 없습니다",
        ),
        "duplicate": Words("a command is judged once", "같은 명령은 한 번만 심사합니다"),
        "mode-off": Words("the gate is off", "게이트가 꺼져 있습니다"),
        "mode-shadow": Words(
            "the gate only watches: it would have been permitted",
            "게이트가 관찰만 합니다: 허용되었을 명령입니다",
        ),
        "mode-advise": Words(
            "the gate only advises: a person acts at the machine",
            "게이트가 조언만 합니다: 사람이 기계에서 직접 조작합니다",
        ),
        "mode-ceiling": Words(
            "the mode cannot rise above the factory file's",
            "모드는 공장 파일이 정한 단계를 넘을 수 없습니다",
        ),
        "read-back-mismatch": Words(
            "the last write did not take: a person must look",
            "마지막 쓰기가 반영되지 않았습니다: 사람이 확인해야 합니다",
        ),
        "under-way": Words(
            "one write at a time for a signal", "한 신호에는 한 번에 하나의 쓰기만 합니다"
        ),
        "limits": Words(
            "the value must lie within its limits", "값이 정해진 한계 안에 있어야 합니다"
        ),
        "quality": Words("the present value must be good", "현재 값의 품질이 양호해야 합니다"),
        "stale": Words("the present value must be fresh", "현재 값이 최신이어야 합니다"),
        "step": Words(
            "one write must not change the value by more than a step",
            "한 번의 쓰기로 정해진 폭보다 크게 바꿀 수 없습니다",
        ),
        "rate": Words(
            "the value must not change faster than allowed",
            "값을 허용된 속도보다 빠르게 바꿀 수 없습니다",
        ),
        "interval": Words(
            "writes must keep their distance in time", "쓰기 사이에 최소 간격을 두어야 합니다"
        ),
        "interlock": Words(
            "every interlock must be good, fresh and in its range",
            "모든 인터록 신호가 양호하고 최신이며 범위 안에 있어야 합니다",
        ),
        "watchdog": Words(
            "the machine must take our heartbeat", "기계가 하트비트를 받고 있어야 합니다"
        ),
        "no-proposal": Words(
            "no such proposal waits: decided, replaced or expired",
            "대기 중인 제안이 없습니다: 처리되었거나 대체되었거나 만료되었습니다",
        ),
        "waiting": Words(
            "one proposal at a time waits for a person",
            "한 신호에는 한 번에 하나의 제안만 승인을 기다립니다",
        ),
        "no-person": Words("a person must be named", "책임자의 이름이 있어야 합니다"),
        "no-permit": Words(
            "no such write is under way: finished, lost or expired",
            "진행 중인 쓰기가 없습니다: 끝났거나 유실되었거나 만료되었습니다",
        ),
        "seal": Words(
            "what comes from another process must carry our seal",
            "다른 프로세스에서 온 것에는 우리의 봉인이 있어야 합니다",
        ),
    }
)


class Reading(Protocol):
    """The newest sample of a signal. time: when the value was last known to hold, ns."""

    @property
    def value(self) -> float: ...

    @property
    def time(self) -> int: ...

    @property
    def status(self) -> int: ...


class View(Protocol):
    """What the gate may know of the machines."""

    def reading(self, id: str) -> Reading | None:
        """Return the newest sample of a signal, or None where there is none yet."""
        ...


class Written(msgspec.Struct, frozen=True):
    """The last write to a signal. granted: when permitted; settled: when its outcome was known."""

    value: float
    granted: int
    settled: int


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A command with all that its judgement rests on.

    watchdog: why the machine's watchdog is not content, or ''.
    """

    command: Command
    now: int
    rule: Writable
    signal: Signal
    view: View
    written: Written | None
    under_way: bool
    tripped: str
    watchdog: str

    @property
    def reading(self) -> Reading | None:
        """Return what the machine reports of the signal now."""
        return self.view.reading(self.command.signal)

    def starts(self) -> list[float]:
        """Return every value that the machine may hold now, which a change counts from.

        That is the reading; the last written value stands for it where they differ by no more
        than the tolerance (a register rounds), and beside it until a newer reading came.
        """
        reading, written = self.reading, self.written
        values = [] if reading is None else [reading.value]
        if written is None or reading is None:
            return values
        if abs(reading.value - written.value) <= self.rule.slack:
            return [written.value]
        return values if reading.time > written.settled else [*values, written.value]

    def change(self) -> float:
        """Return by how much the command may change the machine, at most."""
        return max(abs(self.command.value - start) for start in self.starts())


def tripped(case: Case) -> str:
    """Return why the signal is held, or ''."""
    return case.tripped


def under_way(case: Case) -> str:
    """Return '' when no other write to the signal is under way."""
    return "another write to it is not finished" if case.under_way else ""


def limits(case: Case) -> str:
    """Return '' when the value lies within low and high."""
    rule = case.rule
    if rule.low <= case.command.value <= rule.high:
        return ""
    return f"{case.command.value:g} is outside {rule.low:g} to {rule.high:g} {case.signal.unit}"


def quality(case: Case) -> str:
    """Return '' when the present value is known and good."""
    return _quality(case.reading)


def stale(case: Case) -> str:
    """Return '' when the present value is fresh."""
    return _staleness(case.reading, case.now, case.rule.age)


def step(case: Case) -> str:
    """Return '' when the change is no larger than one step."""
    change = case.change()
    if _within(change, case.rule.step):
        return ""
    return f"a change of {change:g} is more than {case.rule.step:g} {case.signal.unit} at once"


def rate(case: Case) -> str:
    """Return '' when the change is no faster than the rate since the last write."""
    if case.rule.rate is None or case.written is None:
        return ""
    change, seconds = case.change(), max(case.now - case.written.granted, 0) / SECOND
    if _within(change, case.rule.rate * seconds):
        return ""
    return (
        f"a change of {change:g} in {seconds:g} s is faster than {case.rule.rate:g} "
        f"{case.signal.unit} per second"
    )


def interval(case: Case) -> str:
    """Return '' when the last write is long enough ago."""
    if case.written is None:
        return ""
    seconds = (case.now - case.written.granted) / SECOND
    if seconds >= case.rule.interval:
        return ""
    return f"the last write was {seconds:g} s ago, at least {case.rule.interval:g} s must pass"


def interlock(case: Case) -> str:
    """Return '' when every interlock holds, else what the first open one says."""
    for lock in case.rule.interlocks:
        reading = case.view.reading(lock.signal)
        age = case.rule.age if lock.age is None else lock.age
        reason = _quality(reading) or _staleness(reading, case.now, age) or _outside(reading, lock)
        if reason:
            return f"{lock.signal}: {reason}"
    return ""


def watchdog(case: Case) -> str:
    """Return '' when the machine takes our heartbeat, or needs none."""
    return case.watchdog


Check = Callable[[Case], str]
# in this order: the first that fails names the refusal
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "read-back-mismatch": tripped,
        "under-way": under_way,
        "limits": limits,
        "quality": quality,
        "stale": stale,
        "step": step,
        "rate": rate,
        "interval": interval,
        "interlock": interlock,
        "watchdog": watchdog,
    }
)


def _quality(reading: Reading | None) -> str:
    if reading is None:
        return "no value is known yet"
    if reading.status & 3 != Severity.GOOD or not isfinite(reading.value):
        return "the present value is not good"
    flags = Flag(reading.status) & UNSURE
    return f"the present value is marked {_words(flags)}" if flags else ""


def _words(flags: Flag) -> str:
    return ", ".join(str(flag.name).lower().replace("_", " ") for flag in flags)


def _staleness(reading: Reading | None, now: int, age: float) -> str:
    if reading is None or not age:
        return ""
    seconds = (now - reading.time) / SECOND
    if abs(seconds) <= age:
        return ""
    if seconds < 0:
        return f"its time is {-seconds:g} s in the future"
    return (
        f"the present value is {seconds:g} s old, {age:g} s are allowed; "
        "if its server reports changes only, set age = 0"
    )


def _outside(reading: Reading | None, lock: Interlock) -> str:
    value = 0.0 if reading is None else reading.value
    if lock.low is not None and value < lock.low:
        return f"{value:g} is below {lock.low:g}"
    if lock.high is not None and value > lock.high:
        return f"{value:g} is above {lock.high:g}"
    return ""


def _within(change: float, allowed: float) -> bool:
    """Return whether a change is allowed, up to what rounding of doubles makes of it."""
    return change <= allowed * (1 + 1e-9) + 1e-12
