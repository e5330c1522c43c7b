"""How good it was and what cost most, in plain sentences, Korean and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from deungdae.core.types import DAY, HOUR, SECOND

from .account import Account, Kind, together
from .reasons import Language

WORDS: dict[Language, dict[Kind, str]] = {
    "ko": {
        "failure": "고장", "repair": "수리", "setup": "준비 교체", "delay": "정지", "idle": "대기",
        "unknown": "데이터 없음", "uncounted": "수량 모름", "slower": "속도 저하",
        "rejected": "불량", "unrated": "가동(속도·품질 모름)",
    },
    "en": {
        "failure": "Down", "repair": "Repair", "setup": "Set-up", "delay": "Stopped",
        "idle": "Waiting", "unknown": "No data", "uncounted": "Not counted",
        "slower": "Slower than planned", "rejected": "Rejects", "unrated": "Ran, not rated",
    },
}  # fmt: skip
_DAYS = {
    "ko": ("월", "화", "수", "목", "금", "토", "일"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_COSTS: tuple[Kind, ...] = ("slower", "rejected")


def tell(accounts: Sequence[Account], names: Mapping[str, str], language: Language) -> str:
    """Return how good the machines were together, how sure that is, and what cost most.

    accounts: at least one. names: of the assets, for people.
    """
    silent = [each for each in accounts if each.planned and each.unknown >= each.planned]
    heard = [each for each in accounts if each.planned and each not in silent]
    if not heard:
        return _nothing(silent, language)
    name, rated = _measure(heard)
    whole = together(rated) if len(rated) > 1 else rated[0]
    parts = (
        _good(name, whole, len(rated), language),
        _sure(name, whole, language),
        _cost(heard, names, language),
        _silent([names.get(each.asset, each.asset) for each in silent], language),
    )
    return " ".join(part for part in parts if part)


def label(name: str, start: int, end: int, zone: ZoneInfo, language: Language) -> str:
    """Return what people call a period: the day with the shift's name, a day, or both its ends."""
    first, last = _local(start, zone), _local(end, zone)
    day = _day(first, language)
    if name:
        return f"{day} {name}"
    whole = DAY - 2 * HOUR <= end - start <= DAY + 2 * HOUR
    if whole and (first.hour, first.minute, last.hour, last.minute) == (0, 0, 0, 0):
        return day
    clocks = f"{first:%H:%M}", f"{last:%H:%M}"
    if first.date() == last.date():
        return f"{day} {clocks[0]}–{clocks[1]}"
    return f"{day} {clocks[0]} – {_day(last, language)} {clocks[1]}"


def day(moment: int, zone: ZoneInfo, language: Language) -> str:
    """Return what people call the local day of a moment."""
    return _day(_local(moment, zone), language)


