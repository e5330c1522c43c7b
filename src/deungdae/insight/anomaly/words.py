"""What an alarm says, in the plant's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timezone
from zoneinfo import ZoneInfo

from deungdae.core.clock import to_iso

from .judge import Alarm, Missing, Part, Still

_NAMED = 3  # signals that a sentence names; the evidence holds the others


def reasons(
    alarms: Sequence[Alarm],
    missing: Sequence[Missing],
    still: Sequence[Still],
    zone: timezone | ZoneInfo,
    units: Mapping[str, str],
) -> list[str]:
    """Return what is unlike the training, and what is not there, one sentence each."""
    said = []
    for alarm in alarms:
        until = "" if alarm.end is None else f" until {to_iso(alarm.end, zone)}"
        said.append(f"unlike the training since {to_iso(alarm.start, zone)}{until}")
        said += [about(part, units.get(part.name, "")) for part in alarm.parts[:_NAMED]]
    for each in still:
        since = to_iso(each.since, zone)
        said.append(
            f"{each.name} stands at {each.value:.6g} since {since}, longer than it ever did"
        )
    for gap in missing:
        if gap.end is None:
            said.append(f"{gap.name}: no data since {to_iso(gap.start, zone)}")
        else:
            ends = to_iso(gap.start, zone), to_iso(gap.end, zone)
            said.append(f"{gap.name}: no data from {ends[0]} to {ends[1]}")
    return said


def about(part: Part, unit: str) -> str:
    """Return what one signal has to do with an alarm."""
    share = f"{part.share:.0%} of what is unusual"
    if part.unit:
        return (
            f"{part.name} reads like {part.unit} the usual value: has its unit changed? ({share})"
        )
    if not part.side:
        return f"{part.name} does not go with the others as usual ({share})"
    shown = unit if unit not in ("", "1") else ""
    now, usual = f"{part.now:.5g} {shown}".strip(), f"{part.low:.5g} to {part.high:.5g}"
    if part.side == "above":
        return f"{part.name} is above what is usual: {now}, usually {usual} ({share})"
    return f"{part.name} is below what is usual: {now}, usually {usual} ({share})"
