"""The words of the reports, in Korean and English."""

from __future__ import annotations

from deungdae.insight.kpi.reasons import Language

WORDS: dict[Language, dict[str, str]] = {
    "ko": {
        "shift": "근무조 보고서", "week": "주간 보고서", "made": "만든 시각",
        "oee": "종합설비효율", "availability": "시간가동률", "effectiveness": "성능가동률",
        "quality_ratio": "양품률", "range": "가능한 범위", "fall": "시간은 어디로 갔나",
        "planned": "계획 시간", "effective": "유효 시간", "causes": "정지 원인",
        "course": "시간별 상태", "machines": "설비별", "machine": "설비", "good": "양품",
        "scrap": "불량", "due": "계획", "attained": "달성률", "unknown": "데이터 없음",
        "stops": "긴 정지",
        "none_given": "이유 없음", "notes": "인계 사항",
        "no_notes": "남긴 말이 없습니다.", "no_stops": "30초 넘게 멈춘 일이 없습니다.",
        "curve": "양품 수량과 계획", "days": "날마다의 종합설비효율",
        "days_a": "날마다의 시간가동률",
        "hatched": "빗금은 데이터가 없는 시간이며, 가동도 정지도 대기도 아닙니다.",
        "running": "아직 진행 중인 기간입니다. 지금까지의 값입니다.", "times": "회",
        "wanting": "이유가 필요한 정지 {}건이 남아 있습니다.", "others": "그 밖에",
        "basis_target": "계획: 목표에 따름", "basis_order": "계획: 작업지시의 사이클",
        "basis_cycle": "계획: 이상 사이클", "production": "가동", "planned_stop": "계획 정지",
        "maintenance": "보전", "untold": "(이유 없음)",
    },
    "en": {
        "shift": "Shift report", "week": "Weekly report", "made": "Made",
        "oee": "OEE", "availability": "Availability", "effectiveness": "Effectiveness",
        "quality_ratio": "Quality", "range": "possible", "fall": "Where the time went",
        "planned": "Planned time", "effective": "Effective time", "causes": "Causes of stops",
        "course": "States through the time", "machines": "By machine", "machine": "Machine",
        "good": "Good", "scrap": "Rejects", "due": "Plan", "attained": "Attained",
        "unknown": "No data", "stops": "Longest stops",
        "none_given": "no reason",
        "notes": "Hand-over", "no_notes": "Nothing was left.",
        "no_stops": "Nothing stood for more than 30 s.", "curve": "Good parts against plan",
        "days": "OEE by day", "days_a": "Availability by day",
        "hatched": "Hatched is time without data: neither running, nor stopped, nor waiting.",
        "running": "The period still runs: these are the figures so far.", "times": "×",
        "wanting": "{} stops still want a reason.", "others": "Others",
        "basis_target": "Plan: by target", "basis_order": "Plan: cycle of the orders",
        "basis_cycle": "Plan: ideal cycle", "production": "Running",
        "planned_stop": "Planned stop", "maintenance": "Maintenance", "untold": "(no reason)",
    },
}  # fmt: skip
STATES = {  # those of which a category alone says too little
    "starved": "투입 대기", "blocked": "배출 대기", "waiting": "사람 대기", "off": "꺼짐",
}  # fmt: skip
