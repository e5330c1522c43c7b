"""Reads a factory with every table that this roof knows, and checks what only the whole shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.historian.store import HistorianOptions
from deungdae.insight.alarms import AlarmOptions
from deungdae.insight.kpi.reasons import StopOptions
from deungdae.model import factory as model
from deungdae.model.factory import Factory, Plugin

from .auth import WebOptions
from .bus import BusOptions
from .compute import ComputeOptions
from .reports import ReportOptions
from .thinking import examples, is_thinker

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "historian": HistorianOptions,
    "app": WebOptions,
    "bus": BusOptions,
    "compute": ComputeOptions,
    "stops": StopOptions,
    "reports": ReportOptions,
    "alarms": AlarmOptions,
}


def read(path: Path, drafts: Mapping[str, str] | None = None) -> Factory:
    """Return the factory, checked whole. Raises FactoryError with every fault.

    drafts: texts by names of files of the description, read in place of what is on disk.
    """
    factory = model.read(path, SECTIONS, drafts)
    faults = [
        fault
        for room in ("insight", "decide", "twin")
        for plugin in factory.room(room).values()
        for fault in _thinker_faults(factory, plugin)
    ]
    faults += _alarm_faults(factory)
    if faults:
        raise FactoryError(faults)
    return factory


def _alarm_faults(factory: Factory) -> list[Fault]:
    """Return the states that alarms wait for and that no signal tells."""
    found: AlarmOptions = factory.sections.get("alarms") or AlarmOptions()
    watched = [
        (f"alarms.rules[{number}].suppressed_while", each.signal)
        for number, rule in enumerate(found.rules)
        for each in rule.suppressed_while
    ]
    return [
        Fault(
            file=str(factory.path),
            key=key,
            value=id,
            problem="names a signal that is not declared",
            remedy=strict.closest(id, factory.signals) or "declare it under [[signals]]",
        )
        for key, id in watched
        if id not in factory.signals
    ]


def _thinker_faults(factory: Factory, plugin: Plugin) -> list[Fault]:
    """Return what is wrong with a thinker that only shows when it is built."""
    key = f"{plugin.room}.{plugin.name}"
    try:
        work = plugin.cls(plugin.name, plugin.options, factory)
        examples(plugin, factory)
    except FactoryError as error:
        return list(error.faults)
    except ValueError as error:
        return [Fault(file=str(factory.path), line=plugin.line, key=key, problem=str(error))]
    except Exception as error:  # noqa: BLE001 — a plug-in's bug must not end a running factory
        problem = f"cannot be made: {error!r}"
        return [Fault(file=str(factory.path), line=plugin.line, key=key, problem=problem)]
    if not is_thinker(plugin):
        return []
    return model.check_needs(
        factory, plugin, (*work.needs.signals, *work.needs.events, *work.needs.images)
    )
