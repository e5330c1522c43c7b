"""Accounts of shifts over a store: the same for the page, the command, the PDF and the API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deungdae.core.errors import NotEnoughData
from deungdae.core.ports import Store
from deungdae.core.types import MINUTE, Signal
from deungdae.insight import kpi
from deungdae.insight.kpi import reporting
from deungdae.insight.kpi.account import AROUND, Account, account
from deungdae.insight.kpi.reasons import StopOptions
from deungdae.insight.kpi.shifts import Turn, shifts_of
from deungdae.model.factory import Factory, Identity


def options_of(factory: Factory) -> StopOptions:
    """Return the `[stops]` table, or what holds without one."""
    found = factory.sections.get("stops")
    return found if isinstance(found, StopOptions) else StopOptions()


def bare(signals: Sequence[Signal], zone: str) -> Factory:
    """Return a factory for a store without a factory file: every moment is planned."""
    return Factory(
        path=Path(),
        identity=Identity(id="store", timezone=zone, language="en"),
        signals={signal.id: signal for signal in signals},
    )


def specs(factory: Factory, assets: Sequence[str] = ()) -> dict[str, kpi.KpiOptions]:
    """Return from what each asset's account is computed, in the order of the factory's file.

    Declared by a `kpi` table, or what the names of an asset's signals suggest. Raises
    NotEnoughData for a wanted asset that tells no state.
    """
    declared = {
        plugin.options.asset: plugin.options
        for plugin in factory.room("insight").values()
        if plugin.type == "kpi"
    }
    found: dict[str, kpi.KpiOptions] = {}
    by_asset: dict[str, list[Signal]] = {}
    for signal in factory.signals.values():
        by_asset.setdefault(signal.asset, []).append(signal)
    for asset in dict.fromkeys([*factory.assets, *by_asset, *declared]):
        spec = declared.get(asset) or kpi.default_spec(asset, by_asset.get(asset, []))
        if spec.state and (asset in declared or factory.signals[spec.state].kind != "number"):
            found[asset] = spec
    missing = [asset for asset in assets if asset not in found]
    if missing or not found:
        have = ", ".join(found) or "none"
        raise NotEnoughData(f"no state signal of {', '.join(missing) or 'any asset'}; has: {have}")
    return {asset: found[asset] for asset in (assets or found)}


def accounts(
    store: Store, factory: Factory, start: int, end: int, *,
    now: int, until: int = 0, assets: Sequence[str] = (),
) -> list[Account]:  # fmt: skip
    """Return the account of each asset over [start, end), start < end <= now.

    until: when the shift ends, if that is later. Raises NotEnoughData as specs does.
    """
    (found,) = of_periods(store, factory, [(start, end)], now=now, until=until, assets=assets)
    return found


def of_periods(
    store: Store, factory: Factory, periods: Sequence[tuple[int, int]], *,
    now: int, until: int = 0, assets: Sequence[str] = (),
) -> list[list[Account]]:  # fmt: skip
    """Return the accounts of each period, for which the store is asked once; see accounts."""
    chosen, options = specs(factory, assets), options_of(factory)
    start, end = min(start for start, _ in periods), max(end for _, end in periods)
    alarms = store.events(start - AROUND, end, kinds=["alarm"])
    orders = store.events(start, end, ids=[f"{asset}.order" for asset in chosen], before=True)
    scenes = reporting.gather(list(chosen.values()), store, factory, start, end)
    found: list[list[Account]] = [[] for _ in periods]
    for (asset, spec), scene in zip(chosen.items(), scenes, strict=True):
        own_alarms = [event for event in alarms if f"{event.id}.".startswith(f"{asset}.")]
        own_orders = [event for event in orders if event.asset == asset]
        for (since, to), told in zip(periods, found, strict=True):
            report = kpi.evaluate(spec, factory, scene.window, since, to, scene.heard)
            told.append(
                account(
                    report,
                    spec,
                    factory,
                    scene.window,
                    until=max(until, to),
                    now=now,
                    options=options,
                    alarms=own_alarms,
                    orders=[event for event in own_orders if event.time < max(until, to)],
                )
            )
    return found


def turn_of(factory: Factory, start: int, end: int, now: int) -> Turn:
    """Return the shift that a period is, also where it still runs; else the period itself."""
    for turn in shifts_of(factory, start, start + 1):
        if turn.start == start and (turn.end == end or now - MINUTE <= end < turn.end):
            return turn
    return Turn(name="", start=start, end=end, planned=0.0)
