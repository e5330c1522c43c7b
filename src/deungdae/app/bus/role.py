"""Which part of a factory a process is: its doors, its history, its pages, or all of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from deungdae.core import strict
from deungdae.core.errors import FactoryError, Fault
from deungdae.model.factory import Factory

KINDS = ("all", "connect", "history", "pages")


class Role(msgspec.Struct, frozen=True):
    """kind: what the process does. machines: with `connect`, which; empty: every one."""

    kind: Literal["all", "connect", "history", "pages"] = "all"
    machines: tuple[str, ...] = ()

    @staticmethod
    def of(text: str) -> Role:
        """Return the role that a person wrote: `history`, `connect`, `connect:kiln,press`.

        Raises ValueError.
        """
        kind, colon, rest = text.partition(":")
        machines = tuple(sorted({name.strip() for name in rest.split(",")} - {""}))
        if kind not in KINDS or (colon and (kind != "connect" or not machines)):
            raise ValueError(f"{text!r} is none of {', '.join(KINDS)} or connect:machine,machine")
        return Role(kind, machines)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """Return what the process is called on the bus."""
        return "-".join((self.kind, *self.machines))

    def part(self, factory: Factory) -> Factory:
        """Return what this process runs of a factory. Raises FactoryError for unknown machines."""
        if self.kind == "history":
            rooms = {room: factory.room(room) for room in ("insight", "decide", "twin")}
            return msgspec.structs.replace(factory, plugins=rooms)
        if self.kind != "connect":
            return factory
        doors = {room: dict(factory.room(room)) for room in ("machines", "virtual")}
        if self.machines:
            self._check(factory, {**doors["machines"], **doors["virtual"]})
            doors = {
                room: {name: door for name, door in found.items() if name in self.machines}
                for room, found in doors.items()
            }
        signals = {i: s for i, s in factory.signals.items() if s.machine in doors["machines"]}
        return msgspec.structs.replace(factory, plugins=doors, signals=signals)

    def _check(self, factory: Factory, known: dict[str, object]) -> None:
        faults = [
            Fault(
                file=str(factory.path),
                key=f"machines.{name}",
                problem=f"--as {self.kind}:{','.join(self.machines)} names it, but it is not there",
                remedy=strict.closest(name, known),
            )
            for name in self.machines
            if name not in known
        ]
        if faults:
            raise FactoryError(faults)


def check(factory: Factory) -> None:
    """Raise FactoryError where a factory has no bus to be joined by."""
    if not factory.sections["bus"].url:
        raise FactoryError(
            [
                Fault(
                    file=str(factory.path),
                    key="bus.url",
                    problem="is missing, and --as needs it",
                    remedy='write url = "nats://127.0.0.1:4222" under [bus], or leave --as out',
                )
            ]
        )
