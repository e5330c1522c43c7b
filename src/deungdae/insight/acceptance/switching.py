"""Switching rules: from normal inspection to tightened and reduced, and back."""

from __future__ import annotations

import msgspec

from .plans import AQLS, Plan, Severity, single

_WINDOW, _REJECTED = 5, 2  # two of the last five not accepted: tightened
_BACK = 5  # in a row accepted: normal again
_STOP = 5  # not accepted while tightened: inspection ends, the supplier must act
_SCORE = 30  # that allows reduced inspection
LIMIT = 2  # accepted lots score 3 from this acceptance number on, else 2


class Lot(msgspec.Struct, frozen=True):
    """What was found in the sample of one lot on its original inspection. plan: it was drawn by."""

    plan: Plan
    bad: int

    @property
    def accepted(self) -> bool:
        """Return whether the lot is accepted; between both numbers of a reduced plan it is."""
        return self.bad < self.plan.reject


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where inspection stands.

    severity: of the next lot. stopped: five lots were not accepted under tightened inspection.
    recent: whether the last lots of this severity were accepted, at most five. refused: lots not
    accepted while tightened. score: towards reduced inspection. because: why it last changed.
    """

    severity: Severity = "normal"
    stopped: bool = False
    recent: tuple[bool, ...] = ()
    refused: int = 0
    score: int = 0
    because: str = ""


def after(state: State, lot: Lot, *, steady: bool = True) -> State:
    """Return where inspection stands after a lot.

    steady: production runs steadily, and the responsible authority wants reduced inspection; both
    are asked for by the standard and known to people alone. Raises ValueError if inspection was
    stopped, or the lot was inspected with another severity.
    Source: ISO 2859-1:1999, 9.3 (switching score); ANSI/ASQ Z1.4-2003, 8.3. A lot between the
    numbers of a reduced plan (Z1.4, 10.1.4) is accepted and ends reduced inspection.
    """
    if state.stopped:
        raise ValueError("inspection was stopped: the supplier must act before it goes on")
    if lot.plan.severity != state.severity:
        raise ValueError(f"the lot was inspected {lot.plan.severity}, not {state.severity}")
    recent = (*state.recent, lot.accepted)[-_WINDOW:]
    if state.severity == "tightened":
        return _tightened(state, recent)
    if state.severity == "reduced":
        return _reduced(state, lot, recent, steady)
    score = _score(state.score, lot)
    if recent.count(False) >= _REJECTED:
        return State(severity="tightened", because="2 of 5 lots or fewer were not accepted")
    if score >= _SCORE and steady:
        return State(severity="reduced", because=f"the switching score reached {score}")
    return msgspec.structs.replace(state, recent=recent, score=score)


def _tightened(state: State, recent: tuple[bool, ...]) -> State:
    refused = state.refused + (not recent[-1])
    if refused >= _STOP:
        because = f"{refused} lots were not accepted under tightened inspection"
        return State(severity="tightened", stopped=True, refused=refused, because=because)
    if len(recent) == _BACK and all(recent):
        return State(because="5 lots in a row were accepted")
    return msgspec.structs.replace(state, recent=recent, refused=refused)


def _reduced(state: State, lot: Lot, recent: tuple[bool, ...], steady: bool) -> State:
    if not lot.accepted:
        return State(because="a lot was not accepted")
    if lot.bad > lot.plan.accept:
        return State(because="a lot lay between the acceptance and the rejection number")
    if not steady:
        return State(because="production is not steady")
    return msgspec.structs.replace(state, recent=recent)


def _score(score: int, lot: Lot) -> int:
    """Return the switching score after a lot of normal inspection."""
    plan = lot.plan
    if plan.accept < LIMIT:
        return score + 2 if lot.accepted else 0
    tighter = AQLS[max(AQLS.index(plan.aql) - 1, 0)]
    return score + 3 if lot.bad <= single(plan.letter, tighter).accept else 0
