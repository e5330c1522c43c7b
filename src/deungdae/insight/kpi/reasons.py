"""Which stops want a reason, and the reasons to choose from: the `[stops]` table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec

from deungdae.core.types import SECOND, Event

from .categories import plain_word
from .stops import Stop, newest

Language = Literal["ko", "en"]

DEFAULTS: dict[Language, dict[str, tuple[str, ...]]] = {
    "ko": {
        "설비": ("설비 고장", "금형·치공구 이상", "센서·전장 이상", "순간 정지 조치", "청소·급유"),
        "자재": ("자재 대기", "자재 불량"),
        "준비 교체": ("품종 교체", "금형 교체", "조정·시운전"),
        "품질": ("품질 확인", "불량 조치"),
        "사람": ("작업자 부재", "회의·교육"),
        "앞뒤 공정": ("앞 공정 대기", "뒤 공정 막힘"),
        "계획": ("계획 정지", "예방 보전", "생산 물량 없음"),
    },
    "en": {
        "Machine": ("Breakdown", "Tool or mould", "Sensor or electrics", "Jam cleared",
                    "Cleaning, oiling"),
        "Material": ("No material", "Bad material"),
        "Set-up": ("Product change", "Mould change", "Adjustment, trial run"),
        "Quality": ("Quality check", "Rework of rejects"),
        "People": ("Nobody there", "Meeting, training"),
        "Line": ("Waiting for the station before", "Blocked by the station behind"),
        "Planned": ("Planned stop", "Preventive maintenance", "No order"),
    },
}  # fmt: skip


NEIGHBOURS = frozenset({"starved", "blocked", "suspended", "투입대기", "배출대기"})


class StopOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[stops]` table: which stops want a reason, and which reasons people choose from.

    Without `reasons` there is a list of common ones. People may use words of their own, too: those
    that are used stand in the list from then on.

    ```toml
    [stops]
    after = 120

    [stops.reasons]
    "설비" = ["금형 교체", "실린더 누유"]
    "자재" = ["배합토 대기"]
    ```
    """

    reasons: Annotated[
        dict[str, tuple[str, ...]],
        msgspec.Meta(description="Reasons by group, in the plant's own words"),
    ] = {}
    after: Annotated[
        float,
        msgspec.Meta(
            description="A failure or stop wants a reason when it is longer",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 60.0
    idle: Annotated[
        float,
        msgspec.Meta(
            description="Idle time wants a reason when it is longer; starved or blocked never",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 600.0
    unknown: Annotated[
        float,
        msgspec.Meta(
            description="Time without data wants a word on what was when it is longer",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 300.0

    def listed(self, language: Language) -> Mapping[str, tuple[str, ...]]:
        """Return the reasons by group: the plant's own, or common ones."""
        return self.reasons or DEFAULTS[language]


def wants(stop: Stop, options: StopOptions) -> bool:
    """Return whether somebody should say why.

    Set-ups, breaks and short stops need no word, nor does a machine that says itself that it waits
    for those before or behind it.
    """
    if stop.reasons:
        return False
    lengths = Counter[str]()
    for piece in stop.pieces:
        if piece.busy and plain_word(piece.state) not in NEIGHBOURS:
            lengths[piece.category] += piece.length
    return (
        lengths["unknown"] > options.unknown * SECOND
        or lengths["idle"] > options.idle * SECOND
        or lengths["failure"] + lengths["repair"] + lengths["delay"] > options.after * SECOND
    )


def group_of(reason: str, groups: Mapping[str, tuple[str, ...]]) -> str:
    """Return the group of a reason, '' for words of one's own."""
    return next((name for name, reasons in groups.items() if reason in reasons), "")


def used(events: Iterable[Event], groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the words of people's own that hold for some stop, the most used first.

    events: of `<asset>.reason`, in order of arrival.
    """
    of_asset: dict[str, list[Event]] = {}
    for event in events:
        of_asset.setdefault(event.id, []).append(event)
    count = Counter(
        event.value
        for told in of_asset.values()
        for event in newest(told)
        if event.value and not group_of(event.value, groups)
    )
    return [reason for reason, _ in count.most_common()]