def duration(seconds: float, language: Language) -> str:
    """Return a length of time as people say it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)}초" if language == "ko" else f"{round(seconds)} s"
    hours, minutes = divmod(minutes, 60)
    if language == "ko":
        return " ".join(
            x for x in (f"{hours}시간" * bool(hours), f"{minutes}분" * bool(minutes)) if x
        )
    return " ".join(x for x in (f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)) if x)


def _measure(accounts: Sequence[Account]) -> tuple[str, list[Account]]:
    """Return by which indicator to judge, and the machines that have it: all, where none has."""
    for name in ("oee", "availability"):
        having = [each for each in accounts if _value(each, name) is not None]
        if having:
            return name, having
    return "", list(accounts)


def _value(account: Account, name: str) -> float | None:
    result = account.results.get(name)
    return None if result is None else result.value


def _nothing(silent: Sequence[Account], language: Language) -> str:
    if silent:
        if language == "ko":
            return "데이터가 없어 이 시간에 대해 아는 것이 없습니다."
        return "There are no data: nothing is known of this time."
    return "계획된 시간이 없습니다." if language == "ko" else "No time was planned."


def _good(name: str, whole: Account, count: int, language: Language) -> str:
    korean, value = language == "ko", _value(whole, name)
    if value is None:
        return "지표를 계산할 수 없습니다." if korean else "No indicator can be given."
    together_ = (f"(설비 {count}대)" if korean else f" ({count} machines)") if count > 1 else ""
    if name == "oee":
        return (
            f"종합설비효율{together_}은 {value:.1f} %입니다."
            if korean
            else f"The OEE{together_} is {value:.1f} %."
        )
    return (
        f"시간가동률{together_}은 {value:.1f} %입니다. 사이클이나 수량을 몰라"
        " 종합설비효율은 계산하지 못합니다."
        if korean
        else f"Availability{together_} is {value:.1f} %; without cycle time and counts there is no"
        " OEE."
    )


def _sure(name: str, whole: Account, language: Language) -> str:
    """Return how much is not known, and what the figure can be for that; '' where all is known."""
    if whole.unknown < 1:
        return ""
    share = 100 * whole.unknown / whole.planned
    told = "<0.1" if share < 0.1 else f"{share:.1f}"
    result, between = whole.results.get(name), ""
    if result is not None and result.low is not None and result.high is not None:
        between = f"{result.low:.1f}–{result.high:.1f} %"
    if language == "ko":
        known = f" 실제 값은 {between} 사이입니다." if between else ""
        return f"계획 시간의 {told} %는 데이터가 없습니다.{known}"
    known = f", so the true value lies within {between}" if between else ""
    return f"Of the planned time {told} % has no data{known}."


def _silent(names: Sequence[str], language: Language) -> str:
    if not names:
        return ""
    listed = ", ".join(names[:4])
    if language == "ko":
        more = f" 외 {len(names) - 4}대" if len(names) > 4 else ""
        return f"데이터가 전혀 없는 설비: {listed}{more}."
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"No data at all of {listed}{more}."


def _cost(accounts: Sequence[Account], names: Mapping[str, str], language: Language) -> str:
    """Return what cost most: a reason or state of one machine, its slowness, or its rejects.

    Of several machines one waits mostly for another, so that waiting of which nobody said why is
    told by itself: it is no cause.
    """
    found: list[tuple[float, str, str, float]] = []
    waited = 0.0
    for each in accounts:
        for cause in each.causes:
            if cause.category == "idle" and len(accounts) > 1:
                waited += cause.seconds
            elif cause.category != "unknown":
                what = cause.reason or word(cause.category, language) or cause.state
                found.append((cause.seconds, each.asset, what, each.planned))
        for part in each.parts:
            if part.kind in _COSTS:
                found.append((part.seconds, each.asset, word(part.kind, language), each.planned))
    korean, said = language == "ko", []
    if found and max(found)[0] >= 1:
        seconds, asset, what, planned = max(found)
        length, share = duration(seconds, language), f"{100 * seconds / planned:.0f}"
        name = names.get(asset, asset)
        said.append(
            f"가장 큰 손실은 {name}의 ‘{what}’ {length}(계획 시간의 {share} %)입니다."
            if korean
            else f"What cost most: “{what}” at {name}, {length} ({share} % of its planned time)."
        )
    if waited >= 60:
        length = duration(waited, language)
        said.append(
            f"앞뒤를 기다린 시간은 모든 설비를 합해 {length}입니다."
            if korean
            else f"All machines together waited for others {length}."
        )
    return " ".join(said)


def word(category: str, language: Language) -> str:
    """Return what people call a category, '' for one that has no word."""
    return next((said for kind, said in WORDS[language].items() if kind == category), "")


def _local(moment: int, zone: ZoneInfo) -> datetime:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // SECOND)
    return utc.astimezone(zone)


def _day(local: datetime, language: Language) -> str:
    weekday = _DAYS[language][local.weekday()]
    if language == "ko":
        return f"{local.month}월 {local.day}일({weekday})"
    return f"{weekday} {local.day} {_MONTHS[local.month - 1]}"
