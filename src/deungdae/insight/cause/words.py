"""Answers in a plant's words."""

from __future__ import annotations

from .design import Effect, Experiment
from .search import DRIFT, Answer, Influence, Together
from .verdict import Verdict


def answer(found: Answer) -> list[str]:
    """Return what a table says about a result, the most important first."""
    lines = []
    if found.found:
        many = len(found.causes)
        if many:
            lines.append(
                f"{many} cause{'s' if many > 1 else ''} of {found.result}; in parts that they were"
                f" not learnt from they tell {found.explained:.0%} of the differences"
            )
        lines += [f"{rank}. {cause(each, found.unit)}" for rank, each in enumerate(found.causes, 1)]
        lines += [together(each, found.unit) for each in found.together]
    else:
        lines.append(
            f"no factor here explains more of {found.result} than chance; one that tells up to"
            f" {found.hidden:.0%} of the differences could still hide ({found.groups} independent"
            " parts)" if found.groups == found.parts else
            f"no factor here explains more of {found.result} than chance; one that tells up to"
            f" {found.hidden:.0%} of the differences could still hide ({found.groups} groups)"
        )  # fmt: skip
    for each in found.rivals:
        how = "always together" if each.alike >= 0.98 else f"{each.alike:.0%} alike"
        lines.append(
            f"{each.cause} and {each.rival} ({how}): these data cannot tell them apart; run"
            f" {' and '.join(each.runs)}, {each.parts} parts each"
        )
    if any(each.factor == DRIFT for each in found.causes):
        lines.append("the result moves with time whatever the factors are: look at wear and warmth")
    if found.follows is not None and found.follows > 0.3:
        lines.append(
            f"what is left follows the part before (correlation {found.follows:.2f}): something"
            " slow is not in this table; sureness was lowered for it"
        )
    return lines


def cause(each: Influence, unit: str) -> str:
    """Return one cause in a sentence."""
    said = (
        f"{each.factor}: from {each.lower} to {each.upper} {_change(each.effect, unit)}"
        f" ({_number(each.low, unit)} to {_number(each.high, unit)})"
    )
    said += f", tells {each.unique:.0%} by itself"
    if each.curved:
        said += ", not in a straight line"
    if each.stability is not None:
        said += f"; found in {each.stability:.0%} of half samples"
    if each.rivals:
        said += f"; or is it {', '.join(each.rivals)}?"
    return said


def together(each: Together, unit: str) -> str:
    """Return in a sentence that two factors act together."""
    low, high = each.cells[0], each.cells[-1]
    return (
        f"{each.first} and {each.second} act together: {_number(low.mean, unit)} with {low.value},"
        f" {_number(high.mean, unit)} with {high.value}"
    )


def experiment(found: Experiment) -> list[str]:
    """Return what a designed experiment says."""
    active = [each for each in found.effects if each.maybe]
    how = (
        f"{found.freedom:g} degrees of freedom from repeated runs"
        if found.by == "replicates"
        else "runs not repeated: Lenth's pseudo standard error"
    )
    head = f"{found.runs} runs, an experiment at two levels; {how}"
    if not active:
        return [
            head,
            f"no effect on {found.result} is more than chance; smaller than {found.margin:.3g} it"
            " would not be seen",
            "the largest: " + ", ".join(f"{e.name} {e.effect:+.4g}" for e in found.effects[:3]),
            "repeat the runs: only that tells how much chance does",
        ]
    lines = [head]
    lines += [f"{rank}. {effect(each, found)}" for rank, each in enumerate(active, 1)]
    if found.curved is not None:
        away, p = found.curved
        if p is not None and p < 0.05:
            lines.append(
                f"the middle is {away:+.3g} from the corners: not straight; run a third level"
            )
    for word, best in (("highest", found.highest), ("lowest", found.lowest)):
        if best is not None:
            lines.append(f"{word} {found.result}: {best[1]:.4g} with {best[0]}")
    return lines


def effect(each: Effect, of: Experiment) -> str:
    """Return one effect in a sentence."""
    name = each.name
    if len(each.factors) == 1:
        low, high = of.levels[name]
        name = f"{name} from {low} to {high}:"
    sure = "" if each.active else "; likely, not sure"
    alias = f"; or is it {', '.join(each.aliases)}?" if each.aliases else ""
    return f"{name} {each.effect:+.4g} ({each.low:.4g} to {each.high:.4g}){sure}{alias}"


def verdict(name: str, found: Verdict) -> list[str]:
    """Return a verdict on a characteristic, with its evidence."""
    doubt = "" if found.sure else " (likely; these data leave it open)"
    head = f"{name}: {found.said}{doubt}; {found.outside} of {found.parts} outside"
    return [head, *(f"   {line}" for line in found.evidence)]


def beside(found: Verdict, causes: Answer) -> list[str]:
    """Return what causes and a verdict say together."""
    if found.kind == "specification":
        return ["the causes above move the result, but they are not why the parts are outside"]
    if found.kind == "spread" and found.pp is not None and causes.left > 0:
        pp = found.pp * found.spread / causes.left
        return [
            f"with these causes held at one value Pp would be {pp:.2f} instead of {found.pp:.2f}"
        ]
    return []


def _change(value: float, unit: str) -> str:
    return f"{100 * value:+.1f} points of bad" if unit else f"{value:+.4g}"


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit else f"{value:.4g}"
