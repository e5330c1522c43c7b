"""What the words of a machine's state mean in the time model of ISO 22400."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

from deungdae.insight.states import UNKNOWN

Category: TypeAlias = Literal[
    "production", "setup", "delay", "failure", "repair", "idle", "maintenance", "planned", "unknown"
]
Model: TypeAlias = Literal["mtconnect", "packml", "plain"]

TERM: dict[Category, str] = {
    "production": "APT",
    "setup": "AUST",
    "delay": "ADET",
    "failure": "ADET",
    "repair": "ADET",
    "idle": "ADOT",
}  # maintenance and planned are outside PBT; unknown is no term at all

# Execution, MTConnect. STOPPED is an unplanned stop there, yet many controllers say it after
# a plain reset: it is a delay, and a failure only where `states` says so.
_MTCONNECT: dict[str, Category] = {
    "ACTIVE": "production",
    "READY": "idle",
    "PROGRAM_COMPLETED": "idle",
    "INTERRUPTED": "delay",
    "FEED_HOLD": "delay",
    "STOPPED": "delay",
    "PROGRAM_STOPPED": "delay",
    "OPTIONAL_STOP": "delay",
    "PROGRAM_OPTIONAL_STOP": "delay",
    "WAIT": "delay",
    "UNAVAILABLE": "unknown",
}

# number -> (name, category): ANSI/ISA-TR88.00.02. Held has its cause inside the machine, suspended
# outside it (no parts come, or none are taken away): the machine itself is available.
_PACKML: dict[int, tuple[str, Category]] = {
    0: ("undefined", "unknown"),
    1: ("clearing", "failure"),
    2: ("stopped", "idle"),
    3: ("starting", "setup"),
    4: ("idle", "idle"),
    5: ("suspended", "idle"),
    6: ("execute", "production"),
    7: ("stopping", "idle"),
    8: ("aborting", "failure"),
    9: ("aborted", "failure"),
    10: ("holding", "delay"),
    11: ("held", "delay"),
    12: ("unholding", "delay"),
    13: ("suspending", "idle"),
    14: ("unsuspending", "idle"),
    15: ("resetting", "idle"),
    16: ("completing", "idle"),
    17: ("complete", "idle"),
}

_PLAIN: dict[Category, str] = {
    "production": "1, true, on, run, running, active, producing, production, working, execute, "
    "executing, processing, 가동, 가동중, 운전, 운전중, 자동운전, 생산, 생산중",
    "setup": "setup, changeover, adjusting, adjustment, preparing, "
    "준비, 준비교체, 품종교체, 셋업, 세팅",
    "delay": "stop, stopped, pause, paused, hold, held, interrupted, minorstop, "
    "정지, 일시정지, 순간정지",
    "failure": "down, fault, faulted, failure, failed, error, alarm, breakdown, 고장, 이상, 알람",
    "repair": "repair, repairing, correctivemaintenance, 수리, 수리중, 사후보전",
    "idle": "0, false, off, idle, ready, standby, waiting, starved, blocked, notexecuting, "
    "대기, 대기중, 유휴",
    "maintenance": "maintenance, preventivemaintenance, pm, 예방보전, 정기점검",
    "planned": "planned, plannedstop, plannedstopped, break, 휴식, 휴식중, 계획정지",
    "unknown": "unknown, unavailable, offline, notavailable, disconnected, 미상, 통신두절",
}

_WORDS: dict[Model, dict[str, Category]] = {}


def words(model: Model, states: Mapping[str, Category]) -> dict[str, Category]:
    """Return what each word means: those of the model, overruled by `states`; see plain_word."""
    return {**_WORDS[model], **{plain_word(name): what for name, what in states.items()}}


def categorise(meaning: Mapping[str, Category], state: str) -> Category | None:
    """Return what a told state means, None where nobody said it; see words."""
    if state == UNKNOWN:
        return "unknown"
    return meaning.get(plain_word(state))


@lru_cache(maxsize=4096)
def plain_word(text: str) -> str:
    """Return a state in small letters without spaces, `_`, `-`; whole numbers without `.0`."""
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", re.sub(r"[\s_-]+", "", text).casefold())


_WORDS["mtconnect"] = {plain_word(name): what for name, what in _MTCONNECT.items()}
_WORDS["packml"] = {
    word: what
    for number, (name, what) in _PACKML.items()
    for word in (str(number), name)
} | {"unavailable": "unknown"}  # fmt: skip
_WORDS["plain"] = {word: what for what, text in _PLAIN.items() for word in text.split(", ")}
